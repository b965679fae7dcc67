// A scan beside what the net makes of it, and sliders through the latent space.

import {ask, make, newestOnly, predict, sentence, slider} from './parts.js';
import {figure, frame} from './stage.js';
import {showInTab} from './strip.js';

const UNITS = 8;                  // of those that tell most of the scan
const REACH = 3;                  // deviations of the prior, to both sides
const DAMAGE = {blur: 'blurred', gaussian: 'noise added', rician: 'noise added',
  keep: 'pixels lost', lines: 'rows lost'};

export function makeView(model) {
  const side = [model.side_px, model.side_px];
  const kinds = [...new Set(model.corrupt.map(kind => DAMAGE[kind] || kind))].join(', ');
  let damaged = false;            // of all scans alike

  async function restore(picture, slice = null) {
    const place = slice === null ? '' : `&slice=${slice}`;
    const answer = await predict(picture, `?damage=${Number(damaged)}${place}`);
    answer.damaged = damaged;
    showInTab(picture, answer.original);
    return answer;
  }

  function show(picture, stage, answer) {
    const pair = make('div', {className: 'pair'}), problem = make('p', {className: 'problem'});
    const drawPair = () => {
      const {answer: found} = picture;
      const tile = (source, title, note, alt) => figure(frame(source, alt, [], side), title, note);
      pair.classList.toggle('three', found.damaged);
      pair.replaceChildren(
        tile(found.original, 'Given', `${model.side_px} x ${model.side_px} px`,
          `${picture.name} as the net sees it`),
        ...(found.damaged ? [tile(found.picture, 'Damaged', kinds, 'The scan, damaged')] : []),
        tile(found.restored, 'Restored', `through ${model.latent_size} numbers`,
          'What the net makes of it'));
    };
    drawPair();
    stage.append(make('div', {}, pair, make('p', {className: 'file'}, picture.name)), problem);
    const way = make('div');
    way.append(walk(picture, problem));
    const again = newestOnly(async slice => {
      try {
        picture.answer = await restore(picture, slice);
        problem.textContent = '';
      } catch (error) {
        problem.textContent = sentence(error.message);
        return;
      }
      drawPair();
      way.replaceChildren(walk(picture, problem));
    });
    const {slices, slice} = picture.answer;
    if (slices > 1) {
      stage.append(slider({label: 'Slice', least: 1, most: slices, step: 1, value: slice + 1,
        told: value => `${value} of ${slices}`, onInput: value => again(value - 1)}));
    }
    if (model.corrupt.length) {
      const box = make('input', {type: 'checkbox', checked: damaged});
      box.onchange = () => { damaged = box.checked; again(picture.answer.slice); };
      stage.append(make('p', {className: 'note'}, `This net learned to mend damaged scans (${kinds}`
        + '); whole ones it may make worse.'), make('label', {className: 'check'}, box,
        'Damage the scan first, as in training'));
    }
    answer.append(way);
  }

  function walk(picture, problem) {
    const {mean, kl, restored} = picture.answer, latent = [...mean];
    const units = kl.map((nats, unit) => [nats, unit]).sort((one, other) => other[0] - one[0])
      .slice(0, UNITS);
    const place = make('div', {className: 'moved'});
    const put = (source, text) => place.replaceChildren(
      figure(frame(source, 'The scan that the moved numbers stand for', [], side), text));
    put(restored, 'Nothing moved yet');
    const decode = newestOnly(async () => {
      try {
        const {pictures: [source]} = await ask('/api/decode', {method: 'POST',
          headers: {'content-type': 'application/json'},
          body: JSON.stringify({latents: [latent]})});
        put(source, latent.every((value, unit) => value === mean[unit]) ? 'Nothing moved'
          : 'Moved');
        problem.textContent = '';
      } catch (error) {
        problem.textContent = sentence(error.message);
      }
    });
    const movers = units.map(([nats, unit]) => {
      const reach = Math.max(REACH, Math.ceil(Math.abs(mean[unit])));
      return slider({label: `Number ${unit + 1}`, least: -reach, most: reach, step: 0.05,
        value: mean[unit], told: value => value.toFixed(2),
        onInput: value => { latent[unit] = value; decode(); }});
    });
    const reset = make('button', {className: 'plain'}, 'Back to this scan');
    reset.onclick = () => {
      units.forEach(([, unit], place) => {
        latent[unit] = mean[unit];
        movers[place].setValue(mean[unit]);
      });
      decode();
    };
    return make('section', {className: 'kind walk'}, make('h2', {}, 'Change the scan'),
      make('p', {className: 'note'}, `The net keeps a scan as ${model.latent_size} numbers. These `
        + `${units.length} tell most of this one; move them to see what each stands for.`),
      place, make('div', {className: 'movers'}, ...movers), reset);
  }

  return {title: 'Restore scans', lead: 'What does the net make of a scan?', accept: '', show,
    choose: 'Choose scans', ask: restore};
}
