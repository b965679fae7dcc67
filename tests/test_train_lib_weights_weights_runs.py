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
from train_lib.weights.weight_sources import is_run
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


def head_of(variables):
  """(kernel [C, K], bias [K]) of a net's head."""
  return np.asarray(variables['params']['head']['kernel']), np.asarray(
      variables['params']['head']['bias'])


def test_a_head_whose_outputs_mean_something_else_is_left_and_told(run_folder):
  fresh = random_variables(seed=2)
  loaded, account = load_weights(run_folder, fresh, names=NAMES, outputs=tuple('abcde'))
  assert not (account.initial or account.adapted)
  loaded, account = load_weights(run_folder, fresh, names=NAMES, outputs=tuple('vwxyz'))
  assert set(flatten_names(fresh)) - differing(loaded, fresh) == HEAD
  assert 'head (2): outputs of other meanings' in str(account)
  with pytest.raises(UserError, match='outputs of other meanings .a, b, c.* against v, w, x'):
    load_weights(run_folder, fresh, names=NAMES, outputs=tuple('vwxyz'), head='keep')


@pytest.mark.parametrize('head', ['auto', 'keep'])
@pytest.mark.parametrize('outputs', ['bcdea', 'eac'])   # another order, and some of them
def test_a_head_is_taken_over_by_the_names_of_its_outputs(run_folder, outputs, head):
  fresh, old = random_variables(num_outputs=len(outputs), seed=2), random_variables(seed=1)
  loaded, account = load_weights(run_folder, fresh, names=NAMES, outputs=tuple(outputs), head=head)
  places = ['abcde'.index(name) for name in outputs]
  for ours, theirs in zip(head_of(loaded), head_of(old), strict=True):
    np.testing.assert_array_equal(ours, theirs[..., places])
  assert not account.initial and set(account.adapted) == HEAD
  unused = '' if len(outputs) == 5 else '; not taken from the source: 2'
  assert f'adapted: head (2): {len(outputs)} of {len(outputs)} outputs by name{unused}\n' in (
      f'{account}\n')


def test_outputs_of_new_names_keep_their_own_initial_values_and_bias(run_folder):
  fresh, old = random_variables(num_outputs=7, seed=2), random_variables(seed=1)
  loaded, account = load_weights(run_folder, fresh, names=NAMES, outputs=tuple('exaybcd'))
  for ours, initial, theirs in zip(head_of(loaded), head_of(fresh), head_of(old), strict=True):
    np.testing.assert_array_equal(ours[..., [1, 3]], initial[..., [1, 3]])
    np.testing.assert_array_equal(ours[..., [0, 2, 4, 5, 6]], theirs[..., [4, 0, 1, 2, 3]])
  assert 'head (2): 5 of 7 outputs by name; 2 new, at initial values: x, y' in str(account)
  with pytest.raises(UserError, match='other meanings .it lacks x, y.*init_head=keep cannot hold'):
    load_weights(run_folder, fresh, names=NAMES, outputs=tuple('exaybcd'), head='keep')
  _, account = load_weights(run_folder, fresh, names=NAMES, outputs=tuple('exaybcd'), head='fresh')
  assert set(account.initial) == HEAD


def test_names_that_do_not_tell_outputs_apart_take_nothing_over(run_folder):
  _, account = load_weights(run_folder, random_variables(seed=2), names=NAMES,
                            outputs=tuple('abcdd'))
  assert set(account.initial) == HEAD and 'outputs of other meanings' in str(account)


def test_a_list_of_names_that_is_not_of_the_stored_head_takes_nothing_over(run_folder):
  records.write_json(run_folder / 'tags.json', {
      'names': list('abcdef'), 'categories': ['general'] * 6})
  _, account = load_weights(run_folder, random_variables(seed=2), names=NAMES,
                            outputs=tuple('fbcde'))
  assert set(account.initial) == HEAD and 'outputs of other meanings' in str(account)


def test_what_a_file_of_ours_says_of_itself_is_compared(tmp_path):
  save_weights(tmp_path / 'w.safetensors', random_variables(seed=1), NAMES['timm'], net='other_net',
               pixels=((0.0,) * 3, (255.0,) * 3), outputs=tuple('abcde'))
  def load(**options):
    return load_weights(tmp_path / 'w.safetensors', random_variables(seed=2), names=NAMES,
                        **options)[1]
  account = load(net=NET, outputs=tuple('edcxy'), pixels=((0.0,) * 3, (255.0,) * 3))
  assert 'they are of other_net: what the two nets compute may differ' in str(account)
  assert ('3 of 5 outputs by name; 2 new, at initial values: x, y; not taken from the source: 2'
          in str(account))
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


TIMMS = {'architecture': 'resnet18', 'num_classes': 5}


@pytest.mark.parametrize('about', [TIMMS, None])
def test_a_folder_as_timm_writes_it_gives_what_its_file_gives(tmp_path, about):
  save_weights(tmp_path / 'model.safetensors', random_variables(seed=1), NAMES['timm'], net=NET,
               pixels=(), outputs=())
  if about:
    records.write_json(tmp_path / 'config.json', about)
  fresh = random_variables(seed=2)
  of_file, _ = load_weights(tmp_path / 'model.safetensors', fresh, names=NAMES)
  of_folder, account = load_weights(tmp_path, fresh, names=NAMES)
  assert account.library == 'timm' and not is_run(tmp_path)
  assert differing(of_folder, of_file) == set() and differing(of_folder, fresh)


def test_a_folder_of_another_program_without_that_file_is_refused(tmp_path):
  records.write_json(tmp_path / 'config.json', TIMMS)
  with pytest.raises(UserError, match='no config of this program.*model.safetensors; this one has'):
    load_weights(tmp_path, random_variables(seed=2), names=NAMES)
  records.write_json(tmp_path / 'config.json', {'net': {}})
  with pytest.raises(UserError, match='lacks task or net.name'):
    load_weights(tmp_path, random_variables(seed=2), names=NAMES)


def test_a_run_with_such_a_file_beside_is_a_run(run_folder):
  (run_folder / 'model.safetensors').write_bytes(b'')
  _, account = load_weights(run_folder, random_variables(seed=2), names=NAMES)
  assert is_run(run_folder) and account.library == 'oko'
