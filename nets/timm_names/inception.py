"""timm's names of Inception v3: ours with a capital at the front."""

from nets.timm_names.layout import LEAVES

TIMM_NAMES = {'inception_v3': 'inception_v3', 'inception_v3_aux': 'inception_v3'}

_FRONTS = {'head': 'fc', 'aux_logits': 'AuxLogits'}


def to_timm(variant, path):
  """Returns timm's key of a variable, such as 'Mixed_5b.branch1x1.conv.weight'.

  Args:
    variant: a net of the family; `inception_v3_aux` is timm's model with aux_logits=True.
    path: names without the collection, such as ('mixed_5b', 'branch1x1', 'conv', 'kernel').
  """
  del variant
  front, *layers, leaf = path
  names = ('bn' if name == 'norm' else name for name in layers)
  return '.'.join((_FRONTS.get(front, front.capitalize()), *names, LEAVES[leaf]))
