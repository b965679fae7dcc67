"""The inspection of a folder: what it counts, finds, draws, and that it trains nothing."""

import csv
import json
import os
import re

import cv2
import numpy as np
import pytest
from PIL import Image

import jobs
from configs import pose, tagger
from data.encode import encode_image
from errors import UserError
from tests.small_workdirs import make_record, write_run
from tests.tables import read_csv
from train_lib import build_data, build_sources, workdir
from train_lib.drawing import augmentation_sheet, grid, pictures
from train_lib.inspection import balance, duplicates

KINDS = {'cat': 10, 'dog': 6, 'emu': 3}


def draw_picture(seed):
  small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
  return cv2.resize(small, (48, 40), interpolation=cv2.INTER_CUBIC)


def make_config(folder, **data):
  config = tagger.get_config('smoke')
  config.task = 'classification'
  config.data.update({'source': 'folder', 'path': str(folder / 'pictures'), 'image_size_px': 32,
                      'augment': ('mirror', 'crop', 'randaugment'), **data})
  config.train.mixup_alpha, config.train.cutmix_alpha = 0.4, 1.0
  config.runtime.cache_dir = 'off'
  return config


def run(config, path, **flags):
  jobs.get_job('inspect')(config, str(path), config_path='',
                          **{'input': '', 'output': '', **flags})


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Class folders in three splits; emus are broken, copied and near copied."""
  folder = tmp_path_factory.mktemp('inspect')
  for split_number, split in enumerate(('train', 'valid', 'test')):
    for kind_number, (kind, count) in enumerate(KINDS.items()):
      place = folder / 'pictures' / split / kind
      place.mkdir(parents=True)
      for i in range(count if split == 'train' else 2):
        seed = 1000 * split_number + 100 * kind_number + i
        cv2.imwrite(str(place / f'{i}.png'), draw_picture(seed))
  top = folder / 'pictures'
  (top / 'train/emu/0.png').write_bytes(b'no picture')
  (top / 'test/dog/copy.png').write_bytes((top / 'train/cat/3.png').read_bytes())
  cv2.imwrite(str(top / 'valid/cat/near.jpg'), cv2.imread(str(top / 'train/cat/5.png')))
  return folder


@pytest.fixture(scope='module')
def inspected(folder):
  run(make_config(folder), folder / 'run')
  return folder / 'run' / 'inspect'


def read_sheet(path):
  with Image.open(path) as image:
    return np.asarray(image)


def test_nothing_is_trained_and_the_workdir_can_be_trained_in_later(inspected, folder):
  assert {path.name for path in inspected.parent.iterdir()} == {'config.json', 'inspect'}
  workdir.open_workdir(inspected.parent, make_config(folder, image_size_px=64))


def test_the_balance_is_counted_split_by_split(inspected):
  rows = {row.pop('name'): row for row in read_csv(inspected / 'balance.csv')}
  assert rows == {
      'cat': {'category': 'general', 'train': '10', 'valid': '3', 'test': '2'},
      'dog': {'category': 'general', 'train': '6', 'valid': '2', 'test': '3'},
      'emu': {'category': 'general', 'train': '3', 'valid': '2', 'test': '2'}}
  assert read_sheet(inspected / 'frequencies.png').std() > 1


def test_unreadable_pictures_are_listed(inspected):
  row, = map(json.loads, (inspected / 'unreadable.jsonl').read_text().splitlines())
  assert row['split'] == 'train' and row['id'] == 'train/emu/0.png'
  assert 'no JPEG, PNG' in row['reason']


def test_copies_are_listed_across_splits_and_with_other_tags(inspected):
  rows = read_csv(inspected / 'duplicates.csv')
  pairs = {(row['alike'], row['across'], row['id'], row['other id'], row['same tags'])
           for row in rows}
  assert pairs == {
      ('exact', 'yes', 'train/cat/3.png', 'test/dog/copy.png', 'no'),
      ('near', 'yes', 'train/cat/5.png', 'valid/cat/near.jpg', 'yes')}
  assert rows[0]['tags'] == 'cat' and rows[0]['other tags'] == 'dog'
  alike = json.loads((inspected / 'inspect.json').read_text())['alike']
  assert alike == {'pairs': 2, 'listed': 2, 'exact': 1, 'different_tags': 1,
                   'like_one_of_training': {'valid': 1, 'test': 1}}
  assert read_sheet(inspected / 'duplicates.png').shape[1] == (
      4 * (grid.CELL_PX + grid.GAP_PX) + 2 * grid.MARGIN_PX)


def test_the_header_of_a_single_pair_is_whole(monkeypatch):
  monkeypatch.setattr(duplicates, '_read', lambda *_: np.full((40, 40, 3), 90, np.uint8))
  shorten, cut = grid.shortened, []

  def note(draw, text, *rest):
    cut.append((text, shorten(draw, text, *rest)))
    return cut[-1][1]
  monkeypatch.setattr(grid, 'shortened', note)
  row = {'across': 'yes', 'alike': 'near', 'bits': 3, 'same tags': 'no', 'split': 'train',
         'tags': 'cat', 'id': 'a.png', 'other split': 'test', 'other tags': 'dog',
         'other id': 'b.png'}
  sheet = duplicates._sheet(None, [(0, 1, row)], 1_234)
  headers = [(text, drawn) for text, drawn in cut if 'different tags' in text or ' of 1,2' in text]
  assert len(headers) == 2 and all(text == drawn for text, drawn in headers)
  assert sheet.size[0] < 4 * grid.CELL_PX


def cell(sheet, row, column):
  """A picture of the sheet of augmentations, without its edges."""
  left = grid.MARGIN_PX + column * (grid.CELL_PX + grid.GAP_PX)
  top = 2 * grid.MARGIN_PX + 3 * grid.LINE_PX + row * (grid.CELL_PX + grid.GAP_PX)
  return sheet[top + 8:top + grid.CELL_PX - 8, left + 8:left + grid.CELL_PX - 8].astype(int)


def test_the_sheet_of_augmentations_shows_each_alone_then_all_then_mixed(inspected):
  sheet = read_sheet(inspected / 'augmentations.png')
  columns = 1 + 3 + 2 + 2
  rows = augmentation_sheet.PICTURES
  assert sheet.shape[1] == columns * (grid.CELL_PX + grid.GAP_PX) + 2 * grid.MARGIN_PX
  for row in range(rows):
    plain, mirrored, *others = (cell(sheet, row, column) for column in range(columns))
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=2)
    assert all(np.abs(other - plain).max() > 10 for other in others[:4])


def test_the_sheet_shows_what_the_training_pipeline_gives(folder):
  config = make_config(folder, augment=('mirror', 'rotation'))
  source = build_sources.build_source(config, 'train')
  examples = augmentation_sheet._readable(config, source)
  image = augmentation_sheet._images(config, examples, config.data.augment, draw=3)[1]
  rng = np.random.default_rng((config.seed, 3, 1, 0))
  wanted = augmentation_sheet._apply(build_data.build_pipeline(config, train=True),
                                     {**examples[1], 'rng': rng})['image']
  np.testing.assert_array_equal(image, wanted)


def test_without_augmentation_the_sheet_says_so(folder):
  config = make_config(folder, augment=())
  config.train.mixup_alpha = config.train.cutmix_alpha = 0.0
  sheet = augmentation_sheet.augmentation_sheet(config, build_sources.build_source(config, 'train'))
  told = np.asarray(sheet)[grid.MARGIN_PX:grid.MARGIN_PX + pictures.LINE_PX].min(axis=(0, 2)) < 128
  assert grid.CELL_PX + grid.GAP_PX < told.nonzero()[0].max() < sheet.size[0] - grid.MARGIN_PX


def test_tags_are_inspected_too_and_elsewhere(folder, tmp_path, capsys):
  config = make_config(folder)
  config.task = 'tagging'
  config.train.cutmix_alpha = 0.0
  run(config, folder / 'other', output=str(tmp_path / 'out'))
  assert (tmp_path / 'out' / 'augmentations.png').exists() and not (folder / 'other').exists()
  said = capsys.readouterr().out
  assert '1 picture cannot be read, such as ' in said
  assert 'pairs of pictures that are alike: 2' in said
  assert 'all pictures' in said


def test_of_many_tags_the_table_shows_the_ends():
  rows = [(f'tag {number}', 'general', 1000 - number, 0, 1) for number in range(1000)]
  lines = balance.as_text(rows, [2000, 10, 10], 'pictures').splitlines()
  assert len(lines) == balance.MOST_LINES + 3
  assert '... 980 others' in lines[12] and 'tag 999' in lines[-1] and '2,000' in lines[1]


def test_mistakes_are_told_before_anything_is_read(folder, tmp_path):
  with pytest.raises(UserError, match="config.data.augment has 'warp'"):
    run(make_config(folder, augment=('warp',)), tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_split_that_cannot_be_read_is_told(tmp_path):
  for kind in KINDS:
    for split in ('train', 'valid', 'test'):
      (tmp_path / 'pictures' / split / kind).mkdir(parents=True)
      (tmp_path / 'pictures' / split / kind / '1.png').write_bytes(f'{split}{kind}'.encode())
  with pytest.raises(UserError, match='no training picture can be read'):
    run(make_config(tmp_path), tmp_path / 'run')
  assert len((tmp_path / 'run/inspect/unreadable.jsonl').read_text().splitlines()) == 9


def test_what_one_augmentation_makes_of_a_person_is_no_whole_picture():
  config = pose.get_config('smoke')
  config.data.persons.whole_frac = 1.0
  image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
  example = {'image_bytes': encode_image(image, '.png'), 'is_main': True,
             'box_px': np.array([30, 20, 30, 40], np.float32),
             'keypoints': np.zeros((17, 3), np.float32)}
  plain = augmentation_sheet._apply(build_data.build_pipeline(config, train=False), example)
  alone, = augmentation_sheet._images(config, [example], ())
  np.testing.assert_array_equal(alone, plain['image'])


def test_persons_are_counted_by_their_joints(tmp_path, capsys):
  config = pose.get_config('smoke')
  config.data.update({'dir': str(tmp_path / 'data'), 'num_train': 8, 'num_valid': 2, 'num_test': 2})
  config.runtime.cache_dir = 'off'
  run(config, tmp_path / 'run')
  said, folder = capsys.readouterr().out, tmp_path / 'run' / 'inspect'
  assert 'persons with joints in' in said and 'all persons' in said
  with open(folder / 'balance.csv', newline='', encoding='utf-8') as file:
    counts = {row['name']: int(row['train']) for row in csv.DictReader(file)}
  assert len(counts) == 17 and 0 < counts['left_ankle'] <= counts['nose']
  assert (folder / 'augmentations.png').exists()
  assert not (folder / 'duplicates.csv').exists()               # a picture's persons share it


def page_in(folder):
  return (folder / 'index.html').read_text(encoding='utf-8')


def test_the_page_holds_all_that_was_found_and_leads_to_the_files(inspected):
  text = page_in(inspected)
  assert text.count('<img ') == 3 and '<script' not in text
  for words in ('id="data"', 'id="balance"', 'id="unreadable"', 'id="duplicates"', 'id="seen"',
                'href="duplicates.csv"', 'train/emu/0.png', '1 test picture like one of training'):
    assert words in text, words
  row = text.partition('<td>training')[2].partition('<tr')[0]
  assert '>19<' in row and '>1<' in row                       # of them unreadable


def test_of_a_run_the_page_tells_the_run_and_its_data(folder, tmp_path):
  config = make_config(folder)
  run(config, write_run(tmp_path / 'run', config, make_record(fingerprint=None)))
  text = page_in(tmp_path / 'run' / 'inspect')
  ids = re.findall('<section id="([^"]+)"', text)
  assert ids == ['about', 'course', 'test', 'curves', 'tables', 'pictures', 'checkpoints', 'next',
                 'data', 'balance', 'unreadable', 'duplicates', 'seen']
  assert text.count('<img ') == 7 and 'not the data that the run began with' not in text


def test_data_that_changed_since_a_run_are_told(folder, tmp_path):
  config = make_config(folder)
  run(config, write_run(tmp_path / 'run', config), output=str(tmp_path / 'out'))
  assert 'not the data that the run began with' in page_in(tmp_path / 'out')
  assert not (tmp_path / 'run' / 'inspect').exists()


def test_a_run_whose_data_are_gone_has_its_page(folder, tmp_path, capsys):
  config = make_config(folder, path=str(tmp_path / 'moved'))
  run(config, write_run(tmp_path / 'run', config))
  text = page_in(tmp_path / 'run' / 'inspect')
  assert 'id="test"' in text and 'moved' in text.partition('id="data"')[2]
  assert f'--job=inspect --workdir={tmp_path}/run --config.data.path=FOLDER' in text
  assert 'the data cannot be inspected' in capsys.readouterr().out


def test_a_stop_while_the_data_are_read_leaves_the_page_of_the_run(folder, tmp_path, monkeypatch):
  def stop(*_):
    raise KeyboardInterrupt

  config = make_config(folder)
  monkeypatch.setattr(build_data, 'read_pictures', stop)
  with pytest.raises(KeyboardInterrupt):
    run(config, write_run(tmp_path / 'run', config))
  text = page_in(tmp_path / 'run' / 'inspect')
  assert 'id="pictures"' in text and 'This page is written again' in text


def test_studies_clusters_and_exported_nets_are_answered_shortly(folder, tmp_path, capsys):
  config = make_config(folder)
  workdir.save_config(tmp_path / 'config.json', config)
  (tmp_path / 'study.md').write_text('| | F1 |\n|---|---|\n| a | 0.5 |\n')
  run(config, tmp_path)
  assert 'study.md tells what it found' in capsys.readouterr().out
  assert page_in(tmp_path / 'inspect').count('<section') == 1
  (tmp_path / 'study.md').unlink()
  (tmp_path / 'config.json').write_text('{"oko": {}}')
  with pytest.raises(UserError, match='an exported net, which has no run'):
    run(config, tmp_path)


def test_names_of_files_and_classes_are_shown_and_do_nothing(tmp_path, capsys):
  top = os.fsencode(tmp_path / 'pictures')
  kinds = (b'<img src=x onerror=alert(1)>', b'caf\xe9 <b>')
  for kind in kinds:
    for number in range(8):
      path = os.path.join(top, kind, b'\xff<script>%d.png' % number)
      os.makedirs(os.path.dirname(path), exist_ok=True)
      with open(path, 'wb') as file:
        file.write(encode_image(draw_picture(number + len(kind)), '.png') if number else b'torn')
  run(make_config(tmp_path, valid_frac=0.2, test_frac=0.2), tmp_path / 'run')
  text = page_in(tmp_path / 'run' / 'inspect')
  assert '<img src=x' not in text and '<script' not in text and '<b>' not in text
  assert '&lt;img src=x onerror=alert(1)&gt;' in text and '\ufffd&lt;script&gt;0.png' in text
  assert 'cannot be read' in capsys.readouterr().out


@pytest.mark.slow
def test_what_training_really_leaves_has_a_page(tmp_path):
  config = tagger.get_config('smoke')
  config.runtime.cache_dir = 'off'
  config.data.dir = str(tmp_path / 'data')
  jobs.get_job('train')(config, str(tmp_path / 'run'), config_path='', input='', output='')
  run(workdir.load_config(tmp_path / 'run' / 'config.json'), tmp_path / 'run')
  text = page_in(tmp_path / 'run' / 'inspect')
  assert 'Tagger, trained' in text and 'Not shown here' not in text
  assert text.count('<img ') == len(list((tmp_path / 'run/pictures').glob('*.png'))) + 2
  assert '>Categories<' in text and '>Tags<' in text and 'id="data"' in text


def test_a_folder_of_another_program_is_refused_before_any_data_are_read(tmp_path, monkeypatch):
  monkeypatch.setattr(build_sources, 'build_source', None)
  (tmp_path / 'config.json').write_text('{"architecture": "resnet18"}')
  with pytest.raises(UserError, match='no config of this program'):
    run(make_config(tmp_path), tmp_path)
  assert os.listdir(tmp_path) == ['config.json']
