"""Pixels as a net takes them: normalised on the device, and smaller where training says so."""

import jax
import jax.numpy as jnp


def normalise(image: jax.Array, mean: tuple[float, ...], deviation: tuple[float, ...],
              shrink: int = 1) -> jax.Array:
  """(image - mean) / deviation of every channel, then the means of squares of pixels.

  Args:
    image: [B, H, W, C], in the unit of mean and deviation: pixels in 0..255.
    mean, deviation: a number for each channel, or a single one for all.
    shrink: side of the squares, a divisor of H and W; 1 leaves the size.

  Returns:
    float32 [B, H / shrink, W / shrink, C].
  """
  image = (image.astype(jnp.float32) - jnp.asarray(mean)) / jnp.asarray(deviation)
  rows, height, width, channels = image.shape
  return image.reshape(
      rows, height // shrink, shrink, width // shrink, shrink, channels).mean(axis=(2, 4))
