"""Scans: CT and MRI slices in the files that people have of them.

| file | what it holds |
|---|---|
| scan.py | a scan: slices in 0 to 1 by a window, and back to what the file stores |
| dicom.py | DICOM: of hospitals and archives, a slice or more a file |
| nifti.py | NIfTI: volumes of research |
| pictures.py | PNG and TIFF, 8 and 16 bits or numbers with a point |
| survey.py | which scans a folder holds: each read once, its slices measured |
| groups.py | which files belong together, and which split they fall into |
| opened.py | the scans that were opened last |

A format is one row of `FORMATS`: how its files are told, and its reader.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from data.scans import dicom, nifti, pictures
from data.scans.scan import Scan, ScanError, Settings

HEAD_BYTES = 544                  # of a file's start, that tell its format


class Format(NamedTuple):
  """Attributes:
    words: what it is, for people.
    endings: of its files' names.
    recognise: the first bytes of a file -> whether it is of this format.
    read: (path, settings) -> Stored.
  """

  words: str
  endings: tuple[str, ...]
  recognise: Callable
  read: Callable


FORMATS = {
    'dicom': Format('DICOM', ('.dcm', '.dicom', '.ima'), dicom.recognise, dicom.read),
    'nifti': Format('NIfTI', ('.nii', '.nii.gz'), nifti.recognise, nifti.read),
    'png': Format('PNG', ('.png',), pictures.is_png, pictures.read),
    'tiff': Format('TIFF', ('.tif', '.tiff'), pictures.is_tiff, pictures.read),
}
ENDINGS = tuple(ending for row in FORMATS.values() for ending in row.endings)


def find_format(path: Path) -> str:
  """The row of `FORMATS` that a file is of, told by its first bytes.

  Raises: ScanError: of none; OSError: the file cannot be read.
  """
  with open(path, 'rb') as file:
    head = file.read(HEAD_BYTES)
  if not head:
    raise ScanError('the file is empty')
  for name, row in FORMATS.items():
    if row.recognise(head):
      return name
  for row in FORMATS.values():
    if path.name.lower().endswith(row.endings):
      raise ScanError(f'it is named as {row.words}, but does not begin as such a file does')
  raise ScanError(f"it is none of {', '.join(row.words for row in FORMATS.values())}")


def open_scan(path: Path | str, settings: Settings,
              window: tuple[float, float] | None = None) -> Scan:
  """Opens a file of any of the formats.

  Args:
    settings: `data.scans.scan.read_settings(config.data)`.
    window: (low, high) where it is known; None: by the settings.

  Raises:
    ScanError: it cannot be read; the reason in words.
    OSError: there is no such file, or it is not ours to read.
    UserError: a package is missing that reads it.
  """
  path = Path(path)
  stored = FORMATS[find_format(path)].read(path, settings)
  return Scan(path, stored, settings, window)
