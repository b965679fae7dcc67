"""People of seventeen coloured dots, and a net without parameters that knows the colours."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from configs import pose as pose_page
from losses.squared_error import squared_error
from train_lib import parallel
from train_lib.tasks.pose import Pose
from train_lib.trained import Trained

# Where a standing person's joints are, as shares of her box: x, y; her left is on the right.
PLACES = np.array([
    (.50, .10), (.55, .07), (.45, .07), (.60, .09), (.40, .09), (.70, .22), (.30, .22), (.80, .40),
    (.20, .40), (.85, .55), (.15, .55), (.62, .55), (.38, .55), (.63, .75), (.37, .75), (.64, .95),
    (.36, .95)])
COLOURS = np.array([(64 + 63 * (k % 3), 64 + 63 * (k // 3 % 3), 64 + 190 * (k // 9))
                    for k in range(17)])
GROUND = 20                       # grey of all else


class ColourNet(nn.Module):
  """Heatmaps [B, H/4, W/4, 17] of how near the pixels of a cell are to a joint's colour."""

  @nn.compact
  def __call__(self, image, *, train):
    self.param('unused', nn.initializers.zeros, (1,))
    distance = jnp.square(image[..., None, :] - jnp.asarray(COLOURS, jnp.float32)).sum(-1)
    near = nn.avg_pool(jnp.exp(-distance / 200), (4, 4), strides=(4, 4))
    return near / jnp.maximum(near.max(axis=(1, 2), keepdims=True), 0.05), {}


def make_trained():
  """What `open_trained` gives of a run of such a net."""
  task = Pose(net=ColourNet(), loss_function=squared_error, mean=(0.0,) * 3, deviation=(1.0,) * 3,
              sigma=2.0, rounded=False, flip_test=False, refine='quarter')
  return Trained(task=task, mesh=parallel.make_mesh(jax.devices()[:1]),
                 variables={'params': {'unused': np.zeros(1, np.float32)}}, tag_names=(),
                 tag_categories=(), thresholds={}, step=7)


def make_config():
  """Of such a run."""
  config = pose_page.get_config('smoke')
  config.predict.batch_size, config.runtime.workers, config.runtime.cache_dir = 4, 0, 'off'
  config.checkpoint = 'latest'
  return config


def draw_person(image: np.ndarray, box_px) -> np.ndarray:
  """Paints a person into a picture, uint8 [h, w, 3]; her joints, float [17, 2] px."""
  x, y, width, height = box_px
  joints = np.array([x, y]) + PLACES * (width, height)
  radius = max(2, round(height / 50))
  for (left, top), colour in zip(joints.round().astype(int), COLOURS, strict=True):
    image[max(0, top - radius):top + radius + 1, max(0, left - radius):left + radius + 1] = colour
  return joints.round()


def blank(width_px: int, height_px: int) -> np.ndarray:
  """A picture of nothing."""
  return np.full((height_px, width_px, 3), GROUND, np.uint8)
