"""The benchmark's own claim: all its cases are the same training."""

import sys

import jax
import numpy as np
import pytest

import data
from benchmarks import replicas
from tests.small_replicas import use_small_net


@pytest.mark.slow
def test_all_cases_train_the_same(monkeypatch):
  use_small_net(monkeypatch)
  monkeypatch.setattr(data, 'SOURCES', dict(data.SOURCES))
  flags = ('--replicas=2', '--batch=4', '--steps=2', '--ways=one,vmap')
  monkeypatch.setattr(sys, 'argv', ['replicas', *flags])
  args = replicas.read_flags()
  cases = [replicas.Steps('steps', args), *(replicas.Together(way, args) for way in args.ways)]
  for case in cases:
    case.run_once()
    assert case.done == 4 and len(case.row(cases[0])) == len(replicas.COLUMNS)
  first = [jax.device_get(state.params) for state in cases[0].states]
  assert np.abs(first[0]['head']['kernel'] - first[1]['head']['kernel']).max() > 0.1
  for case in cases[1:]:
    for number, params in enumerate(first):
      jax.tree.map(lambda one, other, n=number: np.testing.assert_allclose(
          one, other[n], rtol=1e-4, atol=1e-5), params, jax.device_get(case.states.params))
