"""Class activation maps add up to the logit, and a net without them is found out."""

import numpy as np

from tests.small_classes import Crooked, MeanColour, Split, make_task, make_variables
from train_lib import parallel
from train_lib.classes import activation_map
from train_lib.classes.activation_map import ActivationMaps
from train_lib.classes.class_collector import Pick


def test_the_mean_of_a_map_with_the_bias_is_the_logit():
  task, split = make_task(), Split(5, 0)
  variables = parallel.put_whole(parallel.make_mesh(), make_variables())
  classes = [0, 1, 2, 3, 0]
  maps = ActivationMaps(task, variables).of(split.images, classes)
  assert maps.shape == (5, 6, 6)
  pixels = (split.images.astype(np.float32) - 128) / 64
  logits, _ = task.net.apply(variables, pixels, train=False)
  bias = np.asarray(variables['params']['head']['bias'])
  np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias[classes],
                             np.asarray(logits)[np.arange(5), classes], rtol=1e-4, atol=1e-5)


def test_a_net_whose_head_stands_on_something_else_has_no_map():
  images = Split(3, 0).images
  for net, has_map in ((MeanColour(), True), (Crooked(), False)):
    maps = ActivationMaps(make_task(net), make_variables()).of(images, [0, 1, 2])
    assert (maps is not None) == has_map
  assert activation_map.of_picks(make_task(), make_variables(), [], []) is None


def test_no_class_is_believed_if_another_one_does_not_come_from_the_map():
  class OneOff(MeanColour):
    def __call__(self, image, *, train):
      output, taps = super().__call__(image, train=train)
      return output.at[:, 3].add(5 * output.max()), taps

  maps = ActivationMaps(make_task(OneOff()), make_variables())
  assert maps.of(Split(3, 0).images, [0, 1, 2]) is None


def test_the_map_of_one_picture_is_that_among_many():
  images = Split(4, 0).images
  maps = ActivationMaps(make_task(), make_variables())
  together = maps.of(images, [3, 2, 1, 0])
  for row, place in enumerate([3, 2, 1, 0]):
    np.testing.assert_allclose(maps.of(images[row:row + 1], [place])[0], together[row], atol=1e-5)


def test_a_map_of_one_place_shows_nothing():
  images = [image[:1, :1] for image in Split(2, 0).images]
  picks = [Pick(index=0, id='a.jpg', label=place, drawn_label=-1, probability=0.0,
                top=[(place, 1.0)]) for place in (0, 1)]
  assert activation_map.of_picks(make_task(), make_variables(), picks, images) is None
