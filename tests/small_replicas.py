"""A net that compiles in a moment, and configs of a few pictures, for the tests of replicas."""


import flax.linen as nn
import jax

from configs import tagger
from nets.conv import Conv
from nets.options import NetOptions
from train_lib import build, parallel

NUM_STEPS = 5
MAKE_MESH = parallel.make_mesh


class SmallNet(nn.Module):
  """A convolution, running statistics, dropout and a head."""

  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    x = Conv(4, 3, stride=4, padding=1, name='conv', dtype=self.options.dtype)(image)
    x = nn.BatchNorm(use_running_average=not train, momentum=0.9, name='norm')(x)
    x = nn.tanh(x).mean(axis=(1, 2))
    x = nn.Dropout(0.2, deterministic=not train, name='dropout')(x)
    return nn.Dense(self.num_outputs, name='head')(x), {}


def use_small_net(monkeypatch, devices=1):
  """Every net is the small one, on so many devices."""
  monkeypatch.setattr(build, 'build_net', lambda config, num_outputs, head_bias=0.0: SmallNet(
      num_outputs, NetOptions(dtype=build.compute_dtype(config.net.dtype))))
  monkeypatch.setattr(parallel, 'make_mesh',
                      lambda given=None: MAKE_MESH(given or jax.devices()[:devices]))


def small_config(folder, together='one'):
  config = tagger.get_config('smoke')
  config.data.dir = str(folder)
  config.data.image_size_px = 32
  config.data.augment = ()
  config.data.num_train, config.data.num_valid, config.data.num_test = 18, 6, 7
  config.loss.name = 'sigmoid_cross_entropy'
  config.optimizer.name = 'momentum'
  config.optimizer.weight_decay = 0.0
  config.train.batch_size = 4                                   # 4.5 batches an epoch
  config.train.num_steps = NUM_STEPS
  config.train.ema_decay = 0.5
  config.eval.batch_size = 4
  config.runtime.workers = 0
  config.study.together = together
  config.study.sharpness_steps = 4
  return config
