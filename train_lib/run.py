"""One run: from a config to a trained workdir, or on from where it was stopped."""

import contextlib
import dataclasses
import functools
import os
import time
from collections.abc import Callable
from typing import Any

import jax

from errors import UserError
from train_lib import (
  build_sources,
  check,
  data_record,
  evaluation,
  freezing,
  loop,
  parallel,
  reports,
)
from train_lib import workdir as workdir_lib
from train_lib.compile_ahead import collector_at_rest, compiling_ahead
from train_lib.goodput import Goodput
from train_lib.multihost import distributed, group, processes
from train_lib.reporting import say
from train_lib.storage import records, remote
from train_lib.storage.checkpoints import Checkpoints
from train_lib.storage.lock import Lock
from train_lib.trained import stored_pixels
from train_lib.training import build_training, load_initial, with_features
from train_lib.trees import state_digest
from train_lib.watchdog import COMPILE_SEC, Watchdog


@dataclasses.dataclass(frozen=True)
class Finished:
  """A run whose last step is done: its net, and the splits it can be measured on.

  Attributes:
    config: the whole config.
    folder: the workdir.
    source: the training split, its tags as they are listed.
    evaluator, variables: the net, of the step that `config.checkpoint` chooses.
    step: that one.
    loaders: 'train', 'valid' and 'test', in evaluation order.
    poll: to be called often by what is done with it; may raise to stop.
    poll_together: the same, where all processes call it equally often.
  """
  config: Any
  folder: Any
  source: Any
  evaluator: evaluation.Evaluator
  variables: dict
  step: int
  loaders: dict
  poll: Callable[[], None]
  poll_together: Callable[[], None]


def train(config, workdir, preemption, *, config_path: str, finish: Callable,
          source=None, named=None) -> dict:
  """Trains to the config's last step, unless that was done before.

  Args:
    config: the whole config.
    workdir: folder of the run; made when absent, continued when it holds the same config.
    preemption: of the running job.
    config_path: what the config is called, for run.json.
    finish: called with `Finished`, in a run that is trained but not finished; what it returns are
      fields of run.json.
    source: what to train on; None: the training split that the config names.
    named: the folder that the person named, where the workdir is a folder in it.

  Returns:
    run.json, as a dict; 'was_finished' says that there was nothing to do.

  Raises:
    UserError: a mistake in the config or the data, told in a sentence.
    Preempted: a signal came; the current step is saved, or why it is not was said.
  """
  group.check(config, workdir)
  folder = records.absolute(workdir)
  with contextlib.ExitStack() as held:
    processes.agree(lambda: _hold(held, config, workdir, named))
    group.check_shared(folder)
    watchdog = held.enter_context(Watchdog(folder, config.runtime.stuck_sec))
    processes.on_wait(watchdog.beat)
    earlier = _earlier_config(folder) if processes.is_first() else None
    before = processes.agree(lambda: _begin(config, folder, config_path))
    if before.get('finished'):
      return {**before, 'was_finished': True}
    try:
      finished = _train(config, folder, preemption, watchdog, source)
    except UserError:
      if earlier is not None:
        _take_back(folder, earlier)
      raise
    fields = finish(finished)
    return processes.agree(lambda: _end(folder, fields))


def _hold(held, config, workdir, named) -> None:
  """Opens the workdir and keeps it until `held` is closed; a new one goes if it is empty then."""
  is_new = not records.absolute(workdir).exists()
  try:
    folder = workdir_lib.open_workdir(workdir, config, named)
  except UserError:
    check.check_config(config)                  # a slip in a value is told first
    parallel.check_batch_size('train.batch_size', config.train.batch_size, parallel.make_mesh(),
                              config.train.accumulate_steps)
    raise
  if is_new and not remote.is_remote(folder):
    held.callback(_remove_empty, folder)
  held.enter_context(Lock(folder))


def _remove_empty(folder) -> None:
  with contextlib.suppress(OSError):            # it holds something
    os.rmdir(os.fspath(folder))


def _earlier_config(folder) -> bytes | None:
  """config.json as another job left it, b'' where there is none; None of a run that was begun."""
  if (folder / 'run.json').exists() or (folder / 'checkpoints').exists():
    return None
  path = folder / 'config.json'
  return path.read_bytes() if path.exists() else b''


def _take_back(folder, earlier: bytes) -> None:
  """Leaves the folder as it was before a first start, unless its data were opened."""
  if any((folder / name).exists() for name in ('data.json', 'tags.json', 'checkpoints')):
    return
  for name in ('run.json', 'config.json'):
    (folder / name).unlink(missing_ok=True)
  if earlier:
    records.write_bytes(folder / 'config.json', earlier)


def _begin(config, folder, config_path) -> dict:
  """run.json as it was before this start, which it then tells of unless the run is finished."""
  before = workdir_lib.read_run(folder)
  if not before.get('finished'):
    check.check_config(config)
    if not any((folder / 'checkpoints').glob('*')):
      check.check_start(config)
    workdir_lib.begin_run(folder, config, config_name=config_path)
  return before


def _end(folder, fields) -> dict:
  workdir_lib.update_run(folder, **fields, end=workdir_lib.now(), finished=True)
  return {**workdir_lib.read_run(folder), 'was_finished': False}


def _train(config, folder, preemption, watchdog, given) -> Finished:
  started, poll = time.monotonic(), watchdog.beating(preemption.check)
  pixels = processes.agree(lambda: _begun_pixels(folder))
  source = given
  if distributed.size() > 1:
    source = processes.in_turn(lambda: build_sources.build_source(config, 'train', poll))
    processes.check_alike('the training data', source.fingerprint)
  with collector_at_rest():
    training = processes.everywhere(
        lambda: build_training(config, poll, source, pixels=tuple(map(tuple, pixels))))
  source = training.train_source
  say(source.description)
  processes.agree(lambda: _note_data(folder, training))
  checkpoints = Checkpoints(
      folder / 'checkpoints', config_digest=workdir_lib.run_digest(folder, config),
      keep_last=config.runtime.keep_last, keep_best_metric=training.task.best_metric,
      keep_every_steps=config.runtime.keep_every_steps, on_failure=config.runtime.on_failed_save)
  evaluator = evaluation.Evaluator(training.task, training.mesh)
  if given is None:
    source = build_sources.build_listed_source(config, source, poll)
  loaders = processes.everywhere(
      lambda: build_sources.build_evaluation_loaders(config, source, poll=poll))
  for line in freezing.describe_plan(training.plan, training.abstract_state.params):
    say(line)
  with Goodput(folder, checkpoints.cost, started) as goodput, checkpoints:
    find_state = functools.partial(_find_state, training, checkpoints, folder)
    start = max(checkpoints.steps(), default=0)
    # other processes may compile for longer than this one
    with (watchdog.allow(COMPILE_SEC if distributed.size() > 1 else 0), collector_at_rest(),
          compiling_ahead(training, start + 1)):
      state = jax.block_until_ready(find_state())
    training = with_features(training, state, loaders['valid'], poll)
    if training.head:
      loop.note_bad_images(folder, training.head.loader)
    run = loop.Loop(training, evaluator, loaders['valid'], checkpoints, preemption, folder,
                    watchdog, goodput, find_state,
                    _drawing(config, folder, evaluator, loaders['valid']))
    state = run.run(state)
  processes.agree(lambda: workdir_lib.update_run(
      folder, step=int(state.step), **state_digest(state)))
  variables, step = _chosen(config, training, checkpoints, state)
  processes.agree(lambda: workdir_lib.update_run(
      folder, chosen=_describe_choice(training, checkpoints, step)))
  return Finished(config, folder, source, evaluator, variables, step, loaders, poll,
                  watchdog.beating(preemption.check_together))


def _begun_pixels(folder) -> tuple:
  """What the run measured when it began; () before it has saved anything."""
  return stored_pixels(folder) if any((folder / 'checkpoints').glob('*')) else ()


def _drawing(config, folder, evaluator, loader) -> Callable | None:
  """What draws pictures of a net that still learns, (variables, step); None: nothing does."""
  draw = reports.of(config.task).draw_step
  if draw is None or not processes.is_first():
    return None
  return lambda variables, step: draw(folder, evaluator, loader,
                                      parallel.of_this_process(variables), step)


def _note_data(folder, training) -> None:
  """What the run learns from, what the outputs stand for, and how pixels are normalised."""
  data_record.check_data(folder, training.train_source,
                         accept_changed=training.config.runtime.accept_changed_data)
  source, task = training.train_source, training.task
  tags = {'names': source.tag_names, 'categories': source.tag_categories}
  if training.config.data.pixels == 'train':
    tags['pixels'] = {'mean': task.mean, 'std': task.deviation}
  records.write_json(folder / 'tags.json', tags)


def _chosen(config, training, checkpoints, state):
  """(variables, step) of the checkpoint that the run is judged by."""
  best = processes.agree(checkpoints.best_step) if config.checkpoint == 'best' else None
  if best is None or best == int(state.step):
    return state.variables, int(state.step)
  variables, step = checkpoints.restore_variables(best)
  return parallel.put_whole(training.mesh, variables), step


def _describe_choice(training, checkpoints, step) -> dict:
  """Says which step is judged, and how far that is; the same for run.json."""
  config, metric = training.config, training.task.best_metric
  epoch = step * config.train.batch_size / len(training.train_source)
  saved = step in checkpoints.steps()            # a failed save may have been let pass
  value = checkpoints.metrics(step).get(metric) if saved else None
  why = 'the best on the validation split' if config.checkpoint == 'best' else 'the last'
  figure = '' if value is None else f', {metric.replace("_", " ")} {value:.4f} there'
  say(f'the net of step {step} of {training.num_steps}, epoch {epoch:.1f}, is taken: {why}{figure}')
  return {'checkpoint': config.checkpoint, 'step': step, 'epoch': round(epoch, 3),
          'metric': metric, 'value': value}


def _find_state(training, checkpoints, folder):
  """The state to go on from."""
  return _saved_state(training, checkpoints) or _first_state(training, folder)


def _saved_state(training, checkpoints):
  """The newest whole checkpoint, or None where there has never been one."""
  restored = checkpoints.restore_latest(training.abstract_state)
  if restored is None:
    return None
  state, step = restored
  if step > training.num_steps:
    say(f'step {step}, the newest, is beyond the last of this config, {training.num_steps}, since '
        'the same epochs of fewer pictures are fewer steps: the run ends with it, without the end '
        'of its schedule; to train on these pictures from the start, name another --workdir')
  else:
    say(f'going on from step {step} of {training.num_steps}')
  return state


def _first_state(training, folder):
  """A fresh state, or one with the weights that the config names, which `folder` then tells of."""
  params = training.abstract_state.params
  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  say(f'{training.config.net.name}: {count / 1e6:.2f} M parameters, {training.num_steps} steps; '
      'compiling')
  state = training.init_state(training.key)
  if not training.config.net.init_from:
    return state
  state, account = load_initial(training, state)
  say(str(account))
  if processes.is_first():
    records.write_text(folder / 'initial_weights.txt', f'{account}\n')
  return state
