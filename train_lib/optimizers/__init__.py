"""Optimizers by name; a row takes a learning rate (or schedule) and the config section."""

import optax

from errors import UserError
from train_lib.optimizers.chain import decay_mask, gradient_chain
from train_lib.optimizers.schedules import build_schedule

OPTIMIZERS = {
    'sgd': lambda lr, c: optax.sgd(lr),
    'momentum': lambda lr, c: optax.sgd(lr, momentum=c.momentum),
    'nesterov': lambda lr, c: optax.sgd(lr, momentum=c.momentum, nesterov=True),
    'adagrad': lambda lr, c: optax.adagrad(lr, initial_accumulator_value=0.0, eps=c.epsilon),
    'rmsprop': lambda lr, c: optax.rmsprop(lr, decay=c.decay, eps=c.epsilon),
    'adam': lambda lr, c: optax.adam(lr, b1=c.beta1, b2=c.beta2, eps=c.epsilon),
    'adamw': lambda lr, c: optax.adamw(lr, b1=c.beta1, b2=c.beta2, eps=c.epsilon,
                                       weight_decay=c.weight_decay, mask=decay_mask),
}
DECOUPLED = ('adamw',)            # these take the decay themselves


def build_optimizer(config, num_steps: int, arrange=lambda make: make(0)):
  """Returns (optax transformation, schedule: step -> learning rate).

  Args:
    config: the `optimizer` section.
    num_steps: length of the run, which the schedule and its warm-up are fractions of.
    arrange: (make) -> transformation, where make(before) is the optimizer of parameters that begin
      to learn after so many steps; `freezing.Plan.optimizer` gives parts of a net one each.
  """
  if config.name not in OPTIMIZERS:
    raise UserError(f"optimizer.name '{config.name}' is unknown; choices: {', '.join(OPTIMIZERS)}")
  schedule = build_schedule(config, num_steps)
  inner = arrange(
      lambda before: OPTIMIZERS[config.name](lambda count: schedule(count + before), config))
  return gradient_chain(inner, config, coupled_decay=config.name not in DECOUPLED), schedule
