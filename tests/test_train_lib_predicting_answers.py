"""What is said of a picture: thresholds of tags, the most probable classes, people."""

import types

import numpy as np
import pytest

from configs import base
from errors import UserError
from train_lib.predicting.answers import ClassAnswers, PoseAnswers, TagAnswers

NAMES = ('safe', 'lewd', 'hat', 'cat', 'alice', 'bob')
KINDS = ('rating', 'rating', 'general', 'general', 'character', 'character')


def tagger(thresholds=None, **settings):
  trained = types.SimpleNamespace(
      task=types.SimpleNamespace(scored=np.array([kind != 'rating' for kind in KINDS])),
      tag_names=NAMES, tag_categories=KINDS, step=9,
      thresholds={'micro': 0.4} if thresholds is None else thresholds)
  return TagAnswers(trained, section(**settings))


def section(**settings):
  predict = base.get_config().predict
  for key, value in settings.items():
    predict[key] = value
  return predict


def describe(answers, *probabilities):
  return answers.describe({'probabilities': np.array(probabilities, np.float32)})


def test_tags_above_the_tuned_threshold_come_with_the_best_rating_most_probable_first():
  assert describe(tagger(), 0.2, 0.3, 0.41, 0.9, 0.4, 0.1) == {
      'rating': 'lewd', 'tags': {'cat': 0.9, 'hat': 0.41}}


def test_a_category_may_have_a_threshold_of_its_own():
  answers = tagger(category_thresholds=(('character', 0.75),))
  assert describe(answers, 1, 0, 0.5, 0.3, 0.7, 0.8)['tags'] == {'bob': 0.8, 'hat': 0.5}
  assert answers.how == ' at threshold 0.400, 0.750 of character'


def test_thresholds_of_all_categories_need_no_tuned_one():
  pairs = (('general', 0.35), ('character', 0.75))
  answers = tagger({}, category_thresholds=pairs)
  assert answers.how == ' at threshold 0.350 of general, 0.750 of character'
  with pytest.raises(UserError, match='step 9 was not measured'):
    tagger({}, category_thresholds=pairs[:1])


@pytest.mark.parametrize('pairs', [
    (('characters', 0.5),), (('character', 1.5),), (('character', '0.5'),), ('character',)])
def test_a_wrong_category_or_threshold_is_told_with_the_choices(pairs):
  with pytest.raises(UserError, match='general, character, copyright, artist, meta'):
    tagger(category_thresholds=pairs)


def test_a_threshold_that_is_no_probability_is_told():
  with pytest.raises(UserError, match='predict.threshold is 35; expected a probability'):
    tagger(threshold=35.0)


@pytest.mark.parametrize('make', [ClassAnswers, PoseAnswers])
@pytest.mark.parametrize('settings', [
    {'threshold': 0.5}, {'category_thresholds': (('general', 0.5),)}])
def test_thresholds_are_for_tags_alone(make, settings):
  with pytest.raises(UserError, match='which is for tags'):
    make(types.SimpleNamespace(tag_names=('a',)), section(**settings))


def test_joints_are_written_with_a_hundredth_of_a_pixel():
  answers = PoseAnswers(types.SimpleNamespace(tag_names=('nose',)), section())
  person = {'score': 0.123456, 'keypoints': np.array([[1.23456, 2, 0.98761]], np.float32)}
  assert answers.describe({'people': [person]}) == {
      'people': [{'score': 0.1235, 'keypoints': [[1.23, 2.0, 0.9876]]}]}
