"""What stands before every optimizer: clipping, and decay added to the gradient."""

import jax
import optax


def gradient_chain(inner, config, *, coupled_decay: bool):
  """Clip, then L2 decay (unless the optimizer decouples it), then the optimizer itself."""
  parts = []
  if config.clip_norm > 0:
    parts.append(optax.clip_by_global_norm(config.clip_norm))
  if coupled_decay and config.weight_decay > 0:
    parts.append(optax.add_decayed_weights(config.weight_decay, mask=decay_mask))
  return optax.chain(*parts, inner)


def decay_mask(params):
  """True for kernels: biases, the scales of norms, tokens and positions are never decayed."""
  return jax.tree_util.tree_map_with_path(
      lambda path, leaf: jax.tree_util.keystr(path[-1:], simple=True) == 'kernel', params)
