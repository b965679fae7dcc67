"""Binary cross-entropy against float64 and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from losses.sigmoid_cross_entropy import sigmoid_cross_entropy

LOGITS = np.concatenate([np.linspace(-30, 30, 61), [-1e4, -100, 100, 1e4]])


def in_float64(logits, labels):
  return labels * np.logaddexp(0, -logits) + (1 - labels) * np.logaddexp(0, logits)


@pytest.mark.parametrize('label', [0, 0.3, 1])
def test_values_keep_their_digits_out_to_the_tails(label):
  labels = np.full_like(LOGITS, label)
  values = sigmoid_cross_entropy(jnp.float32(LOGITS), jnp.float32(labels))
  np.testing.assert_allclose(values, in_float64(LOGITS, labels), rtol=2e-6, atol=1e-37)


@pytest.mark.parametrize('label', [0, 0.3, 1])
def test_gradient_is_probability_less_label(label):
  labels = np.full_like(LOGITS, label)
  gradients = jax.grad(lambda x: sigmoid_cross_entropy(x, jnp.float32(labels)).sum())(
    jnp.float32(LOGITS))
  rising, falling = np.exp(-np.logaddexp(0, -LOGITS)), np.exp(-np.logaddexp(0, LOGITS))
  np.testing.assert_allclose(
    gradients, (1 - labels) * rising - labels * falling, rtol=2e-6, atol=1e-37)


def test_labels_have_the_gradient_minus_logit():
  logits = jnp.float32([-4, 0.5, 9])
  gradients = jax.grad(lambda y: sigmoid_cross_entropy(logits, y).sum())(jnp.float32([0, 0.3, 1]))
  np.testing.assert_allclose(gradients, -logits, rtol=1e-6)


def test_equals_optax():
  logits, labels = np.meshgrid(np.float32(LOGITS), np.float32([0, 0.3, 1]))
  np.testing.assert_allclose(
    sigmoid_cross_entropy(logits, labels), optax.sigmoid_binary_cross_entropy(logits, labels),
    rtol=1e-6, atol=1e-12)
