"""70,000 tags: what evaluation costs, as a run does it, from probabilities to mAP.

Part of `python -m benchmarks.scale_parts`. `Evaluator.evaluate` looks at drawn features with the
head alone, so that the net's body does not hide the rest. No row of probabilities is kept beyond
2^28 scores: they are counted into histograms (`train_lib/tags/tag_counts.py`), on the host, by one
thread of each process. How long that takes, and what the final figures take, is timed where the
evaluator calls it, as processor time of that thread, so that what else the machine does shows
little; the head itself is the devices' work and is left out.
"""

import resource
import time

import jax
import numpy as np

from benchmarks.scale_figures import duration, figure
from benchmarks.scale_tags import board_task, feature_size, head_task
from train_lib import parallel
from train_lib.evaluation import Evaluator
from train_lib.feature_loader import FeatureLoader
from train_lib.tags import tag_counts


class Timed:
  """A task whose collectors note how long every call takes."""

  def __init__(self, task):
    self._task, self.add_sec, self.end_sec = task, [], {}

  def __getattr__(self, name):
    return getattr(self._task, name)

  def collector(self, loader, thresholds=None):
    self._collector = self._task.collector(loader, thresholds)
    return self

  def add(self, *arguments):
    started = time.thread_time()
    self._collector.add(*arguments)
    self.add_sec.append(time.thread_time() - started)

  def finish(self):
    return self._at_end('finish', self._collector.finish)

  def tune(self, *arguments):
    return self._at_end('tune', self._task.tune, *arguments)

  def measure(self, *arguments):
    return self._at_end('measure', self._task.measure, *arguments)

  def _at_end(self, name, function, *arguments):
    started = time.thread_time()
    result = function(*arguments)
    self.end_sec[name] = time.thread_time() - started
    return result


class TimedEvaluator(Evaluator):
  """An evaluator that notes what this thread does for the devices in every batch."""

  def __init__(self, task, mesh):
    super().__init__(task, mesh)
    self.run_sec = []

  def run(self, *arguments):
    started = time.thread_time()
    result = super().run(*arguments)
    self.run_sec.append(time.thread_time() - started)
    return result


def measure(flags) -> dict[str, dict]:
  """Figures by name. Args: flags: of `scale_parts`: tags, pictures, eval_batch, listed, net."""
  task, _ = board_task(flags)
  size, rng = feature_size(task, flags.size_px), np.random.default_rng(0)
  arrays = {'features': rng.normal(size=(flags.pictures, size)).astype(np.float32),
            'tags': rng.integers(0, flags.tags, (flags.pictures, flags.listed)).astype(np.int32),
            'mask': np.ones(flags.pictures, np.float32),
            'id': np.array([str(number) for number in range(flags.pictures)])}
  loader, mesh = FeatureLoader(arrays, flags.eval_batch, None), parallel.make_mesh()
  timed = Timed(head_task(task))
  key, one = jax.random.key(0), {'image': np.zeros((1, 1, 1, size), np.float32)}
  variables = parallel.compile_once(mesh, lambda key: timed.init(key, one))(key)
  before, started, thread_started = _peak_gib(), time.perf_counter(), time.thread_time()
  evaluator = TimedEvaluator(timed, mesh)
  evaluator.evaluate(variables, loader)
  seconds, scores = time.perf_counter() - started, flags.pictures * flags.tags
  host_sec = time.thread_time() - thread_started - sum(evaluator.run_sec)
  return {
      'evaluation of all pictures': duration(seconds, 's'),
      'pictures evaluated': figure(flags.pictures, 'pictures'),
      # some batches wait, others are counted with those that waited
      'counting a picture': figure(sum(timed.add_sec) / flags.pictures * 1e3, 'ms'),
      'a picture, with truths and copies': figure(
          (host_sec - sum(timed.end_sec.values())) / flags.pictures * 1e3, 'ms'),
      'average precision and counts at the end': duration(timed.end_sec['finish'], 's'),
      'thresholds at the end': duration(timed.end_sec['tune'], 's'),
      'figures at the end': duration(timed.end_sec['measure'], 's'),
      'memory that it adds': figure(_peak_gib() - before, 'GiB'),
      'probabilities that would be kept': figure(4 * scores / 2**30, 'GiB'),
      'histograms in place of rows': figure(float(scores > tag_counts.EXACT_SCORES), '(1: yes)'),
  }


def _peak_gib():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
