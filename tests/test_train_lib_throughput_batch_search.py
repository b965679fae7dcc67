"""The batch size that is found: the largest power of two that fits and still gains."""

import jax
import pytest

from train_lib.throughput.batch_search import FIRST, MOST, find_batch_size
from train_lib.throughput.costs import DoesNotFit, memory_told


def rates(function, room=1 << 30):
  """(rate_of, the sizes that were tried) of a device with room for so many pictures."""
  tried = []

  def rate_of(rows):
    tried.append(rows)
    with memory_told():
      if rows > room:
        raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating')
      return function(rows)
  return rate_of, tried


def test_it_doubles_until_the_speed_is_flat():
  rate_of, tried = rates(lambda rows: 100.0 * min(rows, 70))
  assert find_batch_size(rate_of, 1) == 128
  assert tried == [8, 16, 32, 64, 128, 256]


def test_a_gain_of_a_few_percent_is_not_worth_a_larger_batch():
  rate_of, _ = rates(lambda rows: 100.0 * 1.03 ** (rows / 8))
  assert find_batch_size(rate_of, 1) == FIRST


def test_a_batch_that_does_not_fit_ends_it():
  rate_of, tried = rates(lambda rows: float(rows), room=100)
  assert find_batch_size(rate_of, 1) == 64 and tried[-1] == 128


def test_a_batch_that_does_not_fit_is_halved_and_not_tried_again():
  rate_of, tried = rates(lambda rows: float(rows), room=3)
  assert find_batch_size(rate_of, 1) == 2 and tried == [8, 4, 2]


def test_where_nothing_fits_it_says_so():
  rate_of, _ = rates(lambda rows: float(rows), room=3)
  with pytest.raises(DoesNotFit):
    find_batch_size(rate_of, 4, 4)


def test_every_device_and_part_gets_as_many_pictures():
  rate_of, tried = rates(lambda rows: 1.0)
  assert find_batch_size(rate_of, 12, 4) == 48          # 4 devices times 3 parts
  assert all(rows % 12 == 0 for rows in tried)


def test_it_ends_where_larger_batches_gain_for_ever():
  rate_of, _ = rates(lambda rows: float(rows))
  assert find_batch_size(rate_of, 1) == MOST


def test_other_errors_are_not_taken_for_memory():
  with pytest.raises(jax.errors.JaxRuntimeError), memory_told():
    raise jax.errors.JaxRuntimeError('INTERNAL: it broke')
