"""Classification: a picture is of exactly one of several classes."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from train_lib.classes import class_metrics
from train_lib.classes.class_collector import ClassCollector, Collected
from train_lib.tasks import mixing
from train_lib.tasks.pixels import normalise
from train_lib.tasks.reductions import masked_mean, masked_sum, mean_loss


@dataclasses.dataclass(frozen=True)
class Classification:
  """A net with one logit per class, and a loss from logits and the target distribution.

  Attributes:
    net: a Linen module with `num_classes` outputs.
    loss_function: (logits [B, K], targets [B, K], each row adding up to 1) -> [B]; without label
      smoothing, which is put into the targets here.
    mean, deviation: of a picture's channels, in 0..255; what the net subtracts and divides by.
    num_classes: K.
    class_weights: [K], or one number for all; a picture's loss is scaled by that of its class. The
      loss keeps its size where a picture's weight is 1 in the mean.
    label_smoothing: share of a target that all classes get alike, 0 to below 1; 0 is off.
    mixup_alpha, cutmix_alpha: of `mixing.mix`, 0 is off.
    auxiliary_weight: of the loss of the net's auxiliary head, where it has one.
    shrink: pictures are averaged over squares of this side first; 1 leaves them.

  Mixing, weights and smoothing act on the training loss alone. What is tallied is the plain loss of
  the pictures as they are, so that runs which differ in them can be compared.
  """
  net: Any
  loss_function: Callable
  mean: tuple[float, ...]
  deviation: tuple[float, ...]
  num_classes: int
  class_weights: np.ndarray | float = 1.0
  label_smoothing: float = 0.0
  mixup_alpha: float = 0.0
  cutmix_alpha: float = 0.0
  auxiliary_weight: float = 0.0
  shrink: int = 1

  best_metric = 'accuracy'        # of the validation split, by which a checkpoint is best
  output_axes = 2                 # of the net's output: [B, K]
  batch_keys = ('label',)         # of a batch, besides the picture, that training needs
  exclusive = True                # a picture has exactly one of what the outputs stand for

  @property
  def scored(self) -> np.ndarray:
    """bool [K]: the outputs that figures are about, which are all."""
    return np.ones(self.num_classes, bool)

  def init(self, key: jax.Array, batch: dict) -> dict:
    """Fresh variables {'params', 'batch_stats'} for pictures of the batch's size."""
    return self.net.init(key, self._pixels(batch['image'])[:1], train=False)

  def loss(self, variables: dict, batch: dict, rngs: dict, step=0) -> tuple[jax.Array, dict]:
    """The mean loss of the batch's real rows, and the net's new statistics.

    The loss of a mix is the mix of its two pictures' losses, each with the weight of its class.

    Args: rngs: 'dropout' for the net, and 'mixup' where pictures are mixed; step: not used.
    """
    del step
    image, labels, share = batch['image'], batch['label'], None
    if self.mixup_alpha > 0 or self.cutmix_alpha > 0:
      image, share = mixing.mix(rngs['mixup'], image, batch['mask'], mixup_alpha=self.mixup_alpha,
                                cutmix_alpha=self.cutmix_alpha)
    (logits, taps), changed = self.net.apply(
        variables, self._pixels(image), train=True, rngs=rngs, mutable=['batch_stats'])
    losses = self._trained_losses(logits, labels, share)
    if 'aux_output' in taps:
      losses += self.auxiliary_weight * self._trained_losses(taps['aux_output'], labels, share)
    return masked_mean(losses, batch['mask']), changed.get('batch_stats', {})

  def tally(self, variables: dict, batch: dict) -> dict:
    """Sums over real rows: 'loss', plain, and 'examples', their number."""
    logits, _ = self.net.apply(variables, self._pixels(batch['image']), train=False)
    losses = self.loss_function(logits, jax.nn.one_hot(batch['label'], self.num_classes))
    return {'loss': masked_sum(losses, batch['mask']), 'examples': batch['mask'].sum()}

  def predict(self, variables: dict, batch: dict) -> dict:
    """'probabilities', shape [B, K], each row adding up to 1."""
    logits, _ = self.net.apply(variables, self._pixels(batch['image']), train=False)
    return {'probabilities': jax.nn.softmax(logits)}

  def truth(self, batch: dict) -> dict:
    """What `measure` compares with, on the host: int32 [B] 'label', and where the data know which
    class it was before some were flipped, 'drawn_label'."""
    return {key: batch[key] for key in ('label', 'drawn_label') if key in batch}

  def collector(self, loader: Any, thresholds: dict | None = None) -> ClassCollector:
    """Takes the rows of a split as they come. Args: loader: of the split; thresholds: not used."""
    del thresholds
    return ClassCollector(loader.num_examples, self.num_classes)

  def tune(self, collected: Collected) -> dict:
    """{}: the most probable class is said, so there is no threshold to tune."""
    del collected
    return {}

  def measure(self, totals: dict, collected: Collected, thresholds: dict) -> dict[str, float]:
    """'loss', 'examples' and what `figures` gives. Args: as those of `figures`."""
    return {**mean_loss(totals), **self.figures(collected, thresholds)}

  def figures(self, collected: Collected, thresholds: dict) -> dict[str, float]:
    """What `class_metrics.figures` gives. Args: thresholds: not used."""
    del thresholds
    return class_metrics.figures(collected, self.num_classes)

  def summary(self, metrics: dict[str, float]) -> str:
    """The figures of `measure` that a person follows, in a line."""
    return (f'loss {metrics["loss"]:.3f}  accuracy {metrics["accuracy"]:.4f}  '
            f'macro F1 {metrics["macro_f1"]:.4f}')

  def _pixels(self, image):
    return normalise(image, self.mean, self.deviation, self.shrink)

  def _trained_losses(self, logits, labels, share):
    """[B]. Args: share: of a row's own picture in it, [B]; None: nothing is mixed."""
    own = self._weighted_losses(logits, labels)
    if share is None:
      return own
    other = self._weighted_losses(logits, mixing.neighbour(labels))
    return jnp.where(share < 1, share * own + (1 - share) * other, own)

  def _weighted_losses(self, logits, labels):
    targets = jax.nn.one_hot(labels, self.num_classes)
    weights = targets @ jnp.broadcast_to(jnp.float32(self.class_weights), self.num_classes)
    targets = (1 - self.label_smoothing) * targets + self.label_smoothing / self.num_classes
    return self.loss_function(logits, targets) * weights
