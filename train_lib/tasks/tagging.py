"""Multi-label tagging: every tag of a picture is a yes or no of its own."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from train_lib.tags import tag_collector
from train_lib.tags.tag_collector import Collected, TagCollector
from train_lib.tasks import mixing
from train_lib.tasks.pixels import normalise
from train_lib.tasks.reductions import masked_mean, masked_sum, mean_loss


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
    treatment: of tags that are not listed, (logits, labels) -> (targets, weights), all [B, T].
    tag_weights: [T], or one number for all.
    mixup_alpha, cutmix_alpha: of `mixing.mix`, by which pictures and their tags are mixed; 0 is
      off.
    auxiliary_weight: of the loss of the net's auxiliary head, where it has one.
    shrink: pictures are averaged over squares of this side first; 1 leaves them.

  Treatment, weights and mixing act on the training loss alone. What is tallied is the plain loss of
  the tags as listed, so that runs which differ in them can be compared.
  """
  net: Any
  loss_function: Callable
  mean: tuple[float, ...]
  deviation: tuple[float, ...]
  num_tags: int
  over_tags: str
  scored: np.ndarray
  treatment: Callable = lambda logits, labels: (labels, 1.0)
  tag_weights: np.ndarray | float = 1.0
  mixup_alpha: float = 0.0
  cutmix_alpha: float = 0.0
  auxiliary_weight: float = 0.0
  shrink: int = 1

  best_metric = 'macro_f1_tuned'  # of the validation split, by which a checkpoint is best
  output_axes = 2                 # of the net's output: [B, T]
  batch_keys = ('tags',)          # of a batch, besides the picture, that training needs
  exclusive = False               # a picture has any number of what the outputs stand for

  def init(self, key: jax.Array, batch: dict) -> dict:
    """Fresh variables {'params', 'batch_stats'} for pictures of the batch's size."""
    return self.net.init(key, self._pixels(batch['image'])[:1], train=False)

  def loss(self, variables: dict, batch: dict, rngs: dict, step=0) -> tuple[jax.Array, dict]:
    """The mean loss of the batch's real rows, and the net's new statistics.

    Args: rngs: 'dropout' for the net, and 'mixup' where pictures are mixed; step: not used.
    """
    del step
    image, labels, weights = batch['image'], multi_hot(batch['tags'], self.num_tags), 1.0
    if 'ignored_tags' in batch:
      weights = 1 - multi_hot(batch['ignored_tags'], self.num_tags)
    if self.mixup_alpha > 0 or self.cutmix_alpha > 0:
      image, share = mixing.mix(rngs['mixup'], image, batch['mask'], mixup_alpha=self.mixup_alpha,
                                cutmix_alpha=self.cutmix_alpha)
      labels, weights = mixing.blend_labels(labels, weights, share)
    (logits, taps), changed = self.net.apply(
        variables, self._pixels(image), train=True, rngs=rngs, mutable=['batch_stats'])
    targets, certain = self.treatment(logits, labels)
    weights = weights * certain * self.tag_weights
    losses = self._losses(logits, targets, weights)
    if 'aux_output' in taps:
      losses += self.auxiliary_weight * self._losses(taps['aux_output'], targets, weights)
    return masked_mean(losses, batch['mask']), changed.get('batch_stats', {})

  def tally(self, variables: dict, batch: dict) -> dict:
    """Sums over real rows: 'loss', plain, and 'examples', their number."""
    logits, _ = self.net.apply(variables, self._pixels(batch['image']), train=False)
    losses = self._losses(logits, multi_hot(batch['tags'], self.num_tags))
    return {'loss': masked_sum(losses, batch['mask']), 'examples': batch['mask'].sum()}

  def predict(self, variables: dict, batch: dict) -> dict:
    """'probabilities', shape [B, T], each 0..1."""
    logits, _ = self.net.apply(variables, self._pixels(batch['image']), train=False)
    return {'probabilities': jax.nn.sigmoid(logits)}

  def truth(self, batch: dict) -> dict:
    """What `measure` compares with, on the host: bool [B, T] 'labels', and where the data know
    which tags were true before some were dropped, 'drawn_labels'."""
    names = {'tags': 'labels', 'drawn_tags': 'drawn_labels'}
    return {name: multi_hot_on_host(batch[key], self.num_tags)
            for key, name in names.items() if key in batch}

  def collector(self, loader: Any, thresholds: dict | None = None) -> TagCollector:
    """Takes the rows of a split as they come. Args: loader: of the split; thresholds: as those of
    `TagCollector`."""
    return TagCollector(loader.num_examples, self.scored, thresholds)

  def tune(self, collected: Collected) -> dict:
    """The best thresholds on a split, for `collector` and `measure` of another."""
    return tag_collector.tune(collected, self.scored)

  def measure(self, totals: dict, collected: Collected, thresholds: dict) -> dict[str, float]:
    """'loss', 'examples' and what `figures` gives. Args: as those of `figures`."""
    return {**mean_loss(totals), **self.figures(collected, thresholds)}

  def figures(self, collected: Collected, thresholds: dict) -> dict[str, float]:
    """What `tag_collector.all_figures` gives, of the scored tags. Args: thresholds: of `tune`."""
    return tag_collector.all_figures(collected, self.scored, thresholds)

  def summary(self, metrics: dict[str, float]) -> str:
    """The figures of `measure` that a person follows, in a line."""
    return (f'loss {metrics["loss"]:.3f}  mAP {metrics["map"]:.4f}  '
            f'macro F1 {metrics["macro_f1_tuned"]:.4f} at {metrics["macro_threshold"]:.2f}')

  def _pixels(self, image):
    return normalise(image, self.mean, self.deviation, self.shrink)

  def _losses(self, logits, targets, weights=1.0):
    losses = self.loss_function(logits, targets) * weights        # [B, T]
    return losses.sum(axis=-1) if self.over_tags == 'sum' else losses.mean(axis=-1)


def multi_hot(tags: jax.Array, num_tags: int) -> jax.Array:
  """Tag indices [B, L], padded with -1 -> float32 [B, T] of zeros and ones."""
  columns = jnp.where(tags < 0, num_tags, tags)                 # out of bounds: dropped
  # row by row: devices that hold a share of the rows need nothing from each other
  return jax.vmap(lambda row: jnp.zeros(num_tags).at[row].set(1.0, mode='drop'))(columns)


def multi_hot_on_host(tags: np.ndarray, num_tags: int) -> np.ndarray:
  """The same in numpy: int [B, L] -> bool [B, T]."""
  labels = np.zeros((len(tags), num_tags + 1), bool)
  np.put_along_axis(labels, tags, True, axis=1)                 # -1, padding, is the last column
  return labels[:, :-1]
