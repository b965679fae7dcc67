"""--job=benchmark: every part of a tiny net once, going on after a stop, and mistakes."""

import csv
import json
import math
import os

import jax
import pytest

import jobs
from configs import pose, saved, tagger, throughput, vae
from errors import UserError
from tests.small_exports import one_block
from train_lib import build_sources, preemption, workdir
from train_lib.storage import records
from train_lib.throughput import bench, cases, costs, peaks, rows, steps, whole_loop
from train_lib.training import build_training


@pytest.fixture(scope='module', autouse=True)
def quick():
  """A net of a block, few pictures, a matrix product that is said to be quick."""
  with one_block(), pytest.MonkeyPatch.context() as patch:
    patch.setattr(build_sources, 'DRAWN_SAMPLE', 8)
    patch.setattr(peaks, 'measure_product', lambda device, dtype: 1e9)
    patch.setattr(bench.jax, 'clear_caches', lambda: None)  # the tests' programs
    patch.setattr(whole_loop, 'TURNS', 1)
    patch.setattr(bench, 'DISPATCHES', 1)
    yield


def small_config(**benchmark):
  config = throughput.get_config('smoke')
  config.data.num_train = 64
  config.runtime.tensorboard = False
  config.runtime.cache_dir = os.environ['OKO_TEST_PROGRAMS']
  config.benchmark.update(nets=(), batch_sizes=(), devices=(2,), seconds=0.02, least_steps=2,
                          plots=False, **benchmark)
  config.benchmark.image_size_px, config.data.image_size_px = 0, 32
  config.net.name, config.train.batch_size = 'se_resnet_tiny', 8
  return config


def run(config, folder):
  jobs.get_job('benchmark')(config, str(folder), config_path='', input='', output='')
  return json.loads((folder / 'benchmark.json').read_text())


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Every part of a net on two devices, its step in two parts."""
  folder = tmp_path_factory.mktemp('benchmark')
  config = small_config()
  config.train.accumulate_steps, config.benchmark.plots = 2, True
  run(config, folder)
  return folder


def test_every_part_is_measured_and_told(folder):
  found = json.loads((folder / 'benchmark.json').read_text())
  row, = found['rows']
  left_out = {'error', 'train_scaling_frac', 'infer_scaling_frac'}
  assert set(row) == set(rows.COLUMNS) - left_out
  assert all(math.isfinite(value) for value in row.values() if not isinstance(value, str))
  assert row['train_batch_size'] == 8 and row['devices'] == 2 and row['param_count'] < 1
  assert row['train_samples_per_sec'] == pytest.approx(8e3 / row['train_step_time'])
  assert row['train_step_time_least'] <= row['train_step_time'] <= row['train_step_time_p95']
  assert row['train_samples_per_sec_per_device'] == row['train_samples_per_sec'] / 2
  assert 0 < row['train_compile_sec'] < row['train_first_step_sec']
  assert row['train_peak_frac'] == pytest.approx(   # of 1 GFLOP/s
      row['train_gflops'] / (row['train_step_time'] / 1e3))
  assert 2 < row['train_gflops'] / row['infer_gflops'] < 4
  assert found['environment']['versions']['jax'] == jax.__version__
  assert found['environment']['devices'] == {'kind': 'cpu', 'platform': 'cpu', 'count': 4}


def test_the_csv_and_the_picture_are_there(folder):
  with open(folder / 'benchmark.csv', newline='') as file:
    line, = csv.DictReader(file)
  assert line['model'] == 'se_resnet_tiny' and float(line['train_samples_per_sec']) > 0
  assert (folder / 'benchmark_picture.png').stat().st_size > 10_000


def test_a_finished_benchmark_says_so_and_a_folder_of_one_may_become_a_run(folder, capsys):
  before = json.loads((folder / 'benchmark.json').read_text())['rows']
  config = small_config()
  config.train.accumulate_steps = 2
  assert run(config, folder)['rows'] == before
  assert f'kept from an earlier start in {folder}: 1 of 1 row;' in capsys.readouterr().out
  workdir.open_workdir(folder, tagger.get_config('smoke'))


def test_after_a_stop_the_missing_rows_are_measured(tmp_path, monkeypatch):
  config = small_config(parts=('input',))
  config.benchmark.batch_sizes = (4, 8, 16)
  measured = []

  def measure(self, case):
    measured.append(case.batch_size)
    if measured == [4, 8]:
      raise preemption.Preempted
    return {**rows.begin_row(case), 'input_samples_per_sec': 1.0}
  monkeypatch.setattr(bench.Bench, 'measure', measure)
  with pytest.raises(preemption.Preempted):
    run(config, tmp_path)
  assert len(run(config, tmp_path)['rows']) == 3 and measured == [4, 8, 8, 16]


def test_a_row_that_does_not_fit_is_kept_and_others_go_on(tmp_path, monkeypatch, capsys):
  def small_device(step):
    raise costs.DoesNotFit('9 GB of 8 GB')
  monkeypatch.setattr(steps.Inference, 'compile', small_device)
  monkeypatch.setattr(steps.TrainStep, 'compile', small_device)
  config = small_config(parts=('infer',))
  config.benchmark.batch_sizes = (0, 8)
  found = run(config, tmp_path)['rows']
  assert [row['error'] for row in found] == ['does not fit into memory (9 GB of 8 GB)'] * 2
  assert 'infer_samples_per_sec' not in found[0] and 'does not fit' in capsys.readouterr().out


def test_memory_that_runs_out_before_any_program_runs_is_one_row_and_others_go_on(
    tmp_path, monkeypatch):
  device_batches = steps.device_batches

  def small_device(training, batch, rows):
    if rows > 8:
      raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes')
    return device_batches(training, batch, rows)
  monkeypatch.setattr(steps, 'device_batches', small_device)
  config = small_config(parts=('infer',))
  config.benchmark.batch_sizes = (16, 0)
  large, found = run(config, tmp_path)['rows']
  assert large['error'] == 'does not fit into memory (more than there is)'
  assert 'error' not in found and found['infer_batch_size'] == 8


@pytest.mark.parametrize('page, job, hint', [
    ('configs/throughput.py:cpu', 'benchmark', True), ('configs/tagger.py:demo', 'train', False)])
def test_a_small_page_is_named_where_it_is_a_sweep(tmp_path, monkeypatch, capsys, page, job, hint):
  config = small_config(parts=('input',))
  config.small_page, config.job, config.benchmark.nets = page, job, ('se_resnet_tiny',)
  monkeypatch.setattr(bench.Bench, 'measure', lambda self, case: rows.begin_row(case))
  run(config, tmp_path)
  assert (f'those of --config={page} for a CPU' in capsys.readouterr().out) == hint


@pytest.mark.parametrize('change, message', [
    ({'nets': ('resnet',)}, "no net 'resnet'"),
    ({'nets': ('vae_conv_64',)}, "the benchmark's row 'vae_conv_64': "),
    ({'nets': (3,)}, 'benchmark.nets has 3'),
    ({'batch_sizes': (-8,)}, 'benchmark.batch_sizes has -8; expected numbers of pictures'),
    ({'batch_sizes': (9,)}, 'a batch of 9 pictures .* multiple of 2 devices'),
    ({'devices': (8,)}, 'benchmark.devices has 8; expected 1 to 4'),
    ({'devices': (0,)}, 'benchmark.devices has 0; expected 1 to 4'),
    ({'dtypes': (['float32'],)}, r"benchmark.dtypes has \['float32'\]; expected names of dtypes"),
    ({'image_size_px': 10**6}, 'benchmark.image_size_px is 1000000; expected 0 to 16,384'),
    ({'dtypes': ('float8',)}, "net.dtype 'float8' is unknown; choices: float32"),
    ({'parts': ('fly',)}, "benchmark.parts has 'fly'; choices: train, infer"),
    ({'parts': ()}, 'benchmark.parts is empty'),
    ({'seconds': -1.0}, 'benchmark.seconds is -1.0'),
    ({'least_steps': 0}, 'benchmark.least_steps is 0'),
])
def test_mistakes_are_told(tmp_path, change, message):
  config = small_config()
  config.benchmark.update(change)
  with pytest.raises(UserError, match=message):
    run(config, tmp_path / 'new')
  assert not (tmp_path / 'new').exists()


def test_a_run_is_measured_as_its_config_says_and_stays_as_it_is(tmp_path, monkeypatch):
  config = tagger.get_config('smoke')
  config.train.batch_size = 24
  workdir.save_config(records.absolute(tmp_path) / 'config.json', config)
  before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
  monkeypatch.setattr(bench.Bench, 'measure', lambda self, case: rows.begin_row(case))
  row, = run(saved.get_config(str(tmp_path)), tmp_path)['rows']
  assert (row['model'], row['asked_batch_size']) == (config.net.name, 24)
  assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_batch_in_no_parts_is_refused(tmp_path):
  config = small_config()
  config.train.accumulate_steps = 0
  with pytest.raises(UserError, match='train.accumulate_steps is 0; expected at least 1'):
    run(config, tmp_path / 'new')


def test_a_folder_that_cannot_be_is_told_before_nets_are_traced(tmp_path, monkeypatch):
  traced = []
  monkeypatch.setattr(cases, 'check_nets', traced.append)
  (tmp_path / 'taken').write_text('')
  with pytest.raises(UserError, match='is a file; name a folder'):
    run(small_config(), tmp_path / 'taken')
  with pytest.raises(UserError, match='taken/new cannot be written into'):
    run(small_config(), tmp_path / 'taken' / 'new')
  assert traced == []


def test_a_sweep_is_every_net_with_every_batch_and_number_of_devices():
  config = small_config()
  config.benchmark.nets = ('se_resnet_tiny', 'vit_tiny_patch16')
  config.benchmark.batch_sizes, config.benchmark.devices = (8, 0), (1, 4)
  found = cases.make_cases(config)
  assert [(case.net, case.batch_size, case.devices) for case in found] == [
      (net, batch, devices) for net in config.benchmark.nets for batch in (8, 0)
      for devices in (1, 4)]
  assert len({case.digest for case in found}) == 8
  assert found[1].digest_on(1) == found[0].digest != found[2].digest
  assert {case.config.data.image_size_px for case in found if case.net[0] == 'v'} == {224}


def test_what_is_measured_decides_the_digest_and_what_else_is_swept_does_not():
  def digest(**change):
    config = small_config()
    config.update(change)
    return cases.make_cases(config)[0].digest
  assert digest() == digest(benchmark={'batch_sizes': (8, 16)})
  assert len({digest(), digest(benchmark={'seconds': 2.0}), digest(runtime={'workers': 5}),
              digest(optimizer={'name': 'sgd'}),
              digest(benchmark={'dtypes': ('bfloat16',)})}) == 5


def test_arithmetic_is_that_of_the_whole_batch_on_all_devices(tmp_path):
  counts = []
  for parts, devices, parallel in ((1, 1, 'jit'), (2, 2, 'jit'), (1, 2, 'pmap')):
    config = small_config()
    config.train.accumulate_steps, config.train.parallel = parts, parallel
    training = build_training(config, source=_source(config, tmp_path),
                              devices=jax.devices()[:devices])
    step = steps.TrainStep(training, 8, steps.draw_variables(training))
    lowered = training.steps[False, False].lower(step.state, step._batches[0], training.key)
    counts.append(costs.step_flops(training, lowered, step.state, step._batches[0]))
  assert counts[1] == pytest.approx(counts[0], rel=0.001)
  assert counts[2] == pytest.approx(counts[0], rel=0.1)     # each device does the update itself


def _source(config, folder):
  return build_sources.build_sample(config, str(folder / 'drawn'), lambda: None)


@pytest.mark.slow
@pytest.mark.parametrize('task, page', [('pose', pose), ('autoencoding', vae)])
def test_other_tasks_are_measured_too(tmp_path, task, page):
  config = page.get_config('smoke')
  config.train.batch_size = 4
  config.benchmark.update(seconds=0.02, least_steps=2, devices=(1,), plots=False)
  row, = run(config, records.absolute(tmp_path))['rows']
  assert config.task == task and row['loop_samples_per_sec'] > 0 and row['bound_by']
