"""What is written by the rules of a format is read as it was, whatever its values."""

import csv
import io
import json
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from configs import base, saved
from data import coco_files, detections, tag_files
from data.board import captions, danbooru2021, lists, posts, sidecars, sqlite
from data.decode import decode_image
from data.scans import open_scan
from data.scans.scan import Settings
from errors import UserError, printable, shortened
from tests import coco_folders, scan_files
from train_lib.clustering import labelling
from train_lib.export import exported
from train_lib.storage import manifest, records
from train_lib.weights import weight_files

QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)
SHOWN = st.characters(exclude_categories=('Cs', 'Cc', 'Cf', 'Zl', 'Zp', 'Zs', 'Co', 'Cn'))
NAMES = st.text(SHOWN, min_size=1, max_size=12)
LISTS = st.lists(NAMES, max_size=5)
PIXELS = st.floats(-1e5, 1e5, width=32)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('round-trips')


def rows(read, path):
  return [record for _, record in read(str(path))]


POSTS = st.lists(st.fixed_dictionaries({
    'id': st.integers(0, 2**63 - 1), 'md5': st.binary(min_size=16, max_size=16),
    'rating': st.sampled_from('gsqe'), 'general': LISTS, 'character': LISTS}), max_size=4)


@QUICK
@given(POSTS)
def test_posts_are_read_as_they_were_written(folder, written):
  (folder / 'posts').mkdir(exist_ok=True)
  lines = [{'id': post['id'], 'md5': post['md5'].hex(), 'rating': post['rating'],
            'tag_string_general': ' '.join(post['general']),
            'tag_string_character': ' '.join(post['character'])} for post in written]
  (folder / 'posts/a.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
  (folder / 'posts/a.json').write_text(json.dumps(lines, indent=1, ensure_ascii=False))
  found = [rows(posts.read, folder / f'posts/a.{ending}') for ending in ('jsonl', 'json')]
  if lines:
    (folder / 'posts/a.db').unlink(missing_ok=True)
    database = sqlite3.connect(folder / 'posts/a.db')
    database.execute('PRAGMA synchronous = OFF')
    with database:
      database.execute(f"CREATE TABLE posts ({', '.join(lines[0])})")
      database.executemany('INSERT INTO posts VALUES (?, ?, ?, ?, ?)',
                           [list(line.values()) for line in lines])
    database.close()
    found.append(rows(sqlite.read, folder / 'posts/a.db'))
  for records_ in found:
    assert [(one.id, one.md5, one.rating, dict(one.tags)) for one in records_] == [
        (post['id'], post['md5'], post['rating'],
         {'general': post['general'], 'character': post['character']}) for post in written]


@QUICK
@given(st.lists(st.tuples(st.integers(0, 10**18 - 1), LISTS), min_size=1, max_size=4))
def test_posts_of_2021_and_csv_are_read_as_they_were_written(folder, written):
  (folder / 'old').write_text(''.join(json.dumps({'id': str(id), 'tags': [
      {'name': name, 'category': '4'} for name in names]}) + '\n' for id, names in written))
  assert [(one.id, dict(one.tags).get('character', []))
          for one in rows(danbooru2021.read, folder / 'old')] == written
  text = io.StringIO()
  writer = csv.writer(text)
  writer.writerows([('id', 'tag_string'), *((id, '\n'.join(names)) for id, names in written)])
  (folder / 'a.csv').write_text(text.getvalue(), newline='')
  assert [(one.id, one.tags[0][1]) for one in rows(posts.read, folder / 'a.csv')] == written


@QUICK
@given(st.text(max_size=60), st.lists(st.from_regex(r'[a-z]\w{0,9}', fullmatch=True), max_size=4))
def test_hashtags_are_found_in_any_caption_and_links_are_passed_over(text, names):
  text = text.replace('#', '').replace('＃', '').replace('&', '').replace('://', '')
  caption = f"{text} {' '.join('#' + name for name in names)} x://y#hidden"
  assert captions.find_hashtags(caption) == list(dict.fromkeys(name.lower() for name in names))


@QUICK
@given(st.lists(st.text(st.sampled_from('abc_'), min_size=1, max_size=5), max_size=6))
def test_tags_beside_a_picture_are_read_as_they_were_written(folder, names):
  (folder / 'a.txt').write_text(', '.join(names))
  record = sidecars.read_beside(str(folder / 'a.txt'))
  assert sum((tags for _, tags in record.tags), []) == names


@QUICK
@given(st.dictionaries(NAMES, NAMES, max_size=12))
def test_aliases_come_to_their_end_or_to_a_circle(folder, pairs):
  (folder / 'aliases.json').write_text(''.join(json.dumps(
      {'antecedent_name': name, 'consequent_name': target}) + '\n'
      for name, target in pairs.items()) or '\n')

  def follow(name):
    seen = []
    while name in pairs and pairs[name] != name and name not in seen:
      seen.append(name)
      name = pairs[name]
    return None if name in seen else name

  ends = {name: follow(name) for name in pairs if pairs[name] != name}
  if None in ends.values():
    with pytest.raises(UserError, match='circle'):
      lists.read_aliases(str(folder / 'aliases.json'))
  else:
    assert lists.read_aliases(str(folder / 'aliases.json')) == ends


@QUICK
@given(st.dictionaries(st.sampled_from(['1.jpg', 'a/2.jpg', '3.jpg']), st.lists(
    NAMES.filter(lambda name: name.strip() == name), min_size=1, unique=True), min_size=1))
def test_tables_are_read_as_they_were_written(folder, tags_of):
  own = folder / 'tables'
  own.mkdir(exist_ok=True)
  known = {name: name for name in ('1.jpg', 'a/2.jpg', '3.jpg')}
  (own / 'a.jsonl').write_text(''.join(json.dumps({'path': name, 'tags': tags}) + '\n'
                                       for name, tags in tags_of.items()))
  assert tag_files.find_tags(own, known, 'a.jsonl').tags_of == tags_of
  text = io.StringIO()
  csv.writer(text).writerows([('path', 'tags'), *((name, json.dumps(tags))
                                                  for name, tags in tags_of.items())])
  (own / 'a.csv').write_text(text.getvalue(), newline='')
  assert tag_files.find_tags(own, known, 'a.csv').tags_of == tags_of


@QUICK
@given(st.dictionaries(st.integers(0, 10**17), st.tuples(st.integers(0, 10**6), NAMES)))
def test_names_of_clusters_are_read_as_they_were_written(folder, named):
  records.write_csv(folder / 'names.csv', labelling.NAME_COLUMNS,
                    [(number, count, name) for number, (count, name) in named.items()])
  assert labelling.read_names(folder / 'names.csv') == named


@QUICK
@given(st.lists(st.tuples(PIXELS, PIXELS, st.floats(1, 1e5, width=32), st.floats(1, 1e5, width=32),
                          st.floats(0, 1)), min_size=1, max_size=5))
def test_boxes_are_read_as_they_were_written(folder, boxes):
  (folder / 'boxes.json').write_text(json.dumps([
      {'image_id': 3, 'category_id': 1, 'bbox': box[:4], 'score': box[4]} for box in boxes]))
  found = detections.read_detections(str(folder / 'boxes.json'))
  np.testing.assert_array_equal(found.box_px, np.array([box[:4] for box in boxes], np.float32))
  np.testing.assert_array_equal(found.scores, np.array([box[4] for box in boxes], np.float32))


@QUICK
@given(st.lists(PIXELS, min_size=34, max_size=34), st.floats(0, 1e10),
       st.lists(st.integers(-2**63 + 1, 2**63 - 1), min_size=1, max_size=3, unique=True))
def test_joints_are_read_as_they_were_written(folder, places, area, ids):
  joints = [value for k in range(17) for value in (*places[2 * k:2 * k + 2], k % 3)]
  content = coco_folders.make_content(ids, keypoints=joints, area=area)
  for image in content['images']:
    image['file_name'] = f"{image['id'] % 1000}.jpg"
  (folder / 'joints.json').write_text(json.dumps(content))
  found = coco_files.read_annotations(folder / 'joints.json')
  assert found.image_ids.tolist() == sorted(ids)
  for row in found.keypoints:
    np.testing.assert_array_equal(row.ravel(), np.array(joints, np.float32))


@QUICK
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9).map(
    lambda shape: (*shape, 3))), st.sampled_from(['PNG', 'TIFF', 'BMP']))
def test_pictures_are_decoded_as_they_were_written(pixels, format):
  written = io.BytesIO()
  Image.fromarray(pixels).save(written, format)
  np.testing.assert_array_equal(decode_image(written.getvalue(), max_pixels=100), pixels)


@QUICK
@given(arrays.arrays(st.sampled_from([np.uint8, np.int16, np.uint16, np.float32]), (3, 4, 2),
                     elements=st.integers(0, 200)), st.sampled_from(['.nii', '.nii.gz']))
def test_volumes_are_read_as_they_were_written(folder, voxels, ending):
  path = scan_files.write_nifti(folder / f'a{ending}', voxels)
  scan = open_scan(path, Settings('100,200', 2, 1000))
  for k in range(2):
    np.testing.assert_allclose(scan.slice(k), voxels[::-1, ::-1, k].T / 200, atol=1e-6)


@QUICK
@given(arrays.arrays(st.sampled_from([np.uint8, np.uint16, np.int16]), (4, 6),
                     elements=st.integers(0, 100)))
def test_dicom_slices_are_read_as_they_were_written(folder, pixels):
  path = scan_files.write_dicom(folder / 'a.dcm', pixels)
  np.testing.assert_allclose(open_scan(path, Settings('50,100', 2, 1000)).slice(0), pixels / 100,
                             atol=1e-6)


WEIGHTS = arrays.arrays(
    st.sampled_from([np.float32, np.float16]), arrays.array_shapes(max_dims=3, max_side=4),
    elements=st.floats(-9, 9, width=16))


@QUICK
@given(st.dictionaries(st.text('abc', min_size=1, max_size=3), WEIGHTS, min_size=1, max_size=3))
def test_weights_are_read_as_they_were_written(folder, weights):
  import h5py
  from safetensors.numpy import save
  keras = {f'{layer}/kernel': value for layer, value in weights.items()}
  (folder / 'w.safetensors').write_bytes(save({f'{key}.w': v for key, v in weights.items()}))
  np.savez(folder / 'w.npz', **keras)
  with h5py.File(folder / 'w.h5', 'w') as file:
    for key, value in keras.items():
      file[key] = value
  for ending, form in (('safetensors', '{}.w'), ('npz', '{}/kernel'), ('h5', '{}/kernel')):
    path = folder / f'w.{ending}'
    with weight_files.open_weights(path) as stored:
      assert stored.arrays.keys() == {form.format(layer) for layer in weights}
      for layer, value in weights.items():
        key = form.format(layer)
        np.testing.assert_array_equal(
            weight_files.read_array(path, key, stored.arrays[key]), value.astype(np.float32))


@settings(QUICK, max_examples=15)
@given(st.integers(0, 2**31), st.floats(0, 1), st.text(SHOWN, max_size=9), st.booleans())
def test_configs_are_read_as_they_were_written(folder, seed, frac, text, flag):
  config = base.get_config()
  config.seed, config.data.valid_frac, config.data.path = seed, frac, text
  config.eval.baselines = flag
  (folder / 'config.json').write_text(json.dumps(config.to_dict()))
  assert saved.get_config(str(folder)).to_dict() == config.to_dict()


@QUICK
@given(st.data())
def test_a_manifest_of_which_any_byte_changed_is_damaged_or_says_the_same(folder, data):
  (folder / 'step').mkdir(exist_ok=True)
  (folder / 'step/weights').write_bytes(b'12345')
  manifest.write_manifest(folder / 'step', {'step': 5, 'metrics': {'valid/loss': 0.25}})
  path = folder / 'step' / manifest.NAME
  content, sound = bytearray(path.read_bytes()), manifest.read_manifest(folder / 'step')
  place = data.draw(st.integers(0, len(content) - 1))
  content[place] = data.draw(st.integers(0, 255))
  path.write_bytes(content)
  try:
    assert manifest.read_manifest(folder / 'step') == sound
  except manifest.Damaged:
    pass


@QUICK
@given(st.text(max_size=30))
def test_messages_hold_no_letter_that_a_terminal_would_obey(text):
  assert all(letter.isprintable() or letter == '\n' for letter in str(UserError(text)))
  assert printable(text) == text or not text.isprintable()
  assert len(shortened(text, 10)) <= 13 and shortened(text, 30) == text


def test_an_exported_section_with_a_key_of_a_place_is_refused_whatever_is_in_it(folder):
  section = json.loads(json.dumps(exported.without_private(base.get_config().to_dict())))
  about = {'format': 1, 'net': 'n', 'task': 't', 'step': 0, 'names': [], 'categories': [],
           'thresholds': {}, 'pixels': {'mean': [0], 'std': [1]}, 'digest': '', 'config': section}
  exported.check_about('p', {'oko': about})
  for value in ('/etc', {'x': 1}, ['/etc'], 5, None):
    section['data']['path'] = value
    with pytest.raises(UserError, match='data.path'):
      exported.check_about('p', {'oko': about})
