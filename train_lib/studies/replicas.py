"""Replicas: runs of one config that differ in learning rate and seed, trained side by side.

All pictures lie on the device, and many steps are one program: nothing of the host stands between
two of them. The step is that of `train_lib/step.py`, with the batches, random numbers, schedule,
averaged weights and accumulation of --job=train; a replica is the run of that job with its learning
rate and its seed, but for rounding. It trains on one device, whatever `train.parallel` says.
"""

import copy
import functools
import math
import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from errors import Diverged, UserError
from train_lib import build_sources, device_data, parallel
from train_lib.evaluation import Evaluator
from train_lib.state import TrainState
from train_lib.studies import curvature
from train_lib.studies import replica_programs as programs
from train_lib.studies.side_by_side import SideBySide, check_choice
from train_lib.training import Training, build_training, load_initial

BLOCK_STEPS = 100                 # of one program, at most; it is the same for fewer
SHARE = 0.8                       # of the memory that is left, that a program may take
FASTEST = {'cpu': 'one'}          # measured by benchmarks/replicas.py; others measure at the start
TRIED = ('vmap', 'one')           # where nothing is known
TRIED_STEPS = 10
PICTURES = ('data', 'eval')       # sections of a config that decide what lies on the device
NET = (*PICTURES, 'task', 'net', 'loss', 'train', 'study')  # and which net learns what from it


def build_replicas(config, poll: Callable[[], None] = lambda: None,
                   before: 'Replicas | None' = None) -> 'Replicas':
  """Prepares everything up to the compiled programs.

  Args:
    config: of a row; its learning rate and seed do not matter.
    poll: called often, also while replicas train; may raise to stop.
    before: replicas of another config. Where the pictures are the same they are taken over; where
      nothing differs but the optimizer, so are the programs that it has no part in, and the way of
      training together that was found the fastest.

  Raises:
    UserError: a mistake in the config, pictures that change from one reading to the next, that
      cannot be read, or do not fit into memory.
  """
  check_choice(config.study.together)
  device_data.check_repeatable(config)
  if jax.process_count() > 1:
    raise UserError(f'replicas cannot be divided among {jax.process_count()} processes; start the '
                    'study on one host')
  if config.train.on_divergence != 'abort':
    raise UserError(f"train.on_divergence is '{config.train.on_divergence}', and the replicas of a "
                    "study end where they diverge; leave it at 'abort'")
  config = copy.deepcopy(config)
  config.train.parallel, config.net.batch_norm_sync = 'jit', True
  training = build_training(config, poll)
  if before is None or not _same(before.config, config, PICTURES):
    return Replicas(training, _load_splits(training, poll), config.study.together, poll)
  others = before if _same(before.config, config, NET) else None
  return Replicas(training, before.splits, config.study.together, poll, others)


def _same(one, other, sections):
  return all(one[section] == other[section] for section in sections)


def _load_splits(training, poll):
  config, mesh = training.config, training.mesh
  sources = {'train': training.train_source,
             **{name: build_sources.build_source(config, name, poll) for name in ('valid', 'test')}}
  keys = {name: ('image', *source.truth_keys) for name, source in sources.items()}
  keys['train'] = training.loader.keys
  names = {'train': 'training split', 'valid': 'validation split', 'test': 'test split'}
  splits = {name: device_data.load(config, source, names[name], mesh, keys=keys[name], poll=poll)
            for name, source in sources.items()}
  device_data.check_readable(splits['train'], names['train'])
  return splits


class Replicas:
  """The runs of a config; see `build_replicas`.

  Attributes:
    config: the whole config.
    num_steps: of a run.
    splits: 'train', 'valid' and 'test', on the device.
    way: how replicas train together, of `side_by_side.WAYS`; 'auto' until that is decided.
  """

  def __init__(self, training: Training, splits: dict, way: str, poll: Callable[[], None],
               before: 'Replicas | None' = None):
    self.config, self.num_steps, self.splits = training.config, training.num_steps, splits
    self._training, self._poll = training, poll
    self._variables = functools.partial(programs.fresh_variables, training)
    self._start_one = functools.partial(programs.first_state, training)
    self._init = before._init if before else parallel.compile_once(training.mesh, self._variables)
    self._start = jax.jit(jax.vmap(self._start_one))
    if way == 'auto':
      way = before.way if before else FASTEST.get(jax.default_backend(), way)
    self._set_way(way)
    if before:
      self._programs.take_over(before._programs, ('predict', 'curvature'))

  def at_once(self, wanted: int) -> int:
    """How many of so many replicas train at once: as many as memory allows; with 'one' as many as
    there are devices. Compiles their program, so that `advance` need not."""
    if self.way == 'auto':
      self._pick_way(wanted)
    size, devices = self._programs.size(wanted, self._most), self._training.mesh.size
    while True:
      program = self._programs.compile(*self._train_program(1), *self._train_shapes(), size)
      room, needed = self._room(), _bytes_of(program)
      if needed <= room or size == devices:
        return min(wanted, size)
      width = size // devices
      size = self._most = max(1, min(width - 1, int(width * room / needed))) * devices

  def initial(self, seeds: Sequence[int]) -> TrainState:
    """The states of step 0, stacked: for each seed that of --job=train."""
    self.at_once(len(seeds))
    training, fresh = self._training, {}
    for seed in dict.fromkeys(seeds):
      variables = self._init(jax.random.key(int(seed)))
      if self.config.net.init_from:
        state, _ = load_initial(training, training.start_from(variables))
        variables = {'params': state.params, 'batch_stats': state.batch_stats}
      fresh[seed] = variables
    return self._start(jax.tree.map(lambda *leaves: jnp.stack(leaves),
                                    *(fresh[seed] for seed in seeds)))

  def advance(self, states: TrainState, rates: Sequence[float], seeds: Sequence[int], first: int,
              count: int) -> tuple[TrainState, dict[str, np.ndarray]]:
    """Trains on.

    A replica whose parameters are not finite any more may stand still; the others go on.

    Args:
      states: stacked, of R replicas.
      rates: [R], the peak learning rates.
      seeds: [R].
      first: steps that are finished.
      count: steps to go.

    Returns:
      (states, {'loss', 'gradient_norm', 'update_ratio', 'learning_rate': float32 [R, count]}); NaN
      where a replica stood still.
    """
    keys = jnp.stack([jax.random.key(int(seed)) for seed in seeds])
    rates, parts = jnp.asarray(rates, jnp.float32), []
    for start, stop in self._blocks(first, first + count):
      self._poll()
      each = states, rates, keys, self._rows(seeds, start, stop - start)
      shared = self.splits['train'].arrays, jnp.int32(stop - start)
      states, metrics = self._programs.run(
          *self._train_program(start + 1), each, shared, self._most)
      parts.append({key: np.asarray(value)[:, :stop - start] for key, value in metrics.items()})
    return states, {key: np.concatenate([part[key] for part in parts], axis=1) for key in parts[0]}

  def evaluate(self, variables: dict, split: str = 'valid') -> list[dict]:
    """The figures of each replica by the task's own measure.

    Args:
      variables: stacked, such as `states.variables`.
      split: 'valid', or 'test' with what was tuned on 'valid'.

    Returns:
      For each replica its figures, or {'diverged': why} where values are not finite.
    """
    outcomes = self._measure(variables, 'valid', None)
    if split != 'valid':
      outcomes = self._measure(variables, split, outcomes)
    return [outcome if isinstance(outcome, dict) else outcome.metrics for outcome in outcomes]

  def sharpness(self, states: TrainState) -> np.ndarray:
    """The largest eigenvalue of the Hessian of the training loss at `states.params`, float64 [R].

    The loss is the task's own, as a step has it and without what an optimizer adds: the statistics
    of BatchNorm are those of the batch, because that is the function whose gradient is followed
    (running statistics lag behind, most of all where a rate is high). It is taken on the same
    pictures for all replicas and times, the first of the training split, one batch, with the same
    random numbers; of so few pictures it is larger than of all, and to be compared, not quoted.
    `config.study.sharpness_steps` of Lanczos, in float32 whatever the net computes in.
    """
    batch = {key: value[:self.config.train.batch_size]
             for key, value in self.splits['train'].arrays.items()}
    diagonals, besides = self._programs.run(
        ('curvature',), programs.curvature_program(self._training),
        (states.params, states.batch_stats), batch, self._most)
    return np.array([curvature.top_of_tridiagonal(*pair) for pair in zip(
        np.asarray(diagonals), np.asarray(besides), strict=True)])

  def _set_way(self, way):
    self.way, self._most = way, 0
    self._programs = SideBySide(self._training.mesh, way)

  def _pick_way(self, wanted):
    """Times a few steps in each way and keeps the quickest; the first call is compilation."""
    seconds = {}
    for way in TRIED:
      self._set_way(way)
      number = self.at_once(wanted)
      seeds = range(number)
      states, rates = self.initial(seeds), [self.config.optimizer.learning_rate] * number
      for _ in range(2):
        start = time.monotonic()
        self.advance(states, rates, seeds, 0, min(TRIED_STEPS, self.num_steps))
        seconds[way] = (time.monotonic() - start) / number
    self._set_way(min(seconds, key=seconds.get))

  def _blocks(self, first, last):
    """Cuts steps where a program ends, or where another one takes over."""
    kind = self._training.step_kind
    while first < last:
      stop = min(first + BLOCK_STEPS, last)
      while kind(stop) != kind(first + 1):
        stop -= 1
      yield first, stop
      first = stop

  def _rows(self, seeds, first, count):
    """int32 [R, BLOCK_STEPS, batch size]: the examples of each batch, zeros beyond the count."""
    known = {seed: self._training.train_rows(first, count, int(seed))
             for seed in dict.fromkeys(seeds)}
    rows = np.zeros((len(seeds), BLOCK_STEPS, self.config.train.batch_size), np.int32)
    rows[:, :count] = np.stack([known[seed] for seed in seeds])
    return jnp.asarray(rows)

  def _train_program(self, step):
    """(name, function) of the program that holds a step, counted from 1."""
    # under vmap all replicas go on until the last has stopped
    return (('train', *self._training.step_kind(step)),
            programs.train_program(self._training, step, BLOCK_STEPS, stops=self.way != 'vmap'))

  def _train_shapes(self):
    """Shapes of what a training program is given, of one replica."""
    def each(key):
      variables = jax.tree.map(lambda leaf: leaf[None], self._variables(key))
      rows = jnp.zeros((1, BLOCK_STEPS, self.config.train.batch_size), jnp.int32)
      return jax.vmap(self._start_one)(variables), jnp.zeros(1), key[None], rows
    return jax.eval_shape(each, jax.random.key(0)), (self.splits['train'].arrays, jnp.int32(0))

  def _room(self):
    device = self._training.mesh.devices.flat[0]
    sharing = self._training.mesh.size if device.platform == 'cpu' else 1
    return SHARE * device_data.memory_left(device) / sharing

  def _measure(self, variables, name, before):
    """Outcomes of a split, or {'diverged': why}. Args: before: those of the validation split."""
    split = self.splits[name]
    predicted = jax.device_get(self._programs.run(
        ('predict', name), programs.predict_program(self._training), variables, split.arrays,
        self._most))
    number = len(jax.tree.leaves(predicted)[0])
    return [_outcome(self._training, split, jax.tree.map(lambda x, r=r: x[r], predicted),
                     before and before[r]) for r in range(number)]


class _Predicted(Evaluator):
  """Measures a split whose predictions are there already, in place of variables."""

  def predictions(self, variables, loader, poll=lambda: None, fetch=None):
    yield loader.batch, *variables


def _outcome(training, split, predicted, before):
  """The outcome of one replica, or {'diverged': why}."""
  if isinstance(before, dict):
    return before
  try:
    outcome = _Predicted(training.task, training.mesh).evaluate(
        predicted, split, before and before.thresholds)
  except Diverged as error:
    return {'diverged': str(error)}
  loss = outcome.metrics['loss']
  return outcome if math.isfinite(loss) else {'diverged': f'the loss of the split is {loss}'}


def _bytes_of(program):
  """What a compiled program takes of one device: what goes in, what comes out, what is between."""
  memory = program.memory_analysis()
  return (memory.argument_size_in_bytes + memory.output_size_in_bytes
          + memory.temp_size_in_bytes)
