"""Multi-label tagging: every tag of a picture is a yes or no of its own."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError
from train_lib import metrics
from train_lib.tasks.reductions import masked_mean, masked_sum


@dataclasses.dataclass(frozen=True)
class Tagging:
  """A net with one logit per tag, and an element-wise loss from logits and multi-hot labels.

  Attributes:
    net: a Linen module with `num_tags` outputs.
    loss_function: (logits [B, T], labels [B, T]) -> [B, T].
    mean, deviation: of a picture's channels, in 0..255; what the net subtracts and divides by.
    num_tags: T.
    over_tags: 'sum' or 'mean', how the losses of a picture's tags are joined.
    scored: [T] bool, the tags that the metrics are about (ratings are told apart).
    shrink: pictures are averaged over squares of this side first; 1 leaves them.
  """
  net: Any
  loss_function: Callable
  mean: tuple[float, ...]
  deviation: tuple[float, ...]
  num_tags: int
  over_tags: str
  scored: np.ndarray
  shrink: int = 1

  best_metric = 'macro_f1_tuned'  # of the validation split, by which a checkpoint is best

  def init(self, key: jax.Array, batch: dict) -> dict:
    """Fresh variables {'params', 'batch_stats'} for pictures of the batch's size."""
    return self.net.init(key, self._pixels(batch)[:1], train=False)

  def loss(self, variables: dict, batch: dict, rngs: dict) -> tuple[jax.Array, dict]:
    """The mean loss of the batch's real rows, and the net's new statistics."""
    (logits, _), changed = self.net.apply(
        variables, self._pixels(batch), train=True, rngs=rngs, mutable=['batch_stats'])
    return masked_mean(self._losses(logits, batch), batch['mask']), changed['batch_stats']

  def tally(self, variables: dict, batch: dict) -> dict:
    """Sums over real rows: 'loss', and 'examples', their number."""
    logits, _ = self.net.apply(variables, self._pixels(batch), train=False)
    return {'loss': masked_sum(self._losses(logits, batch), batch['mask']),
            'examples': batch['mask'].sum()}

  def predict(self, variables: dict, batch: dict) -> dict:
    """'probabilities', shape [B, T], each 0..1."""
    logits, _ = self.net.apply(variables, self._pixels(batch), train=False)
    return {'probabilities': jax.nn.sigmoid(logits)}

  def truth(self, batch: dict) -> dict:
    """What `measure` compares with, on the host: bool [B, T] 'labels', and where the data know
    which tags were true before some were dropped, 'drawn_labels'."""
    names = {'tags': 'labels', 'drawn_tags': 'drawn_labels'}
    return {name: multi_hot_on_host(batch[key], self.num_tags)
            for key, name in names.items() if key in batch}

  def measure(self, totals: dict, predictions: dict, truths: dict,
              thresholds: dict | None = None) -> dict[str, float]:
    """One division, and the metrics that need all rows at once; of the scored tags.

    Args:
      totals: sums of `tally`.
      predictions: {'probabilities': [N, T]}; truths: {'labels': [N, T]}.
      thresholds: as `tune` returned on the validation split; None tunes on these rows.
    """
    probabilities = predictions['probabilities'][:, self.scored]
    labels = truths['labels'][:, self.scored]
    if not np.isfinite(probabilities).all():
      raise UserError('the net gives values that are not numbers: training has diverged; lower '
                      'optimizer.learning_rate or set optimizer.clip_norm')
    return {'loss': float(totals['loss'] / max(totals['examples'], 1)),
            'examples': int(totals['examples']),
            **metrics.tag_metrics(probabilities, labels, thresholds)}

  def _pixels(self, batch):
    mean, deviation = jnp.asarray(self.mean), jnp.asarray(self.deviation)
    image = (batch['image'].astype(jnp.float32) - mean) / deviation
    rows, height, width, channels = image.shape
    side = self.shrink
    return image.reshape(
        rows, height // side, side, width // side, side, channels).mean(axis=(2, 4))

  def _losses(self, logits, batch):
    losses = self.loss_function(logits, multi_hot(batch['tags'], self.num_tags))   # [B, T]
    return losses.sum(axis=-1) if self.over_tags == 'sum' else losses.mean(axis=-1)


def multi_hot(tags: jax.Array, num_tags: int) -> jax.Array:
  """Tag indices [B, L], padded with -1 -> float32 [B, T] of zeros and ones."""
  rows = jnp.arange(tags.shape[0])[:, None]
  columns = jnp.where(tags < 0, num_tags, tags)                 # out of bounds: dropped
  return jnp.zeros((tags.shape[0], num_tags)).at[rows, columns].set(1.0, mode='drop')


def multi_hot_on_host(tags: np.ndarray, num_tags: int) -> np.ndarray:
  """The same in numpy: int [B, L] -> bool [B, T]."""
  labels = np.zeros((len(tags), num_tags + 1), bool)
  np.put_along_axis(labels, tags, True, axis=1)                 # -1, padding, is the last column
  return labels[:, :-1]
