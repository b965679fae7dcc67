"""The benchmark's own claim: its step is one that learns, and every figure is printed."""

import sys

import numpy as np
import pytest

from benchmarks import autoencoder_step
from nets.vae import VARIANTS, Variant


@pytest.mark.slow
def test_the_step_learns_and_every_figure_is_told(monkeypatch):
  monkeypatch.setitem(VARIANTS, 'vae_tiny', Variant(
    input_size_px=32, latent_size=4, encoder_widths=(4, 4, 4, 8, 8),
    decoder_widths=(8, 8, 4, 4, 4)))
  monkeypatch.setattr(sys, 'argv', [
    'autoencoder_step', '--net=vae_tiny', '--batch=4', '--repeats=2', '--channels=1'])
  case = autoencoder_step.Case(autoencoder_step.read_flags())
  losses = []
  for _ in range(6):
    case.run_once()
    losses.append(float(case.loss))
  assert np.isfinite(losses).all() and losses[-1] < losses[0]
  restored = case.restore(case.state[0], case.image[:1])
  assert restored.shape == (1, 32, 32, 1) and 0 < restored.min() < restored.max() < 1
  text = '\n'.join(case.lines())
  for words in ('parameters: ', 'decoder ', 'compilation', 'pictures/s', 'restoring one picture',
                'arguments', 'temporary', 'peak of the process'):
    assert words in text
  assert all(len(seconds) == 6 for seconds in case.seconds.values())
