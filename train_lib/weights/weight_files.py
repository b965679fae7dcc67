"""Files of weights: what is in them by name, its shapes first and its values on demand.

A file may come from anyone. Nothing in it is run: no pickle is read, and no library that builds
models opens it. A value is read only when somebody who has seen its shape asks for it.
"""

import contextlib
import dataclasses
import io
import json
import pathlib
import re
import shlex
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from errors import UserError, shortened
from train_lib.weights.weight_wrappers import unwrap

HUB = 'hf-hub:'
PICKLES = ('.pth', '.pt', '.ckpt', '.bin', '.pkl', '.pickle', '.tar')
# mmpose's files hold arrays of numpy beside the weights, which torch wants to be told are fine.
CONVERT = ('python -c "import sys, numpy as n, torch, safetensors.torch as s; '
           'r = n.empty(0).__reduce__()[0]; torch.serialization.add_safe_globals([n.ndarray, '
           'n.dtype, *(type(n.dtype(c)) for c in \'?Bilqfd\'), *((r, f\'numpy.{m}.multiarray.'
           '_reconstruct\') for m in (\'core\', \'_core\'))]); d = torch.load(sys.argv[1], '
           '\'cpu\', weights_only=True); d = d.get(\'state_dict\', d); s.save_file({k: v.clone()'
           '.contiguous() for k, v in d.items() if hasattr(v, \'numpy\')}, sys.argv[2])"')
_MOST_HEADER_BYTES = 1 << 16      # of a member of an .npz; numpy itself believes 10,000
_NUMBERED = re.compile(r'(conv2d|batch_normalization)(?:_(\d+))?$')  # by Keras, as layers are made


@dataclasses.dataclass(frozen=True)
class StoredArray:
  """An array in an open file. Attributes: read: () -> numpy array of that shape."""
  shape: tuple[int, ...]
  dtype: str
  read: Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True)
class StoredWeights:
  """What a source holds and says of itself.

  Attributes:
    library: whose names its arrays bear.
    arrays: {key: StoredArray}.
    net: what the net is called there; '' where nothing says so.
    pixels: (mean, std) in 0..255 of the pictures it was trained on; () where nothing says so.
    outputs: what the head's outputs mean; () where nothing says so.
  """
  library: str
  arrays: dict[str, StoredArray]
  net: str = ''
  pixels: tuple = ()
  outputs: tuple[str, ...] = ()


@contextlib.contextmanager
def open_weights(path) -> Iterator[StoredWeights]:
  """Opens a file of weights.

  Args:
    path: a local .safetensors in timm's names, wrapped or not (weight_wrappers.py); .npz, .h5 or
      .hdf5 in Keras' layer names; or 'hf-hub:owner/name', whose model.safetensors is fetched
      (once, into that library's cache).

  Yields:
    StoredWeights of 'timm' or 'keras', whose arrays can be read inside the `with`.

  Raises:
    UserError: when there is no such file, it is of another kind, or it is damaged.
  """
  _check_path(path)
  fetched = _fetch(str(path)) if str(path).startswith(HUB) else path
  path = pathlib.Path(fetched).expanduser()
  opener = _OPENERS[path.suffix.lower()]
  with contextlib.ExitStack() as stack:
    try:
      stored = opener(path, stack)
    except UserError:
      raise
    except Exception as error:  # every library raises its own, and a damaged file any of them
      raise _damaged(path, error) from error
    yield stored


def read_array(path, key: str, array: StoredArray) -> np.ndarray:
  """Reads one array, of floating point numbers, all finite.

  Raises:
    UserError: when it is not, or the file is damaged there.
  """
  try:
    value = array.read()
  except Exception as error:
    raise _damaged(path, error) from error
  if value.dtype.kind in 'biu':
    raise UserError(f'{shortened(key)} in {path} holds {value.dtype}, no floating point numbers.')
  if value.shape != array.shape:
    raise _damaged(path, f'{key} is not of the shape that it is said to be')
  value = value.astype(np.float32)
  if not np.isfinite(value).all():
    raise UserError(f'{shortened(key)} in {path} holds NaN or infinite values; the file is of no '
                    'use.')
  return value


def _check_path(path) -> None:
  """Raises UserError for a path that is not there or not of a kind that is read."""
  if str(path).startswith(HUB):
    _repository(str(path))
    return
  if '://' in str(path):
    raise UserError(f'{path} is an address; fetch the file and name the path that it has here.')
  path = pathlib.Path(path).expanduser()
  if not path.exists():
    raise UserError(f'there is no file of weights and no run {path}.')
  if path.suffix.lower() in PICKLES:
    old, new = (shlex.quote(str(one)) for one in (path, path.with_suffix('.safetensors')))
    raise UserError(f'{path} is a pickle, which can run any code when it is opened, so it is not '
                    f'read here; convert it where you have torch: {CONVERT} {old} {new}')
  if path.suffix == '.keras':
    raise _without_names(path)
  if path.suffix.lower() not in _OPENERS or not path.is_file():
    raise UserError(f'{path} is no file of weights that can be read; expected '
                    f'{", ".join(_OPENERS)}, the folder of a run, or hf-hub:timm/NAME.')


def _damaged(path, error):
  text = str(error).strip() or type(error).__name__
  return UserError(f'{path} is damaged or no file of its kind: '
                   f'{shortened(text.splitlines()[0])}.')


# Kinds of files ---------------------------------------------------------------------------------


def _open_safetensors(path, stack):
  from safetensors import safe_open
  file = stack.enter_context(safe_open(path, framework='numpy'))
  arrays = {}
  for key in file.keys():  # noqa: SIM118  (it is no dict)
    part = file.get_slice(key)
    arrays[key] = StoredArray(tuple(part.get_shape()), part.get_dtype(),
                              lambda key=key: file.get_tensor(key))
  return StoredWeights('timm', unwrap(path, arrays), **_said(file.metadata() or {}, path))


def _said(metadata, path):
  """What the metadata of a file of ours, or config.json of a hub beside a file, says of it."""
  with contextlib.suppress(KeyError, ValueError, TypeError, OSError, RecursionError):
    if 'net' in metadata:
      return _checked(metadata['net'], json.loads(metadata.get('pixels', '[]')),
                      json.loads(metadata.get('outputs', '[]')))
    beside = json.loads(path.with_name('config.json').read_text())
    trained = beside['pretrained_cfg']
    return _checked(beside['architecture'], [[255 * float(value) for value in trained[key]]
                                             for key in ('mean', 'std')], [])
  return {}


def _checked(net, pixels, outputs) -> dict:
  """Fields of StoredWeights. Raises: TypeError, ValueError: they are not what anybody means."""
  pixels = tuple(tuple(row) for row in pixels)
  if not isinstance(net, str) or not all(isinstance(name, str) for name in outputs):
    raise TypeError('a name is none')
  if pixels and ([len(row) for row in pixels] not in ([1, 1], [3, 3])
                 or not np.isfinite(pixels).all()):
    raise ValueError('pixels are none')
  return dict(net=net, pixels=pixels, outputs=tuple(outputs))


def _open_npz(path, stack):
  archive = stack.enter_context(zipfile.ZipFile(path))
  arrays = {}
  for name in archive.namelist():
    with archive.open(name) as member:
      shape, dtype = _npy_header(member)
    if dtype.kind in 'fiu':
      arrays[name.removesuffix('.npy')] = StoredArray(
        shape, str(dtype), lambda name=name: _read_npy(archive, name))
  return StoredWeights('keras', _keras_keys(path, arrays))


def _npy_header(member):
  """(shape, dtype) from the start of a member alone: its header may say that it is gigabytes."""
  start = io.BytesIO(member.read(_MOST_HEADER_BYTES))
  version = np.lib.format.read_magic(start)
  reader = (np.lib.format.read_array_header_1_0 if version == (1, 0)
            else np.lib.format.read_array_header_2_0)
  shape, _, dtype = reader(start)
  return shape, dtype


def _read_npy(archive, name):
  with archive.open(name) as member:
    _npy_header(member)
  with archive.open(name) as member:
    return np.lib.format.read_array(member, allow_pickle=False)


def _open_h5(path, stack):
  try:
    import h5py
  except ImportError as error:
    raise UserError(f"to read {path}, install the extra 'keras': pip install -e '.[keras]'."
                    ) from error
  arrays = {}

  def visit(name, item):  # links that lead elsewhere are not followed
    if isinstance(item, h5py.Dataset) and not name.startswith('optimizer'):
      if item.external or item.is_virtual:
        raise UserError(f'{shortened(name)} in {path} lies in another file, which is not read.')
      if item.dtype.kind in 'fiu':
        arrays[name] = StoredArray(item.shape, str(item.dtype), lambda: item[()])

  stack.enter_context(h5py.File(path, 'r')).visititems(visit)
  return StoredWeights('keras', _keras_keys(path, arrays))


_OPENERS = {
  '.safetensors': _open_safetensors,
  '.npz': _open_npz,
  '.h5': _open_h5,
  '.hdf5': _open_h5,
}


def _keras_keys(path, arrays):
  """Returns the arrays by 'layer/variable', layers numbered from the first on, as in a new Keras.

  Keras counts layers without a name over all models of a session, and in former years from 1 on:
  the lowest number in a file is that of its first layer.
  """
  if arrays and all('/vars/' in key for key in arrays):
    raise _without_names(path)
  lowest = {}
  for key in arrays:
    if match := _NUMBERED.match(_layer(key)):
      base, number = match[1], int(match[2] or 0)
      lowest[base] = min(lowest.get(base, number), number)
  named = {}
  for key, array in arrays.items():
    layer, variable = _layer(key), key.rpartition('/')[2].partition(':')[0]
    if match := _NUMBERED.match(layer):
      number = int(match[2] or 0) - lowest[match[1]]
      layer = f'{match[1]}_{number}' if number else match[1]
    name = f'{layer}/{variable.replace("depthwise_kernel", "kernel")}'
    if name in named:
      raise UserError(f'{path} holds {shortened(name)} twice; write the weights of one net to a '
                      'file.')
    named[name] = array
  return named


def _without_names(path):
  return UserError(f'{path} is in the form of Keras 3, which keeps no names of layers; load it in '
                   "Keras and write it again with model.save('weights.h5').")


def _layer(key):
  return ('/' + key).split('/')[-2]


# Files from elsewhere ---------------------------------------------------------------------------


def _repository(source):
  name = source.removeprefix(HUB)
  if not re.fullmatch(r'[\w.-]+/[\w.-]+', name):
    raise UserError(f"'{source}' names no model; expected {HUB}owner/name, such as "
                    f'{HUB}timm/hrnet_w32.ms_in1k.')
  return name


def _fetch(source):
  """Returns the local path of 'hf-hub:owner/name', fetched if it is not there yet."""
  repository = _repository(source)
  try:
    import huggingface_hub
  except ImportError as error:
    raise UserError(f"to fetch {source}, install the extra 'hub' (pip install -e '.[hub]'), or "
                    'fetch its model.safetensors yourself and name that file.') from error
  try:
    with contextlib.suppress(Exception):  # says what the weights are of; not every model has it
      huggingface_hub.hf_hub_download(repository, 'config.json')
    return huggingface_hub.hf_hub_download(repository, 'model.safetensors')
  except Exception as error:  # of its own, of its HTTP library, or of the network
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    raise UserError(f'{source} could not be fetched ({text}); without a network, fetch its '
                    'model.safetensors elsewhere and name that file.') from error
