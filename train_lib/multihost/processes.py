"""Several processes, one answer: what process 0 finds out or decides alone, and what all must do.

Words travel through JAX's coordinator, not over the devices, so that a process may wait for long
and still be told that another has failed. Every process of the group makes the same calls in the
same order.
"""

import json
from collections.abc import Callable

from errors import UserError
from train_lib.multihost import distributed
from train_lib.preemption import MEETINGS, Preempted
from train_lib.storage import records

LOOK_SEC = 5.0                    # between two looks at whether to wait on

_count = {'talks': 0}
_waiting = [lambda: None]         # called now and then by a process that waits for another


def on_wait(action: Callable[[], None]) -> None:
  """Sets what a process that waits for another calls every few seconds: it is not stuck."""
  _waiting[0] = action


def agree(find: Callable):
  """Returns what `find()` gives on process 0, on every process; the others only wait.

  Args:
    find: gives something that JSON can hold. It may ask `Preemption.check` often, which then stops
      all processes, whichever of them was signalled.

  Raises:
    Exception: of `find`, on process 0; the other processes raise a UserError that tells of it.
    Preempted: on all, where `find` raised it.
  """
  if acts_alone():
    return find()
  key = _next_key()
  if distributed.index() != 0:
    word = json.loads(_get(f'{key}/word'))
    MEETINGS.count = word['meetings']
    _raise_word(word, 'process 0')
    return word['answer']
  word, error, answer = {'kind': 'answer'}, None, None
  try:
    with MEETINGS.alone():
      answer = find()
    word['answer'] = records.plain(answer)
  except (Exception, Preempted) as found:
    word, error = _describe(found), found
  _set(f'{key}/word', {**word, 'meetings': MEETINGS.count})
  if error is not None:
    distributed.part_together()
    raise error
  return answer


def everywhere(action: Callable):
  """Returns what `action()` gives, on every process its own; where one fails, all of them fail.

  Raises:
    Exception: of `action`, on the process where it failed; the others raise a UserError that names
      that process and tells of it.
  """
  if acts_alone():
    return action()
  word, answer, error = {'kind': 'answer'}, None, None
  try:
    answer = action()
  except (Exception, Preempted) as found:
    word, error = _describe(found), found
  words = gather(word)
  if any(word['kind'] != 'answer' for word in words):
    distributed.part_together()
  if error is not None:
    raise error
  for number, word in enumerate(words):
    _raise_word(word, f'process {number}')
  return answer


def in_turn(action: Callable):
  """Returns what `action()` gives, on every process its own; process 0 acts first.

  What the first one prepares on a disk that is shared, the others then find there.
  """
  if acts_alone():
    return action()
  kept = []
  agree(lambda: kept.append(action()))
  return everywhere(lambda: kept[0] if kept else action())


def check_alike(what: str, value: str) -> None:
  """Raises UserError on all processes unless all of them give the same value.

  Args: what: the words for it, such as 'the config'.
  """
  values = gather(value)
  for number, other in enumerate(values):
    if other != values[0]:
      distributed.part_together()
      raise UserError(f'{what} of process {number} is not that of process 0 ({other[:80]!r}, not '
                      f'{values[0][:80]!r}); give every process the same')


def gather(value) -> list:
  """The values of all processes, in order. Args: value: that JSON can hold."""
  if acts_alone():
    return [value]
  key = _next_key()
  _set(f'{key}/{distributed.index()}', value)
  return [json.loads(_get(f'{key}/{number}')) for number in range(distributed.size())]


def acts_alone() -> bool:
  """True where there is no other process, or the others wait for what this one does."""
  return distributed.size() == 1 or MEETINGS.is_alone


def is_first() -> bool:
  """True on the process that writes what a run leaves."""
  return distributed.index() == 0


def _describe(error) -> dict:
  if isinstance(error, Preempted):
    return {'kind': 'preempted'}
  text = str(error) if isinstance(error, UserError) else f'{type(error).__name__}: {error}'
  return {'kind': 'refused', 'text': text[:2000]}


def _raise_word(word, who):
  if word['kind'] == 'answer':
    return
  distributed.part_together()
  if word['kind'] == 'preempted':
    raise Preempted
  raise UserError(f'{who} refused: {word["text"]}')


def _next_key():
  _count['talks'] += 1
  return f'oko/{_count["talks"]}'


def _set(key, value):
  distributed.client().key_value_set(key, json.dumps(value))


def _get(key) -> str:
  """The word of a name, once it is there."""
  while True:
    _waiting[0]()
    try:
      return distributed.client().blocking_key_value_get(key, int(1000 * LOOK_SEC))
    except RuntimeError as error:                         # JAX's own is one
      if 'DEADLINE_EXCEEDED' not in str(error):
        raise
