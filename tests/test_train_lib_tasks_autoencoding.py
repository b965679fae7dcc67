"""The autoencoding task: its loss to the letter, warm-up and free bits, figures, determinism."""

import dataclasses
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from losses import LOSSES
from train_lib import build
from train_lib.evaluation import Evaluator
from train_lib.parallel import make_mesh
from train_lib.tasks.autoencoding import Autoencoding

SIDE, LATENT, ROWS = 16, 4, 8


class SmallVAE(nn.Module):
  """Dense layers; the log variances are those of a field, far from or near what is usual."""
  num_outputs: int = 3
  logvar: float = -1.0

  def setup(self):
    self.encoder = nn.Dense(LATENT)
    self.decoder = nn.Dense(SIDE * SIDE * self.num_outputs)

  def __call__(self, image, *, train):
    mean, logvar, taps = self.encode(image, train=train)
    latent = mean
    if train:
      latent += jnp.exp(logvar / 2) * jax.random.normal(self.make_rng('latent'), mean.shape)
    return self.decode(latent, train=train), {**taps, 'mean': mean, 'logvar': logvar}

  def encode(self, image, *, train=False):
    mean = self.encoder(image.reshape(len(image), -1))
    return mean, jnp.full_like(mean, self.logvar), {}

  def decode(self, latent, *, train=False):
    return self.decoder(latent).reshape(-1, SIDE, SIDE, self.num_outputs)


def make_task(name='squared_error', net=SmallVAE(), **changes):                      # noqa: B008
  return dataclasses.replace(Autoencoding(
      net=net, loss_function=build._loss_of_pictures(name, LOSSES[name]),
      kl_function=LOSSES['gaussian_kl'], mean=(0.5,), deviation=(0.25,)), **changes)


def make_batch(seed=0, mask=(1,) * ROWS):
  rng = np.random.default_rng(seed)
  target = rng.random((ROWS, SIDE, SIDE, 1), np.float32)
  known = (rng.random(target.shape) < 0.4).astype(np.float32)
  return {'image': target * known, 'target': target, 'known': known,
          'mask': np.float32(mask), 'id': [f'scan {row}' for row in range(ROWS)]}


def on_device(batch):
  return {key: jnp.asarray(value) for key, value in batch.items() if key != 'id'}


def rngs(seed=0):
  return {'latent': jax.random.key(seed), 'dropout': jax.random.key(seed + 1)}


def test_loss_is_the_mean_of_original_dim_times_mse_plus_kl():
  """Computed again in float64 from what the net gives for the same sample."""
  task, batch = make_task(), on_device(make_batch())
  variables = task.init(jax.random.key(0), batch)
  loss, _ = task.loss(variables, batch, rngs(), step=10)
  logits, taps = task.net.apply(variables, (batch['image'] - 0.5) / 0.25, train=True, rngs=rngs())
  outputs = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
  target = np.repeat(np.asarray(batch['target'], np.float64), 3, axis=-1)
  mean, logvar = (np.asarray(taps[key], np.float64) for key in ('mean', 'logvar'))
  mse = np.square(outputs - target).mean(axis=(1, 2, 3))
  kl = 0.5 * (np.exp(logvar) + mean ** 2 - 1 - logvar).sum(axis=1)
  np.testing.assert_allclose(loss, (SIDE * SIDE * 3 * mse + kl).mean(), rtol=1e-6)


def test_beta_rises_in_a_line_to_its_value_and_stays():
  task = make_task(beta=2.0, warmup_steps=4)
  np.testing.assert_allclose([task.beta_at(step) for step in range(6)],
                             [0.5, 1.0, 1.5, 2.0, 2.0, 2.0])
  assert float(make_task(beta=2.0).beta_at(0)) == 2.0


def test_free_bits_cost_the_same_below_them_and_leave_no_gradient_of_the_kl():
  batch = on_device(make_batch())
  plain, free = make_task(beta=1.0), make_task(beta=1.0, free_bits=50.0)
  variables = plain.init(jax.random.key(0), batch)
  none = dataclasses.replace(plain, beta=0.0)
  difference = free.loss(variables, batch, rngs())[0] - none.loss(variables, batch, rngs())[0]
  np.testing.assert_allclose(difference, 50.0 * LATENT, rtol=1e-4)
  grads = [jax.grad(lambda params, task=task: task.loss({'params': params}, batch, rngs())[0])(
      variables['params']) for task in (free, none)]
  chex.assert_trees_all_close(*grads, rtol=1e-6)


@pytest.mark.parametrize('logvar', [-1000.0, -100.0, 60.0, 100.0, 1000.0])
def test_kl_of_extreme_log_variances_is_finite_and_so_is_its_gradient(logvar):
  value, grad = jax.value_and_grad(lambda x: LOSSES['gaussian_kl'](jnp.zeros(1), x).sum())(
      jnp.full(1, logvar))
  assert np.isfinite(value) and np.isfinite(grad).all() and np.sign(grad[0]) == np.sign(logvar)


def test_rows_of_padding_change_nothing():
  task = make_task()
  batch = make_batch(mask=(1, 1, 1, 1, 0, 0, 0, 0))
  variables = task.init(jax.random.key(0), on_device(batch))
  other = {**batch, 'target': batch['target'].copy()}
  other['target'][4:] = np.nan
  for one, two in zip(jax.tree.leaves(task.tally(variables, on_device(batch))),
                      jax.tree.leaves(task.tally(variables, on_device(other))), strict=True):
    np.testing.assert_array_equal(one, two)


def test_evaluation_takes_the_posterior_mean_and_needs_no_random_numbers():
  task, batch = make_task(), on_device(make_batch())
  variables = task.init(jax.random.key(0), batch)
  first, second = task.predict(variables, batch), task.predict(variables, batch)
  chex.assert_trees_all_equal(first, second)
  mean, _ = task.encode(variables, batch['image'])
  np.testing.assert_allclose(task.decode(variables, mean), first['reconstruction'], atol=1e-6)
  assert first['reconstruction'].shape == (ROWS, SIDE, SIDE, 1)


def test_figures_of_a_split_are_those_worked_out_by_hand():
  task, batch = make_task(weight=50.0), make_batch()
  variables = task.init(jax.random.key(0), on_device(batch))
  metrics = measure(task, variables, batch)
  predicted = task.predict(variables, on_device(batch))
  restored, target = np.float64(predicted['reconstruction']), np.float64(batch['target'])
  errors = np.square(restored - target).sum(axis=(1, 2, 3))
  damage = np.square(np.float64(batch['image']) - target).sum()
  np.testing.assert_allclose(metrics['recovered'], 1 - errors.sum() / (target ** 2).sum(),
                             rtol=1e-5)
  np.testing.assert_allclose(metrics['recovered_lost'], 1 - errors.sum() / damage, rtol=1e-5)
  np.testing.assert_allclose(
      metrics['psnr'], (-10 * np.log10(errors / SIDE ** 2)).mean(), rtol=1e-5)
  kl = LOSSES['gaussian_kl'](predicted['mean'], predicted['logvar']).sum() / ROWS
  np.testing.assert_allclose(metrics['kl'], kl, rtol=1e-5)


def test_elbo_is_the_log_density_of_a_gaussian_less_the_kl():
  """weight 50 is a deviation of 0.1."""
  task, batch = make_task(weight=50.0), make_batch()
  variables = task.init(jax.random.key(0), on_device(batch))
  metrics = measure(task, variables, batch)
  logits, taps = task.net.apply(
      variables, (jnp.asarray(batch['image']) - 0.5) / 0.25, train=False)
  outputs = 1 / (1 + np.exp(-np.float64(logits)))
  log_density = -0.5 * np.square((np.float64(batch['target']) - outputs) / 0.1) - math.log(
      0.1 * math.sqrt(2 * math.pi))
  elbo = log_density.sum() / ROWS - metrics['kl']
  np.testing.assert_allclose(metrics['elbo'], elbo, rtol=1e-5)
  np.testing.assert_allclose(metrics['elbo_per_pixel'], elbo / SIDE ** 2, rtol=1e-5)
  np.testing.assert_allclose(metrics['elbo_per_dimension'], elbo / SIDE ** 2 / 3, rtol=1e-5)


def test_units_that_say_nothing_are_not_active():
  task, batch = make_task(), make_batch()
  variables = jax.device_get(task.init(jax.random.key(0), on_device(batch)))
  kernel = variables['params']['encoder']['kernel']
  variables['params']['encoder']['kernel'] = kernel * np.float32([0, 0, 0, 1])
  assert measure(task, variables, batch)['active_units'] == 1


@pytest.mark.parametrize('name', ['squared_error', 'absolute_error', 'sigmoid_cross_entropy'])
def test_losses_are_sums_over_pixels_and_channels(name):
  rng = np.random.default_rng(0)
  logits, target = rng.normal(size=(2, SIDE, SIDE, 3)), rng.random((2, SIDE, SIDE, 3))
  outputs = 1 / (1 + np.exp(-logits))
  wanted = {'squared_error': (outputs - target) ** 2, 'absolute_error': np.abs(outputs - target),
            'sigmoid_cross_entropy': -target * np.log(outputs) - (1 - target) * np.log(1 - outputs)}
  found = build._loss_of_pictures(name, LOSSES[name])(jnp.float32(logits), jnp.float32(target))
  np.testing.assert_allclose(found, wanted[name].sum(axis=(1, 2, 3)), rtol=1e-5)


class Batches:
  """A loader of one batch."""
  num_batches, num_examples = 1, ROWS

  def __init__(self, batch):
    self._batch = batch

  def batches(self, start, stop):
    yield from [self._batch] * (stop - start)


def measure(task, variables, batch):
  return Evaluator(task, make_mesh()).evaluate(variables, Batches(batch)).metrics
