import errno
import json
import logging
import os

import jax
import jax.numpy as jnp
import optax
import pytest

from errors import UserError
from tests.full_disk import full_disk
from tests.small_runs import (
  abstract_state,
  assert_same,
  make_state,
  newest_payload,
  open_checkpoints,
  save_steps,
)
from train_lib.storage import array_files
from train_lib.storage.checkpoints import NonFiniteStateError, SaveError
from train_lib.trees import params_digest, state_digest

# What comes back


def test_restored_state_is_bitwise_the_saved_one_with_optax_tuples_and_bfloat16(tmp_path):
  save_steps(tmp_path, [7])
  state, step = open_checkpoints(tmp_path).restore_latest(abstract_state())
  assert step == 7
  assert_same(state, 7)
  assert isinstance(state.opt_state[1][0], optax.ScaleByAdamState)
  assert state.params['head']['bias'].dtype == jnp.bfloat16


def test_no_step_was_ever_saved_gives_none(tmp_path):
  assert open_checkpoints(tmp_path).restore_latest(abstract_state()) is None
  (tmp_path / 'checkpoints').mkdir()
  assert open_checkpoints(tmp_path).restore_latest(abstract_state()) is None


def test_arrays_donated_right_after_save_are_saved_as_they_were(tmp_path):
  state = make_state(1, wide=50_000)
  before = state_digest(state)
  overwrite = jax.jit(lambda tree: jax.tree.map(lambda x: x * 0, tree), donate_argnums=0)
  with open_checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, state)
    for _ in range(3):
      state = overwrite(state)
    jax.block_until_ready(state)
    restored, _ = checkpoints.restore('latest', abstract_state(wide=50_000))
  assert state_digest(restored) == before != state_digest(state)


def test_shardings_are_those_of_the_abstract_state(tmp_path):
  save_steps(tmp_path, [1])
  mesh = jax.make_mesh((1,), ('data',))
  sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  abstract = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), abstract_state())
  state, _ = open_checkpoints(tmp_path).restore_latest(abstract)
  assert {leaf.sharding for leaf in jax.tree.leaves(state)} == {sharding}


def test_variables_are_restored_without_the_optimizer_and_averaged_where_kept(tmp_path):
  save_steps(tmp_path, [4])
  wanted = make_state(4)
  checkpoints = open_checkpoints(tmp_path)
  averaged, step = checkpoints.restore_variables('latest')
  assert step == 4
  assert params_digest(averaged) == params_digest(wanted.ema)


def test_variables_of_a_net_without_statistics_have_an_empty_dict(tmp_path):
  with open_checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, {'params': {'w': jnp.ones(2)}, 'step': jnp.int32(1)})
    variables, _ = checkpoints.restore_variables('latest')
  assert variables['batch_stats'] == {} and variables['params']['w'].tolist() == [1, 1]


def test_another_model_is_refused_with_both_sides_named(tmp_path):
  save_steps(tmp_path, [1])
  abstract = abstract_state(ema=False, wide=5)
  abstract.params['extra'] = jax.ShapeDtypeStruct((2,), jnp.float32)
  with pytest.raises(UserError) as refusal:
    open_checkpoints(tmp_path).restore_latest(abstract)
  message = str(refusal.value)
  assert 'only in the checkpoint: ema/params/conv/kernel float32[3,4]' in message
  assert 'only in the model: params/extra float32[2]' in message
  assert ('params/conv/kernel is float32[3,4] in the checkpoint and float32[5,4] in the model'
          in message)
  assert open_checkpoints(tmp_path).steps() == [1]


def test_another_dtype_is_refused_and_not_cast(tmp_path):
  save_steps(tmp_path, [1])
  abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, jnp.float32), abstract_state())
  with pytest.raises(UserError, match='bfloat16'):
    open_checkpoints(tmp_path).restore_latest(abstract)


def test_a_step_of_another_config_is_not_resumed(tmp_path):
  save_steps(tmp_path, [1], config_digest='first')
  with pytest.raises(UserError, match='another config'):
    open_checkpoints(tmp_path, config_digest='second').restore_latest(abstract_state())


# Retention


def save_metrics(tmp_path, values, **options):
  with open_checkpoints(tmp_path, keep_best_metric='f1', **options) as checkpoints:
    for step, value in enumerate(values, 1):
      checkpoints.save(step, make_state(step), metrics={'f1': value})
  return checkpoints


def test_newest_and_best_are_kept_and_nan_is_never_best(tmp_path):
  nan, inf = float('nan'), float('inf')
  checkpoints = save_metrics(tmp_path, [0.5, 0.9, 0.8, inf, 0.6, nan], keep_last=2)
  assert checkpoints.steps() == [2, 5, 6]
  assert checkpoints.best_step() == 2
  assert json.loads((tmp_path / 'best.json').read_text()) == {
    'step': 2, 'metric': 'f1', 'value': 0.9}
  assert checkpoints.metrics(6) == {'f1': None}
  assert open_checkpoints(tmp_path).restore('best', abstract_state())[1] == 2


def test_of_equally_good_steps_the_later_is_best(tmp_path):
  checkpoints = save_metrics(tmp_path, [0.5, 0.9, 0.9, 0.6], keep_last=1)
  assert checkpoints.steps() == [3, 4]


def test_every_kth_step_is_kept(tmp_path):
  save_steps(tmp_path, range(1, 8), keep_last=1, keep_every_steps=3)
  assert open_checkpoints(tmp_path).steps() == [3, 6, 7]


def test_all_metrics_nan_leaves_no_best_and_the_newest(tmp_path):
  checkpoints = save_metrics(tmp_path, [float('nan')] * 3, keep_last=1)
  assert checkpoints.steps() == [3] and checkpoints.best_step() is None
  assert not (tmp_path / 'best.json').exists()


def test_wrong_options_are_refused_with_the_choices(tmp_path):
  for options in ({'keep_last': 0}, {'on_failure': 'ignore'}):
    with pytest.raises(UserError, match='at least 1|fail, continue'):
      open_checkpoints(tmp_path, **options)


# The same step again


def test_saving_the_restored_step_again_writes_nothing_but_metrics(tmp_path):
  save_steps(tmp_path, [1])
  payload = newest_payload(tmp_path / 'checkpoints' / '1')
  with open_checkpoints(tmp_path, keep_best_metric='f1') as checkpoints:
    state, _ = checkpoints.restore_latest(abstract_state())
    checkpoints.save(1, state, metrics={'f1': 0.5})
    assert checkpoints.metrics(1) == {'f1': 0.5} and checkpoints.best_step() == 1
    assert_same(checkpoints.restore('best', abstract_state())[0], 1)
  assert newest_payload(tmp_path / 'checkpoints' / '1') == payload


def test_a_step_reached_by_another_way_replaces_the_old_one(tmp_path):
  save_steps(tmp_path, [1])
  with open_checkpoints(tmp_path) as checkpoints:
    checkpoints.save(2, make_state(2))
    checkpoints.restore(1, abstract_state())
    checkpoints.save(2, make_state(99))
    assert_same(checkpoints.restore(2, abstract_state())[0], 99)
  assert len(list((tmp_path / 'checkpoints').glob('2.replaced-*'))) == 1


# Failing


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_a_state_that_is_not_finite_is_refused_by_name_and_nothing_is_written(tmp_path, bad):
  save_steps(tmp_path, [1])
  with open_checkpoints(tmp_path) as checkpoints:
    with pytest.raises(NonFiniteStateError, match='step 2 holds NaN .* params/conv/kernel'):
      checkpoints.save(2, make_state(2, fill=bad))
    assert checkpoints.steps() == [1]


def save_with_full_disk(checkpoints):
  with full_disk():
    checkpoints.save(2, make_state(2, wide=50_000))
    checkpoints._thread.join()


def test_a_full_disk_is_told_at_the_next_poll_and_the_step_before_stays(tmp_path):
  save_steps(tmp_path, [1], keep_last=1)
  checkpoints = open_checkpoints(tmp_path, keep_last=1)
  save_with_full_disk(checkpoints)
  with pytest.raises(SaveError, match=r'checkpoint 2 could not be saved.*newest good step: 1'):
    checkpoints.poll()
  checkpoints.poll()  # told once
  assert sorted(os.listdir(tmp_path / 'checkpoints')) == ['1', 'last.json']
  assert_same(checkpoints.restore_latest(abstract_state())[0], 1)


def test_after_a_failed_save_the_run_may_continue_and_the_next_save_works(tmp_path, caplog):
  save_steps(tmp_path, [1], keep_last=1)
  with open_checkpoints(tmp_path, keep_last=1, on_failure='continue') as checkpoints:
    save_with_full_disk(checkpoints)
    assert checkpoints.steps() == [1]
    checkpoints.poll()
    assert 'checkpoint 2 could not be saved' in caplog.text
    checkpoints.save(2, make_state(2))
    checkpoints.wait()
    assert checkpoints.steps() == [2]
  assert_same(open_checkpoints(tmp_path).restore_latest(abstract_state())[0], 2)


def test_a_manifest_that_cannot_be_written_leaves_no_step(tmp_path, monkeypatch):
  save_steps(tmp_path, [1])

  def refuse(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr('train_lib.storage.checkpoints.write_manifest', refuse)
  checkpoints = open_checkpoints(tmp_path)
  checkpoints.save(2, make_state(2))
  with pytest.raises(SaveError, match='No space left'):
    checkpoints.wait()
  assert sorted(os.listdir(tmp_path / 'checkpoints')) == ['1', 'last.json']


def test_all_of_a_step_is_on_disk_before_its_manifest_and_that_before_an_older_one_goes(
    tmp_path, monkeypatch):
  folder, synced, fsync = tmp_path / 'checkpoints', [], os.fsync

  def note(handle):
    synced.append((os.readlink(f'/proc/self/fd/{handle}'), sorted(folder.glob('*/manifest.json'))))
    fsync(handle)

  save_steps(tmp_path, [1], keep_last=1)
  old, new = folder / '1' / 'manifest.json', folder / '2' / 'manifest.json'
  monkeypatch.setattr(os, 'fsync', note)
  save_steps(tmp_path, [2], keep_last=1)
  parts = {str(path) for path in (folder / '2').rglob('*')} - {str(new)} | {str(folder / '2')}
  assert parts == {path for path, there in synced if there == [old]
                   and path.startswith(str(folder / '2')) and '.tmp-' not in path}
  assert {path for path, there in synced if there == [old, new]} >= {
    str(folder / '2'), str(folder), str(tmp_path)}
  assert sorted(folder.glob('*/manifest.json')) == [new]


def test_a_file_system_that_knows_no_waiting_is_let_pass_and_a_failing_disk_is_not(
    tmp_path, monkeypatch):
  codes = [errno.EIO, errno.EINVAL]

  def fail(_):
    raise OSError(codes.pop(), 'why')

  monkeypatch.setattr(os, 'fsync', fail)
  array_files.to_disk(tmp_path)
  with pytest.raises(OSError, match='why'):
    array_files.to_disk(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
  (tmp_path / 'checkpoints').write_text('a file')
  checkpoints = open_checkpoints(tmp_path)
  checkpoints.save(1, make_state(1))
  with pytest.raises(SaveError, match='newest good step: none'):
    checkpoints.close()


def test_orbax_and_its_event_loops_say_nothing(tmp_path, caplog, capfd):
  caplog.set_level(logging.DEBUG)
  save_steps(tmp_path, [1, 2])
  open_checkpoints(tmp_path).restore_latest(abstract_state())
  assert not [record for record in caplog.records if record.name in ('absl', 'root')]
  assert capfd.readouterr().err == ''
