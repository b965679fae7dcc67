"""The answers of a folder of pictures on disk: kept as they come, each picture once.

While pictures are looked at, rows lie in a file of their own whose name tells the net and the
settings, so that the same command goes on after a stop; `predictions.jsonl` is put in its place at
the end. The same command again looks at new and changed pictures alone.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterator

from errors import UserError
from train_lib import devices
from train_lib.storage import records

FINAL, ABOUT = 'predictions.jsonl', 'predict.json'


class Predictions:
  """Rows, each with its picture's 'path' and 'file': [bytes, time of the last change in ns].

  Args:
    folder: of the job's output, an epath; of an object store the rows lie in the cache until the
      end.
    about: all that decides the answers, JSON values.
    source: of all pictures, with `names` and `state(index)`.

  Attributes:
    todo: places in the source of the pictures that no row is of.
    digest: of `about`.
  """

  def __init__(self, folder, about: dict, source):
    self._folder, self._source = folder, source
    text = json.dumps(records.plain(about), sort_keys=True)
    self.digest = hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:16]
    self._remote = '://' in os.fspath(folder)
    parent = devices.cache_folder('', 'predictions') if self._remote else pathlib.Path(folder)
    parent.mkdir(parents=True, exist_ok=True)
    self._path = parent / f'.predictions-{self.digest}.jsonl'
    done = self._drop_old()
    self.todo = [place for place, name in enumerate(source.names) if name not in done]

  def add(self, rows: list[dict], states: list) -> None:
    """Appends rows. Args: states: of the source, of each row's picture before it was read."""
    lines = ''.join(_line({**row, 'file': state})
                    for row, state in zip(rows, states, strict=True))
    with open(self._path, 'ab') as file:
      file.write(lines.encode(errors='surrogateescape'))

  def rows(self) -> Iterator[dict]:
    """Yields all rows that are there."""
    if self._path.exists():
      with open(self._path, 'rb') as file:
        for line in file:
          yield json.loads(line.decode(errors='surrogateescape'))

  def finish(self, about: dict) -> None:
    """Puts the rows in their place, and beside them what made them. Args: about: JSON values."""
    with open(self._path, 'ab') as file:
      os.fsync(file.fileno())
    # Before the rows: a stop in between leaves these in their own file, where they are found first.
    records.write_json(self._folder / ABOUT, {**about, 'digest': self.digest})
    if self._remote:
      with records.whole_file(self._folder / FINAL) as target, open(self._path, 'rb') as file:
        target.writelines(file)
    else:
      os.replace(self._path, os.fspath(self._folder / FINAL))
      for other in pathlib.Path(self._folder).glob('.predictions-*.jsonl'):
        other.unlink(missing_ok=True)           # of starts with other settings, never finished

  def give_up(self) -> None:
    """Leaves what an earlier start finished as it is, and no rows of this one."""
    self._path.unlink(missing_ok=True)

  def _earlier(self):
    """The rows of an earlier start with the same settings, finished or not; None without one."""
    final, about = self._folder / FINAL, self._folder / ABOUT
    if self._path.exists():
      return self._path
    try:
      same = final.exists() and records.read_json(about)['digest'] == self.digest
    except (UserError, KeyError, TypeError):
      same = False                              # absent, or damaged
    return final if same else None

  def _drop_old(self) -> set[str]:
    """Takes up earlier rows but what is torn, twice, or of files that changed or are gone."""
    earlier, done = self._earlier(), set()
    if earlier is None:
      return done
    places = {name: place for place, name in enumerate(self._source.names)}
    with earlier.open('rb') as old, records.whole_file(self._path) as new:
      for line in old:
        name = self._current(line, places)
        if name is not None and name not in done:
          done.add(name)
          new.write(line)
    return done

  def _current(self, line: bytes, places: dict) -> str | None:
    """The picture that a line is of; None: it is torn, or not of the file that is there now."""
    try:
      row = json.loads(line.decode(errors='surrogateescape'))
      name, state = row['path'], row['file']
    except (ValueError, KeyError, TypeError):
      return None
    place = places.get(name) if line.endswith(b'\n') else None
    return name if place is not None and state == self._source.state(place) else None


def _line(row: dict) -> str:
  return json.dumps(row, ensure_ascii=False) + '\n'
