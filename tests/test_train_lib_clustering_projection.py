"""Features made ready to be grouped: scikit-learn's components, read chunk by chunk."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from errors import UserError
from train_lib.clustering import projection
from train_lib.clustering.projection import fit_projection, project


def draw(rows=300, width=12, seed=0):
  rng = np.random.default_rng(seed)
  return (rng.normal(size=(rows, 5)) @ rng.normal(size=(5, width)) + 0.1 * rng.normal(
      size=(rows, width)) + 7).astype(np.float32)


def fit(features, rows=None, widths=None, components=4, whiten=False):
  rows = np.arange(len(features)) if rows is None else rows
  return fit_projection(features, rows, widths or [features.shape[1]], components=components,
                        whiten=whiten)


def unit(rows):
  return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize('whiten', [False, True])
@pytest.mark.parametrize('chunk', [64, 8_192])
def test_components_are_those_of_scikit_learn(monkeypatch, whiten, chunk):
  monkeypatch.setattr(projection, 'CHUNK_ROWS', chunk)
  features = draw()
  found = fit(features, whiten=whiten)
  wanted = unit(PCA(4, whiten=whiten, svd_solver='full').fit_transform(features))
  signs = np.sign((found(features) * wanted).sum(axis=0))
  np.testing.assert_allclose(found(features) * signs, wanted, atol=2e-4)
  assert found(features).dtype == np.float32


def test_without_components_rows_are_centred_and_of_length_one():
  features = draw()
  centred = features - features.mean(axis=0)
  np.testing.assert_allclose(fit(features, components=0)(features), unit(centred), atol=1e-4)


def test_joined_taps_weigh_alike_whatever_their_scale():
  small, large = draw(seed=1), 1_000 * draw(seed=2)
  joined = np.concatenate([small, large], axis=1)
  found = fit(joined, widths=[12, 12], components=0)
  scaled = joined * found.scales
  lengths = [np.square(part).sum(axis=1).mean() for part in np.split(scaled, 2, axis=1)]
  np.testing.assert_allclose(lengths, 1, rtol=1e-4)


def test_rows_that_do_not_count_change_nothing():
  features = draw()
  rows = np.arange(0, 300, 3)
  spoilt = features.copy()
  spoilt[1::3] = 1e6
  np.testing.assert_array_equal(fit(spoilt, rows).components, fit(features, rows).components)
  out = np.empty((len(rows), 4), np.float32)
  project(fit(features, rows), spoilt, rows, out)
  np.testing.assert_array_equal(out, fit(features, rows)(features[rows]))


def test_no_more_components_are_kept_than_the_rows_have():
  assert fit(draw(rows=3), components=128).width == 2
  flat = np.ones((5, 12), np.float32)
  assert fit(flat, components=128)(flat).tolist() == [[0]] * 5


def test_half_precision_on_disk_gives_nearly_the_same(tmp_path):
  features = draw()
  np.save(tmp_path / 'half.npy', features.astype(np.float16))
  half = np.load(tmp_path / 'half.npy', mmap_mode='r')
  found, wanted = fit(half)(half), fit(features)(features)
  assert (found * wanted).sum(axis=1).min() > 0.999


def test_features_that_are_no_numbers_are_told():
  features = draw()
  features[3, 3] = np.nan
  with pytest.raises(UserError, match='not finite'):
    fit(features)
