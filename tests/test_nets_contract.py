"""What every net promises: its published size and names, the taps, dtypes, statistics at rest."""

import dataclasses
import functools
import json
import math
import pathlib
import re

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nets
from errors import UserError
from nets import keras_names, layers, timm_names
from nets.weight_names import get_weight_names
from tests.reference import fill
from tests.reference.rows import COUNTED, NAMES_OF

# {source: {variant: {params, batch_stats, names}}}, asked from timm and Keras for 1000 outputs; of
# the authors' pose nets, of timm's parts, for 17.
PUBLISHED = json.loads(
  (pathlib.Path(__file__).parent / 'reference' / 'nets' / 'counts.json').read_text())
# Parameters of the nets that neither has, by number of outputs; of the larger pose nets 28.5 and
# 63.6 M are published.
OWN = {
  'se_resnet_tagger': {100: 16_628_444, 0: 16_577_144},
  'se_resnet_tiny': {100: 198_764},
  'inception_v3_mixed8': {0: 10_653_472, 10: 10_666_282},
  'hrnet_w18_small_pose': {17: 1_284_961},
  'hrnet_w32_pose': {17: 28_536_113},
  'hrnet_w48_pose': {17: 63_595_745},
  'vae_efficientnet_b1': {3: 11_956_945},
  'vae_conv_128': {1: 3_624_585},
  'vae_conv_64': {1: 1_259_145, 3: 1_259_163},
}
# A net of each family that is quick to run, and the side of its pictures.
SMALL = {
  'se_resnet': ('se_resnet_tiny', 64), 'inception': ('inception_v3', 75),
  'efficientnet': ('efficientnet_b0', 64), 'hrnet': ('hrnet_w18_small', 64),
  'convnext': ('convnext_tiny', 64), 'vit': ('vit_tiny_patch16', 64),
  'vae': ('vae_conv_64', 64),
}
# Fewer blocks of the same wiring, with and without a shortcut: quicker to trace and to compile.
SHALLOW = {'efficientnet_b0': {'depth_scale': 0.3}, 'convnext_tiny': {'depths': (1, 1, 2, 1)},
           'vit_tiny_patch16': {'depths': (1, 1, 1, 1)}}
# How often a tap's map has been halved, roughly.
HALVED = dict(stem=1, stage1=2, stage2=3, stage3=4, stage4=5)
LEVELS = {
  'se_resnet': HALVED,
  'inception': dict(
    stem=2, mixed_5b=3, mixed_5c=3, mixed_5d=3, mixed_6a=4, mixed_6b=4, mixed_6c=4, mixed_6d=4,
    mixed_6e=4, mixed_7a=5, mixed_7b=5, mixed_7c=5),
  'efficientnet': HALVED,
  'hrnet': dict(stem=2, stage1=2, stage2=2, stage3=2, stage4=2),
  'convnext': {**HALVED, 'stem': 2},
  'vit': dict.fromkeys(HALVED, 4),
  'vae': dict(stem=1, stage1=1, stage2=2, stage3=3, stage4=4),
}
FURTHER_TAPS = r'stage[234]_branch[234]|aux_output|mean|logvar|latent'  # of some nets
HEAVY = re.compile(r'.*efficientnet_b[2-7]|.*resnet1\d\d|hrnet_w48.*|hrnet_w32_.*|.*_(small|base)')


def cases(rows):
  """Marks those that take long to trace; the last value of a row is a net's name."""
  return [pytest.param(*row, id='-'.join(map(str, row)),
                       marks=pytest.mark.slow if HEAVY.fullmatch(row[-1]) else ())
          for row in rows]


ALL = [(family, name) for family, module in nets.NETS.items() for name in module.VARIANTS]
every_net = pytest.mark.parametrize('family, name', cases(ALL))


def build_shallow(name, num_outputs, **options):
  net = nets.build_net(name, num_outputs, **options)
  return net.clone(row=dataclasses.replace(net.row, **SHALLOW.get(name, {})))


def traced(net, size, *, channels=3):
  """(jaxpr, shapes of (output, taps) and of the variables), without computing anything."""
  def init(key):
    return net.init_with_output(
      {'params': key, 'dropout': key}, jnp.zeros((2, size, size, channels)), train=False)
  with layers.conv_form('plain'):  # the quickest to trace
    return jax.make_jaxpr(init, return_shape=True)(jax.random.key(0))


def abstract(net, size, *, channels=3):
  return traced(net, size, channels=channels)[1]


@functools.cache
def shapes(name, num_outputs):
  """Those of a net that computes in bfloat16, at its own size."""
  net, row = nets.build_net(name, num_outputs, dtype=jnp.bfloat16), nets.get_variant(name)
  return abstract(net, row.input_size_px, channels=len(row.mean))


def published_outputs(source, name):
  options = COUNTED[source][name][1]
  return 0 if 'features_only' in options else options.get('heatmaps', 1000)


def outputs(name):
  """The number of outputs that a net is counted with, so that it is traced once."""
  return next((published_outputs(source, name) or 1000 for source in PUBLISHED
               if name in PUBLISHED[source]), max(OWN.get(name, {1000: 0})))


def size_of(tree):
  return sum(math.prod(x.shape) for x in jax.tree.leaves(tree))


def test_every_net_is_counted():
  assert {*PUBLISHED['timm'], *PUBLISHED['keras'], *OWN} == set(nets.list_nets())
  assert not {*PUBLISHED['timm'], *PUBLISHED['keras']} & set(OWN)
  assert {source: set(models) for source, models in PUBLISHED.items()} == {
    source: set(models) for source, models in COUNTED.items()}
  assert set(SMALL) == set(LEVELS) == set(nets.NETS)


@pytest.mark.parametrize('num_outputs, name', cases(
  (k, name) for name in OWN for k in OWN[name]))
def test_our_own_nets_have_as_many_parameters_as_we_say(num_outputs, name):
  assert size_of(shapes(name, num_outputs)[1]['params']) == OWN[name][num_outputs]


@pytest.mark.parametrize('source, name', cases(
  (source, name) for source, models in PUBLISHED.items() for name in models))
def test_sizes_names_and_shapes_are_the_published_ones(source, name):
  """A bijection: a missing, doubled or surplus name, or another shape, changes the digest."""
  _, variables = shapes(name, published_outputs(source, name))
  published = PUBLISHED[source][name]
  for collection in ('params', 'batch_stats'):
    assert size_of(variables.get(collection, {})) == published[collection]
  names = get_weight_names(name)[NAMES_OF[source]]
  leaves = flax.traverse_util.flatten_dict(variables)
  theirs = {names.to_key(path[1:]): names.to_array(path[1:], np.empty(leaf.shape, bool)).shape
            for path, leaf in leaves.items()}
  assert len(theirs) == len(leaves)
  assert fill.digest(theirs) == published['names']


def test_nets_with_published_names_are_those_that_are_counted():
  named = {'timm': [table for family in timm_names.FAMILIES.values()
                    for table in (family.TIMM_NAMES, getattr(family, 'PARTS', {}))],
           'keras': [family.KERAS_NAMES for family in keras_names.FAMILIES.values()]}
  for source, tables in named.items():
    assert {variant: model for table in tables for variant, model in table.items()} == {
      variant: model for variant, (model, _) in COUNTED[source].items()}


def test_the_tagger_has_about_seventeen_million_parameters():
  assert 16.5e6 < OWN['se_resnet_tagger'][100] < 17.7e6


@every_net
def test_taps_are_maps_of_the_sizes_that_their_names_promise(family, name):
  (_, taps), _ = shapes(name, outputs(name))
  row = nets.get_variant(name)
  deeper = name == 'se_resnet_tagger'  # its stem has a stride of 4
  for tap in ('stem', *row.stages):
    level = (HALVED if name == 'vae_efficientnet_b1' else LEVELS[family])[tap]
    for side in taps[tap].shape[1:3]:
      assert round(math.log2(row.input_size_px / side)) == level + deeper, tap
  assert taps['features_2d'].ndim == 4 and taps['features'].ndim == 2
  assert taps['features'].shape[-1] == taps['features_2d'].shape[-1]
  assert {x.shape[0] for x in taps.values()} == {2}
  further = set(taps) - {'stem', *row.stages, 'features', 'features_2d'}
  assert all(re.fullmatch(FURTHER_TAPS, tap) for tap in further)


@every_net
def test_outputs_and_variables_stay_float32_when_computing_in_bfloat16(family, name):
  del family
  (output, taps), variables = shapes(name, outputs(name))
  assert output.dtype == taps['features'].dtype == jnp.float32
  assert output.shape[-1] == outputs(name)
  assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  assert taps['stem'].dtype == taps['features_2d'].dtype == jnp.bfloat16


@pytest.mark.parametrize('name', nets.list_nets())
def test_rows_say_how_pixels_are_normalised(name):
  row = nets.get_variant(name)
  if name in nets.vae.VARIANTS:  # scans: one channel in 0..1
    assert (row.mean, row.std) == ((0.5,), (0.25,))
  else:
    assert len(row.mean) == len(row.std) == 3
    assert all(1 < value < 255 for value in (*row.mean, *row.std))  # in 0..255, not 0..1


def test_an_unknown_net_is_told_the_choices():
  for function in (nets.get_variant, lambda name: nets.build_net(name, 3)):
    with pytest.raises(UserError, match="'resnet'.*se_resnet18.*se_resnet_tiny"):
      function('resnet')
