"""Arrays by name to and from a folder; the one module that knows Orbax."""

import errno
import logging
import os
import pathlib
import re
import sys
import tempfile

import jax
import numpy as np

from train_lib import trees
from train_lib.storage import remote


def write(folder, tree) -> dict | None:
  """Writes a tree of numpy arrays; the folder appears when all of it is there.

  Stored by name and not by class: to read it, nobody needs the optimizer's tuples. On this machine
  all of it has reached the disk then. What goes to a store is written into a temporary folder and
  copied from there, file by file.

  Returns:
    {name: {'bytes', 'blake2b'}} of the files in a store; None of a folder of this machine.
  """
  if not remote.is_remote(folder):
    _write(folder, tree)
    for path, _, names in os.walk(folder):
      to_disk(*(os.path.join(path, name) for name in names), path)
    return None
  with tempfile.TemporaryDirectory(prefix='oko-checkpoint-') as scratch:
    local = pathlib.Path(scratch) / 'arrays'
    _write(local, tree)
    return remote.put_folder(local, folder)


def to_disk(*paths) -> None:
  """Waits until files and the lists of names of folders are where a power cut does not take them.

  A store has all that it took, and some file systems cannot do it with a folder.
  """
  for path in paths:
    if remote.is_remote(path):
      continue
    handle = os.open(path, os.O_RDONLY)
    try:
      os.fsync(handle)
    except OSError as error:
      if error.errno not in (errno.EINVAL, errno.EBADF):
        raise
    finally:
      os.close(handle)


def _write(folder, tree):
  import orbax.checkpoint as ocp
  _quiet()
  alone = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
  handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
  with ocp.Checkpointer(handler, multiprocessing_options=alone) as writer:
    writer.save(folder, args=ocp.args.PyTreeSave(trees.unflatten_names(trees.flatten_names(tree))))


def read(folder, stored: dict, wanted: dict | None = None) -> dict:
  """Reads arrays by name; every process calls it.

  Args:
    folder: that `write` wrote, or its copy on this machine.
    stored: {name: [dtype, shape]} of arrays in it, of `trees.describe`.
    wanted: {name: ShapeDtypeStruct}, which fit `stored`; their shardings place the arrays.

  Returns:
    {name: array}: jax arrays in the order of `wanted`; numpy arrays of `stored` without it.
  """
  import orbax.checkpoint as ocp
  _quiet()
  args = {name: _restore_args(ocp, leaf)
          for name, leaf in (dict.fromkeys(stored) if wanted is None else wanted).items()}
  item = {name: jax.ShapeDtypeStruct(stored[name][1], stored[name][0]) for name in args}
  with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
    tree = reader.restore(folder, args=ocp.args.PyTreeRestore(
      item=trees.unflatten_names(item), restore_args=trees.unflatten_names(args),
      partial_restore=True))
  leaves = trees.flatten_names(tree)
  return {name: leaves[name] for name in args}


def reason(error: BaseException) -> str:
  """Returns in a few words why a write failed."""
  text = str(error).strip() or type(error).__name__
  code = re.search(r"os_error_code='(\d+)'", text)  # TensorStore hides it in a long line
  return os.strerror(int(code[1])) if code else text.splitlines()[0]


def _restore_args(ocp, leaf):
  if leaf is None:
    return ocp.RestoreArgs(restore_type=np.ndarray)
  sharding = getattr(leaf, 'sharding', None)
  return ocp.ArrayRestoreArgs(
    sharding=sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0]),
    global_shape=leaf.shape, dtype=leaf.dtype)


def _is_not_orbax(record):
  return '/orbax/' not in record.pathname


def _quiet():
  # It comments every save, and logs as tracebacks the errors that it raises anyway.
  logging.getLogger('absl').addFilter(_is_not_orbax)  # a second time it does nothing
  if getattr(sys.unraisablehook, '__name__', '') != _drop_closed_loops.__name__:
    sys.unraisablehook = _drop_closed_loops(sys.unraisablehook)


def _drop_closed_loops(hook):
  """After a failed write TensorStore calls back into the event loops that Orbax has closed."""
  def _drop_closed_loops(unraisable):
    if str(unraisable.exc_value) != 'Event loop is closed':
      hook(unraisable)
  return _drop_closed_loops
