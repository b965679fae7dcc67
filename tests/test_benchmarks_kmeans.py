"""The benchmark of k-means gives all libraries the same task, and counts the memory of a stream."""

import argparse

import numpy as np
import pytest

from benchmarks import kmeans
from train_lib import launch

FLAGS = argparse.Namespace(rows=600, width=8, clusters=5, iterations=3, repeats=1, spread=3.0)


def test_all_start_alike_and_end_at_the_same_inertia():
  rows = kmeans.blobs(FLAGS, np.empty((600, 8), np.float32))
  start = rows[:5].copy()
  ours, theirs = (fit(rows, start, 3) for fit in (kmeans.fit_ours, kmeans.fit_sklearn))
  np.testing.assert_allclose(ours, theirs, atol=1e-4)
  lines = kmeans.compare(FLAGS)
  assert [line.split(':')[0] for line in lines if 'inertia' in line][:2] == ['ours', 'scikit-learn']


def test_blobs_are_the_same_each_time():
  some = kmeans.blobs(FLAGS, np.empty((600, 8), np.float32))
  assert np.isfinite(some).all() and len(np.unique(some, axis=0)) == 600
  np.testing.assert_array_equal(some, kmeans.blobs(FLAGS, np.empty((600, 8), np.float32)))


def test_a_stream_tells_its_time_and_the_most_memory_it_held(tmp_path):
  path = tmp_path / 'features.npy'
  np.save(path, kmeans.blobs(FLAGS, np.empty((600, 8), np.float32)))
  told = kmeans.stream(argparse.Namespace(stream_file=str(path), clusters=5))
  assert told['seconds'] > 0 and told['peak'] >= told['before'] > 2**20
  rows = np.load(path)
  assert 0 < told['inertia'] < np.square(rows - rows.mean(axis=0)).sum() / 2


def test_versions_and_threads_are_told(monkeypatch):
  monkeypatch.setenv('OMP_WAIT_POLICY', 'passive')
  told = kmeans.told_of_threads()
  assert 'scikit-learn 1.' in told and 'openmp ' in told and 'OMP_WAIT_POLICY=passive' in told


@pytest.mark.parametrize('flag, tuned', [([], True), (['--notune'], False)])
def test_it_starts_with_the_settings_of_main_and_tells_so(monkeypatch, capsys, flag, tuned):
  monkeypatch.delenv(launch.TUNED, raising=False)
  monkeypatch.setattr('sys.argv', ['kmeans', '--stream_rows=0', *flag])
  monkeypatch.setattr(kmeans, 'compare', lambda flags: [])
  restarted = []

  def restart(argv):
    restarted.append(argv)
    monkeypatch.setenv(launch.TUNED, '1')
  monkeypatch.setattr(launch, 'restart_tuned', restart)
  kmeans.main()
  assert restarted == [['-m', 'benchmarks.kmeans', '--stream_rows=0']] * tuned
  told = capsys.readouterr().out.splitlines()[0]
  assert told.endswith("main.py's allocator settings" if tuned else 'settings as they come')
