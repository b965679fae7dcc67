"""The folders and files that commands of the README speak of, drawn: photos, scans, archives."""

import hashlib
import json
import pathlib
import types

import numpy as np
from PIL import Image

from data.toon.picture import draw_example
from data.toon.vocabulary import TAG_NAMES
from docs.walks.draw_folder import draw_folder
from tests import board_archives, scan_files, small_sources

SIZE_PX = 48
FOLDERS = {   # name: (kind, how many files)
    'photos': ('plain', 24),
    'more_photos': ('plain', 6),
    'my_pictures': ('garment', 60),
    'my_characters': ('identity', 60),
    'characters': ('identity', 60),
    'clothing': ('garment', 60),
    'scans': ('scans', 24),
    'few_scans': ('scans', 10),
}


def write_all(top: pathlib.Path) -> None:
  """Writes all of them into a folder."""
  for name, (kind, count) in FOLDERS.items():
    draw_folder(kind, top / name, count, SIZE_PX)
  _write_volumes(top / 'scans')
  for name, number in (('photo.jpg', 0), ('one.jpg', 1), ('other.png', 2)):
    Image.open(top / f'photos/{number:04}.jpg').save(top / name)
  for name, source in small_sources.SMALL.items():
    if source.where == 'path':
      (top / 'sources' / name).mkdir(parents=True)
      source.write(top / 'sources' / name, 0)
  _write_archive(top / 'archive', 60)
  for part, count in (('train', 24), ('val', 8)):
    boxes = _write_coco(top / 'coco', part, count)
  (top / 'detections.json').write_text(json.dumps(boxes))
  (top / 'boxes.json').write_text(json.dumps([{**box, 'image_id': box['image_id'] % 24}
                                              for box in boxes]))


def _draw(split, index):
  settings = types.SimpleNamespace(data_seed=2, image_size_px=SIZE_PX, dropped_share=0.0)
  return draw_example(settings, split, index)


def _write_volumes(folder):
  """A volume and a series beside the pictures. Their values are those of a CT."""
  volume = scan_files.make_values(32, 32, dtype=np.int16, most=1000)[..., None].repeat(6, axis=2)
  scan_files.write_nifti(folder / 'volume.nii.gz', volume)
  for number in range(4):
    scan_files.write_dicom(folder / f'series/{number}.dcm', scan_files.make_values(32, 32, number),
                           PatientID='series', InstanceNumber=number)


def _write_archive(folder, count):
  """Posts as boards tell them since 2022; each has a character, a series and an artist as well."""
  posts = []
  for number in range(count):
    row = _draw('valid', number)
    posts.append({
        'id': number + 1, 'content': row['image'], 'ext': 'jpg', 'rating': 'gsqe'[number % 4],
        'md5': hashlib.md5(row['image']).hexdigest(),
        'tags': {'general': [TAG_NAMES[tag] for tag in row['tags']],
                 'character': [f'character_{number % 3}'], 'copyright': ['series'],
                 'artist': [f'artist_{number % 2}'], 'meta': ['highres']}})
  folder.mkdir(exist_ok=True)
  board_archives.write_posts(folder, posts)


def _write_coco(folder, part, count):
  """A part in COCO's form. Returns: its boxes as a detector tells them."""
  images, people = [], []
  for number in range(count):
    row = _draw(part, number)
    path = folder / f'{part}2017/{number:012}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(row['image'])
    images.append({'id': number, 'file_name': path.name, 'width': SIZE_PX, 'height': SIZE_PX})
    people += [{
        'id': len(people) + place, 'image_id': number, 'category_id': 1, 'iscrowd': 0,
        'area': float(figure['area_px2']), 'bbox': [float(value) for value in figure['box_px']],
        'keypoints': np.asarray(figure['keypoints'], float).ravel().tolist(),
        'num_keypoints': int((np.asarray(figure['keypoints'])[:, 2] > 0).sum()),
    } for place, figure in enumerate(row['figures'])]
  content = json.dumps({
      'info': {}, 'licenses': [], 'images': images, 'annotations': people,
      'categories': [{'id': 1, 'name': 'person'}]})
  path = folder / f'annotations/person_keypoints_{part}2017.json'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(content)
  return [{'image_id': person['image_id'], 'category_id': 1, 'bbox': person['bbox'], 'score': 0.9}
          for person in people]
