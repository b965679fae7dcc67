"""--job=predict of an autoencoder: every scan of a folder restored, in a file like its own."""

import collections
import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from errors import UserError
from train_lib import batch_sizes, build_inputs
from train_lib.drawing.pictures import end_of_path, save_sheet
from train_lib.export.card_record import read_record
from train_lib.predicting.answers import check_no_thresholds
from train_lib.reporting import say
from train_lib.scans.scan_coder import Coder
from train_lib.scans.scan_pictures import restoration_sheet
from train_lib.scans.scan_report import worse_than_damaged
from train_lib.storage import records
from train_lib.storage.lock import Lock
from train_lib.trained import open_trained
from train_lib.trees import params_digest

COLUMNS = ('path', 'slices', 'what', 'why')
SHOWN = 10                        # scans of restored.png
SAID = 3                          # files that cannot be read, on the terminal
NO_SCAN = 'no DICOM, NIfTI, PNG or TIFF file'
STAYED = 'restored before, by the same net'


class Opened(NamedTuple):
  """A scan whose slices wait for the net.

  Attributes:
    name: its path relative to the input; scan: of `build_inputs.open_scan`; slices: [h, w] in 0..1;
    state: of the file before it was read.
  """
  name: str
  scan: Any
  slices: list[np.ndarray]
  state: list[int]


def restore_scans(config, workdir: str, input: str, output: str, preemption) -> None:
  """Writes a folder like the one given, each scan in it as the net restores it.

  Slice by slice: the net takes pictures of one size, so that a slice is made that large and its
  restoration as large as the slice was; detail that is finer is lost. A file keeps its name,
  folder, format, kind of numbers and units, and what lies outside of the window that it is shown
  in; a DICOM file says of itself that it is derived. Files appear whole in `scans/`, and in
  `restored.jsonl` one after another, so that the same command goes on where it was stopped; in the
  end `restored.csv` accounts for every file, and `restored.png` shows the first ones.

  Args: as those of `jobs.predict.run`; preemption: of the job.

  Raises:
    UserError: no such run or input, no scan in it, an output inside of the input or one that holds
      the scans of another input, or settings of other tasks.
  """
  check(config)
  folder = records.local_folder(output or os.path.join(workdir, 'predict'), 'restored scans')
  records.check_outside(folder / 'scans', input)
  scans = build_inputs.list_scan_files(input)
  if not scans:
    raise UserError(f"'{input}' holds no scan: {NO_SCAN}")
  build_inputs.check_no_others(folder / 'scans', [name for name, _ in scans],
                               f"that '{input}' has not")
  trained = open_trained(config, workdir, config.checkpoint)
  rows = batch_sizes.resolve('predict.batch_size', config.predict.batch_size, trained.mesh)
  coder = Coder(trained, 'predict.batch_size', rows)
  folder.mkdir(parents=True, exist_ok=True)
  with Lock(folder):
    _say_if_worse(config, workdir, trained)
    _restore_all(config, input, scans, folder, trained, coder, preemption.check)


def _say_if_worse(config, workdir, trained) -> None:
  try:
    worse = worse_than_damaged(read_record(config, workdir, trained).test)
  except UserError:               # a damaged record keeps nobody from restoring
    return
  if worse:
    say(worse)


def _restore_all(config, input, scans, folder, trained, coder, poll) -> None:
  say(f'restoring {len(scans):,} scans with step {trained.step}, which sees each slice in '
      f'{coder.side_px} x {coder.side_px} px: detail finer than that is lost')
  if config.data.corrupt:
    say(f'the net learned to mend scans damaged by {", ".join(config.data.corrupt)}; those that '
        'are not damaged like that, whole ones too, it may make worse')
  journal = Journal(folder / 'restored.jsonl', _describe(config, trained.variables), input)
  _restore(config, coder, scans, folder / 'scans', journal, poll)
  rows = [journal.rows[name] for name, _ in scans]
  scan_names = {name for name, _ in scans}
  rows += [{'path': name, 'slices': '', 'what': 'passed over', 'why': NO_SCAN}
           for name, _ in build_inputs.list_files(input) if name not in scan_names]
  rows.sort(key=lambda row: row['path'])
  records.write_csv(folder / 'restored.csv', COLUMNS,
                    ([row[column] for column in COLUMNS] for row in rows))
  _save_sheet(config, coder, [(name, path) for name, path in scans
                              if journal.rows[name]['what'] == 'restored'],
              folder / 'restored.png', poll)
  _say(rows, folder)


def check(config) -> None:
  """Raises UserError for settings of `predict` that are for other tasks."""
  check_no_thresholds(config.predict, 'an autoencoder restores scans')
  if config.predict.captions:
    raise UserError(f"predict.captions is '{config.predict.captions}', and captions are of tags "
                    'and classes: an autoencoder restores scans; leave it empty')


class Journal:
  """What became of each scan, on disk as soon as it is known.

  Args: path: a JSON Lines file, of earlier starts too; by: what restores, all that decides how;
  input: the folder of the scans, as it was given.

  Attributes:
    rows: {name: {'path', 'slices', 'what', 'why', 'by', 'source', 'input'}}, the last of each.

  Raises:
    UserError: the rows are of the scans of another folder.
  """

  def __init__(self, path: Path, by: str, input: str):
    self._path, self._by, self._input = path, by, os.path.realpath(os.path.expanduser(input))
    self.rows = {row['path']: row for row in records.read_jsonl(path) if 'path' in row}
    others = {row.get('input', self._input) for row in self.rows.values()} - {self._input}
    if others:
      raise UserError(f"'{path.parent}' holds the scans of '{others.pop()}' as they were restored; "
                      'name another folder with --output=')

  def is_done(self, name: str, source: Path, target: Path) -> bool:
    """Whether a scan was restored in the same way, and has not changed since."""
    row = self.rows.get(name, {})
    return (row.get('what') == 'restored' and row.get('by') == self._by and target.exists()
            and row.get('source') == _state(source))

  def note(self, name: str, state: list[int], slices, what: str, why: str = '') -> None:
    """Args: state: of the file before it was read; slices: how many the scan has, '' where nobody
    knows; what: became of it; why."""
    self.rows[name] = {'path': name, 'slices': slices, 'what': what, 'why': why, 'by': self._by,
                       'source': state, 'input': self._input}
    records.append_jsonl(self._path, [self.rows[name]])


def _state(source: Path) -> list[int]:
  """What changes with a file: its size and the time of its last change; [] where it is gone."""
  try:
    status = source.stat()
  except OSError:
    return []
  return [status.st_size, status.st_mtime_ns]


def _describe(config, variables) -> str:
  """A digest of the net and of how scans are read."""
  reading = [config.data.scans.window, config.data.scans.axis, params_digest(variables)]
  return hashlib.sha256(json.dumps(reading).encode()).hexdigest()[:16]


def _restore(config, coder, scans, folder, journal, poll) -> None:
  """Restores what is not done yet; scans of few slices share a batch."""
  waiting = []
  for name, path in scans:
    poll()
    if journal.is_done(name, path, folder / name):
      journal.rows[name]['why'] = STAYED
      continue
    state = _state(path)
    opened, why = _open(config, name, path, state)
    if opened is None:
      journal.note(name, state, '', 'unreadable', why)
      continue
    waiting.append(opened)
    if sum(len(scan.slices) for scan in waiting) >= coder.rows:
      _write(coder, waiting, folder, journal, poll)
      waiting = []
  _write(coder, waiting, folder, journal, poll)


def _open(config, name, path, state) -> tuple[Opened | None, str]:
  """(a scan with its slices, ''), or (None, why it cannot be read)."""
  try:
    scan = build_inputs.open_scan(config, path)
    return Opened(name, scan, [scan.slice(k) for k in range(scan.num_slices)], state), ''
  except (ValueError, OSError) as error:        # data.scans.ScanError is a ValueError
    return None, getattr(error, 'strerror', None) or str(error)


def _write(coder, waiting: list[Opened], folder, journal, poll) -> None:
  """Restores the slices of some scans, in batches over all of them, and writes the files."""
  slices = [picture for scan in waiting for picture in scan.slices]
  restored = []
  for first in range(0, len(slices), coder.rows):
    poll()
    restored += restore_slices(coder, slices[first:first + coder.rows])
  for scan in waiting:
    path = folder / scan.name
    mine, restored = restored[:len(scan.slices)], restored[len(scan.slices):]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f'.tmp-{path.name}'         # a name that is of the same format
    try:
      scan.scan.save(temporary, mine)
      os.replace(temporary, path)
    except ValueError as error:
      journal.note(scan.name, scan.state, len(mine), 'not written', str(error))
    else:
      journal.note(scan.name, scan.state, len(mine), 'restored')
    finally:
      temporary.unlink(missing_ok=True)


def restore_slices(coder, slices: list[np.ndarray]) -> list[np.ndarray]:
  """float32 [h, w] in 0..1 each, in the size it came. Args: slices: like them, of any sizes."""
  fitted = np.stack([build_inputs.fit_scan(picture, coder.side_px) for picture in slices])
  return [build_inputs.unfit_scan(restored, picture.shape)
          for restored, picture in zip(coder.restore(fitted), slices, strict=True)]


def _save_sheet(config, coder, scans, path, poll) -> None:
  """The middle slices of the first scans, read again: some were restored by an earlier start."""
  shown = []
  for name, source in scans[:SHOWN]:
    poll()
    scan = build_inputs.open_scan(config, source)
    middle = scan.num_slices // 2
    place = f'#{middle}' if middle else ''
    shown.append((end_of_path(name) + place, scan.slice(middle)))
  restored = restore_slices(coder, [picture for _, picture in shown]) if shown else []
  rows = [(caption, picture, new)
          for (caption, picture), new in zip(shown, restored, strict=True)]
  note = f'by a net that sees {coder.side_px} x {coder.side_px} px'
  save_sheet(restoration_sheet(rows, [note]) if rows else None, path)


def _say(rows, folder) -> None:
  counts = collections.Counter(row['what'] for row in rows)
  unreadable = [row for row in rows if row['what'] in ('unreadable', 'not written')]
  for row in unreadable[:SAID]:
    say(f'{row["path"]}: {row["why"]}')
  where = f'; the scans are in {folder}/scans, and {folder}/restored.png shows some'
  say(f'{", ".join(f"{count:,} {what}" for what, count in counts.items())}: {folder}/restored.csv '
      f'says of every file what became of it{where if counts["restored"] else ""}')
