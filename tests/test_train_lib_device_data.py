"""Tests of train_lib/device_data.py: a split as arrays, and what cannot be one."""

import numpy as np
import pytest

from errors import UserError
from tests.small_replicas import small_config
from train_lib import build_data, build_sources, device_data, parallel


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('data')


class Broken:
  """A source some of whose pictures cannot be read."""

  def __init__(self, source, rows):
    self._source, self._rows = source, rows

  def __getattr__(self, name):
    return getattr(self._source, name)

  def __len__(self):
    return len(self._source)

  def __getitem__(self, index):
    example = self._source[index]
    return {**example, 'image_bytes': b'broken'} if index in self._rows else example


def load(config, source):
  return device_data.load(config, source, 'training split', parallel.make_mesh(),
                          keys=('image', 'tags', 'drawn_tags'))


def test_rows_of_the_arrays_are_the_batches_of_training(folder):
  config = small_config(folder)
  source = build_sources.build_source(config, 'train')
  split = load(config, source)
  loader = build_data.build_loader(config, source, train=True, batch_size=4)
  rows = loader.train_rows(3, 4)                                # 4.5 batches are an epoch
  for number, k in enumerate(range(3, 7)):
    wanted = loader.make_batch(k)
    assert [split.batch['id'][row] for row in rows[number]] == wanted['id']
    for key in ('image', 'tags', 'mask'):
      np.testing.assert_array_equal(np.asarray(split.arrays[key])[rows[number]], wanted[key])


def test_rows_that_fill_the_last_batch_are_masked_and_truths_stay_on_the_host(folder):
  config = small_config(folder)
  split = load(config, build_sources.build_source(config, 'valid'))
  assert split.num_examples == 6 and list(split.batch['mask']) == [1] * 6 + [0] * 2
  assert split.arrays.keys() == {'image', 'tags', 'mask'}
  assert split.batch['drawn_tags'].shape[0] == len(split.batch['id']) == 8
  device_data.check_readable(split, 'validation split')         # padding is no broken picture


def test_a_broken_picture_is_told(folder):
  config = small_config(folder)
  split = load(config, Broken(build_sources.build_source(config, 'train'), {5, 11}))
  with pytest.raises(UserError, match='2 of the 18 pictures .* the first of them number 5'):
    device_data.check_readable(split, 'training split')


def test_a_split_larger_than_a_share_of_memory_is_refused_before_it_is_decoded(folder, monkeypatch):
  config = small_config(folder)
  source = build_sources.build_source(config, 'train')
  source = Broken(source, {0})                  # the size is that of another one
  size = 18 * 32 * 32 * 3 * parallel.make_mesh().size           # virtual devices hold one each
  monkeypatch.setattr(device_data, 'memory_left', lambda device: size / device_data.SHARE + 1)
  assert load(config, source).num_examples == 18
  monkeypatch.setattr(device_data, 'memory_left', lambda device: size / device_data.SHARE - 1)
  monkeypatch.setattr(build_data.Loader, 'batches', lambda *args: pytest.fail('it was decoded'))
  with pytest.raises(UserError, match='the 18 pictures of the training split take'):
    load(config, source)


@pytest.mark.parametrize('augment', [('mirror',), ('rotation',), ('crop',), ('randaugment',)])
def test_pictures_that_change_are_refused(augment):
  config = small_config('')
  device_data.check_repeatable(config)
  config.data.augment = augment
  with pytest.raises(UserError, match=f"data.augment is .*{augment[0]}.* set data.augment to"):
    device_data.check_repeatable(config)


def test_memory_that_is_left_is_that_of_the_machine_or_of_the_device():
  class Device:
    platform = 'gpu'

    def __init__(self, stats):
      self.memory_stats = lambda: stats

  assert 1e8 < device_data.memory_left(parallel.make_mesh().devices.flat[0]) < 1e14
  assert device_data.memory_left(Device({'bytes_limit': 10, 'bytes_in_use': 3})) == 7
  assert device_data.memory_left(Device(None)) == float('inf')
