"""Variables of the tiny net drawn by chance, for the tests of weights that go in and out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import nets
from nets.weight_names import get_weight_names
from train_lib.trees import flatten_names

NET = 'se_resnet_tiny'
NAMES = get_weight_names(NET)
HEAD = {'params/head/kernel', 'params/head/bias'}


@functools.cache
def shapes(name, num_outputs, channels=3):
  net, size = nets.build_net(name, num_outputs), 96
  return jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0),
                        jnp.zeros((1, size, size, channels)))


def random_variables(name=NET, num_outputs=5, channels=3, *, seed):
  """Variables in which no two arrays are alike; positive, as variances are."""
  rng = np.random.default_rng(seed)
  return jax.tree.map(lambda leaf: rng.uniform(0.1, 1, size=leaf.shape).astype(np.float32),
                      shapes(name, num_outputs, channels))


def differing(one, other):
  """The names of arrays that are not the same in two trees."""
  one, other = flatten_names(one), flatten_names(other)
  assert one.keys() == other.keys()
  return {name for name in one if not np.array_equal(one[name], other[name])}
