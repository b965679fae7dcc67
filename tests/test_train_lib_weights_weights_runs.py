"""Weights of a run by its folder, and what files of ours say of themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base
from errors import UserError
from nets.weight_names import get_weight_names
from tests.small_weights import HEAD, NAMES, NET, differing, random_variables, shapes
from train_lib import workdir
from train_lib.state import create_state
from train_lib.storage import records
from train_lib.storage.checkpoints import Checkpoints
from train_lib.trees import flatten_names
from train_lib.weights.weights import check_weights, load_weights, save_weights


@pytest.mark.parametrize('use_ema', [False, True])
def test_a_run_gives_its_weights_by_its_folder(tmp_path, use_ema):
  config, variables = base.get_config(), random_variables(seed=1)
  workdir.save_config(tmp_path / 'config.json', config)
  state = create_state(jax.tree.map(jnp.asarray, variables), optax.adam(1.0), use_ema=use_ema)
  if use_ema:  # the average is what the run is evaluated with
    state = state.replace(params=jax.tree.map(jnp.zeros_like, state.params))
  with Checkpoints(tmp_path / 'checkpoints', config_digest='', keep_last=1) as checkpoints:
    checkpoints.save(3, state)
  loaded, account = load_weights(tmp_path, random_variables(num_outputs=7, seed=2), names={})
  assert account.library == 'oko' and set(account.initial) == HEAD
  assert differing(loaded, random_variables(num_outputs=7, seed=2)) == set(account.loaded)
  kernel = loaded['params']['stem_conv']['kernel']
  np.testing.assert_array_equal(kernel, variables['params']['stem_conv']['kernel'])


@pytest.fixture
def run_folder(tmp_path):
  """(folder of a run of `random_variables(seed=1)`, whose outputs are a to e)."""
  config = base.get_config()
  config.net.name = NET
  workdir.save_config(tmp_path / 'run' / 'config.json', config)
  records.write_json(tmp_path / 'run' / 'tags.json', {
      'names': list('abcde'), 'categories': ['general'] * 5})
  state = create_state(jax.tree.map(jnp.asarray, random_variables(seed=1)), optax.sgd(1.0),
                       use_ema=False)
  with Checkpoints(tmp_path / 'run' / 'checkpoints', config_digest='', keep_last=1) as checkpoints:
    checkpoints.save(1, state)
  return tmp_path / 'run'


def test_a_head_whose_outputs_mean_something_else_is_left_and_told(run_folder):
  fresh = random_variables(seed=2)
  loaded, account = load_weights(run_folder, fresh, names=NAMES, outputs=tuple('abcde'))
  assert not account.initial
  loaded, account = load_weights(run_folder, fresh, names=NAMES, outputs=tuple('bcdea'))
  assert set(flatten_names(fresh)) - differing(loaded, fresh) == HEAD
  assert 'head (2): outputs of other meanings' in str(account)
  with pytest.raises(UserError, match='outputs of other meanings .a, b, c.* against b, c, d'):
    load_weights(run_folder, fresh, names=NAMES, outputs=tuple('bcdea'), head='keep')


def test_what_a_file_of_ours_says_of_itself_is_compared(tmp_path):
  save_weights(tmp_path / 'w.safetensors', random_variables(seed=1), NAMES['timm'], net='other_net',
               pixels=((0.0,) * 3, (255.0,) * 3), outputs=tuple('abcde'))
  def load(**options):
    return load_weights(tmp_path / 'w.safetensors', random_variables(seed=2), names=NAMES,
                        **options)[1]
  account = load(net=NET, outputs=tuple('edcba'), pixels=((0.0,) * 3, (255.0,) * 3))
  assert 'they are of other_net: what the two nets compute may differ' in str(account)
  assert set(account.initial) == HEAD
  assert 'they are of' not in str(load(net='other_net'))
  with pytest.raises(UserError, match=r'add --config.net.mean="\(0.0, 0.0, 0.0\)"'):
    load(pixels=((127.5,) * 3, (127.5,) * 3))


def test_weights_can_be_checked_before_the_number_of_outputs_is_known(tmp_path, run_folder):
  save_weights(tmp_path / 'w.safetensors', random_variables(seed=1), NAMES['timm'])
  options = dict(head='keep', partial=False, checkpoint='latest', pixels=())
  for source in (tmp_path / 'w.safetensors', run_folder):
    check_weights(source, shapes(NET, 1), names=NAMES, **options)
    with pytest.raises(UserError, match='does not fit|holds nothing|lacks'):
      check_weights(source, shapes('se_resnet18', 1), names=get_weight_names('se_resnet18'),
                    **options)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
  with pytest.raises(UserError, match='is not the folder of a run'):
    load_weights(tmp_path, random_variables(seed=2), names=NAMES)
