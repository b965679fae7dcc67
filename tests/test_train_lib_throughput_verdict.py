"""What bounds a row, in words."""

import pytest

from train_lib.throughput.verdict import describe, has_no_stall

ROW = {'train_samples_per_sec': 2100.0, 'train_step_time': 15.0, 'train_dispatch_ms': 1.0,
       'train_peak_frac': 0.62, 'peak_tflops': 312.0, 'peak_source': 'bfloat16, NVIDIA',
       'loop_bare_samples_per_sec': 2100.0, 'loop_samples_per_sec': 2080.0, 'stall_frac': 0.01,
       'input_samples_per_sec': 5000.0, 'input_read_samples_per_sec': 900.0, 'input_workers': 2,
       'input_augment_samples_per_sec': 700.0, 'input_batch_samples_per_sec': 20_000.0,
       'input_transfer_samples_per_sec': 30_000.0}


@pytest.mark.parametrize('change, expected', [
    ({}, "compute: 62% of the devices' published peak of 312 TFLOP/s"),
    ({'train_peak_frac': 0.07}, 'memory bandwidth or small operations: 7%'),
    ({'train_peak_frac': 0.3}, 'compute and memory bandwidth: 30%'),
    ({'train_peak_frac': 0.07, 'train_dispatch_ms': 9.0}, 'dispatch: the host needs 9.00 ms'),
    ({'stall_frac': 0.6, 'input_samples_per_sec': 812.0},
     'the input pipeline: it makes 812 pictures/s, mostly for data.augment, and the step could '
     'take 2,100; raise runtime.workers (2 now) up to 8, one for each processor'),
    ({'stall_frac': 0.6, 'input_transfer_samples_per_sec': 800.0}, 'the transfer to the devices'),
    ({'stall_frac': 0.2}, 'the loop: 20% of the time the devices wait'),
])
def test_it_is_told_in_words(change, expected):
  assert describe({**ROW, **change}, 'gpu', 8).startswith(expected)


def test_on_a_cpu_the_pipeline_takes_from_the_step():
  assert describe({**ROW, 'stall_frac': 0.2}, 'cpu', 2).startswith(
      'the processors, which the input pipeline shares with the step and takes 20% of the time '
      'from, mostly for data.augment: alone they make 5,000 pictures/s and train 2,100 pictures/s;')
  assert describe({**ROW, 'train_dispatch_ms': 14.0}, 'cpu', 2).startswith('compute')


@pytest.mark.parametrize('made, start', [
    (1277.0, 'the processors, which the input pipeline shares with the step and takes 53% of the '
     'time from, mostly for data.augment: alone they make 1,277 pictures/s and train 1,290'),
    (700.0, 'the processors'), (600.0, 'the input pipeline: it makes 600')])
def test_on_a_cpu_the_pipeline_bounds_alone_where_most_of_the_work_is_its_own(made, start):
  step = {'loop_bare_samples_per_sec': 1290.0, 'loop_samples_per_sec': 610.0, 'stall_frac': 0.53,
          'input_transfer_samples_per_sec': 500.0 if made > 1000 else 30_000.0}
  assert describe({**ROW, **step, 'input_samples_per_sec': made}, 'cpu', 2).startswith(start)


@pytest.mark.parametrize('workers, processors, raised', [
    (0, 1, True), (1, 2, True), (2, 2, False), (4, 2, False), (8, 64, True)])
def test_no_more_workers_than_processors_are_advised(workers, processors, raised):
  row = {**ROW, 'stall_frac': 0.6, 'input_samples_per_sec': 812.0, 'input_workers': workers,
         'input_read_samples_per_sec': 200.0}
  told = describe(row, 'gpu', processors)
  assert told.startswith('the input pipeline')
  assert ('raise runtime.workers' in told) == raised
  assert ('or more processors' in told) != raised


@pytest.mark.parametrize('part, named, advised', [
    ('read', 'mostly for reading and decoding', 'smaller files'),
    ('augment', 'mostly for data.augment', 'fewer or cheaper operations of data.augment'),
    ('batch', 'mostly for batch assembly', 'a smaller data.image_size_px')])
def test_the_slowest_part_of_the_pipeline_is_named_and_no_other_is_advised(part, named, advised):
  row = {**ROW, f'input_{part}_samples_per_sec': 100.0, 'input_workers': 8}
  shared = describe({**row, 'stall_frac': 0.2}, 'cpu', 8)
  alone = describe({**row, 'stall_frac': 0.6, 'input_samples_per_sec': 812.0}, 'gpu', 8)
  assert shared.startswith('the processors') and alone.startswith('the input pipeline')
  for told in (shared, alone):
    assert named in told and advised in told
    others = {'smaller files', 'operations of data.augment', 'data.image_size_px'}
    assert [other in told for other in others] == [other in advised for other in others]


@pytest.mark.parametrize('stall, loop, none', [
  (-0.223, 2568.0, True), (-0.001, 2100.0, True), (0.1, 2150.0, True),     # of other turns
  (0.0, 2100.0, False), (0.01, 2080.0, False), (0.6, 840.0, False)])
def test_a_loop_that_is_faster_than_its_step_has_no_stall(stall, loop, none):
  row = {**ROW, 'stall_frac': stall, 'loop_samples_per_sec': loop}
  assert has_no_stall(row) == none
  assert not none or describe(row, 'gpu', 8).startswith('compute')


SLOW = {**ROW, 'input_read_samples_per_sec': 1489.0, 'input_augment_samples_per_sec': 8542.0,
        'input_batch_samples_per_sec': 120_114.0, 'input_samples_per_sec': 719.0}


@pytest.mark.parametrize('platform, stall, start', [
  ('cpu', 0.2, 'the processors, which'), ('gpu', 0.6, 'the input pipeline: it makes 719'),
  ('cpu', 0.6, 'the input pipeline: it makes 719')])
def test_parts_that_do_not_account_for_the_pipeline_are_not_blamed(platform, stall, start):
  step = {'loop_bare_samples_per_sec': 650.0 if start.startswith('the proc') else 2100.0}
  step['loop_samples_per_sec'] = step['loop_bare_samples_per_sec'] * (1 - stall)
  told = describe({**SLOW, **step, 'stall_frac': stall}, platform, 2)
  assert told.startswith(start)
  assert 'by them 2 workers should make 2,509 pictures/s' in told
  assert told.endswith('try fewer runtime.workers (2 now) or an idle machine')
  assert 'mostly for' not in told and 'smaller files' not in told


@pytest.mark.parametrize('changed', [
  {'input_samples_per_sec': 1300.0}, {'input_workers': 1}, {'input_augment_samples_per_sec': 0.0}])
def test_parts_that_account_for_the_pipeline_or_are_not_known_leave_the_slowest_named(changed):
  assert 'mostly for reading' in describe({**SLOW, 'stall_frac': 0.6, **changed}, 'gpu', 2)


def test_workers_count_up_to_the_processors_and_none_is_one():
  for workers, processors in ((0, 2), (4, 1)):
    row = {**SLOW, 'stall_frac': 0.6, 'input_samples_per_sec': 500.0, 'input_workers': workers}
    told = describe(row, 'gpu', processors)
    assert 'by them 1 worker should make 1,255 pictures/s' in told
    assert told.endswith('an idle machine') and ('fewer' in told) == (workers > 0)


def test_without_the_loop_the_rates_decide():
  row = {key: value for key, value in ROW.items() if not key.startswith(('loop', 'stall'))}
  assert describe(row, 'gpu', 8).startswith('compute')
  assert describe({**row, 'input_samples_per_sec': 812.0}, 'gpu', 8).startswith('the input')
  shared = describe({**row, 'input_samples_per_sec': 2000.0}, 'cpu', 8)
  assert shared.startswith('the processors, which the input pipeline shares with the step, mostly')
  assert describe({**row, 'input_samples_per_sec': 812.0}, 'cpu', 8).startswith('the input')


def test_the_input_pipeline_is_not_judged_where_it_was_not_measured():
  row = {key: value for key, value in ROW.items() if not key.startswith('input')}
  told = describe({**row, 'stall_frac': 0.2}, 'gpu', 8)
  assert told.startswith('the loop: 20% of the time the devices wait;')
  assert "'input' in benchmark.parts" in told
  assert 'alone they train 2,100' in describe({**row, 'stall_frac': 0.2}, 'cpu', 8)


def test_nothing_is_said_of_what_was_not_measured():
  assert describe({'infer_samples_per_sec': 1.0}, 'gpu', 8) == ''
