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

from train_lib import devices, records

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
    self._take_up_earlier()
    done = self._drop_old()
    self.todo = [place for place, name in enumerate(source.names) if name not in done]

  def add(self, rows: list[dict], places: list[int]) -> None:
    """Appends rows. Args: places: in the source, of the pictures that they are of."""
    lines = ''.join(_line({**row, 'file': self._source.state(place)})
                    for row, place in zip(rows, places, strict=True))
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
    if self._remote:
      with records.whole_file(self._folder / FINAL) as target, open(self._path, 'rb') as file:
        target.writelines(file)
    else:
      os.replace(self._path, os.fspath(self._folder / FINAL))
      for other in pathlib.Path(self._folder).glob('.predictions-*.jsonl'):
        other.unlink(missing_ok=True)           # of starts with other settings, never finished
    records.write_json(self._folder / ABOUT, {**about, 'digest': self.digest})

  def _take_up_earlier(self):
    """Rows that a finished start of the same settings left are the first ones."""
    final, about = self._folder / FINAL, self._folder / ABOUT
    if self._path.exists() or self._remote or not final.exists() or not about.exists():
      return
    if records.read_json(about).get('digest') == self.digest:
      os.replace(os.fspath(final), self._path)

  def _drop_old(self) -> set[str]:
    """The pictures that have a row; what is torn, twice, of files that changed or are gone goes."""
    if not self._path.exists():
      return set()
    places = {name: place for place, name in enumerate(self._source.names)}
    done, dropped = set(), 0
    with open(self._path, 'rb') as old, records.whole_file(f'{self._path}.new') as new:
      for line in old:
        name = self._current(line, places)
        if name is None or name in done:
          dropped += 1
          continue
        done.add(name)
        new.write(line)
    if dropped:
      os.replace(f'{self._path}.new', self._path)
    else:
      os.remove(f'{self._path}.new')
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
