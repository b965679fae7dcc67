"""DICOM files of grey slices, one or more a file.

Values are those after the rescale slope and intercept, such as Hounsfield units; padding has none.
The window is the first that the file tells. A sigmoid one counts as linear.

Source: DICOM PS3.3: C.7.6.3 (pixels), C.7.5.1.1.2 (padding), C.11.1 (rescale), C.11.2 (windows),
  C.7.6.16.2 (the same of each frame), C.7.6.1 (derived images).
"""

import contextlib
import hashlib
import io
import warnings
import zlib
from pathlib import Path

import numpy as np

from data.decode import MOST_SCANS
from data.scans.scan import VOLUME_FACTOR, ScanError, Settings, check_size
from errors import UserError, shortened

INSTALL = 'pip install -e .[scans]'
GREY = ('MONOCHROME1', 'MONOCHROME2')
BITS = (8, 16, 32)                # of a stored pixel
MOST_OTHER_BYTES = 64 * 2**20     # of a packed file, besides its pixels
# What decodes compressed pixels that pydicom alone cannot: by the transfer syntax's name.
DECODERS = (('2000', 'pylibjpeg pylibjpeg-openjpeg'), ('JPEG', 'pylibjpeg pylibjpeg-libjpeg'),
            ('RLE', 'pylibjpeg pylibjpeg-rle'))
RESTORED = "Restored by Oko's autoencoder; not for diagnosis"


def recognise(head: bytes) -> bool:
  """Whether a file begins as DICOM does: 128 bytes, then DICM."""
  return head[128:132] == b'DICM'


def read(path: Path, settings: Settings) -> 'DicomFile':
  """Reads a file. Raises: ScanError: it cannot be read; UserError: pydicom is missing."""
  pydicom, content = _import_pydicom(), path.read_bytes()
  try:
    dataset = pydicom.dcmread(_Bounded(content, settings.max_pixels))
    _check(dataset, settings.max_pixels)
    return DicomFile(path, dataset, _decode(dataset))
  except ScanError:
    raise
  except Exception as error:  # pydicom raises a dozen kinds for broken files, OSError too
    raise ScanError(f'the DICOM file is broken: {_first_line(error)}') from error


def _import_pydicom():
  try:
    import pydicom
    import pydicom.pixels
  except ImportError as error:
    raise UserError(f'DICOM files need pydicom: {INSTALL}') from error
  warnings.filterwarnings('ignore', module='pydicom')  # what matters is told by ScanError
  return pydicom


class _Bounded(io.BytesIO):
  """A file whose packed rest must have room in memory: pydicom asks for it with one `read()`."""

  def __init__(self, content, max_pixels):
    super().__init__(content)
    self._most = MOST_OTHER_BYTES + VOLUME_FACTOR * max_pixels * max(BITS) // 8

  def read(self, size=-1):
    content = super().read(size)
    if size is None or size < 0:
      self._check_packed(content)
    return content

  def _check_packed(self, content):
    inflate, room = zlib.decompressobj(-zlib.MAX_WBITS), self._most
    with contextlib.suppress(zlib.error):  # told by who reads it
      while content and not inflate.eof:
        room -= len(inflate.decompress(content, 1 << 20))
        content = inflate.unconsumed_tail
        if room < 0:
          raise ScanError(f'unpacked, it would take more than {self._most:,} bytes')


def _first_line(error):
  return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.:')[:200]


class DicomFile:
  """`data.scans.scan.Stored` of a DICOM file."""

  def __init__(self, path, dataset, pixels):
    self._path, self._pixels = path, pixels  # [N, h, w] as stored
    self.num_slices, self.num_bytes = len(pixels), pixels.nbytes
    self.patient = str(dataset.get('PatientID') or dataset.get('StudyInstanceUID') or '').strip()
    self.series = str(dataset.get('SeriesInstanceUID') or '') if len(pixels) == 1 else ''
    self.order = _number(dataset, 'InstanceNumber', 0.0)
    self.inverted = dataset.PhotometricInterpretation == 'MONOCHROME1'
    self._scales = [_rescale(dataset, k) for k in range(len(pixels))]
    self.window = _window(dataset)
    self._padding = _padding(dataset, pixels.dtype)
    bits = int(dataset.BitsStored) - int(dataset.PixelRepresentation)
    self._range = -2**bits * int(dataset.PixelRepresentation), 2**bits - 1

  def values(self, k):
    slope, intercept = self._scales[k]
    values = self._pixels[k] * slope + intercept
    if self._padding:
      least, most = self._padding
      values[(self._pixels[k] >= least) & (self._pixels[k] <= most)] = np.nan
    return values

  def save(self, path, slices):
    """A new instance of a new series: the same picture of the same file always has the same UIDs.

    Compressed pixels are written as plain ones. `Stored.save` tells the rest.
    """
    pydicom, pixels = _import_pydicom(), self._pixels.copy()
    for k, values in enumerate(slices):
      slope, intercept = self._scales[k]
      new = np.isfinite(values)
      stored = np.clip(np.rint((values[new] - intercept) / slope), *self._range)
      pixels[k][new] = stored.astype(pixels.dtype)
    written = io.BytesIO()
    try:
      dataset = pydicom.dcmread(io.BytesIO(self._path.read_bytes()))
      _put_pixels(dataset, pixels)
      _mark_restored(dataset)
      dataset.save_as(written)
    except Exception as error:  # as above: pixels that can be read among elements that cannot
      raise ScanError(f'the DICOM file is broken: {_first_line(error)}') from error
    path.write_bytes(written.getvalue())


def _check(dataset, max_pixels):
  """Raises ScanError where a file holds no grey slices that can be read."""
  if 'PixelData' not in dataset:
    held = 'pixels that are no whole numbers' if any(
        key in dataset for key in ('FloatPixelData', 'DoubleFloatPixelData')) else 'no pixels'
    raise ScanError(f'it holds {held} (a report, a plan, a map, or a file that was cut off)')
  kind = shortened(str(dataset.PhotometricInterpretation))
  if kind not in GREY or dataset.SamplesPerPixel != 1:
    raise ScanError(f'its pixels are {kind}, which is colour: expected grey, '
                    f"{' or '.join(GREY)}")
  if dataset.BitsAllocated not in BITS:
    raise ScanError(f'its pixels have {dataset.BitsAllocated} bits; expected one of {BITS}')
  if dataset.get('ModalityLUTSequence'):
    raise ScanError('its values come from a lookup table, not from a slope and an intercept')
  check_size(int(dataset.Rows), int(dataset.Columns),
             int(_number(dataset, 'NumberOfFrames', 1)), max_pixels)


def _decode(dataset):
  """Stored pixels [N, h, w]."""
  from pydicom import pixels
  syntax = dataset.file_meta.TransferSyntaxUID
  try:
    decoder = pixels.get_decoder(syntax)
  except NotImplementedError:
    raise ScanError(f'its pixels are in {shortened(syntax.name)}, which cannot be read') from None
  package = next((package for word, package in DECODERS if word in syntax.name),
                 'pylibjpeg[all]')
  if not decoder.is_available:
    raise ScanError(f'its pixels are in {syntax.name}: pip install {package}')
  frames = int(_number(dataset, 'NumberOfFrames', 1))
  if 'JPEG' in syntax.name and dataset.PixelData.count(b'\xff\xda') > MOST_SCANS * frames:
    raise ScanError(f'its pixels are in {syntax.name} of more than {MOST_SCANS} scans a frame')
  try:
    decoded = pixels.pixel_array(dataset, raw=True)
  except RuntimeError as error:  # of all decoders that are there
    reason = str(error).strip().splitlines()[-1].strip()[:200]
    raise ScanError(f'its pixels are in {syntax.name} and cannot be decoded ({reason}); another '
                    f'decoder may help: pip install {package}') from error
  decoded = decoded.reshape(-1, *decoded.shape[-2:])
  return decoded[:frames]


def _number(item, keyword, default):
  """The first number of an element, or the default where it is not there or empty."""
  value = item.get(keyword)
  if value is None or value == '':
    return default
  return float(value if isinstance(value, str) or not hasattr(value, '__len__') else value[0])


def _group(dataset, frame, keyword):
  """The functional group of a frame, or of all frames; else the dataset itself."""
  each = dataset.get('PerFrameFunctionalGroupsSequence') or ()
  groups = [*each[frame:frame + 1], *(dataset.get('SharedFunctionalGroupsSequence') or ())]
  return next((group.get(keyword)[0] for group in groups if group.get(keyword)), dataset)


def _rescale(dataset, frame):
  """(slope, intercept) of a frame."""
  item = _group(dataset, frame, 'PixelValueTransformationSequence')
  slope = _number(item, 'RescaleSlope', 1.0)
  intercept = _number(item, 'RescaleIntercept', 0.0)
  if not slope or not np.isfinite([slope, intercept]).all():
    raise ScanError(f'its rescale slope is {slope} and its intercept {intercept}')
  return slope, intercept


def _window(dataset):
  """(low, high) of the first window of the first frame; None where there is none that is wide."""
  item = _group(dataset, 0, 'FrameVOILUTSequence')
  centre, width = _number(item, 'WindowCenter', np.nan), _number(item, 'WindowWidth', np.nan)
  if str(item.get('VOILUTFunction') or 'LINEAR') == 'LINEAR':
    centre, width = centre - 0.5, width - 1
  if not (np.isfinite(centre) and np.isfinite(width) and width > 0):
    return None
  return centre - width / 2, centre + width / 2


def _padding(dataset, dtype):
  """(lowest, highest) stored value that stands for no pixel; None where there is none."""
  value = dataset.get('PixelPaddingValue')
  if not isinstance(value, int):
    return None
  limit = dataset.get('PixelPaddingRangeLimit')
  ends = np.array([value, limit if isinstance(limit, int) else value]).astype(dtype)
  return int(ends.min()), int(ends.max())


def _put_pixels(dataset, pixels):
  """Pixels [N, h, w] in place of those that are there, not compressed."""
  from pydicom.uid import ExplicitVRLittleEndian
  if dataset.file_meta.TransferSyntaxUID.is_compressed:
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
  order = '<' if dataset.file_meta.TransferSyntaxUID.is_little_endian else '>'
  content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
  dataset.PixelData = content + bytes(len(content) % 2)
  dataset['PixelData'].VR = 'OB' if pixels.dtype.itemsize == 1 else 'OW'
  dataset['PixelData'].is_undefined_length = False
  for keyword in ('SmallestImagePixelValue', 'LargestImagePixelValue', 'ExtendedOffsetTable',
                  'ExtendedOffsetTableLengths'):
    if keyword in dataset:
      del dataset[keyword]


def _mark_restored(dataset):
  """Says that the picture is derived, of what, and how."""
  from pydicom import Dataset
  from pydicom.uid import generate_uid
  source = Dataset()
  source.ReferencedSOPClassUID = dataset.get('SOPClassUID', '')
  source.ReferencedSOPInstanceUID = dataset.get('SOPInstanceUID', '')
  dataset.SourceImageSequence = [source]
  dataset.DerivationDescription = RESTORED
  dataset.SeriesDescription = f"Restored: {dataset.get('SeriesDescription', '')}"[:64]
  kind = dataset.get('ImageType') or ()
  kind = [kind] if isinstance(kind, str) else list(kind)
  dataset.ImageType = ['DERIVED', 'SECONDARY', *kind[2:]]
  content = hashlib.sha256(dataset.PixelData).hexdigest()
  dataset.SOPInstanceUID = generate_uid(
      entropy_srcs=[str(dataset.get('SOPInstanceUID', '')), content])
  dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
  dataset.SeriesInstanceUID = generate_uid(
      entropy_srcs=[str(dataset.get('SeriesInstanceUID', '')), RESTORED])
