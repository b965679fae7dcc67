"""Asks timm and Keras for the outputs that our nets are compared with, and stores them.

    python -m tests.reference.make_nets                      everything
    python -m tests.reference.make_nets NAME ...             these rows alone, with their counts
    python -m tests.reference.make_nets counts [NET ...]     the counts alone, of all nets or these

from the root of the checkout, in an environment with torch, timm and, for its rows, Keras (with
KERAS_BACKEND=torch); JAX is not needed. Every row of rows.py becomes `<name>.npz`: no pretrained
weights, each filled by the rule of fill.py. Of every net in rows.COUNTED, the entry in counts.json
is how many parameters and BatchNorm statistics there are, and a digest of their names and shapes;
entries of nets that are not asked for stay.

In an .npz, `<tap>/samples`, `/sums`, `/spread` and `/contrast` are fill.summarise of what a tap
should be in inference, `output` among the taps; `train/<tap>/...` the same with statistics of the
batch, where `train_mean` and `train_var` hold a few channels of what every BatchNorm measured (the
variance divided by the number of values, not by one less), in the order of the sorted names. Batch
statistics make small differences grow from layer to layer; `shake` says by how much of a tap's
spread (of a BatchNorm's deviation or variance) the reference itself changes when its picture
changes by a millionth.
"""

import json
import math
import pathlib
import sys

import numpy as np

from tests.reference import fill, from_keras, from_timm
from tests.reference.rows import COUNTED, REFERENCES

FOLDER = pathlib.Path(__file__).parent / 'nets'
SHAKE = 1e-6
SOURCES = {'timm': from_timm, 'keras': from_keras, 'authors': from_timm}


def make(name):
  """Stores one row's file."""
  row = REFERENCES[name]
  source, image = SOURCES[row.source], fill.picture(row.batch, row.size_px)
  model = source.create(row)
  taps, _ = source.run(model, row, image, train=False)
  arrays = summarise_all('', taps)
  taps, statistics = source.run(model, row, image, train=True)
  arrays |= summarise_all('train/', taps)
  shaken, shaken_statistics = source.run(
    model, row, image + np.float32(SHAKE) * fill.noise('shake', image.shape), train=True)
  for tap, value in taps.items():
    arrays[f'train/{tap}/shake'] = np.abs(shaken[tap] - value).max() / value.std()
  if statistics:
    arrays |= some_statistics(statistics, shaken_statistics)
  FOLDER.mkdir(exist_ok=True)
  np.savez_compressed(FOLDER / f'{name}.npz', **arrays)
  print(name, {key.removesuffix('/spread'): round(float(value), 3)
               for key, value in arrays.items() if key.endswith('/spread')}, flush=True)
  print({key: f'{value:.1e}' for key, value in arrays.items()
         if key.endswith(('shake', 'contrast'))}, flush=True)


def summarise_all(prefix, taps):
  """Returns the arrays of a file: those of every tap."""
  return {f'{prefix}{tap}/{key}': summary for tap, value in taps.items()
          for key, summary in fill.summarise(tap, value).items()}


def some_statistics(statistics, shaken):
  """Returns the arrays of a file: a few channels of every BatchNorm."""
  def stack(statistics, kind):
    return np.float32(
      [fill.some_channels(key, statistics[key][kind]) for key in sorted(statistics)])
  arrays = {f'train_{kind}': stack(statistics, kind) for kind in ('mean', 'var')}
  scale = arrays['train_var'].max(axis=1, keepdims=True)
  arrays['train_mean_shake'] = (
    np.abs(stack(shaken, 'mean') - arrays['train_mean']) / np.sqrt(scale)).max()
  arrays['train_var_shake'] = (
    np.abs(stack(shaken, 'var') - arrays['train_var']) / scale).max()
  return arrays


def count(variants):
  """Stores sizes of models that nets of ours claim to equal, and digests of their names.

  Args:
    variants: ours; empty for all of COUNTED.
  """
  path, counts = FOLDER / 'counts.json', {}
  stored = json.loads(path.read_text()) if variants else {}
  for source, models in COUNTED.items():
    wanted = variants or models
    kept = {variant: entry for variant, entry in stored.get(source, {}).items()
            if variant in models}
    counts[source] = dict(sorted({**kept, **{
      variant: describe(source, model, options)
      for variant, (model, options) in models.items() if variant in wanted}}.items()))
  path.write_text(json.dumps(counts, indent=1) + '\n')


def describe(source, model, options):
  """Returns a model's entry in counts.json."""
  shapes, params = SOURCES[source].list_weights(model, options)
  entry = dict(params=params, batch_stats=sum(map(math.prod, shapes.values())) - params,
               names=fill.digest(shapes))
  print(source, model, entry, flush=True)
  return entry


def main(*names):
  """Makes what is named, or everything."""
  alone = names[:1] == ('counts',)
  known = {variant for models in COUNTED.values() for variant in models} if alone else REFERENCES
  wanted = names[alone:]
  if unknown := [name for name in wanted if name not in known]:
    sys.exit(f'rows.py has no {unknown[0]!r}; choose of {", ".join(sorted(known))}')
  for name in () if alone else wanted or REFERENCES:
    make(name)
  count(wanted if alone else [REFERENCES[name].variant for name in wanted])


if __name__ == '__main__':
  main(*sys.argv[1:])
