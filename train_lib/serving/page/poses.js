// The joints of a person, drawn over the picture.

import {bar, draw, make, predict, readable, slider} from './parts.js';
import {figure, frame} from './stage.js';

const DOT_FRAC = 0.011, LINE_FRAC = 0.009;    // of the picture's mean side
const LEAST_SIDE_FRAC = 0.25;                 // people smaller than that have thinner lines

/** left, right or middle, of the person's own. */
const sideOf = names => {
  const sides = new Set(names.map(name => name.split('_')[0]));
  return sides.size === 1 && ['left', 'right'].includes([...sides][0]) ? [...sides][0] : 'middle';
};

export function makeView(model) {
  let least = model.least_score, boxed = true;    // of all pictures

  function show(picture, stage, answer) {
    const {people, size_px} = picture.answer;
    const layer = draw('svg', {viewBox: `-0.5 -0.5 ${size_px[0]} ${size_px[1]}`, class: 'people',
      'aria-hidden': 'true'});
    const tables = people.map((person, number) => table(person, number));
    const redraw = () => {
      layer.replaceChildren(...people.flatMap(person => parts(person, size_px)));
      for (const one of tables) one.update();
    };
    const box = make('input', {type: 'checkbox', checked: boxed});
    box.onchange = () => { boxed = box.checked; redraw(); };
    stage.append(figure(frame(picture.url, words(picture), [layer], size_px), picture.name));
    answer.append(make('section', {className: 'kind'},
      slider({label: 'Joints of a score from', least: 0, most: 1, step: 0.01, value: least,
        told: value => value.toFixed(2), onInput: value => { least = value; redraw(); }}),
      make('p', {className: 'legend'}, key('left', 'their left'),
        key('right', 'their right'), key('middle', 'middle'),
        make('label', {className: 'check'}, box, 'Box around them'))),
    ...tables.map(one => one.element));
    if (!people.length) answer.append(make('p', {}, 'The net found nobody in this picture.'));
    redraw();

    function table(person, number) {
      const body = make('tbody'), count = make('small');
      const rows = person.keypoints.map(([x, y, score], joint) => {
        const row = make('tr', {}, make('th', {scope: 'row'},
          make('span', {className: `dot ${sideOf([model.names[joint]])}`, ariaHidden: 'true'}),
          readable(model.names[joint])), make('td', {className: 'share'}, bar(score),
          make('span', {className: 'number'}, score.toFixed(2))),
        make('td', {className: 'number'}, `${x.toFixed(0)}, ${y.toFixed(0)}`));
        row.onpointerenter = () => mark(joint, true);
        row.onpointerleave = () => mark(joint, false);
        return row;
      });
      const mark = (joint, on) => {
        for (const dot of layer.querySelectorAll(`[data-joint="${joint}"]`)) {
          dot.classList.toggle('marked', on);
        }
      };
      body.append(...rows);
      const title = people.length > 1 ? `Person ${number + 1}` : 'Joints';
      const element = make('section', {className: 'kind'},
        make('header', {}, make('h2', {}, title, ' ', count)),
        make('table', {}, make('thead', {}, make('tr', {}, make('th', {scope: 'col'}, 'Joint'),
          make('th', {scope: 'col'}, 'Score'), make('th', {scope: 'col', className: 'number'},
            'x, y px'))), body));
      const update = () => {
        const sure = person.keypoints.filter(([,, score]) => score >= least).length;
        count.textContent = `${sure} of ${person.keypoints.length} shown`;
        rows.forEach((row, joint) => row.classList.toggle('unsure',
          person.keypoints[joint][2] < least));
      };
      return {element, update};
    }
  }

  function words(picture) {
    const sure = picture.answer.people.map(({keypoints}) =>
      keypoints.filter(([,, score]) => score >= least).length);
    return `${picture.name} with ${sure.join(' and ') || 'no'} joints drawn over it`;
  }

  function parts({keypoints, box_px}, size_px) {
    const side = Math.sqrt(size_px[0] * size_px[1]);
    const own = box_px ? Math.max(LEAST_SIDE_FRAC, Math.max(box_px[2], box_px[3]) / side) : 1;
    const scale = side * Math.min(1, own);
    const sure = joint => keypoints[joint][2] >= least;
    const line = ([one, other], edge) => draw('line', {
      x1: keypoints[one][0], y1: keypoints[one][1],
      x2: keypoints[other][0], y2: keypoints[other][1],
      class: edge ? 'edge' : sideOf([model.names[one], model.names[other]]),
      'stroke-width': scale * LINE_FRAC * (edge ? 2 : 1)});
    const limbs = model.limbs.filter(([one, other]) => sure(one) && sure(other));
    const dots = keypoints.map(([x, y], joint) => sure(joint) && draw('circle', {cx: x, cy: y,
      r: scale * DOT_FRAC, class: sideOf([model.names[joint]]), 'data-joint': joint,
      'stroke-width': scale * DOT_FRAC * 0.4}, draw('title', {}, readable(model.names[joint]))));
    const [x, y, width, height] = box_px || [];
    const box = boxed && box_px ? [draw('rect', {x, y, width, height, class: 'box',
      'stroke-width': side * 0.004, 'stroke-dasharray': side * 0.015})] : [];
    return [...box, ...limbs.map(limb => line(limb, true)), ...limbs.map(limb => line(limb, false)),
      ...dots.filter(Boolean)];
  }

  return {title: 'Find joints', lead: 'Where are the joints of a person?', accept: 'image/*', show,
    ask: predict};
}

function key(side, text) {
  return make('span', {className: 'key'},
    make('span', {className: `dot ${side}`, ariaHidden: 'true'}), text);
}
