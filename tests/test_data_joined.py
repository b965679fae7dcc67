"""Several splits as one source."""

import numpy as np
import pytest

from data.joined import Joined
from data.sources.pictures import PictureFiles


class Rows:
  """A source of numbered examples with one tag each."""

  tag_names, tag_categories, truth_keys, max_tags, max_ignored = ('a', 'b'), ('general',) * 2, (
      'tags',), 1, 0
  description = 'rows'

  def __init__(self, *tags):
    self.tags, self.fingerprint = tags, str(tags)

  def __len__(self):
    return len(self.tags)

  def tags_of(self, index):
    return np.array([self.tags[index]], np.int32)

  def __getitem__(self, index):
    return {'id': f'{self.fingerprint}/{index}', 'tags': self.tags_of(index)}


def test_examples_follow_one_another():
  joined = Joined([Rows(0, 1), Rows(), Rows(1, 1, 0)])
  assert len(joined) == 5
  assert [joined[index]['id'] for index in range(5)] == [
      '(0, 1)/0', '(0, 1)/1', '(1, 1, 0)/0', '(1, 1, 0)/1', '(1, 1, 0)/2']
  assert [int(joined.tags_of(index)[0]) for index in range(5)] == [0, 1, 1, 1, 0]
  assert joined.count_tags().tolist() == [2, 3]
  for index in (-1, 5):
    with pytest.raises(IndexError):
      joined[index]


def test_the_fingerprint_is_that_of_all_parts_in_order():
  one, other = Rows(0), Rows(1)
  prints = {Joined(parts).fingerprint for parts in ([one], [one, other], [other, one])}
  assert len(prints) == 3


def test_many_pictures_are_told_to_have_changed_without_being_read(tmp_path, monkeypatch):
  (tmp_path / 'a.png').write_bytes(b'one')
  before = PictureFiles(tmp_path, by_content=False)
  monkeypatch.setattr('pathlib.Path.read_bytes', None)
  first = before.fingerprint
  assert PictureFiles(tmp_path, by_content=False).fingerprint == first
  (tmp_path / 'a.png').write_bytes(b'other')
  assert PictureFiles(tmp_path, by_content=False).fingerprint != first
