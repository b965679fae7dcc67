"""Which array of a source belongs to which array of a net, and whether that will do."""

import contextlib
import dataclasses
from collections.abc import Callable

import numpy as np

from errors import UserError
from train_lib.weights import weight_files
from train_lib.weights.output_matching import match_outputs
from train_lib.weights.weight_account import few, grouped, plain
from train_lib.weights.weight_sources import RUN

HEADS = ('head', 'aux_logits/fc')  # modules with the number of outputs, so named in every net
HEAD_CHOICES = ('auto', 'keep', 'fresh')
ABSENT = 'not in the file'
OTHER_HEAD = 'there is no head of this kind'
BEYOND_MIXED8 = ('mixed_7b', 'mixed_7c')  # what Keras' front of Inception v3 lacks
MOST_CHANNELS = 15  # of a picture; wider convolutions lie further in


@dataclasses.dataclass(frozen=True)
class View:
  """The names and layouts of a source.

  Attributes: those of `WeightNames`, of whole names of ours, such as 'params/head/kernel'.
  """
  to_key: Callable
  to_array: Callable
  from_array: Callable
  resize: dict


@dataclasses.dataclass(frozen=True)
class Match:
  """An array of a source that has the name of one of ours.

  Attributes:
    misfit: why it cannot be loaded, or ''.
    same_axes: whether there are as many; the heads of nets of two kinds differ in that.
    how: how it is adapted, or ''.
    adapt: (array in our layout) -> array of our shape.
  """
  key: str
  misfit: str = ''
  same_axes: bool = True
  how: str = ''
  adapt: Callable = lambda value: value


def view_of(source, library: str, names: dict) -> View:
  """How a source names the arrays of a net. Args: names: of `nets.weight_names.get_weight_names`.

  Raises: UserError: the library has no such net.
  """
  if library == RUN:
    return View(lambda name: name, lambda name, value: value, lambda name, value: value,
                names['timm'].resize if names else {})
  if library not in names:
    raise UserError(f'{source} should hold names of {library}, which has no net like this one '
                    '(Keras has inception_v3_keras, inception_v3_mixed8, which is its front, '
                    'and tf_efficientnet_b0 to b7); name a file in '
                    f'the names of {", ".join(names) or "a run of this program"}.')
  theirs = names[library]

  def path(name):
    return tuple(name.split('/')[1:])  # without the collection

  return View(lambda name: theirs.to_key(path(name)),
              lambda name, value: theirs.to_array(path(name), value),
              lambda name, value: theirs.from_array(path(name), value), theirs.resize)


def match_all(source, stored, wanted: dict, view: View, *, head: str, partial: bool,
              outputs: tuple = ()) -> tuple[dict, dict]:
  """Finds the array of each of ours, and checks that they are good enough.

  Args:
    source: for messages.
    stored: StoredWeights.
    wanted: {name of ours: array or shape}.
    view: of `view_of`.
    head, partial, outputs: of `weights.load_weights`.

  Returns:
    ({name: Match}, {name: why it keeps its initial value}).

  Raises:
    UserError: when the source does not fit.
  """
  if head not in HEAD_CHOICES:
    raise UserError(f"net.init_head is '{head}'; choices: {', '.join(HEAD_CHOICES)}.")
  found, initial = {}, {}
  for name, leaf in wanted.items():
    key = view.to_key(name)
    if key in stored.arrays:
      found[name] = _match(view, name, leaf.shape, key, stored.arrays[key].shape)
    else:
      initial[name] = ABSENT
  others = bool(outputs and stored.outputs and tuple(outputs) != stored.outputs)
  named = match_outputs(tuple(outputs), stored.outputs) if others and head != 'fresh' else None
  by_name = {}
  for module in HEADS:
    inside = {name: leaf for name, leaf in wanted.items() if name.startswith(f'params/{module}/')}
    taken = _match_by_name(stored, view, inside, found, named) if named else {}
    reason = '' if taken else _why_fresh(head, [found.get(name) for name in inside], others)
    for name in inside if reason else ():
      found.pop(name, None)
      initial[name] = reason
    by_name |= taken
  if head == 'keep' and others:
    _check_kept(source, stored.outputs, tuple(outputs), named if by_name else None)
  found |= by_name
  _check(source, stored, wanted, view, found, initial, partial, head)
  return found, initial


def _match(view, name, shape, key, stored):
  wanted = view.to_array(name, np.broadcast_to(np.float32(0), shape)).shape  # takes no memory
  if stored == wanted:
    return Match(key)
  if (resize := view.resize.get(name.rpartition('/')[2])) and (how := resize.describe(
      stored, shape)):
    return Match(key, how=how, adapt=lambda value: resize(value, shape))
  if len(shape) == len(stored) == 4:
    with contextlib.suppress(ValueError):
      old = view.from_array(name, np.broadcast_to(np.float32(0), stored)).shape
      same = old[:2] + old[3:] == shape[:2] + shape[3:]
      if same and 0 < old[2] <= MOST_CHANNELS and shape[2] <= MOST_CHANNELS:
        rule = 'summed' if shape[2] == 1 else f'taken in turn, times {old[2]}/{shape[2]}'
        return Match(key, how=f'{old[2]} input channels to {shape[2]}: {rule}',
                     adapt=lambda value: adapt_channels(value, shape[2]))
  return Match(key, misfit=f'{plain(key)} {list(stored)} is for {name} {list(wanted)}',
               same_axes=len(stored) == len(wanted))


def _match_by_name(stored, view, inside, found, named):
  """{name: Match} of a dense head whose outputs are taken over by name; {} where it cannot be.

  The head of a pose net is a convolution, whose joints have one order everywhere: it is not cut.

  Args: inside: {name: array or shape} of one head; found: {name: Match}; named: an OutputMatch.
  """
  matches = {}
  for name, leaf in inside.items():
    match = found.get(name)
    if match is None or len(leaf.shape) > 2:
      return {}
    old = stored.arrays[match.key].shape
    if len(old) != len(leaf.shape):
      return {}
    old = view.from_array(name, np.broadcast_to(np.float32(0), old)).shape
    if old != (*leaf.shape[:-1], named.stored) or leaf.shape[-1] != len(named.names):
      return {}
    matches[name] = Match(match.key, how=named.describe(),
                          adapt=lambda value, leaf=leaf: named.adapt(value, leaf))
  return matches


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


def _why_fresh(head, matches, others):
  """Returns why a head keeps its initial values, or '' where it is loaded (or may fail)."""
  if head == 'fresh':
    return 'a fresh head was asked for'
  if head == 'keep' or not matches:
    return ''
  if not all(matches):
    return OTHER_HEAD
  misfits = sorted((match for match in matches if match.misfit), key=lambda match: match.same_axes)
  if misfits:
    why = 'another number of outputs' if misfits[0].same_axes else OTHER_HEAD
    return f'{why} ({misfits[0].misfit})'
  return 'outputs of other meanings' if others else ''


def _check_kept(source, stored, outputs, named):
  """Raises UserError where an output of ours has no namesake. Args: named: None: none has one."""
  if named and not named.new:
    return
  why = f'it lacks {few(named.new)}' if named else f'{few(stored)} against {few(outputs)}'
  raise UserError(f'{source} has outputs of other meanings ({why}), so that net.init_head=keep '
                  'cannot hold; auto takes over the outputs of the same names, and leaves others '
                  'at their initial values.')


def _check(source, stored, wanted, view, found, initial, partial, head):
  """Raises UserError when what was found is not good enough."""
  arrays = stored.arrays
  if not any(view.to_key(name) in arrays for name in wanted):
    theirs, ours = [plain(key) for key in arrays], [view.to_key(name) for name in wanted]
    raise UserError(f'{source} holds nothing of this net: it has {few(theirs) or "no arrays"}, and '
                    f'the net looks for {few(ours)}.')
  misfits = [match.misfit for match in found.values() if match.misfit]
  adapted = [match.key for match in found.values() if 'input channels' in match.how]
  if len(adapted) > 1:  # only one convolution sees the picture
    misfits += [f'{plain(key)} has other input channels' for key in adapted]
  if misfits:
    other = f'is of {plain(stored.net)}' if stored.net else 'is of another net'
    raise UserError(f'{source} {other}, which does not fit: {few(misfits, "; ")}.')
  if head == 'keep' and any(name.startswith(f'params/{HEADS[0]}/') for name in initial):
    raise UserError(f'{source} has no head of this kind, so that net.init_head=keep cannot hold; '
                    'auto leaves the head at its initial values.')
  free = () if head == 'keep' else tuple(f'params/{module}/' for module in HEADS)
  missing = [name for name, why in initial.items() if why == ABSENT and not name.startswith(free)]
  if missing and not partial:
    front = (stored.library == 'keras'
             and all(name.split('/')[1] in BEYOND_MIXED8 for name in missing))
    raise UserError(f'{source} lacks {len(missing)} of the {len(wanted)} arrays of this net: '
                    f'{grouped(missing)}; '
                    + ('they are of the net that ends before these, '
                       '--config.net.name=inception_v3_mixed8; ' if front else '')
                    + 'if they may keep their initial values, say '
                    'partial=True (--config.net.init_partial).')


def check_pixels(source, stored, names: dict, pixels: tuple) -> None:
  """Raises UserError when a source says that its net was trained on other pixels.

  Args: pixels: (mean, std) in 0..255 that the net's pictures are normalised by; () compares none.
  """
  theirs = stored.pixels or _keras_pixels(source, stored, names)
  if pixels and theirs and not np.allclose(theirs, pixels, rtol=1e-3, atol=0.05):
    (mean, std), (our_mean, our_std) = np.round(theirs, 2).tolist(), np.round(pixels, 2).tolist()
    raise UserError(f'{source} was trained on (pixels - {mean}) / {std}, and this net takes '
                    f'(pixels - {our_mean}) / {our_std}; to take them as its own net did, add '
                    f'--config.net.mean="{tuple(mean)}" --config.net.std="{tuple(std)}".')


def _keras_pixels(source, stored, names):
  keys, arrays = ('normalization/mean', 'normalization/variance'), stored.arrays
  if not (stored.library in names and names[stored.library].get_pixels
          and all(key in arrays and arrays[key].shape == (3,) for key in keys)):
    return ()
  return names[stored.library].get_pixels(
      *(weight_files.read_array(source, key, arrays[key]) for key in keys))
