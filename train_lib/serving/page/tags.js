// Tags by category, with thresholds to move and a caption to copy.

import {bar, counted, make, percent, predict, readable, slider, tell} from './parts.js';
import {figure, frame} from './stage.js';

const NEXT = 3;                   // tags just below a threshold, that are named
const RATING = 'rating';
const NAMES = {copyright: 'Copyright (series)', meta: 'Meta', rating: 'Rating'};

export function makeView(model) {
  const thresholds = {...model.thresholds};     // of all pictures alike, for as long as the page is
  let spaces = model.caption.spaces;

  function kept(answer, kind) {
    return answer.scores[kind].filter(([, probability]) => probability > thresholds[kind]);
  }

  function caption(answer) {
    const {first, without, short} = model.caption;
    const tags = model.order.filter(kind => kind !== RATING)
      .flatMap(kind => kept(answer, kind)).sort((one, other) => other[1] - one[1])
      .map(([tag]) => tag).filter(tag => !without.includes(tag) && !first.includes(tag));
    const plain = tag => spaces && tag.length > short ? tag.replaceAll('_', ' ') : tag;
    return [...first, ...tags.map(plain)].join(', ');
  }

  function show(picture, stage, answer) {
    const words = make('textarea', {readOnly: true, rows: 4, spellcheck: false,
      ariaLabel: 'Caption'});
    const write = () => { words.value = caption(picture.answer); };
    stage.append(figure(frame(picture.url, picture.name), picture.name), captionBox(words, write));
    write();
    for (const kind of model.order) {
      answer.append(kind === RATING ? rating(picture.answer) : category(picture, kind, write));
    }
  }

  function captionBox(words, write) {
    const copy = make('button', {className: 'main'}, 'Copy as caption');
    copy.onclick = async () => {
      copy.textContent = await copied(words) ? 'Copied' : 'Press Ctrl+C';
      tell(copy.textContent);
      setTimeout(() => { copy.textContent = 'Copy as caption'; }, 1600);
    };
    const box = make('input', {type: 'checkbox', checked: spaces});
    box.onchange = () => { spaces = box.checked; write(); };
    return make('div', {className: 'caption'}, words, make('p', {className: 'buttons'}, copy,
      make('label', {className: 'check'}, box, 'Spaces for underscores')));
  }

  function rating(answer) {
    const lines = answer.scores[RATING].map(([name, probability], place) =>
      line(name, probability, place === 0 ? 'best' : ''));
    return make('section', {className: 'kind'}, make('h2', {}, NAMES[RATING]),
      make('ol', {className: 'bars'}, ...lines));
  }

  function category(picture, kind, write) {
    const count = make('small', {}), list = make('ol', {className: 'bars'});
    const next = make('p', {className: 'note'});
    const reset = make('button', {className: 'link'}, 'Reset');
    const drawLines = () => {
      const all = picture.answer.scores[kind], some = kept(picture.answer, kind);
      count.textContent = counted(some.length, 'tag');
      list.replaceChildren(...some.map(([name, probability]) => line(name, probability)));
      const below = all.slice(some.length, some.length + NEXT)
        .map(([name, probability]) => `${readable(name)} ${percent(probability)}`);
      next.textContent = below.length ? `Just below: ${below.join(', ')}`
        : some.length ? '' : 'Nothing of this kind is at all likely.';
      list.style.setProperty('--threshold', thresholds[kind]);
      reset.hidden = thresholds[kind] === model.thresholds[kind];
    };
    const set = value => {
      thresholds[kind] = value;
      drawLines();
      write();
    };
    const mover = slider({label: 'Shown above', least: 0.01, most: 0.99, step: 0.01,
      value: thresholds[kind], told: percent, onInput: set});
    mover.querySelector('input').ariaLabel = `Threshold of ${kind}`;
    reset.onclick = () => {
      set(model.thresholds[kind]);
      mover.setValue(model.thresholds[kind]);
    };
    drawLines();
    const name = NAMES[kind] || kind.charAt(0).toUpperCase() + kind.slice(1);
    return make('section', {className: 'kind'},
      make('header', {}, make('h2', {}, name, ' ', count), reset, mover), list, next);
  }

  return {title: 'Tag pictures', lead: 'Which tags does a picture have?', accept: 'image/*', show,
    ask: predict};
}

function line(name, probability, mark = '') {
  return make('li', {className: mark}, make('span', {className: 'name', title: name},
    readable(name)), bar(probability), make('span', {className: 'number'}, percent(probability)));
}

/** Whether the text is in the clipboard now; off localhost the old way is the only one. */
async function copied(area) {
  try {
    await navigator.clipboard.writeText(area.value);
    return true;
  } catch {
    area.focus();
    area.select();
    return document.execCommand('copy');
  }
}
