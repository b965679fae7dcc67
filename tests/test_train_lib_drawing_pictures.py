"""Letters of any script stand on the sheets, and long paths by their last parts."""

import numpy as np
import pytest

from train_lib.drawing.pictures import draw_sheet, end_of_path


def sheet_of(name):
  return np.asarray(draw_sheet([np.zeros((8, 8, 3), np.uint8)], [[('found', name)]],
                               [[('plain', 'one')]]))


@pytest.mark.parametrize('name', ['pokémon', 'волк', '★', 'ねこみみ', 'two\nlines', '\udcff'])
def test_names_in_any_script_are_drawn_and_told_apart(name):
  assert (sheet_of(name) != sheet_of(name.translate({ord(name[-1]): 'ø'}))).any()


def test_a_letter_that_no_font_has_is_written_as_its_number():
  private = '\U000f1234'
  np.testing.assert_array_equal(sheet_of(private), sheet_of('\\U000f1234'))


@pytest.mark.parametrize('path, shown', [
    ('0001.png', '0001.png'),
    ('patient_0002/0000.png', 'patient_0002/0000.png'),
    ('all/of/it/patient_0002/series_3/0000.png', 'series_3/0000.png'),
    ('a/one_file_with_a_rather_long_name.png', 'one_file_with_a_rather_long_name.png')])
def test_of_a_path_that_does_not_fit_the_last_parts_are_shown(path, shown):
  assert end_of_path(path) == shown
