"""Features of pictures: taps of a net, computed once and kept on disk.

A picture that is not augmented always has the same features. They are kept in a folder of their own
for each set of pictures, named by a digest of all that decides them: the weights, the data, how
pictures are read and normalised, the net, its taps and its dtype. See `kept_folder` for the folder.

Maps are averaged over the picture, and what the net does behind the last tap that is asked for is
not computed.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError
from train_lib import parallel
from train_lib.devices import cache_folder
from train_lib.reporting import human_time, say
from train_lib.storage import kept_folder, records
from train_lib.tasks.pixels import normalise
from train_lib.trees import flatten_names

HEADS = ('params/head/', 'params/aux_logits/', 'batch_stats/aux_logits/')  # no part of the trunk
FORMAT = 2                        # of what is kept; another number, and all is computed again
TIMED_BATCHES = 3                 # after the first, for the estimate at the start
LONG_SEC = 30.0                   # a wait that is worth an estimate
SAVE_SEC = 30.0                   # of work that a stop may cost
_CONTROL = ('id', 'bad')          # arrays of a part that are JSON


class Trunk(NamedTuple):
  """A net without a use, where a task stands elsewhere: what `load_features` needs of one."""
  net: object                     # a Linen module
  mean: tuple[float, ...]         # of a picture's channels, that are subtracted ...
  deviation: tuple[float, ...]    # ... and divided by


def load_features(directory: str, task, mesh, variables: dict, loader, reading: dict,
                  poll: Callable[[], None] = lambda: None, *,
                  taps: tuple[str, ...] = ('features',), dtype: str = 'float32') -> dict:
  """The features of pictures, from disk where they were computed before.

  A run that is stopped loses SAVE_SEC of work at most; the next one goes on.

  Args:
    directory: that holds the folders; '' is the user's cache folder.
    task: with its net, and what pixels are normalised by; or a `Trunk`.
    mesh: the devices.
    variables: of the net, on the devices.
    loader: of the pictures, in evaluation order.
    reading: all that decides what the loader reads, JSON values.
    poll: called for each batch; may raise to stop.
    taps: of the net, side by side; maps [B, ..., C] are averaged over all but the channels.
    dtype: of the numbers that are kept, float32 or float16.

  Returns:
    {'features': `dtype` [N, C], on disk; 'mask': float32 [N], 0 where the picture is unreadable;
    'id': [N]; and every other key of the loader}.

  Raises:
    UserError: a tap that the net has not, or a folder that cannot be written.
  """
  widths = tap_widths(task, variables, loader, taps)
  about = {'format': FORMAT, 'reading': reading, 'keys': loader.keys, 'taps': taps, 'dtype': dtype,
           **_describe_trunk(task, variables)}
  folder, found = kept_folder.open_kept(
      cache_folder(directory, 'features'), about,
      lambda arrays, parts: _fill(arrays, parts, task, mesh, variables, loader, poll, taps,
                                  np.dtype(dtype), sum(widths)),
      what='features', key='runtime.features_dir', poll=poll)
  for id, reason in found['bad_images']:
    loader.bad_images.add(id, reason)
  arrays = {name.removesuffix('.npy'): np.load(
      folder / name, mmap_mode='r' if name == 'features.npy' else None, allow_pickle=False)
      for name in found['files'] if name.endswith('.npy')}
  return {**arrays, 'id': np.array(json.loads(records.read_bytes(folder / 'id.json')), object)}


def tap_widths(task, variables: dict, loader, taps: tuple[str, ...]) -> list[int]:
  """The channels of each tap. Raises UserError for one that the net has not, or none at all.

  Args: as those of `load_features`.
  """
  shape = _find_shape(loader)
  _, found = jax.eval_shape(
      lambda variables, image: task.net.apply(variables, image, train=False), variables,
      jax.ShapeDtypeStruct((1, *shape), jnp.float32))
  for tap in taps:
    if tap not in found:
      raise UserError(f"the net has no tap '{tap}'; its taps are {', '.join(found)}")
  if not taps:
    raise UserError(f'no tap is named; the taps of the net are {", ".join(found)}')
  return [found[tap].shape[-1] for tap in taps]


def _find_shape(loader) -> tuple[int, ...]:
  """[H, W, C] of the loader's pictures, by the first that can be read."""
  for index in range(loader.num_examples):
    example = loader.example(index)
    if example is not None:
      return example['image'].shape
  return loader.make_batch(0)['image'].shape[1:]  # raises, and says why none can be read


def _describe_trunk(task, variables):
  digest = hashlib.sha256()
  for name, leaf in sorted(flatten_names(variables).items()):
    if not name.startswith(HEADS):
      leaf = np.asarray(leaf) + 0.0             # -0 counts as 0
      digest.update(f'{name} {leaf.dtype} {leaf.shape}'.encode() + leaf.tobytes())
  options = task.net.options
  return {'weights': digest.hexdigest(), 'net': f'{type(task.net).__name__} {task.net.row}',
          'dtype_of_net': np.dtype(options.dtype).name, 'activation': options.activation,
          'mean': task.mean, 'deviation': task.deviation, 'platform': jax.default_backend()}


def stream_features(task, mesh, variables: dict, loader, taps: tuple[str, ...], start: int = 0,
                    poll: Callable[[], None] = lambda: None):
  """Yields (batch, float32 [B, C]) for each batch of a loader from `start` on.

  Args: as those of `load_features`.
  """
  compute = compile_features(task, mesh, variables, taps)
  for batch in loader.batches(start, loader.num_batches):
    poll()
    yield batch, compute(batch)


def compile_features(task, mesh, variables: dict, taps: tuple[str, ...]) -> Callable:
  """Returns features(batch) -> float32 [B, C], which is compiled at its first call.

  Args: as those of `load_features`.
  """
  def compute(variables, batch):
    image = normalise(batch['image'], task.mean, task.deviation)
    found = task.net.apply(variables, image, train=False)[1]
    pooled = [found[tap].mean(axis=tuple(range(1, found[tap].ndim - 1)), dtype=jnp.float32)
              for tap in taps]
    return jnp.concatenate(pooled, axis=-1), batch['mask'].sum()

  run = parallel.compile_rows_and_sums(compute, mesh)

  def features(batch):
    shown = {key: batch[key] for key in ('image', 'mask')}
    return parallel.to_host(run(variables, parallel.put_batch(mesh, shown))[0])

  return features


def _fill(arrays, parts, task, mesh, variables, loader, poll, taps, dtype, width) -> dict:
  """Writes the arrays, from where an earlier run was stopped; returns fields of the manifest."""
  done, path = _count_done(parts, loader.batch_size), arrays / 'features.npy'
  if not path.exists():
    done = 0
  if not done:                                  # what any parts tell of is written over
    for part in parts.glob('*.npz'):
      part.unlink()
  features = np.lib.format.open_memmap(path, mode='r+' if done else 'w+', dtype=dtype,
                                       shape=(loader.num_examples, width))
  say(f'computing the features of {loader.num_examples:,} pictures, once; '
      f'{arrays.parent.parent} keeps them'
      + (f'; {done:,} of {loader.num_batches:,} batches are there' if done else ''))
  clock = _Clock(loader.num_batches - done)
  rest, first_unsaved, saved = [], done, time.monotonic()
  for number, (batch, found) in enumerate(
      stream_features(task, mesh, variables, loader, taps, done, poll), done):
    largest = np.abs(found).max()               # NaN where one is
    if not np.isfinite(largest):
      raise UserError('the net gives features that are not numbers; choose other weights for it')
    if largest > np.finfo(dtype).max:
      raise UserError(f'features are as large as {largest:.3g}, more than {dtype} can hold; keep '
                      'them as float32')
    first = number * len(found)
    features[first:first + len(found)] = found[:loader.num_examples - first]
    rest.append({key: value for key, value in batch.items() if key != 'image'})
    clock.tick(number - done)
    if time.monotonic() - saved > SAVE_SEC or number + 1 == loader.num_batches:
      features.flush()
      _save_part(parts, first_unsaved, number + 1, rest, loader)
      rest, first_unsaved, saved = [], number + 1, time.monotonic()
  return _join(arrays, parts, loader)


class _Clock:
  """Tells how long it will take, where that is long. Args: batches: to come."""

  def __init__(self, batches: int):
    self._batches, self._start = batches, 0.0

  def tick(self, number: int) -> None:
    """Args: number: of the batch that is done, from 0; the first is compilation."""
    if number == 0:
      self._start = time.monotonic()
    elif number == TIMED_BATCHES:
      others = self._batches - 1 - number
      left = (time.monotonic() - self._start) / number * others
      if left > LONG_SEC:
        say(f'expect {human_time(left)} for the other {others} batches')


def _save_part(parts, start, stop, rest, loader) -> None:
  """Writes what is known of the batches start, ..., stop - 1 besides their features.

  Its name holds the size of the batches: those of a run with another size are none of this one's.
  """
  values = {key: np.concatenate([np.asarray(batch[key]) for batch in rest])
            for key in rest[0] if key != 'id'}
  texts = {'id': [name for batch in rest for name in batch['id']],
           'bad': sorted(loader.bad_images.reasons().items())}
  content = io.BytesIO()
  np.savez(content, **values, **{key: np.frombuffer(json.dumps(text).encode(), np.uint8)
                                 for key, text in texts.items()})
  name = f'{loader.batch_size}-{start:09d}-{stop:09d}.npz'
  records.write_bytes(parts / name, content.getvalue())


def _list_parts(parts, batch_size) -> list[tuple[int, str]]:
  """[(the batch behind it, name)] of the parts that follow one another from the first batch on."""
  found, done = [], 0
  for name in sorted(path.name for path in parts.glob(f'{batch_size}-*.npz')):
    _, start, stop = map(int, name.removesuffix('.npz').split('-'))
    if start == done:
      found.append((stop, name))
      done = stop
  return found


def _count_done(parts, batch_size) -> int:
  return max((stop for stop, _ in _list_parts(parts, batch_size)), default=0)


def _join(arrays, parts, loader) -> dict:
  """Writes an array for each key out of the parts; returns fields of the manifest."""
  columns, bad, num_examples = {}, {}, loader.num_examples
  for _, name in _list_parts(parts, loader.batch_size):
    with np.load(parts / name, allow_pickle=False) as part:
      for key in part.files:
        value = json.loads(part[key].tobytes()) if key in _CONTROL else part[key]
        if key == 'bad':
          bad.update(value)
        else:
          columns.setdefault(key, []).append(value)
  ids = [name for part in columns.pop('id') for name in part][:num_examples]
  arrays_of = {key: np.concatenate(values)[:num_examples] for key, values in columns.items()}
  if {len(ids), *map(len, arrays_of.values())} != {num_examples}:
    raise ValueError(f'the parts in {parts} are not of {num_examples} pictures')
  records.write_json(arrays / 'id.json', ids)
  for key, value in arrays_of.items():
    np.save(arrays / f'{key}.npy', value, allow_pickle=False)
  return {'bad_images': sorted(bad.items())}
