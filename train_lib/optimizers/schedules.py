"""The learning rate as a function of the step: a share of its peak, 0 to 1."""

import jax.numpy as jnp
import numpy as np
import optax

from errors import UserError

# Name -> (config section, steps after the warm-up) -> (step) -> share of the peak.
SCHEDULES = {
    'constant': lambda c, steps: optax.constant_schedule(1.0),
    'linear': lambda c, steps: optax.linear_schedule(1.0, 0.0, steps + 1),
    'cosine': lambda c, steps: optax.cosine_decay_schedule(1.0, steps + 1),
    'step': lambda c, steps: _step(c.step_at, c.step_factor, steps),
    'one_cycle': None,            # has its own rise, see `build_share`
}


def build_share(config, num_steps: int):
  """The share of the peak learning rate at each step, counted from 0.

  A linear warm-up over `warmup_frac` of the run, then the named decay to the run's end: linear and
  cosine to zero, which the step after the last one would have, and without a warm-up the second
  after it; step, by `step_factor` after each of the shares `step_at` of what follows the warm-up,
  and with one a step earlier. Of `one_cycle`, the warm-up's share is the
  rise, along a cosine from 1/25 to 1, and the fall goes on to 1/250,000 (Smith, Topin,
  Super-Convergence, 2018, arXiv 1708.07120; momentum stays as it is).

  Raises:
    UserError: for what is no schedule.
  """
  _check(config)
  if config.schedule == 'one_cycle':
    return optax.cosine_onecycle_schedule(num_steps, 1.0, pct_start=config.warmup_frac)
  warmup_steps = round(config.warmup_frac * num_steps)
  decay = SCHEDULES[config.schedule](config, max(0, num_steps - warmup_steps))
  if not warmup_steps:
    return decay
  warmup = optax.linear_schedule(0.0, 1.0, warmup_steps)
  # one step ahead: the first already learns, and so does the last
  return lambda step: optax.join_schedules([warmup, decay], [warmup_steps])(step + 1)


def _step(shares, factor: float, steps: int):
  bounds = np.array([round(share * steps) for share in shares], np.int32)
  return lambda step: jnp.power(factor, jnp.sum(step >= bounds))


def _check(config) -> None:
  if config.schedule not in SCHEDULES:
    raise UserError(
        f"optimizer.schedule '{config.schedule}' is unknown; choices: {', '.join(SCHEDULES)}")
  if not 0 <= config.warmup_frac < 1:
    raise UserError(f'optimizer.warmup_frac is {config.warmup_frac}; expected 0 up to below 1')
  if config.schedule == 'one_cycle' and not config.warmup_frac:
    raise UserError('optimizer.warmup_frac is 0; of the schedule one_cycle it is the share of the '
                    'rise, for instance 0.3')
  if not all(0 < share < 1 for share in config.step_at) or not 0 < config.step_factor <= 1:
    raise UserError(f'optimizer.step_at is {config.step_at} and optimizer.step_factor '
                    f'{config.step_factor}; expected shares, between 0 and 1, of the run '
                    'after its warm-up, and a factor above 0, up to 1')
