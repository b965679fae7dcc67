"""Multi-class hinge loss against the formula in torch, optax, and its own theorems."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from losses.multiclass_hinge import multiclass_hinge

TABLE = json.loads((pathlib.Path(__file__).parent / 'reference' / 'losses_in_torch.json')
                   .read_text())['multiclass_hinge']
LOGITS = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)), jnp.float32)
CLASSES = jnp.int32([0, 3, 1, 2, 2, 0])


def gradient(logits, labels, margin=1.0):
  return jax.grad(lambda x: multiclass_hinge(x, labels, hinge_margin=margin).sum())(logits)


@pytest.mark.parametrize('row', TABLE, ids=lambda row: str(row['settings']))
def test_equals_the_formula_in_torch(row):
  outputs, labels = jnp.float32(row['outputs']), np.array(row['labels'])
  np.testing.assert_allclose(multiclass_hinge(outputs, labels, **row['settings']), row['values'],
                             rtol=2e-6, atol=1e-6)
  np.testing.assert_allclose(gradient(outputs, labels, row['settings']['hinge_margin']),
                             row['gradients'], atol=1e-6)


def test_equals_optax():
  np.testing.assert_allclose(multiclass_hinge(LOGITS, CLASSES, hinge_margin=1),
                             optax.losses.multiclass_hinge_loss(LOGITS, CLASSES), atol=1e-6)


def test_a_win_by_the_margin_costs_and_moves_nothing():
  x = jnp.float32([[3, 1, 0], [2, 1.01, 0]])
  values = multiclass_hinge(x, jnp.int32([0, 0]), hinge_margin=1)
  np.testing.assert_allclose(values, [0, 0.01], atol=1e-6)
  np.testing.assert_array_equal(gradient(x, jnp.int32([0, 0])), [[0, 0, 0], [-1, 1, 0]])


def test_equal_rivals_share_the_gradient():
  np.testing.assert_array_equal(gradient(jnp.float32([[0, 2, 2, -1]]), jnp.int32([0])),
                                [[-1, 0.5, 0.5, 0]])


def test_two_classes_are_a_hinge_of_the_difference():
  x = jnp.linspace(-3, 3, 13)
  both = jnp.stack([x, jnp.zeros_like(x)], axis=1)
  np.testing.assert_allclose(multiclass_hinge(both, jnp.zeros(13, jnp.int32), hinge_margin=1),
                             jnp.maximum(0, 1 - x), atol=1e-6)


def test_a_constant_added_to_all_logits_changes_nothing():
  np.testing.assert_allclose(multiclass_hinge(LOGITS + 7, CLASSES, hinge_margin=1),
                             multiclass_hinge(LOGITS, CLASSES, hinge_margin=1), atol=2e-6)


def test_labels_that_are_no_classes_of_the_rows_are_refused():
  for labels in (jnp.zeros((6, 1), jnp.int32), jnp.zeros((6, 4)), jnp.zeros(6)):
    with pytest.raises(AssertionError):
      multiclass_hinge(LOGITS, labels, hinge_margin=1)
