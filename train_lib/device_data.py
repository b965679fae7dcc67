"""A split that is decoded once: whole arrays, from which a program takes the rows of a batch."""

import dataclasses
import math
import os
from collections.abc import Callable

import jax
import numpy as np

from errors import UserError
from train_lib import build_data, parallel

SHARE = 0.5                       # of the memory that is left, that the pictures may take


@dataclasses.dataclass(frozen=True)
class Split:
  """Every example of a split once, in its order.

  Attributes:
    num_examples: of the split, without what only fills the last batch.
    batch: all of them as one batch of numpy, ids too, with rows of mask 0 that fill it up to a
      multiple of eval.batch_size.
    arrays: what a device needs of it, there: {key: [rows, ...]}.
  """
  num_examples: int
  batch: dict
  arrays: dict[str, jax.Array]


def check_repeatable(config) -> None:
  """Raises UserError where a picture would look otherwise the next time it is read."""
  if config.data.corrupt:
    raise UserError(f'data.corrupt is {tuple(config.data.corrupt)}, which damages every scan '
                    'otherwise each time; replicas keep each as it is read once, so set it to ()')
  trained, measured = (build_data.build_pipeline(config, train=train) for train in (True, False))
  if trained != measured:
    raise UserError(f'data.augment is {tuple(config.data.augment)}, which makes every picture '
                    'another one each time; replicas keep each picture as it is decoded once, so '
                    'set data.augment to ()')


def load(config, source, what: str, mesh, *, keys: tuple[str, ...],
         poll: Callable[[], None] = lambda: None) -> Split:
  """Decodes a split and puts it on every device.

  Args:
    config: the whole config.
    source: see data/batch.py.
    what: its name, for messages.
    mesh: the devices.
    keys: of the batch.
    poll: called for each batch; may raise to stop.

  Raises:
    UserError: the split takes more than a share of the memory.
  """
  loader = build_data.build_loader(config, source, train=False, batch_size=config.eval.batch_size,
                                   keys=keys)
  _check_size(loader, what, mesh)
  batches = []
  for batch in loader.batches(0, loader.num_batches):
    poll()
    batches.append(batch)
  whole = {key: sum((batch[key] for batch in batches), []) if key == 'id'
           else np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
  arrays = {key: value for key, value in whole.items() if key not in parallel.ON_HOST}
  return Split(loader.num_examples, whole, parallel.put_whole(mesh, arrays))


def check_readable(split: Split, what: str) -> None:
  """Raises UserError where a picture could not be read: training has another one in its place."""
  bad = int(split.num_examples - split.batch['mask'].sum())
  if bad:
    row = int(np.argmin(split.batch['mask']))
    raise UserError(f'{bad} of the {split.num_examples} pictures of the {what} cannot be read, the '
                    f'first of them number {row}; replicas need all of them: mend or remove them')


def memory_left(device: jax.Device) -> float:
  """Bytes that can still be taken: of the device's own memory, of a CPU the machine's; or inf."""
  if device.platform == 'cpu':
    return _host_memory_left()
  known = device.memory_stats() or {}
  if 'bytes_limit' not in known:
    return math.inf
  return known['bytes_limit'] - known.get('bytes_in_use', 0)


def _host_memory_left() -> float:
  try:
    with open('/proc/meminfo') as file:
      fields = dict(line.split(':') for line in file)
    return 1024 * int(fields['MemAvailable'].split()[0])
  except (OSError, KeyError):
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')


def _check_size(loader, what, mesh):
  """Raises UserError where the pictures would not fit; reads one that can be read."""
  readable = (loader.example(index) for index in range(loader.num_examples))
  example = next((one for one in readable if one is not None), None)
  if example is None:
    return                                                    # the loader itself says so
  needed = loader.num_examples * example['image'].nbytes
  # virtual devices share one memory, and each holds the whole split
  copies = mesh.size if mesh.devices.flat[0].platform == 'cpu' else 1
  room = SHARE * memory_left(mesh.devices.flat[0])
  if needed * copies > room:
    raise UserError(
        f'the {loader.num_examples:,} pictures of the {what} take {needed * copies / 1e9:.1f} GB '
        f'and {room / 1e9:.1f} GB are free for them; replicas keep all on the device: take fewer '
        'pictures, or smaller ones with data.image_size_px')
