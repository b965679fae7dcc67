"""Losses: functions of a net's outputs, written by hand, without a reduction over examples."""

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

# File name -> its function, `loss(logits, labels, *, hyper-parameters)`.
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
