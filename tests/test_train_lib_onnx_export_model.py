"""Nets of every task as models that take pictures as they are and give finished values."""

import jax
import numpy as np
import pytest

from configs import fashion, pose, tagger, vae
from errors import UserError
from tests.test_nets_contract import abstract
from train_lib import build, build_data, parallel
from train_lib.trained import Trained

pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from train_lib.onnx_export import model  # noqa: E402

CLASSES = 5


def make_run(page, preset, **data):
  """(config, what `open_trained` gives) of a net with random weights."""
  config = page.get_config(preset)
  config.data.update(data)
  task = build.build_task(config, ('general',) * (17 if config.task == 'pose' else CLASSES))
  shape = build_data.blank_pictures(config).shape[1:]
  variables = draw_variables(task.net, shape)
  return config, Trained(task, parallel.make_mesh(jax.devices()[:1]), variables, (), (), {}, 3)


def draw_variables(net, shape):
  rng = np.random.default_rng(0)
  _, wanted = abstract(net, shape[0], channels=shape[-1])

  def draw(path, leaf):
    name = path[-1].key
    noise = rng.normal(size=leaf.shape).astype(np.float32)
    if name == 'kernel':
      return noise * np.float32((1.6 / np.prod(leaf.shape[:-1])) ** 0.5)
    return 1 + 0.2 * np.abs(noise) if name in ('var', 'scale') else 0.1 * noise

  return jax.tree_util.tree_map_with_path(draw, wanted)


@pytest.mark.parametrize('page, preset, data, outputs', [
    (tagger, 'smoke', {'image_size_px': 32}, {'probabilities': (CLASSES,)}),
    (fashion, 'smoke', {'image_size_px': 32}, {'probabilities': (CLASSES,)}),
    (vae, 'smoke', {}, {'reconstruction': (64, 64, 1), 'mean': None, 'logvar': None}),
    pytest.param(pose, 'small', {'image_size_px': 64}, {'heatmaps': (16, 12, 17)},
                 marks=pytest.mark.slow)])
def test_a_net_of_each_task_is_exported_with_what_stands_before_and_behind_it(
    tmp_path, page, preset, data, outputs):
  config, run = make_run(page, preset, **data)
  said = model.export_model(tmp_path / 'model.onnx', config, run)
  assert said['difference_from_jax'] < 1e-4 and tuple(said['outputs']) == tuple(outputs)
  session = onnxruntime.InferenceSession(tmp_path / 'model.onnx')
  assert [value.name for value in session.get_outputs()] == list(outputs)
  shape = session.get_inputs()[0].shape
  for rows in (1, 2):
    found = session.run(None, {'image': np.full((rows, *shape[1:]), 0.5, np.float32)})
    for value, wanted in zip(found, outputs.values(), strict=True):
      assert value.shape[0] == rows and wanted in (None, value.shape[1:])
  if 'probabilities' in outputs:
    assert (found[0] > 0).all() and (found[0] < 1).all()
    assert config.task == 'tagging' or np.allclose(found[0].sum(axis=1), 1, atol=1e-5)


def test_a_model_that_differs_is_not_kept(tmp_path, monkeypatch):
  config, run = make_run(tagger, 'smoke', image_size_px=32)
  made = model.build_model

  def spoilt(function, *args, **options):
    return made(lambda image: [1.01 * value for value in function(image)], *args, **options)

  monkeypatch.setattr(model, 'build_model', spoilt)
  with pytest.raises(UserError, match='differs between ONNX and JAX'):
    model.export_model(tmp_path / 'model.onnx', config, run)
  assert list(tmp_path.iterdir()) == []
