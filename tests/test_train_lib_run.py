"""A run beside its loop: where it goes on from, and where it ends."""

import types

import jax
import numpy as np

from tests import small_loops
from tests.small_loops import make_config, run_loop
from train_lib import run
from train_lib.trees import state_digest


class Shorter(small_loops.Training):
  """Of the same config, and of fewer pictures."""
  num_steps = property(lambda self: 12, lambda self, value: None)


def saved_at(step):
  """Checkpoints whose newest is of this step."""
  return types.SimpleNamespace(restore_latest=lambda abstract_state: ('state', step))


def test_a_run_beyond_its_last_step_ends_with_what_it_has_and_says_why(capsys):
  training = types.SimpleNamespace(abstract_state=None, num_steps=12)
  assert run._saved_state(training, saved_at(16)) == 'state'
  said = capsys.readouterr().out
  assert 'step 16, the newest, is beyond the last of this config, 12' in said
  assert 'fewer pictures' in said and 'going on' not in said
  assert run._saved_state(training, saved_at(12)) == 'state'
  assert 'going on from step 12 of 12' in capsys.readouterr().out


def test_the_loop_of_a_run_beyond_its_last_step_changes_nothing(tmp_path, monkeypatch):
  config = make_config()
  state = run_loop(tmp_path, config)
  before = (tmp_path / 'metrics.jsonl').read_text()
  monkeypatch.setattr(small_loops, 'Training', Shorter)
  found = run_loop(tmp_path, config)
  assert int(found.step) == 16 and state_digest(found) == state_digest(state)
  assert (tmp_path / 'metrics.jsonl').read_text() == before
  assert jax.tree.all(jax.tree.map(np.array_equal, found, state))
