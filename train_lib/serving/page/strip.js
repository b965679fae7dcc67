// The row of small pictures: which one is looked at, and what became of each.

import {byId, make} from './parts.js';
import {current, leaf, look, pictures, remove, removeAll} from './pictures.js';

const STATES = {waiting: 'waits', working: 'is being looked at', done: '', failed: 'failed'};

export function drawStrip() {
  const strip = byId('strip'), focused = strip.contains(document.activeElement);
  const before = new Map([...strip.children].map(tab => [tab.id, tab]));
  strip.replaceChildren(...pictures.map(picture => before.get(picture.id) || makeTab(picture)));
  for (const picture of pictures) markTab(picture);
  const tab = current && byId(current.id);
  if (!tab) return;
  if (focused) tab.focus();
  tab.scrollIntoView({block: 'nearest', inline: 'nearest'});
}

/** Shows the state of a picture. */
export function markTab(picture) {
  const tab = byId(picture.id);
  if (!tab) return;
  tab.dataset.state = picture.state;
  tab.ariaSelected = String(picture === current);
  tab.tabIndex = picture === current ? 0 : -1;
  tab.ariaLabel = `${picture.name}${STATES[picture.state] && `, ${STATES[picture.state]}`}`;
}

/** Another small picture, where the browser cannot show the file itself. */
export function showInTab(picture, source) {
  const image = byId(picture.id)?.querySelector('img');
  if (image && image.src !== source) image.src = source;
}

function makeTab(picture) {
  const image = make('img', {src: picture.url, alt: '', decoding: 'async', draggable: false});
  const tab = make('button', {id: picture.id, role: 'tab', title: picture.name,
    'aria-controls': 'panel'}, image);
  image.onerror = () => tab.classList.add('blank');
  image.onload = () => {
    tab.classList.remove('blank');
    tab.classList.toggle('grain', image.naturalWidth < 100 && image.naturalHeight < 100);
  };
  tab.onclick = () => look(picture);
  return tab;
}

/** Removing what is looked at, or everything. */
export function removers() {
  const one = make('button', {className: 'link'}, 'Remove');
  one.onclick = () => remove(current);
  if (pictures.length < 2) return make('p', {className: 'removers'}, one);
  const all = make('button', {className: 'link'}, `Remove all ${pictures.length}`);
  all.onclick = removeAll;
  return make('p', {className: 'removers'}, one, all);
}

export function startStrip() {
  document.addEventListener('keydown', event => {
    const inField = event.target.closest('input, textarea, select, a, [contenteditable]');
    if (!current || inField || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (step) leaf(step);
    else if (event.key === 'Home' && onStrip(event)) look(pictures[0]);
    else if (event.key === 'End' && onStrip(event)) look(pictures.at(-1));
    else if (event.key === 'Delete') remove(current);
    else return;
    event.preventDefault();
  });
}

const onStrip = event => byId('strip').contains(event.target);
