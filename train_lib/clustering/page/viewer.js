'use strict';
// One picture with what is known of it; arrows leaf through the list it stands in.

const TINY_PX = 100;              // pictures so small are enlarged more, with their pixels seen
let leafed = [], at = 0;
let onShowOnMap = () => {};

function openViewer(row, list) {
  leafed = list;
  at = list.indexOf(row);
  drawViewer();
  if (!byId('viewer').open) byId('viewer').showModal();
}

function drawViewer() {
  const row = leafed[at], sheet = sheets[sheetOf[row]], [folder, file] = parts(content.ids[row]);
  const picture = byId('viewer-picture');
  picture.src = thumbnail(row) || 'data:,';
  picture.alt = content.ids[row];
  picture.onload = () => {
    const side = Math.max(picture.naturalWidth, picture.naturalHeight), tiny = side < TINY_PX;
    picture.classList.toggle('grain', tiny);
    picture.style.maxWidth = picture.style.maxHeight = `${side * (tiny ? 8 : 2)}px`;
  };
  byId('viewer-file').replaceChildren(make('span', {className: 'folder'}, folder), file);
  const unusual = row >= sheet.end - sheet.unusual;
  const facts = [
    ['Cluster', make('span', {}, dot(sheetColour(sheet)), sheetName(sheet))],
    ['Label', labelOf(row)],
    ['Distance', content.distances[row] === null || sheet.cluster === NOISE ? ''
      : `${content.distances[row].toFixed(3)}${unusual ? ', far from the rest' : ''}`],
    ['Place', `${counted(at + 1)} of ${counted(leafed.length)}`]];
  byId('viewer-facts').replaceChildren(...facts.filter(([, value]) => value).map(([name, value]) =>
    make('div', {}, make('dt', {}, name), make('dd', {}, value))));
  byId('earlier').disabled = at === 0;
  byId('later').disabled = at === leafed.length - 1;
}

function leaf(step) {
  at = Math.min(leafed.length - 1, Math.max(0, at + step));
  drawViewer();
}

function startViewer() {
  const viewer = byId('viewer');
  byId('earlier').onclick = () => leaf(-1);
  byId('later').onclick = () => leaf(1);
  byId('viewer-close').onclick = () => viewer.close();
  byId('viewer-map').onclick = () => {
    viewer.close();
    onShowOnMap(leafed[at]);
  };
  viewer.onclick = event => { if (event.target === viewer) viewer.close(); };
  viewer.onkeydown = event => {
    if (event.key === 'ArrowLeft') leaf(-1);
    if (event.key === 'ArrowRight') leaf(1);
  };
  viewer.onclose = () => {         // the focus goes to the picture that was left
    document.querySelector(`.tile[data-row="${leafed[at]}"]`)?.focus();
  };
}
