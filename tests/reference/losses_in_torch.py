"""Writes losses_in_torch.json: published loss formulas and their gradients, computed by PyTorch.

Run where torch is installed (the project itself does not need it), from the root of the checkout:

    python tests/reference/losses_in_torch.py

focal: the formula of torchvision.ops.sigmoid_focal_loss. asymmetric: the formula of the reference
implementation of Ridnik et al. (arXiv 2009.14119), without its floor of 1e-8 under the logarithm.
Both are typed in here from their definitions, in float64, and differentiated by autograd. Softmax
cross-entropy, squared error and its root are torch's own; the hinge is typed in from Crammer's and
Singer's equation, with torch's `amax`, which shares the gradient between equal rivals.
"""

import functools
import json
import pathlib

import torch
import torch.nn.functional as F


def focal(logits, labels, alpha, gamma):
  """Formula of torchvision.ops.sigmoid_focal_loss with reduction='none'."""
  p = torch.sigmoid(logits)
  cost = F.binary_cross_entropy_with_logits(logits, labels, reduction='none')
  p_of_label = p * labels + (1 - p) * (1 - labels)
  loss = cost * (1 - p_of_label) ** gamma
  if alpha >= 0:
    loss = (alpha * labels + (1 - alpha) * (1 - labels)) * loss
  return loss


def asymmetric(logits, labels, gamma_positive, gamma_negative, clip):
  """Formula of the asymmetric loss, whole gradient, not summed."""
  p = torch.sigmoid(logits)
  not_p = 1 - p
  if clip > 0:
    not_p = (not_p + clip).clamp(max=1)
  log_likelihood = labels * torch.log(p) + (1 - labels) * torch.log(not_p)
  p_of_label = p * labels + not_p * (1 - labels)
  gamma = gamma_positive * labels + gamma_negative * (1 - labels)
  return -log_likelihood * (1 - p_of_label) ** gamma


def tabulate(function, labels, settings):
  """Returns one row: the setting, logits, labels, values and gradients."""
  grid = torch.linspace(-9, 9, 25, dtype=torch.float64)
  logits = grid.repeat(len(labels)).requires_grad_()
  labels = torch.tensor(labels, dtype=torch.float64).repeat_interleave(len(grid))
  values = function(logits, labels, **settings)
  values.sum().backward()
  columns = dict(logits=logits, labels=labels, values=values, gradients=logits.grad)
  return dict(settings=settings, **{name: one.tolist() for name, one in columns.items()})


def hinge(logits, labels, margin):
  """Crammer's and Singer's hinge."""
  true = F.one_hot(labels, logits.shape[-1]).bool()
  rival = logits.masked_fill(true, -torch.inf).amax(dim=-1)
  return (margin + rival - logits[true]).clamp(min=0)


def tabulate_examples(function, labels, settings):
  """Returns one row: the setting, outputs [8, 5], labels, values and gradients."""
  generator = torch.Generator().manual_seed(0)
  outputs = 4 * torch.randn(8, 5, dtype=torch.float64, generator=generator)
  outputs[0] = torch.tensor([90, -90, 0, 90, 1])  # a tie at the top, far apart from the rest
  outputs.requires_grad_()
  values = function(outputs, labels, **settings)
  values.sum().backward()
  columns = dict(outputs=outputs, labels=labels, values=values, gradients=outputs.grad)
  return dict(settings=settings, **{name: one.tolist() for name, one in columns.items()})


def per_example():
  """Returns the tables of the losses that give one number for an example, and of squared error."""
  classes = torch.tensor([1, 0, 4, 2, 3, 3, 0, 1])
  soft = torch.softmax(torch.linspace(-2, 2, 40, dtype=torch.float64).reshape(8, 5) ** 3, dim=-1)
  entropy = functools.partial(F.cross_entropy, reduction='none')
  return {
    'softmax_cross_entropy': [tabulate_examples(entropy, labels, dict(label_smoothing=smoothing))
                              for labels in (classes, soft) for smoothing in (0.0, 0.1)],
    'multiclass_hinge': [tabulate_examples(hinge, classes, dict(hinge_margin=margin))
                         for margin in (1.0, 0.25)],
    'squared_error': [tabulate_examples(functools.partial(F.mse_loss, reduction='none'), soft, {})],
    'root_squared_error': [tabulate_examples(
      lambda x, y: F.mse_loss(x, y, reduction='none').mean(dim=-1).sqrt(), soft, {})],
  }


def main():
  table = {
    'focal': [
      tabulate(focal, [0, 0.3, 1], dict(focal_alpha=alpha, focal_gamma=gamma))
      for alpha, gamma in [(-1, 0), (-1, 2), (0.25, 2), (0.25, 0.5), (0.75, 1), (0.5, 5)]],
    'asymmetric': [
      tabulate(asymmetric, [0, 1], dict(gamma_positive=one, gamma_negative=two, clip=clip))
      for one, two, clip in [(0, 0, 0), (0, 4, 0.05), (1, 4, 0.05), (1, 2, 0), (0.5, 1.5, 0.2)]],
    **per_example(),
  }
  path = pathlib.Path(__file__).with_suffix('.json')
  path.write_text(json.dumps({'torch': torch.__version__, **table}) + '\n')


if __name__ == '__main__':
  main()
