"""Curves of a run show every logged value, mark the reported step, and live without some."""

import numpy as np
import pytest
from PIL import Image

from configs import base
from train_lib import reports
from train_lib.drawing import curves
from train_lib.storage import records

ROWS = [{'step': 5, 'train/loss': 2.0}, {'step': 10, 'train/loss': 1.0},
        {'step': 10, 'valid/loss': 1.5, 'valid/accuracy': 0.5},
        {'step': 15, 'train/loss': None}, {'step': 20, 'valid/loss': 1.2, 'valid/accuracy': 0.75}]


def line(axes, label):
  found, = [line for line in axes.lines if line.get_label() == label]
  return found.get_xydata()


def draw(rows=ROWS, **options):
  figure = curves.learning_curves(rows, {'accuracy': 'accuracy', 'macro_f1': 'macro F1'}, 10,
                                  **options)
  figure.draw_without_rendering()
  return figure


def test_values_stand_at_their_steps():
  left, right = draw().axes
  np.testing.assert_array_equal(left.lines[0].get_xydata(), [(5, 2.0), (10, 1.0)])
  np.testing.assert_array_equal(line(left, 'validation'), [(10, 1.5), (20, 1.2)])
  np.testing.assert_array_equal(line(right, 'accuracy'), [(10, 0.5), (20, 0.75)])
  assert 'macro F1' not in [text.get_label() for text in right.lines]


def test_few_losses_are_hardly_smoothed_and_many_lose_their_spikes():
  few = [{'step': k, 'train/loss': 10.0 - k} for k in range(10)]
  np.testing.assert_allclose(draw(few).axes[0].lines[1].get_ydata()[1:-1], 10.0 - np.arange(1, 9))
  many = [{'step': k, 'train/loss': 9.0 if k % 10 == 5 else 1.0} for k in range(100)]
  assert set(draw(many).axes[0].lines[1].get_ydata()) == {1.0}


@pytest.mark.parametrize('count, marked', [(1, True), (8, True), (9, False)])
def test_a_training_loss_of_few_values_is_marked_and_not_a_line_alone(count, marked):
  rows = [{'step': 10 * k, 'train/loss': 2.0} for k in range(1, count + 1)]
  found, = [found for found in draw(rows).axes[0].lines if found.get_label().startswith('training')]
  assert (found.get_marker() == 'o') == marked and found.get_markersize() > 3


def test_the_reported_step_is_marked_and_its_epoch_told_where_it_is_known():
  figure = draw(steps_per_epoch=4.0)
  for axes in figure.axes:
    dashed, = [line for line in axes.lines if line.get_linestyle() == '--']
    assert set(dashed.get_xdata()) == {10}
  assert 'step 10, epoch 2.5,' in figure.get_suptitle()
  assert 'epoch' not in draw().get_suptitle()


def test_a_loss_that_falls_far_has_a_logarithmic_axis():
  steep = [*ROWS, {'step': 1, 'train/loss': 100.0}]
  assert draw().axes[0].get_yscale() == 'linear' and draw(steep).axes[0].get_yscale() == 'log'


def test_every_task_has_a_report_and_its_curves_are_written(tmp_path):
  config = base.get_config()
  config.train.batch_size = 8
  for row in ROWS:
    records.append_jsonl(tmp_path / 'metrics.jsonl', [row])
  for task in reports.REPORTS:
    folder = records.absolute(tmp_path / task)
    reports.of(task).write_curves(config, tmp_path, folder, 10, 40)
    assert np.asarray(Image.open(folder / 'pictures' / 'curves.png')).std() > 5
  from train_lib.tasks import TASKS
  assert set(TASKS) == set(reports.REPORTS)


def test_without_a_log_an_older_picture_goes(tmp_path):
  path = tmp_path / 'curves.png'
  path.write_bytes(b'of a run before')
  curves.write_curves(tmp_path, path, {}, 10)
  assert not path.exists()
