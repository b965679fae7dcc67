"""A classifier of a few numbers, splits of small coloured pictures, and what it reports of them."""

import jax
import numpy as np
from flax import linen as nn

from train_lib import parallel
from train_lib.classes import class_report
from train_lib.evaluation import Evaluator
from train_lib.tasks.classification import Classification

NAMES = ('red', 'green', 'blue', 'grey')
COLOURS = np.array([(200, 60, 60), (60, 190, 60), (60, 60, 200), (120, 120, 120)])


class MeanColour(nn.Module):
  """A net whose feature map is the picture, and whose head stands on its mean."""
  num_outputs: int = 4

  @nn.compact
  def __call__(self, image, *, train):
    taps = {'features_2d': image, 'features': image.mean(axis=(1, 2))}
    return nn.Dense(self.num_outputs, name='head')(taps['features']), taps


class Crooked(nn.Module):
  """The same head, which stands on something else than the mean of the map."""

  @nn.compact
  def __call__(self, image, *, train):
    taps = {'features_2d': image, 'features': image.max(axis=(1, 2))}
    return nn.Dense(4, name='head')(taps['features']), taps


def make_task(net=None, num_classes=4):
  return Classification(
      net=net or MeanColour(num_classes), mean=(128.0,) * 3, deviation=(64.0,) * 3,
      loss_function=lambda logits, targets: -(targets * jax.nn.log_softmax(logits)).sum(axis=-1),
      num_classes=num_classes)


def make_variables():
  """A head that knows the colours but for grey, which it takes for green now and then."""
  kernel = np.array([(2, -1, -1, 0), (-1, 2, -1, 0), (-1, -1, 2, 0)], np.float32)
  return {'params': {'head': {'kernel': kernel, 'bias': np.array([0, 0.3, 0, 0.5], np.float32)}},
          'batch_stats': {}}


class Split:
  """A source and a loader of pictures of one colour each, with noise."""

  tag_names, tag_categories, truth_keys = NAMES, ('general',) * 4, ('label',)

  def __init__(self, rows, seed, noise=45, shares=(0.4, 0.3, 0.2, 0.1)):
    rng = np.random.default_rng(seed)
    self.label = rng.choice(len(shares), rows, p=shares).astype(np.int32)
    mean = COLOURS[self.label] + rng.normal(0, noise, (rows, 3))
    pixels = mean[:, None, None] + rng.normal(0, 20, (rows, 6, 6, 3))
    self.images = np.clip(pixels, 0, 255).astype(np.uint8)
    self.num_examples, self.batch_size = rows, 8
    self.num_batches = -(-rows // self.batch_size)

  def __len__(self):
    return self.num_examples

  def count_tags(self, poll=lambda: None):
    return np.bincount(self.label, minlength=len(self.tag_names))

  def batches(self, start, stop):
    yield from map(self.make_batch, range(start, stop))

  def make_batch(self, k):
    places = np.arange(k * self.batch_size, (k + 1) * self.batch_size)
    mask, places = places < len(self), np.minimum(places, len(self) - 1)
    return {'image': self.images[places], 'mask': mask.astype(np.float32),
            'id': [f'folder/p{place}.jpg' for place in places], 'label': self.label[places]}

  def example(self, index):
    return {'image': self.images[index]}


def measure(task=None, variables=None, with_baselines=True, **loaders):
  """The report of a task on these splits, 'train', 'valid' and 'test'."""
  loaders = {'train': Split(90, 0), 'valid': Split(20, 1), 'test': Split(50, 2), **loaders}
  evaluator = Evaluator(task or make_task(), parallel.make_mesh(jax.devices()[:1]))
  return class_report.report_on_test(evaluator, variables or make_variables(), loaders['train'],
                                     loaders, with_baselines=with_baselines)
