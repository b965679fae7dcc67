"""Which job main.py does: the one named on the command line, else the one that the page is for."""

import logging
import types

import pytest

import jobs
import main
from configs import base, optimizers, tagger
from errors import UserError


@pytest.mark.parametrize('flag, config, wanted', [
    ('', tagger.get_config(), 'train'),
    ('', optimizers.get_config(), 'study'),
    ('train', optimizers.get_config(), 'train'),
    ('predict', tagger.get_config(), 'predict'),
    ('', base.get_config(), 'train'),
])
def test_the_page_says_what_it_is_for_and_the_flag_has_the_last_word(
    monkeypatch, flag, config, wanted):
  asked = []

  def get_job(name):
    asked.append(name)
    return lambda *_, **__: None

  for name, value in (('JOB', flag), ('CONFIG', config), ('TUNE', False), ('WORKDIR', 'runs/x'),
                      ('INPUT', ''), ('OUTPUT', '')):
    monkeypatch.setattr(main, name, types.SimpleNamespace(value=value))
  monkeypatch.setattr(main.flags, 'FLAGS', {'config': None})
  monkeypatch.setattr(main.config_flags, 'get_config_filename', lambda flag: 'configs/page.py')
  monkeypatch.setattr(main, '_join', lambda *_: None)
  monkeypatch.setattr(jobs, 'get_job', get_job)
  main.main(['main.py'])
  assert asked == [wanted]


def test_jax_is_quiet_before_a_job_looks_for_devices_and_its_errors_are_shown(monkeypatch):
  levels, jax_log = [], logging.getLogger('jax._src.xla_bridge')
  for name, value in (('JOB', ''), ('CONFIG', base.get_config()), ('TUNE', False),
                      ('WORKDIR', 'runs/x'), ('INPUT', ''), ('OUTPUT', '')):
    monkeypatch.setattr(main, name, types.SimpleNamespace(value=value))
  monkeypatch.setattr(main.flags, 'FLAGS', {'config': None})
  monkeypatch.setattr(main.config_flags, 'get_config_filename', lambda flag: 'configs/page.py')
  monkeypatch.setattr(main, '_join', lambda *_: levels.append(jax_log.getEffectiveLevel()))
  monkeypatch.setattr(jobs, 'get_job', lambda name: lambda *_, **__: None)
  before = logging.getLogger('jax').level
  try:
    logging.getLogger('jax').setLevel(logging.INFO)   # as absl leaves it
    main.main(['main.py'])
  finally:
    logging.getLogger('jax').setLevel(before)
  assert levels == [logging.ERROR]


@pytest.mark.parametrize('flag, value', [
    ('COORDINATOR', 'host:1'), ('NUM_PROCESSES', 2), ('PROCESS_ID', 0), ('DISTRIBUTED', True)])
def test_processes_of_this_machine_are_no_group_of_hosts(monkeypatch, flag, value):
  for name in ('PROCESSES', 'COORDINATOR', 'NUM_PROCESSES', 'PROCESS_ID', 'DISTRIBUTED'):
    given = 2 if name == 'PROCESSES' else value if name == flag else 0
    monkeypatch.setattr(main, name, types.SimpleNamespace(value=given, present=name == flag))
  with pytest.raises(UserError, match='--processes starts all of them on this machine; leave out'):
    main._join(base.get_config(), 'runs/x')


def test_a_dry_run_is_of_training_alone(monkeypatch):
  config = optimizers.get_config()
  config.runtime.dry_run = True
  for name, value in (('JOB', ''), ('CONFIG', config), ('TUNE', False)):
    monkeypatch.setattr(main, name, types.SimpleNamespace(value=value))
  with pytest.raises(UserError, match='of --job=train, and this is --job=study'):
    main.main(['main.py'])
