"""What an audit of classes leaves: the class to take instead, counts, and a sheet."""

import json

import numpy as np
import pytest
from flax import linen as nn
from PIL import Image

import jobs
from configs import tagger
from jobs import audit
from tests.tables import read_csv
from train_lib import build_sources, parallel
from train_lib.tasks.classification import Classification
from train_lib.trained import Trained


class Colours(nn.Module):
  """A net without variables: logits of garments from a picture's corner."""

  @nn.compact
  def __call__(self, image, *, train):
    return 4 * image[:, :3, :3].reshape(len(image), -1)[:, :7], {}


def test_classes_are_judged_with_the_class_to_take_instead(tmp_path, monkeypatch, capsys):
  config = tagger.get_config('smoke')
  config.update_from_flattened_dict({
      'task': 'classification', 'data.labels': 'garment', 'data.flipped_share': 0.3,
      'data.image_size_px': 32, 'data.num_train': 2, 'data.num_valid': 13, 'data.num_test': 11,
      'eval.batch_size': 8, 'data.dir': str(tmp_path / 'data'),
      'runtime.cache_dir': str(tmp_path / 'programs')})
  source = build_sources.build_source(config, 'test')
  task = Classification(net=Colours(), loss_function=lambda logits, targets: logits.sum(axis=1),
                        mean=(127.5,), deviation=(127.5,), num_classes=len(source.tag_names))
  monkeypatch.setattr(audit, 'open_trained', lambda *_: Trained(
      task, parallel.make_mesh(), {}, source.tag_names, source.tag_categories, {}, 12))
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
