"""The parts of an autoencoder, compiled once: scans to latent vectors, these to scans, and both."""

import operator
from collections.abc import Callable

import jax
import numpy as np

from train_lib import parallel


class Coder:
  """A trained autoencoder for batches of one size; the last one is filled up.

  Args:
    trained: of `open_trained`, of a run of the task 'autoencoding'.
    name: of the config's key that says how many rows a batch has, for an error; rows: so many.

  Attributes:
    latent_size: D; side_px: of the pictures that the net takes.

  Raises:
    UserError: the devices cannot share the rows evenly.
  """

  def __init__(self, trained, name: str, rows: int):
    parallel.check_batch_size(name, rows, trained.mesh)
    task, self._trained, self.rows = trained.task, trained, rows
    self.latent_size, self.side_px = task.net.row.latent_size, task.net.row.input_size_px
    self._encode = self._compiled(lambda variables, batch: task.encode(variables, batch['rows']))
    self._decode = self._compiled(lambda variables, batch: task.decode(variables, batch['rows']))
    self._restore = self._compiled(lambda variables, batch: task.predict(
        variables, {'image': batch['rows']})['reconstruction'])

  def encode(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and log variances, float32 [n, D] each. Args: images: [n, H, W, 1] in 0..1."""
    return self._run(self._encode, images)

  def decode(self, latents: np.ndarray) -> np.ndarray:
    """float32 [n, H, W, 1] in 0..1. Args: latents: [n, D]."""
    return self._run(self._decode, latents)

  def restore(self, images: np.ndarray) -> np.ndarray:
    """float32 [n, H, W, 1] in 0..1. Args: images: like them."""
    return self._run(self._restore, images)

  def _compiled(self, function) -> Callable:
    return parallel.compile_rows_and_sums(
        lambda variables, batch: (function(variables, batch), {}), self._trained.mesh)

  def _run(self, function, values):
    mesh, parts = self._trained.mesh, []
    for first in range(0, len(values), self.rows):
      part = np.asarray(values[first:first + self.rows], np.float32)
      missing = np.zeros((self.rows - len(part), *part.shape[1:]), np.float32)
      batch = parallel.put_batch(mesh, {'rows': np.concatenate([part, missing])})
      found = parallel.to_host(function(self._trained.variables, batch)[0])
      real = slice(len(part))
      parts.append(jax.tree.map(operator.itemgetter(real), found))
    return jax.tree.map(lambda *columns: np.concatenate(columns), *parts)
