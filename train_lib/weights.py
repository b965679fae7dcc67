"""Weights that another run, timm or Keras learned, into the variables of a net; and out, for timm.

Every array of the net is looked up by its name in the other naming and must have its shape there.
Three things may differ, and the account says so: the head (other outputs), the first convolution
(other input channels, see `adapt_channels`), and with `partial=True` parts that the file lacks.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
from collections.abc import Callable

import jax
import numpy as np

from errors import UserError
from train_lib import records, weight_files, workdir
from train_lib.checkpoints import Checkpoints
from train_lib.tasks import get_task
from train_lib.trees import flatten_names
from train_lib.weight_account import Account, few, grouped, plain
from train_lib.weight_files import StoredArray

HEADS = ('head', 'aux_logits/fc')  # modules with the number of outputs, so named in every net
HEAD_CHOICES = ('auto', 'keep', 'fresh')
ABSENT = 'not in the file'
MOST_CHANNELS = 15  # of a picture; wider convolutions lie further in
NO_WEIGHTS = re.compile(r'.*num_batches_tracked|normalization/\w+')  # counters, constants


# In ---------------------------------------------------------------------------------------------


def load_weights(source, variables: dict, *, names: dict, head: str = 'auto',
                 partial: bool = False, checkpoint: str = 'latest',
                 pixels: tuple = ()) -> tuple[dict, Account]:
  """Reads weights into a net's variables.

  Args:
    source: a path or name of `weight_files.open_weights`, or the folder of a run of ours.
    variables: {'params', 'batch_stats'} of a fresh net, arrays.
    names: of `nets.weight_names.get_weight_names`.
    head: 'keep' wants the source's head, which must fit; 'fresh' leaves the net's own; 'auto' keeps
      it where the number of outputs is the same.
    partial: True lets the source lack parts of the net, which keep their initial values.
    checkpoint: of a run, 'latest' or 'best'.
    pixels: (mean, std) in 0..255 that the net's pictures are normalised by; () does not compare
      them with those that a Keras EfficientNet's file holds.

  Returns:
    (variables with numpy arrays where something was loaded, Account).

  Raises:
    UserError: when the source cannot be read or does not fit.
  """
  check_source(source, head=head, checkpoint=checkpoint)
  wanted = flatten_names(variables)
  with _open(source, checkpoint) as (library, arrays):
    view = _view(source, library, names)
    found, initial = _find(wanted, arrays, view, head)
    _check(source, wanted, arrays, view, found, initial, partial, head)
    _check_pixels(source, library, names, arrays, pixels)
    values = {name: _read(source, arrays, view, match, name, wanted[name])
              for name, match in found.items()}
  used = {match.key for match in found.values()}
  account = Account(
    source=str(source), library=library,
    loaded={name: match.key for name, match in found.items()},
    adapted={name: match.how for name, match in found.items() if match.how}, initial=initial,
    unused=tuple(key for key in arrays if key not in used and not NO_WEIGHTS.fullmatch(key)),
    sizes={name: leaf.size for name, leaf in wanted.items()})
  leaves = [values.get(name, leaf) for name, leaf in wanted.items()]
  return jax.tree.unflatten(jax.tree.structure(variables), leaves), account


def check_source(source, *, head: str, checkpoint: str) -> None:
  """Raises UserError when weights cannot be read from there; opens nothing, '' is no source."""
  for key, value, choices in (('head', head, HEAD_CHOICES),
                              ('checkpoint', checkpoint, ('latest', 'best'))):
    if value not in choices:
      raise UserError(f"net.init_{key} is '{value}'; choices: {', '.join(choices)}.")
  if source and not _is_run(source):
    weight_files.check_path(source)


def _is_run(source) -> bool:
  return not str(source).startswith(weight_files.HUB) and records.absolute(source).is_dir()


def adapt_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
  """Turns a first convolution into one for pictures of another number of channels, as timm does.

  One channel: the sum over the old ones, so that a grey picture gives what it gave as red, green
  and blue. More: the old ones in turn, times old over new, so that the response keeps its size.

  Args:
    kernel: [height, width, old, features].
    channels: new.

  Returns:
    [height, width, channels, features].
  """
  old = kernel.shape[2]
  if channels == 1:
    return kernel.sum(axis=2, keepdims=True)
  return kernel[:, :, np.arange(channels) % old] * (old / channels)


@dataclasses.dataclass(frozen=True)
class _View:
  """The names and layouts of a source. Attributes: of `WeightNames`, of whole names of ours."""
  to_key: Callable
  to_array: Callable
  from_array: Callable


@dataclasses.dataclass(frozen=True)
class _Match:
  key: str
  misfit: str = ''  # why it cannot be loaded
  how: str = ''  # how it is adapted


@contextlib.contextmanager
def _open(source, checkpoint):
  if not _is_run(source):
    with weight_files.open_weights(source) as (library, arrays):
      yield library, arrays
    return
  folder = workdir.existing_workdir(source)
  task = get_task(workdir.load_config(folder / 'config.json').task)
  checkpoints = Checkpoints(folder / 'checkpoints', keep_last=1, config_digest='',
                            keep_best_metric=task.best_metric)
  variables, _ = checkpoints.restore_variables(checkpoint)
  yield 'oko', {name: StoredArray(leaf.shape, str(leaf.dtype), lambda leaf=leaf: leaf)
                for name, leaf in flatten_names(variables).items()}


def _view(source, library, names):
  if library == 'oko':
    return _View(lambda name: name, lambda name, value: value, lambda name, value: value)
  if library not in names:
    raise UserError(f'{source} should hold names of {library}, which has no net like this one; '
                    f'name a file in the names of {", ".join(names) or "a run of this program"}.')
  theirs = names[library]
  def path(name):
    return tuple(name.split('/')[1:])  # without the collection
  return _View(lambda name: theirs.to_key(path(name)),
               lambda name, value: theirs.to_array(path(name), value),
               lambda name, value: theirs.from_array(path(name), value))


def _find(wanted, arrays, view, head):
  """Returns ({name: _Match}, {name: reason}): what to load, and what to leave as it is."""
  found, initial = {}, {}
  for name, leaf in wanted.items():
    key = view.to_key(name)
    if key in arrays:
      found[name] = _match(view, name, leaf.shape, key, arrays[key].shape)
    else:
      initial[name] = ABSENT
  for module in HEADS:
    inside = [name for name in wanted if name.startswith(f'params/{module}/')]
    reason = _why_fresh(head, module, [found.get(name) for name in inside])
    for name in inside if reason else ():
      found.pop(name, None)
      initial[name] = reason
  return found, initial


def _match(view, name, shape, key, stored):
  wanted = view.to_array(name, np.broadcast_to(np.float32(0), shape)).shape  # takes no memory
  if stored == wanted:
    return _Match(key)
  if len(shape) == len(stored) == 4:
    with contextlib.suppress(ValueError):
      old = view.from_array(name, np.broadcast_to(np.float32(0), stored)).shape
      same = old[:2] + old[3:] == shape[:2] + shape[3:]
      if same and 0 < old[2] <= MOST_CHANNELS and shape[2] <= MOST_CHANNELS:
        rule = 'summed' if shape[2] == 1 else f'taken in turn, times {old[2]}/{shape[2]}'
        return _Match(key, how=f'{old[2]} input channels to {shape[2]}: {rule}')
  return _Match(key, misfit=f'{plain(key)} {list(stored)} is for {name} {list(wanted)}')


def _why_fresh(head, module, matches):
  """Returns why a head keeps its initial values, or '' where it is loaded (or may fail)."""
  if head == 'fresh':
    return 'a fresh head was asked for'
  if head == 'keep' or not matches:
    return ''
  if not all(matches):
    return ABSENT
  misfits = [match.misfit for match in matches if match.misfit]
  return f'another number of outputs ({misfits[0]})' if misfits else ''


def _check(source, wanted, arrays, view, found, initial, partial, head):
  """Raises UserError when what was found is not good enough."""
  if not any(view.to_key(name) in arrays for name in wanted):
    theirs, ours = [plain(key) for key in arrays], [view.to_key(name) for name in wanted]
    raise UserError(f'{source} holds nothing of this net: it has {few(theirs) or "no arrays"}, and '
                    f'the net looks for {few(ours)}.')
  misfits = [match.misfit for match in found.values() if match.misfit]
  adapted = [match.key for match in found.values() if match.how]
  if len(adapted) > 1:  # only one convolution sees the picture
    misfits += [f'{plain(key)} has other input channels' for key in adapted]
  if misfits:
    raise UserError(f'{source} is of another net: {few(misfits, "; ")}.')
  free = () if head == 'keep' else tuple(f'params/{module}/' for module in HEADS)
  missing = [name for name, why in initial.items() if why == ABSENT and not name.startswith(free)]
  if missing and not partial:
    raise UserError(f'{source} lacks {len(missing)} of the {len(wanted)} arrays of this net: '
                    f'{grouped(missing)}; if they may keep their initial values, say '
                    'partial=True (net.init_partial).')


def _check_pixels(source, library, names, arrays, pixels):
  """Raises UserError when a file says that its net was trained on other pixels."""
  keys = ('normalization/mean', 'normalization/variance')
  if not (pixels and library in names and names[library].get_pixels
          and all(key in arrays and arrays[key].shape == (3,) for key in keys)):
    return
  theirs = names[library].get_pixels(
      *(weight_files.read_array(source, key, arrays[key]) for key in keys))
  if not np.allclose(theirs, pixels, rtol=1e-3):
    (mean, std), (our_mean, our_std) = np.round(theirs, 2).tolist(), np.round(pixels, 2).tolist()
    raise UserError(f'{source} was trained on (pixels - {mean}) / {std}, and this net takes '
                    f'(pixels - {our_mean}) / {our_std}: its weights would not mean the same here.')


def _read(source, arrays, view, match, name, leaf):
  value = weight_files.read_array(source, match.key, arrays[match.key])
  value = view.from_array(name, value)
  if match.how:
    value = adapt_channels(value, leaf.shape[2])
  return np.ascontiguousarray(value, leaf.dtype)


# Out --------------------------------------------------------------------------------------------


def save_weights(path, variables: dict, names) -> None:
  """Writes a net's variables as .safetensors that timm's net of that name loads.

  Args:
    path: of the new file; a file that is there is replaced once the new one is whole.
    variables: {'params', 'batch_stats'}.
    names: the `WeightNames` of timm.

  Raises:
    UserError: when the path does not end in .safetensors or cannot be written.
  """
  from safetensors.numpy import save
  path = pathlib.Path(path).expanduser()
  if path.suffix != '.safetensors':
    raise UserError(f'weights are written as .safetensors; {path} ends otherwise.')
  arrays = {}
  for name, leaf in flatten_names(variables).items():
    inner = tuple(name.split('/')[1:])
    value = names.to_array(inner, np.asarray(leaf, np.float32))
    key = names.to_key(inner)
    if key in arrays:
      raise ValueError(f'two arrays of the net are called {key}')
    arrays[key] = np.ascontiguousarray(value)
  part = path.with_name(f'.{path.name}.{os.getpid()}')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(save(arrays, metadata={'format': 'pt'}))
    os.replace(part, path)
  except OSError as error:
    with contextlib.suppress(OSError):
      part.unlink()
    raise UserError(f'{path} could not be written: {error.strerror or error}.') from error
