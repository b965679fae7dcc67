"""--job=predict of a classifier: files, the terminal, mistakes told. A tagger's: test_jobs.py."""

import json
import types

import cv2
import jax
import numpy as np
import pytest

from configs import base
from errors import UserError
from jobs import predict
from tests.small_classes import COLOURS, NAMES, make_task, make_variables
from tests.tables import read_csv
from train_lib import build_data, parallel
from train_lib.poses import people_finder
from train_lib.predicting import answers, prediction, predictor
from train_lib.trained import Trained


@pytest.fixture
def trained(monkeypatch):
  """A classifier of four colours in place of what a workdir holds."""
  mesh = parallel.make_mesh(jax.devices()[:1])
  opened = Trained(task=make_task(), mesh=mesh, variables=make_variables(), tag_names=NAMES,
                   tag_categories=('general',) * 4, thresholds={}, step=7)
  monkeypatch.setattr(predictor, 'open_trained', lambda *_: opened)
  return opened


def make_config():
  config = base.get_config()
  config.task, config.data.image_size_px, config.predict.batch_size = 'classification', 16, 4
  config.runtime.workers, config.runtime.cache_dir = 0, 'off'
  return config


def write_pictures(folder, number):
  (folder / 'inner').mkdir(parents=True)
  for place in range(number):
    colour = COLOURS[place % 3][::-1].astype(np.uint8)
    cv2.imwrite(str(folder / 'inner' / f'{place:02d}.png'), np.full((16, 16, 3), colour))
  (folder / 'broken.png').write_bytes(b'no picture')


def run(config, folder, output):
  predict.run(config, 'unused', config_path='', input=str(folder), output=str(output))
  return [json.loads(line) for line in (output / 'predictions.jsonl').read_text().splitlines()]


def test_every_picture_gets_its_class_and_the_next_ones(trained, tmp_path, capsys):
  write_pictures(tmp_path / 'in', 5)
  rows = run(make_config(), tmp_path / 'in', tmp_path / 'out')
  assert [row['path'] for row in rows] == [f'inner/{place:02d}.png' for place in range(5)]
  assert [row['label'] for row in rows] == ['red', 'green', 'blue', 'red', 'green']
  for row in rows:
    assert [row['label'], row['probability']] == row['top'][0] and len(row['top']) == 4
    values = [value for _, value in row['top']]
    assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1, abs=1e-3)
  table = read_csv(tmp_path / 'out' / 'predictions.csv')
  assert [(row['path'], row['label'], float(row['probability'])) for row in table] == [
      (row['path'], row['label'], row['probability']) for row in rows]
  said = capsys.readouterr().out
  assert 'classifying 6 pictures with step 7\n' in said and '5 pictures are classified in' in said
  assert f'inner/00.png: red, {100 * rows[0]["probability"]:.1f} %' in said
  assert 'broken.png' in (tmp_path / 'out' / 'unreadable.jsonl').read_text()


def test_the_classes_of_many_pictures_are_not_said(trained, tmp_path, capsys):
  write_pictures(tmp_path / 'in', prediction.MOST_SAID + 1)
  rows = run(make_config(), tmp_path / 'in', tmp_path / 'out')
  assert len(rows) == prediction.MOST_SAID + 1 and ': red' not in capsys.readouterr().out


def test_only_the_most_probable_of_many_classes_are_written():
  names = tuple(f'c{number}' for number in range(30))
  told = answers.ClassAnswers(types.SimpleNamespace(tag_names=names), base.get_config().predict)
  row = told.describe({'probabilities': np.linspace(0, 1, 30)})
  assert [name for name, _ in row['top']] == ['c29', 'c28', 'c27', 'c26', 'c25']
  assert row['label'] == 'c29' and row['probability'] == 1.0


def test_a_threshold_for_a_classifier_is_told(trained, tmp_path):
  config = make_config()
  config.predict.threshold = 0.5
  with pytest.raises(UserError, match='predict.threshold is 0.5, which is for tags'):
    predict.run(config, 'unused', config_path='', input=str(tmp_path), output='')


def test_without_an_input_the_words_are_those_of_the_task(trained):
  with pytest.raises(UserError, match='nothing to predict'):
    predict.run(make_config(), 'unused', config_path='', input='', output='')


def test_a_net_that_learned_from_cut_out_persons_predicts_from_cut_out_persons(
    trained, tmp_path, monkeypatch):
  image = np.zeros((32, 32, 3), np.uint8)
  image[:], image[8:16, 8:16] = COLOURS[1][::-1], COLOURS[0][::-1]     # OpenCV writes BGR
  (tmp_path / 'in').mkdir()
  cv2.imwrite(str(tmp_path / 'in' / '0.png'), image)
  finder = types.SimpleNamespace(
      trained=trained, cut=lambda source, poll: build_data.with_boxes(
          source, np.array([[8, 8, 7, 7]] * len(source), np.float32)))
  monkeypatch.setattr(people_finder, 'open_cutter', lambda _: finder)
  config = make_config()
  assert run(config, tmp_path / 'in', tmp_path / 'out')[0]['label'] == 'green'
  config.data.persons.cut, config.data.persons.cut_by = 'pose', 'runs/pose'
  assert run(config, tmp_path / 'in', tmp_path / 'out')[0]['label'] == 'red'
  config.data.persons.cut = 'truth'
  with pytest.raises(UserError, match='persons.cut=pose'):
    run(config, tmp_path / 'in', tmp_path / 'out')


def test_boxes_are_for_poses_alone(trained, tmp_path):
  write_pictures(tmp_path / 'in', 1)
  config = make_config()
  config.predict.boxes = 'boxes.json'
  with pytest.raises(UserError, match="run of the task 'classification'; leave it empty"):
    run(config, tmp_path / 'in', tmp_path / 'out')


def test_a_start_that_was_stopped_goes_on_with_the_next_picture(trained, tmp_path, capsys):
  write_pictures(tmp_path / 'in', 11)
  asked, polls = [], iter(range(2))

  def stop_at_third():
    if next(polls, None) is None:
      raise KeyboardInterrupt
  config = make_config()
  config.predict.captions = 'kohya'
  folder = prediction.Folder(config, 'unused', str(tmp_path / 'in'), str(tmp_path / 'out'))
  with pytest.raises(KeyboardInterrupt), folder.lock():
    folder.predict(stop_at_third)
  assert not (tmp_path / 'out' / 'predictions.jsonl').exists()
  look = predictor.Predictor.stream

  def note(self, source, *args, **options):
    asked.extend(source.names)
    return look(self, source, *args, **options)
  predictor.Predictor.stream, rows = note, None
  try:
    rows = run(config, tmp_path / 'in', tmp_path / 'out')
    first = asked.copy()
    again = run(config, tmp_path / 'in', tmp_path / 'out')
  finally:
    predictor.Predictor.stream = look
  names = [f'inner/{place:02d}.png' for place in range(11)]
  assert [row['path'] for row in rows] == names and again == rows
  assert first == ['broken.png', *names[7:]]
  assert asked[len(first):] == ['broken.png']                    # it may have been mended
  captions = sorted((tmp_path / 'out' / 'captions' / 'inner').iterdir())
  assert [path.read_text() for path in captions] == [row['label'] + '\n' for row in rows]
  said = capsys.readouterr().out
  assert 'were classified by an earlier start' in said and 'captions for kohya are in' in said


def test_two_starts_do_not_write_into_one_folder(trained, tmp_path):
  write_pictures(tmp_path / 'in', 1)
  folder = prediction.Folder(make_config(), 'unused', str(tmp_path / 'in'), str(tmp_path / 'out'))
  with folder.lock(), pytest.raises(UserError, match='is in use by process'):
    run(make_config(), tmp_path / 'in', tmp_path / 'out')


def test_standard_input_is_answered_on_standard_output(trained, tmp_path, capsys, monkeypatch):
  write_pictures(tmp_path / 'in', 2)
  (tmp_path / 'list').write_text(f'{tmp_path}/in/inner/00.png\n{tmp_path}/in/broken.png\n')
  with open(tmp_path / 'list') as file:
    monkeypatch.setattr('sys.stdin', file)
    predict.run(make_config(), 'unused', config_path='', input='-', output='')
  good, bad = map(json.loads, capsys.readouterr().out.splitlines())
  assert good['label'] == 'red' and bad.keys() == {'path', 'error'}
  with pytest.raises(UserError, match='leave --output'):
    predict.run(make_config(), 'unused', config_path='', input='-', output='out')


def test_a_picture_that_changes_while_it_is_read_is_looked_at_again(trained, tmp_path,
                                                                  monkeypatch):
  write_pictures(tmp_path / 'in', 3)
  changed = tmp_path / 'in' / 'inner' / '01.png'
  look = predictor.Predictor.stream

  def change(self, source, *args, **options):
    for sights in look(self, source, *args, **options):
      cv2.imwrite(str(changed), np.full((17, 17, 3), COLOURS[2][::-1].astype(np.uint8)))
      yield sights
  monkeypatch.setattr(predictor.Predictor, 'stream', change)
  rows = run(make_config(), tmp_path / 'in', tmp_path / 'out')
  assert [row['label'] for row in rows] == ['red', 'blue']
  assert 'changed while it was read' in (tmp_path / 'out' / 'unreadable.jsonl').read_text()
  monkeypatch.undo()
  monkeypatch.setattr(predictor, 'open_trained', lambda *_: trained)
  rows = run(make_config(), tmp_path / 'in', tmp_path / 'out')
  assert sorted((row['path'], row['label']) for row in rows)[1] == ('inner/01.png', 'blue')


def test_another_reading_of_pixels_is_another_answer(trained, tmp_path):
  write_pictures(tmp_path / 'in', 2)
  digests = []
  for activation in ('', 'relu'):
    config = make_config()
    config.net.activation = activation
    run(config, tmp_path / 'in', tmp_path / 'out')
    digests.append(json.loads((tmp_path / 'out' / 'predict.json').read_text())['digest'])
  assert digests[0] != digests[1]


def test_a_folder_of_which_nothing_can_be_read_is_told(trained, tmp_path):
  (tmp_path / 'in').mkdir()
  (tmp_path / 'in' / 'a.png').write_bytes(b'no picture')
  with pytest.raises(UserError, match='the only picture cannot be read; .*unreadable.jsonl'):
    run(make_config(), tmp_path / 'in', tmp_path / 'out')
  (tmp_path / 'in' / 'b.png').write_bytes(b'no picture')
  with pytest.raises(UserError, match='none of the 2 pictures can be read'):
    run(make_config(), tmp_path / 'in', tmp_path / 'out')


def test_answers_stay_where_nothing_of_another_input_can_be_read(trained, tmp_path):
  write_pictures(tmp_path / 'in', 2)
  run(make_config(), tmp_path / 'in', tmp_path / 'out')
  names = 'predictions.jsonl', 'predictions.csv', 'predict.json'
  before = [(tmp_path / 'out' / name).read_bytes() for name in names]
  (tmp_path / 'bad').mkdir()
  (tmp_path / 'bad' / 'a.png').write_bytes(b'no picture')
  with pytest.raises(UserError, match='cannot be read'):
    run(make_config(), tmp_path / 'bad', tmp_path / 'out')
  assert [(tmp_path / 'out' / name).read_bytes() for name in names] == before
  assert not list((tmp_path / 'out').glob('.predictions-*'))
  assert '"a.png"' in (tmp_path / 'out' / 'unreadable.jsonl').read_text()
