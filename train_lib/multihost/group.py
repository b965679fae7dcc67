"""What a run over several processes needs beyond one: refusals, a shared workdir, one report."""

import dataclasses
import secrets
import time
from collections.abc import Callable
from typing import Any

import jax

from errors import UserError
from train_lib import parallel
from train_lib import workdir as workdir_lib
from train_lib.evaluation import Evaluator, Outcome
from train_lib.multihost import distributed, processes
from train_lib.storage import records

SEEN_SEC = 10.0                   # for a file of one host to show on the others


def check(config, *folders: str) -> None:
  """Raises UserError, on every process, for what cannot work over several; writes nothing.

  Args:
    config: the whole config of this process's command.
    folders: its workdir and output, as named.
  """
  if distributed.size() == 1:
    if jax.process_count() > 1:
      raise UserError(f'JAX sees {jax.process_count()} processes that were not told of each other; '
                      'start every one of them with --distributed')
    return
  if config.train.parallel == 'pmap':
    raise UserError(parallel.ONE_PROCESS)
  if config.train.cache_features:
    raise UserError('train.cache_features is for one process; with several set it to False')
  if config.data.persons.cut == 'pose':
    raise UserError("data.persons.cut 'pose' looks for people with one process; cut the pictures "
                    "out first with --job=crop, or use 'truth' or 'none'")
  if config.runtime.dry_run:
    raise UserError('runtime.dry_run is for one process; leave out the flags of the others')
  _check_alike(config, folders)
  mesh = parallel.make_mesh()
  parallel.check_batch_size('train.batch_size', config.train.batch_size, mesh,
                            config.train.accumulate_steps)
  parallel.check_batch_size('eval.batch_size', config.eval.batch_size, mesh)


def _check_alike(config, folders):
  commands = processes.gather({'config': config.to_dict(), 'folders': folders})
  for number, command in enumerate(commands):
    if command == commands[0]:
      continue
    lines = workdir_lib.diff_configs(commands[0]['config'], command['config'])
    what = lines[0] if lines else f'folders: {commands[0]["folders"]} -> {command["folders"]}'
    distributed.part_together()
    raise UserError(f'process {number} was started with another command than process 0 ({what}); '
                    'give every process the same flags but for --process_id')


def check_shared(folder) -> None:
  """Raises UserError on every process unless all see the folder that process 0 has opened."""
  if distributed.size() == 1:
    return
  name = processes.agree(lambda: _leave_mark(folder))
  mark = folder / name
  end = time.monotonic() + SEEN_SEC
  while not (seen := mark.exists()) and time.monotonic() < end:
    time.sleep(0.5)
  blind = [number for number, saw in enumerate(processes.gather(seen)) if not saw]
  if processes.is_first():
    mark.unlink()
  if blind:
    distributed.part_together()
    raise UserError(f'{folder} of process {blind[0]} is not that of process 0; all processes need '
                    'one workdir, on a disk that all hosts share or in a store such as gs://')


def _leave_mark(folder) -> str:
  name = f'.seen-{secrets.token_hex(8)}'
  folder.mkdir(parents=True, exist_ok=True)
  records.write_text(folder / name, 'whether all processes of a run see this folder\n')
  return name


def report_on_test(of_task, evaluator, variables, source, loaders: dict, write: Callable, *,
                   with_baselines: bool, poll: Callable[[], None],
                   poll_together: Callable[[], None]) -> dict:
  """Measures the test split and writes what there is to tell of it.

  Several processes measure the net together; the rest of the report is process 0's.

  Args:
    of_task: of `reports`.
    evaluator, variables, source, loaders, with_baselines: as of its `report_on_test`.
    write: called with its result and the loader of the test split; what it returns JSON can hold.
    poll, poll_together: `check` and `check_together` of the running `Preemption`.

  Returns:
    What `write` gave, on every process.
  """
  if distributed.size() == 1:
    return write(of_task.report_on_test(
        evaluator, variables, source, loaders, with_baselines=with_baselines, poll=poll),
        loaders['test'])
  valid = evaluator.evaluate(variables, loaders['valid'], poll=poll_together)
  test = evaluator.evaluate(variables, loaders['test'], valid.thresholds, poll=poll_together)

  def report():
    whole = {split: loader.whole() for split, loader in loaders.items()}
    mesh = parallel.make_mesh(jax.local_devices())
    replayed = Replayed(evaluator.task, Evaluator(evaluator.task, mesh),
                        {id(whole['valid']): valid, id(whole['test']): test})
    own = parallel.put_whole(mesh, parallel.of_this_process(variables))
    result = of_task.report_on_test(replayed, own, source, whole, with_baselines=with_baselines,
                                    poll=poll)
    return write(result, whole['test'])

  return processes.agree(report)


@dataclasses.dataclass(frozen=True)
class Replayed:
  """An evaluator of one process, that knows what all of them have measured together.

  Attributes:
    task: as of an `Evaluator`.
    own: an evaluator of this process's devices alone.
    outcomes: by `id` of the loader.
  """
  task: Any
  own: Evaluator
  outcomes: dict[int, Outcome]

  def evaluate(self, variables, loader, thresholds=None, poll: Callable = lambda: None) -> Outcome:
    """What was measured."""
    del variables, thresholds
    poll()
    return self.outcomes[id(loader)]

  def predictions(self, variables, loader, poll: Callable[[], None] = lambda: None):
    """`Evaluator.predictions`, by this process alone."""
    return self.own.predictions(variables, loader, poll)
