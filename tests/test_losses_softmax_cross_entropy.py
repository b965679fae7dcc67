"""Categorical cross-entropy against torch's figures, optax, and its own theorems."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from losses.sigmoid_cross_entropy import sigmoid_cross_entropy
from losses.softmax_cross_entropy import softmax_cross_entropy

TABLE = json.loads((pathlib.Path(__file__).parent / 'reference' / 'losses_in_torch.json')
                   .read_text())['softmax_cross_entropy']
LOGITS = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)), jnp.float32)
CLASSES = jnp.int32([0, 3, 1, 2, 2, 0])


def gradient(logits, labels, smoothing):
  return jax.grad(lambda x: softmax_cross_entropy(x, labels, label_smoothing=smoothing).sum())(
    logits)


@pytest.mark.parametrize('row', TABLE, ids=lambda row: str(row['settings']))
def test_equals_torch(row):
  outputs, labels = jnp.float32(row['outputs']), np.array(row['labels'])
  labels = labels if labels.dtype == np.int64 else jnp.float32(labels)
  np.testing.assert_allclose(softmax_cross_entropy(outputs, labels, **row['settings']),
                             row['values'], rtol=2e-6, atol=1e-6)
  np.testing.assert_allclose(gradient(outputs, labels, row['settings']['label_smoothing']),
                             row['gradients'], rtol=1e-5, atol=1e-6)


def test_equals_optax():
  np.testing.assert_allclose(
    softmax_cross_entropy(LOGITS, CLASSES, label_smoothing=0),
    optax.softmax_cross_entropy_with_integer_labels(LOGITS, CLASSES), rtol=1e-6)


@pytest.mark.parametrize('smoothing', [0, 0.2])
def test_a_class_is_a_distribution_of_one(smoothing):
  np.testing.assert_array_equal(
    softmax_cross_entropy(LOGITS, CLASSES, label_smoothing=smoothing),
    softmax_cross_entropy(LOGITS, jax.nn.one_hot(CLASSES, 4), label_smoothing=smoothing))


def test_smoothing_mixes_in_the_cost_of_telling_every_class():
  smoothed, plain = (softmax_cross_entropy(LOGITS, CLASSES, label_smoothing=smoothing)
                     for smoothing in (0.3, 0))
  even = softmax_cross_entropy(LOGITS, jnp.full((6, 4), 0.25), label_smoothing=0)
  np.testing.assert_allclose(smoothed, 0.7 * plain + 0.3 * even, rtol=1e-5)


def test_two_classes_are_one_yes_or_no():
  x = jnp.linspace(-30, 30, 25)
  both = jnp.stack([x, jnp.zeros_like(x)], axis=1)
  np.testing.assert_allclose(
    softmax_cross_entropy(both, jnp.zeros(25, jnp.int32), label_smoothing=0),
    sigmoid_cross_entropy(x, jnp.ones(25)), rtol=1e-5, atol=1e-6)


def test_gradient_is_probability_less_target():
  np.testing.assert_allclose(gradient(LOGITS, CLASSES, 0),
                             jax.nn.softmax(LOGITS) - jax.nn.one_hot(CLASSES, 4), atol=1e-6)


def test_labels_of_another_shape_are_refused():
  for labels in (jnp.zeros((6, 1), jnp.int32), jnp.zeros(5, jnp.int32), jnp.zeros((6, 3))):
    with pytest.raises(AssertionError):
      softmax_cross_entropy(LOGITS, labels, label_smoothing=0)
