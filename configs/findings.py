"""A classifier of what a CT or MRI slice shows: clear, or one of six findings; drawn slices.

    python main.py --config=configs/findings.py          25,000 drawn slices at 224 px: TPU, GPU
    python main.py --config=configs/findings.py:small    two cores, minutes: 64 px
    python main.py --config=configs/findings.py:folder --config.data.path=FOLDER

It is what drawn or synthesized slices are tried on: `benchmarks/synthesis.py` trains it on few
slices, with and without those that an autoencoder made of them, and its features judge
`--job=synthesize` (`--config.synthesize.judge=runs/findings-small`). `:folder` is `:small` with a
folder of classes in place of drawn slices.
"""

from configs import base


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('findings', arg, ('', *PRESETS))
  config = base.get_config()
  config.task = 'classification'
  config.small_page = 'configs/findings.py:small'
  config.data.source = 'phantom'
  config.data.labels = 'finding'
  config.data.image_size_px = 224
  config.data.augment = ('mirror', 'rotation', 'scale', 'translation')
  config.net.name = 'se_resnet50'
  config.loss.name = 'softmax_cross_entropy'
  config.optimizer.learning_rate = 1e-3
  config.train.num_epochs = 30.0
  if arg:
    PRESETS[arg](config)
  return config


def small(config):
  """What two cores learn in minutes."""
  config.small_page = ''
  config.data.image_size_px = 64
  config.data.num_train = 8_000
  config.data.num_valid = 400
  config.data.num_test = 800
  config.net.name = 'se_resnet_tiny'
  config.optimizer.learning_rate = 3e-3
  config.train.batch_size = 64
  config.train.num_epochs = 12.0
  config.eval.batch_size = 100
  config.runtime.log_every_steps = 50


def folder(config):
  """The same of slices in class folders."""
  small(config)
  config.data.source = 'folder'


PRESETS = {'small': small, 'folder': folder}
