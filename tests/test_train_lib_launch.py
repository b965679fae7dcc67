"""The command line: defaults, mistakes told in one sentence, the tuned start."""

import os
import subprocess
import sys

import pytest

from configs import base
from errors import UserError
from train_lib import launch

ROOT = launch.ROOT


def complete(*arguments):
  before = sys.argv
  try:
    return launch.complete_arguments(['main.py', *arguments], base.get_config())
  finally:
    sys.argv = before


def test_workdir_is_named_after_page_and_preset():
  assert launch.default_workdir('configs/tagger.py') == os.path.join('runs', 'tagger')
  assert launch.default_workdir('configs/tagger.py:demo') == os.path.join('runs', 'tagger-demo')


def test_a_workdir_alone_brings_its_config():
  argv = complete('--job=predict', '--workdir=runs/x')
  assert argv[1] == f'--config={ROOT / "configs" / "saved.py"}:runs/x'
  assert complete('--workdir', 'runs/x')[1] == argv[1]


@pytest.mark.parametrize('arguments, message', [
    ((), 'no config: give --config='),
    (('--config=configs/tagr.py:demo',), 'tagr.py does not exist; the pages are configs/'),
    (('--config=configs/tagger.py', '--config.sed=1'), 'did you mean --config.seed?'),
    (('--config=configs/tagger.py', '--config.optimizer.lr=1'), 'keys of --config.optimizer are'),
    (('--config=configs/tagger.py', '--noconfig.eval.baseline'), 'mean --config.eval.baselines'),
])
def test_mistakes_are_told_with_the_choices(arguments, message):
  if arguments and arguments[0].startswith('--config='):
    page = arguments[0].removeprefix('--config=')
    arguments = (f'--config={ROOT / page}', *arguments[1:])
  with pytest.raises(UserError) as error:
    complete(*arguments)
  assert message in str(error.value).replace(f'{ROOT}{os.sep}', '')


@pytest.mark.parametrize('flag, sentence', [
    ('--config=configs/tagger.py:smok',
     "configs/tagger.py has no preset ':smok'; "
     'its presets are :demo, :small, :smoke, :folder, :danbooru, :board'),
    ('--processes=abc',
     "bad config or flag: --processes is 'abc'; expected a whole number"),
    ('--config.train.batch_size=1.5',
     "bad config or flag: --config.train.batch_size is '1.5'; expected a whole number"),
    ('--config.optimizer.learning_rate=',
     "bad config or flag: --config.optimizer.learning_rate is ''; expected a number"),
    ('--config.eval.baselines=maybe',
     "bad config or flag: --config.eval.baselines is 'maybe'; expected true or false"),
])
def test_the_real_command_ends_in_one_sentence_and_code_2(flag, sentence):
  done = subprocess.run([sys.executable, 'main.py', '--config=configs/tagger.py:smoke', flag],
                        cwd=ROOT, capture_output=True, text=True)
  assert (done.returncode, done.stderr) == (launch.EXIT_USER_ERROR, f'oko: {sentence}\n')


def test_a_fault_of_the_program_keeps_its_traceback():
  def fail():
    raise TypeError('ours')
  with pytest.raises(TypeError):
    launch.run_and_exit(fail)


@pytest.mark.parametrize('environment, restarts', [
    ({'JAX_PLATFORMS': 'cpu'}, sys.platform == 'linux'),
    ({'JAX_PLATFORMS': 'cuda'}, False),
    ({'JAX_PLATFORMS': 'cpu', 'SLURM_JOB_ID': '7'}, False),
    ({'JAX_PLATFORMS': 'cpu', 'OKO_TUNED': '1'}, False),
])
def test_the_tuned_start_is_for_a_cpu_by_itself(monkeypatch, capsys, environment, restarts):
  for name in ('OKO_TUNED', 'SLURM_JOB_ID', 'GLIBC_TUNABLES', 'XLA_FLAGS'):
    monkeypatch.delenv(name, raising=False)
  for name, value in environment.items():
    monkeypatch.setenv(name, value)
  started = []
  monkeypatch.setattr(os, 'execve', lambda *arguments: started.append(arguments))
  launch.restart_tuned(['main.py', '--x'])
  assert len(started) == restarts
  assert ('started again' in capsys.readouterr().err) == restarts
  if restarts:
    assert started[0][1] == [sys.executable, 'main.py', '--x']
    assert started[0][2]['GLIBC_TUNABLES'] == launch.MALLOC


def test_settings_of_the_person_stay(monkeypatch):
  monkeypatch.delenv('OKO_TUNED', raising=False)
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.arena_max=1')
  monkeypatch.setenv('XLA_FLAGS', '--xla_mine=1')
  started = []
  monkeypatch.setattr(os, 'execve', lambda *arguments: started.append(arguments[2]))
  launch.restart_tuned(['main.py'])
  if started:
    assert started[0]['GLIBC_TUNABLES'] == 'glibc.malloc.arena_max=1'
    assert started[0]['XLA_FLAGS'].startswith('--xla_mine=1')
