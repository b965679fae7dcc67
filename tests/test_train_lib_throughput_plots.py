"""Pictures of a benchmark: which are drawn of which rows, and in what units."""

import pytest

from train_lib.throughput import plots

ROW = {'model': 'se_resnet', 'img_size': 128, 'dtype': 'float32', 'devices': 1,
       'asked_batch_size': 8}
TRAIN = {'train_batch_size': 8, 'train_samples_per_sec': 50.0}
INPUT = {'input_read_samples_per_sec': 2_000.0, 'input_samples_per_sec': 900.0}


def test_rows_of_the_input_alone_have_no_panel_of_speeds():
  rows = [{**ROW, **INPUT, 'asked_batch_size': size, 'devices': devices}
          for size in (8, 16) for devices in (1, 2)]
  assert list(plots.draw_all(rows)) == ['benchmark_picture.png']


def test_a_single_row_with_a_speed_is_no_line():
  rows = [{**ROW, **INPUT}, {**ROW, **INPUT, **TRAIN, 'asked_batch_size': 16},
          {**ROW, **INPUT, 'devices': 2}]
  assert list(plots.draw_all(rows)) == ['benchmark_picture.png']


def test_lines_are_drawn_through_the_rows_that_have_the_speed():
  rows = [{**ROW, **TRAIN}, {**ROW, **TRAIN, 'asked_batch_size': 16, 'train_batch_size': 16},
          {**ROW, **INPUT, 'asked_batch_size': 32}, {**ROW, **TRAIN, 'devices': 2}]
  made = plots.draw_all(rows)
  assert list(made) == ['benchmark_batch_sizes.png', 'benchmark_picture.png',
                        'benchmark_devices.png']
  axes, = made['benchmark_batch_sizes.png']().axes
  assert axes.get_ylabel() == 'training: pictures/s'
  assert [line.get_xdata().tolist() for line in axes.lines] == [[8, 16], [8]]
  assert axes.get_ylim() == (0, pytest.approx(54))
  axes, = made['benchmark_devices.png']().axes
  assert axes.get_ylim() == (0, pytest.approx(108))   # twice as many would be twice as fast


def test_what_failed_is_not_drawn():
  assert plots.draw_all([{**ROW, **TRAIN, 'error': 'no memory'},
                         {**ROW, **TRAIN, 'train_batch_size': 16}]) == {}


def test_all_panels_of_what_a_picture_costs_have_one_scale():
  rows = [{**ROW, **INPUT}, {**ROW, **INPUT, 'input_read_samples_per_sec': 0.4}]
  figure = plots.cost_of_a_picture(rows)
  quick, slow = figure.axes
  assert quick.get_xlim() == slow.get_xlim()
  assert slow.get_xlabel() == 'seconds for a picture'
  assert slow.get_xlim()[1] > 2.5 and quick.patches[0].get_width() == pytest.approx(0.0005)
  assert quick.texts[0].get_text() == ' 500 µs = 2,000 pictures/s'
  assert slow.texts[0].get_text() == ' 2.5 s = 0.4 pictures/s'


@pytest.mark.parametrize('stall, rate, noted', [(-0.223, 61.2, True), (0.1, 45.0, False)])
def test_a_loop_that_is_faster_than_its_step_is_said_to_be_noise(stall, rate, noted):
  row = {**ROW, **INPUT, 'loop_bare_samples_per_sec': 50.0, 'loop_samples_per_sec': rate,
         'stall_frac': stall}
  with_loop, without = plots.cost_of_a_picture([row, {**ROW, **INPUT}]).axes
  assert ('no stall was measured' in with_loop.get_title('left')) == noted
  assert 'stall' not in without.get_title('left')


@pytest.mark.parametrize('seconds, told', [
    (8.78e-6, '8.78 µs'), (2.13e-4, '213 µs'), (0.0213, '21.3 ms'), (1.5, '1.5 s'),
    (3e-8, '0.03 µs'), (1234.0, '1,234 s')])
def test_a_time_is_told_in_the_unit_in_which_it_can_be_read(seconds, told):
  assert plots.spelt_time(seconds) == told
