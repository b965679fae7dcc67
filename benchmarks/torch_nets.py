"""The torch twin of `se_resnet_tagger`, layer by layer, for the benchmarks beside torch.

Every other net is taken from timm. What is drawn before training differs from nets/se_resnet.py,
which changes nothing of the speed; layers, their order and their parameters are the same.
"""

import torch
from torch import nn


class SqueezeExcite(nn.Module):
  """Scales every channel by a gate computed from the mean of all channels."""

  def __init__(self, features: int, reduced_features: int):
    super().__init__()
    self.reduce = nn.Linear(features, reduced_features)
    self.expand = nn.Linear(reduced_features, features)

  def forward(self, x):
    scale = x.mean((2, 3))
    scale = torch.sigmoid(self.expand(torch.relu(self.reduce(scale))))
    return x * scale[:, :, None, None]


class BasicBlock(nn.Module):
  """Two 3x3 convolutions and a gate, added to the shortcut."""

  def __init__(self, features_in: int, width: int, stride: int):
    super().__init__()
    self.conv1 = nn.Conv2d(features_in, width, 3, stride, 1, bias=False)
    self.norm1 = nn.BatchNorm2d(width)
    self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
    self.norm2 = nn.BatchNorm2d(width)
    nn.init.zeros_(self.norm2.weight)
    self.squeeze_excite = SqueezeExcite(width, max(1, width // 16))
    self.shortcut = nn.Identity()
    if stride > 1 or features_in != width:
      self.shortcut = nn.Sequential(
          nn.Conv2d(features_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))
    self.act = nn.ReLU(inplace=True)

  def forward(self, x):
    shortcut = self.shortcut(x)
    x = self.act(self.norm1(self.conv1(x)))
    x = self.squeeze_excite(self.norm2(self.conv2(x)))
    return self.act(x + shortcut)


class SEResNetTagger(nn.Module):
  """float32 [B, 3, H, W] -> logits [B, num_outputs]; depths and widths as in nets/se_resnet.py."""

  def __init__(self, num_outputs: int, dropout_rate: float = 0.2, stem_width: int = 32,
               depths=(1, 1, 3, 3), widths=(32, 96, 256, 512)):
    super().__init__()
    self.stem = nn.Sequential(
        nn.Conv2d(3, stem_width, 7, 4, 3, bias=False), nn.BatchNorm2d(stem_width),
        nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
    blocks, features = [], stem_width
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
      for index in range(depth):
        blocks.append(BasicBlock(features, width, 2 if stage and not index else 1))
        features = width
    self.blocks = nn.Sequential(*blocks)
    self.dropout = nn.Dropout(dropout_rate)
    self.head = nn.Linear(features, num_outputs)

  def forward(self, x):
    return self.head(self.dropout(self.blocks(self.stem(x)).mean((2, 3))))


def focal(logits, labels, gamma: float = 2.0):
  """Element-wise focal loss, as losses/focal.py without weights: [B, T] of logits and 0 or 1."""
  plain = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction='none')
  p = torch.sigmoid(logits)
  return (p + labels - 2 * p * labels) ** gamma * plain


def build_net(name: str, num_outputs: int, dropout_rate: float, drop_path_rate: float):
  """(module, where it comes from). Args: name: 'se_resnet_tagger', or what timm calls the net."""
  if name == 'se_resnet_tagger':
    return SEResNetTagger(num_outputs, dropout_rate), 'benchmarks/torch_nets.py'
  import timm
  options = {'drop_path_rate': drop_path_rate} if drop_path_rate else {}
  return (timm.create_model(name, num_classes=num_outputs, drop_rate=dropout_rate, **options),
          f'timm {timm.__version__}')
