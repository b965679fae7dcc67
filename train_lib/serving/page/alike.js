// Pictures of a collection that look like another one; each leads on.

import {ask, byId, make, predict} from './parts.js';
import {addRow} from './pictures.js';
import {figure, frame} from './stage.js';

const COUNT = 24;                 // most alike pictures

export function makeView(model) {
  const thumbnail = row => `/thumbnails/${row}`;
  const clusterName = ({cluster, name}) =>
    cluster < 0 ? 'no cluster' : name || `cluster ${cluster}`;

  function tile(found, mark) {
    const image = make('img', {src: thumbnail(found.row), alt: '', loading: 'lazy'});
    image.onload = () => image.classList.toggle('grain', image.naturalWidth < 100);
    const button = make('button', {className: 'tile', title: found.path,
      ariaLabel: `${found.path}, ${clusterName(found)}${mark ? `, ${mark}` : ''}`},
    make('span', {className: 'square'}, image), make('span', {className: 'under'},
      ...(mark ? [make('span', {className: 'number'}, mark)] : []),
      make('span', {className: 'name'}, clusterName(found))));
    image.onerror = () => {
      button.classList.add('blank');
      button.disabled = true;
      image.replaceWith('cannot be read');
    };
    button.onclick = () => {
      addRow(found.row, found.path, thumbnail(found.row));
      byId('panel').focus({preventScroll: true});
      byId('work').scrollIntoView({block: 'start'});
    };
    return button;
  }

  function show(picture, stage, answer) {
    const {alike} = picture.answer, own = picture.kind === 'row';
    stage.append(figure(frame(picture.url, picture.name), picture.name,
      own ? `of the collection, ${clusterName(picture.answer)}` : 'not of the collection'));
    answer.append(make('header', {className: 'alike'}, make('h2', {}, 'Most alike'),
      make('p', {className: 'note'}, 'The number is the cosine of what the net sees in both: 1 is '
        + 'the same. Press a picture to go on from it.')),
    make('div', {className: 'tiles'}, ...alike.map(found =>
      tile(found, found.similarity.toFixed(3)))));
  }

  function look(picture) {
    const options = `?count=${COUNT}`;
    return picture.kind === 'row' ? ask(`/api/alike/${picture.row}${options}`)
      : predict(picture, options);
  }

  function extra() {
    return make('section', {className: 'extra'}, make('h2', {}, model.uploads
      ? 'Or begin with one of the collection' : 'Begin with one of these'),
    make('div', {className: 'tiles'}, ...model.starts.map(found => tile(found, ''))));
  }

  return {title: 'More like this', lead: 'Which pictures look like yours?', accept: 'image/*',
    show, extra, takes: model.uploads, ask: look};
}
