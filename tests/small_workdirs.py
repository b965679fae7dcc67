"""Folders of runs as training leaves them, written by hand, for the tests of what reads them."""

import json

import numpy as np
from PIL import Image

from data.batch import Content
from train_lib import workdir
from train_lib.storage import manifest, records

HOSTILE = ('</script><img src=x onerror=alert(1)>', 'a <b>"quoted" \'name\'', 'caf\udce9 & co')


class Given:
  """A source of which nothing but its fingerprint, tags and pictures is known.

  Args: pictures: {id: (digest, digest of its tags, split)}.
  """

  def __init__(self, fingerprint, tag_names=(), pictures=None):
    self.fingerprint, self.tag_names = fingerprint, tuple(tag_names)
    self._contents = None if pictures is None else {
        name: Content(*content) for name, content in pictures.items()}
    self._size = len([one for one in (pictures or {}).values() if one[2] == 'train'])

  def __len__(self):
    return self._size

  def contents(self):
    return self._contents


def make_record(**fields) -> dict:
  """The run.json of a finished classifier."""
  return {
      'config_name': 'configs/fashion.py:small', 'step': 30, 'finished': True,
      'end': '2025-03-04T06:00:00+00:00', 'fingerprint': 'abc',
      'starts': [make_start(time='2025-03-04T05:00:00+00:00'), make_start()],
      'goodput': {'productive_sec': 90.0, 'total_sec': 120.0, 'productive_frac': 0.75},
      'checkpointing': {'saves': 3, 'blocking_sec': 4.2, 'background_sec': 9.0},
      'diverged': {'abort': 0, 'skip': 2, 'rollback': 0},
      'chosen': {'checkpoint': 'best', 'step': 20, 'epoch': 2.0, 'metric': 'accuracy',
                 'value': 0.75},
      'test': {'net': {'accuracy': 0.875, 'macro_f1': 0.5, 'nll': 1.25, 'parameters': 12_000,
                       'file_bytes': 48_000, 'pictures_per_sec': 100.0},
               'most frequent class': {'accuracy': 0.25, 'macro_f1': 0.1, 'parameters': 3}},
      'valid': {'accuracy': 0.75}, 'thresholds': {}, **fields}


def make_start(**fields) -> dict:
  return {'time': '2025-03-04T05:30:00+00:00', 'commit': 'f00d' * 10, 'host': 'machine', 'cpus': 2,
          'command': ['main.py', '--config=configs/fashion.py:small'],
          'devices': {'kind': 'cpu', 'count': 1}, 'versions': {'jax': '0.10.2'}, **fields}


def write_picture(path, width_px=40, height_px=30, noisy=False):
  """A PNG of one colour, or of noise, which takes many bytes."""
  pixels = np.full((height_px, width_px, 3), 120, np.uint8)
  if noisy:
    pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)
  return path


def write_checkpoint(folder, step, **metrics):
  (folder / str(step)).mkdir(parents=True)
  (folder / str(step) / 'arrays').write_bytes(b'x' * 150_000)
  manifest.write_manifest(folder / str(step), {
      'step': step, 'time': '2025-03-04T05:45:00+00:00', 'metrics': metrics,
      'config_digest': '', 'tree': {}})


def write_run(folder, config, record=None, names=HOSTILE, steps=(10, 20, 30)):
  """A workdir of a classifier; tables and pictures where its record has figures of a test split."""
  record = make_record() if record is None else record
  folder.mkdir(parents=True, exist_ok=True)
  workdir.save_config(folder / 'config.json', config)
  records.write_json(folder / 'run.json', record)
  records.write_json(folder / 'tags.json', {'names': names, 'categories': ['general'] * len(names)})
  rows = [{'step': step, 'train/loss': 3 / step, 'train/pictures_per_sec': 50.0} for step in steps]
  rows += [{'step': step, 'valid/loss': 2 / step, 'valid/accuracy': step / 40} for step in steps]
  (folder / 'metrics.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
  for step in steps[1:]:
    write_checkpoint(folder / 'checkpoints', step, accuracy=step / 40)
  if steps:
    records.write_json(folder / 'best.json', {'step': steps[-1], 'metric': 'accuracy',
                                              'value': 0.75})
  if record.get('test'):
    records.write_csv(folder / 'evaluation' / 'classes.csv', ('class', 'train_pictures', 'f1'),
                      [(name, 7, '0.5') for name in names])
    for name in ('curves', 'confusion', 'predictions', 'never_heard_of'):
      write_picture(folder / 'pictures' / f'{name}.png')
  return folder


def leaves(section, prefix=''):
  """Yields (name such as 'data.dir', value) of all keys of a config."""
  for key, value in section.items():
    if hasattr(value, 'items'):
      yield from leaves(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value
