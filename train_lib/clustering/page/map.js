'use strict';
// The map: a dot for each picture, pictures themselves where there is room; pan, zoom, point.

const MAP = {dot: 3.2, picture: 46, gap: 3, reach: 16, most: 60, fill: 0.92, titles: 120};
const canvas = make('canvas', {tabIndex: 0, role: 'img', ariaLabel: 'Map of the pictures. Arrow ' +
  'keys move it, plus and minus zoom, 0 shows all, Enter opens the picture that is pointed at.'});
const pen = canvas.getContext('2d');
const card = make('div', {className: 'card', hidden: true, ariaHidden: 'true'});
const frame = make('div', {className: 'frame'}, canvas, card);
const sight = {scale: 0, x: 0, y: 0};      // px of a unit, and px of the map's origin
const pointers = new Map();
let mapKept = null, chosen = null, pointed = -1, frameAsked = false, dragged = 0;
let byLabel = false, showPictures = true;
let onMapColours = () => {};

const mapByLabel = () => byLabel;
const highlighted = () => chosen;
const groupOf = row => byLabel ? content.labels[row] : sheetOf[row];
const across = Float32Array.from(content.places, ([x]) => x ?? NaN);
const along = Float32Array.from(content.places, ([, y]) => y ?? NaN);
const placed = row => across[row] === across[row];    // what has no place is not on the map
const leftOf = row => across[row] * sight.scale + sight.x;
const topOf = row => along[row] * sight.scale + sight.y;
const lit = row => (!mapKept || mapKept[row]) && (chosen === null || groupOf(row) === chosen);

function groupColour(group) {
  return byLabel ? colour(group) : sheetColour(sheets[group]);
}

function labelGroups() {
  const sizes = new Map();
  for (const label of content.labels) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  return [...sizes].sort((a, b) => (a[0] < 0) - (b[0] < 0) || b[1] - a[1]).map(([label, size]) => ({
    tint: colour(label), text: label < 0 ? 'unknown' : content.label_names[label], size,
    order: label}));
}

function highlight(group) {
  chosen = chosen === group ? null : group;
  askFrame();
}

function showOnMap(row) {
  chosen = null;
  sight.scale = Math.max(sight.scale, 4 * Math.min(canvas.clientWidth, canvas.clientHeight));
  sight.x = canvas.clientWidth / 2 - across[row] * sight.scale;
  sight.y = canvas.clientHeight / 2 - along[row] * sight.scale;
  point(row);
  canvas.focus();
}

function drawMap(kept) {
  mapKept = kept;
  fitCanvas();
}

function fitCanvas() {
  const {clientWidth: width, clientHeight: height} = canvas, ratio = devicePixelRatio;
  if (!width) return;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  if (!sight.scale) showAll();
  askFrame();
}

function showAll() {
  const {clientWidth: width, clientHeight: height} = canvas;
  const rows = content.ids.map((_, row) => row).filter(placed);
  const bounds = values => {
    const known = rows.map(row => values[row]);
    return [known.reduce((a, b) => Math.min(a, b), 1), known.reduce((a, b) => Math.max(a, b), 0)];
  };
  const [left, right] = bounds(across), [top, bottom] = bounds(along), least = 0.05;
  sight.scale = MAP.fill * Math.min(width / Math.max(right - left, least),
    height / Math.max(bottom - top, least), 2 * Math.min(width, height));
  sight.x = (width - (left + right) * sight.scale) / 2;
  sight.y = (height - (top + bottom) * sight.scale) / 2;
  askFrame();
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const side = Math.min(canvas.clientWidth, canvas.clientHeight);
  const scale = Math.min(MAP.most * side, Math.max(0.5 * side, sight.scale * factor));
  sight.x = x - (x - sight.x) * scale / sight.scale;
  sight.y = y - (y - sight.y) * scale / sight.scale;
  sight.scale = scale;
  askFrame();
}

function askFrame() {
  if (frameAsked) return;
  frameAsked = true;
  requestAnimationFrame(() => { frameAsked = false; paint(); });
}

/** The lit picture nearest to a place of the screen, within reach; -1 none. */
function nearest(x, y, reach) {
  let best = -1, least = reach ** 2;
  for (let row = 0; row < content.ids.length; row++) {
    if (!lit(row) || !placed(row)) continue;
    const away = (leftOf(row) - x) ** 2 + (topOf(row) - y) ** 2;
    if (away < least) [best, least] = [row, away];
  }
  return best;
}

function point(row) {
  pointed = row;
  card.hidden = row < 0;
  canvas.style.cursor = row < 0 ? 'grab' : 'pointer';
  askFrame();
  if (row < 0) return;
  const [, file] = parts(content.ids[row]), label = labelOf(row);
  const source = thumbnail(row);
  card.replaceChildren(...source ? [make('img', {src: source, alt: ''})] : [],
    make('strong', {}, file),
    make('span', {}, dot(sheetColour(sheets[sheetOf[row]])), sheetName(sheets[sheetOf[row]])),
    ...label ? [make('span', {}, label)] : []);
  const right = leftOf(row) > canvas.clientWidth / 2, low = topOf(row) > canvas.clientHeight / 2;
  card.classList.toggle('at-left', right);
  card.classList.toggle('at-top', low);
}

function leafable(row) {
  const sheet = sheets[sheetOf[row]];
  openViewer(row, rowsOf(sheet, mapKept));
}

function startMap() {
  const colours = make('select', {ariaLabel: 'Colour by'},
    make('option', {value: ''}, 'Colour: cluster'),
    make('option', {value: 'label'}, 'Colour: label'));
  colours.hidden = !content.labels.length;
  colours.onchange = () => {
    byLabel = colours.value === 'label';
    chosen = null;
    onMapColours();
    askFrame();
  };
  const shown = make('input', {type: 'checkbox', checked: true});
  shown.onchange = () => { showPictures = shown.checked; askFrame(); };
  const button = (text, name, act) => Object.assign(make('button', {className: 'round',
    ariaLabel: name, title: name}, text), {onclick: act});
  byId('view-map').append(make('div', {className: 'tools'}, colours,
    make('label', {}, shown, 'Pictures')), frame,
  make('p', {className: 'note'}, 'Alike pictures lie near each other. How far apart distant ' +
    'groups lie says little.'));
  frame.append(make('div', {className: 'zoom'}, button('+', 'Zoom in', () => zoom(1.6)),
    button('\u2212', 'Zoom out', () => zoom(1 / 1.6)), button('\u25a2', 'Show all', showAll)));
  new ResizeObserver(fitCanvas).observe(canvas);
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.002), event.offsetX, event.offsetY);
  }, {passive: false});
  canvas.onpointerdown = event => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    dragged = 0;
  };
  canvas.onpointermove = movePointer;
  canvas.onpointerup = event => {
    if (!pointers.delete(event.pointerId) || dragged > 6) return;
    const row = nearest(event.offsetX, event.offsetY, 1.5 * MAP.reach);
    point(row);
    if (row >= 0) leafable(row);
  };
  canvas.onpointercancel = event => pointers.delete(event.pointerId);
  canvas.onpointerleave = () => { if (!pointers.size) point(-1); };
  canvas.onkeydown = moveByKey;
}

function movePointer(event) {
  const here = [event.offsetX, event.offsetY], before = pointers.get(event.pointerId);
  if (!before) {
    if (event.pointerType === 'mouse') point(nearest(...here, MAP.reach));
    return;
  }
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  dragged += Math.hypot(here[0] - before[0], here[1] - before[1]);
  if (other) {                     // two fingers: what lay under them stays under them
    const spread = point => Math.hypot(point[0] - other[0], point[1] - other[1]);
    zoom(spread(here) / Math.max(1, spread(before)), ...other);
  } else {
    sight.x += here[0] - before[0];
    sight.y += here[1] - before[1];
    if (dragged > 6) point(-1);
  }
  pointers.set(event.pointerId, here);
  askFrame();
}

function moveByKey(event) {
  const step = 60;
  const moves = {ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step],
    ArrowDown: [0, -step]};
  if (event.key === 'Enter' && pointed >= 0) return leafable(pointed);
  if (moves[event.key]) {
    sight.x += moves[event.key][0];
    sight.y += moves[event.key][1];
  } else if (event.key === '+' || event.key === '=') zoom(1.4);
  else if (event.key === '-') zoom(1 / 1.4);
  else if (event.key === '0') showAll();
  else return;
  event.preventDefault();
  point(nearest(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity));
}
