"""Where the joints of people in pictures are, by a trained pose net, with boxes or without.

Without a box the net first sees the whole picture. Where it is sure of some joints, it looks again
at the box around them, which is what it was trained on.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable

import numpy as np

from errors import UserError
from train_lib import batch_sizes, build_data, devices
from train_lib import workdir as workdir_lib
from train_lib.evaluation import Evaluator, Untold
from train_lib.reporting import say
from train_lib.storage import records
from train_lib.trained import open_trained
from train_lib.trees import params_digest

KEYS = ('image', 'crop_to_source', 'source_size_px')


@dataclasses.dataclass(frozen=True)
class Found:
  """What was found, a row for each example of a source.

  Attributes:
    ids: of the pictures.
    keypoints: float32 [N, 17, 3], x px, y px in the picture, score.
    size_px: float32 [N, 2], width and height of the picture.
    crop_area_px2: float32 [N], of what the net saw, in the picture.
    readable: bool [N]; what is said of the others is zeros.
    unreadable: [(id, reason)] of these.
  """
  ids: list[str]
  keypoints: np.ndarray
  size_px: np.ndarray
  crop_area_px2: np.ndarray
  readable: np.ndarray
  unreadable: list


class PeopleFinder:
  """A pose net that is ready to look at pictures.

  Args:
    config: of the pose run; `crop`, `predict.batch_size` and `checkpoint` are read of it.
    workdir: of the run.

  Attributes:
    trained: the net; rows: of a batch, may be set.

  Raises:
    UserError: no such run, one of another task, or rows that the devices cannot share evenly.
  """

  def __init__(self, config, workdir):
    if config.task != 'pose':
      raise UserError(f"{workdir} is a run of the task '{config.task}'; people are found by one of "
                      'configs/pose.py')
    self.config = config
    self.trained = open_trained(config, workdir, config.checkpoint)
    self.rows = batch_sizes.resolve('predict.batch_size', config.predict.batch_size,
                                    self.trained.mesh)
    self._evaluator = Evaluator(Untold(self.trained.task), self.trained.mesh)

  def run_blank(self, rows: int) -> None:
    """A batch of black crops goes through the net."""
    batch = {key: np.repeat(value[None], rows, axis=0)
             for key, value in _blank(self.config).items()}
    self._evaluator.run(self.trained.variables, {**batch, 'mask': np.ones(rows, np.float32)})

  def look(self, source, poll: Callable[[], None]) -> Found:
    """The joints of each example, within its `box_px`, or in all of the picture without one."""
    loader = build_data.build_loader(self.config, source, train=False, keys=KEYS,
                                     batch_size=self.rows, bad_limit_frac=1.0,
                                     blank=_blank(self.config))
    ids, columns = [], []
    batches = self._evaluator.predictions(self.trained.variables, loader, poll)
    for batch, predicted, _ in batches:
      ids += batch['id']
      zoom = np.abs(np.linalg.det(batch['crop_to_source'][:, :, :2]))
      columns.append((predicted['keypoints'], batch['source_size_px'],
                      zoom * np.prod(batch['image'].shape[1:3]), batch['mask'] > 0))
    count = len(source)
    keypoints, sizes, areas, readable = (
        np.concatenate(column)[:count] for column in zip(*columns, strict=True))
    return Found(ids[:count], np.where(readable[:, None, None], keypoints, 0), sizes, areas,
                 readable, list(loader.bad_images.reasons().items()))

  def find(self, source, poll: Callable[[], None]) -> Found:
    """The joints of the one person, or the foremost, of each picture; nobody tells where she is.

    Args: source: of pictures, whose boxes are not looked at.
    """
    nobody = np.full((len(source), 4), np.nan)
    first = self.look(build_data.with_boxes(source, nobody), poll)
    boxes = self.boxes(first)
    if not np.isfinite(boxes).any():
      return first
    return dataclasses.replace(
        self.look(build_data.with_boxes(source, boxes), poll), unreadable=first.unreadable)

  def cut(self, source, poll: Callable[[], None]):
    """The pictures with the box of the person in each, who is looked for. Args: as of `find`."""
    return build_data.with_boxes(source, self.boxes(self.find(source, poll)))

  def boxes(self, found: Found) -> np.ndarray:
    """float32 [N, 4]: `joints_box` of every example, by the config's `crop` section."""
    crop = self.config.crop
    return np.stack([
        joints_box(keypoints, size_px, least_score=crop.least_score,
                   least_joints=crop.least_joints, margin_frac=crop.margin_frac)
        for keypoints, size_px in zip(found.keypoints, found.size_px, strict=True)])


def _blank(config) -> dict:
  """An example without a picture."""
  return {'image': build_data.blank_pictures(config)[0],
          'crop_to_source': np.eye(2, 3, dtype=np.float32),
          'source_size_px': np.ones(2, np.float32)}


def joints_box(keypoints: np.ndarray, size_px: np.ndarray, *, least_score: float,
               least_joints: int, margin_frac: float) -> np.ndarray:
  """The box around the confident joints, widened and cut at the picture's edges.

  Args:
    keypoints: [17, 3], x px, y px, score.
    size_px: [2], width and height of the picture.
    least_score: of a joint that counts, if it lies in the picture.
    least_joints: with fewer there is no box.
    margin_frac: added on each side, a share of the longer side of the joints' own box.

  Returns:
    float32 [4]: x, y of the upper left corner, width, height, px; NaN where there is no box.
  """
  inside = ((keypoints[:, :2] >= -0.5) & (keypoints[:, :2] < size_px - 0.5)).all(axis=1)
  points = keypoints[inside & (keypoints[:, 2] >= least_score), :2]
  if len(points) < max(2, least_joints):
    return np.full(4, np.nan, np.float32)
  start, end = points.min(axis=0), points.max(axis=0)
  margin = margin_frac * (end - start).max()
  # the pixels of the outermost joints are in it; the picture ends half a pixel beyond its last
  start, end = np.maximum(start - margin - 0.5, -0.5), np.minimum(end + margin + 0.5, size_px - 0.5)
  if (end - start < 1).any():
    return np.full(4, np.nan, np.float32)
  return np.concatenate([start, end - start]).astype(np.float32)


def open_cutter(config) -> PeopleFinder:
  """What finds the persons that are cut out of pictures, with its own run's settings.

  Args: config: of what wants the boxes; `data.persons.cut_by` is the folder of the pose run.
  Raises: UserError: there is no such folder.
  """
  workdir = config.data.persons.cut_by
  config = workdir_lib.config_of_run(find_cutter(workdir), config)
  config.predict.batch_size = 0   # that of the command is of another net
  return PeopleFinder(config, workdir)


def find_cutter(workdir: str):
  """The folder of the pose net that `data.persons.cut_by` names. Raises: UserError: it is none."""
  try:
    return workdir_lib.existing_workdir(workdir or '/')
  except UserError as error:
    raise UserError(f"the persons are cut out of pictures by the pose net of '{workdir}', which is "
                    'not there; name the folder of its run or of its export with '
                    '--config.data.persons.cut_by=') from error


def found_boxes(config, source, poll: Callable[[], None]) -> np.ndarray:
  """float32 [N, 4]: the box of the person in each picture of a source, found once and kept.

  Args:
    config: as that of `open_cutter`; `runtime.features_dir` is where boxes are kept.
    source: of pictures.
    poll: called often; may raise to stop.
  """
  finder = open_cutter(config)
  about = {'weights': params_digest(finder.trained.variables), 'data': source.fingerprint,
           'crop': finder.config.crop.to_dict(), 'pose': finder.config.pose.to_dict(),
           'height_px': finder.config.data.image_size_px}
  name = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
  path = devices.cache_folder(config.runtime.features_dir, 'boxes') / f'boxes-{name}.json'
  try:
    boxes = np.array(records.read_json(path)['boxes'], np.float32).reshape(-1, 4)
    if len(boxes) == len(source):
      return boxes
  except (UserError, OSError, ValueError, KeyError, TypeError):
    pass                          # absent or damaged: found again
  say(f'looking for the person in each of {len(source):,} pictures, once')
  boxes = _rounded(finder.boxes(finder.find(source, poll)))
  path.parent.mkdir(parents=True, exist_ok=True)
  records.write_json(path, {'about': about, 'boxes': boxes.tolist()})
  return boxes


def _rounded(boxes) -> np.ndarray:
  return np.array([[round(float(value), 2) for value in box] for box in boxes], np.float32)
