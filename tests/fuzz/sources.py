"""Whole sources as readers: a tiny folder of each, one of whose files is what was made up.

A source of `data.SOURCES` is read so unless a table here says what is fuzzed of it instead.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from configs import base
from data import SOURCES
from data.content_splits import SPLITS
from data.decode import decode_image
from tests.small_sources import SMALL

BY_FORMAT = {                     # readers of the formats that their files have
    'board': ('board_archive', 'board_json', 'board_csv', 'board_sqlite', 'board_beside'),
    'coco': ('coco', 'pictures'),
    'scans': ('dicom', 'nifti', 'scan_pictures'),
}
NOT_FUZZED = {
    'toon': 'It reads what this program has drawn.',
    'phantom': 'It reads what this program has drawn.',
    'tfds': 'It reads what TFDS has prepared on this machine.',
}
WHOLE = tuple(name for name in SMALL if name not in {**BY_FORMAT, **NOT_FUZZED})
NAMES = ('a',) * 4                # so many files of a folder take turns
MAX_PIXELS = 1_000_000


def seeds_of(name: str) -> Callable[[], list]:
  """() -> [(variant, content)]: the first files of a source's tiny folder."""
  def seeds():
    with tempfile.TemporaryDirectory() as folder:
      SMALL[name].write(Path(folder), 0)
      return [(variant, file.read_bytes()) for variant, file in enumerate(_files(Path(folder)))]
  return seeds


def reader_of(name: str) -> Callable[[Path, int], None]:
  """(path, variant) -> reads the source with that file's content in place of one of its own."""
  def read(path, variant):
    folder = path.parent / name
    config = base.data_section()
    config.update(source=name, dir=str(path.parent / 'prepared'), valid_frac=0.3, test_frac=0.3)
    folder.mkdir(exist_ok=True)
    config.update(SMALL[name].write(folder, 0))
    config.path = str(folder)
    files = _files(folder)
    files[variant % len(files)].write_bytes(path.read_bytes())
    for split in SPLITS:
      source = SOURCES[name](config, split, lambda: None)
      for index in range(len(source)):
        example = source[index]
        if 'image_bytes' in example:
          decode_image(example['image_bytes'], max_pixels=MAX_PIXELS)
  return read


def _files(folder):
  return sorted(file for file in folder.rglob('*') if file.is_file())[:len(NAMES)]
