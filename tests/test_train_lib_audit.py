"""Suspected labels: the wrong ones come first, whatever the blocks, and garbage is refused."""

import numpy as np
import pytest

from errors import Diverged
from train_lib.audit import Audit, Block, find_suspects, precisions

ROWS, TAGS = 400, 30


def listed_wrongly(seed=0, share=0.05):
  """Truths of tags from common to rare, and labels with some of them turned round."""
  rng = np.random.default_rng(seed)
  truths = rng.random((ROWS, TAGS)) < np.geomspace(0.5, 0.02, TAGS)
  return truths, truths ^ (rng.random((ROWS, TAGS)) < share)


def audit_of(probabilities, labels, truths=None, *, most=2000, block_rows=ROWS, **options):
  probabilities = probabilities.astype(np.float32)

  def blocks():
    for start in range(0, len(labels), block_rows):
      rows = slice(start, start + block_rows)
      yield Block(np.arange(len(labels))[rows], probabilities[rows], labels[rows],
                  None if truths is None else truths[rows])
  return find_suspects(blocks, most, **options)


def noisy(truths, seed=1):
  """Probabilities that know something of the truth."""
  rng = np.random.default_rng(seed)
  return 1 / (1 + np.exp(-(3.0 * truths - 1.5 + rng.normal(0, 1.5, truths.shape))))


def test_perfect_probabilities_find_every_wrong_label_and_no_other():
  truths, labels = listed_wrongly()
  audit = audit_of(np.where(truths, 0.98, 0.02), labels, truths)
  wrong = int((truths != labels).sum())
  found = {(suspect['row'], suspect['tag']) for suspect in audit.suspects[:wrong]}
  assert found == set(zip(*np.nonzero(truths != labels), strict=True))
  sizes = precisions(audit, (10, wrong, 10 ** 6))['all']
  assert sizes['10'] == sizes[str(wrong)] == 1 and sizes['1000000'] is None
  assert sizes['random'] == wrong / truths.size


def test_the_kinds_are_what_they_say():
  truths, labels = listed_wrongly()
  audit = audit_of(np.where(truths, 0.98, 0.02), labels, truths)
  missing, false = audit.by_kind['missing'], audit.by_kind['false']
  assert not missing['listed'].any() and false['listed'].all()
  assert audit.judged == {'missing': int((~labels).sum()), 'false': int(labels.sum())}
  assert audit.wrong == {'missing': int((truths & ~labels).sum()),
                         'false': int((labels & ~truths).sum())}
  assert precisions(audit, (5,))['missing'] == {
      'random': (truths & ~labels).sum() / (~labels).sum(), '5': 1.0}


def test_what_the_net_doubts_of_every_picture_with_a_tag_is_not_suspect():
  labels = np.zeros((100, 2), bool)
  labels[:50] = True
  probabilities = np.where(labels, (0.9, 0.1), (0.05, 0.05))  # the net finds the second tag hardly
  probabilities[0] = (0.3, 0.08)
  first = audit_of(probabilities, labels).suspects[0]
  assert (first['row'], first['tag']) == (0, 0)               # 0.08 is less, but usual for the tag


def test_a_tag_listed_once_can_be_suspect():
  labels = np.zeros((100, 1), bool)
  labels[7] = True
  probabilities = np.full((100, 1), 0.2)
  probabilities[7] = 0.001
  assert audit_of(probabilities, labels).suspects[0]['row'] == 7


@pytest.mark.parametrize('block_rows', [1, 7, 399])
@pytest.mark.parametrize('most', [1, 50, 2000])
def test_blocks_change_nothing(block_rows, most):
  truths, labels = listed_wrongly()
  probabilities = noisy(truths)
  whole = audit_of(probabilities, labels, truths, most=most)
  parts = audit_of(probabilities, labels, truths, most=most, block_rows=block_rows)
  np.testing.assert_array_equal(parts.suspects, whole.suspects)
  for kind in whole.by_kind:
    np.testing.assert_array_equal(parts.by_kind[kind], whole.by_kind[kind])
  assert (parts.judged, parts.wrong) == (whole.judged, whole.wrong)


def test_fewer_suspects_are_the_first_of_more():
  truths, labels = listed_wrongly()
  probabilities = noisy(truths)
  many, few = (audit_of(probabilities, labels, most=most) for most in (300, 20))
  np.testing.assert_array_equal(few.suspects, many.suspects[:20])
  assert len(many.suspects) == 300


@pytest.mark.parametrize('exclusive', [False, True])
@pytest.mark.parametrize('block_rows', [7, 400])
def test_all_that_are_doubted_are_counted_however_few_are_kept(block_rows, exclusive):
  truths, labels = listed_wrongly()
  probabilities = noisy(truths)
  if exclusive:
    labels = np.eye(TAGS, dtype=bool)[truths.argmax(axis=1)]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
  every = audit_of(probabilities, labels, most=10 ** 6, exclusive=exclusive)
  few = audit_of(probabilities, labels, most=3, block_rows=block_rows, exclusive=exclusive)
  assert all(len(few.by_kind[kind]) == 3 < len(every.by_kind[kind]) for kind in every.by_kind)
  assert few.doubted == {kind: len(found) for kind, found in every.by_kind.items()}


@pytest.mark.parametrize('block_rows', [3, 400])
def test_equal_ones_are_ranked_by_row_and_tag(block_rows):
  labels = np.zeros((ROWS, TAGS), bool)
  probabilities = np.full((ROWS, TAGS), 0.1)
  probabilities[::2] = 0.9
  suspects = audit_of(probabilities, labels, most=70, block_rows=block_rows).suspects
  assert [(row, tag) for row, tag in zip(suspects['row'], suspects['tag'], strict=True)] == [
      (row, tag) for row in (0, 2, 4) for tag in range(TAGS)][:70]


def test_labels_as_usual_are_not_suspect():
  labels = np.zeros((50, 3), bool)
  labels[:20] = True
  audit = audit_of(np.where(labels, 0.7, 0.1), labels)
  assert audit.suspects['ratio'].max(initial=0) < 1
  assert not len(audit.by_kind['missing'])


def test_a_noisy_net_is_much_better_than_chance():
  truths, labels = listed_wrongly()
  rows = precisions(audit_of(noisy(truths), labels, truths), (50,))
  for row in rows.values():
    assert row['50'] > 4 * row['random']


def test_certain_probabilities_give_finite_ratios():
  labels = np.array([[True, False], [False, True], [True, True]])
  audit = audit_of(np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]]), labels)
  assert np.isfinite(audit.suspects['ratio']).all()
  assert {(0, 0), (0, 1), (1, 1)} == {(s['row'], s['tag']) for s in audit.suspects}


def test_without_truth_nothing_is_said_to_be_wrong():
  truths, labels = listed_wrongly()
  audit = audit_of(noisy(truths), labels)
  assert audit.wrong is None and not audit.suspects['wrong'].any()


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(value):
  truths, labels = listed_wrongly()
  probabilities = noisy(truths)
  probabilities[3, 4] = value
  with pytest.raises(Diverged, match='not numbers'):
    audit_of(probabilities, labels)


def exclusive_audit(classes=5, **options) -> tuple[np.ndarray, np.ndarray, Audit]:
  rng = np.random.default_rng(0)
  true = rng.integers(classes, size=ROWS)
  listed = np.where(rng.random(ROWS) < 0.1, (true + 1) % classes, true)
  logits = 3.0 * np.eye(classes)[true] + rng.normal(0, 0.3, (ROWS, classes))
  probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
  one_hot = np.eye(classes, dtype=bool)
  return true, listed, audit_of(probabilities, one_hot[listed], one_hot[true], exclusive=True,
                                **options)


@pytest.mark.parametrize('block_rows', [9, 400])
def test_one_class_among_many_is_suspect_once_with_the_class_to_take_instead(block_rows):
  true, listed, audit = exclusive_audit(block_rows=block_rows)
  suspects, wrong = audit.suspects, np.flatnonzero(true != listed)
  assert sorted(suspects['row']) == list(wrong)
  np.testing.assert_array_equal(suspects['tag'], listed[suspects['row']])
  np.testing.assert_array_equal(suspects['suggested'], true[suspects['row']])
  assert (suspects['suggested_probability'] > 0.5).all()
  assert (suspects['suggested_probability'] > suspects['probability']).all()
  assert set(audit.by_kind) == {'false'} and audit.judged == {'false': ROWS}
  assert precisions(audit, (10,)) == {
      name: {'random': len(wrong) / ROWS, '10': 1.0} for name in ('all', 'false')}
