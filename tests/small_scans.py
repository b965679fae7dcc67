"""An autoencoder without parameters that keeps the mean of each square of a scan; such scans."""

import types

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from configs import base
from train_lib import parallel
from train_lib.tasks.autoencoding import Autoencoding
from train_lib.trained import Trained

SIDE, SQUARE = 16, 4              # px
LATENT = (SIDE // SQUARE) ** 2
LOGVAR = -5.0                     # of every unit
MEAN, DEVIATION = (0.5,), (0.25,)


class SquareNet(nn.Module):
  """The latent vector is the mean of each square of the picture, and a picture is its squares."""
  row = types.SimpleNamespace(latent_size=LATENT, input_size_px=SIDE)
  num_outputs: int = 1

  def setup(self):
    self.unused = self.param('unused', nn.initializers.zeros, (1,))

  def __call__(self, image, *, train):
    mean, logvar, taps = self.encode(image, train=train)
    return self.decode(mean), {**taps, 'mean': mean, 'logvar': logvar, 'latent': mean}

  def encode(self, image, *, train=False):
    assert image.shape[1:] == (SIDE, SIDE, 1)
    squares = nn.avg_pool(image, (SQUARE, SQUARE), strides=(SQUARE, SQUARE))
    mean = squares.reshape(len(image), LATENT)
    return mean, jnp.full_like(mean, LOGVAR), {'features_2d': squares, 'features': mean}

  def decode(self, latent, *, train=False):
    squares = latent.reshape(-1, SIDE // SQUARE, SIDE // SQUARE, 1) * DEVIATION[0] + MEAN[0]
    pixels = jnp.clip(squares, 1e-4, 1 - 1e-4)
    logits = jnp.log(pixels) - jnp.log1p(-pixels)
    return jnp.repeat(jnp.repeat(logits, SQUARE, axis=1), SQUARE, axis=2)


def make_task():
  return Autoencoding(
      net=SquareNet(), mean=MEAN, deviation=DEVIATION,
      loss_function=lambda logits, targets: jnp.square(jax.nn.sigmoid(logits) - targets).sum(
          axis=(1, 2, 3)),
      kl_function=lambda mean, logvar: 0.5 * (mean ** 2 + jnp.exp(logvar) - logvar - 1))


def make_trained(devices=1):
  """What `open_trained` gives of a run of such a net."""
  return Trained(task=make_task(), mesh=parallel.make_mesh(jax.devices()[:devices]),
                 variables={'params': {'unused': np.zeros(1, np.float32)}}, tag_names=(),
                 tag_categories=(), thresholds={}, step=7)


def make_config():
  config = base.get_config()
  config.task, config.data.image_size_px, config.data.source = 'autoencoding', SIDE, 'scans'
  config.runtime.workers, config.runtime.cache_dir = 0, 'off'
  config.predict.batch_size = config.synthesize.batch_size = config.eval.batch_size = 4
  return config


def make_squares(number: int, seed: int, spread: float = 0.15) -> np.ndarray:
  """float32 [number, SIDE, SIDE, 1] in 0..1: pictures that the net gives back as they are."""
  values = 0.5 + spread * np.random.default_rng(seed).standard_normal(
      (number, SIDE // SQUARE, SIDE // SQUARE, 1))
  squares = np.clip(values, 0.05, 0.95).astype(np.float32)
  return squares.repeat(SQUARE, axis=1).repeat(SQUARE, axis=2)


def write_png(path, picture: np.ndarray, bits: int = 16) -> None:
  """Args: picture: [h, w] or [h, w, 1] in 0..1."""
  path.parent.mkdir(parents=True, exist_ok=True)
  levels = np.rint(picture.reshape(picture.shape[:2]) * (2 ** bits - 1))
  cv2.imwrite(str(path), levels.astype(np.uint16 if bits == 16 else np.uint8))


class Split:
  """A loader of scans that the net gives back as they are."""

  def __init__(self, number: int, seed: int, batch_size: int = 4, unreadable: tuple = ()):
    self.pictures, self.unreadable = make_squares(number, seed), unreadable
    self.num_examples, self.batch_size = number, batch_size
    self.num_batches = -(-number // batch_size)

  def example(self, index):
    if index in self.unreadable:
      return None
    return {'id': f's{index}', 'image': self.pictures[index], 'target': self.pictures[index]}

  def batches(self, start, stop):
    for k in range(start, stop):
      places = np.arange(k * self.batch_size, (k + 1) * self.batch_size)
      mask = (places < self.num_examples) & ~np.isin(places, self.unreadable)
      yield {'image': self.pictures[np.minimum(places, self.num_examples - 1)],
             'mask': mask.astype(np.float32)}
