"""--job=cluster, from a config to a folder: features, clusters, how good they are, what is written.

What decides the clusters has a digest. While it stays the same, the same command only writes anew
what is for a person, with the names that she gave since.
"""

import copy
import dataclasses
import hashlib
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from errors import UserError
from train_lib import build_data, build_inputs, parallel
from train_lib import workdir as workdir_lib
from train_lib.clustering import cluster_report, copies, grouping, labelling, projection
from train_lib.clustering.collection import (
  FRESH,
  Collection,
  open_collection,
  save_collection,
  save_place,
  saved_key,
)
from train_lib.clustering.trunk import open_trunk
from train_lib.features import load_features, tap_widths
from train_lib.reporting import counted, say
from train_lib.storage import records
from train_lib.storage.lock import Lock
from train_lib.weights.weight_account import plain

# Keys of the section that change what is written, and no cluster.
PRESENTATION = ('gallery', 'gallery_most', 'folders', 'labelled_frac', 'batch_size')


def cluster_pictures(config, workdir: str, input: str, output: str,
                     poll: Callable[[], None]) -> None:
  """Groups pictures and writes what there is to see, to name and to search.

  Into the output go `clusters.csv`, `names.csv`, `gallery.html`, `clusters.json` (figures),
  `number_of_clusters.csv` and `.png` where the number was chosen, `clusters.png`, where need be
  `unreadable.jsonl`, and what `collection` keeps. With names in names.csv also `labelled/`, a
  dataset; with cluster.folders `folders/`.

  Args: as those of the job; poll: called often; may raise to stop.

  Raises:
    UserError: no net, no pictures, settings that make no sense, or names of other clusters.
  """
  settings = config.cluster
  _check(config, input)
  folder = records.local_folder(output or os.path.join(workdir, 'cluster'), 'clusters')
  for path in (input, config.data.path):
    if path:
      records.check_outside(folder, path)
  named = _read_names(folder)
  trunk = open_trunk(config, workdir)
  workdir_lib.keep_config(workdir, config)
  source = build_inputs.build_collection(trunk.config, input, poll)
  say(f'{source.description}; {trunk.words}')
  loader = build_inputs.build_collection_loader(trunk.config, source)
  arrays = load_features(
      config.runtime.features_dir, trunk.net, trunk.mesh, trunk.variables, loader,
      build_data.describe_reading(trunk.config, source, 'all'), poll,
      taps=tuple(settings.taps), dtype=settings.stored_as)
  key, saved = _key(arrays['features'], config), saved_key(folder)
  if named and saved not in ('', key):
    raise UserError(f'{folder / "names.csv"} names {counted(len(named), "cluster")} of other '
                    'pictures, features or settings; take the change back, or move that file away '
                    'and name the new clusters')
  folder.mkdir(parents=True, exist_ok=True)
  with Lock(folder):
    collection = _open_again(folder, poll) if saved == key else None
    if collection:
      collection = dataclasses.replace(
          collection, config=_named(trunk.config), **_place(workdir, input))
      save_place(collection)
      say('nothing that decides the clusters has changed: they stay as they are')
    else:
      collection = _make(folder, trunk, workdir, input, source, arrays, loader, key, poll)
    names = _settle_names(folder / 'names.csv', named, collection.clusters)
    workdir_lib.keep_config(workdir, config, renew=True)
    cluster_report.write_report(collection, names, trunk.mesh, poll)
    _tell(collection, names, output or workdir, poll)


def _check(config, input) -> None:
  build_inputs.check_groupable(config.task)
  grouping.check_settings(config.cluster)
  copies.check_settings(config.neighbours.copies, config.neighbours.least_similarity)
  parallel.check_batch_size('cluster.batch_size', config.cluster.batch_size, parallel.make_mesh())
  if jax.process_count() > 1:
    raise UserError(f'pictures are grouped by one process, not by {jax.process_count()}; start it '
                    'on one host')
  if config.task == 'autoencoding' and input:
    raise UserError('scans are grouped as the run reads them; name their folder with '
                    '--config.data.source=scans --config.data.path= in place of --input=')
  build_inputs.check_collection(config, input)


def _open_again(folder, poll) -> Collection | None:
  try:
    return open_collection(folder, poll)
  except UserError as error:
    say(f'{error}; it is made anew')
    return None


def _place(workdir, input) -> dict[str, str]:
  """Where run and pictures are, as a collection keeps it."""
  return {'workdir': os.fspath(records.absolute(workdir)),
          'input': input and os.path.abspath(os.path.expanduser(input))}


def _read_names(folder) -> dict:
  path = folder / 'names.csv'
  return labelling.read_names(path) if path.exists() else {}


def _settle_names(path, named, clusters) -> dict[int, str]:
  """The names of clusters, checked; without a file of names an empty one is written."""
  counts = labelling.count_pictures(clusters)
  if not path.exists():
    labelling.write_names(path, counts)
  return labelling.check_names(path, named, counts)


def _named(config):
  """A config whose paths mean the same from every folder."""
  config = copy.deepcopy(config)
  for section, key in ((config.data, 'path'), (config.net, 'init_from')):
    if section[key] and os.path.exists(os.path.expanduser(section[key])):
      section[key] = os.fspath(records.absolute(section[key]))
  return config


def _key(features, config) -> str:
  """The digest of all that decides the clusters; that of the features is their folder's name."""
  decides = {key: value for key, value in config.cluster.to_dict().items()
             if key not in PRESENTATION}
  about = [Path(features.filename).parent.name, decides, config.seed]
  return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def _make(folder, trunk, workdir, input, source, arrays, loader, key, poll) -> Collection:
  """The collection, grouped and saved; until it is, an earlier one stays as it was."""
  config = _named(trunk.config)
  settings, rows = config.cluster, np.flatnonzero(arrays['mask'] > 0)
  if len(rows) < 2:
    raise UserError(f'there {"is 1 picture" if len(rows) == 1 else "are no pictures"} that can be '
                    'read, and groups are of two or more')
  if settings.k > len(rows):
    raise UserError(f'cluster.k is {settings.k:,}, more than the {len(rows):,} pictures that can '
                    'be read; ask for fewer clusters, or for 0, which chooses')
  learned = projection.fit_projection(
      arrays['features'], rows,
      tap_widths(trunk.net, trunk.variables, loader, tuple(settings.taps)),
      components=settings.components, whiten=settings.whiten, poll=poll)
  features = _project(learned, arrays['features'], rows, folder / FRESH, poll)
  say(f'{len(rows):,} pictures, {arrays["features"].shape[1]:,} features each, '
      f'{learned.width:,} after projection')
  groups = grouping.group(features, settings, config.seed, trunk.mesh, poll)
  unknown = np.full(len(rows), -1, np.int32)
  collection = Collection(
      folder=folder, config=config, **_place(workdir, input),
      ids=[str(name) for name in arrays['id'][rows]],
      labels=np.asarray(arrays['label'], np.int32)[rows] if 'label' in arrays else unknown,
      label_names=tuple(source.tag_names) if 'label' in arrays else (),
      unreadable=sorted(loader.bad_images.reasons().items()), features=features,
      projection=learned, centres=groups.centres, clusters=groups.clusters,
      distances=groups.distances, trials=groups.trials)
  _clear_older(folder)
  save_collection(collection, key)
  return collection


def _project(learned, features, rows, path, poll):
  """float32 [n, width], in a file at the path."""
  out = np.lib.format.open_memmap(path, mode='w+', dtype=np.float32,
                                  shape=(len(rows), learned.width))
  projection.project(learned, features, rows, out, poll)
  out.flush()
  return np.load(path, mmap_mode='r', allow_pickle=False)


def _clear_older(folder) -> None:
  """Takes away what an earlier command said of other clusters; none of them has a name."""
  for name in cluster_report.WRITTEN:
    (folder / name).unlink(missing_ok=True)
  if not _read_names(folder):
    (folder / 'names.csv').unlink(missing_ok=True)


def _tell(collection, names, place, poll) -> None:
  """Says where everything is, and makes the folders that are asked for."""
  folder, settings = collection.folder, collection.config.cluster
  say(f'{folder}/clusters.csv has the cluster of every picture'
      + (f', {folder}/gallery.html shows them' if settings.gallery else ''))
  for name, made in (('gallery', settings.gallery), ('folders', settings.folders)):
    older = folder / ('gallery.html' if name == 'gallery' else name)
    if not made and older.exists():
      say(f'{older} is of an earlier command, with the names of then; --config.cluster.{name} '
          'makes it anew')
  if settings.folders:
    labelling.write_folders(folder / 'folders', collection, names, poll)
    say(f'{folder}/folders has a folder of links for each cluster')
  if not names and (folder / 'labelled').exists():
    say(f'{folder}/labelled is of names that were taken out again')
  if not names:
    say(f'name clusters in {folder}/names.csv and give the same command again for a labelled '
        'dataset')
  else:
    classes = labelling.write_labelled(folder / 'labelled', collection, names,
                                       settings.labelled_frac, poll)
    counts = ', '.join(f'{plain(name)} {count:,}' for name, count in classes.items())
    total = counted(sum(classes.values()), 'picture')
    say(f'{total} of {counted(len(classes), "class")}, in {folder}/labelled ({counts}); to '
        'train on them:\n  python main.py --config=configs/simpsons.py:folder '
        f'--config.data.path={shlex.quote(os.fspath(folder / "labelled"))}')
  say(f'what looks alike: python main.py --job=neighbours --workdir={shlex.quote(place)} '
      '[--input=PICTURE]')
