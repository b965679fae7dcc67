"""timm's names of ConvNeXt."""

import re

from nets.timm_names.layout import LEAVES

TIMM_NAMES = {f'convnext_{size}': f'convnext_{size}' for size in ('tiny', 'small', 'base')}

_ENDS = {'stem_conv': 'stem.0', 'stem_norm': 'stem.1', 'features_norm': 'head.norm',
         'head': 'head.fc'}
_INNER = {'depthwise_conv': 'conv_dw', 'norm': 'norm', 'expand': 'mlp.fc1', 'project': 'mlp.fc2'}
_DOWN = {'norm': 'downsample.0', 'conv': 'downsample.1'}


def to_timm(variant, path):
  """Returns timm's key of a variable, such as 'stages.0.blocks.0.conv_dw.weight'.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('stage1_block1', 'depthwise_conv', 'kernel').
  """
  del variant
  *modules, leaf = path
  if down := re.fullmatch(r'stage(\d)_down_(\w+)', modules[0]):
    return f'stages.{int(down[1]) - 1}.{_DOWN[down[2]]}.{LEAVES[leaf]}'
  if block := re.fullmatch(r'stage(\d)_block(\d+)', modules[0]):
    place = f'stages.{int(block[1]) - 1}.blocks.{int(block[2]) - 1}'
    if leaf == 'gamma':  # of the layer scale, a parameter of the block itself there
      return f'{place}.gamma'
    return f'{place}.{_INNER[modules[1]]}.{LEAVES[leaf]}'
  return f'{_ENDS[modules[0]]}.{LEAVES[leaf]}'
