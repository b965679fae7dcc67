"""Trees of arrays by name: `params/Dense_0/kernel`, whatever the classes on the way."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError


def flatten_names(tree) -> dict:
  """Returns {name: leaf} in the order of `jax.tree.leaves`; names join keys and fields with '/'."""
  pairs = jax.tree_util.tree_leaves_with_path(tree)
  flat = {jax.tree_util.keystr(path, simple=True, separator='/'): leaf for path, leaf in pairs}
  if len(flat) != len(pairs):
    raise ValueError('two leaves of the tree have the same name')
  return flat


def unflatten_names(flat: dict) -> dict:
  """Returns the nested dict of {name: leaf}: names split at '/'."""
  nested = {}
  for name, leaf in flat.items():
    *folders, last = name.split('/')
    inner = nested
    for key in folders:
      inner = inner.setdefault(key, {})
    inner[last] = leaf
  return nested


def describe(tree) -> dict:
  """Returns {name: [dtype, shape]} of a tree of arrays or ShapeDtypeStructs."""
  return {name: [str(np.dtype(leaf.dtype)), list(leaf.shape)]
          for name, leaf in flatten_names(tree).items()}


def diff_trees(stored: dict, wanted: dict) -> list[str]:
  """Returns one line for each difference between two results of `describe`, both sides named."""
  lines = [f'only in the checkpoint: {name} {_text(stored[name])}'
           for name in sorted(stored.keys() - wanted.keys())]
  lines += [f'only in the model: {name} {_text(wanted[name])}'
            for name in sorted(wanted.keys() - stored.keys())]
  lines += [f'different: {name} is {_text(stored[name])} in the checkpoint and '
            f'{_text(wanted[name])} in the model'
            for name in sorted(stored.keys() & wanted.keys()) if stored[name] != wanted[name]]
  return lines


def check_fits(what, stored: dict, wanted) -> None:
  """Raises UserError with the differences when a checkpoint `what` does not fit the wanted tree."""
  lines = diff_trees(stored, describe(wanted))
  if lines:
    more = f'\n  ... and {len(lines) - 20} more' if len(lines) > 20 else ''
    raise UserError(f'checkpoint {what} is of another model:\n  ' + '\n  '.join(lines[:20])
                    + f'{more}\nUse the config it was saved with.')


def params_digest(tree) -> str:
  """SHA-256 (hex) over name, dtype, shape and bytes of every leaf, sorted by name.

  Equal digests mean equal bits; the layout over devices does not matter.
  """
  digest = hashlib.sha256()
  for name, leaf in sorted(flatten_names(tree).items()):
    array = np.asarray(leaf)
    digest.update(f'{name} {array.dtype} {array.shape}\n'.encode())
    digest.update(np.ascontiguousarray(array).tobytes())
  return digest.hexdigest()


def state_digest(state) -> dict[str, str]:
  """Returns {'params_digest', 'state_digest'} of a TrainState, for run.json."""
  return {'params_digest': params_digest(state.params), 'state_digest': params_digest(state)}


def copy_to_host(tree):
  """Returns the tree as numpy arrays that share no memory with it.

  On a CPU numpy otherwise only looks into JAX's buffers, which the next step is given to overwrite.
  """
  for leaf in jax.tree.leaves(tree):
    if isinstance(leaf, jax.Array):
      leaf.copy_to_host_async()
  return jax.tree.map(lambda leaf: np.array(leaf, copy=True), tree)


def find_non_finite(tree) -> list[str]:
  """Returns the names of leaves that hold NaN or infinite values.

  A scalar may be infinite: optimizers start a best value there.

  Args:
    tree: of numpy arrays.
  """
  return [name for name, leaf in flatten_names(tree).items() if not _is_finite(leaf)]


def _is_finite(array):
  if not jnp.issubdtype(array.dtype, jnp.inexact):
    return True
  if array.ndim == 0:
    return not np.isnan(array)
  # A sum reads the memory once and is not finite if a value is not; it may also just overflow.
  with np.errstate(over='ignore', invalid='ignore'):
    return bool(np.isfinite(np.sum(array)) or np.isfinite(array).all())


def _text(entry):
  dtype, shape = entry
  return f'{dtype}[{",".join(map(str, shape))}]'
