"""What processes count apart, each its own rows, is what one process counts of all of them."""

import concurrent.futures
import json
import threading

import numpy as np
import pytest

from tests.faults.runs import ended
from tests.test_train_lib_evaluation import TEST, VALID, Split, measure
from tests.test_train_lib_multihost_processes import start_two
from train_lib.tags import tag_counts
from train_lib.tags.tag_picks import MOST, Picks

SHORT = Split(3, 8, seed=5)               # of which process 1 has no row
PROCESS = '''
import json, pathlib, sys
import numpy as np
rank, port, devices, folder = *map(int, sys.argv[1:4]), pathlib.Path(sys.argv[4])
from train_lib import evaluation, parallel
from train_lib.multihost import apart, distributed
from train_lib.tags import tag_counts
distributed.join(coordinator=f'127.0.0.1:{port}', num_processes=2, process_id=rank,
                 devices=devices, cache_dir='off', heartbeat_sec=10, connect_sec=60)
from errors import UserError
from tests import test_train_lib_multihost_apart as test
from tests.test_train_lib_evaluation import TASK, TEST, VALID, Split
tag_counts.EXACT_SCORES, apart.CHUNK = 0, 1000

class Part:
  """The rows of every batch that are this process's."""

  def __init__(self, split):
    self.split, self.num_examples, self.num_batches = split, split.num_examples, split.num_batches

  def batches(self, start, stop):
    rows = slice(4 * rank, 4 * (rank + 1))
    for batch in self.split.batches(start, stop):
      yield {key: value[rows] for key, value in batch.items()}

def refuse(*_):
  raise AssertionError('rows were brought together')

evaluation.gather = parallel.to_host = refuse
mesh = parallel.make_mesh()
evaluator = evaluation.Evaluator(TASK, mesh)
valid = evaluator.evaluate({}, Part(VALID))
for name, split in (('test', TEST), ('short', test.SHORT)):
  outcome = evaluator.evaluate({}, Part(split), valid.thresholds)
  np.savez(folder / f'{name}-{rank}.npz', **test.told(outcome))

broken = Split(20, 8, seed=3)
broken.logits[5, 4] = np.nan                        # of process 1
try:
  evaluator.evaluate({}, Part(broken))
except UserError as error:
  said = [type(error).__name__, str(error)]

ones = np.arange(2003, dtype=np.uint32).reshape(1, 2003) + np.uint32(rank * 2**31)
exact = apart.add_up(mesh, ones).tolist() == [[2 * k + 2**31 for k in range(2003)]]
halves = apart.add_up(mesh, np.full(3, 0.5 if rank else 2**-24, np.float32)).tolist()
(folder / f'said-{rank}.json').write_text(json.dumps([said, exact, halves]))
distributed.part_together()
'''


def told(outcome):
  """An outcome as arrays by name: all counts, every picture that was kept, the figures."""
  arrays = {f'metrics {name}': value for name, value in outcome.metrics.items()}
  for name, counts in outcome.collected.counts.items():
    arrays |= {f'{name} {field}': value for field, value in vars(counts).items()}
  for kind, picks in outcome.collected.picks.items():
    for field in vars(picks[0]):
      arrays[f'{kind} {field}'] = np.array([getattr(pick, field) for pick in picks])
  return {**arrays, 'rated': [outcome.collected.rated, outcome.collected.rated_right]}


@pytest.mark.parametrize('devices', [2, pytest.param(1, marks=pytest.mark.slow)])
def test_two_processes_count_their_own_rows_and_end_with_what_one_counts(
    devices, tmp_path, monkeypatch):
  processes = start_two(PROCESS, devices, tmp_path)
  with ended(*processes):
    assert [process.wait(180) for process in processes] == [0, 0]

  monkeypatch.setattr(tag_counts, 'EXACT_SCORES', 0)
  thresholds = measure(1, VALID).thresholds
  for name, split in (('test', TEST), ('short', SHORT)):
    wanted = told(measure(1, split, thresholds))
    for rank in range(2):
      found = dict(np.load(tmp_path / f'{name}-{rank}.npz'))
      assert found.keys() == wanted.keys()
      for key, value in wanted.items():
        if key == 'metrics loss':                       # a sum in another order
          assert found[key] == pytest.approx(value, rel=1e-6)
        else:
          np.testing.assert_array_equal(found[key], value, err_msg=key)

  zero, one = (json.loads((tmp_path / f'said-{rank}.json').read_text()) for rank in range(2))
  assert one[0][0] == 'Diverged' and 'training has diverged' in one[0][1]
  assert zero[0] == ['UserError', f'process 1 refused: {one[0][1]}']
  assert zero[1:] == one[1:] == [True, [0.5 + 2**-24] * 3]


class Group:
  """Threads that talk to each other as processes do."""

  def __init__(self, size):
    self.values, self.barrier = [None] * size, threading.Barrier(size, timeout=30)

  def gather(self, number, value):
    self.values[number] = value
    self.barrier.wait()
    values = list(self.values)
    self.barrier.wait()
    return values

  def join(self, picks):
    """Joins what each of the members has kept."""
    def join(number, one):
      one.join(lambda rows: sum(self.gather(number, rows)),
               lambda told: list(map(json.loads, self.gather(number, json.dumps(told)))))
    with concurrent.futures.ThreadPoolExecutor(len(picks)) as pool:
      for done in [pool.submit(join, number, one) for number, one in enumerate(picks)]:
        done.result()


@pytest.mark.parametrize('drawn_known', [True, False])
def test_pictures_kept_apart_are_those_kept_together(drawn_known):
  rng = np.random.default_rng(0)
  labels, probabilities = rng.random((90, 7)) < 0.4, rng.random((90, 7)).astype(np.float32)
  drawn = labels | (rng.random((90, 7)) < 0.2)

  def keep(rows):
    picks = Picks(np.arange(7) > 0, 0.5)
    picks.add(probabilities[rows], labels[rows], drawn[rows] if drawn_known else None,
              [f'p{row}' for row in rows], rows)
    return picks

  whole, parts = keep(np.arange(90)), [keep(np.arange(90)[part::3]) for part in range(3)]
  Group(3).join(parts)
  for kind, wanted in whole.by_kind.items():
    assert len(wanted) == MOST, kind
    for part in parts:
      for one, other in zip(part.by_kind[kind], wanted, strict=True):
        for field, value in vars(other).items():
          np.testing.assert_array_equal(getattr(one, field), value, err_msg=f'{kind} {field}')


def test_rows_that_are_kept_are_not_added_up():
  scores = tag_counts.TagScores(10, 3)
  with pytest.raises(ValueError, match='cannot be added up'):
    scores.join(None, None)
