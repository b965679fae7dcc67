"""timm's names of ViT, whose blocks are numbered through."""

import re

from nets.timm_names.layout import LEAVES

TIMM_NAMES = {
  f'vit_{size}_patch16': f'vit_{size}_patch16_224' for size in ('tiny', 'small', 'base')}

_PARAMETERS = {'class_token': 'cls_token', 'position_embedding': 'pos_embed'}
_ENDS = {'stem_conv': 'patch_embed.proj', 'features_norm': 'norm', 'head': 'head'}
_INNER = {
  'attention_norm': 'norm1', 'attention/query_key_value': 'attn.qkv',
  'attention/project': 'attn.proj', 'mlp_norm': 'norm2', 'expand': 'mlp.fc1',
  'project': 'mlp.fc2'}
_BLOCKS_OF_A_STAGE = 3


def to_timm(variant, path):
  """Returns timm's key of a variable, such as 'blocks.0.attn.qkv.weight'.

  The dense layer that makes queries, keys and values is one layer there too, in the same order.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('stage1_block1', 'expand', 'kernel').
  """
  del variant
  *modules, leaf = path
  if not modules:
    return _PARAMETERS[leaf]
  if block := re.fullmatch(r'stage(\d)_block(\d)', modules[0]):
    index = (int(block[1]) - 1) * _BLOCKS_OF_A_STAGE + int(block[2]) - 1
    return f'blocks.{index}.{_INNER["/".join(modules[1:])]}.{LEAVES[leaf]}'
  return f'{_ENDS[modules[0]]}.{LEAVES[leaf]}'
