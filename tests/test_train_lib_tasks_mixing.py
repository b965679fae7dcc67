"""Mixup and cutmix: shares, blends, boxes, and which rows stay out of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train_lib.tasks.mixing import blend, blend_labels, draw_boxes, draw_shares, mix, neighbour

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


HEIGHT, WIDTH = 24, 40


def boxes(alpha, mask=None, key=0):
  mask = np.ones(512, np.float32) if mask is None else mask
  return [np.asarray(part) for part in draw_boxes(jax.random.key(key), mask, alpha,
                                                  (HEIGHT, WIDTH))]


def test_a_share_is_that_of_the_pixels_kept_and_what_is_cut_is_one_box():
  kept, share = boxes(1.0)
  assert set(np.unique(kept)) == {0, 1}
  np.testing.assert_allclose(share, kept.mean(axis=(1, 2)), rtol=1e-6)
  for one in kept:
    rows, columns = (one == 0).any(axis=1), (one == 0).any(axis=0)
    np.testing.assert_array_equal(one == 0, np.outer(rows, columns))
    assert all(np.count_nonzero(np.diff(side.astype(int))) <= 2 for side in (rows, columns))


@pytest.mark.parametrize('alpha', [0.3, 1.0])
def test_boxes_have_the_areas_of_the_paper(alpha):
  share = boxes(alpha)[1]
  rng, many = np.random.default_rng(0), 20_000
  side = np.sqrt(1 - rng.beta(alpha, alpha, many)) / 2
  lengths = []
  for centre in rng.random((2, many)):
    lengths.append(np.minimum(centre + side, 1) - np.maximum(centre - side, 0))
  expected = 1 - lengths[0] * lengths[1]
  assert share.mean() == pytest.approx(expected.mean(), abs=0.03)
  for quantile in (0.1, 0.5, 0.9):
    assert np.quantile(share, quantile) == pytest.approx(np.quantile(expected, quantile), abs=0.06)


def test_cutmix_leaves_padding_out():
  mask = np.array([1, 1, 0, 0, 1, 1], np.float32)
  kept, share = boxes(0.7, mask, key=1)
  assert (kept[[2, 3, 4]] == 1).all() and (share[[2, 3, 4]] == 1).all()
  assert (share[[0, 1, 5]] < 1).all()
  pictures = np.ones((6, HEIGHT, WIDTH, 3), np.float32)
  pictures[2:4] = np.nan
  assert np.isfinite(np.asarray(blend(pictures, kept))[[0, 1, 4, 5]]).all()


def mixed(key, **alphas):
  """Rows of one grey each, mixed: the share of its own picture in every pixel, and in all."""
  grey = np.arange(16, dtype=np.uint8) * 10
  image = np.broadcast_to(grey[:, None, None, None], (16, HEIGHT, WIDTH, 3))
  found, share = mix(jax.random.key(key), image, np.ones(16, np.float32), **alphas)
  own, other = (values.astype(float)[:, None, None, None] for values in (grey, np.roll(grey, 1)))
  return (np.asarray(found) - other) / (own - other), np.asarray(share)


def test_cutmix_puts_pixels_of_the_neighbour_into_a_picture():
  pixels, share = mixed(0, mixup_alpha=0.0, cutmix_alpha=1.0)
  assert set(np.unique(pixels)) == {0, 1}
  np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), share, atol=1e-6)


def test_mixup_alone_blends_whole_pictures():
  pixels, share = mixed(0, mixup_alpha=0.4, cutmix_alpha=0.0)
  np.testing.assert_allclose(pixels, np.broadcast_to(share[:, None, None, None], pixels.shape),
                             atol=1e-5)
  np.testing.assert_array_equal(share, draw_shares(jax.random.key(0), np.ones(16), 0.4))


def test_with_both_each_batch_draws_one():
  kinds = []
  for key in range(12):
    pixels, share = mixed(key, mixup_alpha=1.0, cutmix_alpha=1.0)
    np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), share, atol=1e-5)
    boxed = np.isclose(pixels, np.round(pixels), atol=1e-6).all()
    assert boxed or np.ptp(pixels, axis=(1, 2, 3)).max() < 1e-5
    kinds.append(bool(boxed))
  assert {True, False} == set(kinds)
