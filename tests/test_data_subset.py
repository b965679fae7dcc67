"""A subset is a source of some rows; parts hold every row once and never part exact copies."""

import pickle

import numpy as np
import pytest

from data.batch import check_batch
from data.loader import Loader
from data.operations import Decode
from data.subset import Subset, part_rows
from errors import UserError


class Numbers:
  """A source whose picture i has the tag i % 3 and content of its own, or that of another."""
  tag_names, tag_categories = ('a', 'b', 'c'), ('general', 'general', 'meta')
  max_tags, max_ignored, truth_keys = 5, 2, ('tags',)
  fingerprint, description = 'f', 'numbers'

  def __init__(self, contents):
    self.contents = contents

  def __len__(self):
    return len(self.contents)

  def tags_of(self, index):
    return np.array([index % 3], np.int32)

  def __getitem__(self, index):
    if self.contents[index] is None:
      raise OSError('gone')
    return {'id': f'p{index}', 'image_bytes': self.contents[index], 'tags': self.tags_of(index)}


def numbers(count):
  return Numbers([str(index).encode() for index in range(count)])


def test_a_subset_has_its_rows_in_order_and_what_describes_the_tags():
  source = numbers(10)
  subset = Subset(source, np.array([7, 2, 3]), 'three')
  assert len(subset) == 3
  assert [subset[index]['id'] for index in range(3)] == ['p7', 'p2', 'p3']
  assert [int(subset.tags_of(index)[0]) for index in range(3)] == [1, 2, 0]
  np.testing.assert_array_equal(subset.count_tags(), [1, 1, 1])
  for name in ('tag_names', 'tag_categories', 'max_tags', 'max_ignored', 'truth_keys'):
    assert getattr(subset, name) == getattr(source, name)
  assert subset.description == 'three, 3 pictures of numbers'


def test_the_fingerprint_tells_rows_and_source_apart():
  source, other = numbers(10), numbers(10)
  other.fingerprint = 'g'
  prints = {Subset(*arguments, '').fingerprint for arguments in (
      (source, np.arange(3)), (source, np.arange(4)), (source, np.array([0, 2, 1])),
      (other, np.arange(3)))}
  assert len(prints) == 4
  assert Subset(source, [0, 1, 2], '').fingerprint in prints


def test_it_travels_to_other_processes():
  copy = pickle.loads(pickle.dumps(Subset(numbers(4), np.array([3, 1]), '')))
  assert [copy[index]['id'] for index in range(2)] == ['p3', 'p1']


def test_the_loader_reads_it(tmp_path):
  import cv2
  picture = cv2.imencode('.png', np.full((8, 8, 3), 77, np.uint8))[1].tobytes()
  loader = Loader(Subset(Numbers([picture] * 5), np.array([4, 1, 2]), ''), (Decode(100),),
                  batch_size=2, train=False)
  batches = list(loader.batches(0, loader.num_batches))
  for batch in batches:
    check_batch(batch)
  assert [name for batch in batches for name in batch['id']] == ['p4', 'p1', 'p2', '']


@pytest.mark.parametrize('count, parts', [(10, 2), (11, 3), (5, 5)])
def test_every_row_is_in_one_part_and_the_parts_are_even(count, parts):
  rows = part_rows(numbers(count), parts)
  assert sorted(np.concatenate(rows)) == list(range(count))
  assert max(map(len, rows)) - min(map(len, rows)) <= 1
  assert all((np.diff(part) > 0).all() for part in rows)


def test_parts_are_always_the_same_whatever_the_order():
  source = numbers(30)
  first, again = part_rows(source, 3), part_rows(source, 3)
  turned = part_rows(Numbers(source.contents[::-1]), 3)
  for part, same, back in zip(first, again, turned, strict=True):
    np.testing.assert_array_equal(part, same)
    np.testing.assert_array_equal(part, 29 - back[::-1])


def test_exact_copies_fall_into_one_part():
  contents = [str(index % 20).encode() for index in range(100)]
  part_of = {row: number for number, rows in enumerate(part_rows(Numbers(contents), 4))
             for row in rows}
  for row in range(100):
    assert part_of[row] == part_of[row % 20]


def test_what_cannot_be_read_is_dealt_out_too():
  source = numbers(8)
  source.contents[3] = None
  assert sorted(np.concatenate(part_rows(source, 2))) == list(range(8))


def test_more_parts_than_contents_are_refused():
  with pytest.raises(UserError, match='6 pictures, 2 of them different, .* 3 parts'):
    part_rows(Numbers([b'x', b'y'] * 3), 3)


def test_the_poll_can_stop_the_reading():
  def stop():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    part_rows(numbers(3), 2, stop)
