"""Tags, classes and poses on a page: the rows of predictions, and what it needs besides."""

import types

import jax
import numpy as np
import pytest

from configs import base
from tests.served import client_of, decode, picture, png
from tests.small_classes import COLOURS, NAMES, Crooked, make_task, make_variables
from train_lib import build_data, parallel
from train_lib.classes.activation_map import ActivationMaps
from train_lib.predicting import predictor
from train_lib.predicting.answers import PoseAnswers, TagAnswers
from train_lib.serving.uploads import Upload
from train_lib.serving.views.classes import ClassView
from train_lib.serving.views.poses import PoseView
from train_lib.serving.views.tags import TagView
from train_lib.trained import Trained

KINDS = ('rating', 'rating', 'general', 'general', 'character', 'general')
TAGS = ('general', 'sensitive', 'long_hair', 'hat', 'mira', '^_^')


class FixedPredictor:
  """Gives the same values for every picture, and an error for one that is empty."""

  def __init__(self, trained, answers, values):
    self.trained, self.answers, self._values = trained, answers, values

  def values(self, contents):
    return [dict(self._values) if len(content) else {'error': 'the file is empty'}
            for content in contents]


@pytest.fixture
def tag_view():
  config = base.get_config()
  config.predict.threshold = 0.4
  config.predict.category_thresholds = (('character', 0.75),)
  scored = np.array([kind != 'rating' for kind in KINDS])
  trained = types.SimpleNamespace(task=types.SimpleNamespace(scored=scored), tag_names=TAGS,
                                  tag_categories=KINDS, thresholds={}, step=3)
  values = {'probabilities': np.array([0.2, 0.7, 0.9, 0.005, 0.7, 0.41], np.float32)}
  return TagView(config, FixedPredictor(trained, TagAnswers(trained, config.predict), values))


def test_tags_come_as_predicted_and_with_all_that_are_at_all_likely(tag_view):
  row, broken = tag_view.answer([Upload('a.png', picture()), Upload('b.png', b'')], {})
  assert row == {
      'path': 'a.png', 'rating': 'sensitive', 'tags': {'long_hair': 0.9, '^_^': 0.41},
      'scores': {'rating': [['sensitive', 0.7], ['general', 0.2]],
                 'general': [['long_hair', 0.9], ['^_^', 0.41]], 'character': [['mira', 0.7]]}}
  assert broken == {'path': 'b.png', 'error': 'the file is empty'}


def test_sliders_start_at_the_thresholds_of_the_command(tag_view):
  about = tag_view.about()
  assert about['thresholds'] == {'general': 0.4, 'character': 0.75}
  assert about['order'] == ['rating', 'general', 'character']
  assert about['caption'] == {'spaces': True, 'short': 3, 'first': (), 'without': ()}
  assert client_of(tag_view).get('/api/model').json()['names'] == list(TAGS)


@pytest.fixture
def class_view(monkeypatch):
  mesh = parallel.make_mesh(jax.devices()[:1])
  trained = Trained(task=make_task(), mesh=mesh, variables=make_variables(), tag_names=NAMES,
                    tag_categories=('general',) * 4, thresholds={}, step=7)
  monkeypatch.setattr(predictor, 'open_trained', lambda *_: trained)
  config = base.get_config()
  config.task, config.data.image_size_px = 'classification', 16
  config.runtime.workers = 0
  return ClassView(config, predictor.Predictor(config, 'unused'))


def halves():
  """Red at the left, blue at the right; BGR."""
  image = np.empty((16, 16, 3), np.uint8)
  image[:, :8], image[:, 8:] = COLOURS[0][::-1], COLOURS[2][::-1]
  return image


def test_classes_come_as_predicted_and_with_the_next_ones(class_view):
  red = np.full((9, 5, 3), COLOURS[0][::-1], np.uint8)
  [row, broken] = class_view.answer([Upload('a', png(red)), Upload('b', b'junk')], {})
  assert row['label'] == 'red' and row['top'][0] == ['red', row['probability']]
  assert sorted(name for name, _ in row['scores']) == sorted(NAMES)
  assert broken['path'] == 'b' and 'no JPEG' in broken['error']


def test_a_map_marks_the_half_that_spoke_for_the_class(class_view):
  client = client_of(class_view)
  for name, side in (('red', 0), ('blue', 1)):
    answer = client.post(f'/api/map?class={name}', files={'picture': ('a.png', png(halves()))})
    assert answer.headers['content-type'] == 'image/png'
    image = decode(answer.content).astype(int)
    assert image.shape == (512, 512, 3)                   # sharper than what the net saw
    colourful = (image.max(axis=2) - image.min(axis=2))
    sides = colourful[:, :200].mean(), colourful[:, -200:].mean()
    assert sides[side] > 20 > 2 * sides[1 - side]


def test_a_map_lies_over_the_person_that_was_cut_out(class_view, monkeypatch):
  class_view._config.data.persons.cut = 'pose'
  left = np.array([[-0.5, -0.5, 8, 16]], np.float32)
  monkeypatch.setattr(class_view._predictor._look, 'cut',
                      lambda source, poll: build_data.with_boxes(source, left))
  seen = class_view._look_closer(png(halves())).reshape(-1, 3).astype(int)
  assert class_view.answer([Upload('a', png(halves()))], {})[0]['label'] == 'red'
  assert (seen[:, 0] >= seen[:, 2]).all()                # no blue


def test_a_map_of_no_class_or_no_picture_is_refused(class_view):
  client = client_of(class_view)
  files = {'picture': ('a.png', png(halves()))}
  assert client.post('/api/map?class=pink', files=files).status_code == 404
  assert client.post('/api/map', files=files).status_code == 200       # the most probable one
  assert 'no JPEG' in client.post('/api/map', content=b'junk').json()['error']


def test_where_the_head_stands_on_something_else_there_is_no_map(class_view, monkeypatch):
  class_view._maps = ActivationMaps(make_task(Crooked()), make_variables())
  assert class_view.about()['map'] is True
  class_view.warm_up()
  about = class_view.about()
  assert about['map'] is False and 'no map' in about['no_map']
  answer = client_of(class_view).post('/api/map', content=png(halves()))
  assert answer.status_code == 422 and answer.json()['error'] == about['no_map']


def test_people_come_as_predicted_with_the_box_around_them():
  config = base.get_config()
  names = tuple(f'joint_{number}' for number in range(17))
  trained = types.SimpleNamespace(tag_names=names, step=3)
  keypoints = np.tile(np.float32([4, 5, 0.5]), (17, 1))
  people = [{'keypoints': keypoints, 'score': 0.5, 'box_px': np.float32([1, 2, 3, 4])},
            {'keypoints': keypoints, 'score': 0.2, 'box_px': np.full(4, np.nan)}]
  values = {'image': np.zeros((20, 30, 3), np.uint8), 'people': people}
  view = PoseView(config, FixedPredictor(trained, PoseAnswers(trained, config.predict), values))
  answer = client_of(view).post('/api/predict', content=picture()).json()['pictures'][0]
  assert answer['size_px'] == [30, 20]
  assert [person['box_px'] for person in answer['people']] == [[1, 2, 3, 4], None]
  assert answer['people'][0]['keypoints'][16] == [4, 5, 0.5]
  told = client_of(view).get('/api/model').json()
  assert told['names'][0] == 'joint_0' and [5, 6] in told['limbs']
