"""The nets beside torch: our own command, one loss, like parameters."""

import sys

import pytest

import nets
from benchmarks import nets_beside
from configs import base
from train_lib import launch

FLAGS = ['--nets=se_resnet_tagger', '--turns=2']


def make_case(tmp_path, *flags, net='se_resnet_tagger'):
  return nets_beside.Case(net, nets_beside.read_flags([*FLAGS, *flags]), tmp_path)


def test_every_net_exists_and_has_its_own_loss():
  assert set(nets_beside.NETS) <= set(nets.list_nets())
  assert set(nets_beside.CPU_NETS) | set(nets_beside.GPU_NETS) == set(nets_beside.NETS)
  assert [name for name, net in nets_beside.NETS.items() if net.labels == 'tags'] == [
      'se_resnet_tagger']


@pytest.mark.parametrize('net', ['se_resnet_tagger', 'hrnet_w32'])
def test_our_command_is_one_that_main_takes(tmp_path, monkeypatch, net):
  monkeypatch.setattr(sys, 'argv', ['main.py'])
  case = make_case(tmp_path, '--ours=--notune --config.train.accumulate_steps=2', net=net)
  command = case.command(tmp_path)
  assert command[1:4] == ['main.py', '--job=benchmark', '--config=configs/throughput.py']
  assert ('--config.task=classification' in command) == (net == 'hrnet_w32')
  assert launch.complete_arguments(command[1:], base.get_config()) == command[1:]


def test_rows_hold_ratios_of_turns_and_the_table_shows_them():
  turns = {'ours': [{'train': 18.0, 'infer': 70.0}, {'train': 20.0, 'infer': 60.0}],
           'torch': [{'train': 20.0, 'infer': 70.0}, {'train': 16.0, 'infer': 80.0}]}
  facts = {'ours': {'param_count': 16_630_000}, 'torch': {'param_count': 16_630_000}}
  rows = nets_beside.make_rows({'model': 'se_resnet_tagger'}, turns, facts, nets_beside.MODES)
  assert [row['ours_over_it_of_turns'] for row in rows if row['program'] == 'torch'] == [
      [0.9, 1.25], [1.0, 0.75]]
  assert rows[0]['samples_per_sec'] == {'median': 19.0, 'least': 18.0, 'most': 20.0}
  ours, torch = nets_beside.table_rows(rows)
  assert ours == ('ours', '19.0 (18.0 to 20.0)', '1.00 (1.00 to 1.00)', '65.0 (60.0 to 70.0)',
                  '1.00 (1.00 to 1.00)', '16.630')
  assert torch[2] == '1.07 (0.90 to 1.25)' and len(torch) == len(nets_beside.COLUMNS)


def test_one_mode_alone_has_a_table_too():
  rows = nets_beside.make_rows({}, {'ours': [{'infer': 2.0}]}, {'ours': {'param_count': 5e5}},
                               ('infer',))
  assert nets_beside.table_rows(rows) == [
      ('ours', '', '', '2.00 (2.00 to 2.00)', '1.00 (1.00 to 1.00)', '0.500')]


def test_a_rival_that_cannot_be_had_is_said_and_left_out(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(nets_beside, 'RIVALS', {
      'torch': nets_beside.Form('no_such_module'), 'keras': nets_beside.Form('keras_steps')})
  case, rivals = make_case(tmp_path, '--rivals=torch,keras'), {}
  for name in nets_beside.RIVALS:
    case._start(name, rivals)
  assert rivals == {}
  said = capsys.readouterr().err
  assert 'no_such_module ended with code 1' in said and 'keras.applications has no such' in said


@pytest.mark.parametrize('flag', ['--nets=vgg', '--rivals=mxnet', '--modes=sleep'])
def test_a_wrong_name_is_answered_with_the_choices(flag, capsys):
  with pytest.raises(SystemExit):
    nets_beside.read_flags([flag])
  assert f"'{flag.partition('=')[2]}' is none of" in capsys.readouterr().err


def test_the_twin_in_torch_has_as_many_parameters_as_ours():
  pytest.importorskip('torch')
  import jax

  from benchmarks import torch_nets
  net, _ = torch_nets.build_net('se_resnet_tagger', 104, 0.2, 0.0)
  ours = jax.eval_shape(
      lambda: nets.build_net('se_resnet_tagger', 104).init(
          jax.random.key(0), jax.numpy.zeros((1, 64, 64, 3)), train=False)['params'])
  assert sum(one.numel() for one in net.parameters()) == sum(
      leaf.size for leaf in jax.tree.leaves(ours))
