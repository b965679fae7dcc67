"""Batches of features in place of pictures: what a head alone learns from."""

from collections.abc import Callable

import numpy as np

from errors import UserError


class FeatureLoader:
  """Batches as a loader's, with features in place of pictures: `image`, float32 [B, 1, 1, C].

  To a task they are pictures of one pixel with C channels, that need no normalising.

  Args:
    arrays: what `load_features` gives: {'features': [N, C], 'mask', 'id', ...: [N, ...]}.
    batch_size: rows of a batch.
    pick_rows: (first, count) -> int64 [count, batch_size], the rows of training batches; None: all
      rows in order, each once, as evaluation reads them.
    bad_images: of the loader that the pictures were read with.
  """

  def __init__(self, arrays: dict, batch_size: int, bad_images,
               pick_rows: Callable | None = None):
    self.num_examples = len(arrays['mask'])
    self.num_batches = -(-self.num_examples // batch_size)
    self.bad_images = bad_images
    self._arrays, self._batch_size, self._pick_rows = arrays, batch_size, pick_rows

  def batches(self, start: int, stop: int):
    """Yields the batches start, ..., stop - 1."""
    for k in range(start, stop):
      if self._pick_rows:
        rows = self._pick_rows(k, 1)[0]
      else:
        rows = np.arange(k * self._batch_size, min((k + 1) * self._batch_size, self.num_examples))
      yield self._batch(rows)

  def _batch(self, rows):
    batch = {key: np.asarray(value[rows]) for key, value in self._arrays.items()}
    missing = self._batch_size - len(rows)
    if missing:                                 # rows that fill the last batch
      batch = {key: np.concatenate([value, np.zeros((missing, *value.shape[1:]), value.dtype)])
               for key, value in batch.items()}
    features, ids = batch.pop('features'), batch.pop('id')
    return {**batch, 'image': features[:, None, None, :], 'id': ids.tolist()}


def training_rows(loader, places: np.ndarray, readable: np.ndarray) -> np.ndarray:
  """int64 [n]: the row of features that each example of the training loader stands for.

  Args:
    loader: of training; n examples.
    places: int64 [n], the row of each example, in a split of N.
    readable: bool [N]; where a picture is not, the loader's substitute stands in.

  Raises:
    UserError: neither a picture nor any of its substitutes can be read.
  """
  rows = places.copy()
  for example in np.flatnonzero(~readable[places]):
    others = [place for place in places[loader.substitutes(int(example))] if readable[place]]
    if not others:
      raise UserError(f'picture {int(example)} of the training split and the others drawn in its '
                      'place are unreadable; check the files')
    rows[example] = others[0]
  return rows
