"""Features of any taps of a net: pooled, joined, in half precision, gone on with after a stop."""

import jax
import numpy as np
import pytest

from errors import UserError
from tests import small_collections
from train_lib import build_inputs, features


def collection(tmp_path, **settings):
  """(loader, trunk) of a folder of small pictures and the net of colours."""
  config = small_collections.make_config(
      tmp_path, small_collections.write_pictures(tmp_path / 'photos'), **settings)
  source = build_inputs.build_collection(config, '', lambda: None)
  return build_inputs.build_collection_loader(config, source), small_collections.make_trunk(config)


def load_taps(tmp_path, loader, trunk, poll=lambda: None, **options):
  return features.load_features(str(tmp_path / 'features'), trunk.net, trunk.mesh, trunk.variables,
                                loader, {'pictures': 'small'}, poll, **options)


def test_taps_are_averaged_over_the_picture_and_lie_side_by_side(tmp_path):
  loader, trunk = collection(tmp_path)
  found = load_taps(tmp_path, loader, trunk, taps=('stem', 'features'), dtype='float16')
  assert found['features'].dtype == np.float16 and found['features'].shape == (18, 6)
  np.testing.assert_array_equal(found['features'][:, :3], found['features'][:, 3:])
  pictures = np.concatenate([batch['image'] for batch in loader.batches(0, 5)])[:18]
  wanted = (pictures.mean(axis=(1, 2)) - 128) / 64
  np.testing.assert_allclose(found['features'][:, 3:], wanted, atol=2e-3)
  assert found['id'][0] == 'blue/0.png' and found['mask'].all()


def test_what_lies_behind_the_last_wanted_tap_is_not_computed(tmp_path):
  loader, trunk = collection(tmp_path)
  image = np.zeros((4, 8, 8, 3), np.float32)

  def flops(*taps):
    def run(variables, image):
      found = trunk.net.net.apply(variables, image, train=False)[1]
      return [found[tap] for tap in taps]
    return jax.jit(run).lower(trunk.variables, image).compile().cost_analysis()['flops']

  assert flops('features') < flops('wide') / 100
  seen = []
  monitored = features.parallel.compile_rows_and_sums

  def watch(function, mesh):
    compiled = monitored(function, mesh)
    batch = {'image': np.zeros((4, 8, 8, 3), np.uint8), 'mask': np.ones(4, np.float32)}
    seen.append(compiled.lower(trunk.variables, batch).compile().cost_analysis()['flops'])
    return compiled

  features.parallel.compile_rows_and_sums = watch
  try:
    next(features.stream_features(trunk.net, trunk.mesh, trunk.variables, loader, ('features',)))
  finally:
    features.parallel.compile_rows_and_sums = monitored
  assert seen[0] < flops('wide') / 50


def test_a_stop_costs_the_batches_since_the_last_save_and_no_more(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(features, 'SAVE_SEC', -1.0)               # after every batch
  loader, trunk = collection(tmp_path)
  (tmp_path / 'photos' / 'blue' / '0.png').write_bytes(b'junk')
  wanted = load_taps(tmp_path / 'other', loader, trunk)
  calls = []

  def stop():
    calls.append(1)
    if len(calls) == 4:
      raise KeyboardInterrupt

  loader, _ = collection(tmp_path)
  (tmp_path / 'photos' / 'blue' / '0.png').write_bytes(b'junk')
  with pytest.raises(KeyboardInterrupt):
    load_taps(tmp_path, loader, trunk, stop)
  later, _ = collection(tmp_path)
  (tmp_path / 'photos' / 'blue' / '0.png').write_bytes(b'junk')
  capsys.readouterr()
  found = load_taps(tmp_path, later, trunk)
  assert '3 of 5 batches are there' in capsys.readouterr().out
  for key, value in wanted.items():
    np.testing.assert_array_equal(found[key], value)
  assert list(later.bad_images.reasons()) == ['blue/0.png'] and found['mask'][0] == 0


def test_taps_that_there_are_not_and_numbers_too_large_for_half_precision_are_told(tmp_path):
  loader, trunk = collection(tmp_path)
  with pytest.raises(UserError, match="no tap 'stage9'; its taps are features, stem, wide"):
    load_taps(tmp_path, loader, trunk, taps=('stage9',))
  with pytest.raises(UserError, match='no tap is named'):
    load_taps(tmp_path, loader, trunk, taps=())
  broken = trunk._replace(net=trunk.net._replace(mean=(np.nan,) * 3))
  with pytest.raises(UserError, match='features that are not numbers'):
    load_taps(tmp_path, loader, broken)
  large = trunk._replace(net=trunk.net._replace(deviation=(1e-5,) * 3))
  with pytest.raises(UserError, match='keep them as float32'):
    load_taps(tmp_path, loader, large, dtype='float16')


def test_what_a_stopped_run_did_in_batches_of_another_size_is_done_again(tmp_path, monkeypatch):
  monkeypatch.setattr(features, 'SAVE_SEC', -1.0)
  loader, trunk = collection(tmp_path)
  wanted = load_taps(tmp_path / 'other', loader, trunk)
  for size in (2, 8, 4):
    calls = []

    def stop(calls=calls):
      calls.append(1)
      if len(calls) == 3:
        raise KeyboardInterrupt

    loader, _ = collection(tmp_path, batch_size=size)
    with pytest.raises(KeyboardInterrupt):
      load_taps(tmp_path, loader, trunk, stop)
  loader, _ = collection(tmp_path, batch_size=8)
  found = load_taps(tmp_path, loader, trunk)
  np.testing.assert_allclose(found['features'], wanted['features'], rtol=1e-5)
  assert list(found['id']) == list(wanted['id'])
