"""Oversampling repeats whole classes and leaves the truth about them in place."""

import numpy as np
import pytest

from data.balance import oversample, oversampled_rows
from data.classes import Classes
from errors import UserError
from tests.test_data_classes import Tagged

LABELS = np.repeat([0, 1, 2], [100, 30, 1])


def counts_of(rows, labels=LABELS):
  return np.bincount(labels[rows], minlength=3).tolist()


@pytest.mark.parametrize('power, counts', [(0.0, [100, 30, 1]), (1.0, [100, 100, 100]),
                                           (0.5, [100, 55, 10])])
def test_the_power_goes_from_counts_as_they_are_to_even_ones(power, counts):
  rows = oversampled_rows(LABELS, power, 0)
  assert counts_of(rows) == counts
  assert rows.dtype == np.int64 and (np.diff(rows) >= 0).all()


@pytest.mark.parametrize('power', [0.3, 0.7, 1.0])
def test_no_picture_of_a_class_comes_twice_more_than_another(power):
  times = np.bincount(oversampled_rows(LABELS, power, 3), minlength=len(LABELS))
  assert times.min() >= 1
  for label in range(3):
    assert np.ptp(times[LABELS == label]) <= 1


def test_the_seed_decides_which_pictures_come_once_more_and_nothing_else():
  one, same, other = (oversampled_rows(LABELS, 0.5, seed) for seed in (1, 1, 2))
  np.testing.assert_array_equal(one, same)
  assert (one != other).any() and counts_of(one) == counts_of(other)


def test_labels_may_come_in_any_order():
  order = np.random.default_rng(0).permutation(len(LABELS))
  assert counts_of(oversampled_rows(LABELS[order], 0.5, 0), LABELS[order]) == [100, 55, 10]


def test_an_oversampled_source_reads_more_and_counts_the_truth():
  source = Classes(Tagged([[0]] * 6 + [[1]] * 2))
  even = oversample(source, 1.0, 0)
  assert len(even) == 12 and sum(even[index]['label'] for index in range(12)) == 6
  np.testing.assert_array_equal(even.count_tags(), [6, 2, 0])
  assert even.truth_keys == ('label',)
  assert even.description == 'oversampled by 1, 12 pictures of tagged'
  assert len({source.fingerprint, even.fingerprint, oversample(source, 0.5, 0).fingerprint}) == 3


def test_a_power_of_zero_is_the_source_itself():
  source = Tagged([[0, 1]])
  assert oversample(source, 0.0, 0) is source


def test_what_cannot_be_evened_out_is_told():
  with pytest.raises(UserError, match='data.oversample is 1.5; expected 0'):
    oversample(Tagged([[0]]), 1.5, 0)
  with pytest.raises(UserError, match="but 'p1' has 2 tags"):
    oversample(Tagged([[0], [0, 1]]), 1.0, 0)
