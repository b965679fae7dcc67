"""Rows of intervals stand in their order, and medians run over what is about as frequent."""

import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image

from train_lib.drawing import plots

ROWS = [plots.Interval('first', 0.4, 0.3, 0.5, (0.35, 0.45)),
        plots.Interval('a $ and a_rather_long_name of a row', 0.6, 0.5, 0.7, (0.6,)),
        plots.Interval('third', 0.5, 0.5, 0.5)]


def test_the_running_median_is_that_of_tags_about_as_frequent():
  counts = np.array([4, 4, 5, 8, 9, 9, 40])
  middle, values = plots.running_median(counts, np.array([0.1, 0.3, 0.2, 0.9, 0.7, 0.8, 0.5]))
  np.testing.assert_allclose(middle, [4, 9])
  np.testing.assert_allclose(values, [0.2, 0.8])            # one tag alone has no median


def test_the_first_row_is_on_top_and_the_reference_goes_through_all():
  axes, = plots.intervals(ROWS, 'F1', 'third').axes
  names = [label.get_text() for label in axes.get_yticklabels()]
  assert names == [row.name for row in ROWS]
  places = list(axes.get_yticks())
  assert places == sorted(places, reverse=True)
  reference, = [line for line in axes.lines if line.get_linestyle() == '--']
  assert set(reference.get_xdata()) == {0.5}
  assert not [line for line in plots.intervals(ROWS, 'F1').axes[0].lines
              if line.get_linestyle() == '--']


def test_no_name_is_cut_off():
  figure = plots.intervals(ROWS * 4, 'macro F1 (0 to 1)', 'first')
  figure.draw_without_rendering()
  width, height = figure.get_size_inches()
  box = figure.get_tightbbox()
  assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_a_file_is_a_png_with_something_in_it(tmp_path):
  plots.save(plots.intervals(ROWS, 'macro F1 (0 to 1)'), tmp_path / 'plot.png')
  pixels = np.asarray(Image.open(tmp_path / 'plot.png').convert('RGB'))
  assert pixels.shape[1] > 800 and pixels.std() > 5


def test_no_figure_is_kept_by_matplotlib():
  code = ('import sys\nfrom train_lib.drawing import plots\n'
          'plots.intervals([], "F1")\n'
          'assert "matplotlib.pyplot" not in sys.modules')
  root = pathlib.Path(__file__).parent.parent
  subprocess.run([sys.executable, '-c', code], cwd=root, check=True)
