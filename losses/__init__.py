"""Losses: element-wise functions of logits, written by hand, without a reduction."""

from losses.asymmetric import asymmetric
from losses.focal import focal
from losses.sigmoid_cross_entropy import sigmoid_cross_entropy

# File name -> its function, `loss(logits, labels, *, hyper-parameters)`.
LOSSES = {
  'sigmoid_cross_entropy': sigmoid_cross_entropy,
  'focal': focal,
  'asymmetric': asymmetric,
}
