"""The life of a program that is measured: it is made ready once, then takes its turns when told.

Commands come as lines of JSON on the standard input; answers are lines of JSON on the standard
output, each behind ANSWER, as libraries print there too. It ends with its input.
"""

import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

ANSWER = '@answer '
WARM_UP_STEPS = 2                 # of each kind before the first turn, compilation among them


def serve(prepare: Callable[[dict], tuple[dict, Callable]]) -> None:
  """Answers until the input ends.

  Args:
    prepare: (what sys.argv[1] says) -> (facts that are told once, turn), turn(command) -> answer. A
      package that it cannot import is told and ends the program.
  """
  try:
    facts, turn = prepare(json.loads(sys.argv[1]))
  except ImportError as error:
    tell({'missing': (error.name or str(error)).partition('.')[0]})
    return
  tell(facts)
  for line in sys.stdin:
    tell(turn(json.loads(line)))


def tell(answer: dict) -> None:
  """One answer."""
  print(ANSWER + json.dumps(answer), flush=True)


def timed_steps(step: Callable[[], None], wait: Callable[[], None], seconds: float,
                steps_at_once: int = 1) -> list[float]:
  """Seconds of each step, for about so long and at least three times.

  Args:
    step: does or begins one.
    wait: until all that was begun is done.
    steps_at_once: begun before it is waited for; a list entry is then their mean.
  """
  found, began = [], time.perf_counter()
  while len(found) < 3 or time.perf_counter() - began < seconds:
    started = time.perf_counter()
    for _ in range(steps_at_once):
      step()
    wait()
    found.append((time.perf_counter() - started) / steps_at_once)
  return found


def processor_seconds(root_pid: int) -> float:
  """Seconds of the processors that a process and all below it have used; 0.0 without /proc."""
  seconds, parents = {}, {}
  for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
    try:
      fields = path.read_text().rpartition(')')[2].split()
    except OSError:
      continue                                                # has ended
    pid = int(path.parent.name)
    parents[pid] = int(fields[1])
    seconds[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
  total = 0.0
  for pid in seconds:
    above = pid
    while above in parents and above != root_pid:
      above = parents[above]
    total += seconds[pid] if above == root_pid else 0.0
  return total


def timed_batches(batches: Iterator, batch_size: int, ahead: int, seconds: float) -> dict:
  """{'pictures', 'seconds', 'processor_seconds'} of reading for about so long.

  Args:
    batches: endless.
    ahead: batches that may have been made before the turn began: so many are taken first.
  """
  for _ in range(ahead):
    next(batches)
  used, began, count = processor_seconds(os.getpid()), time.perf_counter(), 0
  while time.perf_counter() - began < seconds:
    next(batches)
    count += 1
  took = time.perf_counter() - began
  return {'pictures': count * batch_size, 'seconds': took,
          'processor_seconds': processor_seconds(os.getpid()) - used}
