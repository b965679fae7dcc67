"""Phantom: what its slices promise, and that they are the same everywhere."""

import collections
import concurrent.futures
import hashlib
import multiprocessing
import types

import cv2
import numpy as np
import pytest

from data.phantom import canvas, patient, picture, scanner, vocabulary

NUM_SLICES = 4000


def make_settings(**changes):
  return types.SimpleNamespace(**{'image_size_px': 64, 'data_seed': 5, **changes})


def pixels(example):
  return cv2.imdecode(np.frombuffer(example['image'], np.uint8), cv2.IMREAD_UNCHANGED)


def draw(index, split='train', **changes):
  return picture.draw_example(make_settings(**changes), split, index)


@pytest.fixture(scope='module')
def slices():
  return [patient.sample_slice(0, 'train', index) for index in range(NUM_SLICES)]


@pytest.fixture(scope='module')
def drawn():
  return [draw(index) for index in range(160)]


def test_the_vocabulary_is_contiguous_by_category_and_names_all_findings():
  assert len(set(vocabulary.TAG_NAMES)) == len(vocabulary.TAG_NAMES)
  runs = [vocabulary.TAG_CATEGORIES[0]]
  for category in vocabulary.TAG_CATEGORIES:
    if category != runs[-1]:
      runs.append(category)
  assert runs == ['general', 'meta']
  assert set(vocabulary.FINDINGS) - {'clear'} < set(vocabulary.TAG_NAMES)


def test_every_finding_occurs_and_none_is_nearly_all(slices):
  share = {name: count / NUM_SLICES
           for name, count in collections.Counter(one.finding for one in slices).items()}
  assert set(share) == set(vocabulary.FINDINGS)
  assert min(share.values()) > 0.04 and 0.4 < share['clear'] < 0.65


def test_a_patient_has_four_slices_from_below_to_above_of_one_kind(slices):
  for first in range(0, 400, vocabulary.SLICES_PER_PATIENT):
    some = slices[first:first + vocabulary.SLICES_PER_PATIENT]
    assert len({one.patient for one in some}) == 1
    assert [one.height for one in some] == sorted(one.height for one in some)
    assert {one.finding for one in some} <= {'clear', some[0].patient.illness}


def test_neighbours_have_different_patients_and_no_patient_is_in_two_splits():
  numbers = {split: {patient.sample_slice(0, split, index).patient.number for index in range(200)}
             for split in vocabulary.SPLITS}
  assert all(len(one) == 50 for one in numbers.values())
  assert len(set.union(*numbers.values())) == 150
  names = {patient.sample_slice(0, split, 0).patient.name for split in vocabulary.SPLITS}
  assert len(names) == 3


def test_a_part_has_its_own_findings_and_scanners(slices):
  for one in slices:
    who = one.patient
    assert who.modality == 'ct' or (who.part == 'head' and not who.window)
    allowed = vocabulary.HEAD_FINDINGS if who.part == 'head' else vocabulary.CHEST_FINDINGS
    assert one.finding in ('clear', *allowed)
    assert not (who.window == 'bone_window' and one.finding != 'clear')
    assert not (who.contrast and who.modality in ('mri_t2', 'mri_pd'))


def test_tags_say_what_a_slice_is(drawn):
  counts = collections.Counter()
  for index, example in enumerate(drawn):
    names = {vocabulary.TAG_NAMES[tag] for tag in example['tags']}
    who = patient.sample_slice(5, 'train', index).patient
    assert {who.part, who.modality} <= names
    assert len(names & set(vocabulary.PARTS)) == len(names & set(vocabulary.MODALITIES)) == 1
    assert (len(names & set(vocabulary.WINDOWS)) == 1) == (who.modality == 'ct')
    assert names & set(vocabulary.FINDINGS) == {example['finding']} - {'clear'}
    assert len(example['tags']) <= vocabulary.MAX_TAGS
    counts.update(names)
  assert len(counts) >= 25
  columns = {tuple(tag in example['tags'] for example in drawn) for tag in range(
      len(vocabulary.TAG_NAMES))}
  assert len(columns) >= len(counts)  # no two tags say the same


def test_a_lesion_has_a_box_in_the_frame_and_a_clear_slice_has_none(drawn):
  for example in drawn:
    x, y, w, h = example['lesion_box_px']
    if example['finding'] == 'clear':
      assert not example['lesion_box_px'].any() and example['lesion_area_px2'] == 0
    else:
      assert 0 <= x < x + w <= 64 and 0 <= y < y + h <= 64
      assert 1 < example['lesion_area_px2'] <= 1.5 * (w + 1) * (h + 1)


@pytest.mark.parametrize('finding', vocabulary.FINDINGS[1:])
def test_a_lesion_changes_the_picture_where_its_box_is(finding, monkeypatch):
  index = next(i for i in range(NUM_SLICES)
               if patient.sample_slice(5, 'train', i).finding == finding)
  with_it = draw(index)
  monkeypatch.setattr(picture.lesions, 'draw_lesion', lambda canvas, scene, room: canvas.blank())
  without = draw(index)
  changed = np.abs(pixels(with_it).astype(float) - pixels(without)) / 65535
  x, y, w, h = (int(number) for number in with_it['lesion_box_px'])
  inside = changed[y:y + max(1, h), x:x + max(1, w)].mean()
  assert inside > 0.04 and inside > 2 * changed.mean()


def test_same_seed_gives_the_same_bytes_and_another_seed_others():
  one, again = draw(7), draw(7)
  assert one['image'] == again['image'] and one['tags'] == again['tags']
  others = {draw(7, data_seed=6)['image'], draw(7, 'valid')['image'], draw(8)['image']}
  assert len({one['image'], *others}) == 4


def test_the_streams_of_noise_do_not_change():
  numbers = canvas.Noise('phantom').normals(1000)
  digest = hashlib.sha256(np.round(numbers * 1000).astype(np.int32).tobytes()).hexdigest()
  assert digest[:16] == '20c5424da9ccbfab'
  assert abs(numbers.mean()) < 0.1 and abs(numbers.std() - 1) < 0.05


def test_the_description_of_a_slice_does_not_change():
  one = repr(patient.sample_slice(0, 'train', 0)) + repr(patient.sample_slice(3, 'test', 1234))
  assert hashlib.sha256(one.encode()).hexdigest()[:16] == 'dcacf04d9dc2a82e'


@pytest.mark.parametrize('index, brightness', [  # of a 4 x 4 grid, row by row
    (1, [0.022, 0.220, 0.247, 0.031, 0.089, 0.511, 0.575, 0.160,
         0.105, 0.487, 0.492, 0.175, 0.023, 0.214, 0.211, 0.040]),
    (6, [0.103, 0.419, 0.365, 0.132, 0.418, 0.447, 0.577, 0.500,
         0.384, 0.517, 0.573, 0.433, 0.057, 0.293, 0.377, 0.082]),
    (9, [0.000, 0.202, 0.230, 0.000, 0.045, 0.728, 0.770, 0.121,
         0.088, 0.746, 0.759, 0.144, 0.000, 0.247, 0.325, 0.003]),
])
def test_the_drawing_does_not_change(index, brightness):
  image = pixels(draw(index, data_seed=0)) / 65535
  grid = cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA)
  np.testing.assert_allclose(grid.ravel(), brightness, atol=0.002)


def test_order_and_process_do_not_matter():
  order = [9, 2, 5]
  here = {index: draw(index)['image'] for index in sorted(order)}
  with concurrent.futures.ProcessPoolExecutor(
      1, mp_context=multiprocessing.get_context('spawn')) as pool:
    for index, there in zip(order, pool.map(draw, order), strict=True):
      assert there['image'] == here[index]


@pytest.mark.parametrize('size_px', [32, 96, 128, 224])
def test_sizes_share_the_anatomy(size_px):
  for index in range(0, 40, 5):
    small, other = draw(index), draw(index, image_size_px=size_px)
    assert pixels(other).shape == (size_px, size_px)
    assert small['tags'] == other['tags'] and small['finding'] == other['finding']
    a, b = (cv2.resize(pixels(one), (32, 32), interpolation=cv2.INTER_AREA) / 65535
            for one in (small, other))
    tiny = size_px == 32  # a window clips what one pixel mixes
    assert np.abs(a - b).mean() < (0.05 if tiny else 0.03)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > (0.9 if tiny else 0.97)


def test_slices_are_16_bit_grey_that_use_their_range(drawn):
  for example in drawn[:40]:
    image = pixels(example)
    assert image.dtype == np.uint16 and image.shape == (64, 64)
    assert len(np.unique(image)) > 256
    assert int(image.max()) - int(image.min()) > 0.5 * 65535
  assert len({example['image'] for example in drawn}) == len(drawn)


def test_the_scanners_noise_is_moderate(monkeypatch):
  for index in range(0, 48, 4):
    noisy = pixels(draw(index)) / 65535
    with monkeypatch.context() as quiet:
      quiet.setattr(scanner, 'NOISE', (1e-6, 1e-6))
      clean = pixels(draw(index)) / 65535
    assert 0.002 < np.std(noisy - clean) < 0.03


def test_a_stripped_head_is_black_around_the_brain(slices):
  index = next(i for i, one in enumerate(slices) if one.patient.stripped and one.height > 0.4)
  image = pixels(draw(index, data_seed=0))
  assert (image[:3] == 0).all() and (image[-3:] == 0).all() and image.max() > 0.4 * 65535
