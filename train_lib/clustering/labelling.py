"""From clusters to labels: tables for a person, the names that she gives, a dataset out of them.

`names.csv` has a row for each cluster and an empty column `name`. Clusters of one name are one
class; those without a name, and noise, are left out of the dataset.
"""

import csv
import hashlib
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from errors import UserError, shortened
from train_lib.clustering.collection import Collection
from train_lib.clustering.other_methods import NOISE
from train_lib.storage import records

COLUMNS = ('path', 'cluster', 'name', 'rank', 'distance', 'label')
NAME_COLUMNS = ('cluster', 'pictures', 'name')
_MOST_DIGITS = 18                 # of a number
TABLE = 'labels.csv'              # of the dataset
MARK = '.made-by-cluster.json'    # in a folder that was made here: what was put into it


def write_clusters(path, collection: Collection, names: dict[int, str]) -> None:
  """Writes a row for each picture: clusters in order, in each the most typical picture first.

  `rank` is 1 for it, `distance` that to the centre; noise (-1) comes last and has neither.
  """
  rows = []
  for row, rank in _ranked(collection):
    cluster, label = int(collection.clusters[row]), int(collection.labels[row])
    rows.append((collection.ids[row], cluster, names.get(cluster, ''), rank,
                 round(float(collection.distances[row]), 6) if cluster != NOISE else None,
                 collection.label_names[label] if label >= 0 else None))
  records.write_csv(path, COLUMNS, rows)


def _ranked(collection):
  """Yields (row, its rank in the cluster or None) in the order of the table."""
  clusters = collection.clusters
  last = np.where(clusters == NOISE, clusters.max() + 1, clusters)
  previous, rank = None, 0
  for row in np.lexsort((collection.distances, last)):
    rank = rank + 1 if clusters[row] == previous else 1
    previous = clusters[row]
    yield int(row), None if previous == NOISE else rank


def count_pictures(clusters: np.ndarray) -> dict[int, int]:
  """Cluster -> its pictures, noise left out. Args: clusters: int [N]."""
  numbers, counts = np.unique(clusters[clusters != NOISE], return_counts=True)
  return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def write_names(path, counts: dict[int, int]) -> None:
  """Writes names.csv, its names still empty."""
  records.write_csv(path, NAME_COLUMNS, ((number, count, '') for number, count in counts.items()))


def read_names(path) -> dict[int, tuple[int | None, str]]:
  """cluster -> (its pictures as the file tells them, its name), where one is given.

  Spreadsheets may have saved it with semicolons or tabs.

  Raises:
    UserError: no CSV, no such columns, or a row that names no cluster, or one twice.
  """
  path = Path(path)
  try:
    text = path.read_bytes().decode('utf-8-sig')
  except UnicodeDecodeError as error:
    raise UserError(f'{path} is not UTF-8 ({error.reason}); save it as CSV in UTF-8') from error
  text = text.replace('\r\n', '\n').replace('\r', '\n')
  delimiter = max(',;\t', key=text.partition('\n')[0].count)
  lines = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
  try:
    (_, first), *rows = [(lines.line_num, cells) for cells in lines if cells] or [(1, [])]
  except csv.Error as error:
    raise UserError(f'{path} is no CSV file ({error})') from error
  titles = [' '.join(title.split()).lower() for title in first]
  if not {'cluster', 'name'} <= set(titles):
    raise UserError(f'{path} has the columns ({shortened(", ".join(titles))}); expected '
                    f'{", ".join(NAME_COLUMNS)}')
  found, seen = {}, set()
  for number, cells in rows:
    row = dict(zip(titles, cells, strict=False))
    cluster, name = row.get('cluster', '').strip(), ' '.join(row.get('name', '').split())
    if not cluster and not name:
      continue
    sound = _is_number(cluster)
    if not sound or int(cluster) in seen:
      what = 'stands there twice' if sound else 'is no number of a cluster'
      raise UserError(f"line {number} of {path}: {cluster[:_MOST_DIGITS]!r} {what}")
    seen.add(int(cluster))
    count = row.get('pictures', '').strip().replace(',', '')
    if name:
      found[int(cluster)] = (int(count) if _is_number(count) else None, name)
  return found


def _is_number(text):
  return text.isdecimal() and len(text) <= _MOST_DIGITS


def check_names(path, named: dict, counts: dict[int, int]) -> dict[int, str]:
  """cluster -> name, of names that belong to these clusters.

  Raises UserError where a name is of a cluster that there is not, or had other pictures.
  """
  for cluster, (pictures, name) in named.items():
    if cluster not in counts or pictures not in (None, counts[cluster]):
      here = f'{counts[cluster]:,} pictures' if cluster in counts else 'no pictures'
      raise UserError(f"{path} names cluster {cluster} '{name}', which has {here} here; the file "
                      'is of other clusters: move it away, and name these')
  return {cluster: name for cluster, (_, name) in named.items()}


def write_labelled(folder: Path, collection: Collection, names: dict[int, str], share: float,
                   poll: Callable[[], None]) -> dict[str, int]:
  """Makes a folder that `configs/simpsons.py:folder` trains on; how many pictures of each class.

  `labels.csv` (path, label) and links to the pictures. It is made anew, and appears whole.

  Args:
    folder: of the dataset.
    names: of clusters; the others are left out.
    share: of each cluster, the most typical pictures, at least one.
    poll: called for each picture; may raise to stop.

  Raises:
    UserError: the folder holds what no cluster job made.
  """
  counts = count_pictures(collection.clusters)
  chosen = [(row, names[int(collection.clusters[row])]) for row, rank in _ranked(collection)
            if int(collection.clusters[row]) in names
            and rank <= max(1, round(share * counts[int(collection.clusters[row])]))]
  chosen = [(row, name, f'pictures/{collection.name_of(row)}') for row, name in chosen]
  with _Remade(folder) as fresh:
    for row, _, path in chosen:
      poll()
      collection.place_picture(row, fresh / path)
    records.write_csv(fresh / TABLE, ('path', 'label'),
                      ((path, name) for _, name, path in chosen))
  classes = {}
  for _, name, _ in chosen:
    classes[name] = classes.get(name, 0) + 1
  return classes


def write_folders(folder: Path, collection: Collection, names: dict[int, str],
                  poll: Callable[[], None]) -> None:
  """Makes a folder for each cluster, with links to its pictures; noise has one of its own.

  Raises UserError where the folder holds what no cluster job made.
  """
  with _Remade(folder) as fresh:
    for row in range(len(collection.ids)):
      poll()
      cluster = int(collection.clusters[row])
      where = f'{cluster:03d}' if cluster != NOISE else 'noise'
      name = ''.join(letter if letter.isalnum() or letter in ' -' else '_'
                     for letter in names.get(cluster, ''))[:80].strip()
      where = f'{where} {name}' if name else where
      collection.place_picture(row, fresh / where / collection.name_of(row))


class _Remade:
  """A folder that takes the place of an older one when it is whole. Gives the fresh folder."""

  def __init__(self, folder: Path):
    self._folder, self._fresh = folder, folder.with_name(f'.{folder.name}-fresh')

  def __enter__(self) -> Path:
    _check_ours(self._folder)
    shutil.rmtree(self._fresh, ignore_errors=True)
    self._fresh.mkdir(parents=True)
    return self._fresh

  def __exit__(self, kind, *_):
    if kind is None:
      records.write_json(self._fresh / MARK, _describe_files(self._fresh))
      shutil.rmtree(self._folder, ignore_errors=True)
      self._fresh.rename(self._folder)
    else:
      shutil.rmtree(self._fresh, ignore_errors=True)


def _describe_files(folder) -> dict[str, str]:
  """Path -> what it is: of a link its aim, of a table its digest, of a copied picture its size."""
  found = {}
  for where, _, names in os.walk(folder):
    for name in names:
      path = Path(where, name)
      if name == MARK:
        continue
      if path.is_symlink():
        about = os.readlink(path)
      elif name == TABLE:
        about = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
      else:
        about = str(path.stat().st_size)
      found[path.relative_to(folder).as_posix()] = about
  return found


def _check_ours(folder) -> None:
  """Raises UserError where a folder is another's, or was changed by hand: nothing shall be lost."""
  if not os.path.lexists(folder):
    return
  try:
    made = records.read_json(folder / MARK)
  except UserError:
    raise UserError(f"'{folder}' was not made by --job=cluster; move it away, or name another "
                    'folder with --output=') from None
  changed = [name for name, about in _describe_files(folder).items() if made.get(name) != about]
  if changed:
    raise UserError(f"'{folder}' would be made anew, and '{changed[0]}' in it was added or changed "
                    'by hand; move the folder away to keep that')
