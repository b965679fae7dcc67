"""SAM and GSAM: against optax.contrib, against float64, and at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base
from errors import UserError
from train_lib import check
from train_lib.optimizers import build_optimizer, descend

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 2))
NET = {'first': {'kernel': RNG.normal(size=(3, 4)), 'bias': RNG.normal(size=4)},
       'head': {'kernel': RNG.normal(size=(4, 2)), 'bias': RNG.normal(size=2)}}
STEPS = 10


def section(**values):
  config = base.get_config().optimizer
  config.update({'schedule': 'constant', 'warmup_frac': 0.0, 'learning_rate': 0.1, **values})
  return config


def value(params):
  """The mean squared error of a net of one hidden layer."""
  hidden = jnp.tanh(jnp.asarray(X, jnp.float32) @ params['first']['kernel']
                    + params['first']['bias'])
  output = hidden @ params['head']['kernel'] + params['head']['bias']
  return jnp.mean((output - jnp.asarray(Y, jnp.float32)) ** 2)


def start():
  return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), NET)


def our_path(**values):
  """The parameters after each step."""
  optimizer, _ = build_optimizer(section(**values), STEPS)
  params, state, path = start(), optimizer.init(start()), []
  step = jax.jit(lambda *carry: descend(optimizer, jax.grad(value), *carry))
  for _ in range(STEPS):
    params, state = step(params, state)
    path.append(params)
  return path


def assert_close(ours, theirs, tolerance):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=tolerance), ours, theirs)


@pytest.mark.parametrize('name, inner', [
    ('sgd', optax.sgd(0.1)), ('momentum', optax.sgd(0.1, momentum=0.9)), ('adam', optax.adam(0.1)),
    ('adamw', optax.adamw(0.1, weight_decay=0.0))])
def test_sam_equals_that_of_optax_around_any_optimizer(name, inner):
  theirs = optax.contrib.sam(
      inner, optax.chain(optax.contrib.normalize(), optax.sgd(0.05)), sync_period=2,
      opaque_mode=True)
  params, state = start(), theirs.init(start())
  gradient = jax.grad(value)

  @jax.jit
  def step(params, state):
    updates, state = theirs.update(gradient(params), state, params,
                                   grad_fn=lambda params, _: gradient(params))
    return optax.apply_updates(params, updates), state

  for ours in our_path(name=name, sam_rho=0.05):
    params, state = step(params, state)
    assert_close(ours, params, 2e-6)
  with pytest.raises(AssertionError):
    assert_close(our_path(name=name)[-1], params, 1e-3)


def test_gsam_without_alpha_and_with_a_constant_radius_is_sam():
  falling = dict(name='momentum', schedule='cosine', sam_rho=0.1)
  sam = our_path(**falling)
  assert_close(our_path(**falling, sam_rho_min=0.1, gsam_alpha=0.0), sam, 0)
  for other in (dict(sam_rho_min=0.0), dict(gsam_alpha=0.5)):
    with pytest.raises(AssertionError):
      assert_close(our_path(**falling, **other), sam, 1e-3)


# GSAM written down once more in float64, a net by hand and all parameters in one row.


def flat(net):
  return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(net)])


def gradient_in_float64(w):
  """Of the mean squared error, by the chain rule; leaves in the order of their names."""
  bias1, kernel1, bias2, kernel2 = np.split(w, np.cumsum([4, 12, 2]))
  hidden = np.tanh(X @ kernel1.reshape(3, 4) + bias1)
  error = 2 * (hidden @ kernel2.reshape(4, 2) + bias2 - Y) / Y.size
  inner = error @ kernel2.reshape(4, 2).T * (1 - hidden ** 2)
  return np.concatenate([inner.sum(0), (X.T @ inner).ravel(), error.sum(0),
                         (hidden.T @ error).ravel()])


@pytest.mark.parametrize('alpha', [0.0, 0.7])
def test_gsam_equals_its_algorithm_in_float64(alpha):
  rate, rho, rho_min, w = 0.1, 0.4, 0.05, flat(NET)
  path = our_path(name='sgd', schedule='linear', sam_rho=rho, sam_rho_min=rho_min, gsam_alpha=alpha)
  for step, ours in enumerate(path):
    lr = rate * (1 - step / (STEPS + 1))
    radius = rho_min + (rho - rho_min) * (lr - 0) / (rate - 0)
    clean = gradient_in_float64(w)
    robust = gradient_in_float64(w + radius * clean / np.linalg.norm(clean))
    unit = robust / np.linalg.norm(robust)
    across = clean - clean @ unit * unit
    assert abs(across @ robust) < 1e-12 and np.linalg.norm(across) > 1e-3
    w = w - lr * (robust - alpha * across)
    np.testing.assert_allclose(flat(ours), w, rtol=0, atol=2e-6)


@pytest.mark.parametrize('schedule, radii', [
    ('constant', [0.3, 0.3, 0.3]), ('linear', [0.3, 0.3 * 3 / 4 + 0.1 / 4, 0.3 / 2 + 0.1 / 2])])
def test_the_radius_follows_the_learning_rate_whatever_its_size(schedule, radii):
  for rate in (1e-4, 10.0):
    optimizer, _ = build_optimizer(section(
        name='sgd', schedule=schedule, learning_rate=rate, sam_rho=0.3, sam_rho_min=0.1), 3)
    state, seen = optimizer.init(start()), []

    def note(offset, seen=seen):
      seen.append(optax.tree.norm(offset))
      return offset

    for _ in range(3):
      _, state = optimizer.update(
          jax.grad(value)(start()), state, start(), gradient_at_offset=note)
    np.testing.assert_allclose(seen, radii, rtol=1e-5)


@pytest.mark.parametrize('size', [0.0, 1e-30, 1e-12, 1e12])
def test_gradients_of_any_size_give_finite_updates(size):
  optimizer, _ = build_optimizer(section(name='sgd', sam_rho=5.0, gsam_alpha=0.5), 1)
  grads = jax.tree.map(lambda leaf: size * jnp.ones_like(leaf), start())
  updates, _ = optimizer.update(grads, optimizer.init(start()), start(),
                                gradient_at_offset=lambda offset: grads)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(updates))
  np.testing.assert_allclose(updates['head']['bias'], -0.1 * np.float32(size), rtol=1e-5,
                             atol=1e-20)


def test_a_gradient_that_is_not_finite_is_not_hidden():
  optimizer, _ = build_optimizer(section(name='sgd', sam_rho=0.05), 1)
  grads = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), start())
  updates, _ = optimizer.update(grads, optimizer.init(start()), start(),
                                gradient_at_offset=lambda offset: offset)
  assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(updates))


def test_penalties_and_clipping_act_on_what_sam_gives():
  """The penalty is of the weights themselves, as in the paper's first equation."""
  optimizer, _ = build_optimizer(
      section(name='sgd', learning_rate=1.0, sam_rho=0.05, l2=0.5, clip_norm=1.0), 1)
  grads, robust = jax.tree.map(jnp.ones_like, start()), jax.tree.map(lambda x: 100 * x, start())
  updates, _ = optimizer.update(grads, optimizer.init(start()), start(),
                                gradient_at_offset=lambda offset: robust)
  norm = optax.tree.norm(robust)
  np.testing.assert_allclose(updates['head']['kernel'], -robust['head']['kernel'] / norm
                             - 0.5 * start()['head']['kernel'], rtol=1e-5)


@pytest.mark.parametrize('values, words', [
    (dict(sam_rho=-0.1), 'optimizer.sam_rho is -0.1; expected a number of at least 0'),
    (dict(sam_rho=float('nan')), 'optimizer.sam_rho is nan'),
    (dict(sam_rho=0.05, sam_rho_min=0.1), 'sam_rho_min is 0.1, above optimizer.sam_rho, 0.05'),
    (dict(gsam_alpha=0.4), 'gsam_alpha is 0.4 and optimizer.sam_rho 0'),
    (dict(epsilon=0.0), 'epsilon is 0.0; expected above 0'),
    (dict(momentum=1.0), 'momentum is 1.0; expected at least 0 and below 1'),
    (dict(beta1=-0.5), 'beta1 is -0.5'),
    (dict(l1=-1.0), 'l1 is -1.0'),
    (dict(learning_rate=float('inf')), 'learning_rate is inf'),
    (dict(decayed=('stemm*',)), "optimizer.decayed: 'stemm\\*' fits no parameter.*stem_conv"),
])
def test_senseless_settings_are_told_before_anything_starts(values, words):
  config = base.get_config()
  config.optimizer.update(values)
  with pytest.raises(UserError, match=words):
    check.check_config(config)
