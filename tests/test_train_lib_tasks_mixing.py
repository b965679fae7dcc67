"""Mixup: shares, blends, and which rows stay out of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train_lib.tasks.mixing import blend, blend_labels, draw_shares, neighbour

ROWS = 4096


def shares(alpha, mask=None):
  mask = np.ones(ROWS, np.float32) if mask is None else mask
  return np.asarray(draw_shares(jax.random.key(0), mask, alpha))


@pytest.mark.parametrize('alpha', [0.2, 1.0, 3.0])
def test_shares_are_the_greater_part_of_a_beta(alpha):
  drawn = shares(alpha)
  other = np.random.default_rng(0).beta(alpha, alpha, 100_000)
  expected = np.maximum(other, 1 - other)
  assert drawn.dtype == np.float32 and 0.5 <= drawn.min() and drawn.max() <= 1
  for quantile in (0.1, 0.5, 0.9):
    assert np.quantile(drawn, quantile) == pytest.approx(np.quantile(expected, quantile), abs=0.015)


@pytest.mark.parametrize('alpha, expected', [(1e-6, 1.0), (1e6, 0.5)])
def test_extreme_alphas_mix_nothing_or_by_halves(alpha, expected):
  drawn = shares(alpha)
  assert np.isfinite(drawn).all()
  np.testing.assert_allclose(drawn, expected, atol=5e-3)


def test_the_neighbour_is_the_row_before():
  np.testing.assert_array_equal(neighbour(jnp.arange(4)), [3, 0, 1, 2])


def test_padding_is_mixed_into_nothing():
  mask = np.array([1, 1, 0, 0, 1, 1], np.float32)
  drawn = shares(1.0, mask)
  # rows 2 and 3 are padding, and row 4 follows it
  assert (drawn[[2, 3, 4]] == 1).all() and (drawn[[0, 1, 5]] < 1).all()
  pictures = np.arange(6, dtype=np.float32)[:, None]
  pictures[2:4] = np.nan
  blended = np.asarray(blend(pictures, drawn))
  assert np.isfinite(blended[[0, 1, 4, 5]]).all()
  np.testing.assert_array_equal(blended[4], pictures[4])


def test_a_lone_row_stays_as_it_is():
  for mask in ([1.0], [0.0, 1.0]):
    picture = jnp.arange(2 * len(mask)).reshape(len(mask), 2).astype(jnp.float32)
    blended = blend(picture, draw_shares(jax.random.key(1), jnp.float32(mask), 1.0))
    np.testing.assert_allclose(blended, picture, rtol=1e-6)


def test_bytes_are_blended_as_numbers():
  pictures = np.array([200, 100], np.uint8).reshape(2, 1, 1, 1)
  blended = blend(pictures, jnp.float32([0.75, 1.0]))
  assert blended.dtype == jnp.float32
  np.testing.assert_allclose(blended.ravel(), [0.75 * 200 + 0.25 * 100, 100])


def test_labels_are_blended_by_share_times_weight():
  labels = jnp.float32([[1, 0, 0, 1, 1], [1, 1, 1, 0, 0]])
  weights = jnp.float32([[1, 1, 0, 1, 0], [1, 1, 1, 0, 0]])
  blended, weighs = blend_labels(labels, weights, jnp.float32([0.75, 1.0]))
  # tag 2: ignored here, listed by the neighbour; tag 3 the other way round; tag 4 ignored by both
  np.testing.assert_allclose(blended[0], [1, 0.25, 1, 1, 0])
  np.testing.assert_allclose(weighs[0], [1, 1, 0.25, 0.75, 0])
  np.testing.assert_allclose(blended[1], labels[1] * weights[1])
  np.testing.assert_allclose(weighs[1], weights[1])


def test_blended_labels_cost_what_the_blended_pictures_cost_under_cross_entropy():
  from losses import LOSSES
  loss = LOSSES['sigmoid_cross_entropy']
  rng = np.random.default_rng(0)
  labels, weights = (jnp.float32(rng.integers(0, 2, (6, 50))) for _ in range(2))
  share, logits = jnp.float32(rng.uniform(0.5, 1, 6)), jnp.float32(rng.normal(size=(6, 50)))
  blended, weighs = blend_labels(labels, weights, share)
  expected = (share[:, None] * weights * loss(logits, labels)
              + (1 - share[:, None]) * neighbour(weights) * loss(logits, neighbour(labels)))
  np.testing.assert_allclose(weighs * loss(logits, blended), expected, rtol=1e-5, atol=1e-6)
  assert blended.max() <= 1 and blended.min() >= 0


def test_labels_without_weights_are_blended_alone():
  blended, weights = blend_labels(jnp.float32([[1, 0], [0, 0]]), 1.0, jnp.float32([0.6, 0.9]))
  np.testing.assert_allclose(blended, [[0.6, 0], [0.1, 0]], rtol=1e-5)
  assert weights == 1.0
