"""Sound files of every format, a few hundred bytes each, by the tests' own writers."""

import functools
import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate

from configs import base
from tests import board_archives, coco_folders, scan_files
from train_lib.export import exported
from train_lib.storage import manifest

Seed = tuple[int, bytes]  # number of a reader's variant, content


def _noise(*shape, dtype=np.uint8, most=256):
  return np.random.default_rng(0).integers(0, most, shape).astype(dtype)


def _written(write: Callable[[Path], object], name: str) -> bytes:
  """What a function writes to a file of that name."""
  with tempfile.TemporaryDirectory() as folder:
    write(Path(folder, name))
    return Path(folder, name).read_bytes()


def _saved(pixels, format, mode=None, **options):
  image = Image.fromarray(pixels)
  written = io.BytesIO()
  (image.convert(mode) if mode else image).save(written, format, **options)
  return written.getvalue()


def pictures() -> list[Seed]:
  """Of every format that `decode_image` reads, in most of its modes."""
  exif = Image.Exif()
  exif[0x0112] = 6
  colour, grey, deep = _noise(9, 7, 3), _noise(9, 7), _noise(9, 7, dtype=np.uint16, most=65_536)
  files = [_saved(colour, 'JPEG', quality=40), _saved(colour, 'JPEG', progressive=True),
           _saved(grey, 'JPEG'), _saved(colour, 'JPEG', 'CMYK'),
           _saved(colour, 'JPEG', exif=exif.tobytes()), _saved(colour, 'PNG', exif=exif.tobytes())]
  files += [_saved(colour, 'PNG', mode) for mode in ('RGB', 'RGBA', 'P', 'L', 'LA', '1')]
  files += [_saved(deep, 'PNG'), _saved(colour, 'PNG', 'P', transparency=0),
            _saved(colour, 'WEBP'), _saved(colour, 'WEBP', 'RGBA', lossless=True),
            _saved(colour, 'WEBP', exif=exif.tobytes()),
            _saved(colour, 'GIF'), _saved(grey, 'GIF', transparency=3)]
  files += [_saved(colour, 'GIF', save_all=True, append_images=[Image.fromarray(255 - colour)])]
  files += [_saved(colour, 'BMP', mode) for mode in ('RGB', 'RGBA', 'P', 'L', '1')]
  files += [_rle_bmp()]
  return [(0, data) for data in files + _tiffs(colour, grey, deep)]


def _rle_bmp():
  head = _saved(_noise(4, 6), 'BMP')
  pixels = bytes([6, 1, 0, 0, 3, 2, 0, 3, 4, 5, 6, 0, 0, 0, 0, 2, 1, 0, 5, 7, 0, 1])
  start = int.from_bytes(head[10:14], 'little')
  return head[:30] + b'\1\0\0\0' + len(pixels).to_bytes(4, 'little') + head[38:start] + pixels


def _tiffs(colour, grey, deep):
  files = [_saved(colour, 'TIFF', mode, compression=kind)
           for mode in ('RGB', 'RGBA', 'P', 'L', 'CMYK') for kind in ('raw', 'tiff_lzw')]
  files += [_saved(grey, 'TIFF', '1', compression='group4'), _saved(deep, 'TIFF'),
            _saved(colour, 'TIFF', compression='jpeg'),
            _saved(deep.astype(np.float32), 'TIFF'), _saved(deep.astype(np.int32), 'TIFF'),
            _saved(deep, 'TIFF', compression='tiff_adobe_deflate')]
  return files + [_saved(deep, 'TIFF', save_all=True, append_images=[Image.fromarray(deep)] * 2)]


def scan_pictures() -> list[Seed]:
  """PNG and TIFF. Variants: 0 a scan, 1 a picture that becomes grey."""
  files = [data for _, data in pictures() if data[:2] in (b'\x89P', b'II', b'MM')]
  import cv2
  deep = _noise(5, 6, 3, dtype=np.uint16, most=65_536)
  files += [cv2.imencode(ending, deep)[1].tobytes() for ending in ('.png', '.tiff')]
  return [(variant, data) for data in files for variant in (0, 1)]


def dicom() -> list[Seed]:
  """Slices and volumes, plain and compressed."""
  def written(pixels, **elements):
    return _written(lambda path: scan_files.write_dicom(path, pixels, **elements), 'a.dcm')

  slice_ = scan_files.make_values()
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    files = [
        written(slice_, RescaleSlope='2', RescaleIntercept='-1024', WindowCenter='40',
                WindowWidth='400'),
        written(slice_.astype(np.int16), PixelPaddingValue=3, PixelPaddingRangeLimit=9,
                InstanceNumber=4),
        written(slice_.astype(np.uint8), photometric='MONOCHROME1'),
        written(np.stack([slice_, slice_]), NumberOfFrames=2, WindowCenter=['4', '5'],
                WindowWidth=['1', '2'], VOILUTFunction='SIGMOID'), _of_frames(slice_)]
    for syntax, content in (
        (pydicom.uid.RLELossless, None),
        (pydicom.uid.JPEGBaseline8Bit, _saved(_noise(6, 5), 'JPEG')),
        (pydicom.uid.JPEG2000Lossless, _saved(_noise(6, 5), 'JPEG2000', no_jp2=True))):
      dataset = scan_files.make_dataset(_noise(6, 5))
      if content is None:
        dataset.compress(syntax)
      else:
        dataset.PixelData = encapsulate([content])
        dataset['PixelData'].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
      files.append(_dataset_bytes(dataset))
    deflated = scan_files.make_dataset(slice_)
    deflated.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    files.append(_dataset_bytes(deflated))
  return [(0, data) for data in files]


def _of_frames(slice_):
  dataset = scan_files.make_dataset(np.stack([slice_, slice_]), NumberOfFrames=2)
  groups = []
  for slope in (1, 2):
    group, inner = pydicom.Dataset(), pydicom.Dataset()
    inner.RescaleSlope, inner.RescaleIntercept = slope, 0
    group.PixelValueTransformationSequence = [inner]
    groups.append(group)
  dataset.PerFrameFunctionalGroupsSequence = groups
  return _dataset_bytes(dataset)


def _dataset_bytes(dataset):
  written = io.BytesIO()
  dataset.save_as(written, enforce_file_format=True)
  return written.getvalue()


def nifti() -> list[Seed]:
  """Volumes, packed and not."""
  files = []
  for name, voxels, options in (
      ('a.nii', _noise(4, 5, 6), {}), ('a.nii', _noise(3, 2, 2, dtype=np.float32), {}),
      ('a.nii', _noise(4, 3, 2, dtype=np.int16), {'scale': (2, -1)}),
      ('a.nii', _noise(4, 3, 2), {'affine': np.diag([-1, 2, -3, 1])}),
      ('a.nii', _noise(4, 3, 2), {'kind': nibabel.Nifti2Image}),
      ('a.nii.gz', _noise(4, 3, 2), {})):
    files.append(_written(
        lambda path, voxels=voxels, options=options: scan_files.write_nifti(
            path, voxels, **options), name))
  return [(0, data) for data in files]


def _lines(rows):
  return b''.join(json.dumps(row).encode() + b'\n' for row in rows)


@functools.cache
def _posts():
  return board_archives.make_posts(3)


def board_json() -> list[Seed]:
  """Variants: 0 danbooru2021, 1 posts, 2 captions."""
  old, new = map(board_archives.old_row, _posts()), list(map(board_archives.new_row, _posts()))
  captions = [{'path': '1.jpg', 'caption': 'Look! #hat &amp; #scarf http://x.y/#z'},
              {'file_name': 'a/2.jpg', 'caption': None}]
  return [(0, _lines(old)), (1, _lines(new)), (1, json.dumps(new, indent=1).encode()),
          (1, _lines([{'id': 5, 'tags': 'a b', 'rating': 's'}, {'md5': '', 'tags': ['a', 'b c']}])),
          (1, b'\xef\xbb\xbf \n' + json.dumps(new[:1]).encode()), (2, _lines(captions))]


def board_csv() -> list[Seed]:
  """Variants: 0 posts, 1 captions."""
  return [(0, b'id,md5,rating,tag_string,is_deleted\n7,,g,a b c,f\n8,,q,"a\nb",t\n'),
          (0, b'path,tags_general,tags_artist\r\n1.jpg,"a ""b""",x\r\n'),
          (1, b'path,caption\n1.jpg,"#hat, #scarf"\n2.jpg,\n')]


def board_sqlite() -> list[Seed]:
  """A database of posts."""
  def write(path):
    board_archives.write_sqlite(path.parent, _posts())
  return [(0, _written(write, 'danbooru.sqlite'))]


def board_beside() -> list[Seed]:
  """Variants: 0 tags, 1 captions, 2 posts."""
  row = {**board_archives.new_row(_posts()[0]), 'tags_general': ['a', 'b']}
  return [(0, b'1girl, character:hatsune miku, rating:safe, a \\(b\\)\nseries:x'),
          (1, 'My day &eacute; ＃hat#b https://x.y/#z'.encode()), (2, json.dumps(row).encode())]


def board_archive() -> list[Seed]:
  """Variants: 0 metadata as JSON, 1 as CSV; lists: 2 tags, 3 aliases, 4 implications, 5 tags."""
  return [(0, _lines(map(board_archives.new_row, _posts()))),
          (0, _lines(map(board_archives.old_row, _posts()))),
          (1, b'id,rating,tag_string\n1,g,general_1 b\n2,s,general_1 c\n3,q,b\n'), *[
          (variant + 2 if variant < 3 else 5, data) for variant, data in board_lists()
          if variant in (0, 1, 2, 5)]]


def board_lists() -> list[Seed]:
  """Variants: 0 tags, 1 aliases, 2 implications, 3 categories, 4 a blacklist; 5 to 7 as JSON."""
  pairs = (b'antecedent_name,consequent_name,status\nhat,headwear,active\ncap,hat,active\n',
           _lines([{'antecedent_name': 'general_1', 'consequent_name': 'b', 'status': 'active'}]))
  names = (b'name,category\nhat,0\nmiku,character\ngeneral,9\n',
           _lines([{'name': 'general_1'}, {'name': 'x', 'category': 'artist'}]))
  return [(0, names[0]), (5, names[1]), (3, names[0]), (1, pairs[0]), (6, pairs[1]), (2, pairs[0]),
          (7, pairs[1]), (4, b'hat\nstraw hat\n')]


def tables() -> list[Seed]:
  """Variants: 0 CSV, 1 JSON Lines, 2 a .txt beside a picture, 3 names of clusters."""
  return [(0, b'path,tags\n1.jpg,"a,b"\n2.jpg,a b\n'), (0, b'file;label;split\n1.jpg;a;train\n'),
          (0, b'image\tclass\n1.jpg\t[x\n2.jpg\t7\n'), (0, b'path,tags\n1.jpg,"[""a"", 1]"\n'),
          (1, _lines([{'path': '1.jpg', 'tags': ['a', 1]}, {'file': '2.jpg', 'label': 'b'},
                      {'path': '2.jpg', 'tags': '["a"]', 'split': 'valid'}])),
          (2, b'a, b\nc'), (3, b'cluster,pictures,name\n0,"1,200",Homer\n1,3,\n')]


def coco() -> list[Seed]:
  """People's joints."""
  return [(0, json.dumps(coco_folders.make_content(numbers)).encode())
          for numbers in ((1, 2), (5,))]


def detections() -> list[Seed]:
  """A detector's results."""
  rows = [{'image_id': 3, 'category_id': 1, 'bbox': [1, 2.5, 30, 40], 'score': 0.9},
          {'image_id': 'a.jpg', 'category_id': 1, 'bbox': [0, 0, 5, 5], 'score': 0.1},
          {'image_id': 3, 'category_id': 7, 'bbox': [0, 0, 5, 5], 'score': 1}]
  return [(0, json.dumps(rows).encode())]


def safetensors() -> list[Seed]:
  """Weights in torch's names."""
  from safetensors.numpy import save
  arrays = {'conv.weight': _noise(2, 3, dtype=np.float32), 'bn.bias': _noise(2, dtype=np.float16)}
  said = {'net': 'resnet18', 'pixels': '[[1, 2, 3], [4, 5, 6]]', 'outputs': '["a", "b"]'}
  return [(0, save(arrays)), (0, save(arrays, said)),
          (0, save({f'backbone.{key}': value for key, value in arrays.items()}))]


def npz() -> list[Seed]:
  """Weights in Keras' names."""
  files = []
  for pack in (np.savez, np.savez_compressed):
    written = io.BytesIO()
    pack(written, **{'conv2d_3/kernel': _noise(2, 2, dtype=np.float32),
                     'batch_normalization/gamma:0': _noise(3, dtype=np.float64)})
    files.append(written.getvalue())
  with zipfile.ZipFile(written, 'a') as archive:
    archive.writestr('notes.txt', 'none')
  return [(0, data) for data in (*files, written.getvalue())]


def h5() -> list[Seed]:
  """Weights in Keras' names, of both of its forms, plain and in pieces."""
  import h5py

  def write(path, prefix, **options):
    with h5py.File(path, 'w') as file:
      file[f'{prefix}conv2d_1/conv2d_1/kernel:0'] = _noise(2, 2, dtype=np.float32)
      file.create_dataset(f'{prefix}dense/dense/bias:0', data=_noise(40, dtype=np.float32),
                          **options)
      file[prefix or '/'].attrs['layer_names'] = [b'conv2d_1', b'dense']

  return [(0, _written(lambda path: write(path, ''), 'a.h5')),
          (0, _written(lambda path: write(path, 'model_weights/', chunks=(8,), compression='gzip',
                                          shuffle=True, fletcher32=True), 'a.h5'))]


def about() -> list[Seed]:
  """config.json of an exported folder. Variants: 0 the net, 1 the config of a job."""
  config = base.get_config().to_dict()
  section = {'format': exported.FORMAT, 'net': 'resnet18', 'timm': 'resnet18', 'task': 'tagging',
             'step': 7, 'checkpoint': 'latest', 'names': ['a', 'b'],
             'categories': ['general', 'artist'], 'thresholds': {'micro': 0.3, 'macro': 0.4},
             'pixels': {'mean': [1, 2, 3], 'std': [4, 5, 6]}, 'digest': 'd',
             'config': exported.without_private(config)}
  few = {**section, 'config': {key: section['config'][key] for key in ('data', 'net', 'task')}}
  return [(variant, json.dumps({'architecture': 'resnet18', exported.SECTION: row}).encode())
          for row in (section, few) for variant in (0, 1)]


def workdir() -> list[Seed]:
  """Variants: 0 config.json, 1 manifest.json, 2 best.json, 3 last.json, 4 metrics.jsonl."""
  def seal(path):
    path.parent.joinpath('weights').write_bytes(b'12345')
    manifest.write_manifest(path.parent, {'step': 5, 'metrics': {'valid/loss': 0.5},
                                          'config_digest': '', 'tree': {}})

  return [(0, json.dumps(base.get_config().to_dict()).encode()),
          (1, _written(seal, manifest.NAME)), (3, b'{"step": 5}\n'),
          (2, b'{"step": 5, "metric": "valid/loss", "value": 0.5}\n'),
          (4, b'{"step": 1, "train/loss": 0.5}\n{"step": 2, "train/loss": null}\n{"st')]
