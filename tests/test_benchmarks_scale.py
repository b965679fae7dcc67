"""The page on scale holds what its command makes, and its arithmetic is right."""

import dataclasses
import importlib
import json
import pathlib

import jax
import pytest

import nets
from benchmarks import (
  scale_arithmetic,
  scale_checkpoint,
  scale_costs,
  scale_evaluation,
  scale_figures,
  scale_hosts,
  scale_nets,
  scale_parts,
)
from benchmarks.scale_arithmetic import Machine, Net, Plan, Step
from errors import UserError

DOCS = pathlib.Path(__file__).parent.parent / 'docs'
TINY = ['--net=se_resnet_tiny', '--size_px=32', '--tags=40', '--listed=3', '--pictures=12',
        '--eval_batch=8', '--saves=1', '--records=100', '--repeats=1']
MACHINE = Machine('two chips', chips=2, processes=1, cores=10, peak_flops=1e12,
                  memory=1e9, memory_rate=1e9, link_rate=1e9)
NET = Net('a net', params=1e6, forward_flops=1e9, training_flops=1e9, kept_bytes=1e6)
PLAN = Plan(pictures=1000, tags=70_000, epochs=2.0, valid_frac=0.1, test_frac=0.1, batch=8,
            rate_frac=0.5, core_frac=0.5, memory_frac=1.0, stored='drawn')



PARTS = {
    'input': {'figures': {
        'read by one core: drawn': scale_figures.figure(100, 'pictures/s'),
        "main process's time for a picture of a worker process": scale_figures.figure(50, 'us')}},
    'hosts': {'figures': {'4 processes: counts of a split added up': scale_figures.figure(
        0.5, 's')}},
    'evaluation': {'figures': {
        'a picture, with truths and copies': scale_figures.figure(10, 'ms'),
        **{f'{name} at the end': scale_figures.figure(1, 's')
           for name in ('average precision and counts', 'thresholds', 'figures')}}},
}


def count_params(tags):
  net = nets.build_net('se_resnet_tiny', tags)
  shapes = jax.eval_shape(lambda key, image: net.init(key, image, train=False),
                          jax.random.key(0), jax.ShapeDtypeStruct((1, 32, 32, 3), 'float32'))
  return sum(leaf.size for leaf in jax.tree.leaves(shapes['params']))


def test_the_page_holds_what_the_command_makes():
  page = (DOCS / 'scale.md').read_text()
  parts = json.loads((DOCS / 'scale_parts.json').read_text())
  assert scale_costs.put_in(page, scale_costs.make_blocks(parts, Plan())) == page


def test_every_part_is_a_file_and_was_measured():
  parts = json.loads((DOCS / 'scale_parts.json').read_text())['parts']
  assert set(parts) == set(scale_parts.PARTS)
  for name in scale_parts.PARTS:
    assert importlib.import_module(f'benchmarks.scale_{name}').measure


def test_a_step_is_its_parts_one_after_another():
  step = scale_arithmetic.step_of(MACHINE, NET, PLAN, PARTS, frac=0.5)
  assert step.arithmetic == pytest.approx(4 * 1e9 / 0.5e12)          # 4 pictures a chip
  assert step.activations == pytest.approx(2 * 4 * 1e6 / 0.5e9)
  assert step.update == pytest.approx(36e6 / 0.5e9)
  assert step.reduce == pytest.approx(2 * 0.5 * 4e6 / 0.5e9)          # half of a ring of two, twice
  assert step.read == pytest.approx(8 / (5 * 100))
  assert step.handed == pytest.approx(8 * 50e-6)
  assert step.device == pytest.approx(0.016 + 0.072 + 0.008)
  assert (step.seconds, step.bound) == (step.device, 'update')


@pytest.mark.parametrize('longest, bound', [
    ('arithmetic', 'arithmetic'), ('activations', 'activations'), ('update', 'update'),
    ('reduce', 'all-reduce'), ('read', 'reading'), ('handed', 'handing over')])
def test_a_step_says_what_bounds_it(longest, bound):
  names = [field.name for field in dataclasses.fields(Step)]
  step = Step(**{**dict.fromkeys(names, 1.0), longest: 10.0})
  assert step.bound == bound


def test_as_many_pictures_fit_as_memory_is_left():
  found = scale_arithmetic.chip_memory(MACHINE, NET, PLAN)
  assert found['most_rows'] * NET.kept_bytes + found['state'] + found['gradients'] == 1e9
  assert (found['state'], found['gradients'], found['activations']) == (16e6, 4e6, 4e6)


def test_more_tags_are_a_wider_head():
  figures = {'parameters': 2, 'features': 9, 'forward': 1, 'training': 1,
             'kept for the backward pass': 1}
  parts = {'nets': {'figures': {f'a net: {name}': scale_figures.figure(value, '')
                                for name, value in figures.items()}}}
  few, many = (scale_arithmetic.net_of(parts, 'a net', dataclasses.replace(PLAN, tags=tags))
               for tags in (70_000, 70_001))
  assert (few.params, many.params - few.params) == (2e6, 10)


def test_evaluation_is_the_pictures_and_an_end_each_time():
  found = scale_arithmetic.evaluation_of(MACHINE, NET, PLAN, PARTS, frac=0.5)
  assert found['valid_sec'] == pytest.approx(100 * (0.001 + 0.01) + 3)   # predicted, then counted
  assert found['run_sec'] == pytest.approx(12 * found['valid_sec'])


def test_processes_share_the_counting_and_add_it_up():
  four = dataclasses.replace(MACHINE, processes=4, cores=1000)
  found = scale_arithmetic.evaluation_of(four, NET, PLAN, PARTS, frac=0.5)
  assert found['valid_sec'] == pytest.approx(100 * (0.001 + 0.01 / 4) + 3.5)
  slow = dataclasses.replace(four, cores=4)                              # 2 of them read 200/s
  found = scale_arithmetic.evaluation_of(slow, NET, PLAN, PARTS, frac=0.5)
  assert found['valid_sec'] == pytest.approx(100 * 0.005 + 3.5)


def test_a_page_without_a_place_is_refused():
  with pytest.raises(UserError, match='no place for run'):
    scale_costs.put_in('<!-- step -->\n<!-- /step -->\n', {'step': 'x', 'run': 'y'})


def test_another_plan_is_checked():
  assert scale_costs.changed_plan(['batch=64', 'valid_frac=0.5']) == dataclasses.replace(
      Plan(), batch=64, valid_frac=0.5)
  with pytest.raises(UserError, match="has no 'bach'"):
    scale_costs.changed_plan(['bach=64'])
  with pytest.raises(UserError, match='is no int'):
    scale_costs.changed_plan(['batch=many'])
  for word in ('batch=0', 'pictures=-1', 'slow_frac=nan', 'core_frac=inf'):
    with pytest.raises(UserError, match=f'--plan {word}: expected a number above 0'):
      scale_costs.changed_plan([word])
  assert scale_costs.changed_plan(['valid_frac=0']).valid_frac == 0
  parts = json.loads((DOCS / 'scale_parts.json').read_text())
  with pytest.raises(UserError, match="'x' was not measured; choices: drawn, 256 px; photographs"):
    scale_costs.make_blocks(parts, dataclasses.replace(Plan(), stored='x'))


def test_hosts_that_read_the_same_picture_are_told():
  def told(*halves):
    return [{'ids': [list(range(start, stop))]} for start, stop in halves]
  name, size = 'every picture of a batch is read by one host alone', scale_hosts.BATCH
  apart = scale_hosts._shares(told((0, size // 2), (size // 2, size)))
  twice = scale_hosts._shares(told((0, size // 2), (1, size // 2 + 1)))
  assert (apart[name]['value'], twice[name]['value']) == (1, 0)
  assert apart['rows of a batch that a host reads']['most'] == size // 2


def test_a_figure_is_told_with_its_spread():
  found = scale_figures.duration([0.001, 0.003, 0.002])
  assert scale_figures.in_words(found) == '2 ms (1 to 3, of 3)'
  assert scale_figures.in_words(scale_figures.figure(1234.5, 'KiB')) == '1,234 KiB'


def test_the_arithmetic_of_a_net_is_counted_without_running_it():
  found = {name: value['value'] for name, value in
           scale_nets.describe('se_resnet_tiny', 1000, 3, 32).items()}
  assert found['parameters'] * 1e6 == count_params(1000)
  assert 2 * found['forward'] < found['training'] < 4 * found['forward']
  assert found['kept for the backward pass'] * 1e6 > 1000 * 4         # the logits are among it


def test_evaluation_is_timed_where_a_run_does_it():
  found = scale_evaluation.measure(scale_parts.read_flags(TINY))
  assert found['pictures evaluated']['value'] == 12
  assert found['counting a picture']['times'] == 1                     # of two batches the second
  assert found['histograms in place of rows']['value'] == 0            # so few rows are kept


def test_a_checkpoint_of_the_board_page_has_four_numbers_a_parameter(tmp_path):
  flags = scale_parts.read_flags([*TINY, f'--folder={tmp_path}'])
  found = scale_checkpoint.measure(flags)
  size = count_params(40) * scale_arithmetic.STATE_BYTES / 1e6
  assert found['state']['value'] == pytest.approx(size, rel=0.05)
  assert found['on disk']['value'] > 0.8 * found['state']['value']
