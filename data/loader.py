"""Batches as a pure function of (seed, k), a few of them made ahead.

Nothing here keeps a position: batch k holds the same rows whatever was read before, on however many
threads, processes or hosts, so a checkpoint stores the step and no more.
"""

import copy
import dataclasses
import functools
import threading
from dataclasses import dataclass

import numpy as np

from data.batch import Source, check_batch, collate
from data.decode import DecodeError
from data.pool import run_ahead
from errors import UserError

_SUBSTITUTES = 10  # tried for one unreadable picture before giving up
_FEWEST_BAD = 10  # unreadable pictures that stop a run, however small the dataset


@dataclass(frozen=True)
class BatchMaker:
  """The pure part of a loader; picklable, so that a process can have its own."""

  source: Source
  pipeline: tuple
  keys: tuple
  batch_size: int
  train: bool
  seed: int
  shard_index: int
  shard_count: int
  blank: dict | None

  def __call__(self, k: int) -> tuple[dict, list]:
    """Returns batch k of this shard and its unreadable pictures, a list of (id, reason)."""
    local_size = self.batch_size // self.shard_count
    first = k * self.batch_size + self.shard_index * local_size
    bad, rows = [], range(first, first + local_size)
    rngs = self._make_rngs(k, rows)
    examples = (self.load_row(k, row, bad, rng) for row, rng in zip(rows, rngs, strict=True))
    return self.assemble(examples, local_size, bad), bad

  def _make_rngs(self, k, rows):
    """What the augmentation of each row draws from, of (seed, k, row) alone; None in evaluation.

    All at once: between pictures, whose decoding clears the caches, each takes four times as long.
    """
    if not self.train:
      return [None] * len(rows)
    words = [(self.seed, k, row) for row in rows]
    if max(self.seed, k, rows[-1]) < 2**32:                   # an array is read in half the time
      words = np.array(words, np.uint32)
    return [np.random.default_rng(word) for word in words]

  def assemble(self, examples, num_rows, bad):
    """The batch of finished examples, one for each row."""
    # a width of 0 could not be told apart from no rows when a batch is cut into parts
    max_ignored = max(1, self.source.max_ignored) if 'ignored_tags' in self.keys else 0
    batch = collate(examples, num_rows, keys=self.keys, max_tags=self.source.max_tags,
                    max_ignored=max_ignored, find_blank=lambda: self._find_blank(bad))
    check_batch(batch)
    return batch

  def load_row(self, k, row, bad, rng=None):
    """The example of a global row, a substitute if it is unreadable in training, or None.

    Args: rng: the row's generator, fresh; None: it is made here.
    """
    size = len(self.source)
    if not self.train:
      return self.load(row, bad) if row < size else None
    epoch, position = divmod(row, size)
    index = int(_permutation(self.seed, epoch, size)[position])
    example = self.load(index, bad, rng or self._make_rngs(k, [row])[0])
    if example is None:
      for other in _substitutes(self.seed, index, size):
        example = self.load(int(other), bad, self._make_rngs(k, [row])[0])
        if example is not None:
          return example
      raise UserError(f'the picture {bad[-1 - _SUBSTITUTES][0]!r} and {_SUBSTITUTES} others drawn '
                      f'in its place are unreadable ({bad[-1][1]}); check the files.')
    return example

  def load(self, index, bad, rng=None):
    """The finished example of an index, or None and a note in `bad` where it cannot be read."""
    name = f'row {index}'
    try:
      example = self.source[index]
      name = example['id']
      example = {key: value for key, value in example.items() if key in self._wanted}
      if rng is not None:
        example['rng'] = rng
      for operation in self.pipeline:
        example = operation(example)
      return example
    except DecodeError as error:
      bad.append((name, str(error)))
    except OSError as error:
      where = f": '{error.filename}'" if error.filename else ''
      bad.append((name, f'{error.strerror}{where}' if error.strerror else str(error)))
    return None

  @functools.cached_property
  def _wanted(self):
    """Moving joints along costs time: only if asked for, or if an operation reads them."""
    needs = (key for operation in self.pipeline for key in getattr(operation, 'needs', ()))
    return {'id', 'image_bytes', *self.keys, *needs}

  def _find_blank(self, bad):
    """The first example that can be read: it shows the shapes to a batch without any row."""
    if self.blank is not None:
      return self.blank
    for index in range(len(self.source)):
      example = self.load(index, bad)
      if example is not None:
        return example
    raise UserError(f'none of the {len(self.source)} pictures can be read ({bad[-1][1]}).')


@functools.lru_cache(maxsize=4)
def _permutation(seed, epoch, size):
  return np.random.default_rng((seed, epoch)).permutation(size)


def _substitutes(seed, index, size):
  return np.random.default_rng((seed, index)).integers(size, size=_SUBSTITUTES)


class BadImages:
  """The unreadable pictures met so far, each once; safe to use from several threads."""

  def __init__(self, num_examples: int, limit_frac: float):
    self._num_examples = num_examples
    self._limit_frac = limit_frac
    self._lock = threading.Lock()
    self._reasons = {}
    self._num_drained = 0

  def __len__(self):
    return len(self._reasons)

  def add(self, id: str, reason: str) -> None:
    """Notes a picture.

    Raises:
      UserError: more than limit_frac of all pictures, and at least 10, are unreadable.
    """
    with self._lock:
      self._reasons.setdefault(id, reason)
      num_bad = len(self._reasons)
    if num_bad >= _FEWEST_BAD and num_bad > self._limit_frac * self._num_examples:
      raise UserError(f'{num_bad} of {self._num_examples} pictures are unreadable, more than the '
                      f'{self._limit_frac:.0%} allowed; the last is {id!r} ({reason}): mend or '
                      'remove them.')

  def reasons(self) -> dict[str, str]:
    """Returns {id: reason} of all that were noted."""
    with self._lock:
      return dict(self._reasons)

  def drain(self) -> list[dict]:
    """Returns what was noted since the last call: a list of {'id', 'reason'}."""
    with self._lock:
      fresh = list(self._reasons.items())[self._num_drained:]
      self._num_drained = len(self._reasons)
    return [{'id': id, 'reason': reason} for id, reason in fresh]


class Loader:
  """Batches of one shard (one host) of a source.

  Training: global row r = k * batch_size + i is position r % N of the permutation of (seed,
  r // N); an unreadable picture is replaced by another that depends on (seed, index) alone.
  Evaluation: the examples in order, each once; rows that fill the last batch, and unreadable
  pictures, have mask 0. Shard s of n holds rows s * batch_size / n and on of every global batch.

  Args:
    source: see data/batch.py.
    pipeline: tuple of operations, the first of which decodes.
    batch_size: rows of a global batch, over all shards; a multiple of shard_count.
    train: whether to shuffle, repeat and hand random generators to the operations.
    seed: of the permutations and of the augmentation, 0 or more.
    keys: the keys of `BATCH_KEYS` that the examples have and the batch shall hold.
    shard_index, shard_count: which slice of every global batch.
    workers: threads or processes that make batches ahead; 0: the caller's thread makes them.
    processes: processes in place of threads, for hosts with many cores.
    deadline_sec: longest wait for one batch of a worker.
    bad_limit_frac: share of unreadable pictures above which reading stops.
    blank: an example of the right shapes, so that a batch without any picture that can be read is
      one of padding; None: the first picture that can be read shows them, and one must be.

  Raises:
    UserError: the source is empty, or batch_size is no multiple of shard_count.
  """

  def __init__(self, source, pipeline, *, batch_size: int, train: bool, seed: int = 0,
               keys: tuple = ('image', 'tags'), shard_index: int = 0, shard_count: int = 1,
               workers: int = 0, processes: bool = False, deadline_sec: float = 600.0,
               bad_limit_frac: float = 0.1,
               blank: dict | None = None):
    if not len(source):
      raise UserError('the source holds no picture.')
    if batch_size < 1 or batch_size % shard_count:
      raise UserError(f'the batch size is {batch_size}; it must be a multiple of the {shard_count} '
                      'hosts that share it.')
    self.bad_images = BadImages(len(source), bad_limit_frac)
    self.num_examples = len(source)
    self.num_batches = -(-len(source) // batch_size)  # that hold every example once
    self.keys = tuple(keys)
    self.batch_size = batch_size                       # over all shards
    self._maker = BatchMaker(source, tuple(pipeline), self.keys, batch_size, train, seed,
                             shard_index, shard_count, blank)
    self._pool = {'workers': workers, 'processes': processes, 'deadline_sec': deadline_sec}

  @property
  def source(self) -> Source:
    """What is read."""
    return self._maker.source

  def whole(self) -> 'Loader':
    """Returns the same loader for all rows of each batch, in place of one shard's.

    What it cannot read is noted in `bad_images` of both.
    """
    other = copy.copy(self)
    other._maker = dataclasses.replace(self._maker, shard_index=0, shard_count=1)
    return other

  def make_batch(self, k: int) -> dict:
    """Returns batch k, made in the caller's thread: `mask`, `id` and the keys asked for.

    Raises:
      UserError: too many pictures are unreadable.
    """
    return self._note_bad(*self._maker(k))

  def sample(self) -> dict:
    """Returns a batch of one row: it shows the shapes and kinds of all."""
    bad = []
    return self._maker.assemble([self._maker.load_row(0, 0, bad)], 1, bad)

  def example(self, index: int) -> dict | None:
    """Returns the finished example of an index as evaluation reads it; None: it is unreadable."""
    return self._maker.load(index, [])

  def assemble(self, examples: list) -> dict:
    """Returns the batch that finished examples make, one for each row."""
    return self._maker.assemble(examples, len(examples), [])

  def substitutes(self, index: int) -> np.ndarray:
    """Returns the examples that training tries in turn where this one is unreadable."""
    return _substitutes(self._maker.seed, index, self.num_examples)

  def train_rows(self, first: int, count: int, seed: int | None = None) -> np.ndarray:
    """Returns the examples of training batches by their index: int64 [count, batch_size].

    Over all shards, and before unreadable pictures are replaced by others.

    Args:
      first, count: the batches first, ..., first + count - 1.
      seed: of the permutations; None: the loader's own.
    """
    maker = self._maker
    seed = maker.seed if seed is None else seed
    rows = np.arange(first * maker.batch_size, (first + count) * maker.batch_size)
    epochs, positions = np.divmod(rows, self.num_examples)
    indices = np.empty_like(rows)
    for epoch in np.unique(epochs):
      here = epochs == epoch
      indices[here] = _permutation(seed, int(epoch), self.num_examples)[positions[here]]
    return indices.reshape(count, maker.batch_size)

  def batches(self, start: int, stop: int):
    """Yields the batches start, ..., stop - 1 in order, made ahead by the workers.

    Raises:
      UserError: too many pictures are unreadable.
      WorkerLost: a worker died, or took longer than deadline_sec.
    """
    for made in run_ahead(self._maker, range(start, stop), **self._pool):
      yield self._note_bad(*made)

  def _note_bad(self, batch, bad):
    for id, reason in bad:
      self.bad_images.add(id, reason)
    return batch
