'use strict';
// The head of the page, its views, the search and the index; everything starts here.

const VIEWS = {clusters: drawSheets, map: drawMap, copies: drawCopies};
const MEGABYTE = 1e6;
let view = 'clusters';

function drawHead() {
  byId('title').textContent = content.title;
  const facts = [['pictures', counted(content.total)],
    ['clusters', counted(sheets.filter(({cluster}) => cluster !== NOISE).length)],
    ...content.facts];
  byId('facts').append(...facts.map(([name, value]) =>
    make('div', {}, make('dt', {}, name), make('dd', {}, value))));
  const shown = content.ids.length;
  if (shown < content.total) {
    byId('share').hidden = false;
    byId('share').textContent = `${counted(shown)} of ${pictures(content.total)} are shown: ` +
      'an even share of each cluster, from its centre outwards.';
  }
  byId('tab-copies').append(make('small', {}, counted(content.copies_in_all)));
  byId('footer').textContent = `Everything is in this one file (${counted(shown)} pictures of at ` +
    `most ${content.side_px} px, ${(content.bytes / MEGABYTE).toFixed(1)} MB) and works offline. ` +
    'Within a cluster the pictures nearest to its centre come first.';
}

function drawNamed() {
  const clusters = sheets.filter(({cluster}) => cluster !== NOISE);
  const named = clusters.filter(({name}) => name.trim()).length;
  byId('named').textContent = `${counted(named)} of ${counted(clusters.length)} named`;
}

/** The list at the side: the clusters, or on the map the labels, with the size of each as a bar. */
function drawIndex() {
  const groups = view === 'map' && mapByLabel() ? labelGroups() : sheets.map(sheet => ({
    tint: sheetColour(sheet), text: sheetName(sheet), size: sheet.size, order: sheet.order,
    cluster: sheet.cluster}));
  const most = Math.max(...groups.map(({size}) => size));
  byId('index').replaceChildren(...groups.map(group => {
    const entry = make('button', {title: group.text}, dot(group.tint),
      make('span', {className: 'text'}, group.text),
      make('span', {className: 'size'}, counted(group.size)),
      make('span', {className: 'share', style: {
        width: `${100 * group.size / most}%`, '--tint': group.tint}}));
    if (view === 'map') entry.ariaPressed = String(highlighted() === group.order);
    entry.onclick = () => {
      if (view === 'map') {
        highlight(group.order);
        for (const other of byId('index').children) {
          other.ariaPressed = String(other === entry && highlighted() !== null);
        }
      } else if (view === 'copies') {
        go('clusters');
        byId(`cluster-${group.cluster}`).scrollIntoView();
      } else byId(`cluster-${group.cluster}`).scrollIntoView();
    };
    return entry;
  }));
}

function draw() {
  const kept = matching(byId('search').value);
  for (const name of Object.keys(VIEWS)) {
    byId(`view-${name}`).hidden = name !== view;
    byId(`tab-${name}`).ariaSelected = String(name === view);
    byId(`tab-${name}`).tabIndex = name === view ? 0 : -1;
  }
  document.body.dataset.view = view;
  const number = kept ? kept.reduce((sum, one) => sum + one, 0) : 0;
  byId('found').textContent = kept ? number ? `${pictures(number)} found` : 'Nothing found' : '';
  VIEWS[view](kept);
}

function go(name) {
  view = name;
  draw();
  drawIndex();
  history.replaceState(null, '', `#${name}`);
}

function start() {
  recallNames();
  drawHead();
  drawNamed();
  startViewer();
  startMap();
  onRename = () => { drawNamed(); drawIndex(); };
  onShowOnMap = row => { go('map'); showOnMap(row); };
  onMapColours = drawIndex;
  const names = Object.keys(VIEWS);
  for (const name of names) {
    byId(`tab-${name}`).onclick = () => {
      go(name);
      scrollTo({top: name === 'map' ? document.querySelector('.masthead').offsetHeight : 0});
    };
    byId(`tab-${name}`).onkeydown = event => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      go(names[(names.indexOf(view) + step + names.length) % names.length]);
      byId(`tab-${view}`).focus();
    };
  }
  let waiting = 0;
  byId('search').oninput = () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 120);
  };
  byId('save').onclick = () => saveFile('names.csv', namesCsv());
  dark.onchange = () => { draw(); drawIndex(); };
  let before = columns();
  new ResizeObserver(() => {
    if (columns() === before) return;
    before = columns();
    draw();
  }).observe(byId('main'));
  const asked = location.hash.slice(1);
  go(names.includes(asked) ? asked : 'clusters');
}

start();
