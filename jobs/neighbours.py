"""--job=neighbours: what looks alike in a collection that was clustered, and near-copies in it."""

import os
from pathlib import Path

import numpy as np

from errors import UserError
from train_lib import build_inputs, devices
from train_lib.clustering import alike_files, copies, copy_files
from train_lib.clustering.collection import open_collection
from train_lib.clustering.search import Index
from train_lib.preemption import Preemption
from train_lib.reporting import counted, note_unreadable, say
from train_lib.split_statistics import even_sample
from train_lib.storage import records, remote

MANY_COPIES, MANY_FRAC = 20, 0.1  # and more than this share: a sign of too low a similarity


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Finds the pictures most like each one, by features alone; nothing is trained.

  Without an input every picture of the collection is looked for among the others, and near-copies
  are told: see `copies.find_copies` and the section `neighbours`. With one its pictures are looked
  for in the collection, which itself stays as it is.

  Writes `neighbours.csv` (query, rank, path, similarity, cluster), `neighbours.png` (some of the
  queries beside what was found) and, if need be, `unreadable.jsonl`; without an input also
  `copies.csv` (group, path, kept, why, similarity) and `copies.png`, and with neighbours.unique the
  folder `unique/` of links to the pictures that are no copies. No picture is changed or removed.

  Args:
    config: of the workdir; its section `neighbours` is this job's.
    workdir: where a collection was clustered.
    config_path: not of this job.
    input: a folder of pictures, walked recursively, or one picture; '' is the collection itself.
    output: a folder; '' is `<workdir>/neighbours`, with an input `<workdir>/neighbours_of_input`.

  Raises:
    UserError: nothing was clustered there, no such input, no picture in it that can be read, or
      settings that make no sense.
  """
  del config_path
  _check(config.neighbours, input)
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    name = 'neighbours_of_input' if input else 'neighbours'
    folder = records.absolute(output or os.path.join(workdir, name))
    collection = open_collection(workdir, preemption.check)
    if collection.config.task == 'autoencoding':
      _check_scans(config.neighbours)
    index = Index(collection.features)
    if input:
      _find_given(config.neighbours, collection, index, input, folder, preemption.check)
    else:
      _find_own(config, collection, index, folder, preemption.check)


def _check(settings, input) -> None:
  copies.check_settings(settings.copies, settings.least_similarity)
  if settings.count < 1:
    raise UserError(f'neighbours.count is {settings.count}; expected 1 or more')
  if settings.unique and input:
    raise UserError('neighbours.unique is about copies within the collection; leave --input= out, '
                    'or neighbours.unique at False')


def _check_scans(settings) -> None:
  if settings.copies != 'features' or settings.unique:
    raise UserError('the collection is of scans, which are no picture files to compare or link '
                    "to: set neighbours.copies to 'features' and leave neighbours.unique at False")


def _find_given(settings, collection, index, input, folder, poll) -> None:
  """Looks for the pictures of the input in the collection."""
  source = build_inputs.build_picture_source(input)
  names, features, unreadable = collection.embed(source, poll)
  remote.make_folder(folder)
  note_unreadable(folder / 'unreadable.jsonl', unreadable)
  if not names:
    raise UserError(f"no picture of '{input}' can be read; {folder}/unreadable.jsonl says why")
  rows, similarities = index.search(features, min(settings.count, len(index)), poll=poll)
  loader = build_inputs.build_whole_loader(collection.config, source)
  places = {name: place for place, name in enumerate(source.names)}

  def read(query):
    example = loader.example(places[names[query]])
    return None if example is None else build_inputs.to_colours(example['image'])

  shown = range(min(alike_files.SHOWN_QUERIES, len(names)))
  _write(folder, collection, names, rows, similarities, shown, read, poll)


def _find_own(config, collection, index, folder, poll) -> None:
  """Looks for each picture of the collection among the others, and for copies."""
  size = len(index)
  if size < 2:
    raise UserError('the collection has one picture, which has no neighbour; name pictures to look '
                    'for with --input=')
  remote.make_folder(folder)
  rows, similarities = index.search(
      collection.features, min(config.neighbours.count, size - 1), leave_out=np.arange(size),
      poll=poll)
  note_unreadable(folder / 'unreadable.jsonl', [])
  shown = even_sample(size, alike_files.SHOWN_QUERIES)
  _write(folder, collection, collection.ids, rows, similarities, shown, collection.read_picture,
         poll)
  found = _find_copies(config, collection, index, poll)
  copy_files.write_copies(folder, found, collection.ids, collection.read_picture, poll)
  _tell_copies(folder, found, config.neighbours.copies, size)
  if config.neighbours.unique:
    _write_unique(collection, found, folder / 'unique', poll)


def _write(folder, collection, names, rows, similarities, shown, read, poll) -> None:
  """The table and the sheet. Args: shown: queries on it; read: query -> picture or None."""
  alike_files.write_neighbours(folder, names, rows, similarities, collection.ids,
                               collection.clusters)
  queries = [(names[query], read(int(query)), rows[query], similarities[query]) for query in shown]
  alike_files.save_neighbours_sheet(folder / 'neighbours.png', queries, collection.ids,
                                    collection.clusters, collection.read_picture, poll)
  each = f'of each of {len(names):,} pictures' if len(names) > 1 else f"of '{names[0]}'"
  say(f'the {rows.shape[1]:,} most alike {each}: {folder}/neighbours.csv; {folder}/neighbours.png '
      'shows some')
  if len(names) == 1:
    for row, similarity in zip(rows[0], similarities[0], strict=True):
      say(f'{similarity:.3f}  {collection.ids[row]}')


def _find_copies(config, collection, index, poll) -> copies.Copies:
  settings, hashed = config.neighbours, None
  if settings.copies != 'features':
    hashed = copies.hash_copies(config, collection.source, collection.rows, poll)

  def rank(row):
    picture = collection.read_picture(row)
    pixels = 0 if picture is None else picture.shape[0] * picture.shape[1]
    return -pixels, -len(copy_files.read_bytes(collection, row)), collection.ids[row]

  return copies.find_copies(
      collection.features, how=settings.copies, least_similarity=settings.least_similarity,
      hashed=hashed, index=index, rank=rank, poll=poll)


def _tell_copies(folder, found, how, size) -> None:
  witnesses = 'hash or features' if how == 'both' else how
  spare = sum(len(group) - 1 for group in found.groups)
  if spare:
    say(f'{counted(spare, "picture")} nearly the same as {counted(len(found.groups), "other")}, by '
        f'{witnesses}: {folder}/copies.csv lists them, {folder}/copies.png shows the largest '
        'groups; look before you remove any')
    if spare > max(MANY_COPIES, MANY_FRAC * size):
      say('so many are hardly copies: to this net different pictures are alike; raise '
          '--config.neighbours.least_similarity')
  else:
    say(f'no near-copies were found by {witnesses}')


def _write_unique(collection, found, folder, poll) -> None:
  if '://' in os.fspath(folder):
    raise UserError(f"neighbours.unique makes links, which '{folder}' cannot hold; name a folder "
                    'of this machine with --output=')
  spare = {row for group in found.groups for row in group[1:]}
  kept = [row for row in range(len(collection.ids)) if row not in spare]
  copy_files.write_unique(collection, kept, Path(folder), poll)
  say(f'the {len(kept):,} pictures that are no copies of another are in {folder}')
