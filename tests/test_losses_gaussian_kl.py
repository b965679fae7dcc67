"""The KL divergence against torch's figures, the integral that defines it, and its theorems."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from losses.gaussian_kl import CAP, gaussian_kl

# torch 2.13.0:
#   m = torch.tensor(MEANS, dtype=torch.float64, requires_grad=True); s likewise of LOGVARS
#   kl = torch.distributions.kl_divergence(Normal(m, torch.exp(s / 2)), Normal(0.0, 1.0))
#   kl.sum().backward(); print(kl.tolist(), m.grad.tolist(), s.grad.tolist())
MEANS = [0, 0.5, -2, 3, 0, 1e-3, -10, 0.1]
LOGVARS = [0, -1, 0.7, 2, -6, 1e-3, 4, -20]
VALUES = [0.0, 0.30893972058572117, 2.156876353735238, 6.694528049465324, 2.5012393760883334,
          7.500833541295793e-07, 74.79907501657212, 9.505000001030577]
GRADIENTS = ([0.0, 0.5, -2.0, 3.0, 0.0, 0.001, -10.0, 0.1],
             [0.0, -0.3160602794142788, 0.5068763537352381, 3.1945280494653248,
              -0.49876062391166687, 0.0005002500833541, 26.799075016572118, -0.4999999989694232])


def gradients(mean, logvar):
  return jax.grad(lambda *both: gaussian_kl(*both).sum(), argnums=(0, 1))(mean, logvar)


def test_equals_torch():
  mean, logvar = jnp.float32(MEANS), jnp.float32(LOGVARS)
  np.testing.assert_allclose(gaussian_kl(mean, logvar), VALUES, rtol=1e-6)
  for found, expected in zip(gradients(mean, logvar), GRADIENTS, strict=True):
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize('mean, logvar', [(0, 0.5), (0.7, -1.2), (-1.5, 1), (0.1, 0), (3, -3)])
def test_is_the_integral_of_the_log_ratio_of_densities(mean, logvar):
  q, p = norm(mean, np.exp(logvar / 2)), norm(0, 1)
  ends = mean - 12 * q.std(), mean + 12 * q.std()
  integral, _ = quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *ends, epsabs=1e-10)
  assert abs(float(gaussian_kl(jnp.float32(mean), jnp.float32(logvar))) - integral) < 1e-6


def test_is_zero_at_the_prior_and_nowhere_else():
  assert gaussian_kl(jnp.zeros(()), jnp.zeros(())) == 0
  steps = jnp.float32([-1e4, -3, -1e-3, -1e-12, 1e-12, 1e-3, 3, 1e4])
  assert (gaussian_kl(steps, 0 * steps) > 0).all() and (gaussian_kl(0 * steps, steps) > 0).all()


def test_keeps_its_digits_beside_the_prior_and_where_the_series_ends():
  sizes = np.float32([1e-12, 1e-6, 1e-4, 1e-2, 0.3, 0.999, 1, 1.001, 5, 30])
  logvar = np.concatenate([-sizes, sizes])
  s = logvar.astype(np.float64)
  series = s ** 2 * (1 / 2 + s * (1 / 6 + s * (1 / 24 + s / 120)))
  expected = np.where(np.abs(s) < 0.02, series, np.expm1(s) - s) / 2
  np.testing.assert_allclose(gaussian_kl(0 * logvar, logvar), expected, rtol=1e-6)
  np.testing.assert_allclose(gradients(0 * logvar, logvar)[1], np.expm1(s) / 2, rtol=1e-6)


def test_values_gradients_and_their_squares_are_finite_far_out():
  mean, logvar = (one.ravel() for one in jnp.meshgrid(
    jnp.float32([-1e4, -1, 0, 1e4]), jnp.float32([-1000, -100, -1, 0, 50, 89, 100, 1000])))
  assert jnp.isfinite(gaussian_kl(mean, logvar)).all()
  for one in gradients(mean, logvar):
    assert jnp.isfinite(one).all() and jnp.isfinite(jnp.square(one).sum())


def test_goes_on_as_a_tangent_above_the_cap():
  logvar = jnp.float32([CAP - 1, CAP, CAP + 1, CAP + 10])
  grown = np.exp(CAP) * np.array([np.exp(-1), 1, 2, 11])
  np.testing.assert_allclose(gaussian_kl(0 * logvar, logvar), grown / 2, rtol=1e-5)
  np.testing.assert_allclose(gradients(0 * logvar, logvar)[1],
                             np.exp(CAP) * np.array([np.exp(-1), 1, 1, 1]) / 2, rtol=1e-5)
