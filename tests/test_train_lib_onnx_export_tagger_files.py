"""What existing tagger programs do to a picture and to selected_tags.csv gives our tags."""

import csv
import dataclasses

import cv2
import numpy as np
import pytest

from configs import tagger
from errors import UserError
from tests.drawn_nets import make_run

pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from train_lib.onnx_export.tagger_files import export_tagger, list_rows  # noqa: E402

NAMES = ('blue', 'safe', 'ann', 'hat', 'studio')
CATEGORIES = ('general', 'rating', 'character', 'general', 'copyright')


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
  """(folder, config, run) of a tagger with one rating, one character and one copyright."""
  folder = tmp_path_factory.mktemp('tagger')
  config, run = make_run(tagger, 'smoke', image_size_px=32)
  run = dataclasses.replace(run, tag_names=NAMES, tag_categories=CATEGORIES)
  assert export_tagger(folder, config, run, {'blue': 7, 'ann': 2}) < 1e-4
  return folder, config, run


def picture():
  """A smooth picture, wider than high, BGR as OpenCV reads it."""
  rows, columns = np.mgrid[0:90, 0:140] / 140
  return np.uint8(255 * np.stack([rows, columns, 1 - columns], axis=-1))


def padded(image):
  """A white square around it, the picture in the middle."""
  height, width = image.shape[:2]
  side = max(height, width)
  square = np.full((side, side, 3), 255, np.uint8)
  top, left = (side - height) // 2, (side - width) // 2
  square[top:top + height, left:left + width] = image
  return square


def run_model(folder, image):
  session = onnxruntime.InferenceSession(folder / 'model.onnx')
  name, shape = session.get_inputs()[0].name, session.get_inputs()[0].shape
  assert shape[1:] == [448, 448, 3] and not isinstance(shape[0], int)
  return session.run(None, {name: image[None].astype(np.float32)})[0][0]


def wanted(run, image):
  """name -> probability by the net itself."""
  small = cv2.resize(padded(image), (32, 32), interpolation=cv2.INTER_AREA)[..., ::-1]
  found = run.task.predict(run.variables, {'image': small[None]})['probabilities'][0]
  return dict(zip(NAMES, np.asarray(found).tolist(), strict=True))


def test_by_offsets_behind_four_ratings(exported):
  """As programs do that cut four ratings off, then take general tags, then characters."""
  folder, _, run = exported
  with open(folder / 'selected_tags.csv', newline='', encoding='utf-8') as file:
    header, *rows = list(csv.reader(file))
  assert header[:3] == ['tag_id', 'name', 'category']
  general = [row[1] for row in rows if row[2] == '0']
  characters = [row[1] for row in rows if row[2] == '4']
  found = run_model(folder, cv2.resize(padded(picture()), (448, 448), interpolation=cv2.INTER_AREA))
  given = dict(zip([*general, *characters], found[4:], strict=True))
  known = wanted(run, picture())
  assert set(given) == {'blue', 'hat', 'ann'}
  for name, value in given.items():
    assert value == pytest.approx(known[name], abs=0.03)
  assert found[0] == pytest.approx(known['safe'], abs=0.03) and found[1:4].tolist() == [0, 0, 0]


def test_by_the_first_row_of_each_category(exported):
  """As programs do that look where the categories begin, and resize by another method first."""
  folder, _, run = exported
  with open(folder / 'selected_tags.csv', newline='', encoding='utf-8') as file:
    rows = list(csv.reader(file))[1:]
  first = {kind: [row[2] for row in rows].index(kind) for kind in ('0', '4')}
  image = padded(cv2.resize(picture(), (448, 288), interpolation=cv2.INTER_LANCZOS4))
  found = run_model(folder, image)
  part = {'0': slice(first['0'], first['4']), '4': slice(first['4'], None)}
  known = wanted(run, picture())
  for kind, names in (('0', ['blue', 'hat']), ('4', ['ann'])):
    assert [row[1] for row in rows[part[kind]]] == names
    np.testing.assert_allclose(found[part[kind]], [known[name] for name in names], atol=0.05)
  assert [row[3] for row in rows] == ['0', '0', '0', '0', '7', '0', '2']


def test_rows_that_the_net_does_not_have_are_filled():
  assert list_rows(('a', 'b'), ('general', 'general')) == [
      (-1, 'no_rating_1', 9), (-1, 'no_rating_2', 9), (-1, 'no_rating_3', 9),
      (-1, 'no_rating_4', 9), (0, 'a', 0), (1, 'b', 0), (-1, 'no_character', 4)]
  rows = list_rows(NAMES, CATEGORIES, ('copyright',))
  assert [name for _, name, category in rows if category == 0] == ['blue', 'hat', 'studio']


@pytest.mark.parametrize('names, categories, as_general, words', [
    ('abcde', ('rating',) * 5, (), 'has 5 ratings'),
    ('ab', ('rating', 'copyright'), (), 'neither general tags nor characters'),
    ('ab', ('general', 'meta'), ('tags',), "expected some of copyright, artist, meta")])
def test_what_cannot_be_listed_is_told(names, categories, as_general, words):
  with pytest.raises(UserError, match=words):
    list_rows(tuple(names), categories, as_general)
