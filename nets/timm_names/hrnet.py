"""timm's names of HRNet, which for the trunk are the authors' own: their pose nets fit too."""

import re

from nets.timm_names.layout import LEAVES

_TRUNKS = ('hrnet_w18_small', 'hrnet_w32', 'hrnet_w48')
TIMM_NAMES = {trunk: trunk for trunk in _TRUNKS}
PARTS = {f'{trunk}_backbone': trunk for trunk in _TRUNKS}  # timm's net with features_only
_STEMS = {'conv': 'conv', 'norm': 'bn'}  # 'stem2/norm' is bn2
_IN_SEQUENCE = {'conv': 0, 'norm': 1, 'shortcut_conv': 0, 'shortcut_norm': 1}


def to_timm(variant, path):
  """Returns timm's key of a variable, such as 'layer1.0.conv1.weight'.

  A pose net, which timm does not have, calls its head `final_layer`, as its authors do.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('stage1_block1', 'conv1', 'kernel').
  """
  *modules, leaf = path
  if modules == ['head']:
    module = 'final_layer' if variant.endswith('_pose') else 'classifier'
  else:
    module = _to_timm_module('/'.join(modules))
  return f'{module}.{LEAVES[leaf]}'


def _to_timm_module(name):
  for pattern, function in _RULES:
    match = re.fullmatch(pattern, name)
    if match:
      return function(*match.groups())
  raise KeyError(f'HRNet has no variables in {name!r}.')


def _block(kind):
  """'conv1' -> 'conv1', 'norm1' -> 'bn1', 'shortcut_norm' -> 'downsample.1'."""
  if kind in _IN_SEQUENCE:
    return f'downsample.{_IN_SEQUENCE[kind]}'
  return kind.replace('norm', 'bn')


def _transition(stage, branch, kind):
  new = '' if branch == '1' else '.0'  # a branch that did not exist is a list of one step
  return f'transition{stage}.{int(branch) - 1}{new}.{_IN_SEQUENCE[kind]}'


def _fuse(stage, module, source, target, step, kind):
  step = f'.{int(step) - 1}' if step else ''
  return (f'stage{stage}.{int(module) - 1}.fuse_layers.{int(target) - 1}.{int(source) - 1}'
          f'{step}.{_IN_SEQUENCE[kind]}')


_RULES = (
  (r'stem(\d)/(\w+)', lambda number, kind: f'{_STEMS[kind]}{number}'),
  (r'stage1_block(\d)/(\w+)', lambda block, kind: f'layer1.{int(block) - 1}.{_block(kind)}'),
  (r'transition(\d)_branch(\d)/(\w+)', _transition),
  (r'stage(\d)_module(\d)/branch(\d)_block(\d)/(\w+)',
   lambda stage, module, branch, block, kind:
   f'stage{stage}.{int(module) - 1}.branches.{int(branch) - 1}.{int(block) - 1}.{_block(kind)}'),
  (r'stage(\d)_module(\d)/fuse(\d)_to(\d)(?:_step(\d))?/(\w+)', _fuse),
  (r'merge_branch(\d)/(\w+)', lambda branch, kind: f'incre_modules.{int(branch) - 1}.0.'
                                                   f'{_block(kind)}'),
  (r'merge_down(\d)/(\w+)',
   lambda branch, kind: f'downsamp_modules.{int(branch) - 2}.{_IN_SEQUENCE[kind]}'),
  (r'merge_last/(\w+)', lambda kind: f'final_layer.{_IN_SEQUENCE[kind]}'),
)
