"""What is measured of a training split before the first step: shares, weights, pixels."""

from collections.abc import Callable

import numpy as np

FREQUENCY_SAMPLE = 4096           # examples that the head's first biases are read from
LEAST_DEVIATION = 1.0             # of pixels, in 0..255: one of a colour that never changes


def even_sample(size: int, most: int) -> np.ndarray:
  """int64: at most so many of the places 0 to size - 1, both ends in, at even distances."""
  return np.linspace(0, size - 1, min(size, most)).astype(np.int64)


def prior_logits(source, poll: Callable[[], None], *, exclusive: bool = False
                 ) -> tuple[float, ...]:
  """Logits that give every tag, or class, its share p of an even sample of the source.

  log(p / (1 - p)) for tags, whose probabilities are sigmoids; with exclusive=True, for classes and
  their softmax, log p.
  """
  rows = even_sample(len(source), FREQUENCY_SAMPLE)
  counts = np.zeros(len(source.tag_names))
  for row in rows:
    poll()
    counts[source.tags_of(int(row))] += 1
  if exclusive:
    return tuple(np.log((counts + 0.5) / (counts + 0.5).sum()).tolist())
  share = (counts + 0.5) / (len(rows) + 1)
  return tuple(np.log(share / (1 - share)).tolist())


def weigh_tags(source, power: float, poll: Callable[[], None], *, exclusive: bool = False):
  """(1 / share of the pictures) ** power of every tag or class, scaled: float32 [T].

  Half a picture is added to a tag's count and one to all pictures, so that a tag that no picture
  has weighs something. The weights of tags are divided by their mean; with exclusive=True, those of
  classes by their mean over the pictures, so that the mean loss keeps its size. A power of 0 weighs
  all alike and counts nothing: 1.0.
  """
  if not power:
    return 1.0
  share = (source.count_tags(poll) + 0.5) / (len(source) + 1)
  rarity = -np.log(share)
  weights = np.exp(power * (rarity - rarity.max()))               # no power overflows
  scale = (weights @ share) / share.sum() if exclusive else weights.mean()
  return (weights / scale).astype(np.float32)


def measure_pixels(loader, poll: Callable[[], None]
                   ) -> tuple[tuple[float, ...], tuple[float, ...]]:
  """(mean, deviation) of red, green and blue, in 0..255, over all pixels of a loader's pictures.

  White that fills a picture up counts: the net sees it too. The sums are whole numbers, so that
  neither the order of the pictures nor the size of batches changes a bit.

  Args:
    loader: in evaluation order.
    poll: called for each batch; may raise to stop.
  """
  counts = np.zeros((3, 256), np.int64)                           # of each value of each channel
  for batch in loader.batches(0, loader.num_batches):
    poll()
    pixels = batch['image'][batch['mask'] > 0].reshape(-1, 3)
    counts += np.stack([np.bincount(channel, minlength=256) for channel in pixels.T])
  values, total = np.arange(256), counts.sum(axis=1)
  mean = counts @ values / total
  variance = counts @ values ** 2 / total - mean ** 2
  deviation = np.maximum(np.sqrt(np.maximum(variance, 0)), LEAST_DEVIATION)
  return tuple(mean.tolist()), tuple(deviation.tolist())
