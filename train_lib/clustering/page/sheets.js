'use strict';
// The sheets of the clusters, and of near-copies.

const BRIEF_ROWS = {typical: 2, unusual: 1};   // of pictures, in a sheet that is not opened
const sheetElements = [];
let onRename = () => {};

/** How many pictures stand side by side, as the style sheet's grid lays them. */
function columns() {
  const style = getComputedStyle(document.documentElement), gap = 6;
  const side = parseFloat(style.getPropertyValue('--tile-rem')) * parseFloat(style.fontSize);
  return Math.max(1, Math.floor((byId('main').clientWidth + gap) / (side + gap)));
}

function drawSheets(kept) {
  const view = byId('view-clusters');
  if (!sheetElements.length) {
    for (const sheet of sheets) sheetElements.push(makeSheet(sheet));
    view.append(...sheetElements.map(({section}) => section));
  }
  for (const element of sheetElements) element.show(kept);
}

function makeSheet(sheet) {
  const body = make('div');
  const more = make('button', {className: 'more'});
  const count = make('span', {className: 'count'});
  const section = make('article', {
    className: 'sheet', id: `cluster-${sheet.cluster}`, ariaLabel: sheetTitle(sheet)},
    make('header', {}, makeHeading(sheet), make('p', {className: 'about'}, count, told(sheet))),
    body, more);
  let kept = null, open = false;
  function draw() {
    const rows = rowsOf(sheet, kept);
    const parted = sheet.end - sheet.unusual;
    const typical = rows.filter(row => row < parted), unusual = rows.filter(row => row >= parted);
    const all = open || kept;
    const some = all ? typical : typical.slice(0, BRIEF_ROWS.typical * columns());
    const rest = all ? unusual : unusual.slice(-BRIEF_ROWS.unusual * columns());
    body.replaceChildren(makeGrid(some, rows));
    if (rest.length) body.append(make('h3', {}, 'Far from the rest'), makeGrid(rest, rows));
    const hidden = rows.length - some.length - rest.length;
    more.hidden = !hidden && !open || Boolean(kept);
    more.textContent = open ? 'Show fewer' : `Show all ${counted(rows.length)}`;
    more.ariaExpanded = String(open);
    count.textContent = kept ? `${counted(rows.length)} of ${pictures(sheet.size)}`
      : sheet.shown < sheet.size ? `${pictures(sheet.size)}, ${counted(sheet.shown)} shown`
      : pictures(sheet.size);
    section.hidden = Boolean(kept) && !rows.length;
  }
  more.onclick = () => {
    open = !open;
    draw();
    if (!open) section.scrollIntoView({block: 'start'});
  };
  return {section, show(now) { kept = now; draw(); }};
}

/** A sheet's pictures, nearest first. Args: kept: 0 or 1 of each picture; null keeps all. */
function rowsOf(sheet, kept) {
  const rows = Array.from({length: sheet.shown}, (_, place) => sheet.first + place);
  return kept ? rows.filter(row => kept[row]) : rows;
}

function makeHeading(sheet) {
  if (sheet.cluster === NOISE) {
    return make('h2', {className: 'name'}, dot(sheetColour(sheet)), sheetTitle(sheet));
  }
  const field = make('input', {
    className: 'field', value: sheet.name, placeholder: 'Give it a name', autocomplete: 'off',
    ariaLabel: `Name of cluster ${sheet.cluster}`, maxLength: 200});
  field.oninput = () => {
    sheet.name = field.value;
    keepNames();
    onRename(sheet);
  };
  field.onkeydown = event => {     // Enter goes on to the next cluster, as in a table
    if (event.key !== 'Enter') return;
    const fields = [...document.querySelectorAll('.sheet:not([hidden]) .field')];
    fields[fields.indexOf(field) + 1]?.focus();
  };
  return make('h2', {className: 'name'}, dot(sheetColour(sheet)),
    make('span', {className: 'number'}, sheetTitle(sheet)), field);
}

/** What is known of its pictures: '61 % dress, 22 % skirt'. */
function told(sheet) {
  const shares = sheet.labels.map(([label, number]) =>
    `${Math.round(100 * number / sheet.size)} % ${label}`);
  return make('span', {className: 'labels'}, shares.join(', '));
}

function drawCopies(kept) {
  const view = byId('view-copies');
  const groups = content.copies.filter(group => !kept || group.some(row => kept[row]));
  const hidden = content.copies_in_all - content.copies.length;
  const rest = hidden
    ? ` ${counted(hidden)} more are among pictures that this page does not show.` : '';
  const lead = content.copies_in_all
    ? `${counted(groups.length)} ${groups.length === 1 ? 'group' : 'groups'} of pictures that ` +
      `have nearly the same features.${rest} No file was changed.`
    : 'No two of these pictures have nearly the same features.';
  const figure = (row, group) => {
    const [folder, file] = parts(content.ids[row]);
    return make('figure', {}, makeTile(row, group), make('figcaption', {},
      make('span', {className: 'folder'}, folder), file));
  };
  view.replaceChildren(make('p', {className: 'lead'}, lead), make('div', {className: 'groups'},
    ...groups.map(group => make('div', {className: 'group'},
      ...group.map(row => figure(row, group))))));
}
