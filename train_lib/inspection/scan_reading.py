"""The slices of scans, every one of them read once."""

import concurrent.futures
from typing import NamedTuple

import numpy as np

from train_lib import build_data
from train_lib.reporting import counted, say

CHUNK = 32                        # slices that one thread reads at a time


class Scans(NamedTuple):
  """All slices of a split. N slices, T tags."""
  ids: list                       # [N]
  tag_counts: np.ndarray          # int64 [T]
  unreadable: list                # of (index, reason)
  patients: set                   # as the examples tell
  means: np.ndarray               # float32 [N], of a slice's pixels in 0..1; NaN where unreadable
  black: np.ndarray               # float32 [N], share of pixels that are 0
  white: np.ndarray               # float32 [N], share of those that are 1


def read_scans(config, source, what: str, poll) -> Scans:
  """Reads and decodes every slice of a split, by its window, in the size it has.

  Args: what: which they are, in words; poll: called now and then, may raise to stop.
  """
  decode = build_data.build_pipeline(config, train=False, corrupt=False)[0]
  size = len(source)
  found = Scans([''] * size, np.zeros(len(source.tag_names), np.int64), [], set(),
                *(np.full(size, np.nan, np.float32) for _ in range(3)))

  def read_chunk(first):
    return [_read_one(source, decode, index) for index in range(first, min(first + CHUNK, size))]

  say(f'reading {counted(size, f"{what} slice")}')
  threads = concurrent.futures.ThreadPoolExecutor(max(1, config.runtime.workers))
  try:
    for first, rows in zip(range(0, size, CHUNK), threads.map(read_chunk, range(0, size, CHUNK)),
                           strict=True):
      poll()
      for index, row in enumerate(rows, first):
        _note(found, index, *row)
  finally:
    threads.shutdown(cancel_futures=True)
  return found


def _read_one(source, decode, index):
  """(id, tags, patient, (mean, black, white) or the reason why there is none)."""
  name, tags, patient = f'slice {index}', (), None
  try:
    example = source[index]
    name, tags, patient = example['id'], example['tags'], example.get('patient')
    image = decode(example)['image']
    return name, tags, patient, (image.mean(), (image <= 0).mean(), (image >= 1).mean())
  except (OSError, ValueError) as error:                      # a DecodeError is a ValueError
    return name, tags, patient, str(error)


def _note(found, index, name, tags, patient, measured):
  found.ids[index] = name
  found.tag_counts[np.asarray(tags, np.int64)] += 1
  if patient is not None:
    found.patients.add(patient)
  if isinstance(measured, str):
    found.unreadable.append((index, measured))
  else:
    found.means[index], found.black[index], found.white[index] = measured
