"""Copies are found, exact ones and near ones, and no pair of alike hashes is missed."""

import cv2
import numpy as np
import pytest

from data import duplicates
from data.duplicates import Pictures, correlate, find_pairs, hash_picture, read_pictures


def draw_picture(seed, side_px=80):
  """A few large shapes on a shaded ground."""
  rng = np.random.default_rng(seed)
  small = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
  image = cv2.resize(small, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
  centre = tuple(int(value) for value in rng.integers(10, side_px - 10, 2))
  cv2.circle(image, centre, 12, (250, 240, 20), -1)
  return image


def encode(image, *options):
  return cv2.imencode('.jpg' if options else '.png', image, options)[1].tobytes()


def bits_between(image, other):
  return (hash_picture(image)[0] ^ hash_picture(other)[0]).bit_count()


def correlation(image, other):
  return correlate(hash_picture(image)[1][None], hash_picture(other)[1][None])[0]


@pytest.mark.parametrize('copy', [
    lambda image: cv2.imdecode(np.frombuffer(encode(image, cv2.IMWRITE_JPEG_QUALITY, 50), np.uint8),
                               cv2.IMREAD_COLOR),
    lambda image: cv2.resize(image, (40, 40), interpolation=cv2.INTER_AREA),
    lambda image: cv2.resize(image, (200, 160), interpolation=cv2.INTER_CUBIC),
    lambda image: np.clip(image * 0.9 + 8, 0, 255).astype(np.uint8)],
    ids=['jpeg', 'half', 'larger and wider', 'less contrast'])
def test_hashes_of_copies_are_near(copy):
  pairs = [(image, copy(image)) for image in map(draw_picture, range(20))]
  assert max(bits_between(*pair) for pair in pairs) <= duplicates.NEAR_BITS
  assert min(correlation(*pair) for pair in pairs) >= duplicates.NEAR_COLOURS


def test_hashes_of_different_pictures_are_far():
  hashes = np.array([hash_picture(draw_picture(seed))[0] for seed in range(60)], np.uint64)
  bits = np.bitwise_count(hashes[:, None] ^ hashes[None])[np.triu_indices(60, 1)]
  assert bits.min() > duplicates.NEAR_BITS and 28 < bits.mean() < 36


def test_the_same_form_in_other_colours_is_no_copy():
  image = draw_picture(3)
  other = image[..., ::-1].copy()
  assert correlation(image, other) < duplicates.NEAR_COLOURS
  assert correlation(image, image) == pytest.approx(1)


def test_a_picture_of_one_colour_has_no_hash():
  assert hash_picture(np.full((50, 30, 3), 200, np.uint8)) is None
  assert hash_picture(np.full((1, 1, 3), 0, np.uint8)) is None


class Files:
  """A source of the contents given; None cannot be read. Picture i has the tag i % 2."""
  tag_names = ('even', 'odd')

  def __init__(self, contents):
    self.contents = contents

  def __len__(self):
    return len(self.contents)

  def tags_of(self, index):
    return np.array([index % 2], np.int32)

  def __getitem__(self, index):
    if self.contents[index] is None:
      raise FileNotFoundError('gone')
    return {'id': f'p{index}', 'image_bytes': self.contents[index], 'tags': self.tags_of(index)}


def test_one_picture_is_said_in_the_singular(capsys):
  read_pictures(Files([encode(draw_picture(0))]), max_pixels=10_000, workers=0, what='validation')
  assert capsys.readouterr().err == 'reading 1 picture of validation\n'


@pytest.mark.parametrize('workers', [0, 3])
def test_everything_is_read_once_and_what_cannot_be_is_told(workers, monkeypatch):
  monkeypatch.setattr(duplicates, 'CHUNK', 2)
  flat = encode(np.full((8, 8, 3), 255, np.uint8))
  picture = draw_picture(0)
  contents = [encode(picture), b'no picture', None, encode(draw_picture(1)), flat,
              encode(np.zeros((60, 60, 3), np.uint8))]
  polls = []
  found = read_pictures(Files(contents), max_pixels=3_000 if workers else 10_000, workers=workers,
                        poll=lambda: polls.append(1))
  assert found.ids == ['p0', 'p1', 'number 2', 'p3', 'p4', 'p5'] and len(polls) == 3
  np.testing.assert_array_equal(found.tag_counts, [3, 3])
  reasons = dict(found.unreadable)
  assert 'no JPEG, PNG' in reasons[1] and reasons[2] == 'gone'
  if workers:
    assert 'more than max_pixels = 3,000' in reasons[0]
  else:
    assert int(found.hashes[0]) == hash_picture(picture[..., ::-1].copy())[0]
    np.testing.assert_array_equal(found.hashed, [True, False, False, True, False, False])


COLOURS = np.random.default_rng(0).integers(0, 256, (2, 192), dtype=np.uint8)


def make_pictures(hashes, contents=None, colours=None):
  """Pictures of the hashes and contents given, all of the same colours unless these are given."""
  count = len(hashes)
  contents = range(1, count + 1) if contents is None else contents
  digests = np.zeros((count, 16), np.uint8)
  for row, content in enumerate(contents):
    digests[row] = np.frombuffer(int(content).to_bytes(16, 'big'), np.uint8)
  return Pictures([f'p{index}' for index in range(count)], digests,
                  np.array(hashes, np.uint64), np.ones(count, bool),
                  np.array([COLOURS[kind] for kind in colours or [0] * count]).reshape(-1, 192),
                  np.zeros(2, np.int64), [])


def as_set(pairs):
  return set(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.bits.tolist(), strict=True))


@pytest.mark.parametrize('near_bits', [0, 3, 6])
def test_bands_miss_no_pair_and_tell_none_twice(near_bits):
  rng = np.random.default_rng(near_bits)
  centres = rng.integers(0, 2 ** 64, 40, dtype=np.uint64)
  hashes = [int(centre) ^ sum(1 << int(bit) for bit in rng.choice(64, size, replace=False))
            for centre in centres for size in rng.integers(0, 6, 8)]
  assert len(set(hashes)) > 250
  hashes = list(dict.fromkeys(hashes))                        # equal ones have a rule of their own
  pairs = find_pairs([make_pictures(hashes)], near_bits)
  array = np.array(hashes, np.uint64)
  bits = np.bitwise_count(array[:, None] ^ array[None])
  wanted = {(i, j, int(bits[i, j])) for i, j in zip(*np.triu_indices(len(hashes), 1), strict=True)
            if bits[i, j] <= near_bits}
  assert as_set(pairs) == wanted and pairs.num_found == len(wanted) == len(pairs.first)
  assert near_bits == 0 or wanted


def test_pairs_across_splits_come_first_then_exact_ones_then_by_bits():
  train = make_pictures([0, 0xff00ff00, 0xff00ff01, 0xffff << 40], [1, 2, 3, 9])
  test = make_pictures([0b11, 0xffff << 40], [5, 9])                 # 4 near 0; 5 a copy of 3
  pairs = find_pairs([train, test])
  assert list(zip(pairs.first, pairs.second, pairs.bits, strict=True)) == [
      (3, 5, -1), (0, 4, 2), (1, 2, 1)]
  np.testing.assert_array_equal(pairs.copied, [False] * 4 + [True] * 2)


def test_many_copies_give_as_many_pairs_and_all_are_counted_as_copied():
  train = make_pictures([5] * 4, [1, 1, 1, 1])
  valid = make_pictures([5] * 3, [1, 1, 1])
  test = make_pictures([5, 4, 4, 9], [2, 3, 4, 3])             # near ones, of other contents
  pairs = find_pairs([train, valid, test])
  assert {(0, 1, -1), (0, 2, -1), (0, 3, -1), (4, 5, -1), (4, 6, -1), (0, 4, -1)} <= as_set(pairs)
  np.testing.assert_array_equal(pairs.copied, [False] * 4 + [True] * 7)
  assert len(pairs.first) < 20


def test_equal_hashes_of_other_colours_are_compared_with_all_others():
  train = make_pictures([5, 5, 5, 5], colours=[0, 1, 0, 1])
  test = make_pictures([5], [9], colours=[1])
  pairs = find_pairs([train, test])
  assert as_set(pairs) == {(0, 2, 0), (1, 3, 0), (1, 4, 0), (3, 4, 0)}
  np.testing.assert_array_equal(pairs.copied, [False] * 4 + [True])


def test_the_nearest_are_kept_and_all_are_counted():
  hashes = [0] + [1 << bit for bit in range(40)]               # 1 bit from the first, 2 apart
  pairs = find_pairs([make_pictures(hashes)], 2, most=10)
  assert pairs.num_found == 41 * 40 // 2
  assert len(pairs.first) == 10 and set(pairs.bits.tolist()) == {1}


def test_what_has_no_hash_or_no_content_is_no_copy():
  pictures = make_pictures([0, 0, 0, 0])
  pictures.hashed[:3] = False
  pictures.digests[:2] = 0                                     # could not be read
  pairs = find_pairs([pictures, make_pictures([])])
  assert len(pairs.first) == 0 and not pairs.copied.any()
