"""From a config's names to data: what is done to a source's examples, and loaders of it."""

from collections.abc import Callable

import jax
import numpy as np

from data import duplicates, operations
from data.balance import oversample
from data.batch import Source
from data.boxed import Boxed
from data.detections import read_detections
from data.loader import Loader
from data.subset import Subset, part_rows
from errors import UserError
from train_lib import parallel
from train_lib.split_statistics import even_sample

PIXEL_SAMPLE = 10_000             # pictures that mean and deviation are measured on, at most
# Keys of the `data` section that change nothing of what evaluation reads of given data.
TRAINING_ALONE = (
    'augment', 'rotation_deg', 'scale_frac', 'translate_frac', 'cutout_frac', 'colour_frac',
    'crop_least_frac', 'crop_aspect', 'randaugment_count', 'randaugment_magnitude', 'oversample',
    'pixels', 'path', 'dir', 'table')
# Keys of a batch, besides the picture, that a task predicts from.
INPUT_KEYS = {'tagging': (), 'classification': (), 'pose': ('crop_to_source',),
              'autoencoding': ()}
CROP_ASPECT = 3 / 4               # width over height of a person's crop


def with_boxes(source: Source, boxes, rows=None) -> Source:
  """Pictures with one box each.

  Args: boxes: of `data.boxed.Boxed`; rows: int [N], the picture of each; None: of each picture one.
  """
  return Boxed(source if rows is None else Subset(source, rows, 'boxes'), boxes)


def read_boxes(path: str, least_score: float, image_ids: list) -> tuple:
  """(int [D] pictures, float32 [D, 4] boxes, float32 [D] scores, [what was left out]) of a file.

  Args: as those of `data.detections.read_detections`; image_ids: what the pictures are called.
  Raises: UserError: no such file, one of another form, or no box of any of the pictures.
  """
  found = read_detections(path, least_score)
  number_of = {image_id: number for number, image_id in enumerate(image_ids)}
  rows = np.array([number_of.get(image_id, -1) for image_id in found.image_ids])
  if (rows < 0).all():
    raise UserError(f"'{path}' has no box of any of the {len(image_ids):,} pictures: its "
                    f'first image_id is {found.image_ids[0]!r}, that of the first picture '
                    f'{image_ids[0]!r}')
  known = np.flatnonzero(rows >= 0)
  known = known[np.argsort(rows[known], kind='stable')]
  others = len(rows) - len(known)
  notes = [*found.notes, *([f'{others:,} in other pictures'] if others else [])]
  return rows[known], found.box_px[known], found.scores[known], notes


def picture_shape(config) -> tuple[int, int]:
  """(height, width) in px of the pictures that the net takes."""
  side_px = config.data.image_size_px
  return side_px, round(side_px * CROP_ASPECT) if config.task == 'pose' else side_px


def blank_pictures(config, rows: int = 1) -> np.ndarray:
  """Black pictures as the net takes them from a batch: uint8 [rows, H, W, 3], of scans float32
  [rows, H, W, 1]."""
  if config.task == 'autoencoding':
    return np.zeros((rows, *picture_shape(config), 1), np.float32)
  return np.zeros((rows, *picture_shape(config), 3), np.uint8)


def build_pipeline(config, *, train: bool, corrupt: bool = True) -> tuple:
  """What is done to an example; see `data.operations.build_pipeline`."""
  return operations.build_pipeline(
      config.data, train=train, persons=config.task == 'pose',
      scans=config.task == 'autoencoding', corrupt=corrupt)


def build_loader(config, source: Source, *, train: bool, batch_size: int,
                 keys: tuple[str, ...] = ('image', 'tags'), **options) -> Loader:
  """A loader of this process's share of each batch. Args: keys: of the batch; options: Loader's."""
  return Loader(
      source, build_pipeline(config, train=train), batch_size=batch_size, train=train,
      keys=keys, **options,
      seed=config.seed, workers=config.runtime.workers,
      processes=config.runtime.worker_processes,
      deadline_sec=config.runtime.loader_deadline_sec,
      shard_index=jax.process_index(), shard_count=jax.process_count())


def build_learned_source(config, source: Source, poll: Callable[[], None]
                         ) -> tuple[Source, np.ndarray]:
  """(what training reads, int64: the place in the training split of each of its examples).

  They differ where rare classes are read more often than they are there; of the pictures of such a
  class that come once more than others, every run reads the same.
  """
  learned = oversample(source, config.data.oversample, 0, poll)
  return learned, np.arange(len(source)) if learned is source else learned.rows


def build_pixel_loader(config, source: Source) -> Loader:
  """An even sample of the training split as evaluation reads it, pictures alone."""
  sample = Subset(source, even_sample(len(source), PIXEL_SAMPLE), 'a sample')
  return build_loader(config, sample, train=False, keys=('image',), bad_limit_frac=1.0,
                      batch_size=config.eval.batch_size).whole()


def build_evaluation_loader(config, source: Source, keys: tuple[str, ...] = ()) -> Loader:
  """Every example of a source once, as it is. Args: keys: of the batch; () all that is known."""
  parallel.check_batch_size('eval.batch_size', config.eval.batch_size, parallel.make_mesh())
  return build_loader(config, source, train=False, batch_size=config.eval.batch_size,
                      keys=keys or ('image', *INPUT_KEYS[config.task], *truth_keys(config, source)))


def truth_keys(config, source: Source) -> tuple[str, ...]:
  """The keys of a batch that tell what is true of a picture: of a scan, the scan itself."""
  return ('target', 'known') if config.task == 'autoencoding' else source.truth_keys


def describe_reading(config, source: Source, split: str) -> dict:
  """All that decides which pixels evaluation reads of a split, and in which order; JSON values."""
  section = {key: value for key, value in config.data.to_dict().items()
             if key not in TRAINING_ALONE}
  return {'data': source.fingerprint, 'split': split, 'examples': len(source), 'section': section,
          'task': config.task, 'pipeline': repr(build_pipeline(config, train=False))}


def build_folds(source: Source, num_folds: int, poll: Callable[[], None]
                ) -> list[tuple[Source, Source]]:
  """(what to train on, what to judge) of each fold: every example is judged in one of them.

  Args: num_folds: at least 2; poll: called often while the pictures are read; may raise to stop.
  """
  parts = part_rows(source, num_folds, poll)
  every = np.arange(len(source))
  return [(Subset(source, np.setdiff1d(every, rows), f'all but part {number} of {num_folds}'),
           Subset(source, rows, f'part {number} of {num_folds}'))
          for number, rows in enumerate(parts, 1)]


def read_pictures(config, source: Source, what: str,
                  poll: Callable[[], None]) -> duplicates.Pictures:
  """Every picture of a split, read and hashed once. Args: what: which they are, in words."""
  return duplicates.read_pictures(source, max_pixels=config.data.max_pixels,
                                  workers=config.runtime.workers, what=what, poll=poll)


def find_duplicates(splits: list[duplicates.Pictures]) -> duplicates.Pairs:
  """Pairs of alike pictures among all splits. Args: splits: of `read_pictures`, train first."""
  return duplicates.find_pairs(splits)
