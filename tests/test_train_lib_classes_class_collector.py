"""A few numbers are kept of each row, and the right rows are picked, however batches are cut."""

import numpy as np
import pytest

from errors import Diverged
from train_lib.classes import class_collector
from train_lib.classes.class_collector import ClassCollector

ROWS, CLASSES = 90, 7
RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet(np.ones(CLASSES) / 2, ROWS).astype(np.float32)
LABEL = RNG.integers(CLASSES, size=ROWS)


def collect(batch_size=ROWS, order=None, capacity=ROWS, **truths):
  collector = ClassCollector(capacity, CLASSES)
  order = np.arange(ROWS) if order is None else order
  for start in range(0, ROWS, batch_size):
    rows = order[start:start + batch_size]
    collector.add({'probabilities': PROBABILITIES[rows]},
                  {'label': LABEL[rows], **{key: value[rows] for key, value in truths.items()}},
                  [f'p{row}' for row in rows], rows)
  return collector.finish()


@pytest.mark.parametrize('batch_size', [1, 8, ROWS])
def test_rows_say_what_the_probabilities_say(batch_size):
  collected = collect(batch_size, capacity=ROWS + 11)
  np.testing.assert_array_equal(collected.label, LABEL)
  np.testing.assert_array_equal(collected.predicted, PROBABILITIES.argmax(axis=1))
  np.testing.assert_array_equal(collected.confidence, PROBABILITIES.max(axis=1))
  np.testing.assert_array_equal(collected.probability, PROBABILITIES[np.arange(ROWS), LABEL])
  order = np.argsort(-PROBABILITIES, axis=1)
  np.testing.assert_array_equal(collected.rank, 1 + (order == LABEL[:, None]).argmax(axis=1))
  expected = np.square(PROBABILITIES - np.eye(CLASSES)[LABEL]).sum(axis=1)
  np.testing.assert_allclose(collected.squared_error, expected, atol=1e-6)
  assert collected.label.dtype == np.int32 and collected.probability.dtype == np.float32
  assert collected.drawn_label is None


def test_equal_probabilities_count_against_the_net():
  collector = ClassCollector(2, 4)
  collector.add({'probabilities': np.float32([[0.25] * 4, [0.4, 0.4, 0.1, 0.1]])},
                {'label': np.array([0, 2])}, ['a', 'b'], np.arange(2))
  assert collector.finish().rank.tolist() == [4, 4]


def test_picks_are_the_same_however_batches_are_cut(monkeypatch):
  monkeypatch.setattr(class_collector, 'MOST_PICKS', 6)
  whole, cut = collect(), collect(4, order=np.random.default_rng(1).permutation(ROWS))
  assert whole.picks == cut.picks
  assert [pick.index for pick in whole.picks['first']] == list(range(6))
  predicted, confidence = PROBABILITIES.argmax(axis=1), PROBABILITIES.max(axis=1)
  wrong = np.flatnonzero(predicted != LABEL)
  expected = wrong[np.argsort(-confidence[wrong], kind='stable')][:6]
  assert [pick.index for pick in whole.picks['mistakes']] == expected.tolist()


def test_a_pick_tells_its_picture():
  drawn = (LABEL + 1) % CLASSES
  for picks in collect(8, drawn_label=drawn).picks.values():
    assert picks
    for pick in picks:
      row = PROBABILITIES[pick.index]
      assert pick.id == f'p{pick.index}' and pick.label == LABEL[pick.index]
      assert pick.drawn_label == drawn[pick.index]
      assert pick.probability == row[pick.label]
      classes, values = zip(*pick.top, strict=True)
      assert list(values) == np.sort(row)[::-1][:5].tolist() and list(row[list(classes)]) == list(
          values)


def test_fewer_classes_than_the_top_are_all_told():
  collector = ClassCollector(1, 2)
  collector.add({'probabilities': np.float32([[0.3, 0.7]])}, {'label': np.array([0])}, ['a'],
                np.array([0]))
  assert [place for place, _ in collector.finish().picks['mistakes'][0].top] == [1, 0]


def test_numbers_that_are_none_are_told():
  collector = ClassCollector(1, 2)
  with pytest.raises(Diverged, match='training has diverged'):
    collector.add({'probabilities': np.float32([[np.nan, 1]])}, {'label': np.array([0])}, ['a'],
                  np.array([0]))
