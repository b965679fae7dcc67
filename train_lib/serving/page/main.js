// Everything starts here: what is served, the view for it, and the picture that is looked at.

import {ask, byId, make, sentence} from './parts.js';
import {current, pictures, retry, startPictures} from './pictures.js';
import {drawStrip, markTab, removers, startStrip} from './strip.js';
import {figure, frame} from './stage.js';
import {startTaking} from './take.js';

const VIEWS = {tagging: './tags.js', classification: './classes.js', pose: './poses.js',
  autoencoding: './scans.js', clusters: './alike.js'};
let view = null, touch = false;
let shown = null;                 // the picture and its state that are on the desk

async function start() {
  byId('again').onclick = () => location.reload();
  let model;
  try {
    model = await ask('/api/model');
    view = (await import(VIEWS[model.task])).makeView(model);
  } catch (error) {
    byId('broken').hidden = false;
    byId('broken-why').textContent = error.message;
    byId('about').textContent = '';
    return;
  }
  document.title = `${view.title}: ${model.title}`;
  document.body.dataset.task = model.task;
  byId('title').textContent = view.title;
  byId('about').textContent = `${model.title}: ${model.words}`;
  byId('lead').textContent = view.lead;
  byId('what').textContent = view.accept ? 'Drop pictures' : 'Drop scans (DICOM, NIfTI, PNG, TIFF)';
  byId('privacy').textContent = model.local ? 'Pictures stay on this computer.'
    : 'Pictures go to the machine that runs this program, and nowhere else.';
  if (view.extra) byId('extra').append(view.extra());
  document.querySelector('.drop').hidden = view.takes === false;
  touch = matchMedia('(pointer: coarse)').matches && view.accept.startsWith('image');
  byId('photo-first').hidden = !touch;
  byId('ways').hidden = touch;
  byId('choose').textContent = byId('choose-first').textContent = view.choose || 'Choose pictures';
  startPictures(view.ask, model.limits, changed);
  if (view.takes !== false) startTaking(view.accept);
  startStrip();
  changed(null);
}

function changed(picture) {
  const some = pictures.length > 0;
  byId('start').hidden = some;
  byId('choose').hidden = !some || view.takes === false;
  byId('work').hidden = byId('keys').hidden = !some;
  byId('photo').hidden = byId('choose').hidden || !touch;
  if (picture) markTab(picture);
  else drawStrip();
  byId('strip').hidden = pictures.length < 2;
  if (!current) {
    shown = null;
    return;
  }
  if (shown?.[0] === current && shown[1] === current.state) return;
  shown = [current, current.state];
  drawDesk();
}

function drawDesk() {
  const stage = byId('stage'), answer = byId('answer');
  byId('panel').setAttribute('aria-labelledby', current.id);
  stage.replaceChildren();
  answer.replaceChildren();
  answer.ariaBusy = String(['waiting', 'working'].includes(current.state));
  if (current.state === 'done') {
    view.show(current, stage, answer);
  } else {
    const failed = current.state === 'failed';
    stage.append(figure(frame(current.url, current.name, [], null, failed ? 'Nothing to show' : ''),
      current.name));
    answer.append(failed ? failure() : loading());
  }
  stage.firstElementChild.after(removers());
}

function loading() {
  const bones = [9, 7, 8, 5].map(width => make('span', {className: 'bone', ariaHidden: 'true',
    style: {width: `${10 * width}%`}}));
  return make('div', {className: 'loading'},
    make('p', {className: 'note'}, current.state === 'working' ? 'Looking' : 'Waiting its turn'),
    ...bones);
}

function failure() {
  const again = make('button', {className: 'plain'}, 'Try again');
  again.onclick = () => retry(current);
  return make('div', {className: 'failure'}, make('h2', {}, 'No answer'),
    make('p', {}, sentence(current.error)), again);
}

start();
