"""The code of a model card gives Oko's own answer, with onnxruntime, numpy and Pillow alone."""


import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from configs import pose
from tests.drawn_nets import PAGES, make_run, other, write_export, write_model
from tests.example_runner import read_values, run_example
from train_lib import build, build_data, build_inputs
from train_lib.export import card_examples
from train_lib.poses import heatmaps, people_finder
from train_lib.storage import records

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

SIZES = {'wide': (131, 97), 'high': (40, 90), 'small': (19, 13)}  # width, height, px


def draw_picture(path, size, mode='RGB'):
  """A smooth picture with an edge, so that the way of resizing shows."""
  width, height = size
  rows, columns = np.mgrid[0:height, 0:width] / max(size)
  waves = [0.5 + 0.5 * np.sin(9 * rows + 5 * columns * number + (columns > 0.4))
           for number in range(1, 5)]
  Image.fromarray(np.uint8(255 * np.stack(waves, axis=-1)), 'RGBA').convert(mode).save(path)


@pytest.fixture(scope='module', params=['tagging', 'classification', 'autoencoding'])
def exported_net(request, tmp_path_factory):
  folder = tmp_path_factory.mktemp(request.param)
  page, preset, data = PAGES[request.param]
  config, run = make_run(page, preset, **data)
  run = other(run, thresholds={'micro': -1.0} if request.param == 'tagging' else {})
  write_export(folder, config, run)
  return config, run, folder, write_model(folder / 'model.onnx', config, run)


def own_answer(config, function, path):
  """The same by Oko: the first output for one picture, as evaluation reads it."""
  if config.task == 'autoencoding':
    scan = build_inputs.open_scan(config, path).slice(0)
    image = build_inputs.fit_scan(scan, config.data.image_size_px)
  else:
    source = build_inputs.build_picture_source(str(path))
    image = build_data.build_loader(config, source, train=False, keys=('image',),
                                    batch_size=1).example(0)['image']
  return np.asarray(function(np.float32(image[None]))[0])[0]


@pytest.mark.parametrize('size, mode', [('wide', 'RGB'), ('small', 'RGBA')])
def test_it_gives_the_answer_of_oko(exported_net, size, mode):
  config, run, folder, function = exported_net
  if config.task == 'autoencoding':
    mode = 'L'
  draw_picture(folder / 'picture.png', SIZES[size], mode)
  printed = run_example(card_examples.write_example(config, 4), folder)
  wanted = own_answer(config, function, folder / 'picture.png')
  if config.task == 'autoencoding':
    restored = np.asarray(Image.open(folder / 'restored.png')) / 255
    shape = SIZES[size][::-1]
    assert restored.shape == shape
    np.testing.assert_allclose(
        restored, build_inputs.unfit_scan(wanted, shape), atol=1.5 / 255)
    return
  found, known = read_values(printed), dict(zip(run.tag_names, wanted, strict=True))
  first = 1 if config.task == 'tagging' else 0  # its first output is a rating
  assert set(found) == set(run.tag_names[first:])
  for name, (value,) in found.items():
    assert value == pytest.approx(known[name], abs=2e-3)
  assert list(found) == sorted(found, key=lambda name: -found[name][0])


@pytest.mark.parametrize('old, new', [((97, 131), (24, 32)), ((13, 19), (21, 31)),
                                      ((64, 64), (32, 32)), ((20, 30), (20, 30))])
def test_resizing_is_that_of_evaluation_to_a_step_of_a_255th(old, new):
  import cv2
  scope = {'np': np}
  exec(card_examples.RESIZE, scope)
  image = np.random.default_rng(0).integers(0, 256, (*old, 3)).astype(np.uint8)
  shrinks = np.prod(new) < np.prod(old)
  wanted = cv2.resize(image, new[::-1],
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
  found = np.clip(np.rint(scope['resize'](image.astype(float), *new)), 0, 255)
  assert np.abs(found - wanted).max() <= 1


class HeatmapNet:
  """Heatmaps with one top each, in place of a trained net: how near a px is to a hue of its own."""

  def apply(self, variables, image, train):
    rows, height, width, _ = image.shape
    small = image.reshape(rows, height // 4, 4, width // 4, 4, 3).mean(axis=(2, 4))
    angles = np.arange(17) * 0.37
    hues = np.stack([np.sin(angles), np.cos(angles), np.sin(2 * angles)]).astype(np.float32)
    return jnp.tanh(jnp.dot(small, hues, precision='highest')) * 0.9 + 0.05, {}


def pose_run(refine, flip_test):
  config = pose.get_config('small')
  config.data.image_size_px = 128
  config.pose.refine, config.pose.flip_test = refine, flip_test
  _, run = make_run(*PAGES['classification'][:2], image_size_px=32)
  task = other(build.build_task(config, ('general',) * 17), net=HeatmapNet())
  return config, other(run, task=task, tag_names=tuple(f'joint {k}' for k in range(17)),
                       tag_categories=('general',) * 17)


@pytest.mark.parametrize('refine, flip_test, size', [
    ('quarter', True, (300, 210)), ('dark', True, (90, 260)), ('none', False, (60, 50)),
    ('quarter', True, (1400, 1100))])
def test_joints_are_those_that_oko_finds(refine, flip_test, size, tmp_path, monkeypatch):
  config, run = pose_run(refine, flip_test)
  records.write_json(tmp_path / 'config.json', {'oko': {'names': run.tag_names}})
  write_model(tmp_path / 'model.onnx', config, run)
  draw_picture(tmp_path / 'picture.png', size)
  monkeypatch.setattr(people_finder, 'open_trained', lambda *args: run)
  finder = people_finder.PeopleFinder(config, tmp_path)
  wanted = finder.find(build_inputs.build_picture_source(str(tmp_path / 'picture.png')),
                       lambda: None).keypoints[0]
  found = read_values(run_example(
      card_examples.write_example(config, heatmaps.STRIDE_PX), tmp_path))
  assert list(found) == list(run.tag_names)
  found = np.array(list(found.values()))
  # a step of a 255th moves the hottest px of a flat top, so of a few joints nothing is asked
  near = np.abs(found[:, :2] - wanted[:, :2]).max(axis=1) < 0.02 * max(size)
  assert near.mean() > 0.8
  np.testing.assert_allclose(found[:, 2], wanted[:, 2], atol=0.01)


def test_a_scan_of_16_bits_is_not_cut_off_in_silence(tmp_path):
  page, preset, data = PAGES['autoencoding']
  code = card_examples.write_example(page.get_config(preset), 4)
  Image.fromarray(np.full((9, 9), 3000, np.uint16)).save(tmp_path / 'picture.png')
  with pytest.raises(AssertionError, match='save it with 8 bits'):
    run_example(code, tmp_path)
