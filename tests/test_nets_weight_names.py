"""Each net is known to the libraries that have it, and timm loads what we write."""

import json
import pathlib
import types

import numpy as np
import pytest

import nets
from nets import keras_names, timm_names
from nets.weight_names import get_weight_names
from tests.reference.round_trip import CASES
from tests.reference.rows import REFERENCES

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


@pytest.mark.parametrize('package', [timm_names, keras_names], ids=lambda package: package.__name__)
def test_tables_of_names_equal_their_folders(package):
  files = {path.stem for path in pathlib.Path(package.__file__).parent.glob('*.py')}
  assert set(package.FAMILIES) == files - {'__init__', 'layout'} <= set(nets.NETS)


def test_a_family_that_timm_does_not_have_keeps_our_names(monkeypatch):
  module = types.SimpleNamespace(VARIANTS={'new_net': None})
  monkeypatch.setitem(nets.NETS, 'new_family', module)
  names = get_weight_names('new_net')
  assert set(names) == {'timm'} and names['timm'].model == ''
  assert names['timm'].to_key(('stage1_block1', 'conv', 'kernel')) == 'stage1_block1.conv.weight'
  assert names['timm'].to_key(('stage1_block1', 'scale', 'gamma')) == 'stage1_block1.scale.gamma'
  assert names['timm'].to_key(('class_token',)) == 'class_token'


def test_timm_loaded_what_we_wrote_and_gave_the_same_logits():
  """Recorded by tests/reference/round_trip.py."""
  outcome = json.loads(OUTCOME.read_text())
  assert set(outcome) == set(CASES)
  for name, found in outcome.items():
    assert found['model'] == REFERENCES[name].model
    assert found['loaded'] == 'strict', name
    assert found['difference'] < 1e-4 and 0.1 < found['spread'] < 10, name
