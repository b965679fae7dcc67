// The pictures that were given, each with its state and its answer; one is asked about at a time.

import {tell} from './parts.js';

const MEGABYTE = 2 ** 20;
const MOST = 200;                 // of the strip; more are asked about by a program

export const pictures = [];
export let current = null;
let asking = false, onChange = () => {}, askAbout = null, limits = null, made = 0;

/** Args: ask: picture -> its answer, a promise; of: the limits of /api/model; changed: is called
 *  with a picture whose state has changed, or with null where another one is looked at. */
export function startPictures(ask, of, changed) {
  [askAbout, limits, onChange] = [ask, of, changed];
}

/** Takes files; the first of them is looked at. */
export function addFiles(files) {
  const room = MOST - pictures.length;
  const added = [...files].slice(0, room).map(file => {
    const tooLarge = file.size > limits.max_upload_mb * MEGABYTE;
    return keep({kind: 'file', file, name: file.name || 'picture', url: URL.createObjectURL(file),
      state: tooLarge ? 'failed' : 'waiting',
      error: tooLarge ? `The file is larger than ${limits.max_upload_mb} MB, the most that is `
        + 'taken at once.' : ''});
  });
  if (added.length) look(added[0]);
  work();
  return files.length > room ? `Only ${MOST} pictures are kept on the page; the rest was left out.`
    : '';
}

/** Takes a picture of the collection, or goes back to it. Args: row: its number; name; url. */
export function addRow(row, name, url) {
  const there = pictures.find(picture => picture.row === row);
  if (there) return look(there);
  const place = current ? pictures.indexOf(current) + 1 : pictures.length;
  const added = keep({kind: 'row', row, name, url, state: 'waiting', error: ''}, place);
  look(added);
  work();
}

function keep(picture, place = pictures.length) {
  const whole = {...picture, id: `picture-${made++}`, answer: null, memory: {}};
  pictures.splice(place, 0, whole);
  return whole;
}

export function look(picture) {
  current = picture;
  onChange(null);
}

/** Args: step: 1 the next one, -1 the one before. */
export function leaf(step) {
  const place = pictures.indexOf(current) + step;
  if (place >= 0 && place < pictures.length) look(pictures[place]);
}

export function remove(picture) {
  const place = pictures.indexOf(picture);
  pictures.splice(place, 1);
  release(picture);
  if (picture === current) current = pictures[Math.min(place, pictures.length - 1)] || null;
  onChange(null);
}

export function removeAll() {
  pictures.splice(0).forEach(release);
  current = null;
  onChange(null);
}

function release(picture) {
  if (picture.kind === 'file') URL.revokeObjectURL(picture.url);
}

/** Asks about a picture again, after a failure. */
export function retry(picture) {
  picture.state = 'waiting';
  onChange(picture);
  work();
}

async function work() {
  if (asking) return;
  asking = true;
  for (let next = choose(); next; next = choose()) {
    next.state = 'working';
    onChange(next);
    try {
      next.answer = await askAbout(next);
      next.state = 'done';
    } catch (error) {
      [next.state, next.error] = ['failed', error.message];
    }
    tell(`${next.name}: ${next.state === 'done' ? 'answered' : next.error}`);
    onChange(next);
  }
  asking = false;
}

/** The picture that is looked at first, then the others in order. */
function choose() {
  if (current?.state === 'waiting') return current;
  return pictures.find(({state}) => state === 'waiting');
}
