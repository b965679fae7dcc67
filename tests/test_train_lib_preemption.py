import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from train_lib import preemption as preemption_lib
from train_lib.multihost import distributed
from train_lib.preemption import EXIT_PREEMPTED, SAME_REQUEST_SEC, Preempted, Preemption

BLOCKED = '''
import hashlib
hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)  # C code that goes on for minutes
'''


def wait_until(condition, seconds=5.0):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end, 'waited in vain'
    time.sleep(0.01)


class Child:
  """A process inside `with Preemption() as preemption:`, ready for signals."""

  def __init__(self, body, before='', place=''):
    script = (f'import os, signal, time\nfrom train_lib.preemption import Preempted, Preemption\n'
              f'{textwrap.dedent(before)}\nwith Preemption({place}) as preemption:\n'
              f'  print("ready", flush=True)\n{textwrap.indent(textwrap.dedent(body), "  ")}\n')
    self.process = subprocess.Popen([sys.executable, '-c', script], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert self.process.stdout.readline() == 'ready\n'

  def end(self, seconds=20):
    try:
      out, error = self.process.communicate(timeout=seconds)
    finally:
      self.process.kill()
    return self.process.returncode, out, error


@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize('place, said', [('', 'at the next safe place'),
                                         ('"after this step"', 'after this step')])
def test_first_signal_asks_and_says_so_and_the_program_ends_with_75(signum, place, said):
  child = Child('''
    while not preemption.requested:
      time.sleep(0.01)
    print('saved', flush=True)
    preemption.check()
    ''', place=place)
  child.process.send_signal(signum)
  code, out, error = child.end()
  assert (code, out) == (EXIT_PREEMPTED, 'saved\n')
  assert error == (f'stopping {said}; again to stop at once\n'
                   'stopped as asked; the same command goes on\n')


@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_at_once_even_inside_code_that_python_cannot_interrupt(signum):
  child = Child(BLOCKED)
  child.process.send_signal(signal.SIGTERM)
  time.sleep(2 * SAME_REQUEST_SEC)
  start = time.monotonic()
  child.process.send_signal(signum)
  code, _, error = child.end()
  assert code == 128 + signum
  assert time.monotonic() - start < 3
  assert error.endswith('stopped at once\n')


def test_the_same_request_sent_twice_by_a_launcher_is_one():
  child = Child('''
    while not preemption.requested:
      time.sleep(0.01)
    time.sleep(1)
    preemption.check()
    ''')
  child.process.send_signal(signal.SIGTERM)
  time.sleep(0.05)
  child.process.send_signal(signal.SIGTERM)
  assert child.end()[0] == EXIT_PREEMPTED


def test_a_compilation_and_a_computation_are_finished_before_the_stop():
  child = Child('''
    import jax, jax.numpy as jnp
    @jax.jit
    def step(x):
      return jax.lax.fori_loop(0, 200, lambda _, x: jnp.tanh(x @ x), x)
    x = jnp.eye(200)
    print('compiling', flush=True)
    steps = 0
    while not preemption.should_stop():
      x = step(x).block_until_ready()
      steps += 1
    print(steps > 0, flush=True)
    preemption.check()
    ''')
  assert child.process.stdout.readline() == 'compiling\n'
  time.sleep(0.1)
  child.process.send_signal(signal.SIGTERM)
  code, out, error = child.end(60)
  assert (code, out) == (EXIT_PREEMPTED, 'True\n'), error


def test_a_forked_child_that_gets_a_signal_does_not_stop_its_parent():
  child = Child('''
    pid = os.fork()
    if pid == 0:
      time.sleep(30)
      os._exit(0)
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print(preemption.requested, flush=True)
    ''')
  assert child.end()[:2] == (0, 'False\n')


def test_check_and_should_stop_are_quiet_until_a_signal_comes():
  with Preemption() as preemption:
    preemption.check()
    assert not preemption.should_stop()
    os.kill(os.getpid(), signal.SIGTERM)
    wait_until(lambda: preemption.requested)
    assert preemption.should_stop()
    with pytest.raises(Preempted) as stop:
      preemption.check()
  assert stop.value.code == EXIT_PREEMPTED == 75


def test_stopping_is_no_exception_that_a_broad_except_swallows():
  assert not issubclass(Preempted, Exception)


def test_handlers_and_wakeup_are_given_back_and_it_can_be_entered_again():
  before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
  threads = threading.active_count()
  preemption = Preemption()
  for _ in range(2):
    with preemption:
      assert signal.getsignal(signal.SIGTERM) != before[0]
      with pytest.raises(RuntimeError, match='already active'):
        preemption.__enter__()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads


def test_outside_the_main_thread_nothing_is_installed():
  before, found = signal.getsignal(signal.SIGTERM), []

  def enter():
    with Preemption() as preemption:
      found.append((signal.getsignal(signal.SIGTERM), preemption.requested))

  thread = threading.Thread(target=enter)
  thread.start()
  thread.join()
  assert found == [(before, False)]


def test_other_signals_are_left_alone():
  received = []
  before = signal.signal(signal.SIGUSR1, lambda *_: received.append('usr1'))
  try:
    with Preemption() as preemption:
      os.kill(os.getpid(), signal.SIGUSR1)
      wait_until(lambda: received)
      time.sleep(0.05)
      assert not preemption.requested
  finally:
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def two_processes(monkeypatch):
  """A group of two, that agrees to stop at its third meeting; the numbers of the meetings."""
  from jax.experimental import multihost_utils
  asked = []

  def reached(number):
    asked.append(number)
    return number == 3

  monkeypatch.setattr(distributed, 'size', lambda: 2)
  monkeypatch.setattr(distributed, '_parting', {'together': False})
  monkeypatch.setattr(preemption_lib, 'MEETINGS', preemption_lib.Meetings())
  monkeypatch.setattr(multihost_utils, 'reached_preemption_sync_point', reached)
  return asked


def test_several_processes_stop_at_the_meeting_that_all_agree_on(two_processes):
  preemption = Preemption()
  assert [preemption.should_stop() for _ in range(2)] == [False, False]
  preemption.check()
  with pytest.raises(Preempted):
    preemption.check_together()
  assert preemption.requested and preemption.should_stop()
  assert two_processes == [1, 2, 3]                     # asked no more, once it was agreed
  assert distributed._parting['together']


def test_between_meetings_only_a_process_that_the_others_wait_for_may_stop(two_processes):
  preemption = Preemption()
  preemption._requested = True
  for _ in range(5):
    preemption.check()
  assert not two_processes
  with preemption_lib.MEETINGS.alone():
    preemption.check()
    preemption.check()
    with pytest.raises(Preempted):
      preemption.check()
  assert two_processes == [1, 2, 3]


def test_the_handler_of_jax_hears_of_the_first_signal_whichever_it_is_and_is_put_back():
  child = Child('''
    signal.raise_signal(signal.SIGINT)
    while not heard:
      time.sleep(0.01)
    print(heard, flush=True)
    preemption.__exit__()
    signal.raise_signal(signal.SIGTERM)
    print(heard, flush=True)
    os._exit(0)
    ''', before='''
    import ctypes
    from train_lib import signals
    from train_lib.multihost import distributed
    distributed.size = lambda: 2
    heard = []
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(heard.append)   # as JAX's, unknown to Python
    signals.set_c_handler(signal.SIGTERM, ctypes.cast(handler, ctypes.c_void_p))
    ''')
  code, out, error = child.end()
  assert (code, out) == (0, '[15]\n[15, 15]\n'), error
