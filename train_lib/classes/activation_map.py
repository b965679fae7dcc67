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

ROWS = 20                         # pictures of a report
NEAR = 0.02                       # of the largest logit: so near is the same, in bfloat16 too


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
  maps = ActivationMaps(task, variables).of(np.stack(images), [pick.top[0][0] for pick in picks])
  return None if maps is None else Activations(picks, images, maps)


class ActivationMaps:
  """The maps of pictures, by a program that is compiled once for each number of them.

  Args: task: a classifier, with `net`, `mean` and `deviation`; variables: of the net.
  """

  def __init__(self, task, variables: dict):
    self._variables = variables
    self._run = jax.jit(lambda variables, images: task.net.apply(
        variables, normalise(images, task.mean, task.deviation), train=False))

  def of(self, images: np.ndarray, classes: Sequence[int]) -> np.ndarray | None:
    """The share that each place of a picture has in the logit of a class.

    Args: images: uint8 [n, H, W, 3], as the net sees them; classes: int [n].

    Returns:
      float32 [n, h, w], whose mean over a picture is the logit without the head's bias; None where
      the net has no such map, which is found out from its values, or one of a single place.
    """
    logits, taps = jax.device_get(self._run(self._variables, images))
    head = self._variables['params'].get('head', {})
    if 'features_2d' not in taps or 'kernel' not in head:
      return None
    kernel = np.asarray(head['kernel'], np.float32)                            # [C, K]
    map_2d = np.asarray(taps['features_2d'], np.float32)                       # [n, h, w, C]
    if map_2d.shape[-1] != len(kernel) or map_2d[0, ..., 0].size == 1:
      return None
    shares = np.einsum('nhwc,cn->nhw', map_2d, kernel[:, list(classes)])
    told = map_2d.mean(axis=(1, 2)) @ kernel + np.asarray(head.get('bias', 0), np.float32)
    if np.abs(told - logits).max() > NEAR * max(np.abs(logits).max(), np.abs(shares).max()):
      return None
    return shares
