"""What an autoencoder must beat: restorers that learn nothing and look at one scan at a time.

Each takes pictures, float32 [N, H, W, 1] in 0..1, and which of their pixels are there, [N, H, W, 1]
with 0 for a pixel that is missing, whose value says nothing, and gives pictures with all pixels. Of
a picture without any known pixel nothing can be said: it becomes mid-grey, 0.5.

Sources: normalised convolution: Knutsson, Westin, Normalized and Differential Convolution, 1993,
CVPR; non-local means: Buades, Coll, Morel, A Non-Local Algorithm for Image Denoising, 2005, CVPR;
noise by the median of residuals: Donoho, Johnstone, Ideal Spatial Adaptation by Wavelet Shrinkage,
1994, Biometrika 81. The constants were chosen on slices of MRI and CT volumes at 64 and 128 px.
"""

import functools

import cv2
import numpy as np

MID_GREY = 0.5
SIGMA_PX = 0.75                   # of the Gaussian window around a pixel
LEAST_WEIGHT = 0.01               # of its known part, below which the window grows
REACH_PX = 6                      # how far away non-local means looks for similar patches
PATCH_PX, PATCH_OF_FILLED_PX = 3, 5
LEAST_STRENGTH = 1e-3             # of non-local means
MAD_OF_NORMAL = 0.6745            # the median distance from the mean, in standard deviations
LEAST_RESIDUALS = 25              # for an estimate of the noise


def _of_each(restore):
  """From a restorer of one picture, (x float32 [H, W], known bool [H, W]), to one of many."""
  @functools.wraps(restore)
  def restore_all(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    result = np.full(images.shape, MID_GREY, np.float32)
    for row, (image, there) in enumerate(zip(images[..., 0], known[..., 0] > 0, strict=True)):
      if there.any():
        result[row, ..., 0] = restore(np.where(there, image, 0).astype(np.float32), there)
    return result
  return restore_all


@_of_each
def mean_of_neighbours(x: np.ndarray, known: np.ndarray) -> np.ndarray:
  """A missing pixel is the mean of the known ones around it, weighted by a Gaussian.

  The Gaussian doubles where it finds next to nothing known. Known pixels stay as they are; a
  picture that has all is smoothed by the same Gaussian.
  """
  return _mean(x, known, SIGMA_PX)[0] if known.all() else _fill(x, known)


@_of_each
def median_filter(x: np.ndarray, known: np.ndarray) -> np.ndarray:
  """A missing pixel is the median of the known ones in the 3x3 px around it.

  Where there is none, it waits until pixels beside it are filled. Known pixels stay as they are; in
  a picture that has all, each becomes the median of the 3x3 px around it.
  """
  result, done = x.copy(), known
  todo = np.ones_like(known)
  while todo.any():
    if not known.all():
      todo = ~done & (cv2.dilate(done.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    values = np.pad(np.where(done, result, np.inf), 1, constant_values=np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(values, (3, 3))[todo].reshape(-1, 9)
    windows = np.sort(windows, axis=1)
    count = np.isfinite(windows).sum(axis=1, keepdims=True)
    middle = np.concatenate([(count - 1) // 2, count // 2], axis=1)
    result[todo] = np.take_along_axis(windows, middle, axis=1).mean(axis=1)
    done = done | todo
    todo = ~done
  return result


@_of_each
def non_local_means(x: np.ndarray, known: np.ndarray) -> np.ndarray:
  """A pixel is the mean of the known ones nearby whose surroundings look like its own.

    w(p, q) = exp(-|patch_p - patch_q|^2 / h_p^2), the square as a mean over the patch

  Missing pixels are first filled with the mean of neighbours, for the patches only. The strength h
  comes from the picture: each known pixel is guessed from its neighbours. A missing pixel has the
  root mean square of the residuals for h; a known one the deviation of the noise, from their
  median, so that it stays as it is in a clean picture. Pixels without a likeness stay as filled.
  """
  filled = x if known.all() else _fill(x, known)
  residuals, flat = _residuals(x, known)
  if not len(residuals):
    return filled
  noise = np.median(np.abs(flat)) / MAD_OF_NORMAL
  strength = np.where(known, noise, np.sqrt(np.square(residuals).mean()))
  factor = (-1 / np.square(np.maximum(strength, LEAST_STRENGTH))).astype(np.float32)
  patch = (PATCH_PX,) * 2 if known.all() else (PATCH_OF_FILLED_PX,) * 2
  around = np.pad(filled, REACH_PX, mode='symmetric')
  there = np.pad(known.astype(np.float32), REACH_PX)
  total, weights = np.zeros_like(x), np.zeros_like(x)
  for top in range(2 * REACH_PX + 1):
    for left in range(2 * REACH_PX + 1):
      part = (slice(top, top + x.shape[0]), slice(left, left + x.shape[1]))
      distance = cv2.blur(np.square(filled - around[part]), patch)
      weight = np.exp(distance * factor) * there[part]
      total += weight * around[part]
      weights += weight
  tiny = np.finfo(np.float32).tiny
  return np.where(weights > 1e-6, total / np.maximum(weights, tiny), filled)


def _residuals(x, known):
  """Known pixels minus what their neighbours say: all [n], and those that the noise is told by [m].

  Of the latter are none where pixels at the end of the range lie beside others: noise that was cut
  off there looks smaller than it is. Without enough others they are all.
  """
  taps = cv2.getGaussianKernel(7, SIGMA_PX, cv2.CV_32F)
  kernel = taps @ taps.T
  kernel[3, 3] = 0                              # without the pixel itself
  weight = cv2.filter2D(known.astype(np.float32), -1, kernel, borderType=cv2.BORDER_CONSTANT)
  total = cv2.filter2D(x, -1, kernel, borderType=cv2.BORDER_CONSTANT)
  told = known & (weight > LEAST_WEIGHT)
  residuals = x - total / np.maximum(weight, LEAST_WEIGHT)
  cut = known & ((x <= 0) | (x >= 1))
  beside_cut, beside_other = (cv2.dilate(pixels.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
                              for pixels in (cut, known & ~cut))
  sound = told & ~(beside_cut & beside_other)
  return residuals[told], residuals[sound if sound.sum() >= LEAST_RESIDUALS else told]


def _fill(x, known):
  """The picture with each missing pixel a mean of known ones, from a window that grows.

  A window as large as the picture takes whatever it finds, be it a single pixel.
  """
  result, done, sigma = x.copy(), known, SIGMA_PX
  while not done.all():
    mean, weight = _mean(x, known, sigma)
    new = ~done & (weight > (LEAST_WEIGHT if sigma < max(x.shape) else 0))
    result[new] = mean[new]
    done, sigma = done | new, 2 * sigma
  return result


def _mean(x, known, sigma):
  """The mean of known pixels (0 where unknown) under a Gaussian, and the known share of it."""
  total, weight = (cv2.GaussianBlur(map, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
                   for map in (x, known.astype(np.float32)))
  return total / np.maximum(weight, np.finfo(np.float32).tiny), weight


RESTORERS = {
    'median filter': median_filter,
    'mean of neighbours': mean_of_neighbours,
    'non-local means': non_local_means,
}
