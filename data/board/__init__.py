"""A board's archive: pictures and what a board's users say of them, in the formats that exist.

| file | what it holds |
|---|---|
| danbooru2021.py | Danbooru2018 to 2021: JSON Lines, tags as a list of dicts |
| posts.py | posts of the API since 2022: JSON Lines, JSON array, CSV, or a .json beside a picture |
| sqlite.py | databases: DanbooruDownloader's, and dumps as one file |
| sidecars.py | a .txt beside each picture: tags by commas or lines |
| captions.py | captions with #hashtags: a table, or a .txt beside each picture |
| records.py | one record, whatever told it |
| rows.py | rows of large files, one after another |
| files.py | the picture files of an archive, found by number, md5 or path |
| find.py | which of the formats a folder holds, and where |
| reading.py | records and pictures brought together, once |
| problems.py | what is wrong with an archive: counted and listed |
| ratings.py | what ratings mean: s was safe, and is sensitive |
| lists.py | a person's lists: aliases, implications, categories, tags wanted and unwanted |
| tags.py | the tags of all records: one name, one category; which a run learns |
| splits.py | which pictures are used, and for what |
| building.py | all of this in its order: from an archive to its index |
| describe.py | an index in a sentence |
| index.py | what was read, on disk: memory-mapped by every later start |

A format is one row of `FORMATS`: how its files are told, and its reader.
"""

from collections.abc import Callable
from typing import NamedTuple

from data.board import captions, danbooru2021, posts, sidecars, sqlite


class Format(NamedTuple):
  """How the records of a format are read; it has metadata files, files beside pictures, or both.

  Attributes:
    words: what it is, for people.
    read: path -> iterator of (place, Record or Broken); None: no such files.
    ending: of the files beside pictures, '' where there are none.
    read_beside: path of such a file -> Record or Broken.
    letter_s: what the rating 's' stands for; '': safe, unless there are pictures rated 'g'.
  """

  words: str
  read: Callable | None = None
  ending: str = ''
  read_beside: Callable | None = None
  letter_s: str = ''


FORMATS = {
    'danbooru2021': Format('metadata of Danbooru2018-2021', danbooru2021.read, letter_s='safe'),
    'posts': Format('posts of the API since 2022', posts.read, letter_s='sensitive'),
    'post_files': Format('a .json file beside each picture', ending='.json',
                         read_beside=posts.read_beside, letter_s='sensitive'),
    'sqlite': Format('a database of posts', sqlite.read),
    'sidecars': Format('tags in .txt files beside the pictures', ending='.txt',
                       read_beside=sidecars.read_beside),
    'captions': Format('hashtags of captions', captions.read, ending='.txt',
                       read_beside=captions.read_beside),
}
