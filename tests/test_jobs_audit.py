"""The audit from a workdir and by folds: what it writes, what it tells, and what stops it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections import Counter

import cv2
import numpy as np
import pytest
from etils import epath
from PIL import Image

import jobs
from configs import saved, tagger
from errors import UserError
from jobs import audit
from tests.tables import read_csv
from train_lib import audit_report, build_data, build_sources, workdir
from train_lib.audit import find_suspects

pytestmark = pytest.mark.usefixtures('small_net')

ROOT = pathlib.Path(__file__).parent.parent
OVERRIDES = {'data.image_size_px': 32, 'data.num_train': 48, 'data.num_valid': 13,
             'data.num_test': 11, 'data.flipped_share': 0.05, 'train.batch_size': 8,
             'eval.batch_size': 8, 'eval.baselines': False, 'train.num_epochs': 2.0,
             'runtime.log_every_steps': 100}


def tiny_config(folder, **changes):
  config = tagger.get_config('smoke')
  config.update_from_flattened_dict(OVERRIDES)
  config.update_from_flattened_dict(changes)
  config.data.dir, config.runtime.cache_dir = str(folder / 'data'), str(folder / 'programs')
  return config


def run(name, config, workdir, output=''):
  jobs.get_job(name)(config, str(workdir), config_path='tests', input='', output=str(output))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('audit')


@pytest.fixture(scope='module')
def trained(folder):
  run('train', tiny_config(folder), folder / 'run')
  return folder / 'run'


def table(path):
  return read_csv(path / 'audit.csv')


def read(path):
  return json.loads(path.read_text())


def check_rows(rows, config, splits):
  """Every row says of its picture what the data say, and the ranking falls."""
  sources = {split: build_sources.build_source(config, split) for split in splits}
  examples = {(split, source[index]['id']): source[index] for split, source in sources.items()
              for index in range(len(source))}
  assert {row['split'] for row in rows} == set(splits)
  for row in rows:
    source = sources[row['split']]
    tag = source.tag_names.index(row['tag'])
    listed = tag in examples[row['split'], row['id']]['tags']
    assert (row['listed'], row['suspected']) == (('yes', 'false') if listed else ('no', 'missing'))
    assert row['category'] == source.tag_categories[tag] != 'rating'
    assert 0 <= float(row['probability']) <= 1 and 0 <= float(row['score']) <= 1
  scores = [float(row['score']) for row in rows]
  assert scores == sorted(scores, reverse=True)
  assert [int(row['rank']) for row in rows] == list(range(1, len(rows) + 1))
  assert len({(row['split'], row['id'], row['tag']) for row in rows}) == len(rows)


def test_held_out_pictures_are_judged_by_the_trained_net(trained, capsys):
  config = saved.get_config(str(trained))
  run('audit', config, trained)
  told = capsys.readouterr().out
  rows = table(trained / 'audit')
  check_rows(rows, config, ('valid', 'test'))
  assert len(rows) == config.audit.most
  with Image.open(trained / 'audit' / 'audit.png') as sheet:
    assert sheet.size[1] > 8 * 224
  assert 'audit.png shows 40' in told
  assert 'reading 24 pictures that the net did not learn from' in told and 'first 1,000' in told
  summary = read(trained / 'audit' / 'audit.json')
  doubted = sum(summary['labels_doubted'].values())
  assert summary['most'] == len(rows) < doubted < sum(summary['labels_judged'].values())
  assert (f'{trained}/audit/audit.csv ranks the 1,000 most suspicious (audit.most) of the '
          f'{doubted:,} of 2,400 labels that the net believes less than is usual') in told


def test_the_summary_adds_up_and_holds_the_precision(trained):
  config = saved.get_config(str(trained))
  run('audit', config, trained)
  sources = {split: build_sources.build_source(config, split) for split in ('valid', 'test')}
  in_picture = {(split, source[index]['id'], source.tag_names[tag])
                for split, source in sources.items() for index in range(len(source))
                for tag in source[index]['drawn_tags']}
  summary, rows = read(trained / 'audit' / 'audit.json'), table(trained / 'audit')
  assert sum(summary['labels_judged'].values()) == 24 * 100
  assert sum(summary['suspects'].values()) == len(rows)
  assert sum(sum(kinds.values()) for kinds in summary['by_tag'].values()) == len(rows)
  assert [part['step'] for part in summary['parts']] == [12, 12]
  precision = summary['precision']
  assert set(precision) == {'all', 'missing', 'false'}
  assert 0.02 < precision['all']['random'] < 0.2
  wrong = [(row['listed'] == 'yes') != ((row['split'], row['id'], row['tag']) in in_picture)
           for row in rows[:50]]
  assert precision['all']['50'] == np.mean(wrong) > 0


def test_the_sheet_shows_few_of_one_tag_with_their_ranks(trained, folder, monkeypatch):
  told = {}
  monkeypatch.setattr(audit_report, 'suspect_sheet', lambda images, ranks, tags, *_: (
      told.update(ranks=ranks, tags=tags), Image.new('RGB', (2, 2)))[1])
  monkeypatch.setattr(audit_report, 'SHEET_OF_TAG', 2)
  run('audit', saved.get_config(str(trained)), trained, folder / 'few')
  expected, of_tags = [], Counter()
  for row in table(folder / 'few'):
    of_tags[row['tag']] += 1
    if of_tags[row['tag']] <= 2:
      expected.append((int(row['rank']), row['tag']))
  assert list(zip(told['ranks'], told['tags'], strict=True)) == expected[:40]
  assert expected[39][0] > 40                         # else nothing was passed over


def test_judging_twice_is_the_same_as_remembering(trained, folder, monkeypatch):
  config = saved.get_config(str(trained))
  run('audit', config, trained, folder / 'kept')
  monkeypatch.setattr(audit, 'IN_MEMORY', 0)
  run('audit', config, trained, folder / 'again')
  assert (folder / 'kept' / 'audit.csv').read_text() == (folder / 'again' / 'audit.csv').read_text()


def test_output_and_number_of_rows_can_be_chosen(trained, folder):
  config = saved.get_config(str(trained))
  config.audit.most = 7
  before = {path: path.stat().st_mtime_ns for path in trained.rglob('*')}
  run('audit', config, trained, folder / 'elsewhere' / 'deep')
  assert len(table(folder / 'elsewhere' / 'deep')) == 7
  assert {path: path.stat().st_mtime_ns for path in trained.rglob('*')} == before


@pytest.fixture(scope='module')
def folds(folder):
  """Two nets of two folds, with no run around them."""
  run('audit', tiny_config(folder, **{'audit.folds': 2, 'audit.most': 200}), folder / 'folds')
  return folder / 'folds'


@pytest.mark.slow
def test_folds_judge_each_training_picture_by_the_net_that_did_not_see_it(folds, folder):
  config = tiny_config(folder)
  check_rows(table(folds / 'audit'), config, ('train',))
  source = build_sources.build_source(config, 'train')
  judged = []
  for number, (others, part) in enumerate(build_data.build_folds(source, 2, lambda: None), 1):
    record = read(folds / 'audit' / f'fold-{number}-of-2' / 'run.json')
    assert record['finished'] and record['fingerprint'] == others.fingerprint
    names = [{each[index]['id'] for index in range(len(each))} for each in (others, part)]
    assert not names[0] & names[1] and len(names[0] | names[1]) == 48
    judged += names[1]
  assert len(set(judged)) == len(judged) == 48
  assert [part['pictures'] for part in read(folds / 'audit' / 'audit.json')['parts']] == [24, 24]


@pytest.mark.slow
def test_trained_folds_are_used_again(folds, folder, capsys):
  before = (folds / 'audit' / 'audit.csv').read_text()
  (folds / 'audit' / 'audit.csv').unlink()
  run('audit', tiny_config(folder, **{'audit.folds': 2, 'audit.most': 200}), folds)
  assert 'compiling' not in capsys.readouterr().out
  assert (folds / 'audit' / 'audit.csv').read_text() == before


@pytest.mark.slow
def test_a_run_can_still_be_trained_where_folds_were_audited_first(folds, folder):
  assert workdir.open_workdir(folds, tiny_config(folder)) == epath.Path(folds)


def start(folder, place):
  """The job of the folds as a person starts it."""
  return subprocess.Popen(
      [sys.executable, 'main.py', '--job=audit', '--config=configs/tagger.py:smoke',
       f'--workdir={place}', '--config.audit.folds=2', f'--config.data.dir={folder / "data"}',
       f'--config.runtime.cache_dir={folder / "programs"}',
       '--config.runtime.checkpoint_every_steps=1',
       *(f'--config.{key}={value}' for key, value in OVERRIDES.items())],
      cwd=ROOT, env=dict(os.environ, JAX_PLATFORMS='cpu'), stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_in_the_second_fold_it_ends_as_if_nothing_had_happened(folder):
  undisturbed, killed = folder / 'undisturbed', folder / 'killed'
  (process := start(folder, undisturbed)).communicate()
  assert process.returncode == 0
  process, place = start(folder, killed), killed / 'audit'
  second = place / 'fold-2-of-2' / 'checkpoints'
  while process.poll() is None and not (second / '2' / 'manifest.json').exists():
    time.sleep(0.005)
  process.kill()
  process.communicate()
  assert process.returncode == -signal.SIGKILL and not (place / 'audit.csv').exists()
  before = (place / 'fold-1-of-2' / 'run.json').read_text()
  told, _ = (process := start(folder, killed)).communicate()
  assert process.returncode == 0 and 'going on from step' in told, told
  assert (place / 'fold-1-of-2' / 'run.json').read_text() == before
  assert (place / 'audit.csv').read_text() == (undisturbed / 'audit' / 'audit.csv').read_text()


@pytest.fixture
def own_pictures(tmp_path):
  """Class folders of noise, without splits."""
  rng = np.random.default_rng(0)
  for name in ('cat', 'dog'):
    (tmp_path / name).mkdir()
    for index in range(20):
      picture = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
      cv2.imwrite(str(tmp_path / name / f'{index}.png'), picture)
  return tmp_path


def own_config(folder, pictures, **changes):
  return tiny_config(folder, **{'data.source': 'folder', 'data.path': str(pictures),
                                'data.valid_frac': 0.2, 'data.test_frac': 0.2, 'audit.folds': 2,
                                'data.flipped_share': 0.0, **changes})


@pytest.mark.slow
def test_where_the_truth_is_not_known_none_is_told(folder, own_pictures, tmp_path, capsys):
  run('audit', own_config(folder, own_pictures), tmp_path / 'own')
  assert 'the data know' not in capsys.readouterr().out
  assert read(tmp_path / 'own' / 'audit' / 'audit.json')['precision'] is None
  assert {row['tag'] for row in table(tmp_path / 'own' / 'audit')} <= {'cat', 'dog'}
  (own_pictures / 'cat' / '0.png').rename(own_pictures / 'dog' / 'was_a_cat.png')
  with pytest.raises(UserError, match=r'the data changed since .*fold-1-of-2 was trained; move'):
    run('audit', own_config(folder, own_pictures), tmp_path / 'own')


@pytest.mark.slow
def test_pictures_that_go_after_they_were_judged_are_not_shown(
    folder, own_pictures, tmp_path, monkeypatch, capsys):
  def judged_and_gone(blocks, most, **options):
    found = find_suspects(blocks, most, **options)
    for picture in own_pictures.rglob('*.png'):
      picture.unlink()
    return found
  monkeypatch.setattr(audit, 'find_suspects', judged_and_gone)
  run('audit', own_config(folder, own_pictures), tmp_path / 'own')
  rows = table(tmp_path / 'own' / 'audit')
  assert rows and {row['id'].partition('/')[0] for row in rows} == {'cat', 'dog'}
  assert 'none of them can be shown' in capsys.readouterr().out
  assert not (tmp_path / 'own' / 'audit' / 'audit.png').exists()


@pytest.mark.parametrize('changes, message', [
    ({'audit.folds': 1}, 'audit.folds is 1; expected 0, .* or at least 2'),
    ({'audit.folds': -2}, 'audit.folds is -2; expected 0'),
    ({'audit.most': 0}, 'audit.most is 0; expected at least 1'),
    ({'audit.folds': 49}, '48 pictures, 48 of them different, cannot be dealt out to 49 parts'),
    ({'audit.folds': 0}, 'is not the folder of a run'),
])
def test_mistakes_are_told(folder, tmp_path, changes, message):
  with pytest.raises(UserError, match=message):
    run('audit', tiny_config(folder, **changes), tmp_path / 'nothing')


def test_data_without_validation_are_told(trained, folder, own_pictures):
  config = own_config(folder, own_pictures, **{'audit.folds': 0, 'data.valid_frac': 0.0})
  with pytest.raises(UserError, match='the valid split of .* is empty'):
    run('audit', config, trained)


def test_nets_that_would_start_from_a_run_do_not_judge(trained, folder):
  config = saved.get_config(str(trained))
  config.audit.folds, config.net.init_from = 2, str(trained)
  with pytest.raises(UserError, match=f"net.init_from names, '{trained}', which may have learned"):
    run('audit', config, folder / 'biased')


def test_a_run_of_poses_is_refused_before_anything_is_trained(tmp_path):
  with pytest.raises(UserError, match='an audit is of tags and classes'):
    run('audit', tiny_config(tmp_path, task='pose', **{'audit.folds': 2}), tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
