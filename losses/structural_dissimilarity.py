"""Structural dissimilarity of pictures: 1 - SSIM."""

import math

import chex
import jax
import jax.numpy as jnp


def structural_dissimilarity(outputs, targets, *, window=11, sigma=1.5, k1=0.01, k2=0.03,
                             data_range=1.0):
  """1 minus the mean structural similarity of two pictures, 0 where they are equal, at most 2.

  Around each pixel a Gaussian window weighs the neighbours. With means m_x and m_y in it, variances
  v_x and v_y and covariance c, and C1 = (k1 data_range)^2 and C2 = (k2 data_range)^2:

    SSIM = (2 m_x m_y + C1) (2 c + C2) / ((m_x^2 + m_y^2 + C1) (v_x + v_y + C2))
    L = 1 - mean of SSIM over pixels and channels

  Only windows that lie whole within the picture count. The two constants keep the divisors of flat
  pictures away from 0, and with them every gradient finite.

  Args:
    outputs: [B, H, W, C], floating point, in 0 to data_range.
    targets: like outputs. They may require a gradient.
    window: side of the window in px, odd; 11 in the paper. In a smaller picture it is the largest
      odd one that fits.
    sigma: deviation of the Gaussian in px, above 0; 1.5 in the paper.
    k1: above 0; 0.01 in the paper.
    k2: above 0; 0.03 in the paper.
    data_range: of the pixels, above 0.

  Returns:
    [B], one number per picture, float32 (float64 for float64 outputs).

  Raises:
    AssertionError: when the shapes differ, or are not those of pictures.

  Source: Wang, Bovik, Sheikh, Simoncelli, Image Quality Assessment: From Error Visibility to
  Structural Similarity, 2004, IEEE Transactions on Image Processing 13, equation 13. The figures
  are scikit-image's, with its `gaussian_weights` and without its `use_sample_covariance`.
  """
  chex.assert_equal_shape((outputs, targets))
  chex.assert_rank(outputs, 4)
  dtype = jnp.promote_types(jnp.result_type(outputs), jnp.float32)
  x, y = (jnp.moveaxis(jnp.asarray(pictures, dtype), 3, 1) for pictures in (outputs, targets))
  height, width = x.shape[2:]
  taps = _gaussian(min(window, (min(height, width) - 1) // 2 * 2 + 1), sigma)
  rows, columns = _band(taps, height, dtype), _band(taps, width, dtype)

  def blur(maps):
    # exact products: by default an accelerator would round them to 8 or 11 bits
    maps = jnp.einsum('ih,...hw->...iw', rows, maps, precision=jax.lax.Precision.HIGHEST)
    return jnp.einsum('...iw,jw->...ij', maps, columns, precision=jax.lax.Precision.HIGHEST)

  mean_x, mean_y, squares, product = blur(jnp.stack([x, y, x * x + y * y, x * y]))
  square_of_means = mean_x * mean_x + mean_y * mean_y
  c1, c2 = (k1 * data_range) ** 2, (k2 * data_range) ** 2
  similarity = ((2 * mean_x * mean_y + c1) * (2 * (product - mean_x * mean_y) + c2)
                / ((square_of_means + c1) * (squares - square_of_means + c2)))
  return 1 - similarity.mean(axis=(1, 2, 3))


def _gaussian(window, sigma):
  """The weights of a window, which add up to 1."""
  weights = [math.exp(-0.5 * ((place - window // 2) / sigma) ** 2) for place in range(window)]
  return [weight / sum(weights) for weight in weights]


def _band(taps, size, dtype):
  """[size - window + 1, size]: a matrix that weighs the pixels of each window along a side."""
  steps = jnp.arange(size) - jnp.arange(size - len(taps) + 1)[:, None]
  return jnp.where((steps >= 0) & (steps < len(taps)),
                   jnp.asarray(taps, dtype)[jnp.clip(steps, 0, len(taps) - 1)], 0)
