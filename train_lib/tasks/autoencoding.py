"""Autoencoding: a scan through a narrow latent vector and back, clean where it came in damaged."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from train_lib.scans import image_quality
from train_lib.scans.scan_collector import Collected, ScanCollector
from train_lib.tasks.pixels import normalise
from train_lib.tasks.reductions import masked_mean, masked_sum, mean_loss

ACTIVE_VARIANCE = 0.01            # of a unit's posterior mean over the data: above, it is active
BEST_PSNR_DB = 100.0


@dataclasses.dataclass(frozen=True)
class Autoencoding:
  """A variational autoencoder; what a training step makes smaller is

    mean over pictures of (weight * sum over pixels and channels of the loss + beta * KL).

  With squared error and a weight of 1 that is original_dim * MSE + KL: minus the evidence lower
  bound of pixels with a Gaussian deviation of sqrt(1/2), but for a constant. Any weight w stands
  for a deviation of 1 / sqrt(2 w): the larger, the more the latent vector has to tell.

  Attributes:
    net: a Linen module: image -> (logits of pixels [B, H, W, C], taps with 'mean' and 'logvar',
      [B, D]), with the methods `encode` and `decode`.
    loss_function: (logits [B, H, W, C], targets in 0..1) -> [B], summed over pixels and channels.
    kl_function: (mean, logvar) -> nats, element-wise.
    mean, deviation: of the pixels, in 0..1; what the net subtracts and divides by.
    weight: of the reconstruction, above 0.
    beta: of the KL divergence.
    warmup_steps: over which beta rises from 0, in a line.
    free_bits: a unit's KL below so many nats costs as much as these; in the mean of the batch, or
      of that part of it that is computed at once (a device's under pmap, an accumulated part).
    gaussian: whether the loss is the squared error, a Gaussian's log density but for a constant.
    shrink: pictures are averaged over squares of this side first; 1 leaves them.

  Evaluation takes the posterior mean for the latent vector, so that it always gives the same.

  Source: Kingma, Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114; beta: Higgins et
  al., 2017; its warm-up: Bowman et al., 2015, arXiv 1511.06349; free bits: Kingma et al., 2016,
  arXiv 1606.04934, appendix C.8; active units: Burda, Grosse, Salakhutdinov, 2015, arXiv
  1509.00519, section 5.2.
  """
  net: Any
  loss_function: Callable
  kl_function: Callable
  mean: tuple[float, ...]
  deviation: tuple[float, ...]
  weight: float = 1.0
  beta: float = 1.0
  warmup_steps: int = 0
  free_bits: float = 0.0
  gaussian: bool = True
  shrink: int = 1

  best_metric = 'psnr'            # of the validation split, by which a checkpoint is best
  output_axes = 4                 # of the net's output: [B, H, W, C]
  batch_keys = ('target',)        # of a batch, besides the picture, that training needs
  exclusive = False               # a picture has any number of what the outputs stand for

  def init(self, key: jax.Array, batch: dict) -> dict:
    """Fresh variables {'params', 'batch_stats'} for pictures of the batch's size."""
    return self.net.init(key, self._pixels(batch['image'])[:1], train=False)

  def loss(self, variables: dict, batch: dict, rngs: dict, step=0) -> tuple[jax.Array, dict]:
    """The mean loss of the batch's real rows, and the net's new statistics.

    Args: rngs: 'latent' and 'dropout' for the net; step: counted from 0, for beta.
    """
    (logits, taps), changed = self.net.apply(
        variables, self._pixels(batch['image']), train=True, rngs=rngs, mutable=['batch_stats'])
    reconstruction = masked_mean(self._reconstruction(logits, batch['target']), batch['mask'])
    kl = masked_mean(self.kl_function(taps['mean'], taps['logvar']), batch['mask'])  # [D]
    kl = jnp.maximum(kl, self.free_bits).sum()
    return reconstruction + self.beta_at(step) * kl, changed.get('batch_stats', {})

  def beta_at(self, step) -> jax.Array:
    """The weight of the KL divergence in a step, counted from 0."""
    return self.beta * jnp.minimum(1.0, (step + 1) / max(self.warmup_steps, 1))

  def tally(self, variables: dict, batch: dict) -> dict:
    """Sums over real rows: 'loss' (beta as at the end, no free bits), its parts 'reconstruction'
    and 'kl', and 'examples', their number."""
    logits, taps = self.net.apply(variables, self._pixels(batch['image']), train=False)
    reconstruction = masked_sum(self._reconstruction(logits, batch['target']), batch['mask'])
    kl = masked_sum(self.kl_function(taps['mean'], taps['logvar']).sum(axis=-1), batch['mask'])
    return {'loss': reconstruction + self.beta * kl, 'reconstruction': reconstruction, 'kl': kl,
            'examples': batch['mask'].sum()}

  def predict(self, variables: dict, batch: dict) -> dict:
    """'reconstruction', float32 [B, H, W, 1] in 0..1, from the posterior mean; 'mean', 'logvar'."""
    logits, taps = self.net.apply(variables, self._pixels(batch['image']), train=False)
    return {'reconstruction': to_pixels(logits), 'mean': taps['mean'], 'logvar': taps['logvar']}

  def encode(self, variables: dict, image: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and log variance [B, D] of the posterior. Args: image: [B, H, W, 1] in 0..1."""
    mean, logvar, _ = self.net.apply(variables, self._pixels(image), method='encode')
    return mean, logvar

  def decode(self, variables: dict, latent: jax.Array) -> jax.Array:
    """Pictures [B, H, W, 1] in 0..1. Args: latent: [B, D]."""
    return to_pixels(self.net.apply(variables, latent, method='decode'))

  def truth(self, batch: dict) -> dict:
    """What `measure` compares with, on the host: 'target', what the net saw ('image') and which of
    its pixels were there ('known'), all [B, H, W, 1]."""
    return {key: np.asarray(batch[key]) for key in ('target', 'image', 'known')}

  def collector(self, loader: Any, thresholds: dict | None = None) -> ScanCollector:
    """Takes the rows of a split as they come. Args: loader, thresholds: not used."""
    del loader, thresholds
    return ScanCollector()

  def tune(self, collected: Collected) -> dict:
    """{}: there is no threshold to tune."""
    del collected
    return {}

  def measure(self, totals: dict, collected: Collected, thresholds: dict) -> dict[str, float]:
    """What the sums come to, and what `figures` gives.

    Args: thresholds: not used.

    Returns:
      'loss' and 'examples'; 'kl', nats a picture, and 'active_units'; with squared error 'elbo',
      'elbo_per_pixel' and 'elbo_per_dimension' (a pixel of every channel), nats: the evidence lower
      bound with the posterior mean in place of samples, which is somewhat higher and no bound; and
      what `figures` gives.
    """
    rows = max(float(totals['examples']), 1)
    _, variance = self.units(collected)
    measured = {**mean_loss(totals), 'kl': float(totals['kl'] / rows),
                'active_units': int((variance > ACTIVE_VARIANCE).sum())}
    if self.gaussian:
      dimensions = collected.pixels * self.net.num_outputs
      constant = 0.5 * dimensions * math.log(self.weight / math.pi)     # of a Gaussian's density
      elbo = constant - float(totals['reconstruction'] / rows) - measured['kl']
      measured |= {'elbo': elbo, 'elbo_per_pixel': elbo / max(collected.pixels, 1),
                   'elbo_per_dimension': elbo / max(dimensions, 1)}
    return {**measured, **self.figures(collected, thresholds)}

  def units(self, collected: Collected) -> tuple[np.ndarray, np.ndarray]:
    """Of every latent unit, over a split: the KL divergence in nats, and the variance of its
    posterior mean; [D] each."""
    kl = np.asarray(self.kl_function(collected.latent, collected.logvar), np.float64)
    return kl.mean(axis=0), collected.latent.var(axis=0, dtype=np.float64)

  def figures(self, collected: Collected, thresholds: dict) -> dict[str, float]:
    """The figures that are means over pictures, of any restorer's rows. Args: thresholds: not used.

    'psnr' in dB (a perfect picture counts as BEST_PSNR_DB) and 'ssim', means over pictures; 'mse';
    'recovered', of the original, and 'recovered_lost', of what the corruption took: see
    `image_quality.recovered`.
    """
    del thresholds
    errors = collected.squared_errors
    return {'psnr': float(np.minimum(collected.psnr, BEST_PSNR_DB).mean()),
            'ssim': float(collected.ssim.mean()),
            'mse': float(errors.mean() / collected.pixels),
            'recovered': image_quality.recovered(errors, collected.energy),
            **({'recovered_lost': image_quality.recovered(errors, collected.lost)}
               if collected.lost.any() else {})}

  def summary(self, metrics: dict[str, float]) -> str:
    """The figures of `measure` that a person follows, in a line."""
    return (f'loss {metrics["loss"]:.1f}  PSNR {metrics["psnr"]:.2f} dB  '
            f'SSIM {metrics["ssim"]:.3f}  recovered {metrics["recovered"]:.3f}  '
            f'KL {metrics["kl"]:.1f} nats in {metrics["active_units"]} active units')

  def _pixels(self, image):
    return normalise(image, self.mean, self.deviation, self.shrink)

  def _reconstruction(self, logits, target):
    """[B]: weighted, summed over pixels and channels; a grey target stands in every channel."""
    target = normalise(target, (0.0,), (1.0,), self.shrink)
    target = jnp.broadcast_to(target, logits.shape)
    return self.weight * self.loss_function(logits, target)


def to_pixels(logits: jax.Array) -> jax.Array:
  """Grey pixels in 0..1, [B, H, W, 1]: the mean over channels of what logits [B, H, W, C] say."""
  return jax.nn.sigmoid(logits).mean(axis=-1, keepdims=True)
