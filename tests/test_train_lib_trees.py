import jax.numpy as jnp
import numpy as np

from tests.small_runs import make_state
from train_lib import trees
from train_lib.trees import params_digest


def test_digest_sees_names_dtypes_shapes_and_bits():
  tree = {'a': np.zeros((2, 3), np.float32)}
  others = [{'b': np.zeros((2, 3), np.float32)}, {'a': np.zeros((2, 3), np.int32)},
            {'a': np.zeros((3, 2), np.float32)}, {'a': np.full((2, 3), -0.0, np.float32)}]
  digests = {params_digest(other) for other in [tree, *others]}
  assert len(digests) == 5
  assert params_digest({'a': jnp.zeros((2, 3))}) == params_digest(tree)


def test_names_go_through_classes_tuples_and_dicts():
  state = make_state(1)
  names = list(trees.flatten_names(state))
  assert 'opt_state/1/0/mu/conv/kernel' in names and 'params/head/bias' in names
  assert trees.unflatten_names({'a/b': 1, 'a/c/d': 2}) == {'a': {'b': 1, 'c': {'d': 2}}}


def test_huge_values_whose_sum_overflows_are_finite():
  assert trees.find_non_finite({'a': np.full((9,), 3e38, np.float32),
                                'b': np.full((9,), 3e38, jnp.bfloat16),
                                'scalar': np.float32('inf'), 'count': np.int32(3)}) == []
  assert trees.find_non_finite({'a': np.asarray([1, np.nan], jnp.bfloat16),
                                'scalar': np.float32('nan')}) == ['a', 'scalar']
