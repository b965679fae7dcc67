"""What k-means costs: ours beside scikit-learn and faiss, and a million rows of a memory map.

    python -m benchmarks.kmeans
    python -m benchmarks.kmeans --rows=50000 --width=2048 --clusters=100 --stream_rows=0
    PYTHONPATH=folder/of/faiss python -m benchmarks.kmeans --spread=0 --repeats=3

All start from the same centres and make the same number of iterations, in turns, so that a machine
that others use as well slows all of them; drawing starts is timed apart. Rows lie around as many
middles as there are clusters, which overlap, or nowhere in particular with --spread=0. Ours is
compiled before the first turn, and how long that took is told apart. faiss is left out where it is
not installed (`pip install faiss-cpu`, or all rivals: `pip install -e '.[rivals]'`). Each library
has the threads that it takes by itself; how many, and what the environment says of them, stands in
the second line: with others on the machine, OMP_WAIT_POLICY=passive keeps faiss' threads from
waiting busily. The process has the allocator settings that main.py starts with on a CPU, rivals as
well as ours (--notune: as it comes); the first line tells. The stream is fitted in a process of its
own, whose peak memory is told; pages of the map that happen to be in memory count there as well.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

from benchmarks import command
from benchmarks.beside.machine import ROOT
from benchmarks.command import number
from train_lib import launch, parallel
from train_lib.clustering.kmeans import assign, fit_kmeans
from train_lib.clustering.seeding import draw_starts
from train_lib.clustering.sharded_rows import ShardedRows
from train_lib.clustering.streamed import fit_streamed

BLOCK = 50_000
MOST_STARTS = 20  # scikit-learn takes long for more
GIB = 2**30


def main() -> None:
  """Reads the flags, runs both parts, prints the lines."""
  flags = read_flags()
  if flags.stream_file:
    print(json.dumps(stream(flags)))
    return
  if flags.tune:
    launch.restart_tuned(['-m', 'benchmarks.kmeans', *sys.argv[1:]])
  tuned = launch.TUNED in os.environ
  settings = "main.py's allocator settings" if tuned else 'settings as they come'
  print(f'{flags.rows:,} x {flags.width} float32, {flags.clusters} clusters, {flags.iterations} '
        f'iterations, {os.cpu_count()} processors, {settings}\n{told_of_threads()}', flush=True)
  for line in compare(flags):
    print(line, flush=True)
  if flags.stream_rows:
    print(told_of_stream(flags), flush=True)


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.add_argument('--rows', type=number(1), default=100_000)
  parser.add_argument('--width', type=number(1), default=256)
  parser.add_argument('--clusters', type=number(1), default=100)
  parser.add_argument('--iterations', type=number(1), default=20)
  parser.add_argument('--repeats', type=number(1), default=5)
  parser.add_argument('--spread', type=number(0, float), default=0.5,
                      help='of middles; rows have 1')
  parser.add_argument('--stream_rows', type=number(0), default=1_000_000,
                      help='0 leaves the stream out')
  parser.add_argument('--notune', dest='tune', action='store_false')
  parser.add_argument('--stream_file', default='', help='only this: fit the map, told as JSON')
  flags = parser.parse_args(argv)
  fewest = min(flags.rows, flags.stream_rows or flags.rows)
  if flags.clusters > fewest and not flags.stream_file:
    parser.error(f'--clusters={flags.clusters} are more than the {fewest} rows')
  return flags


def blobs(flags, out: np.ndarray) -> np.ndarray:
  """Fills out [N, D] with rows around middles, some at a time."""
  rng = np.random.default_rng(0)
  middles = flags.spread * rng.standard_normal((flags.clusters, flags.width), np.float32)
  for first in range(0, len(out), BLOCK):
    part = out[first:first + BLOCK]
    part[:] = rng.standard_normal(part.shape, np.float32)
    part += middles[rng.integers(flags.clusters, size=len(part))]
  return out


def told_of_threads() -> str:
  """Versions, threads of each library's pools, and settings of the environment about them."""
  import importlib.metadata

  import sklearn.cluster  # noqa: F401
  import threadpoolctl
  with contextlib.suppress(ImportError):
    import faiss  # noqa: F401
  versions = []
  for name in ('jax', 'scikit-learn', 'faiss-cpu'):
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      versions.append(f'{name} {importlib.metadata.version(name)}')
  pools = sorted({f'{pool["internal_api"]} {pool["num_threads"]}'
                  for pool in threadpoolctl.threadpool_info()})
  settings = [f'{name}={value}' for name, value in sorted(os.environ.items())
              if name.startswith(('OMP_', 'OPENBLAS_', 'MKL_', 'XLA_FLAGS', 'GLIBC_TUNABLES'))]
  return (f'{", ".join(versions)}; threads: {", ".join(pools)}; '
          f'{" ".join(settings) or "no settings"}')


def compare(flags) -> list[str]:
  """A line for each library."""
  rows = blobs(flags, np.empty((flags.rows, flags.width), np.float32))
  start = rows[:flags.clusters].copy()
  fits = {'ours': fit_ours, 'scikit-learn': fit_sklearn}
  lines = []
  try:
    import faiss  # noqa: F401
    fits['faiss'] = fit_faiss
  except ImportError:
    lines.append('faiss is not installed and is left out')
  began = time.perf_counter()
  fit_ours(rows, start, 1)
  first = time.perf_counter() - began
  clock, busy, inertia = {}, {}, {}
  for _ in range(flags.repeats):
    for name, fit in fits.items():
      began, began_busy = time.perf_counter(), time.process_time()
      centres = fit(rows, start, flags.iterations)
      clock.setdefault(name, []).append(time.perf_counter() - began)
      busy.setdefault(name, []).append(time.process_time() - began_busy)
      if name not in inertia:
        inertia[name] = float(np.square(assign(rows, centres)[1], dtype=np.float64).sum())
  lines.append(f'ours, one iteration with its compilation: {first:.2f} s')
  lines.append(told_of_starts(rows, min(flags.clusters, MOST_STARTS), flags.repeats))
  for name in fits:
    ratio, busy_ratio = (statistics.median(np.divide(times['ours'], times[name]))
                         for times in (clock, busy))
    lines.append(
        f'{name}: {statistics.median(clock[name]):.2f} s ({min(clock[name]):.2f} to '
        f'{max(clock[name]):.2f}), of the processors {statistics.median(busy[name]):.2f} s, '
        f'inertia {inertia[name]:.6e}; ours takes {ratio:.2f} of its time, {busy_ratio:.2f} of its '
        'processors\'')
  return lines


def told_of_starts(rows, count, repeats) -> str:
  """Times greedy k-means++ of both, in turns."""
  from sklearn.cluster import kmeans_plusplus
  laid = ShardedRows(rows, parallel.make_mesh())
  draw_starts(laid, count, np.random.default_rng(0))  # compiles
  ours, theirs = [], []
  for seed in range(repeats):
    began = time.perf_counter()
    draw_starts(laid, count, np.random.default_rng(seed))
    ours.append(time.perf_counter() - began)
    began = time.perf_counter()
    kmeans_plusplus(rows, count, random_state=seed)
    theirs.append(time.perf_counter() - began)
  return (f'{count} starts: ours {statistics.median(ours):.2f} s, scikit-learn '
          f'{statistics.median(theirs):.2f} s; ours takes '
          f'{statistics.median(np.divide(ours, theirs)):.2f} of its time')


def fit_ours(rows, start, iterations):
  return fit_kmeans(rows, len(start), start=start, most_iterations=iterations, tolerance=0).centres


def fit_sklearn(rows, start, iterations):
  from sklearn.cluster import KMeans
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # that it has not converged
    return KMeans(len(start), init=start, n_init=1, max_iter=iterations, tol=0,
                  algorithm='lloyd').fit(rows).cluster_centers_


def fit_faiss(rows, start, iterations):
  import faiss
  model = faiss.Kmeans(rows.shape[1], len(start), niter=iterations, min_points_per_centroid=1,
                       max_points_per_centroid=len(rows))
  model.train(rows, init_centroids=start)
  return model.centroids


def told_of_stream(flags) -> str:
  """Writes the map, fits it in a process of its own."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, 'features.npy')
    blobs(flags, np.lib.format.open_memmap(path, 'w+', np.float32,
                                           (flags.stream_rows, flags.width))).flush()
    fit = [sys.executable, '-m', 'benchmarks.kmeans', f'--stream_file={path}',
           f'--clusters={flags.clusters}']
    told = json.loads(subprocess.run(fit, check=True, capture_output=True, text=True,
                                     cwd=ROOT).stdout)
  return (f'{flags.stream_rows:,} rows of a memory map: {told["seconds"]:.1f} s, inertia of a row '
          f'{told["inertia"] / flags.stream_rows:.4f}, peak memory {told["peak"] / GIB:.2f} GiB '
          f'({told["before"] / GIB:.2f} GiB before)')


def stream(flags) -> dict:
  """Fits the memory map."""
  features, before = np.load(flags.stream_file, mmap_mode='r'), peak_bytes()
  began = time.perf_counter()
  found = fit_streamed(features, flags.clusters)
  return {'seconds': time.perf_counter() - began, 'inertia': found.inertia, 'before': before,
          'peak': peak_bytes()}


def peak_bytes() -> int:
  """The most memory this process has held."""
  lines = pathlib.Path('/proc/self/status').read_text().splitlines()
  return next(int(line.split()[1]) * 2**10 for line in lines if line.startswith('VmHWM'))


if __name__ == '__main__':
  command.run(main)
