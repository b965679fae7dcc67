"""How many pictures go through the net at once: told, or found by trying."""

import time

import jax
import pytest

from errors import UserError
from train_lib import batch_sizes, parallel


@pytest.fixture
def mesh():
  return parallel.make_mesh(jax.devices()[:1])


def clock(monkeypatch, seconds):
  """Batches take seconds(rows); returns the sizes that were tried."""
  now, tried = [0.0], []
  monkeypatch.setattr(time, 'perf_counter', lambda: now[0])

  def run(rows):
    tried.append(rows)
    now[0] += seconds(rows)
  return run, tried


def test_a_larger_batch_must_be_worth_it(mesh, monkeypatch):
  run, tried = clock(monkeypatch, lambda rows: max(rows, 32) * 0.01)     # no faster from 32 on
  rows, per_sec = batch_sizes.find(run, 10_000, mesh)
  assert rows == 32 and per_sec == pytest.approx(100)
  assert sorted(set(tried)) == [8, 16, 32, 64]


def test_what_memory_cannot_hold_is_not_taken(mesh, monkeypatch):
  def seconds(rows):
    if rows > 16:
      raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: out of memory')
    return 1.0
  run, _ = clock(monkeypatch, seconds)
  assert batch_sizes.find(run, 10_000, mesh)[0] == 16


def test_where_hardly_any_fit_no_more_are_tried(mesh):
  tried = []

  def run(rows):
    tried.append(rows)
    raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: out of memory')
  assert batch_sizes.find(run, 10_000, mesh) == (1, 0.0) and tried == [8]


def test_another_failure_is_not_hidden(mesh):
  def run(rows):
    raise jax.errors.JaxRuntimeError('INTERNAL: broken')
  with pytest.raises(jax.errors.JaxRuntimeError, match='broken'):
    batch_sizes.find(run, 10_000, mesh)


@pytest.mark.parametrize('number, rows', [(1, 1), (3, 4), (30, 32), (60, 32)])
def test_few_pictures_are_not_worth_trying(mesh, number, rows):
  assert batch_sizes.find(lambda _: pytest.fail('tried'), number, mesh) == (rows, 0.0)


def test_a_size_that_is_told_is_taken_and_zero_is_the_usual_one(mesh):
  assert batch_sizes.resolve('predict.batch_size', 5, mesh) == 5
  assert batch_sizes.resolve('predict.batch_size', 0, mesh) == 32
  with pytest.raises(UserError, match='predict.batch_size is -1'):
    batch_sizes.resolve('predict.batch_size', -1, mesh)
