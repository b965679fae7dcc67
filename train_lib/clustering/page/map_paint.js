'use strict';
// How the map is painted: dots, pictures that do not overlap, names; what it shows is in map.js.

const images = new Map();                // row -> its picture, once it was wanted
const middlesOf = {};

function paint() {
  const {clientWidth: width, clientHeight: height} = canvas, ratio = devicePixelRatio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const groups = new Map();
  for (let row = 0; row < content.ids.length; row++) {
    const x = leftOf(row), y = topOf(row), margin = MAP.picture;
    if (!placed(row) || x < -margin || y < -margin || x > width + margin || y > height + margin) {
      continue;
    }
    const group = lit(row) ? groupOf(row) : 'pale';
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(row);
  }
  paintDots(groups);
  if (showPictures) for (const row of apart(MAP.picture + MAP.gap)) paintPicture(row, MAP.picture);
  if (!byLabel) paintTitles();
  if (pointed >= 0) paintPicture(pointed, 1.3 * MAP.picture);
}

/** Lit rows, the first of each cluster before others, whose squares of a side do not overlap. */
function apart(side) {
  const cells = new Map(), chosenRows = [], {clientWidth: width, clientHeight: height} = canvas;
  for (let row = 0; row < content.ids.length; row++) {
    if (!lit(row) || !placed(row)) continue;
    const x = across[row] * sight.scale / side, column = Math.floor(x);
    const y = along[row] * sight.scale / side, line = Math.floor(y);
    const free = [-1, 0, 1].every(right => [-1, 0, 1].every(down => {
      const other = cells.get((column + right) * 1e6 + line + down);
      return !other || Math.abs(other[0] - x) >= 1 || Math.abs(other[1] - y) >= 1;
    }));
    if (!free) continue;
    cells.set(column * 1e6 + line, [x, y]);
    const left = leftOf(row), top = topOf(row);
    if (left > -side && top > -side && left < width + side && top < height + side) {
      chosenRows.push(row);
    }
  }
  return chosenRows;
}

function paintDots(groups) {
  const zoomed = sight.scale / Math.min(canvas.clientWidth, canvas.clientHeight);
  const radius = Math.min(7, MAP.dot * Math.sqrt(Math.max(1, zoomed))
    * (content.ids.length > 3000 ? 0.7 : 1));
  const drawn = [...groups].sort(([a], [b]) => (b === 'pale') - (a === 'pale'));
  for (const [group, rows] of drawn) {
    pen.globalAlpha = group === 'pale' ? 0.18 : 0.8;
    pen.strokeStyle = group === 'pale' ? colour(-1) : groupColour(group);
    pen.lineWidth = 2 * radius;
    pen.lineCap = 'round';
    pen.beginPath();
    for (const row of rows) {
      const x = leftOf(row), y = topOf(row);
      pen.moveTo(x, y);            // a line of no length with round ends: faster than an arc
      pen.lineTo(x, y);
    }
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function paintPicture(row, side) {
  if (!images.has(row)) {
    const image = new Image();
    image.onload = askFrame;
    image.src = thumbnail(row);
    images.set(row, image);
  }
  const image = images.get(row), x = leftOf(row) - side / 2, y = topOf(row) - side / 2;
  if (!image.complete || !image.naturalWidth) return;
  const cut = Math.min(image.naturalWidth, image.naturalHeight);
  pen.save();
  pen.beginPath();
  pen.roundRect(x, y, side, side, 5);
  pen.fillStyle = groupColour(groupOf(row));
  pen.fill();
  pen.beginPath();
  pen.roundRect(x + 2, y + 2, side - 4, side - 4, 3);
  pen.clip();
  pen.drawImage(image, (image.naturalWidth - cut) / 2, (image.naturalHeight - cut) / 2, cut, cut,
    x + 2, y + 2, side - 4, side - 4);
  pen.restore();
}

/** Medians of the clusters' kept pictures on the map; remembered until others are kept. */
function middles(kept) {
  if (middlesOf.kept !== kept) {
    middlesOf.kept = kept;
    middlesOf.found = sheets.map(sheet => {
      const rows = rowsOf(sheet, kept).filter(placed), half = rows.length >> 1;
      const median = values => rows.map(row => values[row]).sort((a, b) => a - b)[half];
      return rows.length ? [median(across), median(along)] : null;
    });
  }
  return middlesOf.found;
}

/** Names stand at the medians of their clusters. */
function paintTitles() {
  if (sheets.length > MAP.titles) return;
  const style = getComputedStyle(document.body);
  pen.font = `600 13px ${style.fontFamily}`;
  pen.textAlign = 'center';
  pen.lineJoin = 'round';
  const taken = [];
  for (const sheet of sheets) {
    if (sheet.cluster === NOISE || chosen !== null && chosen !== sheet.order) continue;
    const middle = middles(mapKept)[sheet.order];
    if (!middle) continue;
    const x = middle[0] * sight.scale + sight.x, half = pen.measureText(sheetName(sheet)).width / 2;
    const y = [0, 18, -18, 36, -36].map(shift => middle[1] * sight.scale + sight.y + shift)
      .find(y => taken.every(other => Math.abs(other.y - y) >= 18
        || Math.abs(other.x - x) >= other.half + half + 6));
    if (y === undefined) continue;
    taken.push({x, y, half});
    pen.lineWidth = 5;
    pen.strokeStyle = style.getPropertyValue('--paper');
    pen.strokeText(sheetName(sheet), x, y);
    pen.fillStyle = style.getPropertyValue('--ink');
    pen.fillText(sheetName(sheet), x, y);
  }
}
