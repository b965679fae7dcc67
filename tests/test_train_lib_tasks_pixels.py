"""What a net takes of a picture: normalised, averaged over squares, of any number of channels."""

import numpy as np

from train_lib.tasks.pixels import normalise


def test_squares_are_averaged_after_each_channel_was_normalised():
  image = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3)).astype(np.uint8)
  mean, deviation = (100.0, 0.0, 50.0), (50.0, 1.0, 255.0)
  expected = ((image - np.array(mean)) / deviation).reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
  np.testing.assert_allclose(normalise(image, mean, deviation, 2), expected, rtol=1e-5, atol=1e-6)


def test_one_mean_and_deviation_do_for_any_channels():
  features = np.random.default_rng(0).normal(size=(2, 1, 1, 7)).astype(np.float32)
  np.testing.assert_array_equal(normalise(features, (0.0,), (1.0,)), features)
