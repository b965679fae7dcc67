"""--job=serve: a workdir becomes a page; mistakes are told before anything is opened."""

import re
import signal
import subprocess
import sys

import httpx
import jax
import pytest

from configs import base
from errors import UserError
from jobs import serve
from tests.served import Client, picture
from tests.small_classes import NAMES, make_task, make_variables
from train_lib import launch, parallel
from train_lib.predicting import predictor
from train_lib.serving import server
from train_lib.trained import Trained


@pytest.fixture
def config(monkeypatch):
  """Of a classifier of four colours in place of what a workdir holds."""
  mesh = parallel.make_mesh(jax.devices()[:1])
  trained = Trained(task=make_task(), mesh=mesh, variables=make_variables(), tag_names=NAMES,
                    tag_categories=('general',) * 4, thresholds={}, step=1234)
  monkeypatch.setattr(predictor, 'open_trained', lambda *_: trained)
  config = base.get_config()
  config.task, config.data.image_size_px = 'classification', 16
  config.runtime.workers, config.runtime.cache_dir, config.serve.port = 0, 'off', 0
  return config


def run(config, workdir, input='', output=''):
  serve.run(config, str(workdir), config_path='', input=input, output=output)


def test_a_run_is_served_with_the_limits_of_the_config(config, tmp_path, capsys, monkeypatch):
  config.serve.max_upload_mb, config.serve.most_pictures = 1, 2
  served = {}

  def listen(app, bound, *, open_browser):
    served.update(port=bound.getsockname()[1], open_browser=open_browser)
    client = Client(app)
    served['model'] = client.get('/api/model').json()
    files = [('picture', ('a.png', picture()))]
    served['answers'] = [client.post('/api/predict', files=files * count) for count in (2, 3)]
  monkeypatch.setattr(server, 'listen', listen)
  run(config, tmp_path / 'colours')
  model, (two, three) = served['model'], served['answers']
  assert served['port'] > 0 and served['open_browser'] is False
  assert model['title'] == 'colours' and model['task'] == 'classification' and model['map'] is True
  assert model['limits'] == {'max_upload_mb': 1, 'most_pictures': 2} and model['step'] == 1234
  assert str(tmp_path) not in str(model)                   # no path of this machine
  assert two.json()['pictures'][1]['label'] in NAMES and three.status_code == 413
  assert 'colours: ' in capsys.readouterr().out


@pytest.mark.parametrize('key, value', [
    ('port', -1), ('port', 65_536), ('max_upload_mb', 0), ('max_upload_mb', 10 ** 6),
    ('most_pictures', 0), ('host', '')])
def test_settings_that_make_no_sense_are_told_at_once(config, tmp_path, key, value):
  config.serve[key] = value
  with pytest.raises(UserError, match=f'serve.{key} is .*expected'):
    run(config, tmp_path)


def test_pictures_are_given_on_the_page(config, tmp_path):
  for flag in ('input', 'output'):
    with pytest.raises(UserError, match=f"--{flag} is 'x'; .* leave it out"):
      run(config, tmp_path, **{flag: 'x'})


def test_a_taken_port_is_told_before_the_net_is_opened(config, tmp_path, monkeypatch):
  monkeypatch.setattr(predictor, 'open_trained', pytest.fail)
  with server.bind('127.0.0.1', 0) as bound:
    config.serve.port = bound.getsockname()[1]
    with pytest.raises(UserError, match='is taken by another program'):
      run(config, tmp_path)


def test_a_failure_at_the_start_gives_the_port_back(config, tmp_path, monkeypatch):
  def fail(*_):
    raise UserError('no net here')
  monkeypatch.setattr(predictor, 'open_trained', fail)
  with server.bind('127.0.0.1', 0) as bound:
    config.serve.port = bound.getsockname()[1]
  for _ in range(2):
    with pytest.raises(UserError, match='no net here'):
      run(config, tmp_path)


@pytest.mark.slow
def test_a_trained_run_is_served_from_the_command_line(tmp_path):
  command = [sys.executable, str(launch.ROOT / 'main.py'), f'--workdir={tmp_path / "run"}']
  subprocess.run([*command, f'--config={launch.ROOT / "configs/tagger.py"}:smoke',
                  f'--config.data.dir={tmp_path / "data"}', '--config.train.num_steps=2',
                  '--config.train.batch_size=8', '--config.eval.batch_size=8',
                  '--config.data.image_size_px=32', '--config.data.num_train=16',
                  '--config.data.num_valid=8', '--config.data.num_test=8'],
                 check=True, capture_output=True, cwd=tmp_path)
  before = sorted(tmp_path.rglob('*'))
  program = subprocess.Popen([*command, '--job=serve', '--config.serve.port=0'], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
  said = ''
  while 'open http' not in said:
    line = program.stdout.readline()
    assert line, program.stderr.read()
    said += line
  address = re.search(r'open (\S+)/', said).group(1)
  row = httpx.post(f'{address}/api/predict', content=picture(), timeout=60).json()['pictures'][0]
  assert row['rating'] and sum(map(len, row['scores'].values())) > 10
  assert httpx.get(f'{address}/').status_code == 200
  program.send_signal(signal.SIGTERM)
  rest, _ = program.communicate(timeout=60)
  assert program.returncode == 0 and rest == 'stopped as asked\n'
  assert sorted(tmp_path.rglob('*')) == before              # nothing was written
