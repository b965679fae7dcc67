"""The nets as the tests see them: a row for each family, and what traces a net without running it.

Every test of all nets takes its cases from `nets.NETS` and from this table. A new family needs a
row with the parameters of its nets, unless reference/nets/counts.json has what another library
counts; nothing else of it, where the defaults of `Family` hold.
"""

import dataclasses
import math
import re

import jax
import jax.numpy as jnp
import pytest

import nets
from nets import layers

HALVED = dict(stem=1, stage1=2, stage2=3, stage3=4, stage4=5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
  """What the tests cannot read from a family's module.

  Attributes:
    params: {net: {number of outputs: parameters}} of nets that counts.json lacks.
    small: a net that is quick to run; '' is the first of VARIANTS.
    size_px: a side of the pictures it is run on.
    shallow: fields of its row that leave fewer blocks of the same wiring, with and without a
      shortcut: quicker to trace and to compile.
    quick: whether it (what `shallow` leaves of it) runs in the fast tests.
    levels: how often each tap's map has been halved, roughly.
    levels_of: {net: levels} of nets that differ.
    further_taps: a pattern of taps besides those of every net.
    wirings: {net: side of its pictures}, run too: they have layers that the small one does not.
    exported: {net: side of its pictures}, exported and opened too, as the wirings are.
    slow: a pattern of nets that take long to trace.
  """

  params: dict = dataclasses.field(default_factory=dict)
  small: str = ''
  size_px: int = 64
  shallow: dict = dataclasses.field(default_factory=dict)
  quick: bool = True
  levels: dict = dataclasses.field(default_factory=lambda: HALVED)
  levels_of: dict = dataclasses.field(default_factory=dict)
  further_taps: str = ''
  wirings: dict = dataclasses.field(default_factory=dict)
  exported: dict = dataclasses.field(default_factory=dict)
  slow: str = ''


FAMILIES = dict.fromkeys(nets.NETS, Family()) | {
  'se_resnet': Family(
    params={'se_resnet_tagger': {100: 16_628_444, 0: 16_577_144},
            'se_resnet_tiny': {100: 198_764}},
    small='se_resnet_tiny', slow=r'.*resnet1\d\d',
    levels_of={'se_resnet_tagger': {tap: level + 1 for tap, level in HALVED.items()}},
    wirings={'legacy_se_resnet18': 64, 'legacy_se_resnet50': 64},
    exported={'se_resnet18': 64, 'se_resnet_tagger': 64}),
  'inception': Family(
    params={'inception_v3_mixed8': {0: 10_653_472, 10: 10_666_282}},
    size_px=75, quick=False, further_taps='aux_output',
    levels=dict(
      stem=2, mixed_5b=3, mixed_5c=3, mixed_5d=3, mixed_6a=4, mixed_6b=4, mixed_6c=4, mixed_6d=4,
      mixed_6e=4, mixed_7a=5, mixed_7b=5, mixed_7c=5),
    wirings={'inception_v3_aux': 299, 'inception_v3_keras': 75},
    exported={'inception_v3_mixed8': 75}),
  'efficientnet': Family(
    shallow={'depth_scale': 0.3}, slow=r'.*efficientnet_b[2-7]',
    exported={'tf_efficientnet_b0': 64}),
  'hrnet': Family(
    params={'hrnet_w18_small_pose': {17: 1_284_961}, 'hrnet_w32_pose': {17: 28_536_113},
            'hrnet_w48_pose': {17: 63_595_745}},  # 28.5 and 63.6 M are published
    quick=False, slow='hrnet_w(32|48).*',
    levels=dict(stem=2, stage1=2, stage2=2, stage3=2, stage4=2),
    further_taps='stage[234]_branch[234]', exported={'hrnet_w18_small_pose': 128}),
  'convnext': Family(
    shallow={'depths': (1, 1, 2, 1)}, slow=r'.*_(small|base)', levels={**HALVED, 'stem': 2}),
  'vit': Family(shallow={'depths': (1, 1, 1, 1)}, levels=dict.fromkeys(HALVED, 4)),
  'vae': Family(
    params={'vae_efficientnet_b1': {3: 11_956_945}, 'vae_conv_128': {1: 3_624_585},
            'vae_conv_64': {1: 1_259_145, 3: 1_259_163}},
    small='vae_conv_64', levels=dict(stem=1, stage1=1, stage2=2, stage3=3, stage4=4),
    levels_of={'vae_efficientnet_b1': HALVED}, further_taps='mean|logvar|latent',
    wirings={'vae_efficientnet_b1': 224}, exported={'vae_conv_128': 128}),
}
OWN = {name: counts for row in FAMILIES.values() for name, counts in row.params.items()}
# {family: (its small net, the side of its pictures)}
SMALL = {family: (row.small or next(iter(nets.NETS[family].VARIANTS)), row.size_px)
         for family, row in FAMILIES.items()}
SHALLOW = {SMALL[family][0]: row.shallow for family, row in FAMILIES.items()}
# Nets that tests run, export and open, and the sides of their pictures.
RUN = {**dict(SMALL.values()),
       **{name: size for row in FAMILIES.values() for name, size in row.wirings.items()}}
EXPORTED = {**RUN, **{name: size for row in FAMILIES.values()
                      for name, size in row.exported.items()}}
# Of these, nets that are small whole, and those that their row makes shallow.
QUICK_WHOLE = [SMALL[family][0] for family, row in FAMILIES.items()
               if row.quick and not row.shallow]
QUICK_SHALLOW = [SMALL[family][0] for family, row in FAMILIES.items() if row.quick and row.shallow]


def find_family(name):
  """The row of a net's family."""
  return next(FAMILIES[family] for family, module in nets.NETS.items() if name in module.VARIANTS)


def find_levels(name):
  """{tap: how often its map has been halved} of a net."""
  row = find_family(name)
  return row.levels_of.get(name, row.levels)


def is_autoencoder(name):
  """Whether a net takes scans and has no head."""
  return hasattr(nets.get_variant(name), 'latent_size')


def mark_slow(name):
  """What `pytest.param(marks=)` takes for a net: slow ones take long to trace."""
  return pytest.mark.slow if re.fullmatch(find_family(name).slow, name) else ()


def build_shallow(name, num_outputs, **options):
  """A net with as few blocks as its family's row says."""
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
  """Shapes of (output, taps) and of the variables of a net on square pictures."""
  return traced(net, size, channels=channels)[1]


def size_of(tree):
  """How many numbers a tree of arrays holds."""
  return sum(math.prod(x.shape) for x in jax.tree.leaves(tree))
