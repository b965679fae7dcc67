"""Nets of every task as models that take pictures as they are and give finished values."""

import numpy as np
import pytest

from configs import fashion, pose, tagger, vae
from errors import UserError
from tests.drawn_nets import CLASSES, make_run

pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from train_lib.onnx_export import model  # noqa: E402


def export(path, config, run):
  return model.export_model(path, model.make_function(config.task, run), config, run.step)


@pytest.mark.parametrize('page, preset, data, outputs', [
    (tagger, 'smoke', {'image_size_px': 32}, {'probabilities': (CLASSES,)}),
    (fashion, 'smoke', {'image_size_px': 32}, {'probabilities': (CLASSES,)}),
    (vae, 'smoke', {}, {'reconstruction': (64, 64, 1), 'mean': None, 'logvar': None}),
    pytest.param(pose, 'small', {'image_size_px': 128}, {'heatmaps': (32, 24, 17)},
                 marks=pytest.mark.slow)])
def test_a_net_of_each_task_is_exported_with_what_stands_before_and_behind_it(
    tmp_path, page, preset, data, outputs):
  config, run = make_run(page, preset, **data)
  said = export(tmp_path / 'model.onnx', config, run)
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
    export(tmp_path / 'model.onnx', config, run)
  assert list(tmp_path.iterdir()) == []
