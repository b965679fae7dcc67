"""Runs that are killed or asked to stop."""

import json
import os
import random
import re
import signal
import time

from tests.faults.runs import (
  EXIT_PREEMPTED,
  HEARTBEAT_SEC,
  KILLED,
  NUM_STEPS,
  children,
  ended,
  is_alive,
)

GRACE_SEC = 10.0                  # beyond the heartbeat, for what is left of a group
SETUP_SEC = 6.0                   # of a start, before its first step


def kills(runs, short):
  """SIGKILL at random steps, and now and then before the first."""
  rng, count = random.Random(1), 3 if short else 20
  steps = sorted(rng.sample(range(1, NUM_STEPS), count))
  for number, step in enumerate(steps):
    process = runs.start('kills', f'--config.runtime.workers={number % 3}')
    with ended(process):
      if number % 5 == 4:
        steps[number] = 'none'
        _wait_in_setup(runs, 'kills', rng.uniform(0, SETUP_SEC))
      else:
        runs.wait_for_step('kills', step, process)
        time.sleep(rng.uniform(0, 0.1))
      process.kill()
      assert runs.end(process) == KILLED, f'a run ended before step {step}'
  runs.finish('kills')
  return f'{count} kills after steps {", ".join(map(str, steps))}; {runs.check_same("kills")}'


def _wait_in_setup(runs, workdir, seconds):
  """Waits, but no longer than to the first step of the run that was started last."""
  end, before = time.monotonic() + seconds, runs.said(workdir).count('\nstep ')
  while time.monotonic() < end and runs.said(workdir).count('\nstep ') == before:
    time.sleep(0.01)


def kills_of_one_of_two(runs, short):
  """SIGKILL of a random one of two processes; the other must end by itself."""
  rng, count = random.Random(2), 2 if short else 10
  steps = sorted(rng.sample(range(1, NUM_STEPS), count))
  finish_group(runs, 'two-undisturbed')
  waits, victims = [], []
  for step in steps:
    group = runs.group('two-kills')
    with ended(*group):
      runs.wait_for_step('two-kills', step, group[0])
      victims.append(rng.randrange(2))
      group[victims[-1]].kill()
      began = time.monotonic()
      code = runs.end(group[1 - victims[-1]], HEARTBEAT_SEC + GRACE_SEC)
      waits.append(time.monotonic() - began)
      assert code != 0, 'the survivor ended as if all was well'
  finish_group(runs, 'two-kills')
  same = runs.check_same('two-kills', reference='two-undisturbed')
  return (f'{count} kills, of process 0 {victims.count(0)} times; the survivor ended after at most '
          f'{max(waits):.1f} s; {same}')


def finish_group(runs, workdir, **options):
  """Runs a group to its end; its ids stand under the workdir's name too."""
  group = runs.group(workdir, **options)
  with ended(*group):
    codes = [runs.end(process, 300) for process in group]
  logs = [f'{workdir}-{rank}' for rank in range(len(group))]
  assert set(codes) == {0}, (codes, *(runs.said(log)[-1500:] for log in logs))
  (runs.folder / f'{workdir}.ids').write_text(''.join(
      json.dumps({'batch': k, 'ids': ids}) + '\n' for k, ids in runs.ids(*logs).items()))
  return runs.record(workdir)


def term(runs, short):
  """SIGTERM: the current step is saved, and no step is done again."""
  runs.stop_after('term', 17)
  last = max(runs.losses('term'))
  assert runs.saved_steps('term')[-1] == last, 'the step that was done last is not saved'
  runs.finish('term')
  again = f'going on from step {last} of {NUM_STEPS}'
  assert again in runs.said('term'), 'steps were done again'
  return f'code 75, step {last} saved, none done again; {runs.check_same("term")}'


def term_of_one_of_two(runs, short):
  """SIGTERM to one of two processes."""
  finish_group(runs, 'two-undisturbed')
  group = runs.group('two-term')
  with ended(*group):
    runs.wait_for_step('two-term', 9, group[0])
    group[1].send_signal(signal.SIGTERM)
    codes = [runs.end(process) for process in group]
  assert codes == [EXIT_PREEMPTED] * 2, codes
  step = runs.saved_steps('two-term')[-1]
  finish_group(runs, 'two-term')
  same = runs.check_same('two-term', reference='two-undisturbed')
  return f'both ended with 75 at step {step}; {same}'


def term_at_every_place(runs, short):
  """SIGTERM during compilation, evaluation, the loader's start and a save; two of them."""
  told = []
  slow = {'kind': 'slow_save', 'flag': str(runs.folder / 'saving'), 'sec': 2.0}
  for place in ('compile', 'first batch', 'evaluate', 'saving'):
    faults = [slow] if place == 'saving' else [
        {'kind': 'touch_at', 'place': place, 'flag': str(runs.folder / place)}]
    process = runs.start('term-places', faults=faults)
    with ended(process):
      runs.wait_for_file(place, process)
      began = time.monotonic()
      process.send_signal(signal.SIGTERM)
      assert runs.end(process) == EXIT_PREEMPTED, f'during {place}'
      told.append(f'{place} {time.monotonic() - began:.1f} s')
  longer = dict(slow, flag=str(runs.folder / 'again'), sec=30.0)
  process = runs.start('term-places', faults=[longer])
  with ended(process):
    runs.wait_for_file('again', process)
    process.send_signal(signal.SIGTERM)
    time.sleep(1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = runs.end(process)
    assert code == 128 + signal.SIGTERM and time.monotonic() - began < 2, code
  runs.finish('term-places')
  return (f'75 after: {", ".join(told)}; the second signal ended it at once; '
          f'{runs.check_same("term-places")}')


def term_of_the_group(runs, short):
  """SIGTERM to the whole process group, with loader processes."""
  before = set(os.listdir('/dev/shm'))
  process = runs.start('group', '--config.runtime.worker_processes', own_group=True)
  with ended(process):
    runs.wait_for_step('group', 13, process)
    below = children(process.pid)
    assert len(below) >= 2, 'the loader has no processes'
    os.killpg(process.pid, signal.SIGTERM)
    assert runs.end(process) == EXIT_PREEMPTED
  last = max(runs.losses('group'))
  assert runs.saved_steps('group')[-1] == last
  end = time.monotonic() + 5
  while any(map(is_alive, below)):
    assert time.monotonic() < end, 'a loader process outlived the run'
    time.sleep(0.05)
  leaked = set(os.listdir('/dev/shm')) - before
  assert not leaked, f'left in /dev/shm: {leaked}'
  runs.finish('group')
  return (f'code 75, step {last} saved, {len(below)} loader processes gone; '
          f'{runs.check_same("group")}')


def a_peer_stands_still(runs, short):
  """SIGSTOP of one of two processes: the other must end, and say why."""
  group = runs.group('stopped-peer', '--config.runtime.stuck_sec=15')
  with ended(*group):
    runs.wait_for_step('stopped-peer', 9, group[0])
    group[1].send_signal(signal.SIGSTOP)
    began = time.monotonic()
    code = runs.end(group[0], HEARTBEAT_SEC + 2 * GRACE_SEC)
    waited = time.monotonic() - began
    group[1].send_signal(signal.SIGCONT)
    other = runs.end(group[1], HEARTBEAT_SEC + 2 * GRACE_SEC)
  assert code != 0 and other != 0, (code, other)
  named = re.search(r'stopped sending heartbeats\):\s*\S*\b1\b', runs.said('stopped-peer-0'))
  assert named, 'the peer is not named'
  return f'process 0 ended with {code} after {waited:.1f} s, the other with {other} on waking'
