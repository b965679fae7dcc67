"""How nets behave when they run: training and inference differ, rows do not mix, gradients arrive.

Statistics and gradients are those of one training step; what a net starts from is drawn, because
compiling its `init` takes longer than everything else here.
"""

import dataclasses
from typing import Any

import flax.traverse_util
import jax
import numpy as np
import pytest

import nets
from nets import layers
from tests.net_families import QUICK_SHALLOW, QUICK_WHOLE, RUN, abstract, build_shallow

CASES = [
  *(pytest.param((name, build_shallow), id=name) for name in (*QUICK_WHOLE, *QUICK_SHALLOW)),
  *(pytest.param((name, nets.build_net), id=f'{name} whole', marks=pytest.mark.slow)
    for name in RUN if name not in QUICK_WHOLE)]


def random_variables(net, size):
  """Variables with which every layer does something."""
  rng = np.random.default_rng(0)
  def draw(path, leaf):
    noise = rng.normal(size=leaf.shape).astype(np.float32)
    if path[-1] == 'kernel':
      return noise * np.float32((1.6 / np.prod(leaf.shape[:-1])) ** 0.5)
    awake = path[-2:] == ('reduce', 'bias')  # the few inner channels of a gate, else at zero
    return noise * np.float32(0.1) + (path[-1] in ('scale', 'var', 'gamma') or awake)
  leaves = flax.traverse_util.flatten_dict(abstract(net, size)[1])
  return flax.traverse_util.unflatten_dict(
    {path: draw(path, leaf) for path, leaf in leaves.items()})


@dataclasses.dataclass
class Case:
  """A net, its inference, and what two steps gave that differ in their rng alone."""

  net: Any
  variables: Any
  image: Any
  infer: Any  # (variables, image) -> (output, statistics)
  steps: Any  # of each: ((output, statistics), gradients)


@pytest.fixture(scope='module', params=CASES)
def case(request):
  name, build = request.param
  net, size = build(name, 5, dropout_rate=0.2, drop_path_rate=0.2), RUN[name]
  image = np.random.default_rng(1).normal(size=(4, size, size, 3)).astype(np.float32)

  def infer(variables, image):
    (output, _), after = net.apply(variables, image, train=False, mutable=['batch_stats'])
    return output, after

  def step(variables, image, seed):
    def loss(params):
      (output, taps), after = net.apply(
        {**variables, 'params': params}, image, train=True, mutable=['batch_stats'],
        rngs={'dropout': jax.random.key(seed), 'latent': jax.random.key(seed)})
      outputs = [output, *(taps[tap] for tap in ('aux_output',) if tap in taps)]
      return sum((x ** 2).sum() for x in outputs), (output, after)
    gradients, outcome = jax.grad(loss, has_aux=True)(variables['params'])
    return outcome, gradients

  variables = random_variables(net, size)
  with layers.conv_form('auto' if name == 'se_resnet_tiny' else 'plain'):  # quicker to compile
    infer = jax.jit(infer).lower(variables, image).compile()
    step = jax.jit(step).lower(variables, image, 0).compile()
  return Case(net, variables, image, lambda *args: jax.device_get(infer(*args)),
              jax.device_get([step(variables, image, seed) for seed in (0, 1)]))


def equal(one, two):
  return {bool((x == y).all()) for x, y in zip(
    jax.tree.leaves(one), jax.tree.leaves(two), strict=True)}


def test_train_is_keyword_only_without_default(case):
  with pytest.raises(TypeError):
    case.net.apply(case.variables, case.image)
  with pytest.raises(TypeError):
    case.net.apply(case.variables, case.image, True)


def test_batch_statistics_move_in_training_only(case):
  before = case.variables.get('batch_stats', {})
  _, after = case.infer(case.variables, case.image)
  assert equal(before, after.get('batch_stats', {})) <= {True}
  (_, after), _ = case.steps[0]
  assert equal(before, after.get('batch_stats', {})) <= {False}


def test_rows_do_not_see_each_other_outside_training(case):
  output, _ = case.infer(case.variables, case.image)
  others = case.image.copy()
  others[1:] = others[1:] * 2 + 1
  again, _ = case.infer(case.variables, others)
  moved = np.abs(again - output).reshape(len(output), -1).max(axis=1)
  assert moved[0] <= 1e-3 * moved[1:].min() and moved[1:].min() > 0


def test_something_is_dropped_in_training_and_another_thing_next_time(case):
  ((one, _), _), ((two, _), _) = case.steps
  assert np.isfinite(one).all() and equal(one, two) == {False}


def test_every_parameter_gets_a_finite_gradient_that_is_not_zero(case):
  _, gradients = case.steps[0]
  for path, gradient in jax.tree.leaves_with_path(gradients):
    assert np.isfinite(gradient).all() and gradient.any(), jax.tree_util.keystr(path)
