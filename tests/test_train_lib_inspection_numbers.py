"""Figures as people read them."""

import pytest

from train_lib.inspection import numbers


@pytest.mark.parametrize(('value', 'text'), [
    (1234567, '1,234,567'), (0.123456, '0.1235'), (2.0, '2'), ('1e-5', '1e-05'),
    (123456.7, '123,457'), ('words', 'words'), ('', None), (None, None),
    (float('nan'), None), ('0042', '42')])
def test_a_number_has_four_digits_and_text_stays(value, text):
  assert numbers.shown(value) == text


def test_the_numbers_of_a_column_have_their_points_below_each_other():
  assert numbers.column(['0.5', '0.25', '', 'nan']) == ['0.5000', '0.2500', None, None]
  assert numbers.column([1234.5, 2.25]) == ['1,234', '2']
  assert numbers.column(['1200', '', '7']) == ['1,200', None, '7']
  assert numbers.column([]) == [] and numbers.column([None]) == [None]


def test_sizes_and_shares_are_told_with_their_units():
  assert numbers.percent(0.1234) == '12.3 %'
