"""The first step's program is compiled while the state is made, and found by its call."""

import gc
import types

import jax
import pytest

from configs import pose, simpsons, tagger, vae
from train_lib import parallel
from train_lib.compile_ahead import collector_at_rest, compiling_ahead
from train_lib.loop import device_batches
from train_lib.training import build_training

PAGES = {'tags': (tagger, 'smoke'), 'classes': (simpsons, 'smoke'), 'poses': (pose, 'smoke'),
         'scans': (vae, 'smoke')}


@pytest.fixture
def compiled():
  """The names of what jax compiles from here on."""
  names = []

  def note(event, seconds, **fields):
    if event.endswith('backend_compile_duration'):
      names.append(fields.get('fun_name', ''))

  jax.monitoring.register_event_duration_secs_listener(note)
  yield names
  jax.monitoring.unregister_event_duration_listener(note)


def small(page):
  module, preset = PAGES[page]
  config = module.get_config(preset)
  config.train.num_steps = 2
  config.data.num_train = config.data.num_valid = config.data.num_test = 32
  return config


def test_the_call_of_the_step_finds_what_was_compiled(compiled):
  training = build_training(small('tags'))
  with compiling_ahead(training, 1):
    state = training.init_state(training.key)
  assert sum('step' in name for name in compiled) == 1, compiled
  (_, batch), = device_batches(training, 0, 1, ahead=0)
  jax.block_until_ready(training.step_function(1)(state, batch, training.key))
  assert sum('step' in name for name in compiled) == 1, compiled


@pytest.mark.parametrize('page', PAGES)
def test_a_sample_shows_what_batches_are(page):
  training = build_training(small(page))
  (_, batch), = device_batches(training, 0, 1, ahead=0)
  abstract = parallel.abstract_batch(
      training.mesh, training.loader.sample(), training.loader.batch_size)
  assert abstract == {
      key: jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=value.sharding)
      for key, value in batch.items()}


def test_what_fails_ahead_is_left_to_the_call():
  def fail():
    raise ValueError('no picture can be read')

  training = types.SimpleNamespace(
      head_steps=0, num_steps=3, loader=types.SimpleNamespace(sample=fail))
  with compiling_ahead(training, 1):
    done = True
  assert done


def test_an_error_beside_it_is_raised_after_it_has_ended():
  ended = []
  training = types.SimpleNamespace(
      head_steps=0, num_steps=3,
      mesh=None,
      loader=types.SimpleNamespace(batch_size=1, sample=lambda: ended.append(1) or {}),
      step_function=None)
  with pytest.raises(KeyError), compiling_ahead(training, 1):
    raise KeyError('state')
  assert ended == [1]


def test_cycles_are_looked_for_again_afterwards():
  assert gc.isenabled()
  with collector_at_rest():
    assert not gc.isenabled()
  assert gc.isenabled()
  gc.disable()
  try:
    with collector_at_rest():
      pass
    assert not gc.isenabled()
  finally:
    gc.enable()
