"""What feeds a large run: bytes of a picture, pictures/s of a core, an epoch's permutation.

Part of `python -m benchmarks.scale_parts`. Pictures are drawn ones (`toon`) and the two photographs
that come with scikit-learn, stored as JPEG at 256 and 512 px and read at 256 px with the
augmentation of configs/tagger.py:board. A loader with no workers makes batches in the caller's
thread, which is one core; it is timed by the processor's own clock, which a noisy machine changes
less. With worker processes every batch passes through the main process once; how much of that
process's time a picture takes bounds what one main process can be fed with.
"""

import dataclasses
import itertools
import tempfile
import time

import cv2
import numpy as np

from benchmarks.scale_figures import duration, figure, rate, seconds_of
from configs import tagger
from data.loader import Loader
from data.pool import run_ahead
from train_lib import build_data, build_sources

SIDES_PX = (256, 512)
DRAWN = 32                        # different pictures; they are read again and again
QUALITY = 90                      # of JPEG, of photographs
ROWS = 7_000_000


@dataclasses.dataclass(frozen=True)
class Given:
  """A source of the same few pictures again and again. Attributes: pictures: undecoded bytes."""
  pictures: tuple[bytes, ...]
  size: int
  max_tags: int = 35
  max_ignored: int = 0

  def __len__(self):
    return self.size

  def __getitem__(self, index):
    return {'id': str(index), 'image_bytes': self.pictures[index % len(self.pictures)],
            'tags': np.arange(self.max_tags, dtype=np.int32)}


def measure(flags) -> dict[str, dict]:
  """Figures by name. Args: flags: of `scale_parts`: batch, repeats, folder."""
  cv2.setNumThreads(1)
  config = tagger.get_config('board')
  found, sets = {}, {f'{kind}, {side_px} px': make(side_px, flags.folder)
                     for side_px in SIDES_PX
                     for kind, make in (('drawn', _drawn), ('photographs', _photographs))}
  for name, pictures in sets.items():
    found[f'JPEG of a picture: {name}'] = figure(
        np.mean([len(one) for one in pictures]) / 1024, 'KiB')
  for name, pictures in sets.items():
    found[f'read by one core: {name}'] = _alone(config, pictures, flags)
  pictures = sets[f'drawn, {SIDES_PX[0]} px']
  for kind in ('threads', 'processes'):
    config.runtime.worker_processes = kind == 'processes'
    found[f'read by two {kind}'] = _together(config, pictures, flags)
  return {**found, **_taken_in(flags), **_permutation(flags)}


def _drawn(side_px, folder):
  config = tagger.get_config()
  config.data.drawn_size_px, config.data.num_train = side_px, DRAWN
  with tempfile.TemporaryDirectory(dir=folder) as scratch:
    source = build_sources.build_sample(config, scratch, lambda: None)
    return tuple(source[index]['image_bytes'] for index in range(DRAWN))


def _photographs(side_px, folder):
  """Squares of the photographs, which are 427 px high: at 512 px they are a little too smooth."""
  del folder
  from sklearn.datasets import load_sample_images
  result = []
  for image in load_sample_images().images:
    side = min(image.shape[:2])
    for left in (0, image.shape[1] - side):
      square = cv2.resize(image[:side, left:left + side, ::-1], (side_px, side_px),
                          interpolation=cv2.INTER_AREA if side_px < side else cv2.INTER_CUBIC)
      result.append(cv2.imencode('.jpg', square, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
  return tuple(result)


def _loader(config, pictures, batch_size, **options):
  config.runtime.workers = options.pop('workers')
  return build_data.build_loader(config, Given(pictures, 100_000), train=True,
                                 batch_size=batch_size, **options)


def _alone(config, pictures, flags):
  """Pictures/s of the caller's thread."""
  loader = _loader(config, pictures, flags.batch, workers=0)
  numbers = itertools.count()
  return rate(flags.batch, seconds_of(
      lambda: loader.make_batch(next(numbers)), flags.repeats, clock=time.process_time),
      'pictures/s of processor time')


def _together(config, pictures, flags):
  """Pictures/s of two workers, once they run."""
  loader = _loader(config, pictures, flags.batch, workers=2)
  batches = loader.batches(0, 10_000)
  for _ in range(4):
    next(batches)
  count = 4                       # two of each worker, so that none waits for what was made ahead
  result = rate(count * flags.batch, seconds_of(
      lambda: [next(batches) for _ in range(count)], flags.repeats), 'pictures/s')
  batches.close()
  return result


def make_blank(rows: int) -> dict:
  """A batch as it travels, of black pictures, made in no time: uint8 [rows, 256, 256, 3], tags."""
  return {'image': np.zeros((rows, SIDES_PX[0], SIDES_PX[0], 3), np.uint8),
          'tags': np.zeros((rows, 35), np.int32), 'mask': np.ones(rows, np.float32)}


def _taken_in(flags):
  """What the main process spends on a picture that a worker process has made."""
  batches = run_ahead(make_blank, [flags.batch] * 10_000, workers=1, processes=True,
                      deadline_sec=60.0)
  spent, count = [], 8
  for _ in range(4):
    next(batches)
  for _ in range(flags.repeats):
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
      next(batches)
    spent.append(((time.process_time() - cpu) / count / flags.batch,
                  (time.perf_counter() - started) / count / flags.batch))
  batches.close()
  main_sec, wall_sec = zip(*spent, strict=True)
  return {"main process's time for a picture of a worker process": duration(main_sec, 'us'),
          'one pipe': rate(1, list(wall_sec), 'pictures/s')}


def _permutation(flags):
  """The order of an epoch of 7 million pictures, and a batch's rows in it once it is known."""
  epochs = iter(range(1_000))
  loader = Loader(Given((b'',), ROWS), (), batch_size=flags.batch, train=True)
  steps = ROWS // flags.batch
  fresh = seconds_of(lambda: loader.train_rows(next(epochs) * (steps + 1), 1), 5, warm_ups=0)
  known = seconds_of(lambda: loader.train_rows(4 * (steps + 1), 1), flags.repeats)
  return {'order of an epoch of 7,000,000': duration(fresh, 's'),
          '... held by every process that reads': figure(
              np.arange(1).nbytes * ROWS / 2**20, 'MiB an epoch'),
          'rows of a batch once it is known': duration(known, 'us')}
