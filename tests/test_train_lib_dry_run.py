"""A dry run tells what each kind of run would take, from its config alone, and leaves no trace.

What it really measures is tried in test_jobs_train_switches.py, and here by the slow test.
"""

import re
import types

import jax
import pytest

from configs import fashion, pose, tagger, vae
from errors import UserError
from train_lib import build_sources, dry_run, duration, parallel
from train_lib.drawing import net_table
from train_lib.throughput import costs
from train_lib.training import build_training

pytestmark = pytest.mark.usefixtures('small_net')

PAGES = {'tagging': tagger, 'classification': fashion, 'pose': pose, 'autoencoding': vae}
SIDE_PX = {'tagging': 32, 'classification': 96, 'pose': 128, 'autoencoding': 64}


@pytest.fixture(scope='module', autouse=True)
def folder(tmp_path_factory):
  """Few drawn pictures, and every file that is kept in one folder."""
  with pytest.MonkeyPatch.context() as patch:
    folder = tmp_path_factory.mktemp('dry')
    patch.setattr(build_sources, 'DRAWN_SAMPLE', 8)
    patch.setattr(dry_run, 'TIMED_STEPS', 1)
    patch.setattr(dry_run, 'READ_BATCHES', 3)
    patch.setenv('HOME', str(folder))
    patch.chdir(folder)
    yield folder


@pytest.fixture
def quick(monkeypatch):
  """A step is traced with the true shapes, and not compiled: it is said to take half a second."""
  def trace(training, batch, poll):
    put = parallel.put_batch(training.mesh, batch)
    training.steps[False, False].lower(training.abstract_state, put, training.key)
    return 0.5
  monkeypatch.setattr(dry_run, '_try_step', trace)


def small_config(task='tagging'):
  config = PAGES[task].get_config('smoke')
  config.data.image_size_px = SIDE_PX[task]
  config.train.batch_size, config.train.num_epochs = 8, 2.0
  return config


def numbers(pattern, said):
  match = re.search(pattern, said)
  assert match, f'{pattern} is not in\n{said}'
  return [float(group.replace(',', '')) for group in match.groups()]


TOLD = {'tagging': 'frozen for the first 64 steps', 'classification': 'in the first 20 of 40 steps',
        'autoencoding': 'statistics: ', 'pose': 'optimizer state (adam): '}
STEPS = {'tagging': '128 steps', 'classification': '20 steps left', 'autoencoding': '16 steps',
         'pose': '30 steps'}          # 15 persons in the 8 pictures that stand for 64


def special_config(task):
  """Two of the tasks with what makes a step another one."""
  config = small_config(task)
  if task == 'tagging':
    config.net.remat, config.train.parallel = ('stage1',), 'pmap'
    config.train.freeze, config.train.accumulate_steps = ('stage1*',), 2
    config.train.freeze_first, config.train.freeze_first_frac = ('stem*',), 0.5
  if task == 'classification':
    config.train.freeze_first, config.train.freeze_first_frac = ('*', '!head'), 0.5
    config.train.cache_features, config.train.num_steps = True, 40
  return config


@pytest.mark.parametrize('task', ['tagging', 'classification', 'autoencoding',
                                  pytest.param('pose', marks=pytest.mark.slow)])
def test_every_task_tells_its_size_and_duration_and_writes_nothing(task, capsys, quick, folder):
  config = special_config(task)
  dry_run.run(config)
  said = capsys.readouterr().out
  values, = numbers(r'\nall +([\d,]+)\n', said)
  assert re.search(r'\n\S+ +\d+ x \d+ x \d+ +[\d,]+ +[\d.]+%', said)       # a part's output
  size, unit = re.search(r'\nparameters: (\S+) (kB|MB)', said).groups()
  assert float(size) * {'kB': 1e3, 'MB': 1e6}[unit] == pytest.approx(4 * values, rel=0.01)
  assert re.search(rf'batch: .*image \w+ \[8, {SIDE_PX[task]}, ', said)
  numbers(r'input: ([\d,]+) pictures/s', said)
  assert TOLD[task] in said
  assert f'for the {STEPS[task]}, at 16.0 pictures/s on 4 x cpu' in said   # 8 in half a second
  assert not any(path.name != 'drawn' for path in folder.iterdir())


def test_a_few_drawn_pictures_stand_for_all_persons_in_all_pictures(folder):
  config = small_config('pose')
  config.data.num_train = 100
  source = build_sources.build_sample(config, str(folder / 'drawn'), lambda: None)
  ids = [source[index]['id'] for index in range(len(source))]
  persons = len(set(ids))
  assert persons >= 8 and ids[persons:2 * persons] == ids[:persons]
  assert len(ids) == persons * 100 // 8


@pytest.mark.slow
@pytest.mark.parametrize('task', PAGES)
def test_every_task_is_tried(task, capsys):
  dry_run.run(small_config(task))
  said = capsys.readouterr().out
  numbers(r'memory of a step on each device: ([\d.,]+) [kM]B', said)
  step_sec, = numbers(r'time of a step: (\S+) s', said)
  rate, = numbers(r'expect .* steps, at (\S+) pictures/s on 4 x cpu', said)
  assert rate == pytest.approx(8 / step_sec, rel=0.01)


def test_what_takes_long_is_said_before_it_begins(capsys):
  said = []

  def lower(*given):
    said.append(capsys.readouterr().out)
    return jax.jit(lambda state, batch, key: (state, {})).lower(*given)

  def step(state, batch, key):
    said.append(capsys.readouterr().out)
    return state, {}
  step.lower = lower
  training = types.SimpleNamespace(
      config=small_config(), mesh=parallel.make_mesh(), small_steps=0, steps={(False, False): step},
      abstract_state=jax.ShapeDtypeStruct((2,), 'float32'), key=jax.random.key(0))
  dry_run._try_step(training, {'image': jax.numpy.zeros((8, 2))}, lambda: None)
  assert said[0].startswith('compiling the training step')
  assert said[1].startswith('training step: compiled in')
  assert said[1].splitlines()[-1].startswith('timing the training step')


def test_small_pictures_cost_by_their_pixels(folder):
  config = small_config()
  config.train.shrink, config.train.shrink_frac, config.train.num_steps = 2, 0.75, 40
  training = build_training(
      config, source=build_sources.build_sample(config, str(folder / 'drawn'), lambda: None))
  assert training.cost_left(0, timed=40) == 10 + 30 / 4
  assert training.cost_left(0, timed=1) == training.cost_left(0, timed=40) * 4
  assert training.cost_left(30, timed=40) == 10
  assert 'for the 40 steps, 30 of them at 1/2 of the side, at 8.0 pictures/s of full size' in (
      duration.describe(training, 0, 1.0, timed=40)[0])
  assert 'for the 20 steps left, 10 of them at 1/2 of the side, at 8.0 pictures/s of that size' in (
      duration.describe(training, 20, 1.0, timed=1)[0])


def test_a_mistake_is_told_as_training_tells_it():
  config = small_config()
  config.train.batch_size = 6
  with pytest.raises(UserError, match='train.batch_size is 6'):
    dry_run.run(config)
  config.train.batch_size, config.data.num_train = 8, 0
  with pytest.raises(UserError, match='data.num_train is 0'):
    dry_run.run(config)


def test_a_step_that_needs_more_memory_than_there_is_is_told_in_a_sentence(monkeypatch):
  training = types.SimpleNamespace(config=small_config(), mesh=parallel.make_mesh())
  compiled = types.SimpleNamespace(memory_analysis=lambda: types.SimpleNamespace(
      argument_size_in_bytes=3e6, temp_size_in_bytes=8e6, output_size_in_bytes=4e6,
      alias_size_in_bytes=2e6))
  monkeypatch.setattr(costs, 'memory_left', lambda device: 49e6)
  assert dry_run._say_memory(training, compiled) is None      # 4 devices share 49 + 3 MB
  monkeypatch.setattr(costs, 'memory_left', lambda device: 48e6)
  with pytest.raises(UserError, match='size 8 needs 13.0 MB of 12.8 MB'):
    dry_run._say_memory(training, compiled)


def test_memory_that_runs_out_is_told_in_a_sentence_and_other_errors_are_not():
  for text, kind in (('RESOURCE_EXHAUSTED: Out of memory', UserError),
                     ('INTERNAL: ', jax.errors.JaxRuntimeError)):
    with pytest.raises(kind), dry_run._memory_told(small_config()):
      raise jax.errors.JaxRuntimeError(text)


@pytest.mark.parametrize(('parts', 'group'), [(3, net_table.FINE), (50, net_table.COARSE),
                                              (10, net_table.USUAL)])
def test_a_table_of_a_net_has_neither_few_nor_many_lines(parts, group, monkeypatch):
  shapes = {(f'stage1_block{number}',): (number, 8) for number in range(parts)}
  shapes |= {(*block, 'conv'): (9, 9) for block in shapes} | {(): (1,)}
  monkeypatch.setattr(net_table, 'output_shapes', lambda task, picture: shapes)
  params = {block[0]: {'conv': {'kernel': jax.ShapeDtypeStruct((5,), 'float32')}}
            for block in shapes if len(block) == 1}
  head, *rows, last = net_table.describe(None, None, params).splitlines()
  names = dict.fromkeys(group((*block, 'conv')) for block in shapes if len(block) == 1)
  assert [row.split()[0] for row in rows] == list(names)
  assert last.split() == ['all', f'{5 * parts}']
  wanted = {net_table.FINE: '9 x 9', net_table.USUAL: '0 x 8', net_table.COARSE: '49 x 8'}[group]
  assert wanted in rows[0]
