"""Which pictures are used, and that no picture is in two splits."""

from types import SimpleNamespace

import numpy as np
import pytest

from data.board import splits
from data.board.files import MD5_DTYPE
from data.sources.board import build_board
from errors import UserError
from tests import board_archives as archives

COUNT = 200


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('splits') / 'archive'
  folder.mkdir()
  archives.write_posts_array(folder, archives.make_posts(COUNT))
  return folder


def build(folder, **changes):
  return archives.build(folder, folder.parent / 'cache', **changes)


def ids(source):
  """Numbers of the posts, from danbooru_<id>_<md5>.jpg."""
  return {int(source[i]['id'].split('_')[1]) for i in range(len(source))}


def settings(rule, valid_frac=0.2, test_frac=0.2):
  return SimpleNamespace(valid_frac=valid_frac, test_frac=test_frac,
                         board=SimpleNamespace(split=rule))


def digests(numbers):
  """An md5 for each number, the same for the same."""
  dice = np.random.default_rng(7)
  table = dice.integers(1, 256, (max(numbers) + 1, 16), np.uint8)
  return np.frombuffer(table[numbers].tobytes(), MD5_DTYPE)


@pytest.mark.parametrize('rule', ['content', 'id'])
@pytest.mark.parametrize('seed', range(40))
def test_pictures_of_one_content_are_never_in_two_splits(rule, seed):
  dice = np.random.default_rng(seed)
  count = int(dice.integers(2, 300))
  contents = dice.integers(dice.integers(1, count + 1), size=count)
  ids = dice.permutation(5000)[:count]
  shares = dice.dirichlet([3, 1, 1])
  found = splits.split(settings(rule, *shares[1:]), ids, digests(contents))
  assert all(len(set(found[contents == content])) == 1 for content in contents)
  if rule == 'id':  # and it is the split of the lowest number
    for content in contents:
      lowest = np.flatnonzero(contents == content)[ids[contents == content].argmin()]
      alone = splits.split(settings(rule, *shares[1:]), ids[[lowest]], digests([0]))
      assert found[lowest] == alone[0]


@pytest.mark.parametrize('seed', range(10))
def test_pictures_that_come_or_go_move_no_other(seed):
  dice = np.random.default_rng(seed)
  ids, md5s = np.arange(500), digests(np.arange(500))
  kept = np.sort(dice.permutation(500)[:300])
  for rule in ('content', 'id'):
    whole = splits.split(settings(rule), ids, md5s)
    np.testing.assert_array_equal(splits.split(settings(rule), ids[kept], md5s[kept]), whole[kept])


def test_shares_are_about_those_asked_for():
  md5s = digests(np.arange(20_000))
  counts = np.bincount(splits.split(settings('content', 0.1, 0.05), np.arange(20_000), md5s))
  np.testing.assert_allclose(counts, [17_000, 2_000, 1_000], atol=150)


def test_by_number_the_last_of_each_thousand_are_held_out():
  ids = np.arange(3000, 5000)
  found = splits.split(settings('id', 0.05, 0.05), ids, digests(ids))
  np.testing.assert_array_equal(found, np.where(ids % 1000 >= 950, 2, ids % 1000 >= 900))


def test_an_archive_is_split_by_number_where_that_is_asked_for(folder):
  found = build(folder, split='id', test_frac=0.85, valid_frac=0.06)
  assert {split: ids(source) for split, source in found.items()} == {
      'train': set(range(1, 90)), 'valid': set(range(90, 150)), 'test': set(range(150, 201))}
  assert 'set apart by the number of the post' in found['train'].description


def test_copies_under_other_numbers_stay_together(tmp_path):
  posts = archives.make_posts(COUNT)
  posts += [post | {'id': post['id'] + 5000} for post in posts]
  archives.write_pictures(tmp_path / 'archive', posts)
  archives.write_lines(tmp_path / 'archive/posts.json', map(archives.new_row, posts))
  for rule in ('content', 'id'):
    found = build(tmp_path / 'archive', split=rule, test_frac=0.85, valid_frac=0.06)
    assert sum(map(len, found.values())) == 2 * COUNT
    for source in found.values():
      numbers = {int(source[i]['id'].removesuffix('.jpg')) for i in range(len(source))}
      assert numbers == {id % 5000 for id in numbers} | {id % 5000 + 5000 for id in numbers}


def test_without_numbers_a_split_by_number_is_refused(tmp_path):
  posts = archives.make_posts(COUNT)
  archives.write_pictures(tmp_path / 'archive', posts, 'picture{id}.jpg')
  archives.write_lines(tmp_path / 'archive/captions.jsonl', [
      {'path': f"picture{post['id']}.jpg", 'caption': '#a'} for post in posts])
  with pytest.raises(UserError, match='200 of 200 pictures have no number'):
    build(tmp_path / 'archive', split='id')


def test_names_of_files_tell_numbers_that_the_metadata_do_not(tmp_path):
  (tmp_path / 'archive').mkdir()
  archives.write_captions(tmp_path / 'archive', archives.make_posts(COUNT))
  found = build(tmp_path / 'archive', split='id', test_frac=0.85, valid_frac=0.06)
  assert len(found['train']) == 89


def test_equal_names_in_two_folders_are_two_pictures(tmp_path):
  for name in ('one', 'two'):
    (tmp_path / 'archive' / name).mkdir(parents=True)
    archives.write_caption_files(tmp_path / 'archive' / name, archives.make_posts(30))
    archives.write_pictures(tmp_path / 'archive' / name,
                            [post | {'content': f'{name} {post["id"]}'.encode()}
                             for post in archives.make_posts(30)])
  assert sum(map(len, build(tmp_path / 'archive').values())) == 60


# Samples -----------------------------------------------------------------------------------------


def test_a_sample_has_the_size_asked_for_and_hardly_changes_as_pictures_come():
  md5s = digests(np.arange(1000))
  before = set(splits.sample(md5s[:900], 300).tolist())
  after = set(splits.sample(md5s, 300).tolist())
  assert len(before) == len(after) == 300
  gone = before - after
  assert len(gone) == len([row for row in after if row >= 900]) < 60


def test_a_sample_knows_nothing_of_the_splits():
  md5s = digests(np.arange(20_000))
  rows = splits.sample(md5s, 5_000)
  counts = np.bincount(splits.split(settings('content'), rows, md5s[rows]))
  np.testing.assert_allclose(counts, [3_000, 1_000, 1_000], atol=120)


def test_a_sample_of_an_archive(folder):
  found = build(folder, num_pictures=120)
  assert sum(map(len, found.values())) == 120
  assert 'left out: 80 beyond config.data.board.num_pictures' in found['train'].description
  whole = build(folder)
  for split, source in found.items():
    assert ids(source) < ids(whole[split])
  assert sum(map(len, build(folder, num_pictures=5000).values())) == COUNT


@pytest.mark.parametrize('changes, words', [
    ({'valid_frac': 0.5, 'test_frac': 0.5}, 'valid_frac is 0.5 and test_frac is 0.5'),
    ({'valid_frac': -0.1}, 'valid_frac is -0.1'),
    ({'split': 'name'}, "split is 'name'; choose content or id"),
    ({'num_pictures': -1}, 'num_pictures is -1; expected 0 or more'),
    ({'min_general_tags': -1}, 'min_general_tags is -1'),
    ({'bad_limit_frac': 1.5}, 'bad_limit_frac is 1.5; it is a share'),
    ({'implications': 'guessed', 'data.implications': 'guessed'}, "implications is 'guessed'"),
    ({'path': ''}, 'config.data.path is empty'),
    ({'path': '/nowhere at all'}, "the folder '/nowhere at all' does not exist"),
    ({'test_frac': 0.0}, 'the test split is empty'),
    ({'valid_frac': 0.0}, 'the valid split is empty'),
    ({'num_pictures': 2}, 'split is empty'),
])
def test_settings_that_make_no_sense_are_named(folder, changes, words):
  with pytest.raises(UserError) as raised:
    build(folder, **changes)
  assert words in str(raised.value)


def test_a_caller_can_stop_the_reading(folder):
  def stop():
    raise KeyboardInterrupt
  config = archives.make_config(folder, folder.parent / 'another cache')
  with pytest.raises(KeyboardInterrupt):
    build_board(config, 'train', poll=stop)
  assert list((folder.parent / 'another cache/boards').glob('*/*')) == []
