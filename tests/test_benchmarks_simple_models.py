"""benchmarks/simple_models.py: models are fitted on the training split and scored on the others."""

import numpy as np
import pytest

from benchmarks import simple_models


@pytest.mark.parametrize('name', simple_models.MODELS)
def test_a_model_learns_what_can_be_learned_and_no_more(name):
  rng = np.random.default_rng(0)
  labels = np.arange(300) % 3
  pixels = rng.normal(size=(300, 200)).astype(np.float32)
  pixels[np.arange(300), labels] += 40
  splits = {'train': (pixels[:200], labels[:200]), 'valid': (pixels[200:], labels[200:]),
            'test': (pixels[200:], (labels[200:] + 1) % 3)}
  valid, test, seconds = simple_models.measure(simple_models.MODELS[name](200), splits)
  assert valid > 0.9 and test < 0.1 and seconds >= 0


@pytest.mark.parametrize('name', simple_models.MODELS)
def test_fewer_pictures_than_components_are_enough(name):
  pixels, labels = np.eye(6, 20, dtype=np.float32), np.arange(6) % 3
  splits = dict.fromkeys(simple_models.SPLITS, (pixels, labels))
  assert 0 <= simple_models.measure(simple_models.MODELS[name](6), splits)[0] <= 1
