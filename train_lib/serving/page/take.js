// Ways in: the file picker, the camera, drop, paste.

import {byId} from './parts.js';
import {addFiles} from './pictures.js';

const NOTICE_MS = 6000;
let hiding = 0;

/** Says something that passes by itself. */
export function notice(text) {
  const place = byId('notice');
  place.textContent = text;
  place.hidden = !text;
  clearTimeout(hiding);
  hiding = setTimeout(() => { place.hidden = true; }, NOTICE_MS);
}

function take(files) {
  if (!files.length) return notice('That holds no file; drop or paste pictures.');
  const said = addFiles(files);
  if (said) notice(said);
}

/** Args: accept: what the file picker shows, '' for all files. */
export function startTaking(accept) {
  const picker = byId('files'), camera = byId('camera');
  picker.accept = accept;
  for (const input of [picker, camera]) {
    input.onchange = () => {
      if (input.files.length) take(input.files);
      input.value = '';           // so that the same file can be chosen again
    };
  }
  for (const id of ['choose', 'choose-first']) byId(id).onclick = () => picker.click();
  for (const id of ['photo', 'photo-first']) byId(id).onclick = () => camera.click();
  document.addEventListener('paste', event => {
    const files = event.clipboardData?.files || [];
    if (files.length) {
      event.preventDefault();
      take(files);
    } else if (!event.target.closest('input, textarea')) {
      notice('The clipboard holds no picture.');
    }
  });
  startDropping();
}

function startDropping() {
  let depth = 0;
  const show = shown => { byId('over').hidden = !shown; };
  const brings = event => [...event.dataTransfer?.types || []].includes('Files');
  document.addEventListener('dragenter', event => {
    if (!brings(event)) return;
    depth++;
    show(true);
  });
  document.addEventListener('dragleave', event => {
    if (!brings(event)) return;
    depth = Math.max(0, depth - 1);
    show(depth > 0);
  });
  document.addEventListener('dragover', event => event.preventDefault());
  document.addEventListener('drop', event => {
    event.preventDefault();
    depth = 0;
    show(false);
    take(event.dataTransfer?.files || []);
  });
}
