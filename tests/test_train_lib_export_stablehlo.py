"""model.stablehlo: one function for every platform and any number of pictures, checked."""

import jax
import numpy as np
import pytest
from jax import export

from errors import UserError
from tests.drawn_nets import PAGES, make_run
from train_lib.export import stablehlo
from train_lib.onnx_export import model

pytest.importorskip('flatbuffers')


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """(config, function, path, what is said of it) of an autoencoder, which has three outputs."""
  page, preset, data = PAGES['autoencoding']
  config, run = make_run(page, preset, **data)
  path = tmp_path_factory.mktemp('stablehlo') / 'model.stablehlo'
  function = model.make_function(config.task, run)
  return config, function, path, stablehlo.export_stablehlo(path, function, config)


def test_it_gives_the_outputs_by_name_for_any_number(written):
  config, function, path, said = written
  read_again = export.deserialize(path.read_bytes())
  image = model.draw_pictures(config, 2)
  found = read_again.call(image)
  assert set(found) == set(model.OUTPUTS[config.task])
  for name, wanted in zip(model.OUTPUTS[config.task], jax.jit(function)(image), strict=True):
    np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6)
  assert said['difference_from_jax'] < 1e-5


def test_it_is_for_all_platforms_and_one_device(written):
  read_again = export.deserialize(written[2].read_bytes())
  assert read_again.platforms == ('cpu', 'cuda', 'tpu') and read_again.nr_devices == 1


def test_weights_are_in_it_once(written):
  num_bytes = 4 * 1_259_145                     # of the parameters
  assert num_bytes < written[2].stat().st_size < 1.05 * num_bytes


def test_one_that_differs_is_not_kept(written, tmp_path, monkeypatch):
  config, function, _, _ = written

  class Spoilt:
    def call(self, image):
      return {name: 1.01 * value for name, value in zip(
          model.OUTPUTS[config.task], jax.jit(function)(image), strict=True)}
  monkeypatch.setattr(export, 'deserialize', lambda data: Spoilt())
  with pytest.raises(UserError, match='differs between StableHLO and JAX'):
    stablehlo.export_stablehlo(tmp_path / 'model.stablehlo', function, config)
  assert list(tmp_path.iterdir()) == []
