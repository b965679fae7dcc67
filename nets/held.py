"""Values that are computed once, where XLA's CPU backend would compute them again at each use.

That backend fuses what is element-wise into whatever reads it, even where the value is there
already for a convolution. So in a chain of residual blocks every block's output is worked out from
the first one's again, and once more for each gradient: the longer the chain, the slower each block.
A call that it does not look into ends this; values and gradients stay what they are.

It costs a copy, so it stands where it gained: HRNet-W32, whose branches add to each other, trains
2.9 times as fast, and ConvNeXt gains. SE-ResNet and EfficientNet, whose gates cut the chain, lost a
tenth of their inference, ViT nothing either way.
"""

import jax
from jax.experimental.xla_metadata import set_xla_metadata

from nets.conv import get_conv_form


def hold(x):
  """Returns `x`, any array; on a CPU neither it nor its gradient is computed more than once.

  Does nothing in the form 'plain' of `nets.conv.conv_form`.
  """
  return _hold(x) if get_conv_form() == 'canonical' else x


@jax.jit
def _same(x):
  return x


def _held(x):
  with set_xla_metadata(inlineable='false'):
    return _same(x)


_hold = jax.custom_vjp(_held)
_hold.defvjp(lambda x: (_held(x), None), lambda _, grad: (_held(grad),))
