"""What the data of a run were when it began, and in words how they differ from those of now.

Beside the fingerprint in run.json a workdir keeps data.json, sizes and tags, and, of data in files
that are not too many, data_files.csv.gz: a row for each picture.
"""

import csv
import gzip
import io
import logging
import zlib
from typing import NamedTuple

from errors import UserError
from train_lib import workdir as workdir_lib
from train_lib.reporting import counted
from train_lib.storage import records

SIZES, FILES = 'data.json', 'data_files.csv.gz'
FEW = 3                           # names that stand for many
DIGITS = 12                       # of a digest that are kept
_TAGS_FORM = {'names': [str], 'categories': [str], 'pixels': {'mean': [float], 'std': [float]}}
_SIZES_FORM = {'training_pictures': int, 'pictures': (int, None), 'tags': [str]}

_log = logging.getLogger(__name__)


class Noted(NamedTuple):
  """What is kept of a picture, as `data.batch.Content`."""

  digest: str
  told: str
  split: str


def check_data(workdir, source, *, accept_changed: bool = False) -> None:
  """Notes what a run's data are, or compares them with what was noted when it began.

  Of several processes the first one calls it.

  Args:
    workdir: of the run, whose lock is held.
    source: the training split.
    accept_changed: goes on with changed pictures, and notes that in run.json. Other tags are never
      accepted: they are what the outputs of the net mean.

  Raises:
    UserError: the data are not those the run began with; it names the difference.
  """
  run = workdir_lib.read_run(workdir)
  before = run.get('fingerprint')
  if before == source.fingerprint:
    return
  if before is not None:
    changes = _changes(workdir, run, source, accept_changed)
    _log.warning('%s: the data changed, which is accepted: %s', workdir, '; '.join(changes))
    accepted = {'time': workdir_lib.now(), 'from': before, 'to': source.fingerprint,
                'changes': changes}
    workdir_lib.update_run(workdir, accepted_changes=[*run.get('accepted_changes', []), accepted])
  _note(workdir, source)
  workdir_lib.update_run(workdir, fingerprint=source.fingerprint)


def read_tags(folder) -> dict:
  """tags.json of a run: 'names', 'categories' and perhaps 'pixels', its 'mean' and 'std'.

  Raises: UserError: there is none, or it is damaged.
  """
  path = folder / 'tags.json'
  tags = records.read_fields(path, _TAGS_FORM, needs=('names', 'categories'))
  pixels = tags.get('pixels', {'mean': [0.0], 'std': [1.0]})
  sizes = {len(pixels.get(key, ())) for key in ('mean', 'std')}
  if (len(tags['names']) != len(tags['categories']) or sizes not in ({1}, {3})
      or min(pixels['std']) <= 0):
    raise UserError(f'{path} is damaged: its lists do not fit each other; bring the file back as '
                    'it was.')
  return tags


def _note(workdir, source):
  contents = _contents(source)
  records.write_json(workdir / SIZES, {
      'training_pictures': len(source), 'pictures': None if contents is None else len(contents),
      'tags': list(source.tag_names)})
  if contents is None:
    (workdir / FILES).unlink(missing_ok=True)
    return
  text = io.StringIO()
  csv.writer(text, lineterminator='\n').writerows(
      [name, content.digest[:DIGITS], content.told, content.split]
      for name, content in contents.items())
  records.write_bytes(workdir / FILES, gzip.compress(
      text.getvalue().encode(errors='surrogateescape'), mtime=0))


def _changes(workdir, run, source, accept_changed) -> list[str]:
  """The differences in words; UserError unless they are accepted."""
  noted = _read_sizes(workdir)
  tags = tag_changes(noted.get('tags'), source.tag_names)
  changes = [*_size_changes(noted, source),
             *picture_changes(_read_files(workdir), _contents(source)), *tags]
  if not changes:
    changes = ['sizes, tags and the pictures that are noted are the same, and something else '
               'that is read of the data is not']
  fresh = workdir_lib.free_name(workdir)
  told = (f'{workdir}: the data changed since this run began (fingerprint {run["fingerprint"]}, '
          f'now {source.fingerprint}): {"; ".join(changes)}. Bring the data back')
  if tags:
    raise UserError(f'{told}, or start afresh with --workdir={fresh}: what the outputs of this '
                    f'net mean cannot change. With --config.net.init_from={workdir} the fresh run '
                    'begins with all of it but the head.')
  if not accept_changed:
    raise UserError(f'{told}, start afresh with --workdir={fresh}, or go on all the same with '
                    '--config.runtime.accept_changed_data=True.')
  return changes


def picture_changes(before: dict | None, now: dict | None) -> list[str]:
  """How the pictures of a dataset differ, in phrases.

  Args: before, now: {id: Noted or data.batch.Content}; None: not known.
  """
  if before is None or now is None:
    return []
  both = [name for name in now if name in before]
  return [_phrase(names, 'picture', what) for what, names in (
      ('added', [name for name in now if name not in before]),
      ('removed', [name for name in before if name not in now]),
      ('edited', [name for name in both
                  if now[name].digest[:DIGITS] != before[name].digest[:DIGITS]]),
      ('with other tags', [name for name in both if now[name].told != before[name].told]),
      ('in another split', [name for name in both if now[name].split != before[name].split]),
  ) if names]


def tag_changes(before: list | None, now) -> list[str]:
  """How a list of tags differs, in phrases. Args: before: None where that is not known."""
  if before is None or list(before) == list(now):
    return []
  known, found = set(before), set(now)
  phrases = [_phrase(names, 'tag', what) for what, names in (
      ('added', [name for name in now if name not in known]),
      ('removed', [name for name in before if name not in found])) if names]
  old, new = ([name for name in names if name in known & found] for names in (before, now))
  moved = [name for name, other in zip(new, old, strict=True) if name != other]
  return phrases + ([_phrase(moved, 'tag', 'in another order')] if moved else [])


def _size_changes(noted, source):
  before = noted.get('training_pictures')
  if before is None or before == len(source):
    return []
  return [f'the training split has {len(source):,} pictures instead of {before:,}']


def _contents(source):
  tell = getattr(source, 'contents', None)      # not every source can
  return tell() if tell else None


def _phrase(names, noun, what):
  few = ', '.join(map(str, names[:FEW])) + (', ...' if len(names) > FEW else '')
  return f'{counted(len(names), noun)} {what} ({few})'


def _read_sizes(workdir) -> dict:
  """data.json; of a run that was begun without one, the tags alone."""
  if (workdir / SIZES).exists():
    return records.read_fields(workdir / SIZES, _SIZES_FORM)
  return {'tags': read_tags(workdir)['names']} if (workdir / 'tags.json').exists() else {}


def _read_files(workdir) -> dict[str, Noted] | None:
  path = workdir / FILES
  if not path.exists():
    return None
  try:
    text = gzip.decompress(records.read_bytes(path)).decode(errors='surrogateescape')
    return {name: Noted(digest, told, split)
            for name, digest, told, split in csv.reader(io.StringIO(text, newline=''))}
  except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
    _log.warning('%s is damaged and not compared: %s', path, error)
    return None
