"""What a person sees while a run goes on: plain lines or a bar."""

import json
import shlex
import sys
from collections.abc import Iterable

from errors import printable
from train_lib.multihost import distributed
from train_lib.storage import records


def say(text: str) -> None:
  """One line for the person at the terminal, above a progress bar if there is one.

  The first of several processes speaks for all. Names of files may hold anything: what is no letter
  to be shown is written as an escape.
  """
  if distributed.index():
    return
  text = printable(text, '\n\t')
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


def human_bytes(count: float) -> str:
  """950 -> '950 B', 69_300_000 -> '69.3 MB', 12_400_000_000 -> '12.4 GB'."""
  for unit, size in (('GB', 1e9), ('MB', 1e6), ('kB', 1e3)):
    if count >= size:
      return f'{count / size:,.1f} {unit}'
  return f'{count:.0f} B'


def spelt_command(words: Iterable[str]) -> str:
  """Words as a person would type them to a shell: --flag="('a', 'b')".

  `shlex.join` leaves single quotes alone no better than as '"'"'.
  """
  return ' '.join(map(_spelt_word, map(str, words)))


def _spelt_word(word):
  name, equals, value = word.partition('=')
  if name.startswith('--') and equals and shlex.quote(name) == name:
    return f'{name}={_spelt_word(value)}' if value else word
  if "'" in word and not set(word) & set('"$`\\!'):
    return f'"{word}"'
  return shlex.quote(word)


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
    if sys.stderr.isatty() and not distributed.index():
      from tqdm import tqdm
      self._bar = tqdm(total=total_steps, initial=start_step, unit='step', dynamic_ncols=True,
                       bar_format='{l_bar}{bar}| {n_fmt}/{total_fmt} {postfix}')

  def show(self, step: int, loss: float, step_sec: float, left_sec: float) -> None:
    """Args: step: finished steps; loss, step_sec: mean loss and time of the latest; left_sec:
    expected until the end."""
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
