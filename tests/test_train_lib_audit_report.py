"""What an audit of classes leaves: the class to take instead, counts, and a sheet."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from flax import linen as nn
from PIL import Image

import jobs
from configs import tagger
from jobs import audit
from tests.tables import read_csv
from train_lib import build_sources, parallel
from train_lib.audit import SUSPECT, find_suspects
from train_lib.tasks.classification import Classification
from train_lib.trained import Trained


class Colours(nn.Module):
  """A net without variables: logits of garments from a picture's corner."""
  classes: int = 7

  @nn.compact
  def __call__(self, image, *, train):
    return 4 * image[:, :3, :3].reshape(len(image), -1)[:, :self.classes], {}


def let_judge(monkeypatch, source):
  """A net of colours in place of what a workdir holds."""
  classes = len(source.tag_names)
  task = Classification(net=Colours(classes), mean=(127.5,), deviation=(127.5,),
                        loss_function=lambda logits, targets: logits.sum(axis=1),
                        num_classes=classes)
  monkeypatch.setattr(audit, 'open_trained', lambda *_: Trained(
      task, parallel.make_mesh(), {}, source.tag_names, source.tag_categories, {}, 12))


def test_classes_are_judged_with_the_class_to_take_instead(tmp_path, monkeypatch, capsys):
  config = tagger.get_config('smoke')
  config.update_from_flattened_dict({
      'task': 'classification', 'data.labels': 'garment', 'data.flipped_share': 0.3,
      'data.image_size_px': 32, 'data.num_train': 2, 'data.num_valid': 13, 'data.num_test': 11,
      'eval.batch_size': 8, 'data.dir': str(tmp_path / 'data'),
      'runtime.cache_dir': str(tmp_path / 'programs')})
  source = build_sources.build_source(config, 'test')
  let_judge(monkeypatch, source)
  jobs.get_job('audit')(config, str(tmp_path), config_path='tests', input='', output='')
  told, place = capsys.readouterr().out, tmp_path / 'audit'
  examples = {(split, one[index]['id']): one[index] for split, one in (
      ('valid', build_sources.build_source(config, 'valid')), ('test', source))
      for index in range(len(one))}
  rows, summary = read_csv(place / 'audit.csv'), json.loads(
      (place / 'audit.json').read_text())
  assert rows and len({(row['split'], row['id']) for row in rows}) == len(rows)
  for row in rows:
    example = examples[row['split'], row['id']]
    assert row['label'] == source.tag_names[example['label']] != row['suggested']
    assert row['suggested'] in source.tag_names
    assert float(row['probability']) <= float(row['suggested_probability'])
  scores = [float(row['score']) for row in rows]
  assert scores == sorted(scores, reverse=True)
  assert summary['labels_judged'] == {'false': 24}
  share = np.mean([one['label'] != one['drawn_label'] for one in examples.values()])
  assert summary['precision'] == {'all': {'random': pytest.approx(share), **dict.fromkeys(
      ('50', '100', '500', '1000'))}} and share > 0
  assert sum(sum(each.values()) for each in summary['by_class'].values()) == len(rows)
  assert summary['labels_doubted'] == {'false': len(rows)} and summary['most'] == 1000
  assert (f'audit.csv ranks the {len(rows)} of 24 pictures in which the net finds another class '
          'more probable') in told
  with Image.open(place / 'audit.png') as sheet:
    assert sheet.size[1] > 224


def test_without_a_doubt_that_is_said_and_only_judged_pictures_are_counted(
    tmp_path, monkeypatch, capsys):
  for split in ('train', 'valid', 'test'):
    for name, value in (('blue', (255, 0, 0)), ('red', (0, 0, 255))):
      place = tmp_path / 'pictures' / split / name
      place.mkdir(parents=True)
      for number in range(2):
        picture = np.full((32, 32 + number, 3), value, np.uint8)
        cv2.imwrite(str(place / f'{number}.png'), picture)
  (tmp_path / 'pictures' / 'test' / 'red' / '1.png').write_bytes(b'no picture')
  config = tagger.get_config('smoke')
  config.update_from_flattened_dict({
      'task': 'classification', 'data.source': 'folder', 'data.image_size_px': 32,
      'data.path': str(tmp_path / 'pictures'), 'eval.batch_size': 8,
      'runtime.cache_dir': str(tmp_path / 'programs')})
  let_judge(monkeypatch, build_sources.build_source(config, 'test'))
  (tmp_path / 'audit').mkdir()
  (tmp_path / 'audit' / 'audit.png').write_bytes(b'of an earlier audit')
  monkeypatch.setattr(audit, 'find_suspects', lambda *args, **options: dataclasses.replace(
      find_suspects(*args, **options), suspects=np.zeros(0, SUSPECT), doubted={'false': 0}))
  jobs.get_job('audit')(config, str(tmp_path), config_path='tests', input='', output='')
  told = capsys.readouterr().out
  assert 'no label is doubted, 7 pictures judged; ' in told and 'audit.csv has no row' in told
  assert 'from the top' not in told and 'audit.png' not in told
  assert not (tmp_path / 'audit' / 'audit.png').exists()
  summary = json.loads((tmp_path / 'audit' / 'audit.json').read_text())
  assert [part['pictures'] for part in summary['parts']] == [4, 3]
