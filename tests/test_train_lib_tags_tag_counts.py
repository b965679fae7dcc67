"""Counts are exact however many rows there are; average precision is, or says how far it is off."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score

from train_lib.tags import tag_counts
from train_lib.tags.tag_counts import THRESHOLDS, TagScores

THRESHOLDS_32 = np.array(THRESHOLDS, np.float32)
# on a threshold, beside it, at both ends, the smallest and the greatest below 1
AWKWARD = np.concatenate([
    THRESHOLDS_32, np.nextafter(THRESHOLDS_32, np.float32(2)),
    np.nextafter(THRESHOLDS_32[1:], np.float32(0)), np.array([1, 1e-45, 1e-30, 1 - 2 ** -24])
]).astype(np.float32)


def count(probabilities, labels, *, exact, parts=1):
  """TagCounts of rows that come in parts. Args: exact: keep the rows, or their histograms."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(tag_counts, 'EXACT_SCORES', 2 ** 28 if exact else 0)
    scores = TagScores(len(labels), labels.shape[1])
  for rows in np.array_split(np.arange(len(labels)), parts):
    scores.add(probabilities[rows], labels[rows])
  return scores.finish()


def sklearn_ap(probabilities, labels):
  return np.array([average_precision_score(labels[:, tag], probabilities[:, tag])
                   if labels[:, tag].any() else np.nan for tag in range(labels.shape[1])])


def random_rows(rows=300, tags=9, seed=0):
  """Frequent and rare tags, the last with none; ties, and probabilities that say something."""
  rng = np.random.default_rng(seed)
  labels = rng.random((rows, tags)) < np.geomspace(0.5, 0.01, tags)
  labels[:, -1] = False
  logits = rng.normal(-4, 3, (rows, tags)) + 3 * labels
  return (1 / (1 + np.exp(-np.round(logits, 1)))).astype(np.float32), labels


@st.composite
def adversarial_rows(draw):
  """Few rows, whose probabilities are drawn from few values: ties everywhere."""
  shape = draw(st.integers(0, 25)), draw(st.integers(1, 4))
  values = st.one_of(st.sampled_from(AWKWARD.tolist()), st.floats(0, 1, width=32))
  some = draw(st.lists(values, min_size=1, max_size=6))
  probabilities = draw(arrays.arrays(np.float32, shape, elements=st.sampled_from(some)))
  return probabilities, draw(arrays.arrays(bool, shape))


@given(adversarial_rows(), st.booleans(), st.integers(1, 3))
@settings(deadline=None)
def test_counts_above_every_threshold_are_exact(rows, exact, parts):
  probabilities, labels = rows
  counts = count(probabilities, labels, exact=exact, parts=parts)
  above = probabilities[None] > THRESHOLDS_32[:, None, None]
  np.testing.assert_array_equal(counts.predicted, above.sum(axis=1))
  np.testing.assert_array_equal(counts.hits, (above & labels).sum(axis=1))
  np.testing.assert_array_equal(counts.true, labels.sum(axis=0))
  assert counts.rows == len(labels)


@given(adversarial_rows(), st.integers(1, 3))
@settings(deadline=None)
def test_average_precision_is_scikit_learns(rows, parts):
  probabilities, labels = rows
  counts = count(probabilities, labels, exact=True, parts=parts)
  np.testing.assert_allclose(counts.ap, sklearn_ap(probabilities, labels), rtol=1e-12)
  np.testing.assert_array_equal(counts.ap_error, np.where(labels.any(axis=0), 0, np.nan))


@given(adversarial_rows(), st.integers(1, 3))
@settings(deadline=None)
def test_average_precision_from_histograms_is_within_its_error(rows, parts):
  probabilities, labels = rows
  counts = count(probabilities, labels, exact=False, parts=parts)
  expected = sklearn_ap(probabilities, labels)
  some = labels.any(axis=0)
  np.testing.assert_array_equal(np.isnan(counts.ap), ~some)
  assert (np.abs(counts.ap - expected)[some] <= counts.ap_error[some] + 1e-9).all()


def test_random_rows_agree_both_ways():
  probabilities, labels = random_rows(3000)
  exact, bounded = (count(probabilities, labels, exact=exact, parts=7) for exact in (True, False))
  np.testing.assert_array_equal(exact.predicted, bounded.predicted)
  np.testing.assert_array_equal(exact.hits, bounded.hits)
  np.testing.assert_allclose(exact.ap, sklearn_ap(probabilities, labels), rtol=1e-12)
  some = labels.any(axis=0)
  assert (np.abs(exact.ap - bounded.ap)[some] <= bounded.ap_error[some]).all()
  assert 0 < np.nanmax(bounded.ap_error) < 0.05


@pytest.mark.parametrize('best', [True, False])
def test_the_bounds_are_reached(best):
  """Within one bin: all true ones equal and first, or distinct and last."""
  edges = tag_counts._edges(spaced=True)[0]
  low, high = edges[(edges > 0.3) & (edges < 0.4)][:2]
  true, other = np.float32(high), np.nextafter(low, np.float32(1))
  if not best:
    true, other = other, true
  between = [true] * 3 if best else np.nextafter(low, np.float32(1)) + np.arange(3) * 1e-7
  probabilities = np.array([0.9, 0.9, *between, *[other] * 4], np.float32)[:, None]
  labels = np.array([1, 0, 1, 1, 1, 0, 0, 0, 0], bool)[:, None]
  counts = count(probabilities, labels, exact=False)
  # the pair at 0.9 are equal: the bound of their bin is open too, from 1/2 to 1
  here = 3 * 4 / 5 if best else 2 / 7 + 3 / 8 + 4 / 9
  expected = (here + (1 if best else 0.5)) / 4
  found = counts.ap + counts.ap_error if best else counts.ap - counts.ap_error
  assert found[0] == pytest.approx(expected, rel=0.01)


def test_fewer_rows_than_expected_are_no_rows():
  probabilities, labels = random_rows(40)
  scores = TagScores(60, labels.shape[1])
  scores.add(probabilities, labels)
  counts = scores.finish()
  assert counts.rows == 40
  np.testing.assert_allclose(counts.ap, sklearn_ap(probabilities, labels))


def test_blocks_do_not_show(monkeypatch):
  probabilities, labels = random_rows()
  whole = [count(probabilities, labels, exact=exact) for exact in (True, False)]
  monkeypatch.setattr(tag_counts, 'BLOCK', 700)
  monkeypatch.setattr(tag_counts, 'CACHED', 50)
  monkeypatch.setattr(tag_counts, 'WAITING_ROWS', 7)
  for exact, expected in zip((True, False), whole, strict=True):
    counts = count(probabilities, labels, exact=exact)
    np.testing.assert_array_equal(counts.hits, expected.hits)
    np.testing.assert_array_equal(counts.ap, expected.ap)


def test_every_bin_is_found_by_one_look_up():
  """Each edge and its neighbours, and numbers at random: as many edges are below as there are."""
  for spaced in (True, False):
    edges, steps = tag_counts._edges(spaced)
    beside = [np.nextafter(edges[:-1], np.float32(end)) for end in (0, 1)]
    numbers = np.concatenate([edges[:-1], *beside, AWKWARD, random_rows()[0].ravel()])
    doubled = numbers.view(np.uint32) << 1
    found = (steps[doubled >> (tag_counts.BITS + 1)] + doubled) >> (tag_counts.BITS + 1)
    np.testing.assert_array_equal(found, np.searchsorted(edges, numbers))


def test_what_is_kept_is_decided_by_rows_times_tags(monkeypatch):
  monkeypatch.setattr(tag_counts, 'EXACT_SCORES', 1000)
  probabilities, labels = random_rows(100, 10)
  errors = []
  for expected_rows in (100, 101):
    scores = TagScores(expected_rows, 10)
    scores.add(probabilities, labels)
    errors.append(np.nanmax(scores.finish().ap_error))
  assert errors[0] == 0 < errors[1]


def test_seventy_thousand_tags_and_a_million_rows_stay_small():
  tags = 70_000
  probabilities, labels = np.full((8, tags), 0.1, np.float32), np.zeros((8, tags), bool)
  labels[3, ::7] = True
  tracemalloc.start()
  scores = TagScores(1_000_000, tags)
  scores.add(probabilities, labels)
  counts = scores.finish()
  _, most = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert counts.true.sum() == tags // 7
  assert most < 500e6
