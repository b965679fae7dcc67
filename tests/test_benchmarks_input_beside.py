"""The input beside DataLoader and tf.data: the same files, like operations."""

import cv2
import numpy as np
import pytest

from benchmarks import input_beside
from benchmarks.beside import our_input, torch_input
from data.augment import Colour, Cutout, Warp


class Draws:
  """A generator whose numbers are known. Args: values: in 0..1, of each call."""

  def __init__(self, *values):
    self._values = list(values)

  def random(self, count):
    return np.array(self._take(count))

  def uniform(self, least, most, count):
    return least + (most - least) * np.array(self._take(count))

  def integers(self, most):
    return int(self._take(1)[0] * most)

  def _take(self, count):
    taken, self._values = self._values[:count], self._values[count:]
    return taken


@pytest.mark.parametrize('mirrored', [False, True])
def test_torch_is_given_the_very_operations_of_ours(mirrored):
  draws = [0.1 if mirrored else 0.9, 0.7, 0.2, 0.6, 0.3, 0.45, 0.8, 0.9, 0.2, 0.6, 0.0, 0.0]
  spec = {'size_px': 32, 'mirror': 0.5, 'rotation_deg': 10.0, 'scale_frac': 0.1,
          'translate_frac': 0.05, 'cutout_frac': 0.25, 'colour_frac': 0.2}
  image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
  example = {'image': image, 'rng': Draws(*draws)}
  for operation in (Warp(0.5, 10.0, 0.1, 0.05), Cutout(0.25), Colour(0.2, 0.2, 0.2)):
    example = operation(example)
  theirs = torch_input.augment(cv2, np, image, spec, draws)
  np.testing.assert_array_equal(theirs, example['image'])


def test_what_a_case_leaves_out_is_off_for_the_others():
  page = our_input.load_page({'folder': '', 'size_px': 64, 'augment': input_beside.CASES['warp']})
  there = input_beside.operations_of(page.data)
  assert there['colour_frac'] == 0 and there['rotation_deg'] == page.data.rotation_deg > 0
  page.data.augment = input_beside.CASES['mirror']
  assert {name for name, value in input_beside.operations_of(page.data).items() if value} == {
      'mirror'}


def test_the_case_page_is_what_the_tagger_trains_with():
  from configs import tagger
  assert set(input_beside.CASES['page']) == set(tagger.get_config().data.augment)


def test_our_loader_reads_every_drawn_file_without_end(tmp_path):
  input_beside.draw_pictures(tmp_path, 6, 32)
  assert len(list(tmp_path.glob('train/*/*.jpg'))) == 6
  facts, turn = our_input.prepare({'folder': str(tmp_path), 'size_px': 32, 'batch': 4, 'workers': 1,
                                   'processes': False, 'augment': input_beside.CASES['page']})
  assert facts['pictures'] == 6 and facts['batch'] == 'uint8 [4, 32, 32, 3]'
  assert turn({'seconds': 0.05})['pictures'] % 4 == 0


def test_a_ratio_is_of_the_best_forms_of_a_turn():
  def answers(*rates):
    return [{'pictures': rate, 'seconds': 1.0, 'processor_seconds': 2.0} for rate in rates]
  turns = {'ours, threads': answers(300, 100), 'ours, processes': answers(200, 400),
           'tf.data, pictures': answers(150, 100), 'tf.data, batches': answers(100, 200)}
  assert input_beside.compare(turns, 'tf.data', input_beside.speeds) == [2, 2]
  rows = input_beside.table_rows(turns)
  assert [row[0] for row in rows] == [*turns, 'best of tf.data']
  assert rows[2][1:3] == ('125 (100 to 150)', '62.5 (50.0 to 75.0)')
  assert all(len(row) == len(input_beside.COLUMNS) for row in rows)


def test_a_wrong_case_is_answered_with_the_choices(capsys):
  with pytest.raises(SystemExit):
    input_beside.read_flags(['--cases=all'])
  assert "'all' is none of mirror, warp, page" in capsys.readouterr().err
