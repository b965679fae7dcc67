"""timm's names of SE-ResNet: `seresnet*` and, with other names for the ends, `legacy_seresnet*`."""

import re

from nets.timm_names.layout import LEAVES

TIMM_NAMES = {
  f'{ours}{depth}': f'{theirs}{depth}'
  for ours, theirs in (('se_resnet', 'seresnet'), ('legacy_se_resnet', 'legacy_seresnet'))
  for depth in (18, 34, 50, 101, 152)
}

_ENDS = {'stem_conv': 'conv1', 'stem_norm': 'bn1', 'head': 'fc'}
_LEGACY_ENDS = {'stem_conv': 'layer0.conv1', 'stem_norm': 'layer0.bn1', 'head': 'last_linear'}
_INNER = {'shortcut_conv': 'downsample.0', 'shortcut_norm': 'downsample.1', 'reduce': 'fc1',
          'expand': 'fc2'}


def to_timm(variant, path):
  """Returns timm's key of a variable, such as 'layer1.0.conv1.weight'.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('stage1_block1', 'conv1', 'kernel').
  """
  legacy = variant.startswith('legacy')
  *layers, leaf = path
  names = [_to_timm_layer(layer, legacy) for layer in layers]
  return '.'.join((*names, LEAVES[leaf]))


def _to_timm_layer(name, legacy):
  if block := re.fullmatch(r'stage(\d+)_block(\d+)', name):
    return f'layer{block[1]}.{int(block[2]) - 1}'
  if name == 'squeeze_excite':
    return 'se_module' if legacy else 'se'
  ends = _LEGACY_ENDS if legacy else _ENDS
  return ends.get(name) or _INNER.get(name) or re.sub(r'^norm(\d)$', r'bn\1', name)
