"""Runs timm's models for make_nets.py."""

import numpy as np
import timm
import torch

from tests.reference import fill


def create(row):
  """Builds a row's model and fills its weights by the rule of fill.py."""
  model = build(row.model, dict(row.options, drop_rate=0.0))
  state = {key: torch.from_numpy(np.asarray(fill.fill(key, tuple(value.shape), row.gain)))
           for key, value in model.state_dict().items() if value.dtype.is_floating_point}
  model.load_state_dict(state, strict=False)
  return model


def build(model, options):
  """Returns timm's model, or with heatmaps=K the pose net that HRNet's authors make of its trunk.

  Theirs (github.com/leoxiaobin/deep-high-resolution-net.pytorch, lib/models/pose_hrnet.py) has the
  modules and names of timm's; its last one makes the largest branch alone, of which a 1x1
  convolution makes heatmaps.
  """
  options = dict(options)
  heatmaps = options.pop('heatmaps', 0)
  net = timm.create_model(model, pretrained=False, **options)
  if heatmaps:
    net.stage4, widths = net._make_stage(
      net.stage4_cfg, list(net.stage4_cfg['num_channels']), multi_scale_output=False)
    net.incre_modules = net.downsamp_modules = None
    net.global_pool = net.head_drop = net.classifier = torch.nn.Identity()
    net.final_layer = torch.nn.Conv2d(widths[0], heatmaps, 1)
    net.forward_head = lambda branches: net.final_layer(branches[0])
  return net


def list_weights(model, options):
  """Returns ({key: shape} of what a model learns and measures, how many values it learns)."""
  with torch.device('meta'):
    model = build(model, options)
  shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()
            if not key.endswith('num_batches_tracked')}
  return shapes, sum(parameter.numel() for parameter in model.parameters())


def run(model, row, image, *, train):
  """Runs one batch.

  Returns:
    taps: {tap: numpy array, channels last}, with 'output'.
    statistics: {key of the running mean: dict(mean=, var=)} of every BatchNorm, as this batch has
      them; empty in inference.
  """
  taps, sizes = {}, {}

  def keep(tap, index):
    def hook(module, inputs, output):
      taps[tap] = _channels_last(output[int(index)] if index else output)
    return hook

  def keep_size(name):
    def hook(module, inputs):
      sizes[name] = inputs[0].numel() // inputs[0].shape[1]
    return hook

  norms = {name: module for name, module in model.named_modules()
           if isinstance(module, torch.nn.BatchNorm2d)}
  hooks = []
  for tap, place in row.taps.items():
    name, _, index = place.partition(':')
    hooks.append(model.get_submodule(name).register_forward_hook(keep(tap, index)))
  hooks += [norm.register_forward_pre_hook(keep_size(name)) for name, norm in norms.items()]
  for norm in norms.values():
    norm.momentum = 1.0  # the running statistics become the batch's own
  model.train(train)
  with torch.no_grad():
    output = model(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()))
  for hook in hooks:
    hook.remove()
  output = output if isinstance(output, tuple) else (output,)
  taps |= {key: _channels_last(value)
           for key, value in zip(('output', 'aux_output'), output, strict=False)}
  return taps, _batch_statistics(norms, sizes) if train else {}


def _channels_last(value):
  value = value.detach()
  if value.ndim == 3:  # a class token and patches: without the token
    value = value[:, 1:]
  return (value.permute(0, 2, 3, 1) if value.ndim == 4 else value).contiguous().numpy().copy()


def _batch_statistics(norms, sizes):
  """torch divides a variance by one less than the number of values; undo it."""
  return {f'{name}.running_mean': dict(
    mean=norm.running_mean.numpy().copy(),
    var=norm.running_var.numpy() * (1 - 1 / sizes[name])) for name, norm in norms.items()}
