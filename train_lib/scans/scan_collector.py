"""What is kept of an autoencoder's split while it streams by: a few numbers a scan."""

import dataclasses

import numpy as np

from train_lib.evaluation import check_numbers
from train_lib.scans import image_quality


@dataclasses.dataclass(frozen=True)
class Collected:
  """A split, once all of its rows were seen. N rows.

  Attributes:
    squared_errors: float64 [N], of the restoration against the clean scan, summed over pixels.
    energy: float64 [N], the sum of the clean scan's squared pixels.
    lost: float64 [N], the squared errors of what the net saw.
    psnr: float64 [N], dB; ssim: float64 [N].
    latent, logvar: float32 [N, D], posterior means and log variances; None of a restorer without
      a latent vector.
    pixels: of a picture, H * W.
    indices: int64 [N], places in the split; ids: names of the rows.
  """
  squared_errors: np.ndarray
  energy: np.ndarray
  lost: np.ndarray
  psnr: np.ndarray
  ssim: np.ndarray
  latent: np.ndarray | None
  logvar: np.ndarray | None
  pixels: int
  indices: np.ndarray
  ids: list[str]


class ScanCollector:
  """Gathers real rows batch by batch; `finish` gives what they come to."""

  adds_up = False                 # rows are kept

  def __init__(self):
    self._columns, self._latents, self._ids, self._pixels = [], [], [], 0

  def add(self, predictions: dict, truths: dict, ids: list[str], indices: np.ndarray) -> None:
    """Takes the rows of a batch.

    Args:
      predictions: {'reconstruction': float32 [n, H, W, 1]}; of a net also 'mean' and 'logvar',
        [n, D].
      truths: {'target', 'image'}, like it.
      ids: of the scans; indices: int [n], their places in the split.

    Raises:
      Diverged: a pixel is not a number.
    """
    restored, target = predictions['reconstruction'], truths['target']
    check_numbers(restored)
    if not len(ids):
      return
    self._pixels = int(np.prod(target.shape[1:]))
    self._columns.append((
        image_quality.squared_errors(restored, target),
        np.square(target, dtype=np.float64).sum(axis=(1, 2, 3)),
        image_quality.squared_errors(truths['image'], target),
        image_quality.psnr(restored, target), image_quality.ssim(restored, target),
        np.asarray(indices, np.int64)))
    if 'mean' in predictions:
      self._latents.append((predictions['mean'], predictions['logvar']))
    self._ids.extend(ids)

  def finish(self) -> Collected:
    """What was added, by rows in their order."""
    columns = [np.concatenate(column) for column in zip(*self._columns, strict=True)]
    errors, energy, lost, psnr, ssim, indices = columns or [np.zeros(0)] * 6
    latent, logvar = (map(np.concatenate, zip(*self._latents, strict=True)) if self._latents
                      else (None, None))
    return Collected(errors, energy, lost, psnr, ssim, latent, logvar, self._pixels, indices,
                     self._ids)
