"""A text file for each picture, as programs that train on pictures or keep them read tags.

`kohya`: NAME.txt, one line, tags with commas between. `hydrus`: NAME.EXT.txt, a tag a line, with
its namespace (character:, series:, creator:, meta:, rating:).
"""

import os
import pathlib
from collections.abc import Iterable

from errors import UserError
from train_lib import build_inputs
from train_lib.reporting import counted, say
from train_lib.storage import records

FORMATS = ('kohya', 'hydrus')
PLACES = ('output', 'beside')
NAMESPACES = {'general': '', 'character': 'character:', 'copyright': 'series:',
              'artist': 'creator:', 'meta': 'meta:'}
MARK = '.of_predict'              # stands in a folder of captions that this program made
SHORT = 3                         # letters of an emoticon, such as ^_^, whose underscore stays


class Captions:
  """Writes them; `write_all` does.

  Args:
    settings: the section `predict`, its keys that begin with `caption`.
    categories: {tag: category}, of the net's outputs.
    names: of all pictures, relative to their folder.
    folder: of the pictures, for `caption_place='beside'`; output: of what the job writes.

  Raises:
    UserError: no such format or place, two pictures whose captions would be one file, or captions
      of others in the folder.
  """

  def __init__(self, settings, categories: dict[str, str], names: Iterable[str], folder, output):
    if settings.captions not in FORMATS:
      raise UserError(f"predict.captions is '{settings.captions}'; choices: {', '.join(FORMATS)}, "
                      "or '' for none")
    if settings.caption_place not in PLACES:
      raise UserError(f"predict.caption_place is '{settings.caption_place}'; choices: "
                      f"{', '.join(PLACES)}")
    self._settings, self._categories = settings, categories
    self._beside = settings.caption_place == 'beside'
    self._folder = folder if self._beside else output / 'captions'
    self.num_kept = 0             # captions of others that stand beside the pictures
    self._ours = not self._beside and '://' not in os.fspath(self._folder)
    self._check_names(names)
    if self._ours and not (self._folder / MARK).exists():
      build_inputs.check_no_others(pathlib.Path(self._folder), (), 'that are not of this job')

  def write_all(self, rows: Iterable[dict]) -> None:
    """Writes the captions of all rows and says where they are; older ones of other pictures go,
    where the folder is ours."""
    if self._ours:
      records.write_text(self._folder / MARK, '')
    written = set()
    for row in rows:
      self._write(row)
      written.add(self._file_name(row['path']))
    if self._ours:
      for path in pathlib.Path(self._folder).rglob('*.txt'):
        if os.path.relpath(path, self._folder) not in written:
          path.unlink()
    where = 'beside the pictures' if self._beside else f'in {self._folder}'
    say(f'captions for {self._settings.captions} are {where}')
    if self.num_kept:
      say(f'{counted(self.num_kept, "picture")} had another caption, which was left as it is; '
          'remove those that are to be written anew')

  def _write(self, row):
    """Writes the caption of a row of predictions; another one beside a picture stays as it is."""
    path, text = self._folder / self._file_name(row['path']), self._text(row)
    if self._beside and path.exists():
      self.num_kept += path.read_bytes() != text.encode(errors='surrogateescape')
      return
    records.write_text(path, text, to_disk=False)

  def _file_name(self, name: str) -> str:
    stem = os.path.splitext(name)[0] if self._settings.captions == 'kohya' else name
    return f'{stem}.txt'

  def _check_names(self, names):
    if self._settings.captions == 'hydrus':
      return                      # the ending is in its name
    seen = {}
    for name in names:
      other = seen.setdefault(self._file_name(name), name)
      if other is not name:
        raise UserError(f"'{other}' and '{name}' would share the caption "
                        f"'{self._file_name(name)}'; rename one, or choose "
                        '--config.predict.captions=hydrus')

  def _text(self, row: dict) -> str:
    settings = self._settings
    tags = row['tags'] if 'tags' in row else [row['label']]
    tags = [tag for tag in tags if tag not in settings.caption_without]
    if settings.captions == 'hydrus':
      lines = [NAMESPACES[self._categories[tag]] + self._plain(tag) for tag in tags]
      lines += [f'rating:{row["rating"]}'] if row.get('rating') else []
      return ''.join(line + '\n' for line in lines)
    first = list(settings.caption_first)
    return ', '.join([*first, *(self._plain(tag) for tag in tags if tag not in first)]) + '\n'

  def _plain(self, tag: str) -> str:
    spaced = self._settings.caption_spaces and len(tag) > SHORT
    return tag.replace('_', ' ') if spaced else tag
