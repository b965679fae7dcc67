"""Weights that another run, timm or Keras learned, into the variables of a net; and out, for timm.

Every array of the net is looked up by its name in the other naming and must have its shape there.
What may differ is adapted or left, and the account says so: the head (other outputs), the first
convolution (other input channels), positions (other sizes of pictures), and with `partial=True`
parts that the file lacks.
"""

import json
import re

import jax
import numpy as np

from errors import UserError
from train_lib.storage import records
from train_lib.trees import flatten_names
from train_lib.weights import weight_files
from train_lib.weights.weight_account import Account
from train_lib.weights.weight_matching import check_pixels, match_all, view_of
from train_lib.weights.weight_sources import open_source

NO_WEIGHTS = re.compile(r'.*num_batches_tracked|normalization/\w+')  # counters, constants


def load_weights(source, variables: dict, *, names: dict, head: str = 'auto',
                 partial: bool = False, checkpoint: str = 'latest', net: str = '',
                 pixels: tuple = (), outputs: tuple = ()) -> tuple[dict, Account]:
  """Reads weights into a net's variables.

  Args:
    source: a path or name of `weight_files.open_weights`, or the folder of a run of ours.
    variables: {'params', 'batch_stats'} of a fresh net, arrays.
    names: of `nets.weight_names.get_weight_names`.
    head: 'keep' wants the source's head, which must fit; 'fresh' leaves the net's own; 'auto' keeps
      it where the outputs are the same, and takes over those of the same names where the names of
      both are known.
    partial: True lets the source lack parts of the net, which keep their initial values.
    checkpoint: of a run, 'latest' or 'best'.
    net: what this net is called; a source that names another one is told of.
    pixels: (mean, std) in 0..255 that the net's pictures are normalised by, compared with what the
      source says; () compares nothing.
    outputs: what the head's outputs mean, likewise.

  Returns:
    (variables with numpy arrays where something was loaded, Account).

  Raises:
    UserError: when the source cannot be read or does not fit.
  """
  wanted = flatten_names(variables)
  with open_source(source, checkpoint) as stored:
    view = view_of(source, stored.library, names)
    found, initial = match_all(source, stored, wanted, view, head=head, partial=partial,
                               outputs=outputs)
    check_pixels(source, stored, names, pixels)
    values = {name: _read(source, stored.arrays, view, match, name, wanted[name])
              for name, match in found.items()}
  used = {match.key for match in found.values()}
  models = {net, *(theirs.model for theirs in names.values())}
  account = Account(
    source=str(source), library=stored.library,
    other_net=stored.net if net and stored.net and stored.net not in models else '',
    loaded={name: match.key for name, match in found.items()},
    adapted={name: match.how for name, match in found.items() if match.how}, initial=initial,
    unused=tuple(key for key in stored.arrays
                 if key not in used and not NO_WEIGHTS.fullmatch(key)),
    sizes={name: leaf.size for name, leaf in wanted.items()})
  leaves = [values.get(name, leaf) for name, leaf in wanted.items()]
  return jax.tree.unflatten(jax.tree.structure(variables), leaves), account


def check_weights(source, variables: dict, *, names: dict, head: str, partial: bool,
                  checkpoint: str, pixels: tuple) -> None:
  """Raises what `load_weights` would, as far as names and shapes tell; reads no values.

  Args: those of `load_weights`; variables: shapes, of a net with any number of outputs.
  """
  with open_source(source, checkpoint) as stored:
    view = view_of(source, stored.library, names)
    match_all(source, stored, flatten_names(variables), view, partial=partial,
              head='auto' if head == 'keep' else head)
    check_pixels(source, stored, names, pixels)


def _read(source, arrays, view, match, name, leaf):
  value = view.from_array(name, weight_files.read_array(source, match.key, arrays[match.key]))
  if name.endswith('/var') and (value < 0).any():
    raise UserError(f'{match.key} in {source} holds variances below zero; the file is of no use.')
  return np.ascontiguousarray(match.adapt(value), leaf.dtype)


def save_weights(path, variables: dict, names, *, net: str = '', pixels: tuple = (),
                 outputs: tuple = ()) -> None:
  """Writes a net's variables as .safetensors that timm's net of that name loads.

  Args:
    path: of the new file; a file that is there is replaced once the new one is whole.
    variables: {'params', 'batch_stats'}.
    names: the `WeightNames` of timm.
    net, pixels, outputs: what the file says of itself, see `load_weights`.

  Raises:
    UserError: when the path does not end in .safetensors or cannot be written.
  """
  from safetensors.numpy import save
  path = records.absolute(path)
  if path.suffix != '.safetensors':
    raise UserError(f'weights are written as .safetensors; {path} ends otherwise.')
  arrays = {}
  for name, leaf in flatten_names(variables).items():
    inner = tuple(name.split('/')[1:])
    key = names.to_key(inner)
    if key in arrays:
      raise ValueError(f'two arrays of the net are called {key}')
    arrays[key] = np.ascontiguousarray(names.to_array(inner, np.asarray(leaf, np.float32)))
  said = {'format': 'pt', 'net': net, 'pixels': pixels, 'outputs': outputs}
  try:
    records.write_bytes(path, save(arrays, metadata={
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in said.items() if value}))
  except OSError as error:
    raise UserError(f'{path} could not be written: {error.strerror or error}.') from error
