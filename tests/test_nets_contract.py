"""What every net promises: its published size and names, the taps, dtypes, statistics at rest."""

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
from nets import keras_names, timm_names
from nets.weight_names import get_weight_names
from tests.net_families import (
  FAMILIES,
  OWN,
  abstract,
  find_family,
  find_levels,
  is_autoencoder,
  mark_slow,
  size_of,
)
from tests.reference import fill
from tests.reference.rows import COUNTED, NAMES_OF

# {source: {variant: {params, batch_stats, names}}}, asked from timm and Keras for 1000 outputs; of
# the authors' pose nets, of timm's parts, for 17.
PUBLISHED = json.loads(
  (pathlib.Path(__file__).parent / 'reference' / 'nets' / 'counts.json').read_text())


def cases(rows):
  """Marks those that take long to trace; the last value of a row is a net's name."""
  return [pytest.param(*row, id='-'.join(map(str, row)), marks=mark_slow(row[-1])) for row in rows]


every_net = pytest.mark.parametrize('name', cases((name,) for name in nets.list_nets()))


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


def test_every_net_is_counted():
  """By its authors or us in `params` of its family's row, or by a library in counts.json."""
  published = {*PUBLISHED['timm'], *PUBLISHED['keras']}
  assert published | set(OWN) == set(nets.list_nets()) and not published & set(OWN)
  assert {source: set(models) for source, models in PUBLISHED.items()} == {
    source: set(models) for source, models in COUNTED.items()}
  assert set(FAMILIES) == set(nets.NETS)


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
def test_taps_are_maps_of_the_sizes_that_their_names_promise(name):
  (_, taps), _ = shapes(name, outputs(name))
  row, levels = nets.get_variant(name), find_levels(name)
  for tap in ('stem', *row.stages):
    for side in taps[tap].shape[1:3]:
      assert round(math.log2(row.input_size_px / side)) == levels[tap], tap
  assert taps['features_2d'].ndim == 4 and taps['features'].ndim == 2
  assert taps['features'].shape[-1] == taps['features_2d'].shape[-1]
  assert {x.shape[0] for x in taps.values()} == {2}
  further = set(taps) - {'stem', *row.stages, 'features', 'features_2d'}
  assert all(re.fullmatch(find_family(name).further_taps, tap) for tap in further)


@every_net
def test_outputs_and_variables_stay_float32_when_computing_in_bfloat16(name):
  (output, taps), variables = shapes(name, outputs(name))
  assert output.dtype == taps['features'].dtype == jnp.float32
  assert output.shape[-1] == outputs(name)
  assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  assert taps['stem'].dtype == taps['features_2d'].dtype == jnp.bfloat16


@pytest.mark.parametrize('name', nets.list_nets())
def test_rows_say_how_pixels_are_normalised(name):
  row = nets.get_variant(name)
  if is_autoencoder(name):  # scans: one channel in 0..1
    assert (row.mean, row.std) == ((0.5,), (0.25,))
  else:
    assert len(row.mean) == len(row.std) == 3
    assert all(1 < value < 255 for value in (*row.mean, *row.std))  # in 0..255, not 0..1


def test_an_unknown_net_is_told_the_choices():
  for function in (nets.get_variant, lambda name: nets.build_net(name, 3)):
    with pytest.raises(UserError, match="'resnet'.*se_resnet18.*se_resnet_tiny"):
      function('resnet')
