"""timm's names of EfficientNet, the same in both forms."""

import re

from nets.timm_names.layout import LEAVES

TIMM_NAMES = {f'{form}efficientnet_b{size}': f'{form}efficientnet_b{size}'
              for form in ('', 'tf_') for size in range(8)}

_ENDS = {'stem_conv': 'conv_stem', 'stem_norm': 'bn1', 'top_conv': 'conv_head', 'top_norm': 'bn2',
         'head': 'classifier'}
_INNER = {
  'expand_conv': 'conv_pw', 'expand_norm': 'bn1', 'depthwise_conv': 'conv_dw',
  'depthwise_norm': 'bn2', 'squeeze_excite/reduce': 'se.conv_reduce',
  'squeeze_excite/expand': 'se.conv_expand', 'project_conv': 'conv_pwl', 'project_norm': 'bn3'}
_WITHOUT_EXPANSION = {  # the first group's blocks begin with the depthwise convolution
  **_INNER, 'depthwise_norm': 'bn1', 'project_conv': 'conv_pw', 'project_norm': 'bn2'}


def to_timm(variant, path):
  """Returns timm's key of a variable, such as 'blocks.1.0.conv_dw.weight'.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('group2_block1', 'depthwise_conv', 'kernel').
  """
  del variant
  *modules, leaf = path
  if block := re.fullmatch(r'group(\d)_block(\d+)', modules[0]):
    group, index = int(block[1]), int(block[2])
    inner = _WITHOUT_EXPANSION if group == 1 else _INNER
    return f'blocks.{group - 1}.{index - 1}.{inner["/".join(modules[1:])]}.{LEAVES[leaf]}'
  return f'{_ENDS[modules[0]]}.{LEAVES[leaf]}'
