// The class of a picture, and where the net looked for any of them.

import {ask, asForm, bar, make, percent, predict, readable, sentence, tell} from './parts.js';
import {figure, frame} from './stage.js';

const FIRST = 5;                  // classes that are shown at once
const WORDS = 'Warm colours mark what spoke for it.';

export function makeView(model) {
  function show(picture, stage, answer) {
    const {scores} = picture.answer, [[best, probability]] = scores;
    const place = make('div', {className: 'place'});
    stage.append(place);
    const rows = scores.map(([name, share]) => row(picture, name, share));
    const list = make('ol', {className: 'bars pressed'}, ...rows);
    const more = make('button', {className: 'link', hidden: scores.length <= FIRST},
      `Show ${scores.length - FIRST} more`);
    const cut = () => rows.forEach((one, number) => {
      one.hidden = number >= FIRST && !picture.memory.all;
    });
    more.hidden ||= Boolean(picture.memory.all);
    more.onclick = () => {
      picture.memory.all = more.hidden = true;
      cut();
      rows[FIRST].querySelector('button')?.focus();
    };
    cut();
    answer.append(make('div', {className: 'verdict'}, make('p', {className: 'best'},
      readable(best)), make('p', {className: 'sure'}, percent(probability))), list, more,
    make('p', {className: 'note'}, model.map ? 'Press a name to see where the net looked for it.'
      : sentence(model.no_map)));
    drawPlace();

    function row(picture, name, share) {
      const inside = [make('span', {className: 'name', title: name}, readable(name)), bar(share),
        make('span', {className: 'number'}, percent(share))];
      if (!model.map) return make('li', {}, ...inside);
      const button = make('button', {ariaPressed: 'false'}, ...inside);
      button.dataset.name = name;
      button.onclick = () => press(picture.memory.name === name ? '' : name);
      return make('li', {}, button);
    }

    async function press(name) {
      Object.assign(picture.memory, {name, problem: ''});
      drawPlace();
      if (!name) return;
      const maps = picture.memory.maps ||= {};
      try {
        maps[name] ||= URL.createObjectURL(await ask(
          `/api/map?class=${encodeURIComponent(name)}`, asForm(picture.file)));
        tell(`Where the net looked for ${readable(name)} is shown.`);
      } catch (error) {
        picture.memory.problem = error.message;
      }
      drawPlace();
    }

    function drawPlace() {
      const {name, maps, problem} = picture.memory, map = name && maps?.[name];
      for (const button of list.querySelectorAll('button')) {
        button.ariaPressed = String(button.dataset.name === name);
      }
      const text = map ? `Where the net looked for ${readable(name)}` : picture.name;
      place.replaceChildren(figure(
        frame(map || picture.url, map ? `${text}. ${WORDS}` : picture.name), text,
        map ? WORDS : name ? problem || 'Looking' : ''));
    }
  }

  return {title: 'Name pictures', lead: 'What is in a picture?', accept: 'image/*', show,
    ask: predict};
}
