"""How near restored scans are to the clean ones: squared error, PSNR, SSIM, and what is recovered.

Pictures are [N, H, W] or [N, H, W, 1] with pixels in 0..1; every measure gives a number for each.

Source of SSIM: Wang, Bovik, Sheikh, Simoncelli, Image Quality Assessment: From Error Visibility to
Structural Similarity, 2004, IEEE Transactions on Image Processing 13, equation 13.
"""

import cv2
import numpy as np

WINDOW_PX = 11                    # of SSIM, with the paper's constants
SIGMA_PX = 1.5
C1, C2 = 0.01 ** 2, 0.03 ** 2


def squared_errors(pictures: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """Squared differences summed over pixels, float64 [N]."""
  pictures, targets = _check(pictures, targets)
  return np.square(pictures - targets).sum(axis=(1, 2))


def psnr(pictures: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """Peak signal-to-noise ratio 10 log10(1 / MSE) in dB, float64 [N]; infinite for equal ones."""
  errors = squared_errors(pictures, targets)
  with np.errstate(divide='ignore'):
    return -10 * np.log10(errors / np.prod(np.shape(targets)[1:]))


def ssim(pictures: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """Mean structural similarity, float64 [N], at most 1, and 1 for equal ones.

  As `losses.structural_dissimilarity` with the paper's constants: a Gaussian window of 11 px and a
  deviation of 1.5 px, those windows that lie whole within the picture; of a smaller picture the
  largest odd one that fits.
  """
  pictures, targets = _check(pictures, targets)
  window = min(WINDOW_PX, (min(targets.shape[1:]) - 1) // 2 * 2 + 1)
  taps, margin = cv2.getGaussianKernel(window, SIGMA_PX), window // 2
  result = np.empty(len(targets))
  for row, (x, y) in enumerate(zip(pictures, targets, strict=True)):
    maps = np.stack([x, y, x * x + y * y, x * y], axis=-1)
    blurred = cv2.sepFilter2D(maps, -1, taps, taps)
    blurred = blurred[margin:len(x) - margin, margin:x.shape[1] - margin]
    mean_x, mean_y, squares, product = np.moveaxis(blurred, -1, 0)
    square_of_means, product_of_means = mean_x ** 2 + mean_y ** 2, mean_x * mean_y
    similarity = ((2 * product_of_means + C1) * (2 * (product - product_of_means) + C2)
                  / ((square_of_means + C1) * (squares - square_of_means + C2)))
    result[row] = similarity.mean()
  return result


def recovered(squared_errors: np.ndarray, energy: np.ndarray) -> float:
  """The share of the pictures' energy that is recovered, 1 for perfect ones, possibly below 0.

    recovered = 1 - sum of squared errors / sum of energy

  What the energy is says of what the share is, with clean pictures t and corrupted ones c:

  - Of the original: energy = sum t^2 of each picture. A picture of which 40 % of the pixels are
    left, drawn at random, with 0 for the others, scores 0.4 in expectation. It flatters: scans of
    one part of a body are alike, and most of their energy is that of their mean, so that the mean
    picture of the training split, which never looks at its input, scores high as well. What a net
    has learned of the single picture is what it scores above the mean picture: that belongs in a
    row beside it.
  - Of what was lost: energy = sum (c - t)^2, the squared error of the corrupted picture. Doing
    nothing scores 0, and making it worse less.

  Sums are taken before the division, over pictures too: a nearly black picture counts for little.

  Args:
    squared_errors: [N], of the restored pictures.
    energy: [N].

  Returns:
    The share; NaN where there is no energy, and so nothing to recover.
  """
  total = float(np.sum(energy, dtype=np.float64))
  return 1 - float(np.sum(squared_errors, dtype=np.float64)) / total if total else float('nan')


def _check(pictures, targets):
  """Both in float64 [N, H, W]."""
  if np.shape(pictures) != np.shape(targets):
    raise ValueError(f'pictures {np.shape(pictures)} and targets {np.shape(targets)} differ')
  both = [np.asarray(array, np.float64) for array in (pictures, targets)]
  return [array[..., 0] if array.ndim == 4 else array for array in both]
