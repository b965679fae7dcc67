"""Features of scans are those of the judge's own net; better scans are nearer."""

import numpy as np
import pytest

from errors import UserError
from tests import small_classes
from tests.small_scans import DEVIATION, MEAN, SIDE, Split, make_config, make_squares, make_trained
from train_lib import workdir as workdir_lib
from train_lib.scans import scan_judge
from train_lib.scans.scan_judge import Judge, blur, judge_drawn, open_judge
from train_lib.trained import Trained

NEVER = lambda: None                                                     # noqa: E731


def own(rows=4):
  return Judge('own', make_config(), make_trained(), rows)


def test_features_are_those_of_the_encoder_whatever_the_batch():
  pictures = make_squares(7, 0)
  wanted = ((pictures[:, 2::4, 2::4, 0] - MEAN[0]) / DEVIATION[0]).reshape(7, -1)
  for rows in (1, 4, 8):
    np.testing.assert_allclose(own(rows).features(pictures), wanted, atol=1e-5)


def test_scans_of_another_size_are_made_as_the_judge_takes_them():
  pictures = make_squares(3, 0)
  larger = pictures.repeat(3, axis=1).repeat(3, axis=2)
  np.testing.assert_allclose(own().features(larger), own().features(pictures), atol=1e-5)


def test_a_classifier_sees_grey_scans_in_colour(tmp_path, monkeypatch):
  config = make_config()
  saved = make_config()
  saved.task, saved.data.image_size_px = 'classification', 8
  workdir_lib.save_config(tmp_path / 'config.json', saved)
  config.synthesize.judge = str(tmp_path)
  opened = Trained(task=small_classes.make_task(), mesh=make_trained().mesh,
                   variables=small_classes.make_variables(), tag_names=(), tag_categories=(),
                   thresholds={}, step=1)
  monkeypatch.setattr(scan_judge, 'open_trained', lambda *_: opened)
  judge = open_judge(config, make_trained())
  pictures = make_squares(5, 0)
  found, grey = judge.features(pictures), 255 * pictures.mean(axis=(1, 2, 3))
  assert judge.name == f"the net of '{tmp_path}'" and found.shape == (5, 3)
  np.testing.assert_allclose(found, np.repeat((grey[:, None] - 128) / 64, 3, axis=1), atol=0.02)
  assert config.task == 'autoencoding'


@pytest.mark.parametrize('task, message', [
    ('pose', "run of the task 'pose'; name one of autoencoding, classification, tagging"),
    ('', 'is not the folder of a run')])
def test_a_judge_of_another_kind_is_told(tmp_path, task, message):
  config = make_config()
  config.synthesize.judge = str(tmp_path)
  if task:
    saved = make_config()
    saved.task = task
    workdir_lib.save_config(tmp_path / 'config.json', saved)
  with pytest.raises(UserError, match=message):
    open_judge(config, make_trained())


def measure(drawn, **loaders):
  loaders = {'train': Split(60, 1), 'test': Split(50, 2), **loaders}
  return judge_drawn(own(), own().features(drawn), loaders, NEVER)


def test_scans_of_the_same_kind_are_as_near_as_the_training_split_and_others_are_not():
  alike, others = measure(make_squares(40, 3)), measure(make_squares(40, 3, spread=0.02))
  assert alike.train == others.train
  assert alike.drawn == pytest.approx(alike.train, rel=0.5) and others.drawn > 3 * alike.drawn
  assert alike.scans == {'drawn': 40, 'train': 40, 'blurred': 40, 'test': 50}
  assert alike.features == 16


def test_all_three_distances_are_of_as_many_scans():
  quality = measure(make_squares(80, 3), train=Split(20, 1, unreadable=(3, 4)))
  assert quality.scans == {'drawn': 18, 'train': 18, 'blurred': 18, 'test': 50}


def test_blur_takes_detail_and_keeps_brightness():
  picture = np.random.default_rng(0).random((64, 64, 1)).astype(np.float32)
  blurred = blur(picture)
  assert blurred.shape == picture.shape and blurred.std() < 0.3 * picture.std()
  assert blurred.mean() == pytest.approx(picture.mean(), abs=0.01)


def test_a_split_of_which_nothing_can_be_read_is_told():
  for split in ('train', 'test'):
    with pytest.raises(UserError, match=r"synthesize.judge='none'"):
      measure(make_squares(5, 3), **{split: Split(3, 1, unreadable=(0, 1))})


def test_clean_scans_come_evenly_and_only_those_that_can_be_read():
  found = list(scan_judge.clean_scans(Split(9, 0, unreadable=(4,)), 5, NEVER))
  assert [index for index, _ in found] == [0, 2, 6, 8]
  assert found[0][1]['target'].shape == (SIDE, SIDE, 1)
