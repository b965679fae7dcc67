"""What a picture costs a net with 70,000 outputs, told by its program without running it.

Part of `python -m benchmarks.scale_parts`. The arithmetic of the loss and of its gradient as XLA
counts it before anything is fused, the convolutions in the form for accelerators, computing in
bfloat16; and what the forward pass leaves for the backward pass, as JAX traces it. XLA fuses and
computes some of that again, so that memory is an upper bound. Nothing is compiled.
"""

import jax
import numpy as np

from benchmarks.scale_figures import figure
from configs import tagger
from nets import layers
from train_lib import build

ROWS = 8                          # a batch, whose figures are divided


def measure(flags) -> dict[str, dict]:
  """Figures by name. Args: flags: of `scale_parts`: nets, tags, listed, net_px."""
  return {f'{net}: {name}': value for net in flags.nets
          for name, value in describe(net, flags.tags, flags.listed, flags.net_px).items()}


def describe(net: str, tags: int, listed: int, side_px: int) -> dict[str, dict]:
  """Parameters and features of a net, and what one training picture costs.

  Args: net: a variant of nets.NETS; tags: outputs; listed: tags of a picture; side_px: of pictures.
  """
  config = tagger.get_config('board')
  config.net.name, config.net.dtype, config.data.image_size_px = net, 'bfloat16', side_px
  task = build.build_task(config, ('general',) * tags, head_bias=(0.0,) * tags)
  batch = {'image': jax.ShapeDtypeStruct((ROWS, side_px, side_px, 3), np.uint8),
           'tags': jax.ShapeDtypeStruct((ROWS, listed), np.int32),
           'mask': jax.ShapeDtypeStruct((ROWS,), np.float32)}
  key = jax.eval_shape(lambda: jax.random.key(0))
  variables = dict(jax.eval_shape(task.init, key, batch))
  params = variables.pop('params')

  def loss(params, others, batch, key):
    return task.loss({'params': params, **others}, batch, {'dropout': key, 'mixup': key})

  with layers.conv_form('plain'):
    forward, training = (jax.jit(function).lower(params, variables, batch, key).cost_analysis()
                         for function in (loss, jax.value_and_grad(loss, has_aux=True)))
    kept = jax.eval_shape(lambda params, *rest: jax.vjp(
        lambda params: loss(params, *rest), params, has_aux=True)[1],
        params, variables, batch, key)
  kept_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(kept)
                   if leaf.ndim and leaf.shape[0] == ROWS)
  return {'parameters': figure(sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 'M'),
          'features': figure(params['head']['kernel'].shape[0], 'numbers'),
          'forward': figure(forward['flops'] / ROWS / 1e9, 'GFLOP a picture'),
          'training': figure(training['flops'] / ROWS / 1e9, 'GFLOP a picture'),
          'kept for the backward pass': figure(kept_bytes / ROWS / 1e6, 'MB a picture')}
