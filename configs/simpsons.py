"""A classifier of cartoon characters: Inception v3 at 299 px with ImageNet's weights, fine-tuned.

    python main.py --config=configs/simpsons.py          25,000 drawn pictures: TPU, GPU
    python main.py --config=configs/simpsons.py:small    two cores, minutes: a small net, untrained
    python main.py --config=configs/simpsons.py:smoke    a tiny net, half a minute
    python main.py --config=configs/simpsons.py:folder --config.data.path=my_pictures

The head learns first, on features that are computed once, then the whole net, ten times slower in
the trunk than in the head; SGD with momentum, cross-entropy, 24 epochs. Drawn pictures are classed
by their main character. `--config.loss.label_smoothing=0.1` smooths the targets, and
`--config.loss.tag_weight_power=0.5` weighs rare characters more; `--config.data.oversample=0.5`
shows them more often instead.

`:folder` takes a person's own pictures: class folders, or a table (CSV, JSON Lines) of path and
label; without folders train, valid and test the splits are cut by content. A prepared TFDS dataset:
`:folder --config.data.source=tfds --config.data.tfds_name=food101`. Small pictures, some thousands
of 28 to 64 px, learn better from scratch, with what `:small` has:
`:small --config.data.source=folder --config.data.path=faces --config.data.image_size_px=32`.

The weights are fetched from the Hugging Face hub; `configs/fashion.py` says what to do where there
is none, and how another net is taken.
"""

from configs import base, fashion


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('simpsons', arg, ('', *PRESETS))
  config = fashion.get_config()
  config.small_page = 'configs/simpsons.py:small'
  config.data.labels = 'identity'
  config.data.augment = ('mirror',)
  config.optimizer.name = 'momentum'
  config.optimizer.learning_rate = 0.03
  config.optimizer.clip_norm = 5.0
  if arg:
    PRESETS[arg](config)
  return config


def small(config):
  """What two cores learn in some minutes: a small net at 64 px, from scratch, with Adam."""
  fashion.small(config)
  config.data.augment = ('mirror', 'translation')
  config.optimizer.name = 'adam'


def smoke(config):
  """Everything once, at the smallest size that still learns."""
  fashion.smoke(config)
  config.optimizer.name = 'adam'


PRESETS = {'small': small, 'smoke': smoke, 'folder': fashion.folder}
