"""Optimizers by name: a direction from the gradient, times a learning rate that may be traced.

`docs/optimizers.md` has every formula, and where other libraries define them otherwise.
"""

import optax

from errors import UserError
from train_lib.optimizers.adagrad import scale_by_root_of_sum
from train_lib.optimizers.chain import check_patterns, decay_mask, gradient_chain
from train_lib.optimizers.muon import muon
from train_lib.optimizers.schedule_free import average_iterates, gradient_point
from train_lib.optimizers.schedules import build_share
from train_lib.optimizers.sharpness_aware import sharpness_aware

__all__ = ('DECOUPLED', 'OPTIMIZERS', 'build_optimizer', 'check_patterns', 'descend',
           'gradient_point')

# Name -> (config section) -> the transformation of a gradient into a direction, to be gone against.
OPTIMIZERS = {
    'sgd': lambda c: optax.identity(),
    'momentum': lambda c: optax.trace(c.momentum),
    'nesterov': lambda c: optax.trace(c.momentum, nesterov=True),
    'adagrad': lambda c: scale_by_root_of_sum(c.epsilon),
    'rmsprop': lambda c: optax.scale_by_rms(c.decay, c.epsilon, eps_in_sqrt=False),
    'adam': lambda c: optax.scale_by_adam(c.beta1, _beta2(c), c.epsilon),
    'adamw': lambda c: optax.scale_by_adam(c.beta1, _beta2(c), c.epsilon),
    'nadam': lambda c: optax.scale_by_adam(c.beta1, _beta2(c), c.epsilon, nesterov=True),
    'lamb': lambda c: optax.chain(
        optax.scale_by_adam(c.beta1, _beta2(c), c.epsilon),
        optax.add_decayed_weights(c.weight_decay, decay_mask(c.decayed)),
        optax.scale_by_trust_ratio()),
    'lion': lambda c: optax.scale_by_lion(c.beta1, _beta2(c, own=0.99)),
    'adafactor': lambda c: optax.chain(optax.adafactor(), optax.scale(-1.0)),
    'muon': lambda c: muon(c.beta1, _beta2(c), c.epsilon),
    'schedule_free': lambda c: optax.scale_by_rms(
        _beta2(c), c.epsilon, eps_in_sqrt=False, bias_correction=True),
}
DECOUPLED = ('adamw', 'lion', 'adafactor', 'muon', 'schedule_free')  # learning rate times decay
DECAY_INSIDE = ('lamb',)                                 # its decay is part of the direction


def build_optimizer(config, num_steps: int, arrange=lambda make: make(0), learning_rate=None):
  """Returns (optax transformation, schedule: step -> learning rate).

  From the inside: direction, decoupled decay, learning rate; then what is done to the gradient of
  the loss, clipping and penalties; then the average of `schedule_free`; then SAM. An update of SAM
  needs `gradient_at_offset=`, and `schedule_free` a gradient taken at `gradient_point(params,
  state)`; `make_train_step` and `descend` see to both, and the others do not mind.

  Args:
    config: the `optimizer` section.
    num_steps: length of the run, which the schedule and its warm-up are fractions of.
    arrange: (make) -> transformation, where make(before) is the optimizer of parameters that begin
      to learn after so many steps; `freezing.Plan.optimizer` gives parts of a net one each.
    learning_rate: the peak; may be traced, so that runs that differ in it share a program. None:
      the config's.
  """
  if config.name not in OPTIMIZERS:
    raise UserError(f"optimizer.name '{config.name}' is unknown; choices: {', '.join(OPTIMIZERS)}")
  peak = config.learning_rate if learning_rate is None else learning_rate
  share = build_share(config, num_steps)

  def make(before: int):
    parts = [OPTIMIZERS[config.name](config)]
    if config.name in DECOUPLED:
      parts.append(optax.add_decayed_weights(config.weight_decay, decay_mask(config.decayed)))
    return optax.chain(
        *parts, optax.scale_by_learning_rate(lambda count: peak * share(count + before)))

  optimizer = gradient_chain(
      arrange(make), config, coupled_decay=config.name not in (*DECOUPLED, *DECAY_INSIDE))
  if config.name == 'schedule_free':
    optimizer = average_iterates(optimizer, share, config.beta1)
  if config.sam_rho > 0:
    optimizer = sharpness_aware(
        optimizer, share, rho=config.sam_rho, alpha=config.gsam_alpha,
        rho_min=config.sam_rho if config.sam_rho_min < 0 else config.sam_rho_min)
  return optimizer, lambda step: peak * share(step)


def descend(optimizer, gradient, params, opt_state):
  """One step of any optimizer here on a plain function; returns (params, opt_state).

  Args: gradient: (params) -> tree like params; SAM calls it twice.
  """
  point = gradient_point(params, opt_state)
  updates, opt_state = optax.with_extra_args_support(optimizer).update(
      gradient(point), opt_state, params,
      gradient_at_offset=lambda offset: gradient(optax.apply_updates(point, offset)))
  return optax.apply_updates(params, updates), opt_state


def _beta2(config, own: float = 0.999):
  return own if config.beta2 < 0 else config.beta2
