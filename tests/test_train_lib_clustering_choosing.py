"""The number of clusters: the ladder, the trials, and what each rule picks."""

import types

import numpy as np
import pytest
from sklearn.cluster import KMeans

from errors import UserError
from train_lib.clustering import choosing, quality
from train_lib.clustering.choosing import Trial, choose, default_numbers, try_numbers

NAN = float('nan')


def fit(rows, num_clusters, seed):
  model = KMeans(num_clusters, n_init=2, random_state=seed).fit(rows)
  return types.SimpleNamespace(centres=model.cluster_centers_, clusters=model.labels_,
                               inertia=model.inertia_)


def blobs(num_clusters=5, columns=8):
  """Blobs whose centres are equally far apart: float32 [N, D]."""
  rng = np.random.default_rng(0)
  rows = np.eye(columns)[np.arange(80) % num_clusters] + 0.1 * rng.normal(size=(80, columns))
  return rows.astype(np.float32)


def trials(rule='elbow', numbers=(8, 2, 3, 4, 5, 6, 5), rows=None, resamples=2, **options):
  rows = blobs() if rows is None else rows
  return try_numbers(rows, numbers, fit, rule=rule, sample=60, resamples=resamples, seed=0,
                     **options)


def rows_of(**columns):
  """Trials of 2, 3, 4, ... clusters with some figures."""
  length = len(next(iter(columns.values())))
  given = {name: columns.get(name, [NAN] * length) for name in Trial._fields[1:]}
  return [Trial(2 + place, *values)
          for place, values in enumerate(zip(*given.values(), strict=True))]


def test_numbers_grow_ever_wider_apart_and_end_where_clusters_get_too_small():
  assert default_numbers(10_000, 50) == (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48)
  assert default_numbers(20, 50) == (2, 3, 4, 5, 6, 8, 10)
  assert default_numbers(10_000, 2) == default_numbers(2, 50) == default_numbers(3, 50) == (2,)


def test_where_nobody_says_how_many_clusters_have_five_rows_on_average():
  assert default_numbers(250, 0) == default_numbers(10_000, 0) == default_numbers(10_000, 50)
  assert default_numbers(154, 0)[-1] == 24 and default_numbers(154, 50)[-1] == 48
  assert default_numbers(18, 0) == (2, 3)
  assert default_numbers(10, 0) == default_numbers(2, 0) == (2,)


@pytest.mark.parametrize('num_rows, most, words', [
    (1, 9, 'two pictures or more, and there is 1'), (0, 9, 'there are 0'),
    (9, 1, 'largest number of clusters to try is 1; expected 2'),
    (9, -1, 'to try is -1; expected 2 or more, or 0')])
def test_where_there_is_nothing_to_choose_it_is_said(num_rows, most, words):
  with pytest.raises(UserError, match=words):
    default_numbers(num_rows, most)


def test_each_number_is_tried_once_in_rising_order_and_said(capsys):
  polls = []
  found = trials(poll=lambda: polls.append(1))
  assert [trial.num_clusters for trial in found] == [2, 3, 4, 5, 6, 8]
  assert len(polls) == 6 * (1 + 2)
  whole = fit(blobs(), 5, 0)
  assert found[3].inertia == pytest.approx(whole.inertia)
  expected = quality.silhouettes(blobs(), whole.clusters, sample=60).mean
  assert found[3].silhouette == pytest.approx(expected)
  assert found[3].stability == quality.stability(blobs(), fit, 5, resamples=2, seed=0)
  lines = capsys.readouterr().out.splitlines()
  assert len(lines) == 6 and lines[3].startswith('5 clusters: inertia ')
  assert f'silhouette {expected:.3f}, stability {found[3].stability:.3f}' in lines[3]


@pytest.mark.parametrize('rule', choosing.RULES)
@pytest.mark.parametrize('spherical', [False, True])
def test_every_rule_finds_the_clusters_that_are_there(rule, spherical):
  assert choose(trials(rule, spherical=spherical), rule) == 5


def test_without_resamples_there_is_no_stability_and_the_rest_stays(capsys):
  found = trials(resamples=0)
  assert np.isnan([trial.stability for trial in found]).all()
  assert [trial[:3] for trial in found] == [trial[:3] for trial in trials()]
  assert 'stability' not in capsys.readouterr().out.splitlines()[0]


def test_one_cluster_may_be_all_that_is_tried():
  assert [trial.num_clusters for trial in trials(numbers=(1,))] == [1]


def test_numbers_beyond_the_different_rows_are_left_out():
  rows = np.repeat(blobs()[:4], 3, axis=0)
  assert [trial.num_clusters for trial in trials(rows=rows)] == [2, 3, 4]
  with pytest.raises(UserError, match='all pictures have the same features'):
    trials(rows=np.ones((9, 2), np.float32))


def test_one_cluster_may_be_tried_and_has_only_an_inertia(capsys):
  found = trials(numbers=(1, 2))[0]
  assert found.inertia > 0 and np.isnan([found.silhouette, found.stability]).all()
  assert capsys.readouterr().out.startswith('1 cluster: ')


@pytest.mark.parametrize('options, words', [
    ({'rule': 'gap'}, "rule 'gap' .* choices: silhouette, elbow, stability"),
    ({'numbers': ()}, r'to try are \(\); expected one or more'),
    ({'numbers': (0, 3)}, r'\(0, 3\); expected one or more, each at least 1'),
    ({'resamples': 1}, 'resamples is 1; expected 2 or more, or 0'),
    ({'rule': 'stability', 'resamples': 0}, 'resamples is 0; expected 2 or more$')])
def test_mistakes_are_told_before_the_work(options, words):
  with pytest.raises(UserError, match=words):
    trials(**options)


def test_the_largest_figure_wins_and_numbers_without_it_never_do():
  assert choose(rows_of(silhouette=[NAN, 0.1, 0.3, 0.2]), 'silhouette') == 4
  assert choose(rows_of(stability=[0.2, NAN, -0.1]), 'stability') == 2
  assert choose(rows_of(silhouette=[NAN, NAN]), 'silhouette') == 2
  with pytest.raises(UserError, match='expected one or more'):
    choose([], 'silhouette')
  with pytest.raises(UserError, match="rule 'best'"):
    choose(rows_of(silhouette=[0.1]), 'best')


def test_of_a_tie_the_smaller_wins_in_any_order():
  tied = rows_of(silhouette=[0.1, 0.3, 0.3 + 1e-12, 0.2])
  assert choose(tied, 'silhouette') == choose(tied[::-1], 'silhouette') == 3


def test_of_numbers_that_are_as_stable_the_largest_wins():
  assert choose(rows_of(stability=[1.0, 0.7, 0.96, 0.98, 0.6]), 'stability') == 5
  assert choose(rows_of(stability=[1.0, 0.7, 0.9, NAN]), 'stability') == 2


def test_the_elbow_is_where_the_curve_bends_over_the_logarithm():
  inertia = [100, 40, 30, 25, 20]
  across = np.log(np.arange(2, 7) / 2) / np.log(3)
  below = (100 - np.array(inertia)) / 80 - across
  assert choose(rows_of(inertia=inertia), 'elbow') == 2 + np.argmax(below) == 3


@pytest.mark.parametrize('inertia', [
    [9.0], [9.0, 3.0], [9.0, 9.0, 9.0], list(10 - np.log(np.arange(2, 9))), [5.0, 4.9, 4.8, 1.0]],
    ids=['one', 'two', 'flat', 'straight', 'bends the other way'])
def test_without_an_elbow_the_smallest_number_is_chosen(inertia):
  assert choose(rows_of(inertia=inertia), 'elbow') == 2
