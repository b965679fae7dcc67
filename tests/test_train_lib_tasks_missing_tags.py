"""What an unlisted tag counts as: figures worked out by hand."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from errors import UserError
from losses import LOSSES
from train_lib.tasks.missing_tags import check_missing, place_bar, treat_missing

# the last tag is a rating; sigmoid(1) is 0.731, sigmoid(-1) is 0.269
LOGITS = jnp.float32([[1, -1, 1, 1], [-1, 1, -1, 100]])
LABELS = jnp.float32([[0, 0, 1, 0], [0, 0, 1, 0]])
COMPLETE = np.array([False, False, False, True])


def treat(logits=LOGITS, labels=LABELS, *, complete=COMPLETE, smoothing=0.0, missing='absent',
          threshold=0.6, prior_logits=-5.0):
  return treat_missing(logits, labels, complete=complete, smoothing=smoothing, missing=missing,
                       bar=place_bar(threshold, prior_logits))


def test_absent_leaves_labels_as_they_are():
  targets, weights = treat()
  np.testing.assert_array_equal(targets, LABELS)
  np.testing.assert_array_equal(weights, np.ones((2, 4)))


def test_ignored_takes_found_tags_out_of_the_loss():
  targets, weights = treat(missing='ignored')
  np.testing.assert_array_equal(targets, LABELS)
  np.testing.assert_array_equal(weights, [[0, 1, 1, 1], [1, 0, 1, 1]])


def test_present_turns_found_tags_into_yes():
  targets, weights = treat(missing='present')
  np.testing.assert_array_equal(targets, [[1, 0, 1, 0], [0, 1, 1, 0]])
  np.testing.assert_array_equal(weights, np.ones((2, 4)))


def test_smoothing_is_the_target_of_unlisted_tags_but_of_no_rating():
  targets, weights = treat(smoothing=0.1)
  np.testing.assert_allclose(targets, [[0.1, 0.1, 1, 0], [0.1, 0.1, 1, 0]], rtol=1e-6)
  np.testing.assert_array_equal(weights, np.ones((2, 4)))


def test_found_tags_are_present_and_only_the_others_smoothed():
  targets, _ = treat(smoothing=0.1, missing='present')
  np.testing.assert_allclose(targets, [[1, 0.1, 1, 0], [0.1, 1, 1, 0]], rtol=1e-6)


def test_mixed_labels_are_smoothed_as_their_parts_and_found_only_where_no_part_lists_them():
  labels = jnp.float32([[0.7, 0.3, 0, 0.7]])
  targets, weights = treat(jnp.full((1, 4), 9.0), labels, smoothing=0.2)
  # 0.7 of a yes and 0.3 of a smoothed no: 0.7 + 0.3 * 0.2
  np.testing.assert_allclose(targets, [[0.76, 0.44, 0.2, 0.7]], rtol=1e-6)
  _, weights = treat(jnp.full((1, 4), 9.0), labels, missing='ignored')
  np.testing.assert_array_equal(weights, [[1, 1, 0, 1]])


def test_the_threshold_is_a_probability_that_must_be_passed():
  logits = jnp.float32([[np.log(0.29 / 0.71), np.log(0.31 / 0.69), 0, 0]])
  _, weights = treat(logits, jnp.zeros((1, 4)), missing='ignored', threshold=0.3)
  np.testing.assert_array_equal(weights, [[1, 0, 0, 1]])


def test_the_bar_is_the_threshold_but_at_least_twice_the_odds_of_the_tag():
  shares = np.array([0.01, 0.4, 0.5, 0.7])
  odds = np.exp(place_bar(0.6, np.log(shares / (1 - shares))))
  np.testing.assert_allclose(odds, [1.5, 1.5, 2, 2 * 7 / 3], rtol=1e-5)


@pytest.mark.parametrize('threshold', [0.05, 0.6])
def test_a_net_that_knows_only_the_shares_finds_nothing(threshold):
  prior = np.float32([-4, 0, 2, 4])
  _, weights = treat(jnp.tile(prior, (2, 1)), jnp.zeros((2, 4)), missing='ignored',
                     complete=np.zeros(4, bool), threshold=threshold, prior_logits=prior)
  assert weights.all()


def test_pictures_without_tags_and_a_single_tag_are_fine():
  for logits in (jnp.float32([[5.0]]), jnp.zeros((3, 1))):
    labels = jnp.zeros_like(logits)
    targets, weights = treat(logits, labels, complete=np.array([False]), missing='present')
    np.testing.assert_array_equal(targets, logits > 0)
    assert weights.shape == logits.shape


@pytest.mark.parametrize('missing', ['ignored', 'present'])
@pytest.mark.parametrize('name, settings', [
    ('sigmoid_cross_entropy', {}), ('focal', dict(focal_alpha=-1, focal_gamma=2)),
    ('asymmetric', dict(gamma_positive=0, gamma_negative=4, clip=0.05))])
def test_no_gradient_flows_through_what_is_found(name, settings, missing):
  """The gradient is that of the same loss with targets and weights given as numbers."""
  def loss(logits, targets, weights):
    return (LOSSES[name](logits, targets, **settings) * weights).sum()
  fixed = treat(missing=missing, smoothing=0.05)
  treated = jax.grad(lambda x: loss(x, *treat(x, missing=missing, smoothing=0.05)))(LOGITS)
  np.testing.assert_array_equal(treated, jax.grad(loss)(LOGITS, *fixed))
  assert np.isfinite(treated).all()


def test_a_found_tag_pulls_upwards_when_present_and_not_at_all_when_ignored():
  def gradient(missing):
    def loss(logits):
      targets, weights = treat(logits, missing=missing)
      return (LOSSES['sigmoid_cross_entropy'](logits, targets) * weights).sum()
    return jax.grad(loss)(LOGITS)[0, 0]
  assert gradient('absent') == pytest.approx(0.7310586)
  assert gradient('ignored') == 0
  assert gradient('present') == pytest.approx(0.7310586 - 1)


@pytest.mark.parametrize('changes, words', [
    ({'missing': 'maybe'}, "loss.missing is 'maybe'; choices: absent, ignored, present"),
    ({'missing_threshold': 0.0}, 'loss.missing_threshold is 0.0'),
    ({'missing_threshold': 1.0}, 'loss.missing_threshold is 1.0'),
    ({'missing_threshold': float('nan')}, 'loss.missing_threshold is nan'),
    ({'negative_smoothing': -0.1}, 'loss.negative_smoothing is -0.1'),
    ({'negative_smoothing': 1.0}, 'loss.negative_smoothing is 1.0'),
])
def test_senseless_settings_are_told_by_name(changes, words):
  values = {'missing': 'absent', 'missing_threshold': 0.6, 'negative_smoothing': 0.0}
  check_missing(types.SimpleNamespace(**values))
  with pytest.raises(UserError, match=words):
    check_missing(types.SimpleNamespace(**values | changes))
