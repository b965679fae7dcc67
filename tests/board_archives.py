"""Small archives of a board: the same posts in every format, for the tests of the source."""

import csv
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from configs import base
from data.sources.board import build_board
from errors import UserError

CATEGORIES = ('general', 'character', 'copyright', 'artist', 'meta')
CODES = {'general': 0, 'artist': 1, 'copyright': 3, 'character': 4, 'meta': 5}
OLD_RATING = {'g': 's', 's': 's', 'q': 'q', 'e': 'e'}  # how boards rated until 2021


def make_posts(count=60, start=1):
  """Posts with tags in every category, all ratings, and a content of their own each."""
  posts = []
  for id in range(start, start + count):
    content = f'content of {id}'.encode()
    general = [f'general_{k}' for k in (1, 2, 3, 5, 7) if id % k == 0]
    posts.append({
        'id': id, 'content': content, 'md5': hashlib.md5(content).hexdigest(), 'ext': 'jpg',
        'rating': 'gsqe'[id % 4],
        'tags': {'general': general, 'character': [f'character_{id % 3}'],
                 'copyright': ['series_a' if id % 2 else 'series_b'],
                 'artist': [f'artist_{id % 5}'],
                 'meta': ['highres'] if id % 4 == 0 else []}})
  return posts


def write_pictures(folder, posts, name='{id}.{ext}'):
  for post in posts:
    path = Path(folder) / name.format(**post, bucket=f"{post['id'] % 1000:04d}",
                                      start=post['md5'][:2])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(post['content'])


def old_row(post):
  return {'id': str(post['id']), 'md5': post['md5'], 'rating': OLD_RATING[post['rating']],
          'file_ext': post['ext'], 'image_width': '512', 'is_deleted': False, 'is_banned': False,
          'tags': [{'id': str(len(name)), 'name': name, 'category': str(CODES[category])}
                   for category in CATEGORIES for name in post['tags'][category]]}


def new_row(post):
  return {'id': post['id'], 'md5': post['md5'], 'rating': post['rating'], 'file_ext': post['ext'],
          'is_deleted': False, 'is_banned': False,
          'tag_string': ' '.join(sum(post['tags'].values(), [])),
          **{f'tag_string_{category}': ' '.join(post['tags'][category])
             for category in CATEGORIES}}


def write_lines(path, rows):
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(''.join(json.dumps(row) + '\n' for row in rows))


def write_danbooru2021(folder, posts):
  """Two files without an ending, as the archives come."""
  rows = [old_row(post) for post in posts]
  write_lines(Path(folder) / 'metadata/2021000000000000', rows[::2])
  write_lines(Path(folder) / 'metadata/2021000000000001', rows[1::2])
  write_pictures(folder, posts, '512px/{bucket}/{id}.{ext}')


def write_posts(folder, posts):
  write_lines(Path(folder) / 'posts.json', map(new_row, posts))
  write_pictures(folder, posts, 'images/{start}/{md5}.{ext}')


def write_posts_array(folder, posts):
  (Path(folder) / 'posts.json').write_text(json.dumps([new_row(post) for post in posts], indent=1))
  write_pictures(folder, posts, 'images/danbooru_{id}_{md5}.{ext}')


def write_posts_csv(folder, posts):
  with open(Path(folder) / 'posts.csv', 'w', newline='') as file:
    writer = csv.DictWriter(file, new_row(posts[0]))
    writer.writeheader()
    writer.writerows(map(new_row, posts))
  write_pictures(folder, posts, '{md5}.{ext}')


def write_post_files(folder, posts):
  write_pictures(folder, posts, 'danbooru/danbooru_{id}_{md5}.{ext}')
  for post in posts:
    lists = {f'tags_{name}': names for name, names in post['tags'].items()}
    row = {'category': 'danbooru', 'filename': post['md5'], **lists, **new_row(post)}
    name = f"danbooru/danbooru_{post['id']}_{post['md5']}.{post['ext']}.json"
    (Path(folder) / name).write_text(json.dumps(row, indent=4))


def write_sqlite(folder, posts, columns=('id', 'md5', 'file_ext', 'rating', 'is_deleted')):
  columns += tuple(f'tag_string_{category}' for category in CATEGORIES)
  database = sqlite3.connect(Path(folder) / 'danbooru.sqlite')
  database.execute(f'CREATE TABLE posts ({", ".join(columns)})')
  database.executemany(f'INSERT INTO posts VALUES ({", ".join("?" * len(columns))})',
                       [[new_row(post)[column] for column in columns] for post in posts])
  database.commit()
  database.close()
  write_pictures(folder, posts, 'images/{start}/{md5}.{ext}')


def write_sidecars(folder, posts):
  """Some beside the stem, some beside the whole name; by commas and by lines."""
  write_pictures(folder, posts, 'set {start}/{id}.{ext}')
  words = {'g': 'general', 's': 'sensitive', 'q': 'questionable', 'e': 'explicit'}
  for post in posts:
    tags = [f"rating:{words[post['rating']]}"]
    tags += [name if category == 'general' else f'{category}:{name}'
             for category in CATEGORIES for name in post['tags'][category]]
    odd = post['id'] % 2
    name = f"set {post['md5'][:2]}/{post['id']}{'.jpg' if odd else ''}.txt"
    (Path(folder) / name).write_text(
        '\n'.join(tags) if odd else ', '.join(tags).replace('_', ' '))


def write_captions(folder, posts):
  """A table; hashtags know no categories and no ratings."""
  write_pictures(folder, posts, '{id}.{ext}')
  rows = [{'path': f"{post['id']}.{post['ext']}",
           'caption': 'Look! ' + ' '.join(f'#{name}' for name in sum(post['tags'].values(), []))}
          for post in posts]
  write_lines(Path(folder) / 'captions.jsonl', rows)


def write_caption_files(folder, posts):
  write_pictures(folder, posts, '{id}.{ext}')
  for post in posts:
    (Path(folder) / f"{post['id']}.txt").write_text(
        'My picture of today. ' + '#'.join(['', *sum(post['tags'].values(), [])]))


def make_config(folder, cache, **changes):
  """The section config.data; `changes` are of `board` where it has the key, else of the section.

  'data.implications' and 'board.implications' are two keys.
  """
  config = base.data_section()
  config.source, config.path, config.dir = 'board', str(folder), str(cache)
  config.valid_frac = config.test_frac = 0.2
  config.board.most.artist = config.board.most.meta = 0
  for key, value in changes.items():
    section = config.board if key in config.board or key.startswith('board.') else config
    key = key.partition('.')[2] or key
    if isinstance(value, dict):
      section[key].update(value)
    else:
      section[key] = value
  return config


def build(folder, cache, **changes):
  """The three splits."""
  config = make_config(folder, cache, **changes)
  return {split: build_board(config, split) for split in ('train', 'valid', 'test')}


def write_archive(tmp_path, writer, posts=None):
  """Writes posts in the form of a writer of this file to the folder that `build_archive` reads."""
  folder = tmp_path / 'archive'
  folder.mkdir()
  globals()[f'write_{writer}'](folder, posts or make_posts())
  return folder


def build_archive(tmp_path, **changes):
  return build(tmp_path / 'archive', tmp_path / 'cache', **changes)


def contents(source):
  """{content of a picture: its tags' names}, which is what a training set comes to."""
  return {source[i]['image_bytes']: {source.tag_names[tag] for tag in source[i]['tags']}
          for i in range(len(source))}


# An archive of JSON Lines, to put faults into -----------------------------------------------------


def write_lines_archive(tmp_path):
  """Posts 1 to 100. Returns: its folder."""
  write_pictures(tmp_path / 'archive', make_posts(100))
  write_rows(tmp_path / 'archive', [new_row(post) for post in make_posts(100)])
  return tmp_path / 'archive'


def write_rows(folder, rows):
  """Args: rows: dicts, or lines as bytes."""
  (folder / 'posts.json').write_bytes(b''.join(
      (row if isinstance(row, bytes) else json.dumps(row).encode()) + b'\n' for row in rows))


def read_rows(folder):
  return [json.loads(line) for line in (folder / 'posts.json').read_text().splitlines()]


def build_train(folder, **changes):
  return build_board(make_config(folder, folder.parent / 'cache', **changes), 'train')


def error_of(folder, **changes):
  with pytest.raises(UserError) as raised:
    build_train(folder, **changes)
  return str(raised.value)


def listed(folder):
  """All problems of the one index: (kind, where, what)."""
  path, = (folder.parent / 'cache/boards').glob('*/problems.jsonl')
  return [tuple(json.loads(line).values()) for line in path.read_text().splitlines()]
