// The picture that is looked at, as large as there is room, and what is drawn over it.

import {make} from './parts.js';

const TINY_PX = 128;              // pictures so small are enlarged, with their pixels seen
const MOST_ENLARGED = 8;

const UNSHOWN = 'This browser cannot show files of this kind; the net has read it all the same.';

/** A picture in a frame of its own shape. Args: source; alt; layers: elements over it; size_px:
 *  [width, height] where it is known; unshown: what stands there if the browser cannot show it. */
export function frame(source, alt, layers = [], size_px = null, unshown = UNSHOWN) {
  const image = make('img', {src: source, alt, decoding: 'async'});
  const box = make('div', {className: 'frame'}, image, ...layers);
  const shape = (width, height) => {
    box.style.setProperty('--ratio', width / height);
    const tiny = Math.max(width, height) <= TINY_PX;
    box.style.setProperty('--most', `${(tiny ? MOST_ENLARGED : 3) * width}px`);
    image.classList.toggle('grain', tiny);
  };
  if (size_px) shape(...size_px);
  image.onload = () => { if (!size_px) shape(image.naturalWidth, image.naturalHeight); };
  image.onerror = () => {
    box.classList.add('blank');
    image.replaceWith(make('p', {className: 'note'}, unshown));
  };
  return box;
}

/** A frame with a line of text under it. */
export function figure(box, text, note = '') {
  return make('figure', {}, box, make('figcaption', {}, make('span', {className: 'file'}, text),
    ...(note ? [make('span', {className: 'note'}, note)] : [])));
}
