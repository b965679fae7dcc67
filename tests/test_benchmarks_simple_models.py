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
  valid, test, seconds = simple_models.measure(simple_models.MODELS[name](), splits)
  assert valid > 0.9 and test < 0.1 and seconds >= 0
