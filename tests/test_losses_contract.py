"""What every loss promises: element-wise, finite at both ends, one dtype, keyword-only settings."""

import functools
import inspect

import jax
import jax.numpy as jnp
import pytest

from losses import LOSSES

GAMMAS = (0, 0.5, 1, 2)
# A row for each loss: the settings it is tried with.
SETTINGS = {
  'sigmoid_cross_entropy': [{}],
  'focal': [dict(alpha=alpha, gamma=gamma) for alpha in (-1, 0.25) for gamma in GAMMAS],
  'asymmetric': [
    dict(gamma_positive=gamma, gamma_negative=gamma, clip=clip)
    for clip in (0, 0.05) for gamma in GAMMAS],
}
EXTREMES = (-1e4, -100, -88, -40, -1, 0, 1, 40, 88, 100, 1e4)
CASES = [pytest.param(LOSSES[name], settings, id=f'{name}-{settings}')
         for name in LOSSES for settings in SETTINGS[name]]


@functools.partial(jax.jit, static_argnums=0)
def value_and_gradient(loss, logits, labels, settings):
  values, pullback = jax.vjp(lambda x: loss(x, labels, **settings), logits)
  return values, pullback(jnp.ones_like(values))[0]


def test_every_loss_has_settings_here():
  assert set(SETTINGS) == set(LOSSES)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('loss, settings', CASES)
def test_values_and_gradients_are_finite_at_the_extremes(loss, settings, dtype):
  logits = jnp.tile(jnp.asarray(EXTREMES, dtype), (3, 1))
  labels = jnp.broadcast_to(jnp.asarray([[0], [0.5], [1]], dtype), logits.shape)
  values, gradients = value_and_gradient(loss, logits, labels, settings)
  assert values.dtype == jnp.float32 and gradients.dtype == dtype
  assert jnp.isfinite(values).all() and jnp.isfinite(gradients).all()
  assert (values >= 0).all()


@pytest.mark.parametrize('loss, settings', CASES)
def test_a_sure_mistake_costs_and_pulls(loss, settings):
  values, gradients = value_and_gradient(
    loss, jnp.float32([100, -100]), jnp.float32([0, 1]), settings)
  assert (values > 1).all()
  if not settings.get('clip'):  # with a clip, a sure false positive no longer pulls
    assert gradients[0] > 0.2
  assert gradients[1] < -0.2


@pytest.mark.parametrize('loss, settings', CASES)
def test_elements_do_not_see_each_other(loss, settings):
  logits, labels = jnp.float32([[-2, 0.5], [3, 1]]), jnp.float32([[0, 1], [1, 0]])
  together = loss(logits, labels, **settings)
  assert together.shape == logits.shape
  for index in ((0, 0), (0, 1), (1, 0), (1, 1)):
    assert jnp.allclose(together[index], loss(logits[index], labels[index], **settings))


@pytest.mark.parametrize('name', LOSSES)
def test_shapes_that_would_broadcast_are_refused(name):
  with pytest.raises(AssertionError):
    LOSSES[name](jnp.zeros((2, 3)), jnp.zeros((2, 1)), **SETTINGS[name][0])


@pytest.mark.parametrize('name', LOSSES)
def test_settings_are_keyword_only_without_defaults(name):
  _, _, *settings = inspect.signature(LOSSES[name]).parameters.values()
  assert all(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in settings)
