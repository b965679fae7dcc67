"""The table of faults: what is done, which function does it, and whether the short set has it."""

from collections.abc import Callable
from typing import NamedTuple

from tests.faults.scenarios import (
  divergence,
  hangs,
  hostile,
  layouts,
  saves,
  stops,
  workdirs,
)


class Scenario(NamedTuple):
  """A row.

  Attributes:
    fault: what is done, in words.
    function: (runs, short) -> what came of it, in words; raises where that is not as it must be.
    short: whether the short set has it.
    compares: whether it needs the reference of `runs`.
  """
  fault: str
  function: Callable
  short: bool = False
  compares: bool = True


SCENARIOS = {
    'F1': Scenario('SIGKILL at random steps', stops.kills, short=True),
    'F2': Scenario('SIGKILL of one of two processes', stops.kills_of_one_of_two),
    'F3': Scenario('SIGKILL inside a save', saves.kills_in_a_save, short=True),
    'F4': Scenario('SIGTERM', stops.term, short=True),
    'F5': Scenario('SIGTERM to one of two processes', stops.term_of_one_of_two, short=True),
    'F6': Scenario('SIGTERM at every place', stops.term_at_every_place),
    'F7': Scenario('SIGTERM to the group, with loader processes', stops.term_of_the_group),
    'F8': Scenario('a peer stands still', stops.a_peer_stands_still, compares=False),
    'F9': Scenario('a transform loops, a peer sleeps', hangs.stuck),
    'F10': Scenario('loader processes are lost', hangs.lost_workers),
    'F11': Scenario('disk full during a save', saves.full_disk, short=True),
    'F12': Scenario('the newest checkpoint is damaged', saves.damaged_steps, short=True),
    'F13': Scenario('all checkpoints are damaged', saves.all_steps_damaged, compares=False),
    'F14': Scenario('the loss of a step is NaN', divergence.diverged, short=True),
    'F15': Scenario('the metric worsens, then is NaN', saves.worse_then_nan, short=True,
                    compares=False),
    'F16': Scenario('unreadable pictures', workdirs.unreadable_pictures, short=True,
                    compares=False),
    'F17': Scenario('odd pictures and bombs', hostile.decoding, compares=False),
    'F18': Scenario('other numbers of workers and of batches ahead', layouts.workers),
    'F19': Scenario('2 processes, 1, 2 again', layouts.processes),
    'F20': Scenario('a split that nothing divides', layouts.evaluation),
    'F21': Scenario('the data change', workdirs.changed_data, compares=False),
    'F22': Scenario('the config changes', workdirs.changed_config),
    'F23': Scenario('two runs in one workdir, a stale lock', workdirs.two_in_one_workdir),
    'F24': Scenario('a torn compile cache', workdirs.compile_cache),
    'F25': Scenario('TensorBoard cannot write', workdirs.failing_sinks),
    'F26': Scenario('addresses that do not work', workdirs.addresses),
    'F27': Scenario('hostile files', hostile.files, compares=False),
    'F28': Scenario('hostile requests to the page', hostile.page, compares=False),
}
