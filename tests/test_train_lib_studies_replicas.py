"""Replicas trained together are the same runs as one by one, and as those of --job=train."""

import jax
import numpy as np
import pytest

from errors import UserError
from tests.small_replicas import NUM_STEPS, small_config, use_small_net
from tests.test_train_lib_studies_curvature import largest_eigenvalue
from train_lib import build_sources, device_data, evaluation, parallel
from train_lib.studies import replicas
from train_lib.studies.side_by_side import SideBySide
from train_lib.training import build_training

RATES, SEEDS = (0.003, 0.03, 0.03), (0, 0, 7)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('data')


@pytest.fixture(autouse=True)
def small_net(monkeypatch):
  use_small_net(monkeypatch)


def train_together(engine, rates=RATES, seeds=SEEDS, cuts=(0, 2, NUM_STEPS)):
  """(states, metrics) of a whole run, in pieces between the cuts."""
  states, parts = engine.initial(seeds), []
  for first, last in zip(cuts, cuts[1:], strict=False):
    states, metrics = engine.advance(states, rates, seeds, first, last - first)
    parts.append(metrics)
  return states, {key: np.concatenate([part[key] for part in parts], axis=1) for key in parts[0]}


def train_alone(config, rate, seed):
  """(training, state, losses) of the run that --job=train makes of a config."""
  config.optimizer.learning_rate, config.seed = rate, seed
  training = build_training(config)
  state, losses = training.init_state(training.key), []
  for step in range(1, training.num_steps + 1):
    batch = parallel.put_batch(training.mesh, training.loader.make_batch(step - 1))
    state, metrics = training.step_function(step)(state, batch, training.key)
    losses.append(float(metrics['loss']))
  return training, state, losses


def assert_close(one, other, tolerance=1e-5):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance),
               jax.device_get(one), jax.device_get(other))


def replica(tree, number):
  return jax.tree.map(lambda leaf: leaf[number], tree)


@pytest.mark.parametrize('together', [
    'vmap', *(pytest.param(name, marks=pytest.mark.slow) for name in ('one', 'map'))])
def test_replicas_are_the_runs_of_the_train_job(folder, together):
  engine = replicas.build_replicas(small_config(folder, together))
  states, metrics = train_together(engine)
  assert metrics['loss'].shape == (3, NUM_STEPS)
  for number, pair in enumerate(zip(RATES, SEEDS, strict=True)):
    _, state, losses = train_alone(small_config(folder), *pair)
    assert_close(metrics['loss'][number], losses)
    assert_close(replica(states, number), state)
  start = engine.initial(SEEDS)
  moved = np.abs(np.asarray(states.params['head']['kernel'] - start.params['head']['kernel']))
  assert moved[1:].max() > 10 * moved[0].max() > 0              # ten times the learning rate


@pytest.mark.slow
def test_schedule_accumulation_and_parts_of_a_run_are_those_of_the_train_job(folder, monkeypatch):
  def make():
    config = small_config(folder)
    config.train.accumulate_steps = 2
    config.train.freeze_first, config.train.freeze_first_frac = ('conv',), 0.4
    config.train.shrink, config.train.shrink_frac = 2, 0.8
    config.optimizer.name, config.optimizer.schedule = 'adamw', 'linear'
    config.optimizer.weight_decay, config.optimizer.lr_factors = 0.1, (('head', 0.5),)
    return config

  monkeypatch.setattr(replicas, 'BLOCK_STEPS', 2)
  states, metrics = train_together(replicas.build_replicas(make()), cuts=(0, NUM_STEPS))
  training, state, losses = train_alone(make(), RATES[2], SEEDS[2])
  assert len({training.step_kind(step) for step in range(1, NUM_STEPS + 1)}) == 3
  assert_close(metrics['loss'][2], losses)
  assert_close(replica(states, 2), state)


def test_four_devices_share_the_replicas(folder, monkeypatch):
  wanted, _ = train_together(replicas.build_replicas(small_config(folder)))
  use_small_net(monkeypatch, devices=4)
  for together in ('one', 'map'):
    engine = replicas.build_replicas(small_config(folder, together))
    states, _ = train_together(engine, RATES * 2, SEEDS * 2)
    assert_close(jax.tree.map(lambda leaf: leaf[3:], states), wanted)
    assert engine.at_once(6) == (4 if together == 'one' else 6)


@pytest.mark.parametrize('together', ['vmap', pytest.param('one', marks=pytest.mark.slow)])
def test_a_replica_that_diverges_leaves_the_others_alone(folder, together):
  engine = replicas.build_replicas(small_config(folder, together))
  rates, seeds = (0.003, 1e38, 0.03), (0, 0, 0)
  states, metrics = train_together(engine, rates, seeds)
  finite = np.isfinite(metrics['loss'])
  assert finite[[0, 2]].all() and finite[1, 0] and not finite[1, -1]
  wanted, _ = train_together(engine, rates[:1], seeds[:1])
  assert_close(replica(states, 0), replica(wanted, 0))
  for split in ('valid', 'test'):
    good, bad, other = engine.evaluate(states.variables, split)
    assert 'not numbers' in bad['diverged'] and list(bad) == ['diverged']
    assert 'diverged' not in good and good['loss'] != other['loss']
  first, second, third = engine.sharpness(states)
  assert np.isfinite(first) and np.isnan(second) and np.isfinite(third)


def test_figures_are_those_of_the_evaluator(folder):
  config = small_config(folder)
  engine = replicas.build_replicas(config)
  states, _ = train_together(engine)
  training, state, _ = train_alone(config, RATES[1], SEEDS[1])
  evaluator = evaluation.Evaluator(training.task, training.mesh)
  loaders = build_sources.build_evaluation_loaders(config, training.train_source)
  valid = evaluator.evaluate(state.variables, loaders['valid'])
  test = evaluator.evaluate(state.variables, loaders['test'], valid.thresholds)
  for split, outcome in (('valid', valid), ('test', test)):
    figures = engine.evaluate(states.variables, split)[1]
    assert figures.keys() == outcome.metrics.keys() and 'drawn_map' in figures
    assert figures == pytest.approx(outcome.metrics, rel=1e-4)
  assert figures['examples'] == 7                               # not the row that fills a batch


def test_sharpness_is_that_of_the_training_loss_on_the_first_pictures(folder):
  engine = replicas.build_replicas(small_config(folder))
  states = engine.initial(SEEDS)
  training = build_training(small_config(folder))
  batch = {key: value[:4] for key, value in engine.splits['train'].arrays.items()}
  rngs = {'dropout': jax.random.key(0), 'mixup': jax.random.key(1)}

  def loss(params):
    variables = {'params': params, 'batch_stats': replica(states.batch_stats, 2)}
    return training.task.loss(variables, batch, rngs)[0]

  wanted = largest_eigenvalue(loss, replica(states.params, 2), jax.random.key(0), 4)
  found = engine.sharpness(states)
  assert found[2] == pytest.approx(wanted, rel=1e-4) and wanted > 0
  assert found[0] == found[1] != pytest.approx(found[2], rel=1e-3)


def test_memory_decides_how_many_train_at_once(folder, monkeypatch):
  engine = replicas.build_replicas(small_config(folder, 'map'))
  assert engine.at_once(3) == 3
  wanted, _ = train_together(engine)
  monkeypatch.setattr(device_data, 'memory_left', lambda device: 1)
  engine = replicas.build_replicas(small_config(folder, 'map'), before=engine)
  assert engine.at_once(3) == 1
  states, _ = train_together(engine)                            # three times one
  assert_close(states, wanted)


def test_where_nothing_is_known_the_faster_way_is_measured(folder, monkeypatch):
  seconds = {'vmap': 1.0, 'one': 5.0}
  monkeypatch.setattr(replicas, 'FASTEST', {})
  clock, way = [0.0], []

  class Timed(replicas.Replicas):
    def advance(self, *args):
      way.append(self.way)
      clock[0] += seconds[self.way]
      return super().advance(*args)

  monkeypatch.setattr(replicas, 'Replicas', Timed)
  monkeypatch.setattr(replicas.time, 'monotonic', lambda: clock[0])
  engine = replicas.build_replicas(small_config(folder, 'auto'))
  assert (engine.way, way) == ('auto', [])
  assert engine.at_once(2) == 2 and engine.way == 'vmap'        # half a second each, against five
  assert way == ['vmap', 'vmap', 'one', 'one']
  after = replicas.build_replicas(small_config(folder, 'auto'), before=engine)
  assert after.way == 'vmap'


def test_what_another_optimizer_does_not_change_is_taken_over(folder, monkeypatch):
  before = replicas.build_replicas(small_config(folder))
  states, _ = train_together(before)
  measured = before.evaluate(states.variables), before.sharpness(states).tolist()
  other = small_config(folder)
  other.optimizer.name, other.optimizer.beta1 = 'adam', 0.5
  after = replicas.build_replicas(other, before=before)
  assert after.splits is before.splits
  compiled, compile = [], SideBySide.compile
  monkeypatch.setattr(SideBySide, 'compile', lambda self, name, *args: (
      compiled.append((name[0], len(self._programs))), compile(self, name, *args))[1])
  assert measured == (after.evaluate(states.variables),
                      after.sharpness(states).tolist())
  assert compiled == [('predict', 2), ('curvature', 2)]         # both were there before
  states, _ = train_together(after)
  other = small_config(folder)
  other.optimizer = after.config.optimizer
  assert_close(replica(states, 1), train_alone(other, RATES[1], SEEDS[1])[1])


def test_other_pictures_or_another_net_are_not_taken_over(folder):
  before = replicas.build_replicas(small_config(folder))
  other = small_config(folder)
  other.data.flipped_share = 0.1
  assert replicas.build_replicas(other, before=before).splits is not before.splits
  other = small_config(folder)
  other.loss.name = 'focal'
  after = replicas.build_replicas(other, before=before)
  assert after.splits is before.splits and after._init is not before._init


def test_a_poll_that_raises_stops_between_programs(folder, monkeypatch):
  class Stop(Exception):
    pass

  def poll():
    if armed:
      raise Stop

  armed = []
  engine = replicas.build_replicas(small_config(folder), poll)
  states = engine.initial([0])
  armed.append(True)
  with pytest.raises(Stop):
    engine.advance(states, [0.01], [0], 0, 1)


def test_mistakes_are_told(folder):
  with pytest.raises(UserError, match="study.together is 'both'; choices: auto, vmap, map, one"):
    replicas.build_replicas(small_config(folder, 'both'))
  config = small_config(folder)
  config.data.augment = ('mirror',)
  with pytest.raises(UserError, match=r'set data.augment to \(\)'):
    replicas.build_replicas(config)
