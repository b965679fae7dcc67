"""Asymmetric loss against float64, PyTorch's figures, and its own theorems."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from losses.asymmetric import asymmetric
from losses.focal import focal
from losses.sigmoid_cross_entropy import sigmoid_cross_entropy

TABLE = json.loads(
  (pathlib.Path(__file__).parent / 'reference' / 'losses_in_torch.json').read_text())['asymmetric']
LOGITS = np.linspace(-14, 14, 113)


def in_float64(logits, label, gamma_positive, gamma_negative, clip):
  rising, falling = np.exp(-np.logaddexp(0, -logits)), np.exp(-np.logaddexp(0, logits))
  if label == 1:
    return falling ** gamma_positive * np.logaddexp(0, -logits)
  shifted = np.maximum(rising - clip, 0)
  rest = np.minimum(falling + clip, 1)
  cost = np.where(shifted < 0.1, -np.log1p(-np.minimum(shifted, 0.1)), -np.log(rest))
  return shifted ** gamma_negative * cost


@jax.jit
def gradient(logits, labels, **settings):
  return jax.grad(lambda x: asymmetric(x, labels, **settings).sum())(logits)


@pytest.mark.parametrize('clip', [0, 1e-3, 0.05, 0.6])
@pytest.mark.parametrize('gamma', [0, 0.5, 1, 4])
@pytest.mark.parametrize('label', [0, 1])
def test_values_and_gradients_equal_float64(label, gamma, clip):
  settings = dict(gamma_positive=gamma, gamma_negative=gamma, clip=clip)
  step, cut = 1e-5, np.log(max(clip, 1e-30)) - np.log1p(-clip)
  logits = LOGITS[np.abs(LOGITS - cut) > 0.02]  # the kink has no derivative
  labels = jnp.full(logits.shape, label, jnp.float32)
  values = asymmetric(jnp.float32(logits), labels, **settings)
  np.testing.assert_allclose(
    values, in_float64(logits, label, **settings), rtol=2e-5, atol=2e-7 if clip else 0)
  rise = (in_float64(logits + step, label, **settings)
          - in_float64(logits - step, label, **settings))
  np.testing.assert_allclose(
    gradient(jnp.float32(logits), labels, **settings), rise / (2 * step), rtol=3e-5,
    atol=2e-6 if clip else 1e-12)


@pytest.mark.parametrize('row', TABLE, ids=lambda row: str(row['settings']))
def test_equals_the_authors_formula(row):
  logits, labels = jnp.float32(row['logits']), jnp.float32(row['labels'])
  np.testing.assert_allclose(
    asymmetric(logits, labels, **row['settings']), row['values'], rtol=1e-5, atol=1e-7)
  np.testing.assert_allclose(
    gradient(logits, labels, **row['settings']), row['gradients'], rtol=2e-5, atol=1e-6)


def test_asymmetric_is_bce_when_exponents_and_clip_are_zero():
  logits, labels = (jnp.float32(one) for one in np.meshgrid(LOGITS, [0, 1]))
  settings = dict(gamma_positive=0, gamma_negative=0, clip=0)
  np.testing.assert_allclose(
    asymmetric(logits, labels, **settings), sigmoid_cross_entropy(logits, labels), rtol=1e-6)
  np.testing.assert_allclose(
    gradient(logits, labels, **settings),
    jax.grad(lambda x: sigmoid_cross_entropy(x, labels).sum())(logits), rtol=2e-6)


def test_asymmetric_is_focal_when_exponents_agree_and_clip_is_zero():
  logits, labels = (jnp.float32(one) for one in np.meshgrid(LOGITS, [0, 1]))
  settings = dict(gamma_positive=1.5, gamma_negative=1.5, clip=0)
  np.testing.assert_allclose(
    asymmetric(logits, labels, **settings),
    focal(logits, labels, focal_alpha=-1, focal_gamma=1.5), rtol=1e-5)


def test_negatives_below_the_clip_cost_and_move_nothing():
  logits, labels = jnp.float32([-3, -9, -1e4]), jnp.zeros(3)  # p is at most 0.0474
  for gamma in (0, 0.5, 2):
    settings = dict(gamma_positive=0, gamma_negative=gamma, clip=0.05)
    assert not asymmetric(logits, labels, **settings).any()
    assert not gradient(logits, labels, **settings).any()


def test_settings_may_differ_between_tags():
  logits = jnp.float32([[-2, 0.5, 3], [1, -1, 0]])
  labels = jnp.float32([[1, 0, 1], [0, 1, 0]])
  table = dict(gamma_positive=[0, 1, 2], gamma_negative=[4, 0, 0.5], clip=[0.05, 0, 0.3])
  values = asymmetric(logits, labels, **{name: jnp.float32(row) for name, row in table.items()})
  for tag in range(3):
    alone = asymmetric(
      logits[:, tag], labels[:, tag], **{name: row[tag] for name, row in table.items()})
    np.testing.assert_allclose(values[:, tag], alone, rtol=1e-6)


@pytest.mark.parametrize('gamma', [0, 0.5, 1, 2])
@pytest.mark.parametrize('clip', [0, 0.05])
def test_a_sure_mistake_costs_and_pulls_where_no_clip_holds_it(clip, gamma):
  values, gradients = (
    function(jnp.float32([100, -100]), jnp.float32([0, 1]), gamma_positive=gamma,
             gamma_negative=gamma, clip=clip) for function in (asymmetric, gradient))
  assert (values > 1).all()
  assert (gradients[0] == 0 if clip else gradients[0] > 0.2) and gradients[1] < -0.2
