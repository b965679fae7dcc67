"""Muon: momentum whose singular values are all made alike; kernels alone, Adam for the rest."""

import math

import jax
import jax.numpy as jnp
import optax

from train_lib.trees import flatten_names

MOMENTUM = 0.95
RMS = 0.2                         # of an update's values: about that of Adam's


def muon(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformationExtraArgs:
  """Directions of Muon for kernels, and of Adam for biases, norms, embeddings and the head.

  A kernel [..., C] is a matrix of the product of its other axes and C: a filter of a convolution is
  one column. Nesterov momentum, five steps of Newton and Schulz's iteration (Optax's), then times
  RMS sqrt(larger side): updates have the size of Adam's, so that one learning rate and one decay
  serve both parts.

  Args:
    beta1, beta2, epsilon: of Adam.

  Source: Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein, Muon: An optimizer for hidden layers
  in neural networks, 2024; Liu et al., Muon is Scalable for LLM Training, 2025, arXiv 2502.16982,
  equation 4, for the size.
  """
  return optax.partition({
      'muon': optax.chain(
          optax.contrib.scale_by_muon(beta=MOMENTUM, weight_dimension_numbers=_as_matrices),
          optax.stateless(lambda updates, params: jax.tree.map(_match_adam, updates))),
      'adam': optax.scale_by_adam(beta1, beta2, epsilon)}, _parts)


def _parts(params):
  labels = ['muon' if _is_hidden(name) and leaf.ndim > 1 else 'adam'
            for name, leaf in flatten_names(params).items()]
  return jax.tree.unflatten(jax.tree.structure(params), labels)


def _is_hidden(name: str) -> bool:
  *modules, kind = name.split('/')
  return kind == 'kernel' and 'head' not in modules


def _as_matrices(kernels):
  return jax.tree.map(lambda kernel: optax.contrib.MuonDimensionNumbers(
      reduction_axis=tuple(range(kernel.ndim - 1)), output_axis=kernel.ndim - 1), kernels)


def _match_adam(update):
  side = max(math.prod(update.shape[:-1]), update.shape[-1])
  return update * jnp.asarray(RMS * math.sqrt(side), update.dtype)
