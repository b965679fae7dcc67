"""HRNet: branches of several resolutions side by side, which tell each other what they see.

Papers: Wang, Sun, Cheng, Jiang, Deng, Zhao, Liu, Mu, Tan, Wang, Liu, Xiao, Deep High-Resolution
Representation Learning for Visual Recognition, 2020, arXiv 1908.07919 (section 3; HRNetV2 is the
backbone's `features_2d`; the classifier is in the appendix); Sun, Xiao, Liu, Wang, Deep
High-Resolution Representation Learning for Human Pose Estimation, 2019, arXiv 1902.09212 (the
pose net). `hrnet_w18_small` is the first version of the small net, which no paper lists: a
branch of 16 channels, one module in a stage, two blocks in a branch, one block in stage 1.

Three nets on one trunk. `hrnet_w32` classifies: its branches are widened, and each is added to the
next smaller one on the way down to 2048 channels. `hrnet_w32_backbone` is the trunk alone: its
branches are brought to the size of the largest and laid side by side. `hrnet_w32_pose` gives
heatmaps, a 1x1 convolution of the largest branch; as its last module feeds no other branch, its
trunk has fewer parameters.

Input: pictures [B, H, W, C] normalised by the constants of the row, H and W multiples of 32. The
size in the row is the published one (of poses, the longer side of 256 x 192).
"""

import dataclasses
import functools

import flax.linen as nn
import jax.numpy as jnp

from errors import UserError
from nets import layers
from nets.options import NetOptions, Row

MULTIPLE_PX = 32  # the smallest branch has this many times fewer rows than the picture
MERGE_WIDTHS = (32, 64, 128, 256)  # of the classifier's bottlenecks; four times that comes out
LAST_WIDTH = 2048
KINDS = ('classifier', 'backbone', 'pose')


class BasicBlock(nn.Module):
  """Two 3x3 convolutions, added to their input."""

  make: layers.Constructors

  @nn.compact
  def __call__(self, x):
    width = x.shape[-1]
    y = self.make.conv(width, 3, padding=1, name='conv1')(x)
    y = self.make.act(self.make.norm(name='norm1')(y))
    y = self.make.conv(width, 3, padding=1, name='conv2')(y)
    return layers.hold(self.make.act(self.make.norm(name='norm2')(y) + x))


class BottleneckBlock(nn.Module):
  """A 3x3 convolution between two 1x1 ones, the last four times as wide, and the shortcut."""

  width: int
  make: layers.Constructors

  @nn.compact
  def __call__(self, x):
    y = self.make.conv(self.width, 1, name='conv1')(x)
    y = self.make.act(self.make.norm(name='norm1')(y))
    y = self.make.conv(self.width, 3, padding=1, name='conv2')(y)
    y = self.make.act(self.make.norm(name='norm2')(y))
    y = self.make.conv(4 * self.width, 1, name='conv3')(y)
    y = self.make.norm(name='norm3')(y)
    if x.shape[-1] != 4 * self.width:
      x = self.make.conv(4 * self.width, 1, name='shortcut_conv')(x)
      x = self.make.norm(name='shortcut_norm')(x)
    return layers.hold(self.make.act(y + x))


class BiasedConvNormAct(nn.Module):
  """As ConvNormAct, and the convolution has a bias (which the BatchNorm after it takes out)."""

  features: int
  kernel_size: int
  make: layers.Constructors
  stride: int = 1

  @nn.compact
  def __call__(self, x):
    x = self.make.conv(self.features, self.kernel_size, stride=self.stride,
                       padding=self.kernel_size // 2, use_bias=True, name='conv')(x)
    return self.make.act(self.make.norm(name='norm')(x))


class HighResolutionModule(nn.Module):
  """Every branch passes its blocks; then each becomes a sum of all, brought to its size.

  A smaller branch is brought to fewer channels and repeated, a larger one halved by convolutions.

  Args of construction:
    depth: blocks of each branch.
    num_fused: how many of the branches, from the largest, come out.
  """

  depth: int
  num_fused: int
  make: layers.Constructors

  @nn.compact
  def __call__(self, branches):
    outputs = []
    for number, x in enumerate(branches, start=1):
      for index in range(1, self.depth + 1):
        x = BasicBlock(self.make, name=f'branch{number}_block{index}')(x)
      outputs.append(x)
    return [self._fuse(outputs, target) for target in range(self.num_fused)]

  def _fuse(self, branches, target):
    """The sum of all branches in the size and with the channels of `target`, counted from 0."""
    width = branches[target].shape[-1]
    return layers.hold(self.make.act(sum(
      self._bring(x, source, target, width) for source, x in enumerate(branches))))

  def _bring(self, x, source, target, width):
    """Branch `source`, counted from 0, in the size and with the channels of branch `target`."""
    name = f'fuse{source + 1}_to{target + 1}'
    if source > target:
      x = layers.ConvNormAct(width, 1, act=False, make=self.make, name=name)(x)
      return layers.repeat_pixels(x, 2 ** (source - target))
    for step in range(1, target - source + 1):
      last = step == target - source
      x = layers.ConvNormAct(
        width if last else x.shape[-1], 3, stride=2, padding=1, act=not last,
        make=self.make, name=f'{name}_step{step}')(x)
    return x


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant(Row):
  """One net of the family. `width` is C, the channels of the largest branch."""

  width: int
  kind: str = 'classifier'  # one of KINDS
  stem_depth: int = 4  # blocks of stage 1
  stem_width: int = 64
  modules: tuple[int, ...] = (1, 4, 3)  # of stages 2, 3 and 4
  depth: int = 4  # blocks of each branch of a module


class HRNet(nn.Module):
  """Image -> (output, taps).

  Args of a call:
    image: [B, H, W, C], normalised; H and W multiples of 32.
    train: True uses and updates batch statistics and drops features (rng 'dropout').

  Returns:
    output: float32 [B, num_outputs] logits, or heatmaps [B, H/4, W/4, num_outputs] of a pose net;
      the features themselves when num_outputs is 0.
    taps: stem [B, H/4, W/4, 64]; stage1 [B, H/4, W/4, 256], and stage2 to stage4, the largest
      branch at the end of each [B, H/4, W/4, C]; the smaller ones are stage2_branch2, ...,
      stage4_branch4 [B, H/32, W/32, 8C]. features_2d: what the head sees: [B, H/32, W/32, 2048] of
      a classifier, [B, H/4, W/4, 15C] of a backbone, stage4 of a pose net; features: float32, its
      mean over the picture.

  Raises:
    UserError: when a side of the picture is no multiple of 32.
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    _check_size(image)
    make = layers.make_constructors(self.options, train=train)
    taps = {}
    x = layers.ConvNormAct(64, 3, stride=2, padding=1, make=make, name='stem1')(image)
    x = layers.ConvNormAct(64, 3, stride=2, padding=1, make=make, name='stem2')(x)
    taps['stem'] = x
    bottleneck = layers.rematerialise(BottleneckBlock, self.options, 'stage1')
    for index in range(1, self.row.stem_depth + 1):
      x = bottleneck(self.row.stem_width, make, name=f'stage1_block{index}')(x)
    taps['stage1'] = x

    branches = [x]
    for stage, count in enumerate(self.row.modules, start=2):
      branches = self._branch_out(branches, stage, make)
      module = layers.rematerialise(HighResolutionModule, self.options, f'stage{stage}')
      for index in range(1, count + 1):
        alone = self.row.kind == 'pose' and stage == 4 and index == count
        branches = module(self.row.depth, 1 if alone else stage, make,
                          name=f'stage{stage}_module{index}')(branches)
      taps[f'stage{stage}'] = branches[0]
      for number, x in enumerate(branches[1:], start=2):
        taps[f'stage{stage}_branch{number}'] = x

    x = taps['features_2d'] = self._join(branches, make)
    taps['features'] = x.mean(axis=(1, 2), dtype=jnp.float32)
    if self.row.kind == 'pose' and self.num_outputs:
      return self._heatmaps(x), taps
    return layers.apply_head(
      taps['features'], self.num_outputs, self.options, train=train), taps

  def _branch_out(self, branches, stage, make):
    """Adds a branch of half the size, made from the smallest, and sets the channels of stage 2."""
    conv = functools.partial(layers.ConvNormAct, kernel_size=3, padding=1, make=make)
    smallest, width, name = branches[-1], self.row.width, f'transition{stage - 1}_branch'
    if stage == 2 and smallest.shape[-1] != width:
      branches = [conv(width, name=f'{name}1')(smallest)]
    return [*branches, conv(width * 2 ** (stage - 1), stride=2, name=f'{name}{stage}')(smallest)]

  def _join(self, branches, make):
    """Returns the map that the head sees."""
    if self.row.kind == 'pose':
      return branches[0]
    if self.row.kind == 'backbone':
      return jnp.concatenate(
        [layers.repeat_pixels(x, 2 ** index) for index, x in enumerate(branches)], axis=-1)
    widened = [BottleneckBlock(width, make, name=f'merge_branch{number}')(x)
               for number, (x, width) in enumerate(zip(branches, MERGE_WIDTHS, strict=True), 1)]
    x = widened[0]
    for number, smaller in enumerate(widened[1:], start=2):
      x = smaller + BiasedConvNormAct(
        smaller.shape[-1], 3, make, stride=2, name=f'merge_down{number}')(x)
    return BiasedConvNormAct(LAST_WIDTH, 1, make, name='merge_last')(x)

  def _heatmaps(self, x):
    return layers.Conv(
      self.num_outputs, 1, use_bias=True, dtype=jnp.float32, param_dtype=self.options.param_dtype,
      kernel_init=nn.initializers.normal(0.001), bias_init=layers.make_bias_init(self.options),
      name='head')(x)


def _check_size(image):
  height, width = image.shape[1:3]
  if height % MULTIPLE_PX or width % MULTIPLE_PX:
    raise UserError(f'HRNet takes pictures whose sides are multiples of {MULTIPLE_PX} px and got '
                    f'{height} x {width}; choose another size of the pictures.')


_SMALL = dict(width=16, stem_depth=1, stem_width=32, modules=(1, 1, 1), depth=2)
_TRUNKS = {'w18_small': _SMALL, 'w32': dict(width=32), 'w48': dict(width=48)}
_SIZES_PX = {'classifier': 224, 'backbone': 224, 'pose': 256}

VARIANTS = {
  f'hrnet_{trunk}' + ('' if kind == 'classifier' else f'_{kind}'):
    Variant(kind=kind, input_size_px=_SIZES_PX[kind], **sizes)
  for kind in KINDS for trunk, sizes in _TRUNKS.items()}

NET = HRNet
