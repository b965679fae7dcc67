"""How long a run takes, told from the time of one step."""

import jax

from train_lib.reporting import human_time

LONG_SEC = 3600.0                 # on a CPU, an estimate beyond this names a smaller run


def describe(training, done: int, step_sec: float, timed: int) -> list[str]:
  """Lines on the steps that are left, and on a smaller run where they take long on a CPU.

  Args:
    training: of `build_training`.
    done: finished steps.
    step_sec: seconds of a step.
    timed: the step, counted from 1, that took them; others are told from their pixels, but for
      those that learn from features where this one does not, or the other way round.
  """
  config = training.config
  seconds, last = step_sec * training.cost_left(done, timed), training.last_alike(timed)
  what = f'{last - done:,} steps{" left" if done else ""}'
  if last < training.num_steps:
    what = f'{last - done:,} steps until {last:,}, of the head alone'
  elif done < training.small_steps:
    what += f', {training.small_steps - done:,} of them at 1/{config.train.shrink} of the side'
  size = ('' if not training.small_steps else ' of that size' if timed <= training.small_steps
          else ' of full size')
  lines = [f'expect {human_time(seconds)} for the {what}, at '
           f'{config.train.batch_size / step_sec:.1f} pictures/s{size} on {training.mesh.size} x '
           f'{jax.devices()[0].device_kind}']
  if jax.default_backend() == 'cpu' and seconds > LONG_SEC and config.small_page:
    lines.append('this page is made for TPUs and GPUs; '
                 f'--config={config.small_page} takes minutes here')
  return lines
