import numpy as np
import pytest

from errors import UserError
from train_lib.clustering import map as clustering_map
from train_lib.clustering.map import place_on_map


def groups(rows_each, number=3, columns=12, seed=0):
  """Features [number * rows_each, columns] of groups that lie far apart, and their numbers."""
  draws = np.random.default_rng(seed)
  truth = np.repeat(np.arange(number), rows_each)
  centres = 8 * np.eye(number, columns)
  return (centres[truth] + draws.normal(size=(len(truth), columns))).astype(np.float32), truth


def own_neighbours(places, truth):
  """The share of rows whose nearest other row on the map is of the same group."""
  away = np.linalg.norm(places[:, None] - places[None], axis=-1)
  np.fill_diagonal(away, np.inf)
  return (truth[away.argmin(axis=1)] == truth).mean()


@pytest.fixture
def few_iterations(monkeypatch):
  monkeypatch.setattr(clustering_map, 'ITERATIONS', 300)


@pytest.mark.usefixtures('few_iterations')
def test_rows_of_a_group_lie_together_within_the_square():
  features, truth = groups(20)
  places = place_on_map(features)
  assert places.shape == (60, 2) and places.dtype == np.float32
  assert places.min() >= 0 and places.max() <= 1
  assert np.ptp(places, axis=0).max() == pytest.approx(1)  # the longer axis is filled
  assert own_neighbours(places, truth) == 1


@pytest.mark.usefixtures('few_iterations')
def test_rows_beyond_the_sample_lie_beside_their_neighbours(monkeypatch):
  monkeypatch.setattr(clustering_map, 'MOST_MAPPED', 30)
  features, truth = groups(40)
  places = place_on_map(features)
  assert own_neighbours(places, truth) == 1
  assert len(np.unique(places, axis=0)) == len(places)     # none covers another


@pytest.mark.usefixtures('few_iterations')
def test_the_same_seed_gives_the_same_map():
  features, _ = groups(10)
  np.testing.assert_array_equal(place_on_map(features, seed=3), place_on_map(features, seed=3))


@pytest.mark.parametrize('number', [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize('columns', [1, 2, 7])
@pytest.mark.usefixtures('few_iterations')
def test_few_rows_have_places_too(number, columns):
  places = place_on_map(np.random.default_rng(0).normal(size=(number, columns)))
  assert places.shape == (number, 2) and np.isfinite(places).all()
  assert len(np.unique(places, axis=0)) == number


@pytest.mark.parametrize('number', [1, 2, 4, 40])
def test_rows_that_are_all_the_same_lie_in_the_middle(number):
  np.testing.assert_array_equal(place_on_map(np.ones((number, 5))), np.full((number, 2), 0.5))


@pytest.mark.usefixtures('few_iterations')
def test_two_kinds_of_equal_rows_lie_apart():
  places = place_on_map(np.repeat(np.eye(2, 6), 20, axis=0))
  assert own_neighbours(places, np.repeat([0, 1], 20)) == 1


def test_what_cannot_be_placed_is_a_sentence():
  with pytest.raises(UserError, match='one picture or more'):
    place_on_map(np.zeros((0, 4)))
  with pytest.raises(UserError, match='features that are numbers'):
    place_on_map(np.full((4, 4), np.nan))


def test_a_stop_is_heard():
  def stop():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    place_on_map(np.eye(8), poll=stop)
