"""A person's own folder of scans: slices of DICOM, NIfTI, PNG and TIFF files, split by patient."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.batch import MOST_CONTENTS, Content, Contents, count_by_tags_of
from data.content_splits import SPLITS, count_words
from data.scans import open_scan
from data.scans.groups import few_words, split_scans
from data.scans.opened import MOST_BYTES, OpenedScans
from data.scans.scan import ScanError, Settings, read_settings
from data.scans.survey import Survey, Surveyed, endings_words, formats_words, survey_folder
from data.sources.pictures import check_folder, digest_of
from errors import UserError

FEW = 3                           # files that a description names


class ScanFile(NamedTuple):
  """What is used of a file that can be read."""

  name: str  # its path relative to the folder
  split: str
  group: str  # the patient, volume or folder that it must not be parted from
  format: str  # of data.scans.FORMATS
  window: tuple[float, float]  # values shown black and white
  num_slices: int
  num_used: int  # of them, that are examples
  is_copy: bool  # of another file, byte for byte, which is used in its place


_opened = OpenedScans()  # of this process, whichever split they are of


class ScanSource:
  """The slices of one split.

  An example: {'id': path relative to the folder, '#', number of the slice from 0; 'scan': float32
  [h, w, 1] in 0 to 1; 'tags': int32 [0]}.

  Attributes:
    problems: {path of a file: why it cannot be read}, over all splits.
    files: those that can be read, over all splits.
  """

  tag_names = tag_categories = truth_keys = ()
  max_tags = max_ignored = 0

  def __init__(self, folder: Path, settings: Settings, scans: list[Surveyed], rows: np.ndarray,
               fingerprint: str, description: str, problems: Mapping[str, str],
               files: list[ScanFile], contents: Contents | None = None):
    self._contents = contents
    self._folder, self._settings = folder, settings
    self._names, self._windows = [scan.name for scan in scans], [scan.window for scan in scans]
    self._rows = rows  # int [N, 2]: a file's place among the scans, a slice of it
    self.fingerprint, self.description, self.problems = fingerprint, description, dict(problems)
    self.files = files

  def __len__(self) -> int:
    return len(self._rows)

  def tags_of(self, index: int) -> np.ndarray:
    return np.zeros(0, np.int32)

  def contents(self):
    """As `data.batch.contents_of`."""
    return self._contents

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return count_by_tags_of(self, poll)

  def __getitem__(self, index: int) -> dict:
    place, k = self._rows[index]
    name, window = self._names[place], self._windows[place]
    path = self._folder / name
    try:
      scan = _opened.get((path, self._settings, window),
                         lambda: open_scan(path, self._settings, window))
      slice_ = scan.slice(int(k))
    except ScanError as error:      # it was another file when the folder was read
      raise ScanError(f"'{name}': {error}") from error
    return {'id': f'{name}#{k}', 'scan': slice_[..., None], 'tags': np.zeros(0, np.int32)}


def build_scans(config_data, split: str, poll=lambda: None) -> ScanSource:
  """Reads one split of the scans below the folder `config.data.path`.

  Of files that are the same byte for byte, the first is used. Slices that are nearly all background
  are left out. Patients, volumes or folders of pictures are dealt out to the splits whole, by their
  names: those that are told, the others cut, so that added ones move no other.

  Args:
    config_data: the section `config.data`: path, scans, max_pixels, valid_frac, test_frac.
    split: 'train', 'valid' or 'test'.
    poll: called for every file; may raise to stop.

  Raises:
    UserError: no folder, no scan, none that can be read, only empty slices, an empty split, or
      settings that make no sense.
  """
  if not config_data.path:
    raise UserError('config.data.path is empty; name the folder of your scans with '
                    '--config.data.path=')
  folder, settings, reading = (check_folder(config_data.path, 'scans'), config_data.scans,
                               read_settings(config_data))
  _check_choice(settings)
  survey = survey_folder(folder, reading, poll)
  scans = _without_copies(_check_found(folder, survey))
  grouped = split_scans(survey.scans, {'valid': settings.valid_groups,
                                       'test': settings.test_groups},
                        config_data.valid_frac, config_data.test_frac)
  rows = _choose_rows(folder, scans, settings)
  splits = {part: rows[[grouped.split_of[scans[place].name] == part for place, _ in rows]]
            for part in SPLITS}
  for part in ('train', split):
    if not len(splits[part]):
      raise UserError(_empty_words(folder, part, grouped, splits))
  told = [(scan.name, scan.digest, grouped.split_of[scan.name]) for scan in survey.scans]
  return ScanSource(
      folder, reading, scans, splits[split],
      fingerprint=digest_of(map(str, [reading.window, reading.axis, told, rows.tolist()])),
      description=_describe(folder, settings, survey, scans, rows, grouped, splits),
      problems=survey.problems, files=_list_files(survey, scans, rows, grouped),
      contents=None if len(told) > MOST_CONTENTS else Contents(
          (name, Content(digest, '', part)) for name, digest, part in told))


def _list_files(survey, scans, rows, grouped) -> list[ScanFile]:
  used = dict(zip((scan.name for scan in scans),
                  np.bincount(rows[:, 0], minlength=len(scans)).tolist(), strict=True))
  return [ScanFile(scan.name, grouped.split_of[scan.name], grouped.group_of[scan.name],
                   scan.format, scan.window, len(scan.fullness), used.get(scan.name, 0),
                   scan.name not in used)
          for scan in survey.scans]


def _check_choice(settings):
  if not 0 <= settings.least_filled < 1:
    raise UserError(f'config.data.scans.least_filled is {settings.least_filled}; expected a share '
                    'of pixels, 0 or more and less than 1.')
  if settings.most_slices < 0:
    raise UserError(f'config.data.scans.most_slices is {settings.most_slices}; expected 0 (all) or '
                    'more.')


def _check_found(folder, survey: Survey):
  """The scans; raises UserError where there are none that can be read."""
  if survey.problems and not survey.scans:
    raise UserError(f"none of the {len(survey.problems):,} scans in '{folder}' can be read: "
                    f'{_problem_words(survey.problems)}.')
  if not survey.scans:
    unpack = f'; unpack {few_words(survey.archives)} first' if survey.archives else ''
    raise UserError(f"the folder '{folder}' holds no scan ({endings_words()}){unpack}.")
  return survey.scans


def _without_copies(scans):
  first = {}
  for scan in scans:
    first.setdefault(scan.digest, scan)
  return list(first.values())


def _choose_rows(folder, scans, settings) -> np.ndarray:
  """int [N, 2]: (place of a file, slice) of those that are used.

  Args: settings: `config.data.scans`.
  Raises: UserError: there is none.
  """
  by_series = defaultdict(list)
  for place, scan in enumerate(scans):
    filled = [k for k, share in enumerate(scan.fullness) if share > settings.least_filled]
    by_series[scan.series or place] += [(scan.order, place, k) for k in filled]
  rows = []
  for series in by_series.values():
    series.sort()
    if 0 < settings.most_slices < len(series):
      chosen = np.linspace(0, len(series) - 1, settings.most_slices).round().astype(int)
      series = [series[place] for place in chosen]
    rows += [(place, k) for _, place, k in series]
  if not rows:
    raise UserError(f"all slices of the scans in '{folder}' are nearly all background: lower "
                    f'config.data.scans.least_filled ({settings.least_filled}) or choose another '
                    f"config.data.scans.window ('{settings.window}').")
  return np.array(sorted(rows), np.int64)


def _empty_words(folder, split, grouped, splits):
  groups = [group for names in grouped.groups.values() for group in names]
  if len(groups) == 1:
    return (f"the {split} split of '{folder}' is empty: all scans are of one group (a patient, "
            f'volume or folder), {groups[0]!r}, which is never parted; add others.')
  advice = 'name fewer in config.data.scans.test_groups and valid_groups'
  if split != 'train' and grouped.groups['train']:
    free = sorted(grouped.groups['train'])[-1]
    advice = f'name some with --config.data.scans.{split}_groups="({free!r},)"'
  return (f"the {split} split of '{folder}' is empty: {len(groups):,} groups (patients, volumes or "
          f'folders) are dealt out as {count_words(grouped.groups)} ({grouped.how}), with '
          f'{count_words(splits)} slices; {advice}.')


def _problem_words(problems):
  named = [f'{name}: {reason}' for name, reason in list(problems.items())[:FEW]]
  return '; '.join(named) + (f'; and {len(problems) - FEW:,} more' if len(problems) > FEW else '')


def _describe(folder, settings, survey, scans, rows, grouped, splits):
  """A sentence on what was found, how it was split and what was left out."""
  num_slices = sum(len(scan.fullness) for scan in scans)
  phrases = [f"'{folder}': {len(rows):,} slices of {len(scans):,} scans "
             f'({formats_words(scans)}); {count_words(splits)} slices of '
             f'{count_words(grouped.groups)} groups (patients, volumes or folders; {grouped.how})']
  empty = sum(share <= settings.least_filled for scan in scans for share in scan.fullness)
  if empty:
    phrases.append(f'{empty:,} nearly empty slices left out')
  if num_slices - empty > len(rows):
    phrases.append(f'{num_slices - empty - len(rows):,} left out that are more than most_slices')
  copies = len(survey.scans) - len(scans)
  if copies:
    are = 'files are exact copies' if copies > 1 else 'file is an exact copy'
    phrases.append(f'{copies:,} {are} of others and left out')
  if survey.problems:
    phrases.append(f'{len(survey.problems):,} cannot be read ({_problem_words(survey.problems)})')
  if survey.archives:
    phrases.append(f'{few_words(survey.archives)} not looked into: unpack archives first')
  volumes = sum(scan.num_bytes for scan in scans if len(scan.fullness) > 1)
  if volumes > MOST_BYTES:
    phrases.append(f'the volumes take {volumes / 2**30:.1f} GiB unpacked, more than the '
                   f'{MOST_BYTES / 2**30:.0f} kept in memory: .nii is read quicker than .nii.gz')
  if survey.num_others:
    phrases.append(f'{survey.num_others:,} other files')
  return '; '.join(phrases)
