"""What wraps a net writes names before its own: taken off where all keys bear them."""

import pytest

from errors import UserError
from train_lib.weights.weight_wrappers import WRAPPERS, unwrap


@pytest.mark.parametrize('keys', [
  ('module.conv1.weight', 'module.final_layer.bias'),
  ('_orig_mod.conv1.weight', '_orig_mod.final_layer.bias'),
  ('backbone.conv1.weight', 'keypoint_head.final_layer.bias'),
  ('backbone.conv1.weight', 'head.final_layer.bias'),
  ('module.backbone.conv1.weight', 'module.head.final_layer.bias'),
  ('_orig_mod.module.conv1.weight', '_orig_mod.module.final_layer.bias'),
  ('module._orig_mod.conv1.weight', 'module._orig_mod.final_layer.bias'),
  ('conv1.weight', 'final_layer.bias'),
])
def test_wrappers_are_taken_off_whatever_their_order(keys):
  assert unwrap('w', dict.fromkeys(keys)) == dict.fromkeys(('conv1.weight', 'final_layer.bias'))


def test_each_wrapper_is_taken_off_once():
  assert list(unwrap('w', {'module.a': 1, 'module.module.b': 2})) == ['a', 'module.b']


@pytest.mark.parametrize('keys', [
  (), ('head.norm.weight', 'stem.0.weight'), ('head.0.0.0.conv1.weight', 'conv1.weight'),
  ('keypoint_head.a', 'neck.b'), ('modules.a',)])
def test_names_of_no_wrapper_stay(keys):
  assert list(unwrap('w', dict.fromkeys(keys))) == list(keys)


def test_a_trunk_alone_is_enough():
  for row in WRAPPERS:
    assert list(unwrap('w', {f'{row[0]}conv1.weight': 1})) == ['conv1.weight']


@pytest.mark.parametrize('keys, message', [
  (('module.a', 'b', 'c', 'd', 'e'), r"w mixes names: some begin with 'module.', and others with "
                                     r"none of 'module.' \(b, c, d, and 1 more\); write the"),
  (('backbone.a', 'neck.b', 'head.c'), r"none of 'backbone.', 'head.', .* \(neck.b\)"),
  (('backbone.a', 'neck.b', 'keypoint_head.c'), r"none of 'backbone.', 'keypoint_head.' .neck.b"),
  (('backbone.a', 'head.b', 'keypoint_head.c'), r"mixes names.*'backbone.'.*head.[bc]\)"),
  (('backbone.a', 'conv1.weight'), r'mixes names.*\(conv1.weight\)'),
  (('backbone.a', 'b\x1b[31m'), r'\(b\\x1b\[31m\)'),
])
def test_files_that_are_wrapped_in_part_are_refused(keys, message):
  with pytest.raises(UserError, match=message):
    unwrap('w', dict.fromkeys(keys))


def test_two_arrays_of_one_name_are_refused():
  with pytest.raises(UserError, match='w holds conv1.weight twice; write the weights of one net'):
    unwrap('w', dict.fromkeys(('backbone.conv1.weight', 'head.conv1.weight')))
