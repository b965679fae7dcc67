"""NIfTI volumes, .nii and .nii.gz, in slices as they are looked at.

The axes of the body are right, forward and up, whatever the order in the file. A slice across one
of them shows the other two as radiologists do: up or forward is above, the patient's right is on
the left, of a slice from side to side forward is on the left. Voxels are not made square.

Source: NIfTI-1 (2004) and NIfTI-2 (2011) data format, nifti.nimh.nih.gov.
"""

import gzip
import logging
import math
import zlib
from pathlib import Path

import numpy as np

from data.scans.scan import ScanError, Settings, check_size
from errors import UserError

INSTALL = 'pip install -e .[scans]'
PACKED = b'\x1f\x8b'              # how gzip begins
SINGLE, PAIR = (b'n+1\0', b'n+2\0'), (b'ni1\0', b'ni2\0')
HEADER_BYTES = 540                # of NIfTI-2; of NIfTI-1 348
MOST_HEADER_BYTES = 64 * 2**20    # before the voxels, with all extensions
MOST_PACKED = 1032                # times that deflate makes anything smaller
BROKEN_LEVEL = 40                 # of nibabel's findings in a header


def recognise(head: bytes) -> bool:
  """Whether a file begins as NIfTI does, or as anything packed by gzip."""
  return head.startswith(PACKED) or _magic(head) in SINGLE + PAIR


def _magic(head):
  return head[4:8] if head[4:8] in SINGLE + PAIR else head[344:348]


def read(path: Path, settings: Settings) -> 'NiftiFile':
  """Reads a file. Raises: ScanError: it cannot be read; UserError: nibabel is missing."""
  nibabel = _import_nibabel()
  try:
    with _open(path) as file:
      header = _read_header(nibabel, file.read(HEADER_BYTES))
      shape, dtype = _check(header, path, file, settings)
      raw = _read_voxels(path, file, header.get_data_offset(), shape, dtype)
    orientation = nibabel.orientations.io_orientation(header.get_best_affine())
    if not np.isfinite(orientation).all():
      raise ScanError('its affine matrix tells no orientation')
    slope, intercept = header.get_slope_inter()
    return NiftiFile(path, raw, int(header.get_data_offset()), orientation, settings.axis,
                     1.0 if slope is None else slope, intercept or 0.0)
  except ScanError:
    raise
  except (EOFError, zlib.error, gzip.BadGzipFile) as error:
    raise ScanError(f'the gzip file is broken or cut off: {error}') from error
  except OSError:
    raise
  except Exception as error:  # of a header that makes no sense, nibabel raises many kinds
    raise ScanError(f'the NIfTI file is broken: {error}') from error


def _import_nibabel():
  try:
    import nibabel
    import nibabel.orientations
  except ImportError as error:
    raise UserError(f'NIfTI files need nibabel: {INSTALL}') from error
  return nibabel


def _open(path):
  with open(path, 'rb') as file:
    packed = file.read(2) == PACKED
  return gzip.open(path, 'rb') if packed else open(path, 'rb')


def _read_header(nibabel, head):
  magic = _magic(head)
  if magic in PAIR:
    raise ScanError('it is the header of two files, .hdr and .img: convert them to one .nii')
  if magic not in SINGLE:
    raise ScanError('it is no NIfTI file: its magic word is not there')
  if magic == SINGLE[0]:
    kind, head = nibabel.Nifti1Header, head[:348]
  else:
    kind = nibabel.Nifti2Header
  header = kind(head, check=False)
  quiet = logging.Logger('quiet', logging.CRITICAL + 1)
  header.check_fix(logger=quiet, error_level=BROKEN_LEVEL)  # as nibabel does, without its words
  return header


def _check(header, path, file, settings):
  """((x, y, z), dtype) of the voxels, before any is read."""
  dtype = header.get_data_dtype()
  if dtype.kind not in 'uif':
    raise ScanError(f'its voxels are {_kind_words(dtype)}; expected one number each')
  shape = tuple(int(size) for size in header.get_data_shape())
  if min(shape, default=0) < 1:
    raise ScanError(f'its size is {_times(shape)}: no voxel')
  if math.prod(shape[3:]) > 1:
    raise ScanError(f'it has {math.prod(shape[3:]):,} volumes (its size is {_times(shape)}): '
                    'split it into files of one volume each, or keep the one that you mean')
  shape = (shape + (1, 1, 1))[:3]
  if math.prod(shape) == max(shape):
    raise ScanError(f'its size is {_times(shape)}: a row of numbers, no slices')
  check_size(*sorted(shape)[:0:-1], min(shape), settings.max_pixels)
  start, size = int(header.get_data_offset()), math.prod(shape) * dtype.itemsize
  if not HEADER_BYTES // 2 < start <= MOST_HEADER_BYTES:
    raise ScanError(f'its voxels begin at byte {start:,}: a header of no size that is right')
  most = path.stat().st_size * (MOST_PACKED if isinstance(file, gzip.GzipFile) else 1)
  if start + size > most:
    raise ScanError(f'it is cut off, or its header is wrong: {_times(shape)} voxels take '
                    f'{size:,} bytes, and the file has {path.stat().st_size:,}')
  return shape, dtype


def _kind_words(dtype):
  return {'c': 'complex numbers', 'V': 'colours'}.get(dtype.kind, str(dtype))


def _times(shape):
  return ' x '.join(f'{size:,}' for size in shape) or 'nothing'


def _read_voxels(path, file, start, shape, dtype):
  """Stored voxels [x, y, z]: of a packed file in memory, else mapped from the disk."""
  if not isinstance(file, gzip.GzipFile):
    return np.memmap(path, dtype, 'r', start, shape, 'F')
  file.seek(start)
  content = file.read(math.prod(shape) * dtype.itemsize)
  if len(content) < math.prod(shape) * dtype.itemsize:
    raise ScanError(f'it is cut off: {len(content):,} of {math.prod(shape) * dtype.itemsize:,} '
                    'bytes of voxels are there')
  return np.frombuffer(content, dtype).reshape(shape, order='F')


class NiftiFile:
  """`data.scans.scan.Stored` of a NIfTI file."""

  patient = series = ''
  order, window, inverted = 0.0, None, False

  def __init__(self, path, raw, start, orientation, axis, slope, intercept):
    self._path, self._raw, self._start = path, raw, start
    self._orientation, self._axis = orientation, axis
    self._slope, self._intercept = slope, intercept
    self.num_slices = self._turn(raw).shape[axis]
    self.num_bytes = 0 if isinstance(raw, np.memmap) else raw.nbytes

  def _turn(self, raw):
    """A view of the voxels with the axes right, forward, up."""
    from nibabel.orientations import apply_orientation
    return apply_orientation(raw, self._orientation)

  def values(self, k):
    stored = _look(self._turn(self._raw), self._axis, k).astype(np.float64)
    return stored * self._slope + self._intercept

  def save(self, path, slices):
    """All bytes before the voxels stay as they are; packed if the path ends in .gz."""
    with _open(self._path) as file:
      header = file.read(self._start)
    raw = np.array(self._raw, order='F')
    turned = self._turn(raw)
    for k, values in enumerate(slices):
      new = np.isfinite(values)
      stored = (values[new] - self._intercept) / self._slope
      if raw.dtype.kind in 'ui':
        limits = np.iinfo(raw.dtype)
        stored = np.clip(np.rint(stored), limits.min, limits.max)
      _look(turned, self._axis, k)[new] = stored.astype(raw.dtype)
    content = header + raw.tobytes(order='F')
    packed = path.name.lower().endswith('.gz')
    path.write_bytes(gzip.compress(content, 6, mtime=0) if packed else content)


def _look(turned, axis, k):
  """A view of slice k [h, w] of voxels with the axes right, forward, up."""
  plane = turned[(slice(None),) * axis + (k,)]
  return plane[::-1, ::-1].T
