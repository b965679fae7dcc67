"""Groups of near-copies: who is whose copy, which one is kept, and how it is known."""

import cv2
import numpy as np
import pytest

from configs import base
from data.encode import encode_image
from data.sources.pictures import PictureFiles
from errors import UserError
from train_lib.clustering import copies
from train_lib.clustering.copies import Hashed, find_copies


def at_angles(*degrees):
  """Unit rows in a plane."""
  turns = np.radians(degrees)
  return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def hashed(*pairs):
  return Hashed(np.array([pair[:2] for pair in pairs], np.int64).reshape(-1, 2),
                np.array([pair[2] for pair in pairs], np.int64))


NONE = hashed()
COSINE_8 = float(np.cos(np.radians(8)))


def test_features_join_what_is_at_least_so_similar():
  found = find_copies(at_angles(0, 90, 5, 97.9, 180), how='features', least_similarity=COSINE_8)
  assert found.groups == [[0, 2], [1, 3]] and found.why == [['', 'features']] * 2
  np.testing.assert_allclose(found.similarities[0], [1, np.cos(np.radians(5))], rtol=1e-5)
  assert find_copies(at_angles(0, 8.1), how='features', least_similarity=COSINE_8).groups == []


def test_a_copy_of_a_copy_is_none_of_the_one_that_is_kept():
  angles = at_angles(0, 7, 14, 21, 28)
  assert find_copies(angles, how='features', least_similarity=COSINE_8).groups == [[0, 1], [2, 3]]
  ranks = {1: (0,), 4: (1,)}
  found = find_copies(angles, how='features', least_similarity=COSINE_8,
                      rank=lambda row: ranks.get(row, (9,)))
  assert found.groups == [[1, 0, 2], [4, 3]]


def test_of_equal_rank_the_first_is_kept_and_large_groups_come_first():
  found = find_copies(at_angles(0, 1, 90, 91, 92), how='features', least_similarity=COSINE_8,
                      rank=lambda row: (row < 3, -row // 2))
  assert found.groups == [[3, 4, 2], [1, 0]]
  assert find_copies(at_angles(0, 1), how='features', least_similarity=COSINE_8,
                     rank=lambda row: ()).groups == [[0, 1]]


def test_each_witness_is_heard_by_itself_and_either_is_enough():
  features = at_angles(0, 2, 90, 180, 182)
  forms = hashed((0, 2, 5), (3, 4, 3))
  groups = {how: find_copies(features, how=how, least_similarity=COSINE_8, hashed=forms)
            for how in copies.WITNESSES}
  assert groups['hash'].groups == [[0, 2], [3, 4]]
  assert groups['features'].groups == [[0, 1], [3, 4]]
  assert groups['both'].groups == [[0, 1, 2], [3, 4]]
  assert groups['both'].why == [['', 'features', 'hash'], ['', 'hash and features']]
  assert groups['both'].similarities[0][2] == pytest.approx(0, abs=1e-6)


def test_what_has_the_same_hash_is_one_whichever_of_them_is_kept():
  """Only the first of many equal pictures is paired with the others."""
  features = at_angles(0, 30, 60, 90)
  forms = hashed((0, 1, 0), (0, 2, -1), (0, 3, 5))
  found = find_copies(features, how='hash', least_similarity=1.0, hashed=forms,
                      rank=lambda row: (-row,))
  assert found.groups == [[3, 2, 1, 0]]
  found = find_copies(features, how='hash', least_similarity=1.0, hashed=forms,
                      rank=lambda row: (row != 2,))
  assert found.groups == [[2, 0, 1, 3]]
  assert found.why[0][1] == 'same file' and all(found.why[0][1:])


def test_more_equal_pictures_than_are_compared_with_one_are_still_one_group(monkeypatch):
  monkeypatch.setattr(copies, 'MOST_NEAR', 4)
  features = at_angles(*[0] * 30, 90, *[45] * 9)
  found = find_copies(features, how='features', least_similarity=0.99)
  assert [len(group) for group in found.groups] == [30, 9]
  assert all(np.array(found.similarities[0]) > 0.9999)


def test_no_two_groups_share_a_picture_and_every_copy_is_near_the_kept_one():
  features = np.random.default_rng(0).normal(size=(300, 3))
  features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
  found = find_copies(features, how='features', least_similarity=0.98)
  rows = [row for group in found.groups for row in group]
  assert len(rows) == len(set(rows)) > 100
  assert min(min(values) for values in found.similarities) >= 0.98
  left = sorted({*range(300)} - {row for group in found.groups for row in group[1:]})
  cosines = features[left] @ features[left].T - 2 * np.eye(len(left))
  assert cosines.max() < 0.98                        # what is kept has no near-copy any more


@pytest.mark.parametrize('how', copies.WITNESSES)
@pytest.mark.parametrize('count', [1, 2])
def test_one_picture_or_different_ones_have_no_copies(how, count):
  found = find_copies(at_angles(0, 90)[:count], how=how, least_similarity=0.9, hashed=NONE)
  assert found == ([], [], [])


@pytest.mark.parametrize('how, least, message', [
    ('eyes', 0.9, "copies 'eyes' is unknown; choices: hash, features, both"),
    ('hash', 0.0, 'least_similarity is 0; expected above 0 to 1'),
    ('both', 1.5, 'least_similarity is 1.5'), ('both', float('nan'), 'least_similarity is nan')])
def test_settings_that_make_no_sense_are_told(how, least, message):
  with pytest.raises(UserError, match=message):
    find_copies(at_angles(0, 90), how=how, least_similarity=least, hashed=NONE)


def test_hashes_are_of_the_readable_pictures_by_their_places_in_the_collection(tmp_path):
  rng = np.random.default_rng(0)
  scenes = [cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (128, 96)) for _ in range(3)]
  half = cv2.resize(scenes[0], (64, 48), interpolation=cv2.INTER_AREA)
  for name, image in {'a': scenes[0], 'c': scenes[1], 'd': half, 'e': scenes[2]}.items():
    (tmp_path / f'{name}.png').write_bytes(encode_image(image, '.png'))
  (tmp_path / 'b.png').write_bytes(b'no picture')
  (tmp_path / 'f.png').write_bytes((tmp_path / 'c.png').read_bytes())
  (tmp_path / 'g.png').write_bytes(b'no picture')
  found = copies.hash_copies(base.get_config(), PictureFiles(tmp_path), np.array([0, 2, 3, 4, 5]),
                             lambda: None)
  assert sorted(found.pairs.tolist()) == [[0, 2], [1, 4]]
  assert dict(zip(found.pairs[:, 1].tolist(), found.bits.tolist(), strict=True))[4] == -1
