"""Every net equals its reference implementation, number by number: outputs, taps, batch statistics.

Weights are filled by the rule of tests/reference/fill.py on both sides; what the reference makes of
them is stored in tests/reference/nets by tests/reference/make_nets.py.
"""

import functools
import pathlib

import flax.traverse_util
import jax
import numpy as np
import pytest

import nets
from nets import timm_names
from nets.weight_names import get_weight_names
from tests.reference import fill
from tests.reference.rows import NAMES_OF, REFERENCES

FOLDER = pathlib.Path(__file__).parent / 'reference' / 'nets'
EQUAL = 1e-4  # of the spread of what is compared
MOST = 1e-2  # tolerance of a training step, beyond which equality says nothing
NUM_OUTPUTS = 1000


def naming(row):
  """Returns (path -> key, to the reference's layout, from it) of a row's source."""
  names = get_weight_names(row.variant)[NAMES_OF[row.source]]
  return names.to_key, names.to_array, names.from_array


def flatten(variables):
  """Returns {(collection, *path): value} of a net's variables."""
  return flax.traverse_util.flatten_dict(dict(variables))


def abstract_variables(net, row):
  image = jax.ShapeDtypeStruct((row.batch, row.size_px, row.size_px, 3), np.float32)
  return jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0), image)


def fill_variables(net, row):
  """Our variables, each filled by the name and in the layout that the reference has for it."""
  to_key, to_layout, from_layout = naming(row)
  filled = {}
  for path, value in flatten(abstract_variables(net, row)).items():
    shape = to_layout(path[1:], np.empty(value.shape, bool)).shape
    filled[path] = from_layout(path[1:], fill.fill(to_key(path[1:]), shape, row.gain))
  return flax.traverse_util.unflatten_dict(filled)


def assert_equal(stored, prefix, taps):
  """Compares every tap that the file holds.

  In training, small differences grow from layer to layer: a tap may differ by as much as the
  reference does when its picture changes by a millionth.
  """
  names = {key.removeprefix(prefix).rpartition('/')[0] for key in stored
           if key.startswith(prefix) and key.removeprefix(prefix).count('/') == 1}
  assert names
  for name in names:
    spread = float(stored[f'{prefix}{name}/spread'])
    assert 0.1 < spread < 10, f'{prefix}{name}: equality of {spread} says nothing'
    contrast = float(stored[f'{prefix}{name}/contrast'])
    assert contrast > 10 * EQUAL, f'{prefix}{name} hardly depends on the picture: {contrast}'
    tolerance = max(EQUAL, float(stored.get(f'{prefix}{name}/shake', 0)))
    assert tolerance < MOST, f'{prefix}{name}: equality to {tolerance} says nothing'
    ours = fill.summarise(name, taps[name])
    for kind in ('samples', 'sums'):
      error = np.abs(ours[kind] - stored[f'{prefix}{name}/{kind}']).max() / spread
      assert error < tolerance, f'{prefix}{name}/{kind} differs by {error:.2e} of its spread'


# Of these, the fast tests compare inference alone: another row of the family has the same layers.
TRAINED_ALIKE = {'se_resnet50', 'legacy_se_resnet18', 'legacy_se_resnet50', 'hrnet_w18_small_pose'}


def rows(slow=()):
  return [pytest.param(name, marks=pytest.mark.slow if row.slow or name in slow else ())
          for name, row in REFERENCES.items()]


@pytest.fixture(scope='module', params=rows())
def case(request):
  """(row, net, variables, image, stored arrays); one row is in memory at a time."""
  row = REFERENCES[request.param]
  net = nets.build_net(
    row.variant, row.options.get('heatmaps', NUM_OUTPUTS), batch_norm_momentum=0.5,
    dropout_rate=0.0, drop_path_rate=0.0)
  with np.load(FOLDER / f'{request.param}.npz') as file:
    stored = dict(file)
  return row, net, fill_variables(net, row), fill.picture(row.batch, row.size_px), stored


def run(net, variables, image, *, train):
  """Returns {tap: value} with 'output', and the statistics after the step."""
  def apply(variables, image):
    return net.apply(variables, image, train=train, mutable=['batch_stats'])
  (output, taps), after = jax.jit(apply)(variables, image)
  return dict(taps, output=output), after.get('batch_stats', {})


def test_outputs_and_taps_equal_the_reference(case):
  _, net, variables, image, stored = case
  taps, _ = run(net, variables, image, train=False)
  assert_equal(stored, '', taps)


@pytest.mark.parametrize('case', rows(slow=TRAINED_ALIKE), indirect=True)
def test_a_training_step_equals_the_reference(case):
  row, net, variables, image, stored = case
  taps, after = run(net, variables, image, train=True)
  assert_equal(stored, 'train/', taps)
  before, after = flatten(variables.get('batch_stats', {})), flatten(after)
  assert bool(before) == ('train_mean' in stored)
  to_key = naming(row)[0]
  means = {to_key(path): path[:-1] for path in after if path[-1] == 'mean'}
  for kind in ('mean', 'var') if means else ():
    measured = [
      fill.some_channels(key, 2 * after[(*means[key], kind)] - before[(*means[key], kind)])
      for key in sorted(means)]
    deviations = np.sqrt(stored['train_var'].max(axis=1, keepdims=True))
    scale = deviations if kind == 'mean' else deviations ** 2
    error = (np.abs(measured - stored[f'train_{kind}']) / scale).max()
    tolerance = max(EQUAL, float(stored[f'train_{kind}_shake']))
    assert error < tolerance < MOST


def test_every_row_has_its_file_and_every_file_its_row():
  assert {path.stem for path in FOLDER.glob('*.npz')} == set(REFERENCES)
  assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2e6


@pytest.mark.parametrize('family', timm_names.FAMILIES)
def test_every_family_that_timm_has_is_compared_and_in_a_fast_test(family):
  """Two nets of it, where timm has as many."""
  named = timm_names.FAMILIES[family].TIMM_NAMES
  rows = [row for row in REFERENCES.values() if row.variant in nets.NETS[family].VARIANTS]
  assert len({row.variant for row in rows}) >= min(2, len(named))
  assert not named or not all(row.slow for row in rows)


def test_models_named_here_are_those_that_the_names_belong_to():
  for row in REFERENCES.values():
    model = get_weight_names(row.variant)[NAMES_OF[row.source]].model
    assert model == ('' if row.source == 'authors' else row.model)
