"""Pictures, their features and their clusters: what a cluster job leaves, opened again.

A folder holds `config.json` (of the command), `projection.npz`, `features.npy` (float32 [N, D], a
row for each picture that can be read), `clusters.npz` and, written last, `collection.json`: the
names of the pictures, where they are, and a digest of all that decides the clusters. Pictures stay
where they are.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from errors import UserError
from train_lib import build_inputs, build_sources
from train_lib.clustering.choosing import Trial
from train_lib.clustering.projection import Projection
from train_lib.clustering.search import Index
from train_lib.clustering.trunk import open_trunk
from train_lib.features import stream_features
from train_lib.reporting import counted
from train_lib.storage import records
from train_lib.workdir import load_config, now, save_config

NAME = 'collection.json'
FRESH = '.features.npy'           # of clusters that are being made
OF_SCANS = 'other pictures are looked for in a collection of pictures; this one is of scans'
_ENDINGS = {b'\xff\xd8': '.jpg', b'\x89P': '.png', b'RI': '.webp', b'GI': '.gif', b'BM': '.bmp'}


@dataclasses.dataclass(frozen=True)
class Collection:
  """N pictures that can be read, a row each.

  Attributes:
    folder: of the cluster job.
    config: of its command.
    workdir: of its command; the net may be that of this run.
    input: the pictures' folder, as it was given; '' for the config's dataset.
    ids: paths relative to the folder of the pictures, or the names of examples.
    labels: int32 [N], -1 where nothing is known.
    label_names: what these are called; () where nothing is known of any.
    unreadable: (id, reason) of the other pictures.
    features: float32 [N, D], on disk.
    projection: from features of the net to these.
    centres, clusters, distances, trials: of `grouping.Groups`.
  """
  folder: Path
  config: Any
  workdir: str
  input: str
  ids: list[str]
  labels: np.ndarray
  label_names: tuple[str, ...]
  unreadable: list[tuple[str, str]]
  features: np.ndarray
  projection: Projection
  centres: np.ndarray
  clusters: np.ndarray
  distances: np.ndarray
  trials: list

  # Pictures -------------------------------------------------------------------------------------

  @functools.cached_property
  def source(self):
    """All pictures, those that cannot be read too: a `data.batch.Source`."""
    return build_inputs.build_collection(self.config, self.input, lambda: None)

  @functools.cached_property
  def rows(self) -> np.ndarray:
    """int64 [N]: the place in the source of each picture.

    Raises:
      UserError: some pictures are there no more.
    """
    missing = [name for name in self.ids if name not in self._places]
    if missing:
      raise UserError(f"{counted(len(missing), 'picture')} that were grouped cannot be found, such "
                      f"as '{missing[0]}'; bring them back, or run --job=cluster again")
    return np.array([self._places[name] for name in self.ids], np.int64)

  @functools.cached_property
  def _places(self):
    """id -> place in the source."""
    source = self.source
    names = source.names if hasattr(source, 'names') else [
        source[place]['id'] for place in range(len(source))]
    return {name: place for place, name in enumerate(names)}

  @functools.cached_property
  def _loader(self):
    return build_inputs.build_whole_loader(self.config, self.source)

  def read_picture(self, row: int) -> np.ndarray | None:
    """uint8 [H, W, 3], upright RGB in its own size; None where it cannot be read (any more)."""
    place = self._places.get(self.ids[row])
    example = None if place is None else self._loader.example(place)
    return None if example is None else build_inputs.to_colours(example['image'])

  def read_pictures(self, rows) -> Iterator[np.ndarray | None]:
    """Yields `read_picture` of each of the rows, read ahead by a few threads."""
    workers = max(1, self.config.runtime.workers)
    _ = self._places, self._loader              # made once, before threads ask for them
    waiting = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
      for row in rows:
        waiting.append(threads.submit(self.read_picture, int(row)))
        if len(waiting) > 4 * workers:
          yield waiting.popleft().result()
      while waiting:
        yield waiting.popleft().result()

  @property
  def top(self) -> Path | None:
    """The folder that the ids are paths in; None where the pictures are no files of a folder."""
    path = self.input or (self.config.data.path
                          if self.config.data.source in ('pictures', 'folder') else '')
    if not path:
      return None
    path = Path(path).expanduser().absolute()
    return path.parent if path.is_file() else path

  def name_of(self, row: int) -> str:
    """A path for the picture within a folder of pictures, in letters of UTF-8; it has an ending."""
    name = self.ids[row]
    if self.top is not None:
      plain = name.encode(errors='replace').decode()            # of bytes that are no letters
      return plain if plain == name else f'{Path(plain).with_suffix("")}-{row}{Path(plain).suffix}'
    name = name.replace('\0', '').lstrip('/').replace('..', '_')
    if self.config.task == 'autoencoding':      # 'volume.nii.gz#7', whatever file that was
      return f'{name}.png'
    start = self.source[int(self.rows[row])]['image_bytes'][:2]
    return name if Path(name).suffix else name + _ENDINGS.get(start, '.png')

  def place_picture(self, row: int, path: Path) -> None:
    """Puts a picture at a path, as a link to its file where there is one, else as a copy.

    A slice of a scan becomes a PNG, as it is shown. Raises: UserError: it cannot be read any more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if self.config.task == 'autoencoding':
      picture = self.read_picture(row)
      if picture is None:
        raise UserError(f"'{self.ids[row]}' cannot be read any more; bring it back, or run "
                        '--job=cluster again')
      records.write_bytes(path, build_inputs.encode_picture(picture, '.png'))
      return
    if self.top is None:
      records.write_bytes(path, self.source[int(self.rows[row])]['image_bytes'])
      return
    origin = self.top / self.ids[row]
    try:
      os.symlink(origin, path)
    except FileExistsError:
      raise
    except (NotImplementedError, OSError):      # a file system without links
      shutil.copyfile(origin, path)

  # Features -------------------------------------------------------------------------------------

  @functools.cached_property
  def _trunk(self):
    return open_trunk(self.config, self.workdir)

  @functools.cached_property
  def _index(self):
    return Index(self.features)

  def embed(self, source, poll: Callable[[], None] = lambda: None
            ) -> tuple[list[str], np.ndarray, list[tuple[str, str]]]:
    """Features of other pictures, made like those of the collection.

    Args: source: a `data.batch.Source`; poll: called for each batch; may raise to stop.
    Returns: (n ids, float32 [n, D], (id, reason) of those that cannot be read).
    Raises: UserError: the collection is of scans, none can be read, or the net is not to be found.
    """
    if self.config.task == 'autoencoding':
      raise UserError(OF_SCANS)
    trunk = self._trunk
    loader = build_inputs.build_collection_loader(
        trunk.config, build_sources.cut_pictures(trunk.config, source, poll))
    ids, rows = [], []
    for batch, found in stream_features(trunk.net, trunk.mesh, trunk.variables, loader,
                                        tuple(self.config.cluster.taps), poll=poll):
      real = np.flatnonzero(batch['mask'] > 0)
      ids += [batch['id'][place] for place in real]
      rows.append(self.projection(found[real]))
    return ids, np.concatenate(rows), list(loader.bad_images.reasons().items())

  def neighbours(self, picture: str, count: int = 10) -> list[tuple[str, float]]:
    """The most alike pictures of the collection: [(id, cosine), ...], the most alike first.

    Args:
      picture: path of a picture; it need not be in the collection.
      count: how many; fewer where the collection has fewer.

    Raises:
      UserError: there is no such picture, or it cannot be read.
    """
    if not os.path.isfile(os.path.expanduser(picture)):
      raise UserError(f"there is no picture '{picture}'")
    _, features, unreadable = self.embed(build_inputs.build_picture_source(picture))
    if not len(features):
      raise UserError(f"'{picture}' cannot be read ({unreadable[0][1]})")
    rows, cosines = self._index.search(features, min(count, len(self.ids)))
    return [(self.ids[row], float(cosine)) for row, cosine in zip(rows[0], cosines[0], strict=True)]


def open_collection(workdir, poll: Callable[[], None] = lambda: None) -> Collection:
  """What --job=cluster left in a workdir, or in the folder that was named as its output.

  Args: poll: called now and then; may raise to stop.
  Raises: UserError: no pictures were grouped there, or what was left is damaged.
  """
  poll()
  folder = find_folder(workdir)
  about = records.read_json(folder / NAME)
  try:
    projection = Projection(
        **_read_npz(folder / 'projection.npz', ('scales', 'mean', 'components')))
    features = np.load(folder / 'features.npy', mmap_mode='r', allow_pickle=False)
    arrays = _read_npz(folder / 'clusters.npz', ('centres', 'clusters', 'distances', 'labels'))
    if not len(features) == len(about['ids']) == len(arrays['clusters']):
      raise ValueError('its files are of different pictures')
    return Collection(
        folder=folder, config=load_config(folder / 'config.json'), input=about['input'],
        workdir=_find_workdir(folder, about['workdir']), ids=about['ids'],
        label_names=tuple(about['label_names']), features=features, projection=projection,
        trials=[Trial(*(np.nan if value is None else value for value in trial))
                for trial in about['trials']],
        unreadable=[tuple(pair) for pair in about['unreadable']], **arrays)
  except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
    raise UserError(f'what --job=cluster left in {folder} is damaged ({error}); run it '
                    'again') from error


def _read_npz(path, keys) -> dict[str, np.ndarray]:
  with open(path, 'rb') as file, np.load(file, allow_pickle=False) as stored:
    return {key: stored[key] for key in keys}


def find_folder(workdir) -> Path:
  """The folder of a cluster job. Raises UserError where there is none."""
  workdir = records.local_folder(workdir, 'clusters', '--workdir=')
  for folder in (workdir / 'cluster', workdir):
    if (folder / NAME).exists():
      return folder
  raise UserError(f'no pictures were grouped in {workdir}; run --job=cluster first, or name the '
                  'folder where it was run with --workdir=')


def _find_workdir(folder, told: str) -> str:
  """The run around the folder where there is one, for it may have moved; else the one told."""
  here = folder.parent
  return os.fspath(here) if (here / 'tags.json').exists() or not told else told


def save_collection(collection: Collection, key: str) -> None:
  """Takes the place of what an earlier command left; `NAME`, which makes it whole, is last.

  Args:
    collection: its features lie in the folder, as FRESH.
    key: the digest of all that decides the clusters.
  """
  folder, projection = collection.folder, collection.projection
  (folder / NAME).unlink(missing_ok=True)
  (folder / FRESH).replace(folder / 'features.npy')
  save_config(folder / 'config.json', collection.config)
  with records.whole_file(folder / 'projection.npz') as file:
    np.savez(file, scales=projection.scales, mean=projection.mean,
             components=projection.components)
  with records.whole_file(folder / 'clusters.npz') as file:
    np.savez(file, centres=collection.centres, clusters=collection.clusters,
           distances=collection.distances, labels=collection.labels)
  records.write_json(folder / NAME, {
      'key': key, 'workdir': collection.workdir, 'input': collection.input,
      'time': now(), 'pictures': len(collection.ids), 'ids': collection.ids,
      'label_names': collection.label_names, 'unreadable': collection.unreadable,
      'trials': [list(trial) for trial in collection.trials]})


def save_place(collection: Collection) -> None:
  """Notes in the folder where a collection's pictures and run are now, and its command's config."""
  save_config(collection.folder / 'config.json', collection.config)
  about = records.read_json(collection.folder / NAME)
  place = {'workdir': collection.workdir, 'input': collection.input}
  if about != {**about, **place}:
    records.write_json(collection.folder / NAME, {**about, **place})


def saved_key(folder) -> str:
  """The digest of what was grouped in a folder; '' where nothing whole is there."""
  try:
    return str(records.read_json(folder / NAME)['key'])
  except (UserError, KeyError, TypeError):
    return ''
