"""Signals before a job has begun: the program ends at once with 75, and none is lost on the way."""

import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.test_train_lib_preemption import BLOCKED
from train_lib.signals import EXIT_PREEMPTED

ROOT = pathlib.Path(__file__).parent.parent
SENTENCE = 'oko: stopped before anything began; the same command starts it\n'
BEGIN = 'import os, signal, sys, time\nfrom train_lib import signals\n'
BOTH = pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])


def run(body, *signums, seconds=20):
  """(code, stdout, stderr) of a program that gets signals once it has said 'ready'."""
  child = subprocess.Popen([sys.executable, '-c', BEGIN + textwrap.dedent(body)], cwd=ROOT,
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  try:
    if signums:
      assert child.stdout.readline() == 'ready\n', child.communicate(timeout=seconds)
    for signum in signums:
      child.send_signal(signum)
    return child.wait(seconds), *child.communicate()
  finally:
    child.kill()


@BOTH
def test_a_signal_before_anything_began_ends_with_75_even_inside_c_code(signum):
  assert run(f'signals.stop_early()\nprint("ready", flush=True)\n{BLOCKED}',
             signum) == (EXIT_PREEMPTED, '', SENTENCE)


@BOTH
def test_the_main_command_listens_before_it_imports_what_takes_long(signum, tmp_path):
  (tmp_path / 'absl.py').write_text('print("ready", flush=True)\nimport time\ntime.sleep(60)\n')
  code, _, said = run(f'''
    os.environ['PYTHONPATH'] = {str(tmp_path)!r}
    os.execv(sys.executable, [sys.executable, 'main.py'])
    ''', signum)
  assert (code, said) == (EXIT_PREEMPTED, SENTENCE)


@BOTH
def test_who_has_a_handler_of_its_own_keeps_it(signum):
  assert run(f'''
    signals.stop_early()
    signal.signal({signum:d}, lambda *_: sys.exit(3))
    print('ready', flush=True)
    time.sleep(60)
    ''', signum) == (3, '', '')


@BOTH
def test_after_the_job_a_signal_ends_the_program_at_once(signum):
  assert run('''
    from train_lib.preemption import Preemption
    signals.stop_early()
    with Preemption():
      pass
    print('ready', flush=True)
    time.sleep(60)
    ''', signum) == (128 + signum, '', 'stopped at once\n')


@BOTH
@pytest.mark.parametrize('call', range(3))
@pytest.mark.parametrize('place', ['before', 'after'])
def test_a_signal_at_any_moment_of_the_take_over_stops_the_program(place, call, signum):
  """It comes before or after each of the calls that change who hears it."""
  code, out, said = run(f'''
    from train_lib.preemption import Preemption
    signals.stop_early()
    calls = []
    def interrupted(change):
      def changing(*arguments, **options):
        calls.append(1)
        if (len(calls) - 1, {place!r}) == ({call}, 'before'):
          signal.raise_signal({signum:d})
        changed = change(*arguments, **options)
        if (len(calls) - 1, {place!r}) == ({call}, 'after'):
          signal.raise_signal({signum:d})
        return changed
      return changing
    signal.set_wakeup_fd, signal.signal = map(interrupted, (signal.set_wakeup_fd, signal.signal))
    with Preemption() as preemption:
      end = time.monotonic() + 10
      while not preemption.requested and time.monotonic() < end:
        time.sleep(0.01)
      assert len(calls) == 3
      preemption.check()
    ''')
  assert code == EXIT_PREEMPTED, (out, said)
  assert said in (SENTENCE, 'stopping at the next safe place; again to stop at once\n'
                            'stopped as asked; the same command goes on\n')


def test_a_program_that_starts_itself_again_misses_no_signal_in_between():
  again = BEGIN + 'time.sleep(0.5)\nsignals.stop_early()\ntime.sleep(60)\n'
  assert run(f'''
    signals.stop_early()
    signals.hold()
    print('ready', flush=True)
    os.execv(sys.executable, [sys.executable, '-c', {again!r}])
    ''', signal.SIGTERM) == (EXIT_PREEMPTED, '', SENTENCE)


def test_a_signal_that_is_held_waits_for_the_next_program():
  again = BEGIN + 'signals.stop_early()\ntime.sleep(60)\n'
  assert run(f'''
    signals.stop_early()
    signals.hold()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
    print([number.name for number in signal.sigpending()], flush=True)
    os.execv(sys.executable, [sys.executable, '-c', {again!r}])
    ''') == (EXIT_PREEMPTED, "['SIGTERM']\n", SENTENCE)


def test_a_program_that_did_not_ask_for_it_keeps_its_signals():
  assert run('signals.hold()\nprint(signal.pthread_sigmask(signal.SIG_BLOCK, ()))')[1] == 'set()\n'


@pytest.mark.parametrize('signums, code', [
    ((signal.SIGINT,), 0), ((signal.SIGTERM,), 0), ((signal.SIGINT, None, signal.SIGINT), 130)])
def test_in_a_group_that_has_met_jax_hears_of_either_signal(signums, code):
  """Its handler is in C, for SIGTERM alone."""
  found, out, said = run(f'''
    import ctypes
    from train_lib.multihost import distributed
    distributed.stops_together = lambda: True
    signals.stop_early()
    heard = []
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(heard.append)
    signals.set_c_handler(signal.SIGTERM, ctypes.cast(handler, ctypes.c_void_p))
    for signum in {tuple(map(lambda one: one and int(one), signums))}:
      if signum is None:
        time.sleep(2 * signals.SAME_REQUEST_SEC)
      else:
        signal.raise_signal(signum)
    while not heard or len(heard) > 1:
      time.sleep(0.01)
    time.sleep(0.1 if {code} == 0 else 60)
    print(heard, flush=True)
    os._exit(0)
    ''')
  assert found == code, said
  if code == 0:
    assert out == '[15]\n'
    assert said == ('' if signums == (signal.SIGTERM,) else
                    'stopping where all processes meet; again to stop at once\n')


def test_nobody_who_reads_is_no_error():
  assert run('signals.stop_early()\nos.close(2)\nos.kill(os.getpid(), signal.SIGTERM)\n'
             'time.sleep(60)')[0] == EXIT_PREEMPTED
