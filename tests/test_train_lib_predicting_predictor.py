"""Predictions from Python: paths, bytes and arrays, one after another and from many threads."""

import concurrent.futures

import cv2
import jax
import numpy as np
import pytest

from configs import base
from data.encode import encode_image
from errors import UserError
from tests import scan_files, small_people, small_scans
from tests.small_classes import COLOURS, NAMES, make_task, make_variables
from train_lib import parallel
from train_lib.poses import people_finder
from train_lib.predicting import predictor
from train_lib.predicting.predictor import Predictor
from train_lib.trained import Trained


@pytest.fixture
def classifier(monkeypatch):
  opened = Trained(task=make_task(), mesh=parallel.make_mesh(jax.devices()[:1]),
                   variables=make_variables(), tag_names=NAMES, tag_categories=('general',) * 4,
                   thresholds={}, step=7)
  monkeypatch.setattr(predictor, 'open_trained', lambda *_: opened)
  config = base.get_config()
  config.task, config.data.image_size_px, config.runtime.workers = 'classification', 16, 0
  return Predictor(config, 'unused')


def colour(number):
  return np.full((20, 20, 3), COLOURS[number], np.uint8)


def test_paths_bytes_and_arrays_are_answered_alike(classifier, tmp_path):
  cv2.imwrite(str(tmp_path / 'a.png'), colour(0)[..., ::-1])
  pictures = [tmp_path / 'a.png', str(tmp_path / 'a.png'), (tmp_path / 'a.png').read_bytes(),
              colour(0), encode_image(colour(0), '.png')]
  answers = classifier.predict(pictures)
  assert [answer['label'] for answer in answers] == ['red'] * 5
  assert all(answer == answers[0] for answer in answers)


def test_what_cannot_be_read_says_why_and_the_others_are_answered(classifier, tmp_path):
  answers = classifier.predict([b'no picture', colour(1), tmp_path / 'gone.png', b''])
  assert answers[1]['label'] == 'green'
  assert set(answers[0]) == set(answers[2]) == set(answers[3]) == {'error'}
  assert 'gone.png' in answers[2]['error']
  assert classifier.predict([b'no picture'])[0].keys() == {'error'}
  assert classifier.predict([]) == []


def test_more_pictures_than_a_batch_are_answered_in_their_order(classifier):
  answers = classifier.predict([colour(number % 3) for number in range(70)])
  assert [answer['label'] for answer in answers] == [NAMES[number % 3] for number in range(70)]


def test_few_programs_are_compiled(classifier):
  for number in range(1, 12):
    classifier.predict([colour(0)] * number)
  assert classifier._look._evaluator._run._cache_size() <= 5


def test_threads_get_their_own_answers(classifier):
  with concurrent.futures.ThreadPoolExecutor(8) as threads:
    answers = list(threads.map(lambda number: classifier.predict([colour(number % 3)])[0]['label'],
                               range(24)))
  assert answers == [NAMES[number % 3] for number in range(24)]


def test_values_show_what_the_net_saw(classifier):
  value, = classifier.values([colour(2)])
  assert value['image'].shape == (16, 16, 3) and value['probabilities'].shape == (4,)


@pytest.mark.parametrize('picture', [3, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)),
                                     np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_told(classifier, picture):
  with pytest.raises(UserError, match=r'picture 0 is .*; expected'):
    classifier.predict([picture])


def test_only_an_autoencoder_decodes(classifier):
  with pytest.raises(UserError, match="a net of the task 'classification'"):
    classifier.decode(np.zeros((1, 4)))


def test_the_joints_of_a_person_are_in_px_of_the_whole_picture(monkeypatch):
  monkeypatch.setattr(people_finder, 'open_trained', lambda *_: small_people.make_trained())
  opened = Predictor(small_people.make_config(), 'unused')
  image = small_people.blank(200, 160)
  joints = small_people.draw_person(image, (60, 20, 60, 110))
  value, bad = opened.values([image, b'no picture'])
  person, = value['people']
  sure = person['keypoints'][:, 2] > 0.3
  assert sure.sum() >= 12
  assert np.median(np.abs(person['keypoints'][sure, :2] - joints[sure])) < 5
  assert value['image'].shape == (160, 200, 3) and np.isfinite(person['box_px']).all()
  assert set(bad) == {'error'}
  assert opened.predict([image])[0]['people'][0].keys() == {'score', 'keypoints'}


def test_an_autoencoder_restores_the_middle_slice_in_the_size_it_came(monkeypatch, tmp_path):
  monkeypatch.setattr(predictor, 'open_trained', lambda *_: small_scans.make_trained())
  opened = Predictor(small_scans.make_config(), 'unused')
  scan_files.write_dicom(tmp_path / '1.dcm', scan_files.make_values(20, 30))
  scan_files.write_nifti(tmp_path / 'b.nii.gz', np.arange(1512, dtype=np.int16).reshape(12, 18, 7))
  small_scans.write_png(tmp_path / 'c.png', np.full((24, 16), 0.25))
  files = [tmp_path / name for name in ('1.dcm', 'b.nii.gz', 'c.png')]
  for pictures in (files, [path.read_bytes() for path in files]):
    answers = opened.predict([*pictures, b'no scan'])
    assert [answer['restored'].shape for answer in answers[:3]] == [(20, 30), (18, 12), (24, 16)]
    assert answers[3].keys() == {'error'}
  value, = opened.values([files[2]])
  assert value['slice'].shape == (24, 16) and np.ptp(value['reconstruction']) >= 0
  again = opened.decode(np.stack([value['mean']] * 3))
  np.testing.assert_allclose(again[2], value['reconstruction'], atol=1e-6)


def test_one_picture_in_place_of_a_list_is_told_and_any_sequence_is_taken(classifier):
  for one in ('a.png', b'a', colour(0)):
    with pytest.raises(UserError, match=r'write predict\(\[picture\]\)'):
      classifier.predict(one)
  assert [row['label'] for row in classifier.predict(colour(n) for n in (0, 1))] == ['red', 'green']


def test_a_path_that_cannot_be_one_is_told(classifier):
  assert 'is no path' in classifier.predict(['a\0b.png'])[0]['error']
  assert classifier.predict(['gone.png'])[0]['error'] == "No such file or directory: 'gone.png'"
