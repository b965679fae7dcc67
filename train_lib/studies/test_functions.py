"""Functions of two variables on which optimizers can be watched: valleys, a saddle, noise.

Each optimizer starts at the same point with each of RATES as its constant learning rate. Of the
paths that stay in the function's box, or of all where none does, the one with the lowest end is
shown, of equal ends that of the lowest rate. The end is the mean value over the last LAST_STEPS
steps, to END_DIGITS, so that a path which jumps about is not taken for one that has arrived. The
lowest value of every function but the saddle is 0.
"""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError
from train_lib import optimizers

RATES = tuple(float(f'{10 ** power:.3g}') for power in np.arange(-12, 4) / 3)  # 1e-4 to 10
NUM_STEPS = 300
LAST_STEPS = 15
END_DIGITS = 5
NOISE = 2.0                       # standard deviation of the noisy quadratic's gradient
MOST_POINTS = 100                 # of a path that is kept
NOT_OF_VECTORS = ('muon',)        # optimizers of matrices: a point's coordinates would be Adam's


class Function(NamedTuple):
  """A function, where paths start, its lowest points, and the box (x, y) that is drawn.

  `noise` is the standard deviation of what is added to the gradient, of independent normal numbers.
  """
  value: Callable                 # float [2] -> float
  start: tuple[float, float]
  minima: tuple[tuple[float, float], ...]
  box: tuple[tuple[float, float], tuple[float, float]]
  noise: float = 0.0


def rosenbrock(p):
  """(1 - x)^2 + 100 (y - x^2)^2: a bent, flat valley. Source: Rosenbrock (1960)."""
  x, y = p
  return (1 - x) ** 2 + 100 * (y - x ** 2) ** 2


def beale(p):
  """Plateaus with steep walls. Source: Beale (1958)."""
  x, y = p
  return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y ** 2) ** 2 + (2.625 - x + x * y ** 3) ** 2


def himmelblau(p):
  """Four minima of equal depth. Source: Himmelblau (1972)."""
  x, y = p
  return (x ** 2 + y - 11) ** 2 + (x + y ** 2 - 7) ** 2


def saddle(p):
  """x^2 / 2 + y^4 / 4 - y^2 / 2: a saddle at the origin between two minima of depth -1/4."""
  x, y = p
  return x ** 2 / 2 + y ** 4 / 4 - y ** 2 / 2


def quadratic(p):
  """(x^2 + 20 y^2) / 2: a valley twenty times steeper across than along."""
  x, y = p
  return (x ** 2 + 20 * y ** 2) / 2


FUNCTIONS = {
    'rosenbrock': Function(rosenbrock, (-1.2, 1.0), ((1, 1),), ((-2, 2), (-1, 3))),
    'beale': Function(beale, (1.0, -1.5), ((3, 0.5),), ((-0.8, 4.2), (-2, 2))),
    'himmelblau': Function(
        himmelblau, (-0.5, -1.0),
        ((3, 2), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127)),
        ((-5, 5), (-5, 5))),
    'saddle': Function(saddle, (1.5, 0.001), ((0, 1), (0, -1)), ((-1.8, 1.8), (-1.6, 1.6))),
    'noisy quadratic': Function(quadratic, (-4.0, 1.5), ((0, 0),), ((-5, 2.5), (-2.2, 2.2)),
                                noise=NOISE),
}


def check_functions(names: Sequence[str]) -> None:
  """Raises UserError for a name that is none of FUNCTIONS."""
  for name in names:
    if name not in FUNCTIONS:
      raise UserError(f"study.functions names '{name}'; choices: {', '.join(FUNCTIONS)}")


def plain_section(section):
  """An `optimizer` section without schedule, warm-up, clipping, decay and penalties."""
  section = copy.deepcopy(section)
  section.update(learning_rate=1.0, schedule='constant', warmup_frac=0.0, clip_norm=0.0,
                 weight_decay=0.0, l1=0.0, l2=0.0, decayed=())
  return section


def run(name: str, section) -> dict:
  """An optimizer's best path on a function.

  Args:
    name: of FUNCTIONS.
    section: the `optimizer` section of a config; taken by `plain_section`.

  Returns:
    {'learning_rate', 'end': the mean value of its last steps, 'diverged': how many of RATES gave
    numbers that are not finite, 'path': [[x, y], ...] thinned}; None for rate and end where all of
    them did.
  """
  function, section = FUNCTIONS[name], plain_section(section)
  paths, values = (np.asarray(x) for x in _paths(function, section, jnp.asarray(RATES)))
  ends = values[:, -LAST_STEPS:].mean(axis=1)
  whole = np.isfinite(values).all(axis=1)
  ends = np.where(whole, ends.round(END_DIGITS), np.inf)
  low, high = np.transpose(function.box)
  inside = whole & ((low <= paths) & (paths <= high)).all(axis=(1, 2))
  best = int(np.where(inside, ends, np.inf).argmin() if inside.any() else ends.argmin())
  if not whole[best]:
    return {'learning_rate': None, 'end': None, 'diverged': len(RATES), 'path': []}
  kept = np.unique(np.geomspace(1, len(paths[best]), MOST_POINTS).round().astype(int)) - 1
  return {'learning_rate': RATES[best], 'end': float(ends[best]), 'diverged': int((~whole).sum()),
          'path': paths[best][kept].tolist()}


def _paths(function, section, rates):
  """Every rate's path float [R, NUM_STEPS + 1, 2], and the function along it [R, NUM_STEPS + 1]."""

  def path(rate):
    optimizer, _ = optimizers.build_optimizer(section, NUM_STEPS, learning_rate=rate)

    def step(carry, key):
      noise = function.noise * jax.random.normal(key, (2,))
      params, state = optimizers.descend(
          optimizer, lambda params: {'point': jax.grad(function.value)(params['point']) + noise},
          *carry)
      return (params, state), params['point']

    start = {'point': jnp.asarray(function.start)}
    _, points = jax.lax.scan(step, (start, optimizer.init(start)),
                             jax.random.split(jax.random.key(0), NUM_STEPS))
    points = jnp.concatenate([start['point'][None], points])
    return points, jax.vmap(function.value)(points)

  return jax.jit(jax.vmap(path))(rates)
