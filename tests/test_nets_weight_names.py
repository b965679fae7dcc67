"""Each net is known to the libraries that have it, and timm loads what we write."""

import json
import pathlib

import numpy as np
import pytest

import nets
from nets import timm_names
from nets.weight_names import get_weight_names

OUTCOME = pathlib.Path(__file__).parent / 'reference' / 'round_trip.json'


@pytest.mark.parametrize('variant, libraries', [
  ('hrnet_w32', {'timm'}), ('hrnet_w32_pose', {'timm'}), ('se_resnet_tagger', {'timm'}),
  ('vit_small_patch16', {'timm'}), ('inception_v3_keras', {'timm', 'keras'}),
  ('tf_efficientnet_b1', {'timm', 'keras'}), ('efficientnet_b1', {'timm'})])
def test_libraries_that_have_the_family_name_its_weights(variant, libraries):
  names = get_weight_names(variant)
  assert set(names) == libraries
  assert all(view.library == library for library, view in names.items())


def test_keys_and_layouts_are_those_of_the_library():
  names = get_weight_names('tf_efficientnet_b1')
  kernel, path = np.zeros((1, 1, 3, 8)), ('top_conv', 'kernel')
  assert names['timm'].to_key(path) == 'conv_head.weight'
  assert names['timm'].to_array(path, kernel).shape == (8, 3, 1, 1)
  assert names['timm'].from_array(path, names['timm'].to_array(path, kernel)).shape == kernel.shape
  assert names['keras'].to_key(path) == 'top_conv/kernel'
  assert names['keras'].to_array(path, kernel).shape == (1, 1, 3, 8)


def test_an_unknown_net_has_no_names():
  assert get_weight_names('resnet') == {}


def test_timm_loaded_what_we_wrote_and_gave_the_same_logits():
  """Recorded by tests/reference/round_trip.py, for a net of every family and those named here."""
  outcome = json.loads(OUTCOME.read_text())
  assert {'inception_v3', 'se_resnet50', 'efficientnet_b1', 'hrnet_w32', 'convnext_tiny',
          'vit_small_patch16'} <= set(outcome)
  for family, module in timm_names.FAMILIES.items():
    if not module.TIMM_NAMES:  # timm has a part of these nets
      continue
    assert set(outcome) & set(nets.NETS[family].VARIANTS), family
    for variant in set(outcome) & set(module.TIMM_NAMES):
      assert outcome[variant]['model'] == module.TIMM_NAMES[variant]
  for variant, found in outcome.items():
    assert found['loaded'] == 'strict', variant
    assert found['difference'] < 1e-4 and 0.1 < found['spread'] < 10, variant
