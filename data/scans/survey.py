"""Which scans a folder holds: every file read once, its slices measured."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from data import prepared
from data.scans import ENDINGS, FORMATS, dicom, find_format, open_scan
from data.scans.scan import ScanError, Settings
from data.sources.pictures import content_digest, relative_name, walk_folders

ARCHIVES = ('.zip', '.tar', '.tgz', '.gz', '.bz2', '.xz', '.7z', '.rar')
INDEX = 'dicomdir'                # a list of the DICOM files beside it
_surveyed = {}  # (path, size, time of change, settings) -> Surveyed or a reason, while it runs


class Surveyed(NamedTuple):
  """What is known of a scan that can be read."""

  name: str  # its path relative to the folder
  digest: str  # of its content
  format: str  # of FORMATS
  patient: str  # as the file tells
  series: str
  order: float
  window: tuple[float, float]
  fullness: tuple[float, ...]  # of each slice
  num_bytes: int  # of memory, that it takes when it is open


class Survey(NamedTuple):
  """All files of a folder."""

  scans: list[Surveyed]  # by their names
  problems: Mapping[str, str]  # name -> why it cannot be read
  archives: list[str]  # names of what may have to be unpacked
  num_others: int  # files that are no scans


def list_scans(folder: Path) -> tuple[list[Path], list[Path], int]:
  """(the files of scans, archives, the number of other files) below a folder, sorted.

  Scans are told by the ending, in either case, DICOM files by their start too. Hidden files and
  DICOMDIR are passed over.
  """
  scans, archives, num_others = [], [], 0
  for where, _, names in walk_folders(folder):
    for name in names:
      path, lower = Path(where, name), name.lower()
      if lower == INDEX:
        continue
      if lower.endswith(ENDINGS):
        scans.append(path)
      elif lower.endswith(ARCHIVES):
        archives.append(path)
      elif _is_dicom(path):
        scans.append(path)
      else:
        num_others += 1
  return sorted(scans, key=lambda path: relative_name(path, folder)), sorted(archives), num_others


def _is_dicom(path):
  try:
    with open(path, 'rb') as file:
      return dicom.recognise(file.read(132))
  except OSError:
    return False


def survey_folder(folder: Path, settings: Settings, poll=lambda: None) -> Survey:
  """Reads every scan below a folder. Args: poll: called for each; may raise to stop."""
  paths, archives, num_others = list_scans(folder)
  keys = {path: _key(path, settings) for path in paths}
  fresh = [path for path in paths if keys[path] not in _surveyed]
  with (prepared.progress(f'reading {len(fresh):,} scans', 'scans', len(fresh)) if fresh
        else contextlib.nullcontext()) as show:
    for path in fresh:
      poll()
      _surveyed[keys[path]] = _survey_one(path, settings)
      show(1)
  found = {relative_name(path, folder): _surveyed[keys[path]] for path in paths}
  return Survey([scan._replace(name=name) for name, scan in found.items()
                 if isinstance(scan, Surveyed)],
                {name: reason for name, reason in found.items() if isinstance(reason, str)},
                [relative_name(path, folder) for path in archives], num_others)


def _key(path, settings):
  """What changes when a file does."""
  try:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns, settings
  except OSError:
    return str(path), -1, -1, settings


def _survey_one(path, settings):
  """What is known of a file, or the reason why it cannot be read."""
  try:
    scan = open_scan(path, settings)
    return Surveyed(path.name, content_digest(path), find_format(path), scan.patient, scan.series,
                    scan.order, scan.window,
                    tuple(scan.fullness(k) for k in range(scan.num_slices)), scan.num_bytes)
  except ScanError as error:
    return str(error)
  except OSError as error:
    return error.strerror or str(error)


def endings_words() -> str:
  """Such as '.dcm, .nii'."""
  return ', '.join(ENDINGS)


def formats_words(scans: list[Surveyed]) -> str:
  """Such as '30 DICOM, 2 NIfTI'."""
  counts = {name: sum(scan.format == name for scan in scans) for name in FORMATS}
  return ', '.join(f'{count:,} {FORMATS[name].words}' for name, count in counts.items() if count)
