"""What a person sees while a run goes on: a bar or plain lines, metrics.jsonl, TensorBoard."""

import json
import logging
import sys
import time

from train_lib import records

_log = logging.getLogger(__name__)


def say(text: str) -> None:
  """One line for the person at the terminal, above a progress bar if there is one."""
  if sys.stderr.isatty():
    from tqdm import tqdm
    tqdm.write(text, file=sys.stdout)
  else:
    print(text, flush=True)


def counted(number: int, noun: str) -> str:
  """1 -> '1 picture', 2000 -> '2,000 pictures'."""
  ending = '' if number == 1 else 'es' if noun.endswith('s') else 's'
  return f'{number:,} {noun}{ending}'


def human_time(seconds: float) -> str:
  """45 -> '45 s', 600 -> '10 min', 9000 -> '2.5 h'."""
  if seconds < 90:
    return f'{seconds:.0f} s'
  return f'{seconds / 60:.0f} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'


def note_unreadable(path, unreadable) -> None:
  """Writes why pictures could not be read, a JSON line each; without any an older file goes.

  Args: path: an epath or pathlib path; unreadable: (id, reason) of each.
  """
  if not unreadable:
    path.unlink(missing_ok=True)
    return
  records.write_text(path, ''.join(json.dumps({'id': name, 'reason': reason}) + '\n'
                                   for name, reason in unreadable))
  say(f'{counted(len(unreadable), "picture")} could not be read; {path} says why')


class Progress:
  """A progress bar on a terminal, a line now and then elsewhere."""

  def __init__(self, total_steps: int, start_step: int, batch_size: int):
    self._total, self._batch_size = total_steps, batch_size
    self._bar = None
    if sys.stderr.isatty():
      from tqdm import tqdm
      self._bar = tqdm(total=total_steps, initial=start_step, unit='step', dynamic_ncols=True,
                       bar_format='{l_bar}{bar}| {n_fmt}/{total_fmt} {postfix}')

  def show(self, step: int, loss: float, step_sec: float, left_sec: float) -> None:
    """Args: step: finished steps; loss: of the last one; step_sec: mean time of the latest;
    left_sec: expected until the end."""
    rate = self._batch_size / step_sec
    if self._bar is not None:
      self._bar.set_postfix_str(
          f'loss {loss:.3f}, {rate:.1f} pictures/s, {human_time(left_sec)} left')
      self._bar.update(step - self._bar.n)
      return
    say(f'step {step}/{self._total}  loss {loss:.3f}  {rate:.1f} pictures/s  '
        f'{human_time(left_sec)} left')

  def close(self) -> None:
    """Leaves the bar standing as it is."""
    if self._bar is not None:
      self._bar.close()


class MetricsLog:
  """Rows of `metrics.jsonl`, and the same numbers as TensorBoard events.

  A run that goes on from a step drops the rows beyond it: no step stands twice.
  """

  def __init__(self, workdir, start_step: int, *, tensorboard: bool):
    self._path = workdir / 'metrics.jsonl'
    records.drop_rows_after(self._path, start_step)
    self._writer = self._open_writer(workdir, start_step) if tensorboard else None

  def has(self, step: int, key: str) -> bool:
    """True when a row of this step holds the key."""
    return any(row.get('step') == step and key in row for row in records.read_jsonl(self._path))

  def write(self, step: int, metrics: dict[str, float]) -> None:
    """Args: metrics: 'split/name' -> number."""
    records.append_jsonl(self._path, [{'step': step, 'time': time.time(), **metrics}])
    self._try(lambda: [self._writer.add_scalar(key, value, step)
                       for key, value in metrics.items()])

  def close(self) -> None:
    """Flushes the events."""
    self._try(lambda: self._writer.close())

  def _open_writer(self, workdir, start_step):
    try:
      from tensorboardX import SummaryWriter
      return SummaryWriter(str(workdir / 'tensorboard'), purge_step=start_step + 1)
    except Exception as error:                                # noqa: BLE001
      _log.warning('no TensorBoard events: %s', error)
      return None

  def _try(self, action) -> None:
    """A log that cannot be written costs a warning, not the run."""
    if self._writer is None:
      return
    try:
      action()
    except Exception as error:                                # noqa: BLE001
      _log.warning('TensorBoard events stop here: %s', error)
      self._writer = None
