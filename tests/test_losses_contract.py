"""What every loss promises: its shape, finite at both ends, one dtype, keyword-only settings."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from losses import ELEMENT_WISE, LOSSES

GAMMAS = (0, 0.5, 1, 2)
# A row for each loss: the settings it is tried with.
SETTINGS = {
  'sigmoid_cross_entropy': [{}],
  'focal': [dict(alpha=alpha, gamma=gamma) for alpha in (-1, 0.25) for gamma in GAMMAS],
  'asymmetric': [
    dict(gamma_positive=gamma, gamma_negative=gamma, clip=clip)
    for clip in (0, 0.05) for gamma in GAMMAS],
  'squared_error': [{}],
  'softmax_cross_entropy': [dict(label_smoothing=smoothing) for smoothing in (0, 0.1)],
  'multiclass_hinge': [dict(margin=margin) for margin in (0.5, 1)],
  'root_squared_error': [{}],
  'absolute_error': [{}],
  'structural_dissimilarity': [dict(window=window, sigma=1.5, k1=0.01, k2=0.03, data_range=1.0)
                               for window in (7, 11)],
  'gaussian_kl': [{}],
}
EXTREMES = (-1e4, -100, -88, -40, -1, 0, 1, 40, 88, 100, 1e4)
CASES = [pytest.param(LOSSES[name], settings, id=f'{name}-{settings}')
         for name in ELEMENT_WISE for settings in SETTINGS[name]]
CLASSES = jnp.int32([0, 1, 2, 2])
PER_EXAMPLE = [  # with labels of the three kinds
  *(pytest.param('softmax_cross_entropy', jnp.float32(labels), id=f'softmax_cross_entropy-{kind}')
    for kind, labels in (('hard', np.eye(3)[CLASSES]), ('soft', np.full((4, 3), 1 / 3)))),
  pytest.param('softmax_cross_entropy', CLASSES, id='softmax_cross_entropy-classes'),
  pytest.param('multiclass_hinge', CLASSES, id='multiclass_hinge'),
  pytest.param('root_squared_error', jnp.float32(np.eye(3)[CLASSES]), id='root_squared_error'),
]
PER_PICTURE = ('structural_dissimilarity',)  # of pixels, [B, H, W, C]


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


def test_every_loss_has_settings_here():
  assert set(SETTINGS) == set(LOSSES)
  assert set(LOSSES) == {*ELEMENT_WISE, *PER_PICTURE, *(case.values[0] for case in PER_EXAMPLE)}


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('loss, settings', CASES)
def test_values_and_gradients_are_finite_at_the_extremes(loss, settings, dtype):
  logits = np.tile(np.asarray(EXTREMES, dtype), (3, 1))
  labels = np.broadcast_to(np.asarray([[0], [0.5], [1]], dtype), logits.shape)
  values, gradients = value_and_gradient(loss, logits, labels, settings)
  assert values.dtype == jnp.float32 and gradients.dtype == dtype
  assert all_finite(values, gradients)
  assert (np.asarray(values) >= 0).all()


@pytest.mark.parametrize('loss, settings', CASES)
def test_a_sure_mistake_costs_and_pulls(loss, settings):
  values, gradients = value_and_gradient(
    loss, jnp.float32([100, -100]), jnp.float32([0, 1]), settings)
  assert (np.asarray(values) > 1).all()
  if not settings.get('clip'):  # with a clip, a sure false positive no longer pulls
    assert gradients[0] > 0.2
  assert gradients[1] < -0.2


def sigmoid_cross_entropy_in_float64(x, y):
  return y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)


def focal_in_float64(x, y, alpha, gamma):
  p = 1 / (1 + np.exp(-x))
  weight = alpha * y + (1 - alpha) * (1 - y) if alpha >= 0 else 1
  return weight * (p * (1 - y) + (1 - p) * y) ** gamma * sigmoid_cross_entropy_in_float64(x, y)


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
  for name in ELEMENT_WISE for settings in SETTINGS[name]])
def test_soft_labels_have_the_values_and_gradients_of_their_formula(name, settings, label):
  expected = IN_FLOAT64[name]
  x = np.linspace(-8, 8, 41)
  x, step = x[np.abs(x + 2.944) > 0.01], 1e-5  # where a clip of 0.05 begins, asymmetric has a kink
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
    for settings in SETTINGS[name]:
      values, gradients = value_and_gradient(LOSSES[name], logits, labels, settings)
      assert values.shape == (4,) and values.dtype == jnp.float32 and gradients.dtype == dtype
      assert all_finite(values, gradients) and (np.asarray(values) >= 0).all()
      for row in range(4):
        alone = value_of(LOSSES[name], logits[row], np.asarray(labels)[row], settings)
        np.testing.assert_allclose(np.asarray(values)[row], alone, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('loss', [
  pytest.param(functools.partial(LOSSES[name], **settings), id=f'{name}-{settings}')
  for name in PER_PICTURE for settings in SETTINGS[name]])
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


@pytest.mark.parametrize('name', [name for name in LOSSES if name != 'multiclass_hinge'])
def test_shapes_that_would_broadcast_are_refused(name):
  with pytest.raises(AssertionError):
    LOSSES[name](jnp.zeros((2, 3)), jnp.zeros((2, 1)), **SETTINGS[name][0])


@pytest.mark.parametrize('name', LOSSES)
def test_settings_are_keyword_only_without_defaults(name):
  _, _, *settings = inspect.signature(LOSSES[name]).parameters.values()
  assert all(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in settings)
