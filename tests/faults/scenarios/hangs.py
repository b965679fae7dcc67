"""Runs that would stand still, and loader processes that die."""

import time

from tests.faults.runs import EXIT_STUCK, ended

STUCK_SEC, DEADLINE_SEC = 8.0, 6.0
PEER_STUCK_SEC = 20.0             # two processes start less evenly
SLACK_SEC = 12.0                  # to start a process, to notice, to write stacks


def stuck(runs, short):
  """A transform that never returns, and a peer that sleeps: the watchdog must end the run."""
  victim = runs.ids('undisturbed')[20][3]
  process = runs.start(
      'loop', '--config.runtime.workers=0', f'--config.runtime.stuck_sec={STUCK_SEC}',
      faults=[misfortune(runs, 'loop', victim)])
  with ended(process):
    runs.wait_for_file('loop.happened', process)
    began = time.monotonic()
    assert runs.end(process, STUCK_SEC + SLACK_SEC) == EXIT_STUCK
    alone_sec = time.monotonic() - began
  assert 'in _happen' in runs.said('loop'), 'the stacks do not show where it stood'
  group = runs.group('sleep', '--config.runtime.workers=0',
                     f'--config.runtime.stuck_sec={PEER_STUCK_SEC}',
                     faults={rank: [misfortune(runs, 'sleep', victim)] for rank in range(2)})
  with ended(*group):
    runs.wait_for_file('sleep.happened', group[0])
    began = time.monotonic()
    codes = [runs.end(one, PEER_STUCK_SEC + 2 * SLACK_SEC) for one in group]
    both_sec = time.monotonic() - began
  assert EXIT_STUCK in codes and 0 not in codes, codes
  runs.finish('loop')
  return (f'a loop: code {EXIT_STUCK} with all stacks after {alone_sec:.1f} s; a sleeping peer: '
          f'{codes} after {both_sec:.1f} s; {runs.check_same("loop")}')


def misfortune(runs, what, victim, name=''):
  """The fault at which `what` happens when the example is prepared, once."""
  return {'kind': 'misfortune', 'what': what, 'id': victim,
          'flag': str(runs.folder / f'{name or what}.happened')}


def lost_workers(runs, short):
  """A loader process is killed, stands still, or ends."""
  told = []
  for number, what in enumerate(('SIGKILL', 'SIGSTOP', 'exit')):
    victim = runs.ids('undisturbed')[10 + 12 * number][5]
    process = runs.start(
        'workers', '--config.runtime.worker_processes',
        f'--config.runtime.loader_deadline_sec={DEADLINE_SEC}',
        faults=[misfortune(runs, what, victim, f'worker-{number}')])
    with ended(process):
      runs.wait_for_file(f'worker-{number}.happened', process)
      began = time.monotonic()
      code = runs.end(process, DEADLINE_SEC + SLACK_SEC)
      seconds = time.monotonic() - began
    last = runs.said('workers').splitlines()[-1]
    assert code == 2 and 'loader worker' in last, (code, last)
    told.append(f'{what} {seconds:.1f} s')
  runs.finish('workers')
  return f'the worker was named after: {", ".join(told)}; {runs.check_same("workers")}'
