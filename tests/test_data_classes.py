"""A source of single tags is one of classes; what does not fit is left out or told by name."""

import pickle

import numpy as np
import pytest

from data.batch import check_batch
from data.classes import Classes, describe_balance
from data.loader import Loader
from data.operations import Decode
from data.subset import Subset
from errors import UserError


class Tagged:
  """A source whose picture i has the tags rows[i]."""
  max_tags, max_ignored, fingerprint, description = 3, 2, 'f', 'tagged'

  def __init__(self, rows, num_tags=3, drawn=None):
    self.rows, self.drawn = rows, drawn
    self.tag_names = tuple(f't{tag}' for tag in range(num_tags))
    self.tag_categories = ('general',) * num_tags
    self.truth_keys = ('tags', 'drawn_tags') if drawn else ('tags',)

  def __len__(self):
    return len(self.rows)

  def tags_of(self, index):
    return np.array(self.rows[index], np.int32)

  def __getitem__(self, index):
    more = {'drawn_tags': np.array(self.drawn[index], np.int32)} if self.drawn else {}
    return {'id': f'p{index}', 'image_bytes': PICTURE, 'tags': self.tags_of(index), **more}


def make_picture():
  import cv2
  return cv2.imencode('.png', np.full((4, 4, 3), 9, np.uint8))[1].tobytes()


PICTURE = make_picture()


def test_the_one_tag_is_the_label():
  classes = Classes(Tagged([[2], [0], [2]]))
  assert [classes[index]['label'] for index in range(3)] == [2, 0, 2]
  assert classes.truth_keys == ('label',) and 'drawn_label' not in classes[0]
  assert classes.tag_names == ('t0', 't1', 't2') and classes.description == 'tagged'
  np.testing.assert_array_equal(classes.count_tags(), [1, 0, 2])
  np.testing.assert_array_equal(classes.tags_of(1), [0])


def test_the_class_before_flips_is_handed_on():
  classes = Classes(Tagged([[2], [0]], drawn=[[1], [0]]))
  assert classes.truth_keys == ('label', 'drawn_label')
  assert (classes[0]['label'], classes[0]['drawn_label']) == (2, 1)


def test_the_loader_makes_batches_of_labels():
  classes = Classes(Tagged([[2], [0], [1]], drawn=[[2], [2], [1]]))
  loader = Loader(classes, (Decode(100),), batch_size=2, train=False,
                  keys=('image', *classes.truth_keys))
  first, last = (loader.make_batch(k) for k in range(2))
  check_batch(first)
  assert first['label'].tolist() == [2, 0] and first['drawn_label'].tolist() == [2, 2]
  assert last['label'].tolist() == [1, 0] and last['mask'].tolist() == [1, 0]


def test_pictures_with_several_tags_are_named():
  with pytest.raises(UserError, match=r"such as 'p1' \(2\), 'p3' \(3\)") as raised:
    Classes(Tagged([[0], [0, 1], [2], [0, 1, 2]]))
  assert 'data.labels=identity or garment' in str(raised.value)


def test_pictures_without_a_class_are_left_out_and_told():
  classes = Classes(Tagged([[0], [], [2], [], [1]]))
  assert [classes[index]['id'] for index in range(len(classes))] == ['p0', 'p2', 'p4']
  assert "2 pictures of a split have no class" in classes.description
  assert "such as 'p1'" in classes.description
  with pytest.raises(UserError, match='none of the 2 pictures of a split has a class'):
    Classes(Tagged([[], []]))


def test_a_single_class_is_refused():
  with pytest.raises(UserError, match="of one class, 't0', and a classifier needs at least two"):
    Classes(Tagged([[0], [0]], 1))


def test_it_travels_to_other_processes_and_can_be_cut():
  classes = pickle.loads(pickle.dumps(Classes(Tagged([[0], [], [2], [1]]))))
  part = Subset(classes, np.array([2, 0]), 'two')
  assert [part[index]['label'] for index in range(2)] == [1, 0]
  np.testing.assert_array_equal(part.count_tags(), [1, 1, 0])


def test_reading_the_labels_can_be_stopped():
  def stop():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    Classes(Tagged([[0]]), stop)


def test_ten_thousand_classes_are_counted_and_told_in_a_few_words():
  count = 10_000
  classes = Classes(Tagged([[tag] for tag in range(count)], count))
  counts = classes.count_tags()
  assert counts.shape == (count,) and counts.sum() == count
  words = describe_balance(classes.tag_names, {'train': counts, 'test': 0 * counts})
  assert words.startswith('10,000 classes of 1 training picture each')
  assert 'and 9,992 others' in words and len(words) < 500


def test_the_balance_names_small_classes_and_empty_splits():
  words = describe_balance(['cat', 'dog', 'eel'], {
      'train': np.array([90, 4, 1]), 'valid': np.array([9, 1, 0]), 'test': np.array([8, 0, 0])})
  assert words == ("3 classes of 1 ('eel') to 90 ('cat') training pictures; fewer than 5 training "
                   "pictures have 'eel' (1), 'dog' (4); no valid picture of 'eel'; "
                   "no test picture of 'dog', 'eel'")
