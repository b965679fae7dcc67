"""Plots of clusters: what is drawn, and that nothing is cut off at 2, 100 or more clusters."""

import numpy as np
import pytest

from train_lib.clustering import choosing, cluster_plots
from train_lib.clustering.choosing import Trial
from train_lib.clustering.quality import Silhouettes

NAN = float('nan')
LONG = 'a cluster with a name that is far too long for a plot, and has $ in it'


def trials(numbers, stability=0.5):
  return [Trial(number, 1e6 / number, 0.1 + 0.001 * number, stability) for number in numbers]


def drawn_sizes(num_clusters, num_rows=1000, noise=10, names=None):
  clusters = np.arange(num_rows) * np.arange(num_rows) // 7 % num_clusters
  clusters[:noise] = -1
  rows = np.flatnonzero(clusters >= 0)[::2]
  values = np.random.default_rng(0).uniform(-0.2, 0.8, len(rows))
  return cluster_plots.sizes_plot(clusters, Silhouettes(rows, values), names)


def labels(axes, axis='y'):
  return [text.get_text() for text in getattr(axes, f'get_{axis}ticklabels')()]


def check_nothing_is_cut_off(figure):
  figure.draw_without_rendering()
  width, height = figure.get_size_inches()
  box = figure.get_tightbbox()
  assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


@pytest.mark.parametrize('rule', choosing.RULES)
@pytest.mark.parametrize('numbers', [(2,), (1, 2), choosing.default_numbers(10_000, 500)])
def test_nothing_of_the_numbers_is_cut_off(rule, numbers):
  check_nothing_is_cut_off(cluster_plots.numbers_plot(trials(numbers), numbers[-1], rule))


@pytest.mark.parametrize('num_clusters', [1, 2, 40, 100, 300])
def test_nothing_of_the_sizes_is_cut_off(num_clusters):
  check_nothing_is_cut_off(drawn_sizes(num_clusters, names={0: LONG, 1: 'волк'}))


def test_the_choice_is_named_and_marked_in_every_panel():
  figure = cluster_plots.numbers_plot(trials((2, 3, 4, 6))[::-1], 4, 'elbow')
  assert '4 clusters, by the elbow' in figure.get_suptitle() and len(figure.axes) == 3
  for axes in figure.axes:
    line, curve, mark = axes.lines
    assert set(line.get_xdata()) == {4} and list(curve.get_xdata()) == [2, 3, 4, 6]
    assert list(mark.get_xdata()) == [4] and list(mark.get_ydata()) == [curve.get_ydata()[2]]
  assert [axes.yaxis.label.get_fontweight() for axes in figure.axes] == ['bold', 'normal', 'normal']


def test_a_figure_that_no_trial_has_is_left_out():
  figure = cluster_plots.numbers_plot(trials((2, 3), NAN), 3, 'silhouette')
  assert [axes.get_ylabel().split()[0] for axes in figure.axes] == ['inertia', 'silhouette']
  some = trials((2, 3))
  figure = cluster_plots.numbers_plot([some[0], some[1]._replace(stability=NAN)], 2, 'stability')
  figure.draw_without_rendering()
  assert len(figure.axes) == 3


def test_numbers_that_find_no_room_are_not_named_but_the_choice_is():
  figure = cluster_plots.numbers_plot(trials(range(2, 60)), 57, 'elbow')
  named = labels(figure.axes[-1], 'x')
  assert '57' in named and '56' not in named and '58' not in named and {'2', '3', '4'} <= set(named)


def test_the_largest_cluster_is_on_top_with_its_name_and_noise_is_counted():
  clusters = np.array([5] * 3 + [2] * 1200 + [0] * 4 + [-1] * 2)
  figure = cluster_plots.sizes_plot(clusters, names={2: 'cats', 0: ''})
  assert labels(figure.axes[0]) == ['2: cats (1,200)', 'cluster 0 (4)', 'cluster 5 (3)']
  places = list(figure.axes[0].get_yticks())
  assert places == sorted(places, reverse=True) and len(figure.axes) == 1
  assert figure.get_suptitle() == '1,207 pictures in 3 clusters, 2 in none'


def test_a_dot_is_the_mean_of_a_cluster_and_clusters_without_a_sampled_row_have_none():
  clusters = np.array([0, 0, 0, 1, 1, -1, 2])
  found = Silhouettes(np.array([0, 1, 3, 4]), np.array([0.2, 0.4, -0.1, 0.1]))
  beside = cluster_plots.sizes_plot(clusters, found).axes[1]
  dots = [line for line in beside.lines if line.get_marker() == 'o']
  np.testing.assert_allclose([(line.get_xdata()[0], line.get_ydata()[0]) for line in dots],
                             [(0.3, 2), (0, 1)], atol=1e-12)
  assert [text.get_text() for text in beside.texts] == ['mean 0.15']


def test_silhouettes_that_do_not_exist_and_noise_alone_are_no_error():
  none = Silhouettes(np.arange(3), np.full(3, NAN))
  check_nothing_is_cut_off(cluster_plots.sizes_plot(np.zeros(3, int), none))
  empty = Silhouettes(np.zeros(0, np.int64), np.zeros(0))
  figure = cluster_plots.sizes_plot(np.full(3, -1), empty)
  check_nothing_is_cut_off(figure)
  assert figure.get_suptitle() == '0 pictures in 0 clusters, 3 in none'


def test_of_too_many_clusters_the_largest_and_the_smallest_are_drawn():
  clusters = np.repeat(np.arange(150), np.arange(1, 151))
  figure = cluster_plots.sizes_plot(clusters)
  named = labels(figure.axes[0])
  assert len(named) == cluster_plots.MOST_BARS
  assert named[0] == 'cluster 149 (150)' and named[-1] == 'cluster 0 (1)'
  assert 'the 50 largest and the 50 smallest' in figure.get_suptitle()
