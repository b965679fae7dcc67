"""HRNet's own choices: one trunk for three nets, fusing, heatmaps and sizes of pictures."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from errors import UserError
from nets import build_net
from nets.hrnet import KINDS, VARIANTS, HRNet, Variant
from nets.options import resolve_options

TINY = dict(width=4, stem_depth=1, stem_width=4, modules=(1, 1, 2), depth=1)
IMAGE = np.random.default_rng(0).normal(size=(2, 64, 96, 3)).astype(np.float32)


def make(kind, num_outputs, **options):
  """A net that compiles in a moment."""
  row = Variant(kind=kind, **TINY)
  return HRNet(row=row, num_outputs=num_outputs,
               options=resolve_options('tiny', row, num_outputs, **options))


@functools.cache
def variables(kind, num_outputs=5):
  """Random variables of a tiny net."""
  rng = np.random.default_rng(1)
  shapes = jax.eval_shape(
    functools.partial(make(kind, num_outputs).init, train=False), jax.random.key(0), IMAGE)
  return jax.tree.map(lambda leaf: rng.uniform(0.2, 1, leaf.shape).astype(np.float32)
                      if leaf.ndim == 1 else rng.normal(0, 0.2, leaf.shape).astype(np.float32),
                      shapes)


def share(kind, classifier):
  """A net's variables, those that the classifier has taken from there."""
  def pick(ours, theirs):
    return {name: pick(inner, theirs[name]) if isinstance(inner, dict) else theirs[name]
            for name, inner in ours.items() if name != 'head'}
  own = variables(kind)
  return {'params': {**pick(own['params'], classifier['params']), 'head': own['params']['head']},
          'batch_stats': pick(own['batch_stats'], classifier['batch_stats'])}


@functools.cache
def taps(kind):
  values = variables(kind) if kind == 'classifier' else share(kind, variables('classifier'))
  return jax.jit(functools.partial(make(kind, 5).apply, train=False))(values, IMAGE), values


def test_the_three_nets_have_one_trunk():
  (_, classifier), _ = taps('classifier')
  for kind in ('backbone', 'pose'):
    (_, ours), _ = taps(kind)
    for tap in ('stem', 'stage1', 'stage2', 'stage3_branch3', 'stage4'):
      np.testing.assert_allclose(ours[tap], classifier[tap], rtol=1e-4, atol=1e-5)
      assert classifier[tap].std() > 0.01


def test_heatmaps_are_a_1x1_convolution_of_the_largest_branch():
  (heatmaps, ours), values = taps('pose')
  head = values['params']['head']
  assert heatmaps.shape == (2, 16, 24, 5) and heatmaps.dtype == jnp.float32
  np.testing.assert_allclose(
    heatmaps, ours['stage4'] @ head['kernel'][0, 0] + head['bias'], rtol=1e-4, atol=1e-4)


def test_a_pose_net_ends_in_one_branch_and_lacks_what_would_feed_the_others():
  (_, ours), values = taps('pose')
  assert 'stage4_branch2' not in ours and 'stage3_branch3' in ours
  first, last = (values['params'][f'stage4_module{index}'] for index in (1, 2))
  assert {name for name in last if 'fuse' in name} == {'fuse2_to1', 'fuse3_to1', 'fuse4_to1'}
  assert len([name for name in first if 'fuse' in name]) == 6 + 3 + 2 * 2 + 3  # 1 to 4: 3 steps


def test_the_backbone_lays_its_branches_side_by_side():
  (_, ours), _ = taps('backbone')
  branches = [ours['stage4'], *(ours[f'stage4_branch{number}'] for number in (2, 3, 4))]
  assert [branch.shape[1:] for branch in branches] == [
    (16, 24, 4), (8, 12, 8), (4, 6, 16), (2, 3, 32)]
  wide = np.concatenate([np.asarray(branch).repeat(2 ** index, 1).repeat(2 ** index, 2)
                         for index, branch in enumerate(branches)], axis=-1)
  np.testing.assert_array_equal(ours['features_2d'], wide)
  np.testing.assert_allclose(ours['features'], wide.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)


def test_without_outputs_a_pose_net_gives_its_features():
  (output, ours), shapes = jax.eval_shape(
    lambda key: make('pose', 0).init_with_output(key, IMAGE, train=False), jax.random.key(0))
  assert output.shape == ours['features'].shape == (2, 4) and 'head' not in shapes['params']


def test_heatmaps_start_at_the_given_bias_and_stay_float32():
  net = make('pose', 2, head_bias_init=(0.5, -1.0), dtype=jnp.bfloat16)
  image = jnp.zeros((1, 32, 32, 3))
  bias = jax.jit(lambda key: net.init(key, image, train=False)['params']['head']['bias'])
  np.testing.assert_array_equal(bias(jax.random.key(0)), (0.5, -1.0))
  (output, _), _ = jax.eval_shape(
    functools.partial(net.init_with_output, train=False), jax.random.key(0), image)
  assert output.dtype == jnp.float32


@pytest.mark.parametrize('height, width', [(48, 64), (64, 80), (30, 32)])
def test_pictures_of_other_sizes_are_refused_in_a_sentence(height, width):
  with pytest.raises(UserError, match=f'multiples of 32 px and got {height} x {width}'):
    jax.eval_shape(functools.partial(make('pose', 2).init, train=False), jax.random.key(0),
                   jnp.zeros((1, height, width, 3)))


def test_every_trunk_comes_in_every_kind():
  assert {row.kind for row in VARIANTS.values()} == set(KINDS)
  assert len(VARIANTS) == 9
  for name, row in VARIANTS.items():
    assert name.endswith(f'_{row.kind}') != (row.kind == 'classifier')
    assert build_net(name, 3).row is row
