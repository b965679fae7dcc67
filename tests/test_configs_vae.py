"""Tests of configs/vae.py, and of what cannot be trained of it."""

import math

import pytest

from configs import fashion, tagger, vae
from errors import UserError
from nets import layers
from train_lib import build, build_data, check


@pytest.mark.parametrize('preset', ['', *vae.PRESETS])
def test_every_preset_takes_grey_squares_of_its_size(preset):
  config = vae.get_config(preset)
  side = {'': 224, 'scans': 224, 'medium': 128}.get(preset, 64)
  assert build_data.blank_pictures(config).shape == (1, side, side, 1)
  assert config.autoencoder.beta == 1.0


def test_bare_page_is_the_published_autoencoder():
  """150,528 numbers out, 256 means and as many deviations, and original_dim * MSE + KL."""
  config = vae.get_config()
  task = build.build_task(config, (), num_steps=1000)
  assert math.prod((*build_data.picture_shape(config), task.net.num_outputs)) == 150_528
  assert 2 * task.net.row.latent_size == 512 and task.net.row.trunk == 'efficientnet_b1'
  assert (task.weight, task.beta, task.free_bits) == (1.0, 1.0, 0.0) and task.gaussian
  assert task.warmup_steps == 200 and config.data.keep_frac == 0.4


@pytest.mark.parametrize('key, value, message', [
    ('autoencoder.channels', 2, 'autoencoder.channels is 2; expected 1 or 3'),
    ('autoencoder.beta', -1.0, 'autoencoder.beta is -1.0; expected 0 to 1e+06'),
    ('autoencoder.reconstruction_weight', 0.0, 'reconstruction_weight is 0.0'),
    ('autoencoder.warmup_frac', 2.0, 'autoencoder.warmup_frac is 2.0; expected 0 to 1'),
    ('autoencoder.free_bits', -1.0, 'autoencoder.free_bits is -1.0'),
    ('train.mixup_alpha', 0.2, 'train.mixup_alpha is 0.2, which an autoencoder has no use for'),
    ('train.cache_features', True, 'train.cache_features is True'),
    ('data.pixels', 'train', "leave it at 'net'"),
    ('data.corrupt', ('drop',), 'drop'),
    ('data.augment', ('colour',), 'colour'),
    ('data.image_size_px', 96, 'set data.image_size_px to 64'),
    ('net.name', 'se_resnet_tiny', 'choose a net of another kind'),
    ('net.mean', (1.0, 2.0, 3.0), 'expected one number in 0..1'),
    ('loss.name', 'focal', 'squared_error, absolute_error'),
])
def test_what_cannot_be_trained_is_told(key, value, message):
  config = vae.get_config('small')
  config.update_from_flattened_dict({key: value})
  with layers.conv_form('plain'), pytest.raises(UserError) as error:
    check.check_config(config)
  assert message in str(error.value) and '\n' not in str(error.value)


def test_likelihood_of_cross_entropy_keeps_its_scale():
  config = vae.get_config('small')
  config.loss.name = 'sigmoid_cross_entropy'
  with pytest.raises(UserError, match='reconstruction_weight is 50'):
    check.check_config(config)


@pytest.mark.parametrize('page, key, value, message', [
    (tagger, 'data.corrupt', ('keep',), 'which damages scans'),
    (fashion, 'data.source', 'scans', 'configs/vae.py:scans'),
    (tagger, 'net.name', 'vae_conv_64', 'vae_conv_64'),
])
def test_other_tasks_are_told_what_is_for_scans(page, key, value, message):
  config = page.get_config('smoke')
  config.update_from_flattened_dict({key: value})
  with layers.conv_form('plain'), pytest.raises(UserError) as error:
    check.check_config(config)
  assert message in str(error.value)
