'use strict';
// What the page holds: clusters, pictures, thumbnails, colours, and the names that a person types.

const content = JSON.parse(document.getElementById('content').textContent);
const blocks = document.getElementsByClassName('block');
const NOISE = -1;
const dark = matchMedia('(prefers-color-scheme: dark)');

// Sheets know where their pictures begin and end among all that are shown.
const sheets = content.sheets.map((sheet, order) => ({...sheet, order}));
const sheetOf = new Int32Array(content.ids.length);
let first = 0;
for (const sheet of sheets) {
  sheet.first = first;
  sheet.end = first += sheet.shown;
  sheetOf.fill(sheet.order, sheet.first, sheet.end);
}

const opened = new Map();         // block -> its thumbnails

/** The address of a picture's thumbnail; '' where the picture could not be read. */
function thumbnail(row) {
  const block = Math.floor(row / content.block);
  if (!opened.has(block)) opened.set(block, blocks[block].textContent.split('\n'));
  const code = opened.get(block)[row % content.block];
  return code && 'data:image/webp;base64,' + code;
}

/** A colour for the n-th group: neighbours in the order are far apart in hue. */
function colour(order) {
  if (order < 0) return dark.matches ? '#77776f' : '#a3a39b';
  const lightness = (dark.matches ? [0.74, 0.66, 0.82] : [0.62, 0.52, 0.71])[order % 3];
  return `oklch(${lightness} 0.14 ${(25 + order * 137.508) % 360})`;
}

function sheetColour(sheet) {
  return colour(sheet.cluster === NOISE ? -1 : sheet.order);
}

function sheetTitle(sheet) {
  return sheet.cluster === NOISE ? 'In no cluster' : `Cluster ${sheet.cluster}`;
}

/** What a person called it, else its number. */
function sheetName(sheet) {
  return sheet.name.trim() || sheetTitle(sheet);
}

function labelOf(row) {
  const number = content.labels.length ? content.labels[row] : -1;
  return number < 0 ? '' : content.label_names[number];
}

/** 'folder/' and 'file' of a path. */
function parts(path) {
  const cut = path.lastIndexOf('/') + 1;
  return [path.slice(0, cut), path.slice(cut)];
}

const counted = number => number.toLocaleString('en');
const pictures = number => `${counted(number)} ${number === 1 ? 'picture' : 'pictures'}`;

// Names outlive a reload: the browser keeps those of these very clusters.
const STORE = `oko-names-${content.key}`;

function keepNames() {
  const names = Object.fromEntries(sheets.map(sheet => [sheet.cluster, sheet.name]));
  try { localStorage.setItem(STORE, JSON.stringify(names)); } catch { /* private windows */ }
}

function recallNames() {
  try {
    const names = JSON.parse(localStorage.getItem(STORE)) ?? {};
    for (const sheet of sheets) if (typeof names[sheet.cluster] === 'string') {
      sheet.name = names[sheet.cluster];
    }
  } catch { /* nothing that can be read */ }
}

/** names.csv: a line for each cluster by number, fields quoted where they must be. */
function namesCsv() {
  const quoted = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const lines = sheets.filter(sheet => sheet.cluster !== NOISE)
    .sort((a, b) => a.cluster - b.cluster)
    .map(sheet => `${sheet.cluster},${sheet.size},${quoted(sheet.name.trim())}`);
  return ['cluster,pictures,name', ...lines, ''].join('\n');
}

/** Which pictures a search keeps: every word must stand in file, label or the cluster's name. */
function matching(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  const names = sheets.map(sheet => `${sheetTitle(sheet)} ${sheet.name}`);
  return Uint8Array.from(content.ids, (id, row) => {
    const text = `${id}\n${labelOf(row)}\n${names[sheetOf[row]]}`.toLowerCase();
    return words.every(word => text.includes(word)) ? 1 : 0;
  });
}
