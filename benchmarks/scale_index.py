"""A million records of 70,000 tags: the index that a run makes of them, and opens again.

Part of `python -m benchmarks.scale_parts`, by `benchmarks/board_index.py`, which draws the archive.
Every start is a process of its own.
"""

import pathlib
import tempfile

from benchmarks import board_index
from benchmarks.scale_figures import duration, figure

TAGS_EACH = 35


def measure(flags) -> dict[str, dict]:
  """Figures by name. Args: flags: of `scale_parts`: records, tags, archive, folder."""
  if flags.archive:
    return _starts(pathlib.Path(flags.archive), flags)
  with tempfile.TemporaryDirectory(dir=flags.folder) as scratch:
    return _starts(pathlib.Path(scratch), flags)


def _starts(folder, flags):
  board_index.prepare(folder, flags.records, flags.tags, TAGS_EACH)
  first, *later = board_index.starts(folder, 3)
  metadata = (folder / 'archive' / board_index.METADATA).stat().st_size
  return {
      'records': figure(flags.records, 'records'),
      'metadata': figure(metadata / 1e6, 'MB'),
      'index on disk': figure(board_index.index_bytes(folder) / 1e6, 'MB'),
      'first reading': duration(first['seconds'], 's'),
      'first reading, time of processors': duration(first['processor_seconds'], 's'),
      'first reading, peak memory': figure(first['peak_gib'], 'GiB'),
      'opening it again, fingerprint checked': duration([one['seconds'] for one in later], 's'),
      'opened, peak memory (mapped files too)': figure(
          [one['peak_gib'] for one in later], 'GiB'),
      "counting all pictures' tags": duration([one['count_seconds'] for one in later], 's'),
      'one example, at random': figure([one['example_microseconds'] for one in later], 'us'),
      'sent to a worker process': figure(first['pickled_bytes'], 'bytes'),
  }
