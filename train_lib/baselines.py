"""What rows of a test table share that guess from a picture's pixels, of tags or of classes."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from train_lib.split_statistics import even_sample

HISTOGRAM_SIDE_PX = 64
BINS = 6                          # of a histogram, per channel
MOST_PICTURES = 25_000            # of the training split, about, that are learned from


@dataclasses.dataclass(frozen=True)
class Baseline:
  """A row of the table that is measured picture by picture.

  Attributes:
    guess: (images uint8 [n, H, W, 3], truth as of the task) -> probabilities float32 [n, T].
    parameters: numbers that it learned, 4 bytes each; 0 where that says nothing.
  """
  guess: Callable
  parameters: int


def by_colours(regression: Any) -> Baseline:
  """The row of a regression on `colour_histograms`.

  Args: regression: with `predict`, histograms -> probabilities, and `parameters`.
  """
  return Baseline(lambda images, truth: regression.predict(colour_histograms(images)),
                  regression.parameters)


def collect(task, fitted: dict[str, Baseline], loader, poll: Callable[[], None]
            ) -> tuple[dict, dict[str, float]]:
  """What each baseline collects on a split, and its pictures/s of reading and guessing.

  Args: task: makes collectors and truths; fitted: by name; loader: of the split, in evaluation
  order; poll: called before each batch, may raise.
  """
  collectors = {name: task.collector(loader) for name in fitted}
  spent_sec, first, rows, start = dict.fromkeys(fitted, 0.0), 0, 0, time.monotonic()
  for batch in loader.batches(0, loader.num_batches):
    read_sec = time.monotonic() - start
    poll()
    real = np.flatnonzero(batch['mask'] > 0)
    images, ids = batch['image'][real], [batch['id'][row] for row in real]
    truth = {key: value[real] for key, value in task.truth(batch).items()}
    for name, baseline in fitted.items() if len(real) else ():  # scikit-learn takes no empty ones
      start = time.monotonic()
      probabilities = baseline.guess(images, truth)
      spent_sec[name] += read_sec + time.monotonic() - start
      collectors[name].add({'probabilities': probabilities}, truth, ids, first + real)
    first, rows = first + len(batch['mask']), rows + len(real)
    start = time.monotonic()
  return ({name: collector.finish() for name, collector in collectors.items()},
          {name: rows / max(spent_sec[name], 1e-9) for name in fitted})


def even_batches(loader):
  """All batches, or evenly spread ones with about MOST_PICTURES in all."""
  wanted = max(1, MOST_PICTURES * loader.num_batches // loader.num_examples)
  if wanted >= loader.num_batches:
    yield from loader.batches(0, loader.num_batches)
    return
  for k in even_sample(loader.num_batches, wanted):
    yield loader.make_batch(int(k))


def colour_histograms(images: np.ndarray) -> np.ndarray:
  """uint8 [n, h, w, 3] -> float32 [n, 6 ** 3], the roots of the shares of a picture's joint RGB
  bins."""
  return np.array([_colour_histogram(image) for image in images],
                  np.float32).reshape(-1, BINS ** 3)


def _colour_histogram(image):
  import cv2
  small = cv2.resize(image, (HISTOGRAM_SIDE_PX, HISTOGRAM_SIDE_PX), interpolation=cv2.INTER_AREA)
  bins = (small.astype(np.int32) * BINS // 256).reshape(-1, 3) @ (BINS * BINS, BINS, 1)
  return np.sqrt(np.bincount(bins, minlength=BINS ** 3) / len(bins)).astype(np.float32)
