"""Losses: functions of a net's outputs, written by hand, without a reduction over examples."""

import inspect

from losses.absolute_error import absolute_error
from losses.asymmetric import asymmetric
from losses.focal import focal
from losses.gaussian_kl import gaussian_kl
from losses.multiclass_hinge import multiclass_hinge
from losses.root_squared_error import root_squared_error
from losses.sigmoid_cross_entropy import sigmoid_cross_entropy
from losses.softmax_cross_entropy import softmax_cross_entropy
from losses.squared_error import squared_error
from losses.structural_dissimilarity import structural_dissimilarity

# File name -> its function, `loss(logits, labels, *, hyper-parameters)`. The names of its first two
# arguments tell what it is given: `logits`, or `outputs`, which are in the unit of the truth; and
# `labels` or `targets` shaped like them, or `classes`, integers.
LOSSES = {
  'sigmoid_cross_entropy': sigmoid_cross_entropy,
  'focal': focal,
  'asymmetric': asymmetric,
  'squared_error': squared_error,
  'softmax_cross_entropy': softmax_cross_entropy,
  'multiclass_hinge': multiclass_hinge,
  'root_squared_error': root_squared_error,
  'absolute_error': absolute_error,
  'structural_dissimilarity': structural_dissimilarity,
  'gaussian_kl': gaussian_kl,
}
# Those that give a number for every element [..., T]; the others give one for every example [...].
ELEMENT_WISE = ('sigmoid_cross_entropy', 'focal', 'asymmetric', 'squared_error', 'absolute_error',
                'gaussian_kl')
# Those that a task can be trained with.
TASK_LOSSES = {
  'tagging': ('sigmoid_cross_entropy', 'focal', 'asymmetric', 'squared_error'),
  'classification': ('softmax_cross_entropy', 'multiclass_hinge', 'squared_error'),
  'pose': ('squared_error',),
  'autoencoding': ('squared_error', 'absolute_error', 'sigmoid_cross_entropy',
                   'structural_dissimilarity'),
}


def hyper_parameters(loss) -> dict[str, tuple[float, float]]:
  """{name: (least, most)} of a loss's hyper-parameters: each a key of `config.loss` by that name.

  They are its keyword-only arguments without a default, `name: Annotated[float, least, most]`.
  Those with one are constants of the paper, or of no use in training.
  """
  return {name: one.annotation.__metadata__
          for name, one in inspect.signature(loss).parameters.items()
          if one.kind is one.KEYWORD_ONLY and one.default is one.empty}


def takes(loss) -> tuple[str, str]:
  """What a loss compares, the names of its first two arguments: ('logits', 'labels')."""
  first, second, *_ = inspect.signature(loss).parameters
  return first, second
