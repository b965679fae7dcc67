"""Features of a frozen trunk: computed once, kept on disk, and read in place of pictures.

While everything but the head is frozen, a picture that is not augmented always has the same
features (the net's tap of that name), and only the head has to be computed in a step. Features are
kept in a folder of their own for each split, named by a digest of all that decides them: the
trunk's weights, the data, how pictures are read and normalised, the net and its dtype. A folder
appears whole or not at all, and its files are compared with its manifest whenever it is read. Those
that no run has read for UNUSED_DAYS go when new ones are computed.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from errors import UserError
from train_lib import manifest, parallel
from train_lib.devices import cache_folder
from train_lib.reporting import human_time, say
from train_lib.tasks.pixels import normalise
from train_lib.trees import flatten_names

HEADS = ('params/head/', 'params/aux_logits/', 'batch_stats/aux_logits/')  # no part of the trunk
FORMAT = 1                        # of what is kept; another number, and all is computed again
UNUSED_DAYS = 30                  # after which features that no run has read are removed
TIMED_BATCHES = 3                 # after the first, for the estimate at the start
LONG_SEC = 30.0                   # a wait that is worth an estimate


class FeatureLoader:
  """Batches as a loader's, with features in place of pictures: `image`, float32 [B, 1, 1, C].

  To a task they are pictures of one pixel with C channels, that need no normalising.

  Args:
    arrays: what `load_features` gives: {'features': [N, C], 'mask', 'id', ...: [N, ...]}.
    batch_size: rows of a batch.
    pick_rows: (first, count) -> int64 [count, batch_size], the rows of training batches; None: all
      rows in order, each once, as evaluation reads them.
    bad_images: of the loader that the pictures were read with.
  """

  def __init__(self, arrays: dict, batch_size: int, bad_images,
               pick_rows: Callable | None = None):
    self.num_examples = len(arrays['mask'])
    self.num_batches = -(-self.num_examples // batch_size)
    self.bad_images = bad_images
    self._arrays, self._batch_size, self._pick_rows = arrays, batch_size, pick_rows

  def batches(self, start: int, stop: int):
    """Yields the batches start, ..., stop - 1."""
    for k in range(start, stop):
      if self._pick_rows:
        rows = self._pick_rows(k, 1)[0]
      else:
        rows = np.arange(k * self._batch_size, min((k + 1) * self._batch_size, self.num_examples))
      yield self._batch(rows)

  def _batch(self, rows):
    batch = {key: np.asarray(value[rows]) for key, value in self._arrays.items()}
    missing = self._batch_size - len(rows)
    if missing:                                 # rows that fill the last batch
      batch = {key: np.concatenate([value, np.zeros((missing, *value.shape[1:]), value.dtype)])
               for key, value in batch.items()}
    features, ids = batch.pop('features'), batch.pop('id')
    return {**batch, 'image': features[:, None, None, :], 'id': ids.tolist()}


def training_rows(loader, places: np.ndarray, readable: np.ndarray) -> np.ndarray:
  """int64 [n]: the row of features that each example of the training loader stands for.

  Args:
    loader: of training; n examples.
    places: int64 [n], the row of each example, in a split of N.
    readable: bool [N]; where a picture is not, the loader's substitute stands in.

  Raises:
    UserError: neither a picture nor any of its substitutes can be read.
  """
  rows = places.copy()
  for example in np.flatnonzero(~readable[places]):
    others = [place for place in places[loader.substitutes(int(example))] if readable[place]]
    if not others:
      raise UserError(f'picture {int(example)} of the training split and the others drawn in its '
                      'place are unreadable; check the files')
    rows[example] = others[0]
  return rows


# On disk ----------------------------------------------------------------------------------------


def load_features(directory: str, task, mesh, variables: dict, loader, reading: dict,
                  poll: Callable[[], None] = lambda: None) -> dict[str, np.ndarray]:
  """The features of a split, from disk where they were computed before.

  Args:
    directory: that holds the folders; '' is the user's cache folder.
    task: with its net, and what pixels are normalised by.
    mesh: the devices.
    variables: of the net, on the devices.
    loader: of the split, in evaluation order.
    reading: all that decides what the loader reads, JSON values.
    poll: called for each batch; may raise to stop.

  Returns:
    {'features': float32 [N, C], 'mask': float32 [N], 0 where the picture is unreadable, 'id': [N],
    and every other key of the loader}.

  Raises:
    UserError: the folder cannot be written.
  """
  about = {'format': FORMAT, 'reading': reading, 'keys': loader.keys,
           **_describe_trunk(task, variables)}
  text = json.dumps(about, sort_keys=True, default=str)
  folder = cache_folder(directory, 'features') / hashlib.sha256(text.encode()).hexdigest()[:32]
  if folder.exists():
    try:
      return _read(folder, loader)
    except (manifest.Damaged, OSError, ValueError) as error:
      say(f'the features in {folder} are damaged ({error}) and computed again')
      shutil.rmtree(folder, ignore_errors=True)
  try:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_unused(folder.parent)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix='.features-', dir=folder.parent))
  except OSError as error:
    raise UserError(f'{folder.parent} cannot be written ({error.strerror}); name another folder '
                    'with --config.runtime.features_dir=') from error
  try:
    _compute(temporary, task, mesh, variables, loader, poll)
    manifest.write_manifest(temporary, {'about': json.loads(text), 'bad_images': [
        [id, reason] for id, reason in loader.bad_images.reasons().items()]})
    try:
      temporary.rename(folder)
    except OSError:
      if not folder.exists():                   # else another run was quicker
        raise
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
  return _read(folder, loader)


def _remove_unused(folder):
  """Removes features that were not read for UNUSED_DAYS, and what stopped runs left of some."""
  oldest, removed = time.time() - UNUSED_DAYS * 86_400, 0
  for path in folder.iterdir():
    ours = re.fullmatch(r'[0-9a-f]{32}|\.features-.*', path.name) and path.is_dir()
    with contextlib.suppress(FileNotFoundError):  # another run removed it
      if ours and path.stat().st_mtime < oldest:
        shutil.rmtree(path)
        removed += 1
  if removed:
    say(f'removed {removed:,} features from {folder} that no run has read for {UNUSED_DAYS} days')


def _describe_trunk(task, variables):
  digest = hashlib.sha256()
  for name, leaf in sorted(flatten_names(variables).items()):
    if not name.startswith(HEADS):
      leaf = np.asarray(leaf) + 0.0             # -0 counts as 0
      digest.update(f'{name} {leaf.dtype} {leaf.shape}'.encode() + leaf.tobytes())
  options = task.net.options
  return {'weights': digest.hexdigest(), 'net': f'{type(task.net).__name__} {task.net.row}',
          'dtype': np.dtype(options.dtype).name, 'activation': options.activation,
          'mean': task.mean, 'deviation': task.deviation, 'platform': jax.default_backend()}


def _read(folder, loader):
  """The arrays of a folder, their files compared with the manifest; features stay on disk."""
  found = manifest.verify(folder)
  with contextlib.suppress(OSError):            # of another person, who lets us read them
    os.utime(folder)                            # read today
  for id, reason in found['bad_images']:
    loader.bad_images.add(id, reason)
  arrays = {name.removesuffix('.npy'): np.load(
      folder / name, mmap_mode='r' if name == 'features.npy' else None, allow_pickle=False)
      for name in found['files']}
  if {len(value) for value in arrays.values()} != {loader.num_examples}:
    raise ValueError('arrays of other lengths')
  return arrays


def _compute(folder, task, mesh, variables, loader, poll):
  """Writes the arrays of a split into an empty folder."""
  run = parallel.compile_rows_and_sums(
      lambda variables, batch: (task.net.apply(variables, normalise(
          batch['image'], task.mean, task.deviation), train=False)[1]['features'],
          batch['mask'].sum()), mesh)
  say(f'computing the features of {loader.num_examples:,} pictures, once; {folder.parent} keeps '
      'them')
  features, rest, start = None, [], time.monotonic()
  for number, batch in enumerate(loader.batches(0, loader.num_batches)):
    poll()
    found = parallel.to_host(run(variables, parallel.put_batch(mesh, {
        key: batch[key] for key in ('image', 'mask')}))[0])
    if features is None:
      features = np.lib.format.open_memmap(
          folder / 'features.npy', mode='w+', dtype=np.float32,
          shape=(loader.num_examples, found.shape[-1]))
    first = number * len(found)
    features[first:first + len(found)] = found[:loader.num_examples - first]
    rest.append({key: value for key, value in batch.items() if key != 'image'})
    if number == 0:
      start = time.monotonic()                  # the first batch is compilation
    elif number == TIMED_BATCHES:
      left = (time.monotonic() - start) / number * (loader.num_batches - 1 - number)
      if left > LONG_SEC:
        say(f'expect {human_time(left)} for the other {loader.num_batches - 1 - number} batches')
  features.flush()
  for key in rest[0]:
    values = np.concatenate([np.asarray(batch[key]) for batch in rest])[:loader.num_examples]
    np.save(folder / f'{key}.npy', values, allow_pickle=False)
