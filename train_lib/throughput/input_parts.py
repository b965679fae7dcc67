"""The input pipeline, part by part and alone, then as training runs it: pictures/s."""

import itertools
import time
from collections.abc import Callable

import cv2
import jax
import numpy as np

from train_lib import build_data, parallel

SAMPLE = 64                       # pictures that the parts after reading work on
WARM_BATCHES = 2                  # of each worker, before the clock starts
FEWEST = 4                        # batches of the whole loader, at least


def measure(training, *, seconds: float,
            poll: Callable[[], None] = lambda: None) -> dict[str, float]:
  """Pictures/s of each part and of the whole, while nothing else computes.

  'read' opens files and decodes, 'augment' is every operation after that, 'batch' puts finished
  examples together: each on one thread. 'transfer' puts a batch on the devices. '' is the whole
  loader with the config's workers.

  Args:
    training: of `build_training`; its loader is read.
    seconds: of each.
  """
  loader, rates = training.loader, {}
  batch = loader.make_batch(0)                      # tells what is wrong with the data
  before = cv2.getNumThreads()
  cv2.setNumThreads(1)                              # as in the loader
  try:
    decoded = _rate_of_reading(training, rates, seconds, poll)
    finished = _rate_of_augmenting(training, decoded, rates, seconds, poll)
    rows = (finished * -(-loader.batch_size // len(finished)))[:loader.batch_size]
    rates['batch'] = len(rows) * _calls_per_sec(lambda: loader.assemble(rows), seconds, poll)
    rates['transfer'] = loader.batch_size * _calls_per_sec(
        lambda: jax.block_until_ready(parallel.put_batch(training.mesh, batch)), seconds, poll)
  finally:
    cv2.setNumThreads(before)
  rates[''] = _rate_of_loader(training, seconds, poll)
  return rates


def _rate_of_reading(training, rates, seconds, poll):
  """Decoded examples of the first pictures that can be read."""
  loader, decode = training.loader, _pipeline(training)[0]
  wanted = _wanted(training)
  indices = itertools.cycle(loader.train_rows(0, 1).ravel())
  decoded, count, started = [], 0, time.perf_counter()
  while time.perf_counter() - started < seconds or not decoded:
    poll()
    for index in itertools.islice(indices, 8):
      try:
        example = loader.source[int(index)]
        example = decode({key: example[key] for key in example if key in wanted})
      except (ValueError, OSError):                 # training has another picture in its place
        continue
      count += 1
      if len(decoded) < SAMPLE:
        decoded.append(example)
  rates['read'] = count / (time.perf_counter() - started)
  return decoded


def _rate_of_augmenting(training, decoded, rates, seconds, poll):
  """Finished examples."""
  operations, finished, count, started = _pipeline(training)[1:], [], 0, time.perf_counter()
  while time.perf_counter() - started < seconds or len(finished) < len(decoded):
    poll()
    for number, example in enumerate(decoded):
      example = {**example, 'rng': np.random.default_rng((count, number))}
      for operation in operations:
        example = operation(example)
      if len(finished) < len(decoded):
        finished.append(example)
    count += len(decoded)
  rates['augment'] = count / (time.perf_counter() - started)
  return finished


def _rate_of_loader(training, seconds, poll):
  """Of the loader with its workers, once they are under way."""
  runtime = training.config.runtime
  warm = 1 + WARM_BATCHES * runtime.workers
  batches = training.loader.batches(0, 1 << 30)
  try:
    for _ in itertools.islice(batches, warm):
      poll()
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds or count < FEWEST:
      next(batches)
      count += 1
      poll()
    return count * training.loader.batch_size / (time.perf_counter() - started)
  finally:
    batches.close()


def _calls_per_sec(call, seconds, poll):
  call()
  count, started = 0, time.perf_counter()
  while time.perf_counter() - started < seconds or count < FEWEST:
    call()
    count += 1
    poll()
  return count / (time.perf_counter() - started)


def _pipeline(training) -> tuple:
  return build_data.build_pipeline(training.config, train=True)


def _wanted(training) -> set:
  """The keys of an example that the pipeline or the batch asks for."""
  needs = (key for operation in _pipeline(training) for key in getattr(operation, 'needs', ()))
  return {'id', 'image_bytes', *training.loader.keys, *needs}
