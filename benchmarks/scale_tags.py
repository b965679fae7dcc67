"""70,000 tags: the training step, the head by itself, the optimizer's update, what travels.

Part of `python -m benchmarks.scale_parts`. The whole step is that of
`benchmarks/loss_over_tags.py`, with 100 tags and with all of them. The head alone is the task of a
run around `build.build_head`, on drawn features: its forward and backward pass, loss and multi-hot
labels included. The update is that of configs/tagger.py:board (AdamW, a clipped norm, averaged
weights) on the head's arrays.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import loss_over_tags
from benchmarks.scale_figures import duration, figure, seconds_of
from configs import tagger
from train_lib import build, optimizers
from train_lib.tasks.tagging import multi_hot_on_host

MIB = 2**20
FEW_TAGS = 100


def measure(flags) -> dict[str, dict]:
  """Figures by name. Args: flags: of `scale_parts`: tags, batch, listed, net, size_px, repeats."""
  return {**_steps(flags), **_head(flags)}


def _steps(flags):
  """The whole training step, and what of it grows with the tags."""
  arguments = loss_over_tags.read_flags([
      f'--net={flags.net}', f'--batch={flags.batch}', f'--size_px={flags.size_px}',
      f'--listed={flags.listed}', f'--repeats={flags.repeats}'])
  cases = {tags: loss_over_tags.Case(tags, arguments) for tags in (FEW_TAGS, flags.tags)}
  for _ in range(1 + flags.repeats):
    for case in cases.values():
      case.run_once()
  many, found = cases[flags.tags], {}
  for tags, case in cases.items():
    found[f'step with {tags:,} tags'] = duration(case.seconds['step'][1:])
    found[f'step with {tags:,} tags: temporary memory'] = figure(
        case.step.memory_analysis().temp_size_in_bytes / MIB, 'MiB')
  found['focal loss from logits, forward and backward'] = duration(many.seconds['loss'][1:])
  found['focal loss: temporary memory'] = figure(
      many.loss.memory_analysis().temp_size_in_bytes / MIB, 'MiB')
  found['multi-hot labels on the device'] = duration(many.seconds['multi-hot'][1:])
  tags = np.asarray(many.batch['tags'])
  found['tags of a batch as they travel'] = figure(tags.nbytes / 1024, 'KiB')
  found['tags of a batch as bool'] = figure(
      multi_hot_on_host(tags, flags.tags).nbytes / 1024, 'KiB')
  return found


def board_task(flags):
  """(the task of configs/tagger.py:board with so many tags, its config)."""
  config = tagger.get_config('board')
  config.net.name = flags.net
  bias = tuple(np.linspace(-10, -3, flags.tags).tolist())
  return build.build_task(config, ('general',) * flags.tags, head_bias=bias), config


def head_task(task):
  """The same task around the head alone: to it features are pictures of one pixel."""
  return dataclasses.replace(task, net=build.build_head(task.net), mean=(0.0,), deviation=(1.0,))


def feature_size(task, size_px: int) -> int:
  """How many features the net's head gets."""
  picture = {'image': jax.ShapeDtypeStruct((1, size_px, size_px, 3), np.uint8)}
  params = jax.eval_shape(task.init, jax.random.key(0), picture)['params']
  return params['head']['kernel'].shape[0]


def _head(flags):
  task, config = board_task(flags)
  size = feature_size(task, flags.size_px)
  head, rng = head_task(task), np.random.default_rng(0)
  batch = jax.device_put({
      'image': rng.normal(size=(flags.batch, 1, 1, size)).astype(np.float32),
      'tags': rng.integers(0, flags.tags, (flags.batch, flags.listed)).astype(np.int32),
      'mask': np.ones(flags.batch, np.float32)})
  key = jax.random.key(0)
  params = head.init(key, batch)['params']
  backward = jax.jit(jax.grad(
      lambda params, batch: head.loss({'params': params}, batch, {'dropout': key, 'mixup': key})[0]
  )).lower(params, batch).compile()
  grads = backward(params, batch)
  return {'head and loss, forward and backward': duration(seconds_of(
              lambda: jax.block_until_ready(backward(params, batch)), flags.repeats)),
          'head and loss: temporary memory': figure(
              backward.memory_analysis().temp_size_in_bytes / MIB, 'MiB'),
          'parameters of the head': figure(
              sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 'M'),
          "optimizer's update of the head": duration(
              _update_seconds(config, params, grads, flags.repeats))}


def _update_seconds(config, params, grads, repeats):
  """The update, and the average of the weights, as `train_lib.step` has them."""
  optimizer, _ = optimizers.build_optimizer(config.optimizer, num_steps=1_000)
  decay = config.train.ema_decay

  def update(params, opt_state, ema, grads):
    updates, opt_state = optimizer.update(grads, opt_state, params)
    params = optax.apply_updates(params, updates)
    return params, opt_state, jax.tree.map(
        lambda old, new: decay * old + (1 - decay) * new, ema, params)

  held = [(jax.tree.map(jnp.copy, params), optimizer.init(params), jax.tree.map(jnp.copy, params))]
  program = jax.jit(update, donate_argnums=(0, 1, 2))

  def run():
    held[0] = jax.block_until_ready(program(*held[0], grads))

  return seconds_of(run, repeats)
