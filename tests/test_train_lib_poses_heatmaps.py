"""Joints become the published heatmaps and come back from them, between the pixels too."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data.geometry import MIRRORED_JOINTS
from errors import UserError
from train_lib.poses import heatmaps

HEIGHT, WIDTH = 256, 192
SIZE = HEIGHT // 4, WIDTH // 4
SIGMA, REACH = 2.0, 6
PEOPLE = 16
encode = jax.jit(heatmaps.encode, static_argnums=(1, 2), static_argnames='rounded')
decode = jax.jit(heatmaps.decode, static_argnames=('refine', 'sigma'))
flip_back, average_flipped = jax.jit(heatmaps.flip_back), jax.jit(heatmaps.average_flipped)


def make_joints(seed, margin_px=0.0, visible=1.0):
  """[PEOPLE, 17, 3] anywhere in a crop, at least a margin from its edges."""
  rng = np.random.default_rng(seed)
  points = rng.uniform(margin_px, np.array([WIDTH, HEIGHT]) - 1 - margin_px, (PEOPLE, 17, 2))
  labelled = (rng.random((PEOPLE, 17, 1)) < visible) * rng.integers(1, 3, (PEOPLE, 17, 1))
  return np.concatenate([points, labelled], axis=-1).astype(np.float32)


def published_target(x, y):
  """The rounded target of one joint, a px at a time, and its weight."""
  heat = np.zeros(SIZE)
  mu_x, mu_y = int(float(x) / 4 + 0.5), int(float(y) / 4 + 0.5)
  rows = [row for row in range(mu_y - REACH, mu_y + REACH + 1) if 0 <= row < SIZE[0]]
  columns = [column for column in range(mu_x - REACH, mu_x + REACH + 1) if 0 <= column < SIZE[1]]
  for row in rows:
    for column in columns:
      heat[row, column] = np.exp(-((column - mu_x) ** 2 + (row - mu_y) ** 2) / (2 * SIGMA ** 2))
  return heat, float(bool(rows) and bool(columns))


def test_rounded_targets_are_the_published_ones():
  joints = make_joints(0, margin_px=-60, visible=0.8)
  joints[0, :6, :2] = [[-30, 9], [-26.1, 9], [-25.9, 9], [9, 281.9], [9, 278], [214, 9]]
  found, weights = encode(joints, *SIZE)
  assert found.dtype == weights.dtype == jnp.float32 and found.shape == (PEOPLE, *SIZE, 17)
  for person, joint in np.ndindex(PEOPLE, 17):
    x, y, visible = joints[person, joint]
    heat, weight = published_target(x, y) if visible else (np.zeros(SIZE), 0.0)
    np.testing.assert_allclose(found[person, :, :, joint], heat, atol=1e-6)
    assert weights[person, joint] == weight
  assert 0.3 < weights.mean() < 0.7                         # of each kind some


def test_a_sub_pixel_bump_stands_on_the_joint():
  joints = make_joints(1)
  found, weights = encode(joints, *SIZE, sigma=1.5, rounded=False)
  columns, rows = np.arange(SIZE[1]), np.arange(SIZE[0])[:, None]
  for person, joint in np.ndindex(PEOPLE, 17):
    x, y = joints[person, joint, :2].astype(float) / 4
    expected = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.5 ** 2))
    np.testing.assert_allclose(found[person, :, :, joint], expected, atol=1e-6)
  assert (weights == 1).all()


def test_a_joint_without_a_label_may_be_anywhere():
  joints = make_joints(2)
  joints[:, 3] = [np.nan, np.inf, 0]
  found, weights = encode(joints, *SIZE)
  assert not found[..., 3].any() and not weights[:, 3].any() and np.isfinite(found).all()


@pytest.mark.parametrize('rounded, refine, most_px, whole_px', [
    (True, 'none', 1.6, 1.6), (True, 'quarter', 1.6, 1.6), (False, 'none', 1.6, 1.6),
    (False, 'quarter', 0.8, 0.9), (False, 'dark', 0.03, 0.4)])
def test_joints_come_back(rounded, refine, most_px, whole_px):
  """On average; `whole_px` also counts joints at the edges, where nothing is refined."""
  for margin_px, most in ((12, most_px), (0, whole_px)):
    joints = make_joints(3, margin_px)
    heat, _ = encode(joints, *SIZE, rounded=rounded)
    found = decode(heat, refine=refine)
    far_px = np.linalg.norm(found[..., :2] - joints[..., :2], axis=-1)
    assert far_px.mean() <= most
    np.testing.assert_allclose(found[..., 2], heat.max(axis=(1, 2)))


def noisy_heatmaps(seed):
  """Such as nets give: bumps of any height and of several widths, with noise."""
  rng = np.random.default_rng(seed)
  joints = make_joints(seed)
  heat = sum(encode(joints, *SIZE, sigma=sigma, rounded=False)[0] * rng.random((PEOPLE, 1, 1, 17))
             for sigma in (1.2, 2.0, 3.5))
  return np.array(heat + 0.01 * rng.normal(size=heat.shape), np.float32)


def published_quarter(heat):
  """The joint of one heatmap [h, w], heatmap px."""
  y, x = np.unravel_index(heat.argmax(), heat.shape)
  if not (1 < x < SIZE[1] - 1 and 1 < y < SIZE[0] - 1):
    return x, y
  return (x + 0.25 * np.sign(heat[y, x + 1] - heat[y, x - 1]),
          y + 0.25 * np.sign(heat[y + 1, x] - heat[y - 1, x]))


def published_dark(heat, width=11):
  """The same in float64, with OpenCV's blur and a solver. Args: width: of the blur, px."""
  y, x = np.unravel_index(heat.argmax(), heat.shape)
  if not (1 < x < SIZE[1] - 2 and 1 < y < SIZE[0] - 2):
    return x, y
  reach = width // 2
  padded = cv2.GaussianBlur(np.pad(heat.astype(float), reach), (width, width), 0)
  log = np.log(np.maximum(padded, 1e-10))
  y, x = y + reach, x + reach
  gradient = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
  cross = log[y + 1, x + 1] + log[y - 1, x - 1] - log[y - 1, x + 1] - log[y + 1, x - 1]
  bend = np.array([[log[y, x + 2] + log[y, x - 2] - 2 * log[y, x], cross],
                   [cross, log[y + 2, x] + log[y - 2, x] - 2 * log[y, x]]]) / 4
  return np.array([x - reach, y - reach]) - np.linalg.solve(bend, gradient)


@pytest.mark.parametrize('refine, sigma, published', [
    ('quarter', 2.0, published_quarter), ('dark', 2.0, published_dark),
    ('dark', 3.0, functools.partial(published_dark, width=17))])
def test_refinements_are_the_published_ones(refine, sigma, published):
  heat = noisy_heatmaps(4)
  found = np.asarray(decode(heat, refine=refine, sigma=sigma))
  plain, compared = np.asarray(decode(heat, refine='none')), 0
  for person, joint in np.ndindex(*found.shape[:2]):
    expected = 4 * np.array(published(heat[person, :, :, joint]))
    if np.abs(expected - plain[person, joint, :2]).max() < 8:           # steps are cut there
      np.testing.assert_allclose(found[person, joint, :2], expected, atol=2e-3)
      compared += 1
  assert compared > 0.95 * found.shape[0] * found.shape[1]
  assert np.abs(found - plain)[..., :2].max() <= 8
  assert (np.abs(found - plain)[..., :2].max(axis=-1) > 0).mean() > 0.7


@pytest.mark.parametrize('refine', list(heatmaps.REFINEMENTS))
def test_heatmaps_of_any_kind_give_joints_in_the_crop(refine):
  rng = np.random.default_rng(0)
  heat = np.zeros((PEOPLE, *SIZE, 17), np.float32)
  heat[1], heat[2] = 1, -1                                  # flat
  heat[3] = rng.normal(size=heat[3].shape)
  heat[4], heat[5] = 1e30 * np.abs(heat[3]), 1e-30 * heat[3]
  heat[6, 30, 20] = 1e4                                     # one px alone
  found = np.asarray(decode(heat, refine=refine))
  assert np.isfinite(found).all()
  assert (found[..., :2] >= -8).all() and (found[..., :2] <= [WIDTH + 4, HEIGHT + 4]).all()
  np.testing.assert_array_equal(found[[0, 2]][..., :2], 0)  # nowhere above 0
  np.testing.assert_array_equal(found[..., 2], heat.max(axis=(1, 2)))
  np.testing.assert_allclose(found[6, :, :2], np.broadcast_to([80, 120], (17, 2)), atol=1e-3)


def test_a_value_that_is_no_number_is_told_by_its_score():
  heat = noisy_heatmaps(5)
  heat[2, 5, 5, 7] = np.nan
  for refine in heatmaps.REFINEMENTS:
    found = np.asarray(decode(heat, refine=refine))
    assert np.argwhere(np.isnan(found[..., 2])).tolist() == [[2, 7]]


def test_flipping_twice_changes_nothing():
  heat = noisy_heatmaps(6)
  assert (flip_back(heat) != heat).any()
  np.testing.assert_array_equal(flip_back(flip_back(heat)), heat)
  assert heatmaps.MIRRORED_JOINTS == MIRRORED_JOINTS


def test_flipped_heatmaps_are_those_of_the_mirrored_crop():
  joints = make_joints(7)
  mirrored = joints[:, MIRRORED_JOINTS] * [-1, 1, 1] + [WIDTH - 4, 0, 0]      # column w - 1 - x
  plain, back = encode(joints, *SIZE, rounded=False)[0], flip_back(
      encode(mirrored, *SIZE, rounded=False)[0])
  np.testing.assert_allclose(back, plain, atol=1e-5)


def test_the_mean_of_both_brings_the_mirrored_ones_a_pixel_to_the_right():
  heat, other = noisy_heatmaps(8), noisy_heatmaps(9)
  back = np.asarray(flip_back(other))
  mean = np.asarray(average_flipped(heat, other))
  np.testing.assert_allclose(mean[:, :, 1:], (heat[:, :, 1:] + back[:, :, :-1]) / 2, rtol=1e-6)
  np.testing.assert_allclose(mean[:, :, 0], (heat[:, :, 0] + back[:, :, 0]) / 2, rtol=1e-6)


def test_both_flips_see_a_joint_within_a_crop_pixel():
  joints = make_joints(10, margin_px=24)
  mirrored = joints[:, MIRRORED_JOINTS] * [-1, 1, 1] + [WIDTH - 1, 0, 0]
  heat = [encode(these, *SIZE, rounded=False)[0] for these in (joints, mirrored)]
  found = decode(average_flipped(*heat), refine='dark')
  off_px = np.asarray(found[..., :2]) - joints[..., :2]
  np.testing.assert_allclose(off_px, np.broadcast_to([0.5, 0], off_px.shape), atol=0.25)


def test_an_unknown_refinement_is_told_with_the_choices():
  with pytest.raises(UserError, match='choices: none, quarter, dark'):
    decode(jnp.zeros((1, *SIZE, 17)), refine='half')
