"""Replicas that need no net: curves whose height is a known function of the learning rate."""

import numpy as np

BEST = {'sgd': 0.3, 'momentum': 0.03, 'nesterov': 0.03, 'adagrad': 0.03, 'rmsprop': 0.003,
        'adam': 0.003}
TOO_HIGH = 30.0                   # times the best rate: the loss is no number any more
LAST_LOSS = 3                     # steps that such a run still has a loss in


class States:
  """What a fake replica remembers of its training: how many steps were done."""

  def __init__(self, rates, seeds, steps):
    self.rates, self.seeds, self.steps = rates, seeds, steps

  @property
  def variables(self):
    return self


class FakeReplicas:
  """The interface of `train_lib.studies.replicas`, for a row's config."""

  def __init__(self, config, most_at_once):
    self.num_steps, self.way = config.train.num_steps, 'vmap'
    self._best, self._most = BEST[config.optimizer.name], most_at_once

  def at_once(self, wanted):
    return min(wanted, self._most)

  def initial(self, seeds):
    return States(None, np.asarray(seeds), 0)

  def advance(self, states, rates, seeds, first, count):
    assert states.steps == first and list(states.seeds) == list(seeds)
    steps = first + 1 + np.arange(count)
    broken = (np.asarray(rates) > TOO_HIGH * self._best)[:, None] & (steps > LAST_LOSS)
    loss = np.where(broken, np.nan, 5 / np.sqrt(steps) + 0 * np.asarray(rates)[:, None])
    return States(np.asarray(rates), states.seeds, first + count), {
        'loss': loss, 'gradient_norm': 2 * loss, 'update_ratio': loss * np.asarray(rates)[:, None]}

  def evaluate(self, variables, split='valid'):
    return [self._figures(rate, seed, variables.steps, split)
            for rate, seed in zip(variables.rates, variables.seeds, strict=True)]

  def sharpness(self, states):
    return 2 / states.rates

  def _figures(self, rate, seed, steps, split):
    if rate > TOO_HIGH * self._best and steps > LAST_LOSS:
      return {'diverged': 'the net gives values that are not numbers'}
    height = 0.6 - 0.1 * np.log(rate / self._best) ** 2 + 0.01 * seed - 0.02 * (split == 'test')
    value = float(max(height, 0.05) * (1 - np.exp(-steps / 6)))
    return {'macro_f1_tuned': value, 'map': 0.9 * value, 'loss': 8 - 10 * value}


def fake_builder(most_at_once=100, calls=None):
  """Stands in for `replicas.build_replicas`. Args: calls: a list that notes each row's config."""
  def build_replicas(config, poll, before=None):
    poll()
    if calls is not None:
      calls.append(config)
    return FakeReplicas(config, most_at_once)
  return build_replicas
