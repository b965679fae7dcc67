"""The main command with its workdir in a fake object store; tests/fake_store.py says what it is."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.parse

import pytest

from tests.small_workdirs import write_picture

ROOT = pathlib.Path(__file__).parent.parent
WORKDIR = 'gs://bucket/runs/t'
TRAIN = ('--config=configs/tagger.py:smoke', '--config.data.image_size_px=32',
         '--config.data.num_train=48', '--config.data.num_valid=10', '--config.data.num_test=10',
         '--config.train.num_epochs=2', '--config.train.batch_size=8', '--config.eval.batch_size=8',
         '--config.eval.every_steps=6', '--config.eval.baselines=False',
         '--config.runtime.checkpoint_every_steps=3', '--config.runtime.log_every_steps=1')


class Store:
  """A fake store of its own, and the main command on it."""

  def __init__(self, folder, shared):
    self.folder, self._shared = folder, shared

  def start(self, *flags, faults=()):
    flags = (*flags, f'--config.data.dir={self._shared / "data"}',
             f'--config.runtime.cache_dir={self._shared / "programs"}')
    return subprocess.Popen(
        [sys.executable, '-m', 'tests.fake_store', str(self.folder), json.dumps(list(faults)),
         *flags], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, 'JAX_PLATFORMS': 'cpu'})

  def run(self, *flags, faults=()):
    said, _ = (process := self.start(*flags, faults=faults)).communicate(timeout=280)
    assert process.returncode == 0, said
    return said

  def read(self, name):
    return (self.folder / urllib.parse.quote(f'bucket/runs/t/{name}', safe='')).read_text()

  def names(self):
    every = [urllib.parse.unquote(path.name) for path in self.folder.iterdir()]
    return {name.removeprefix('bucket/runs/t/') for name in every}


@pytest.mark.slow
def test_a_run_in_a_store_that_is_killed_in_a_save_ends_as_one_that_was_not(tmp_path):
  killed, whole = (Store(tmp_path / name, tmp_path) for name in ('killed', 'whole'))
  train = (*TRAIN, f'--workdir={WORKDIR}')
  flag = tmp_path / 'reached'
  process = killed.start(*train, faults=[{'of': 'put', 'name': 'checkpoints/6/', 'what': 'stop',
                                          'after': 2, 'flag': str(flag)}])
  end = time.monotonic() + 280
  while not flag.exists():
    assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
    time.sleep(0.05)
  process.send_signal(signal.SIGKILL)
  process.communicate()
  assert any(name.startswith('checkpoints/6/') for name in killed.names())
  assert 'checkpoints/6/manifest.json' not in killed.names()
  drops = [{'of': of, 'name': name, 'what': what} for of, name, what in (
      ('put', 'checkpoints/9/', 'cut'), ('put', 'metrics.jsonl', 'drop'),
      ('get', 'run.json', 'drop'))]
  said = killed.run(*train, faults=drops)
  assert 'going on from step 3' in said and 'took over the lock' in said
  whole.run(*train)
  runs = [json.loads(store.read('run.json')) for store in (killed, whole)]
  assert runs[0]['finished'] and runs[0]['step'] == 12
  assert runs[0]['state_digest'] == runs[1]['state_digest']
  rows = [[{key: value for key, value in json.loads(line).items() if key != 'time'
            and not key.endswith('per_sec')} for line in store.read('metrics.jsonl').splitlines()]
          for store in (killed, whole)]
  assert rows[0] == rows[1]
  assert any(name.startswith('tensorboard/events') for name in whole.names())
  assert 'lock.json' not in whole.names()
  assert 'trained to its last step' in whole.run(*train)

  write_picture(tmp_path / 'photos' / 'a.png')
  whole.run('--job=evaluate', f'--workdir={WORKDIR}')
  whole.run('--job=predict', f'--workdir={WORKDIR}', f'--input={tmp_path / "photos"}')
  assert json.loads(whole.read('predict/predictions.jsonl'))['path'] == 'a.png'
  assert 'evaluation.json' in whole.names()
