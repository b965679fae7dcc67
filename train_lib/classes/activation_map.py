"""Where in a picture a classifier sees its class: class activation maps.

A head that is a dense layer over the mean of a feature map can be moved in front of the mean: each
place then has a share of the logit, and the mean of the shares, with the head's bias, is the logit.
Source: Zhou, Khosla, Lapedriza, Oliva, Torralba, Learning Deep Features for Discriminative
Localization, 2016, arXiv 1512.04150, equation 2; differs by a mean in place of the sum.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from train_lib.classes.class_collector import Pick
from train_lib.tasks.pixels import normalise

ROWS = 20                         # pictures of a program, the last ones of it may be empty
TOLERANCE = 2e-3                  # of the mean of the map, by its largest value: bfloat16


class Activations(NamedTuple):
  """Pictures with the maps of the classes that are said of them, n each."""
  picks: list[Pick]
  images: list[np.ndarray]        # uint8 [H, W, 3]
  maps: np.ndarray                # float32 [n, h, w]


def of_picks(task, variables: dict, picks: Sequence[Pick],
             images: Sequence[np.ndarray]) -> Activations | None:
  """The maps of the first ROWS pictures, of the most probable class of each.

  Args: task, variables: of a classifier; picks, images: uint8 [H, W, 3] each, of one size.

  Returns:
    None where the net's head does not stand on the mean of a feature map, where that map has only
    one place, as of very small pictures, or where there is no picture.
  """
  picks, images = list(picks[:ROWS]), list(images[:ROWS])
  if not picks:
    return None
  maps = activation_maps(task, variables, np.stack(images), [pick.top[0][0] for pick in picks])
  return None if maps is None or maps[0].size == 1 else Activations(picks, images, maps)


def activation_maps(task, variables: dict, images: np.ndarray, classes: Sequence[int]
                    ) -> np.ndarray | None:
  """The share that each place of a picture has in the logit of a class.

  Args:
    task: with `net`, `mean` and `deviation`; variables: of the net.
    images: uint8 [n, H, W, 3], ROWS at most; classes: int [n].

  Returns:
    float32 [n, h, w], whose mean over a picture is the logit without the head's bias; None where
    the net has no such map, which is found out from its values.
  """
  rows = np.zeros((ROWS, *images.shape[1:]), np.uint8)
  rows[:len(images)] = images
  taps = jax.device_get(_taps(task, variables, rows))
  kernel = np.asarray(variables['params']['head']['kernel'], np.float32)       # [C, K]
  if taps is None or taps['features'].shape[-1:] != kernel.shape[:1]:
    return None
  map_2d = taps['features_2d'].astype(np.float32)[:len(images)]                # [n, h, w, C]
  mean, features = map_2d.mean(axis=(1, 2)), taps['features'][:len(images)]
  if mean.shape != features.shape or (
      np.abs(mean - features).max() > TOLERANCE * np.abs(map_2d).max()):
    return None
  return np.einsum('nhwc,cn->nhw', map_2d, kernel[:, list(classes)])


def _taps(task, variables, images):
  @jax.jit
  def run(variables, images):
    _, taps = task.net.apply(
        variables, normalise(images, task.mean, task.deviation), train=False)
    wanted = ('features_2d', 'features')
    return {name: taps[name] for name in wanted} if taps.keys() >= set(wanted) else None
  return run(variables, images)
