"""Training parts of a net by the names of their parameters: frozen, frozen at first, or slower.

A pattern is a shell pattern (`stage1*`, `stage[12]_*`, `*/bias`) or, after `re:`, a regular
expression, and fits a parameter when it fits its whole name, `stage1_block1/conv1/kernel`, or the
whole name of a module around it, `stage1_block1`. A `!` in front takes back what earlier patterns
have chosen: `('*', '!head')` is everything but the head.

A frozen parameter is never updated and gets no gradient. A module whose parameters are all frozen
also runs in inference mode, whatever `train` says: BatchNorm uses its running statistics and leaves
them as they are, dropout and drop paths let everything through. A module without parameters goes by
the module around it, so that the dropout in front of a trained head stays on. Linen's interceptors
see every call with the module's path; no net has a flag for this.
"""

import dataclasses
import difflib
import fnmatch
import math
import re
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from errors import UserError
from train_lib.trees import flatten_names

FREEZE, FREEZE_FIRST, FACTORS = 'train.freeze', 'train.freeze_first', 'optimizer.lr_factors'
HEAD = 'head/'                    # the module that gives a net its outputs, in every net
INFERENCE = {'use_running_average': True, 'deterministic': True}  # fields of Linen's modules


# Names ------------------------------------------------------------------------------------------


def select(patterns: tuple[str, ...], names, *, what: str) -> frozenset[str]:
  """Returns the names of parameters that patterns choose; later ones decide.

  Args:
    patterns: see above; () chooses nothing.
    names: of all parameters, such as 'stage1_block1/conv1/kernel'.
    what: the config key that the patterns come from, for the message.

  Raises:
    UserError: when a pattern is no text, fits no name, is no regular expression, or takes back what
      no earlier one has chosen.
  """
  chosen = set()
  for pattern in patterns:
    if not isinstance(pattern, str):
      raise UserError(f"{what}: {pattern!r} is no pattern; expected text, such as 'stage1*'.")
    fitting = _fitting(pattern, names, what)
    if not pattern.startswith('!'):
      chosen |= fitting
    elif not chosen & fitting:
      raise UserError(f"{what}: '{pattern}' takes back what no pattern before it has chosen; "
                      f"everything else is ('*', '{pattern}').")
    else:
      chosen -= fitting
  return frozenset(chosen)


def _fitting(pattern, names, what):
  bare = pattern.removeprefix('!')
  try:
    expression = re.compile(bare[3:] if bare.startswith('re:') else fnmatch.translate(bare))
  except re.error as error:
    raise UserError(f"{what}: '{pattern}' is no regular expression: {error}.") from error
  fitting = {name for name in names if any(expression.fullmatch(part) for part in _parts(name))}
  if not fitting:
    raise UserError(f"{what}: '{pattern}' fits no parameter; {_close(bare, names)}.")
  return fitting


def _parts(name):
  """'a/b/c' -> 'a', 'a/b', 'a/b/c'."""
  steps = name.split('/')
  return ['/'.join(steps[:end]) for end in range(1, len(steps) + 1)]


def _close(pattern, names):
  known = list(dict.fromkeys(part for name in names for part in _parts(name)))
  close = difflib.get_close_matches(pattern.removeprefix('re:'), known, n=3, cutoff=0.4)
  if close:
    return f'close to it are {", ".join(close)}'
  modules = list(dict.fromkeys(name.split('/')[0] for name in names))
  more = ', ...' if len(modules) > 8 else ''
  return f'the outermost modules are {", ".join(modules[:8])}{more}'


# Frozen parts of a net --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class FrozenNet:
  """A net whose frozen parts do not learn; stands in for `net` in a task.

  Attributes:
    net: a Linen module.
    frozen: names of parameters, of `select`.
  """
  net: Any
  frozen: frozenset[str]

  def init(self, *args, **options):
    """As the net's."""
    return self.net.init(*args, **options)

  def apply(self, variables, *args, **options):
    """As the net's, with frozen parts in inference mode and without gradients."""
    params = stop_gradients(variables['params'], self.frozen)
    with nn.intercept_methods(_make_interceptor(variables['params'], self.frozen)):
      return self.net.apply({**variables, 'params': params}, *args, **options)


def stop_gradients(params, frozen: frozenset[str]):
  """Returns the same values; those of frozen parameters have no gradient (it is zero)."""
  return _map_names(lambda name, leaf: jax.lax.stop_gradient(leaf) if name in frozen else leaf,
                    params)


def _make_interceptor(params, frozen):
  """Returns a Linen interceptor that calls modules of frozen parts in inference mode."""
  whole = {}  # path of a module -> whether all parameters in it are frozen
  for name in flatten_names(params):
    for part in ['', *_parts(name)[:-1]]:
      whole[part] = whole.get(part, True) and name in frozen

  def is_frozen(path):
    while path not in whole:  # without parameters: as the module around it
      path = path.rpartition('/')[0]
    return whole[path]

  alone = []  # the module that is applied by itself, whose inner calls are not ours to judge

  def intercept(call, args, kwargs, context):
    module = context.module
    modes = {key: mode for key, mode in INFERENCE.items() if hasattr(module, key)}
    if alone or not modes or context.method_name != '__call__' or not is_frozen(
        '/'.join(module.path)):
      return call(*args, **kwargs)
    kwargs = {key: value for key, value in kwargs.items() if key not in modes}
    alone.append(module)
    try:
      return module.clone(parent=None, name=None, **modes).apply(module.variables, *args, **kwargs)
    finally:
      alone.pop()

  return intercept


def _map_names(function, tree):
  """Applies function(name, leaf) to the leaves of a tree of parameters."""
  return jax.tree.unflatten(
      jax.tree.structure(tree), [function(*pair) for pair in flatten_names(tree).items()])


# What trains when, and how fast -----------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Plan:
  """Which parameters are frozen in a run, in its first part, and how fast the others learn.

  A jitted step has one set of frozen parts, so a run with a first part has two step functions; the
  state that they take and give has one form.

  Attributes:
    frozen: names that never learn; they have no optimizer state.
    frozen_first: names that learn only from step `first_steps` + 1 on.
    first_steps: length of the first part; 0 where `frozen_first` is empty.
    factors: {name: what its updates are multiplied by}, where it is not 1.
  """
  frozen: frozenset[str]
  frozen_first: frozenset[str]
  first_steps: int
  factors: dict[str, float]

  def head_steps(self, names, num_steps: int) -> int:
    """How many steps, from the first on, train the head alone. Args: names: of all parameters."""
    trunk = {name for name in names if not name.startswith(HEAD)}
    if trunk <= self.frozen:
      return num_steps
    return min(self.first_steps, num_steps) if trunk <= self.frozen | self.frozen_first else 0

  def is_first(self, step: int) -> bool:
    """Whether a step, counted from 1, belongs to the first part."""
    return step <= self.first_steps

  def net(self, net, *, first: bool):
    """Returns the net that a step of the first part, or of the rest, trains."""
    frozen = self.frozen | self.frozen_first if first else self.frozen
    return FrozenNet(net, frozen) if frozen else net

  def optimizer(self, make: Callable, *, first: bool):
    """Returns the optax transformation for steps of the first part, or of the rest.

    Parameters that begin to learn later have an optimizer of their own, which has counted no step
    until then: moments that are zero are not taken for averages of a long past.

    Args:
      make: (steps before) -> transformation; a learning rate that depends on the step must add
        `steps before` to what the transformation has counted.
    """
    whole = make(0)
    if self.frozen or self.frozen_first:
      later = make(self.first_steps)
      parts = {'always': whole, 'later': _paused(later) if first else later,
               'never': optax.set_to_zero()}
      whole = optax.partition(parts, lambda params: _map_names(
          lambda name, _: self._part(name), params))
    return optax.chain(whole, scale_by_name(self.factors)) if self.factors else whole

  def _part(self, name):
    if name in self.frozen:
      return 'never'
    return 'later' if name in self.frozen_first else 'always'


def plan_of_config(config, num_steps: int, params) -> Plan:
  """The plan of a whole config. Args: params: the net's, arrays or shapes. As `build_plan` else."""
  return build_plan(
      params, freeze=config.train.freeze, freeze_first=config.train.freeze_first,
      first_steps=round(config.train.freeze_first_frac * num_steps),
      factors=config.optimizer.lr_factors)


def build_plan(params, *, freeze: tuple[str, ...], freeze_first: tuple[str, ...], first_steps: int,
               factors: tuple[tuple[str, float], ...]) -> Plan:
  """Reads the patterns of a config.

  Args:
    params: the net's, arrays or shapes.
    freeze: patterns of what never learns.
    freeze_first: patterns of what is also frozen in the first steps.
    first_steps: how many these are; 0 for none.
    factors: (pattern, factor) pairs; of several that fit a parameter the last one counts.

  Raises:
    UserError: when a pattern fits nothing, nothing is left to train, `freeze_first` and
      `first_steps` do not come together, or a factor is negative or not finite.
  """
  names = list(flatten_names(params))
  frozen = select(freeze, names, what=FREEZE)
  first = select(freeze_first, names, what=FREEZE_FIRST) - frozen
  for key, part in ((FREEZE, frozen), (FREEZE_FIRST, frozen | first)):
    if part == set(names):
      raise UserError(f"{key} freezes every parameter; leave some, as ('*', '!head') does.")
  if freeze_first and not first_steps:
    raise UserError(f'{FREEZE_FIRST} is {freeze_first!r}, and {FREEZE_FIRST}_frac makes the first '
                    'part of the run 0 steps long; set a larger share.')
  if first_steps and not freeze_first:
    raise UserError(f'{FREEZE_FIRST}_frac is set and {FREEZE_FIRST} names nothing; set both, or '
                    'neither.')
  scales = {}
  for pair in factors:
    if not (isinstance(pair, tuple) and len(pair) == 2
            and isinstance(pair[1], (int, float)) and 0 <= pair[1] < math.inf):
      raise UserError(f"{FACTORS}: {pair!r} is no pair of a pattern and a factor of at least 0; "
                      "expected (('stage1*', 0.1), ...).")
    pattern, factor = pair
    scales |= dict.fromkeys(select((pattern,), names, what=FACTORS), float(factor))
  return Plan(frozen, first, first_steps if first else 0,
              {name: factor for name, factor in scales.items() if factor != 1})


def scale_by_name(factors: dict[str, float]) -> optax.GradientTransformation:
  """Multiplies updates by the factors of their parameters; to stand after an optimizer.

  After it, because most optimizers undo a factor on the gradient.
  """
  return optax.stateless(lambda updates, params: _map_names(
      lambda name, leaf: leaf * jnp.asarray(factors.get(name, 1.0), leaf.dtype), updates))


def _paused(transformation):
  """The same state, which stays as it is; the updates are zero."""
  def update(updates, state, params=None, **extra):
    del params, extra
    return jax.tree.map(jnp.zeros_like, updates), state
  return optax.GradientTransformationExtraArgs(transformation.init, update)


def describe_plan(plan: Plan, params) -> list[str]:
  """Returns a line for each part of a plan that is not empty, for the log."""
  sizes = {name: math.prod(leaf.shape) for name, leaf in flatten_names(params).items()}
  lines = []
  for names, text in ((plan.frozen, 'frozen'),
                      (plan.frozen_first, f'frozen for the first {plan.first_steps} steps')):
    if names:
      size = sum(sizes[name] for name in names)
      lines.append(f'{text}: {len(names)} of {len(sizes)} arrays of parameters, '
                   f'{size:,} of {sum(sizes.values()):,} values')
  if plan.factors:
    values = ', '.join(f'{factor:g}' for factor in sorted(set(plan.factors.values())))
    lines.append(f'learning rate times {values}: {len(plan.factors)} arrays')
  return lines
