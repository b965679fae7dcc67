"""Keras' names of Inception v3: numbers, in the order in which the layers are made."""

from nets.keras_names.layout import LEAVES

KERAS_NAMES = {'inception_v3_keras': 'InceptionV3'}
PARTS = ('inception_v3_mixed8',)  # the front of Keras' net, up to its block mixed8


def _numbered(name, count):
  return tuple(f'{name}_{number}' for number in range(1, count + 1))


_A = ('branch1x1', *_numbered('branch5x5', 2), *_numbered('branch3x3dbl', 3), 'branch_pool')
_B = ('branch3x3', *_numbered('branch3x3dbl', 3))
_C = ('branch1x1', *_numbered('branch7x7', 3), *_numbered('branch7x7dbl', 5), 'branch_pool')
_D = (*_numbered('branch3x3', 2), *_numbered('branch7x7x3', 4))
_E = ('branch1x1', 'branch3x3_1', 'branch3x3_2a', 'branch3x3_2b', *_numbered('branch3x3dbl', 2),
      'branch3x3dbl_3a', 'branch3x3dbl_3b', 'branch_pool')
_BLOCKS = {
  '5b': _A, '5c': _A, '5d': _A, '6a': _B, '6b': _C, '6c': _C, '6d': _C, '6e': _C, '7a': _D,
  '7b': _E, '7c': _E}
_LAYERS = (
  ('conv2d_1a_3x3',), ('conv2d_2a_3x3',), ('conv2d_2b_3x3',), ('conv2d_3b_1x1',),
  ('conv2d_4a_3x3',),
  *((f'mixed_{block}', layer) for block, layers in _BLOCKS.items() for layer in layers))
_NUMBERS = {layer: number for number, layer in enumerate(_LAYERS)}


def to_keras(variant, path):
  """Returns Keras' key of a variable, such as 'conv2d_5/kernel'.

  Layers are numbered from 0, which Keras leaves out of the name, as in a program that makes one
  model; a file may begin at another number.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('mixed_5b', 'branch1x1', 'conv', 'kernel').
  """
  del variant
  *layer, kind, leaf = path
  if not layer:
    return f'predictions/{leaf}'
  number = _NUMBERS[tuple(layer)]
  name = 'conv2d' if kind == 'conv' else 'batch_normalization'
  return f'{name}_{number}/{LEAVES[leaf]}' if number else f'{name}/{LEAVES[leaf]}'
