"""What every loss promises: its shape, finite at both ends, one dtype, keyword-only settings.

All of it is asked of `losses.LOSSES` and of the signatures there: a new loss needs no row here.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from losses import ELEMENT_WISE, LOSSES, TASK_LOSSES, hyper_parameters, takes

TRIED = (-1, 0, 0.05, 0.5, 1, 2)  # of each hyper-parameter, as far as they are in its range
EXTREMES = (-1e4, -100, -88, -40, -1, 0, 1, 40, 88, 100, 1e4)
CLASSES = jnp.int32([0, 1, 2, 2])


def defaults_of(name):
  """The hyper-parameters as configs/base.py has them."""
  section = base.get_config().loss
  return {key: section[key] for key in hyper_parameters(LOSSES[name])}


def settings_of(name):
  """What a loss is tried with: the defaults, and each of TRIED for one hyper-parameter, and all."""
  ranges = hyper_parameters(LOSSES[name])
  rows = [defaults_of(name)]
  for value in TRIED:
    fits = {key: value for key, (least, most) in ranges.items() if least <= value <= most}
    rows += [{**rows[0], key: value} for key in fits] + [{**rows[0], **fits}]
  return [row for place, row in enumerate(rows) if row not in rows[:place]]


def labels_of(name):
  """{kind: labels of four examples} that a loss which gives one number for each can take."""
  if takes(LOSSES[name])[1] == 'classes':
    return {'classes': CLASSES}
  return {'hard': jnp.float32(np.eye(3)[CLASSES]), 'soft': jnp.full((4, 3), 1 / 3)}


CASES = [pytest.param(LOSSES[name], settings, id=f'{name}-{settings}')
         for name in ELEMENT_WISE for settings in settings_of(name)]
PER_PICTURE = [name for name in TASK_LOSSES['autoencoding'] if name not in ELEMENT_WISE]
PER_EXAMPLE = [pytest.param(name, labels, id=f'{name}-{kind}')
               for name in LOSSES if name not in (*ELEMENT_WISE, *PER_PICTURE)
               for kind, labels in labels_of(name).items()]


@functools.partial(jax.jit, static_argnums=0)
def value_and_gradient(loss, logits, labels, settings):
  values, pullback = jax.vjp(lambda x: loss(x, labels, **settings), logits)
  return values, pullback(jnp.ones_like(values))[0]


def value_of(loss, logits, labels, settings):
  """One program, of settings that are numbers of Python as in a run."""
  return value_program(loss, tuple(settings.items()), logits, labels)


@functools.partial(jax.jit, static_argnums=(0, 1))
def value_program(loss, settings, logits, labels):
  return loss(logits, labels, **dict(settings))


def all_finite(*arrays):
  return all(np.isfinite(np.asarray(array, np.float32)).all() for array in arrays)


def test_the_tables_name_losses():
  assert {*ELEMENT_WISE, *(name for names in TASK_LOSSES.values() for name in names)} <= set(LOSSES)


@pytest.mark.parametrize('name', LOSSES)
def test_settings_are_keyword_only_and_keys_of_the_config_unless_they_have_a_default(name):
  parameters = list(inspect.signature(LOSSES[name]).parameters.values())
  assert all(one.kind is one.KEYWORD_ONLY for one in parameters[2:])
  for key, value in defaults_of(name).items():  # KeyError: configs/base.py lacks the key
    least, most = hyper_parameters(LOSSES[name])[key]
    assert least <= value <= most


@pytest.mark.parametrize('name', LOSSES)
def test_what_a_loss_compares_is_told_by_its_first_arguments(name):
  assert takes(LOSSES[name]) in (('logits', 'labels'), ('logits', 'classes'),
                                 ('outputs', 'targets'), ('mean', 'logvar'))


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('loss, settings', CASES)
def test_values_and_gradients_are_finite_at_the_extremes(loss, settings, dtype):
  logits = np.tile(np.asarray(EXTREMES, dtype), (3, 1))
  labels = np.broadcast_to(np.asarray([[0], [0.5], [1]], dtype), logits.shape)
  values, gradients = value_and_gradient(loss, logits, labels, settings)
  assert values.dtype == jnp.float32 and gradients.dtype == dtype
  assert all_finite(values, gradients)
  assert (np.asarray(values) >= 0).all()


@pytest.mark.parametrize('name', [name for name in ELEMENT_WISE
                                  if takes(LOSSES[name]) == ('logits', 'labels')])
def test_a_mistake_pulls_and_a_sure_one_costs(name):
  wrong = jnp.float32([0, 1])
  values, pulls = value_and_gradient(LOSSES[name], jnp.float32([100, -100]), wrong,
                                     defaults_of(name))
  assert (np.asarray(values) > 1).all()
  assert pulls[0] >= 0 >= pulls[1]
  _, pulls = value_and_gradient(LOSSES[name], jnp.float32([3, -3]), wrong, defaults_of(name))
  assert pulls[0] > 0.2 and pulls[1] < -0.2


@pytest.mark.parametrize('loss, settings', CASES)
def test_gradients_are_those_of_the_values(loss, settings):
  """By differences of float64; away from kinks, where a slope to either side is another."""
  with jax.enable_x64(True):
    x, labels = np.meshgrid(np.linspace(-7.93, 7.67, 40), [0, 0.3, 1])
    values = [np.asarray(loss(jnp.asarray(x + shift), jnp.asarray(labels), **settings))
              for shift in (-1e-5, 0, 1e-5)]
    gradients = jax.grad(lambda x: loss(x, labels, **settings).sum())(jnp.asarray(x))
  assert values[1].dtype == gradients.dtype == np.float64
  before, after = (values[1] - values[0]) / 1e-5, (values[2] - values[1]) / 1e-5
  smooth = np.abs(after - before) < 1e-3 * (1 + np.abs(before))
  assert smooth.mean() > 0.9
  np.testing.assert_allclose(np.asarray(gradients)[smooth], ((before + after) / 2)[smooth],
                             rtol=1e-5, atol=1e-7)


def sigmoid_cross_entropy_in_float64(x, y):
  return y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)


def focal_in_float64(x, y, focal_alpha, focal_gamma):
  p = 1 / (1 + np.exp(-x))
  weight = focal_alpha * y + (1 - focal_alpha) * (1 - y) if focal_alpha >= 0 else 1
  wrong = p * (1 - y) + (1 - p) * y
  return weight * wrong ** focal_gamma * sigmoid_cross_entropy_in_float64(x, y)


def asymmetric_in_float64(x, y, gamma_positive, gamma_negative, clip):
  p = 1 / (1 + np.exp(-x))
  shifted = np.maximum(p - clip, 0)
  return (y * (1 - p) ** gamma_positive * np.logaddexp(0, -x)
          - (1 - y) * shifted ** gamma_negative * np.log1p(-shifted))


def squared_error_in_float64(x, y):
  return (x - y) ** 2


def absolute_error_in_float64(x, y):
  return np.abs(x - y)


def gaussian_kl_in_float64(mean, logvar):
  return 0.5 * (mean ** 2 + np.exp(logvar) - 1 - logvar)


IN_FLOAT64 = {
  'squared_error': squared_error_in_float64,
  'absolute_error': absolute_error_in_float64,
  'gaussian_kl': gaussian_kl_in_float64,
  'sigmoid_cross_entropy': sigmoid_cross_entropy_in_float64,
  'focal': focal_in_float64,
  'asymmetric': asymmetric_in_float64,
}


@pytest.mark.parametrize('label', [0.1, 0.5, 0.73])
@pytest.mark.parametrize('name, settings', [
  pytest.param(name, settings, id=f'{name}-{settings}')
  for name in IN_FLOAT64 for settings in settings_of(name)])
def test_soft_labels_have_the_values_and_gradients_of_their_formula(name, settings, label):
  expected = IN_FLOAT64[name]
  x, step = np.linspace(-7.93, 7.67, 40), 1e-5
  values, gradients = value_and_gradient(
    LOSSES[name], np.float32(x), np.full(x.shape, label, np.float32), settings)
  np.testing.assert_allclose(values, expected(x, label, **settings), rtol=2e-5)
  slopes = (expected(x + step, label, **settings) - expected(x - step, label, **settings))
  np.testing.assert_allclose(gradients, slopes / (2 * step), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize('name, settings', [
  ('sigmoid_cross_entropy', {}),
  ('asymmetric', dict(gamma_positive=1, gamma_negative=4, clip=0.05))])
def test_soft_labels_blend_the_costs_of_yes_and_no(name, settings):
  x = np.linspace(-6, 6, 25, dtype=np.float32)
  yes, no, soft = (np.asarray(value_of(LOSSES[name], x, np.full_like(x, y), settings))
                   for y in (1.0, 0.0, 0.3))
  np.testing.assert_allclose(soft, 0.3 * yes + 0.7 * no, rtol=1e-5)


@pytest.mark.parametrize('loss, settings', CASES)
def test_elements_do_not_see_each_other(loss, settings):
  logits, labels = np.float32([[-2, 0.5], [3, 1]]), np.float32([[0, 1], [1, 0]])
  together = value_of(loss, logits, labels, settings)
  assert together.shape == logits.shape
  for index in ((0, 0), (0, 1), (1, 0), (1, 1)):
    alone = value_of(loss, logits[index], labels[index], settings)
    np.testing.assert_allclose(np.asarray(together)[index], alone, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('name, labels', PER_EXAMPLE)
def test_an_example_has_one_finite_cost_at_the_extremes_and_does_not_see_the_others(
    name, labels, dtype):
  for outputs in ([[1e4, 0, -1e4]] * 4, [[100, 100, 100]] * 4, [[-100, 100, 0]] * 4):
    logits = np.asarray(outputs, dtype)
    for settings in settings_of(name):
      values, gradients = value_and_gradient(LOSSES[name], logits, labels, settings)
      assert values.shape == (4,) and values.dtype == jnp.float32 and gradients.dtype == dtype
      assert all_finite(values, gradients) and (np.asarray(values) >= 0).all()
      for row in range(4):
        alone = value_of(LOSSES[name], logits[row], np.asarray(labels)[row], settings)
        np.testing.assert_allclose(np.asarray(values)[row], alone, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('loss', [
  pytest.param(functools.partial(LOSSES[name], **settings), id=f'{name}-{settings}')
  for name in PER_PICTURE for settings in settings_of(name)])
def test_a_picture_has_one_finite_cost_at_the_ends_of_its_range_and_does_not_see_the_others(
    loss, dtype):
  chequered = (np.indices((12, 13)).sum(axis=0) % 2)[..., None].repeat(2, axis=2)
  outputs = np.stack([chequered, 0 * chequered, 0 * chequered + 1]).astype(dtype)
  for labels in (outputs, 1 - outputs, 0 * outputs, 0 * outputs + dtype(0.5)):
    values, gradients = value_and_gradient(loss, outputs, labels, {})
    assert values.shape == (3,) and values.dtype == jnp.float32 and gradients.dtype == dtype
    assert all_finite(values, gradients) and (np.asarray(values) >= 0).all()
    for row in range(3):
      alone = value_of(loss, outputs[row:row + 1], labels[row:row + 1], {})
      np.testing.assert_allclose(np.asarray(values)[row], alone[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', [name for name in LOSSES if takes(LOSSES[name])[1] != 'classes'])
def test_shapes_that_would_broadcast_are_refused(name):
  with pytest.raises(AssertionError):
    LOSSES[name](jnp.zeros((2, 3)), jnp.zeros((2, 1)), **defaults_of(name))
