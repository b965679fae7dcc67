"""Pose: where the joints of the one person in a crop are, by a heatmap for each."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError
from train_lib.poses import coco_keypoints, heatmaps
from train_lib.poses.pose_collector import Collected, PoseCollector
from train_lib.tasks.pixels import normalise
from train_lib.tasks.reductions import masked_mean, masked_sum, mean_loss

LOSS_SCALE = 0.5                  # as published


@dataclasses.dataclass(frozen=True)
class Pose:
  """A net with one heatmap per joint, and an element-wise loss from heatmaps and target heatmaps.

  Attributes:
    net: a Linen module with 17 outputs, heatmaps of a quarter of the crop's sides.
    loss_function: (heatmaps [B, h, w, K], targets [B, h, w, K]) -> [B, h, w, K].
    mean, deviation: of a picture's channels, in 0..255; what the net subtracts and divides by.
    sigma, rounded: of the target heatmaps, as those of `heatmaps.encode`.
    flip_test: whether joints are those of the mean of a crop's heatmaps and of its mirror's.
    refine: of `heatmaps.decode`.
    shrink: 1; heatmaps of smaller crops would need bumps of another size.

  Raises:
    UserError: shrink is not 1.
  """
  net: Any
  loss_function: Callable
  mean: tuple[float, ...]
  deviation: tuple[float, ...]
  sigma: float
  rounded: bool
  flip_test: bool
  refine: str
  shrink: int = 1

  best_metric = 'ap'              # of the validation split, by which a checkpoint is best
  output_axes = 4                 # of the net's output: [B, h, w, K]
  batch_keys = ('keypoints',)     # of a batch, besides the picture, that training needs
  exclusive = False               # a picture has any number of what the outputs stand for
  num_joints = len(heatmaps.MIRRORED_JOINTS)

  def __post_init__(self):
    if self.shrink != 1:
      raise UserError(f'train.shrink is {self.shrink}; a pose net sees its crops in their own size '
                      'alone: leave it 1')

  def init(self, key: jax.Array, batch: dict) -> dict:
    """Fresh variables {'params', 'batch_stats'} for crops of the batch's size."""
    return self.net.init(key, self._pixels(batch['image'])[:1], train=False)

  def loss(self, variables: dict, batch: dict, rngs: dict, step=0) -> tuple[jax.Array, dict]:
    """The mean loss of the batch's real rows, and the net's new statistics.

    Args: rngs: 'dropout' for the net; step: not used.
    Raises: UserError: the net's heatmaps are of another size or number.
    """
    del step
    (output, _), changed = self.net.apply(
        variables, self._pixels(batch['image']), train=True, rngs=rngs, mutable=['batch_stats'])
    losses = self._losses(output, batch)
    return masked_mean(losses, batch['mask']), changed.get('batch_stats', {})

  def tally(self, variables: dict, batch: dict) -> dict:
    """Sums over real rows: 'loss' and 'examples', their number."""
    losses = self._losses(self._heatmaps(variables, batch['image']), batch)
    return {'loss': masked_sum(losses, batch['mask']), 'examples': batch['mask'].sum()}

  def predict(self, variables: dict, batch: dict) -> dict:
    """'keypoints', float32 [B, 17, 3]: x px, y px in the picture, not the crop, and score."""
    heat = self._heatmaps(variables, batch['image'])
    if self.flip_test:
      mirrored = self._heatmaps(variables, batch['image'][:, :, ::-1])
      heat = heatmaps.average_flipped(heat, mirrored)
    joints = heatmaps.decode(heat, refine=self.refine, sigma=self.sigma)
    return {'keypoints': move_points(joints, batch['crop_to_source'])}

  def truth(self, batch: dict) -> dict:
    """What `measure` compares with, on the host.

    'keypoints' [B, 17, 3], x px and y px in the picture and visibility; 'box_px', 'area_px2',
    'picture' and 'box_score' as they are; 'crop_area_px2' [B], of the crop in the picture.
    """
    matrices = np.asarray(batch['crop_to_source'])
    height, width = batch['image'].shape[1:3]
    areas = np.abs(np.linalg.det(matrices[:, :, :2])) * np.float32(height * width)
    return {'keypoints': move_points(batch['keypoints'], matrices), 'crop_area_px2': areas,
            **{key: batch[key] for key in ('box_px', 'area_px2', 'picture', 'box_score')}}

  def collector(self, loader: Any, thresholds: dict | None = None) -> PoseCollector:
    """Takes the rows of a split as they come.

    Args: loader: of the split, whose source has `people`; thresholds: not used.
    """
    del thresholds
    return PoseCollector(loader.num_examples, loader.source.people)

  def tune(self, collected: Collected) -> dict:
    """{}: there is no threshold to tune."""
    del collected
    return {}

  def measure(self, totals: dict, collected: Collected, thresholds: dict) -> dict[str, float]:
    """'loss', 'examples' and what `figures` gives. Args: as those of `figures`."""
    return {**mean_loss(totals), **self.figures(collected, thresholds)}

  def figures(self, collected: Collected, thresholds: dict) -> dict[str, float]:
    """What `coco_keypoints.evaluate` gives. Args: thresholds: not used."""
    del thresholds
    return coco_keypoints.evaluate(collected.people, collected.detections)

  def summary(self, metrics: dict[str, float]) -> str:
    """The figures of `measure` that a person follows, in a line."""
    return (f'loss {metrics["loss"]:.6f}  AP {metrics["ap"]:.4f}  AP .5 {metrics["ap50"]:.4f}  '
            f'AP .75 {metrics["ap75"]:.4f}  AR {metrics["ar"]:.4f}')

  def _pixels(self, image):
    return normalise(image, self.mean, self.deviation)

  def _heatmaps(self, variables, image):
    return self.net.apply(variables, self._pixels(image), train=False)[0]

  def _losses(self, output, batch):
    """[B]: half the mean over the heatmap's px and over all 17 joints of the squared error, which
    is 0 of a joint that is not labelled: it counts in the mean all the same."""
    height, width = (side // heatmaps.STRIDE_PX for side in batch['image'].shape[1:3])
    if output.shape[1:] != (height, width, self.num_joints):
      raise UserError(f'the net gives heatmaps {list(output.shape[1:])}; the crops need '
                      f'{[height, width, self.num_joints]}: choose a net of another kind')
    targets, weights = heatmaps.encode(
        batch['keypoints'], height, width, sigma=self.sigma, rounded=self.rounded)
    losses = self.loss_function(output, targets) * weights[:, None, None]         # [B, h, w, K]
    return LOSS_SCALE * losses.mean(axis=(1, 2, 3))


def move_points(points, matrices):
  """Points [B, K, 3] moved by matrices [B, 2, 3], of jax or numpy; the third column stays."""
  places = (points[..., None, :2] * matrices[:, None, :, :2]).sum(axis=-1) + matrices[:, None, :, 2]
  library = np if isinstance(points, np.ndarray) else jnp
  return library.concatenate([places, points[..., 2:]], axis=-1)
