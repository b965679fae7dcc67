"""Focal loss against float64, PyTorch's figures, optax, and its own theorems."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from losses.focal import focal
from losses.sigmoid_cross_entropy import sigmoid_cross_entropy

TABLE = json.loads(
  (pathlib.Path(__file__).parent / 'reference' / 'losses_in_torch.json').read_text())['focal']
LOGITS = np.linspace(-25, 25, 101)


def in_float64(logits, labels, focal_alpha, focal_gamma):
  rising, falling = np.exp(-np.logaddexp(0, -logits)), np.exp(-np.logaddexp(0, logits))
  wrong = np.where(labels == 1, falling, np.where(labels == 0, rising, np.nan))
  weight = np.where(labels == 1, focal_alpha, 1 - focal_alpha)
  return weight * wrong ** focal_gamma * -np.log1p(-wrong)


@jax.jit
def gradient(logits, labels, **settings):
  return jax.grad(lambda x: focal(x, labels, **settings).sum())(logits)


@pytest.mark.parametrize('focal_gamma', [0, 0.5, 1, 2, 5])
@pytest.mark.parametrize('label', [0, 1])
def test_values_and_gradients_equal_float64(label, focal_gamma):
  logits = LOGITS[np.abs(LOGITS) < 15]
  settings = dict(focal_alpha=0.3, focal_gamma=focal_gamma)
  labels, step = np.full_like(logits, label), 1e-4
  values = focal(jnp.float32(logits), jnp.float32(labels), **settings)
  np.testing.assert_allclose(
    values, in_float64(logits, labels, **settings), rtol=2e-5, atol=1e-37)
  rise = (in_float64(logits + step, labels, **settings)
          - in_float64(logits - step, labels, **settings))
  np.testing.assert_allclose(
    gradient(jnp.float32(logits), jnp.float32(labels), **settings), rise / (2 * step), rtol=2e-5,
    atol=1e-37)


@pytest.mark.parametrize('row', TABLE, ids=lambda row: str(row['settings']))
def test_equals_torchvision(row):
  logits, labels = jnp.float32(row['logits']), jnp.float32(row['labels'])
  np.testing.assert_allclose(
    focal(logits, labels, **row['settings']), row['values'], rtol=1e-5, atol=1e-9)
  np.testing.assert_allclose(
    gradient(logits, labels, **row['settings']), row['gradients'], rtol=2e-5, atol=1e-8)


@pytest.mark.parametrize('alpha, gamma', [(None, 2), (0.25, 2), (0.6, 1)])
def test_equals_optax(alpha, gamma):
  logits, labels = np.meshgrid(np.float32(LOGITS), np.float32([0, 0.3, 1]))
  ours = focal(logits, labels, focal_alpha=-1 if alpha is None else alpha, focal_gamma=gamma)
  theirs = optax.sigmoid_focal_loss(logits, labels, alpha=alpha, gamma=gamma)
  np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_focal_is_bce_when_gamma_is_zero_and_alpha_is_off():
  logits, labels = (jnp.float32(one) for one in np.meshgrid(LOGITS, [0, 0.3, 1]))
  np.testing.assert_allclose(
    focal(logits, labels, focal_alpha=-1, focal_gamma=0), sigmoid_cross_entropy(logits, labels),
    rtol=1e-6)
  np.testing.assert_allclose(
    gradient(logits, labels, focal_alpha=-1, focal_gamma=0),
    jax.grad(lambda x: sigmoid_cross_entropy(x, labels).sum())(logits), rtol=1e-6, atol=1e-12)


def test_focal_with_alpha_half_is_half_of_focal_without_alpha():
  logits, labels = (jnp.float32(one) for one in np.meshgrid(LOGITS, [0, 1]))
  np.testing.assert_allclose(
    2 * focal(logits, labels, focal_alpha=0.5, focal_gamma=2),
    focal(logits, labels, focal_alpha=-1, focal_gamma=2), rtol=1e-6, atol=1e-37)


def test_weights_and_exponents_may_differ_between_tags():
  logits = jnp.float32([[-2, 0.5, 3], [1, -1, 0]])
  labels = jnp.float32([[1, 0, 1], [0, 1, 0]])
  focal_alpha, focal_gamma = [0.2, 0.9, -1], [0, 0.5, 2]
  settings = dict(focal_alpha=jnp.float32(focal_alpha), focal_gamma=jnp.float32(focal_gamma))
  values, gradients = focal(logits, labels, **settings), gradient(logits, labels, **settings)
  for tag in range(3):
    alone = dict(focal_alpha=focal_alpha[tag], focal_gamma=focal_gamma[tag])
    column = logits[:, tag], labels[:, tag]
    np.testing.assert_allclose(values[:, tag], focal(*column, **alone), rtol=1e-6)
    np.testing.assert_allclose(gradients[:, tag], gradient(*column, **alone), rtol=1e-6)


def test_an_incoming_gradient_scales_each_element():
  logits, labels = jnp.float32([-1, 2, 0.5]), jnp.float32([1, 0, 1])
  scale = jnp.float32([2, 0, -3])
  settings = dict(focal_alpha=0.3, focal_gamma=2)
  scaled = jax.grad(lambda x: (scale * focal(x, labels, **settings)).sum())(logits)
  np.testing.assert_allclose(scaled, scale * gradient(logits, labels, **settings), rtol=1e-6)


@pytest.mark.parametrize('gamma', [0, 0.5, 1, 2])
@pytest.mark.parametrize('alpha', [-1, 0.25])
def test_a_sure_mistake_costs_and_pulls(alpha, gamma):
  values, gradients = (function(jnp.float32([100, -100]), jnp.float32([0, 1]), focal_alpha=alpha,
                                focal_gamma=gamma) for function in (focal, gradient))
  assert (values > 1).all()
  assert gradients[0] > 0.2 and gradients[1] < -0.2
