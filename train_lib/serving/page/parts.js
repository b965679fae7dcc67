// Pieces that all views share: elements, numbers, and asking the program.

/** An element. Args: tag; properties; children, whose strings become text and never HTML. */
export function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same of SVG, whose properties are all attributes. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'style') {
      for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    } else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const byId = id => document.getElementById(id);

/** long_hair -> long hair, as people read it. */
export const readable = name => name.length > 3 ? name.replaceAll('_', ' ') : name;

/** 0.4217 -> 42 %, 0.0031 -> 0.3 %, 0.0001 -> <0.1 %. */
export function percent(share) {
  const value = 100 * share;
  if (value < 0.05) return '<0.1 %';
  return `${value >= 9.95 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** 1 -> 1 picture, 2 -> 2 pictures. */
export const counted = (number, noun) =>
  `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;

/** A bar from 0 to 1, for the eye alone: the number stands beside it. */
export function bar(share) {
  const width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return make('span', {className: 'bar', ariaHidden: 'true'},
    make('span', {className: 'filled', style: {width}}));
}

/** A labelled slider with its value. Args: told: value -> text; onInput: value -> nothing. */
export function slider({label, least, most, step, value, told, onInput}) {
  const output = make('output', {}, told(value));
  const input = make('input', {type: 'range', min: least, max: most, step, value,
    ariaLabel: label, 'aria-valuetext': told(value)});
  const set = next => {
    output.textContent = told(next);
    input.setAttribute('aria-valuetext', told(next));
  };
  input.oninput = () => {
    set(input.valueAsNumber);
    onInput(input.valueAsNumber);
  };
  const element = make('label', {className: 'slider'}, make('span', {}, label), input, output);
  element.setValue = next => { input.value = next; set(next); };
  return element;
}

/** For those who listen. */
export function tell(text) { byId('status').textContent = text; }

const RETRIES = 5;                // where the program says that it is busy
const AWAY = 'The program does not answer. Is it still running?';

/** What the program answers: JSON, or a Blob. Raises: Error, its message a sentence to show. */
export async function ask(address, request = {}) {
  for (let tried = 0; ; tried++) {
    let response;
    try {
      response = await fetch(address, request);
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Error(AWAY);
    }
    if (response.status === 503 && tried < RETRIES) {
      await pause(1000 * (Number(response.headers.get('retry-after')) || 1));
      continue;
    }
    const kind = response.headers.get('content-type') || '';
    if (response.ok && kind.startsWith('image/')) return response.blob();
    const found = kind.startsWith('application/json') ? await response.json() : null;
    if (response.ok && found) return found;
    throw new Error(sentence(found?.error || `The program answered with ${response.status}.`));
  }
}

const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));

/** A picture in a form, as /api/predict and /api/map take it. */
export function asForm(file) {
  const form = new FormData();
  form.append('picture', file, file.name || 'picture');
  return {method: 'POST', body: form};
}

/** The program's answer about a file. Args: options: of the address, such as '?count=3'. */
export const predict = async ({file}, options = '') =>
  (await ask(`/api/predict${options}`, asForm(file))).pictures[0];

/** 'the file is empty' -> 'The file is empty.' */
export function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** A function that runs the newest call alone, one at a time; those between are left out. */
export function newestOnly(work) {
  let running = false, next = null;
  return async argument => {
    next = [argument];
    if (running) return;
    running = true;
    while (next) {
      const [now] = next;
      next = null;
      await work(now);
    }
    running = false;
  };
}
