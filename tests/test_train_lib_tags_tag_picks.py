"""The pictures kept for the sheets are the right ones, in whatever batches they come."""

import numpy as np
import pytest

from train_lib.tags import tag_picks
from train_lib.tags.tag_picks import KINDS, Picks

# tag 0 is a rating and never counts; the threshold is 0.5
SCORED = np.array([False, True, True, True])
ROWS = {
    'all right, one tag': ([0.9, 0.9, 0.1, 0.1], [0, 1, 0, 0]),
    'all right, three tags': ([0.9, 0.9, 0.8, 0.7], [0, 1, 1, 1]),
    'half right': ([0.1, 0.9, 0.6, 0.1], [1, 1, 0, 0]),
    'one error, surely': ([0.1, 0.99, 0.2, 0.1], [1, 0, 0, 0]),
    'four errors': ([0.1, 0.7, 0.8, 0.3], [1, 0, 0, 1]),
    'nothing given, nothing true': ([1.0, 0.1, 0.1, 0.1], [0, 0, 0, 0]),
}
PROBABILITIES = np.array([row[0] for row in ROWS.values()], np.float32)
LABELS = np.array([row[1] for row in ROWS.values()], bool)


def pick(parts=1, drawn=None, probabilities=PROBABILITIES, labels=LABELS, names=tuple(ROWS)):
  kept = Picks(SCORED[:labels.shape[1]], 0.5)
  for rows in np.array_split(np.arange(len(names)), parts):
    kept.add(probabilities[rows], labels[rows], None if drawn is None else drawn[rows],
             [names[row] for row in rows], rows)
  return kept.by_kind


@pytest.mark.parametrize('parts', [1, 3, 6])
def test_each_kind_in_its_order(parts):
  found = {kind: [one.id for one in kept] for kind, kept in pick(parts).items()}
  names = list(ROWS)
  assert found == {
      'first': names,
      'best': ['all right, three tags', 'all right, one tag', 'half right'],
      'worst': ['four errors', 'one error, surely', 'half right'],
      'confident_wrong': ['one error, surely', 'four errors', 'half right']}


def test_a_pick_holds_its_row():
  one = pick()['confident_wrong'][1]
  assert (one.id, one.index, one.wrong_tag, one.f1) == ('four errors', 4, 2, 0.0)
  np.testing.assert_array_equal(one.probabilities, PROBABILITIES[4])
  np.testing.assert_array_equal(one.labels, LABELS[4])
  assert one.drawn is None
  assert pick()['best'][2].f1 == pytest.approx(2 / 3)


def test_what_was_drawn_is_not_wrong():
  drawn = LABELS.copy()
  drawn[4, 2] = drawn[3, 1] = True
  found = pick(drawn=drawn)
  assert [(one.id, one.wrong_tag) for one in found['confident_wrong']] == [
      ('four errors', 1), ('half right', 2)]
  assert [one.id for one in found['worst']][0] == 'four errors'        # by the list all the same
  assert found['worst'][0].drawn.tolist() == [True, False, True, True]


@pytest.mark.parametrize('parts', [1, 5, 40])
def test_no_more_are_kept_than_the_foremost(parts, monkeypatch):
  rng = np.random.default_rng(0)
  probabilities = np.round(rng.random((200, 4)), 1).astype(np.float32)
  labels = rng.random((200, 4)) < 0.4
  names = [str(row) for row in range(200)]
  some = {kind: [one.id for one in kept] for kind, kept in
          pick(parts, None, probabilities, labels, names).items()}
  monkeypatch.setattr(tag_picks, 'MOST', 1000)
  every = {kind: [one.id for one in kept] for kind, kept in
           pick(1, None, probabilities, labels, names).items()}
  assert all(len(every[kind]) > 20 for kind in KINDS)
  assert some == {kind: names[:20] for kind, names in every.items()}
