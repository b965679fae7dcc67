"""Implied tags: all of them, up and down, and no circles."""

import tracemalloc

import numpy as np
import pytest

from data import implications
from data.implications import Implications
from errors import UserError

NAMES = ('thing', 'hat', 'straw_hat', 'witch_hat', 'pointed_witch_hat', 'scarf', 'sky', 'red_hat')
INDEX = {name: index for index, name in enumerate(NAMES)}
PAIRS = [('hat', 'thing'), ('scarf', 'thing'), ('straw_hat', 'hat'), ('witch_hat', 'hat'),
         ('pointed_witch_hat', 'witch_hat'), ('red_hat', 'hat'), ('red_hat', 'thing')]


def build(pairs=PAIRS):
  return Implications(np.array([[INDEX[name] for name in pair] for pair in pairs]), NAMES)


def indices(*names):
  return np.array([INDEX[name] for name in names], np.int32)


def names(tags):
  assert tags.dtype == np.int32 and (np.diff(tags) > 0).all()
  return {NAMES[tag] for tag in tags}


def test_parents_of_parents_are_added():
  assert names(build().add_parents(indices('sky', 'pointed_witch_hat'))) == {
      'sky', 'pointed_witch_hat', 'witch_hat', 'hat', 'thing'}


def test_adding_twice_adds_nothing():
  once = build().add_parents(indices('red_hat', 'scarf'))
  np.testing.assert_array_equal(build().add_parents(once), once)


def test_all_below_a_lone_parent_may_be_missing():
  assert names(build().below(indices('hat', 'sky'))) == {
      'straw_hat', 'witch_hat', 'pointed_witch_hat', 'red_hat'}


def test_a_parent_that_a_listed_tag_explains_leaves_nothing_open():
  assert names(build().below(indices('hat', 'straw_hat'))) == set()
  assert names(build().below(indices('witch_hat', 'hat'))) == {'pointed_witch_hat'}


def test_what_may_be_missing_is_the_same_before_and_after_parents_are_added():
  for tags in (indices('pointed_witch_hat'), indices('witch_hat', 'scarf'), indices('thing')):
    closed = build().add_parents(tags)
    np.testing.assert_array_equal(build().below(tags), build().below(closed))
    assert not names(build().below(tags)) & names(closed)


def test_a_picture_without_tags_and_tags_without_implications_are_fine():
  nothing = np.zeros(0, np.int32)
  for one in (build(), build([])):
    assert names(one.add_parents(nothing)) == names(one.below(nothing)) == set()
  assert names(build([]).add_parents(indices('sky', 'hat'))) == {'sky', 'hat'}
  assert names(build([]).below(indices('sky', 'hat'))) == set()


def test_repeated_pairs_and_pairs_with_oneself_change_nothing():
  again = build([*PAIRS, *PAIRS, ('sky', 'sky'), ('hat', 'hat')])
  for rows in ('parents', 'children'):
    for one, other in zip(getattr(build(), rows), getattr(again, rows), strict=True):
      np.testing.assert_array_equal(one, other)


def test_a_circle_is_refused_by_its_names():
  circle = [('hat', 'witch_hat'), ('witch_hat', 'straw_hat'), ('straw_hat', 'hat')]
  with pytest.raises(UserError) as raised:
    build([*circle, ('pointed_witch_hat', 'hat'), ('straw_hat', 'thing')])
  message = str(raised.value)
  assert all(repr(name) in message for name in ('hat', 'witch_hat', 'straw_hat'))
  assert 'pointed' not in message and 'thing' not in message


def test_an_endless_chain_is_refused():
  count = 70_000
  chain = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
  with pytest.raises(UserError, match='chains of more than'):
    Implications(chain, range(count))


def test_tags_that_are_not_there_are_refused():
  with pytest.raises(ValueError, match='0 to 9; there are 8'):
    Implications(np.array([[0, 9]]), NAMES)


def random_hierarchy(num_tags, num_pairs, seed=0):
  """Pairs of a child and a parent of lower index, most parents few: like a board's."""
  rng = np.random.default_rng(seed)
  children = rng.integers(1, num_tags, num_pairs)
  return np.stack([children, (children * rng.random(num_pairs) ** 4).astype(int)], axis=1)


def test_closure_equals_a_search_tag_by_tag():
  pairs = random_hierarchy(200, 150)
  one = Implications(pairs, [str(tag) for tag in range(200)])
  for tag in range(200):
    above, todo = set(), [tag]
    while todo:
      current = todo.pop()
      fresh = {p for c, p in pairs.tolist() if c == current and p != tag} - above
      above |= fresh
      todo += fresh
    assert set(one.add_parents(np.array([tag])).tolist()) == above | {tag}
  for child in range(200):
    for parent in one.parents.of(np.array([child]))[1]:
      assert child in one.children.of(np.array([parent]))[1]


def test_memory_does_not_grow_with_the_square_of_the_tags():
  tracemalloc.start()
  one = Implications(random_hierarchy(70_000, 40_000), range(70_000))
  rng = np.random.default_rng(1)
  for _ in range(20):
    one.below(one.add_parents(np.unique(rng.integers(0, 70_000, 30))))
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < 70_000**2 / 8 / 4  # a quarter of a table of bits


def test_an_unknown_choice_lists_the_choices():
  with pytest.raises(UserError, match="is 'all'; choose one of listed, added, ignored"):
    implications.check_choice('all')
