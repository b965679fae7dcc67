"""The jobs one after another on a tiny run over four virtual devices, and mistakes told."""

import csv
import json

import cv2
import numpy as np
import pytest
from PIL import Image

import jobs
from configs import saved, tagger
from errors import UserError
from tests.tables import read_csv

pytestmark = pytest.mark.usefixtures('small_net')


def tiny_config(folder):
  config = tagger.get_config('smoke')
  config.data.dir = str(folder / 'data')
  config.data.image_size_px = 32
  config.data.num_train, config.data.num_valid, config.data.num_test = 48, 13, 11
  config.train.batch_size, config.eval.batch_size = 8, 8
  config.train.num_epochs, config.eval.every_steps = 1.5, 4
  config.runtime.log_every_steps = 3
  config.predict.batch_size = 4
  config.runtime.cache_dir = str(folder / 'programs')
  return config


def run(name, config, workdir, **flags):
  jobs.get_job(name)(config, str(workdir), config_path='configs/tagger.py:smoke',
                     **{'input': '', 'output': '', **flags})


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('jobs')


@pytest.fixture(scope='module')
def trained(folder):
  workdir = folder / 'run'
  run('train', tiny_config(folder), workdir)
  return workdir


def read(path):
  return json.loads(path.read_text())


def test_training_leaves_a_whole_workdir(trained):
  names = {path.name for path in trained.iterdir()}
  assert names == {'config.json', 'run.json', 'data.json', 'tags.json', 'metrics.jsonl',
                   'tensorboard', 'checkpoints', 'best.json', 'pictures', 'evaluation'}
  record = read(trained / 'run.json')
  assert record['step'] == 9 and record['finished']
  assert len(record['params_digest']) == 64
  assert list(record['test']) == ['net', 'constant', 'colour histogram', 'oracle']
  assert record['test']['net']['examples'] == 11
  assert record['test']['oracle']['macro_f1_tuned'] > record['test']['constant']['macro_f1_tuned']
  sheet = np.asarray(Image.open(trained / 'pictures' / 'predictions.png'))
  assert sheet.std() > 10
  with open(trained / 'evaluation' / 'tags.csv', newline='', encoding='utf-8') as file:
    assert [row['tag'] for row in csv.DictReader(file)] == read(trained / 'tags.json')['names']


def test_metrics_have_a_row_for_each_log_and_evaluation(trained):
  rows = [json.loads(line) for line in (trained / 'metrics.jsonl').read_text().splitlines()]
  assert [row['step'] for row in rows if 'train/loss' in row] == [3, 6, 9]
  assert [row['step'] for row in rows if 'valid/macro_f1_tuned' in row] == [4, 8, 9]
  assert {path.name for path in (trained / 'checkpoints').iterdir() if path.name.isdigit()} >= {
      '8', '9'}


def test_tensorboard_events_hold_the_same_numbers(trained):
  events, = (trained / 'tensorboard').iterdir()
  assert b'train/loss' in events.read_bytes() and b'valid/map' in events.read_bytes()


def test_a_finished_run_says_so_and_changes_nothing(trained, folder, capsys):
  before = (trained / 'run.json').read_text()
  run('train', tiny_config(folder), trained)
  assert 'is trained to its last step' in capsys.readouterr().out
  assert (trained / 'run.json').read_text() == before


def test_evaluate_repeats_the_table_from_the_workdir_alone(trained, capsys):
  tables = {name: (trained / 'evaluation' / name).read_text()
            for name in ('tags.csv', 'categories.csv')}
  for name in tables:
    (trained / 'evaluation' / name).unlink()
  run('evaluate', saved.get_config(str(trained)), trained)
  said = capsys.readouterr().out
  assert 'colour histogram' in said and 'by category' in said
  again, before = read(trained / 'evaluation.json')['test'], read(trained / 'run.json')['test']
  for rows in (again, before):
    for row in rows.values():
      row.pop('pictures_per_sec', None)                       # the one figure that time is in
  assert again == before
  assert tables == {name: (trained / 'evaluation' / name).read_text() for name in tables}


def test_evaluate_on_other_data_can_leave_the_run_as_it_is(trained, folder, capsys):
  config = saved.get_config(str(trained))
  config.data.num_test, config.eval.baselines = 9, False
  before = {path: path.stat().st_mtime_ns for path in trained.rglob('*')}
  other = folder / 'other' / 'data'
  run('evaluate', config, trained, output=str(other))
  assert {path: path.stat().st_mtime_ns for path in trained.rglob('*')} == before
  assert {path.name for path in other.iterdir()} == {'evaluation.json', 'evaluation', 'pictures'}
  assert read(other / 'evaluation.json')['test']['net']['examples'] == 9
  assert f'{other}/evaluation.json' in (said := capsys.readouterr().out)
  assert f'{other}/pictures' in said


def test_predict_tags_what_it_can_and_lists_the_rest(trained, folder):
  pictures = folder / 'photos'
  (pictures / 'inner').mkdir(parents=True)
  cv2.imwrite(str(pictures / 'a b.jpg'), np.full((40, 60, 3), 90, np.uint8))
  Image.new('RGBA', (20, 50), (255, 0, 0, 90)).save(pictures / 'inner' / 'ä.PNG')
  (pictures / 'broken.png').write_bytes(b'no picture')
  (pictures / 'notes.txt').write_text('not a picture either')
  run('predict', saved.get_config(str(trained)), trained, input=str(pictures))
  rows = [json.loads(line) for line in
          (trained / 'predict' / 'predictions.jsonl').read_text().splitlines()]
  assert [row['path'] for row in rows] == ['a b.jpg', 'inner/ä.PNG']
  assert all(row['rating'] in ('general', 'sensitive', 'questionable', 'explicit') for row in rows)
  values = list(rows[0]['tags'].values())
  assert values == sorted(values, reverse=True)
  table = read_csv(trained / 'predict' / 'predictions.csv')
  assert [row['path'] for row in table] == ['a b.jpg', 'inner/ä.PNG']
  assert table[0]['tags'].split(', ') == list(rows[0]['tags'])
  unreadable, = [json.loads(line) for line in
                 (trained / 'predict' / 'unreadable.jsonl').read_text().splitlines()]
  assert unreadable['id'] == 'broken.png' and unreadable['reason']


def test_predict_takes_one_picture_and_a_threshold(trained, folder):
  picture = folder / 'one.png'
  cv2.imwrite(str(picture), np.full((40, 60, 3), 90, np.uint8))
  config = saved.get_config(str(trained))
  config.predict.threshold = 0.0
  run('predict', config, trained, input=str(picture), output=str(folder / 'out'))
  row = json.loads((folder / 'out' / 'predictions.jsonl').read_text())
  assert row['path'] == 'one.png' and len(row['tags']) == 100


def test_another_config_is_refused_with_the_difference(trained, folder):
  config = tiny_config(folder)
  config.optimizer.learning_rate = 0.5
  before = {path: path.stat().st_mtime_ns for path in trained.rglob('*')}
  with pytest.raises(UserError, match=r'optimizer.learning_rate: 0.001 -> 0.5(.|\n)*run-2'):
    run('train', config, trained)
  assert {path: path.stat().st_mtime_ns for path in trained.rglob('*')} == before


def test_tags_that_do_not_fit_the_checkpoint_are_refused(trained, folder):
  pictures = folder / 'classes'
  for split in ('train', 'valid', 'test'):
    for name in ('cat', 'dog'):
      (pictures / split / name).mkdir(parents=True)
      noise = np.random.default_rng(len(split + name)).integers(0, 256, (8, 8, 3), np.uint8)
      cv2.imwrite(str(pictures / split / name / '1.png'), noise)
  config = saved.get_config(str(trained))
  config.data.source, config.data.path = 'folder', str(pictures)
  with pytest.raises(UserError, match='only in the data: cat, dog; only in the checkpoint: '):
    run('evaluate', config, trained)


@pytest.mark.slow
def test_a_relative_workdir_works_from_the_first_step_to_the_use(folder, monkeypatch):
  monkeypatch.chdir(folder)
  config = tiny_config(folder)
  config.train.num_steps = 2
  config.eval.baselines = False
  run('train', config, 'runs/x')
  cv2.imwrite('p.png', np.full((40, 60, 3), 90, np.uint8))
  run('predict', saved.get_config('runs/x'), 'runs/x', input='p.png')
  assert (folder / 'runs' / 'x' / 'predict' / 'predictions.csv').exists()


@pytest.fixture
def own_pictures(tmp_path):
  """Class folders of noise, one unreadable picture in each split, a test split below a batch."""
  rng = np.random.default_rng(0)
  for split, count in (('train', 12), ('valid', 3), ('test', 2)):
    for name in ('cat', 'dog'):
      (tmp_path / split / name).mkdir(parents=True)
      for index in range(count):
        picture = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / split / name / f'{index}.png'), picture)
    (tmp_path / split / 'cat' / '0.png').write_bytes(b'junk of ' + split.encode())
  return tmp_path


def test_own_pictures_train_and_the_unreadable_are_listed_once(folder, own_pictures, capsys):
  config = tiny_config(folder)
  config.data.source, config.data.path = 'folder', str(own_pictures)
  config.train.num_steps = 5
  run('train', config, folder / 'own')
  rows = [json.loads(line) for line in
          (folder / 'own' / 'bad_images.jsonl').read_text().splitlines()]
  assert sorted(row['id'] for row in rows) == [
      'test/cat/0.png', 'train/cat/0.png', 'valid/cat/0.png']
  record = read(folder / 'own' / 'run.json')
  assert record['test']['net']['examples'] == 3
  assert list(record['test']) == ['net', 'constant', 'colour histogram']
  assert 'cannot be read, such as' in capsys.readouterr().out


def test_a_diverged_run_is_told_and_leaves_no_checkpoint(folder):
  config = tiny_config(folder)
  config.optimizer.name, config.optimizer.learning_rate = 'sgd', 1e30
  config.optimizer.clip_norm = 0.0
  with pytest.raises(UserError, match='diverged'):
    run('train', config, folder / 'diverged')
  assert not list((folder / 'diverged').glob('checkpoints/[0-9]*'))


@pytest.mark.slow
def test_the_best_step_is_kept_whatever_the_periods(folder):
  config = tiny_config(folder)
  config.runtime.checkpoint_every_steps, config.runtime.keep_last = 7, 1
  config.eval.baselines = False
  run('train', config, folder / 'periods')
  rows = [json.loads(line) for line in
          (folder / 'periods' / 'metrics.jsonl').read_text().splitlines()]
  figures = {row['step']: row['valid/macro_f1_tuned'] for row in rows
             if 'valid/macro_f1_tuned' in row}
  best = read(folder / 'periods' / 'best.json')
  assert best['value'] == max(figures.values())
  assert (folder / 'periods' / 'checkpoints' / str(best['step']) / 'manifest.json').exists()


@pytest.mark.parametrize('change, message', [
    (('train', 'accumulate_steps', 0), 'train.accumulate_steps is 0; expected at least 1'),
    (('train', 'num_steps', -1), 'train.num_steps is -1; expected at least 0'),
    (('train', 'on_divergence', 'retry'), "train.on_divergence is 'retry'; choices: abort, skip"),
    (('train', 'divergence_limit', -1), 'train.divergence_limit is -1; expected at least 0'),
    (('runtime', 'prefetch_batches', -1), 'runtime.prefetch_batches is -1; expected 0 to 1000'),
    (('runtime', 'keep_last', 0), 'runtime.keep_last is 0; expected at least 1'),
    (('runtime', 'on_failed_save', 'stop'),
     "runtime.on_failed_save is 'stop'; choices: fail, continue"),
    (('runtime', 'stuck_sec', -1.0), 'runtime.stuck_sec is -1.0; expected at least 0'),
    (('net', 'dropout_rate', 1.5), 'net.dropout_rate is 1.5; expected below 1'),
    (('eval', 'batch_size', 6), 'eval.batch_size is 6; it must be a positive multiple of 4'),
    (('data', 'source', 'danbooro'), "data.source 'danbooro' is unknown; choices: toon, folder"),
    (('net', 'name', 'resnet'), "no net 'resnet'"),
    (('loss', 'name', 'focus'), "loss.name 'focus' is unknown; choices: sigmoid_cross_entropy"),
    (('net', 'dtype', 'float8'), "net.dtype 'float8' is unknown; choices: float32"),
    (('train', 'batch_size', 6), 'train.batch_size is 6; it must be a positive multiple of 4'),
    (('train', 'parallel', 'all'), "train.parallel 'all' is unknown; choices: jit, pmap"),
    (('data', 'augment', ('flip',)), 'flip'),
])
def test_mistakes_in_a_config_are_told(folder, change, message):
  config = tiny_config(folder)
  section, key, value = change
  config[section][key] = value
  with pytest.raises(UserError, match=message):
    run('train', config, folder / f'mistake-{section}-{key}')


@pytest.mark.parametrize('name, flags, message', [
    ('predict', {}, 'nothing to predict'),
    ('predict', {'input': '/no/such/folder'}, "'/no/such/folder' does not exist"),
])
def test_mistakes_in_flags_are_told(trained, name, flags, message):
  with pytest.raises(UserError, match=message):
    run(name, saved.get_config(str(trained)), trained, **flags)


def test_a_missing_workdir_or_job_is_told(folder):
  with pytest.raises(UserError, match='config.json does not exist'):
    saved.get_config(str(folder / 'nowhere'))
  with pytest.raises(UserError, match="'tran' is unknown; choices: train, evaluate, predict"):
    jobs.get_job('tran')
