"""The learning rate as a function of the step."""

import optax

from errors import UserError

SCHEDULES = {
    'constant': lambda peak, steps: optax.constant_schedule(peak),
    'linear': lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    'cosine': lambda peak, steps: optax.cosine_decay_schedule(peak, steps),
}


def build_schedule(config, num_steps: int):
  """Linear warm-up from zero over `warmup_frac` of the run, then the named decay to its end."""
  if config.schedule not in SCHEDULES:
    raise UserError(
        f"optimizer.schedule '{config.schedule}' is unknown; choices: {', '.join(SCHEDULES)}")
  if not 0 <= config.warmup_frac < 1:
    raise UserError(f'optimizer.warmup_frac is {config.warmup_frac}; expected 0 up to below 1')
  warmup_steps = round(config.warmup_frac * num_steps)
  decay = SCHEDULES[config.schedule](config.learning_rate, max(1, num_steps - warmup_steps + 1))
  if not warmup_steps:
    return decay
  warmup = optax.linear_schedule(0.0, config.learning_rate, warmup_steps)
  # one step ahead: the first already learns, and so does the last
  return lambda step: optax.join_schedules([warmup, decay], [warmup_steps])(step + 1)
