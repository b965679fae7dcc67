'use strict';
// Pieces that views share: elements, pictures that load when they are scrolled to.

/** An element. Args: tag; properties; children, whose strings become text and never HTML. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'style') for (const [key, one] of Object.entries(value)) {
      element.style.setProperty(key, one);
    } else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const byId = id => document.getElementById(id);

const scrolled = new IntersectionObserver(entries => {
  for (const {isIntersecting, target} of entries) {
    if (!isIntersecting) continue;
    scrolled.unobserve(target);
    fill(target);
  }
}, {rootMargin: '400px'});

function fill(tile) {
  const source = thumbnail(Number(tile.dataset.row));
  if (!source) {
    tile.classList.add('broken');
    tile.append('cannot be read');
    return;
  }
  const image = make('img', {alt: '', decoding: 'async', src: source});
  image.onload = () => {
    const enlarged = tile.clientWidth / Math.max(image.naturalWidth, image.naturalHeight);
    image.classList.toggle('grain', enlarged > 2);
  };
  tile.append(image);
}

/** A picture to press. Args: row; list: rows that the viewer leafs through; mark: a class. */
function makeTile(row, list, mark = '') {
  const label = labelOf(row);
  const tile = make('button', {
    className: `tile ${mark}`, title: content.ids[row],
    ariaLabel: label ? `${content.ids[row]}, ${label}` : content.ids[row]});
  tile.dataset.row = row;
  tile.onclick = () => openViewer(row, list);
  scrolled.observe(tile);
  return tile;
}

function makeGrid(rows, list = rows, mark = '') {
  return make('div', {className: 'grid'}, ...rows.map(row => makeTile(row, list, mark)));
}

function dot(tint) {
  return make('span', {className: 'dot', style: {'--tint': tint}, ariaHidden: 'true'});
}

/** Saves text as a file of the person's, without a network. */
function saveFile(name, text) {
  const address = URL.createObjectURL(new Blob([text], {type: 'text/csv'}));
  const link = make('a', {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
