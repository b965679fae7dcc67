"""The ladder of the fashion system: what its own steps are worth, one after another, three seeds.

    python main.py --job=study --config=configs/fashion_ladder.py:small     two cores, 20 minutes
    python main.py --job=study --config=configs/fashion_ladder.py           TPU, GPU
    python main.py --job=study --config=configs/fashion_ladder.py:folder --config.data.path=FOLDER

The first row is the reference: a pretrained net, fine-tuned with SGD and momentum. The second takes
Adam instead. Each row after that is the second with one augmentation, and the last has all of them.
A row changes what it names and nothing else; the two optimizers have a learning rate of their own.

The last step is to cut the person out before she is classed. `:crop` takes that by itself: the row
with Adam and all augmentations on whole pictures, on what a pose net cuts out of them, and, as the
ceiling, on the true boxes. Pictures are drawn larger than the net sees them, as photographs are.

    python main.py --config=configs/pose.py:small
    python main.py --job=study --config=configs/fashion_ladder.py:crop
      --config.data.persons.cut_by=runs/pose-small

`:crop_folder` asks the same of a person's own pictures, on features of the weights that are named:

    python main.py --job=study --config=configs/fashion_ladder.py:crop_folder
      --config.data.path=FOLDER --config.data.persons.cut_by=runs/pose-small

`:small` trains a small net at 64 px, and `:smoke` does everything once. They start from nothing,
since there are no published weights of it, unless a run of the same net is named, which makes the
first rows a transfer too:

    python main.py --config=configs/simpsons.py:small
    python main.py --job=study --config=configs/fashion_ladder.py:small
      --config.net.init_from=runs/simpsons-small

`:folder` has the rows for a person's own pictures, as `configs/fashion.py:folder`. `:transfer` asks
there what weights are worth: a frozen trunk, its last block trained too, and nets from scratch,
each in minutes on two cores for a thousand pictures. It wants Keras' Inception v3 up to `mixed8`:

    python main.py --job=study --config=configs/fashion_ladder.py:transfer --config.data.path=FOLDER
      --config.net.init_from=inception_v3_to_mixed8.npz
"""

from configs import base, fashion

ADAM = ('optimizer.name', 'adam'), ('optimizer.learning_rate', 1e-3)
AUGMENTATIONS = ('mirror', 'rotation', 'scale', 'cutout')


def rows(*adam) -> tuple:
  """The steps. Args: adam: (key, value) pairs that make the page's optimizer Adam."""
  return (
      ('transfer, momentum',),
      ('Adam', *adam),
      *((f'Adam, {name}', *adam, ('data.augment', (name,))) for name in AUGMENTATIONS),
      ('Adam, all of them', *adam, ('data.augment', AUGMENTATIONS)),
  )


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('fashion_ladder', arg, ('', *PRESETS))
  config = fashion.get_config()
  config.small_page = 'configs/fashion_ladder.py:small'
  config.data.augment = ()
  config.optimizer.name = 'momentum'
  config.optimizer.learning_rate = 0.03
  config.eval.baselines = False
  config.runtime.keep_last = 1
  config.study.rows = rows(*ADAM)
  if arg:
    PRESETS[arg](config)
  return config


def small(config):
  """A small net at 64 px: what two cores can train some twenty times."""
  fashion.small(config)
  config.data.augment = ()
  config.optimizer.learning_rate = 0.05
  config.train.num_epochs = 6.0
  config.eval.batch_size = 250
  config.eval.every_steps = 100_000                             # at the end alone
  config.runtime.log_every_steps = 100_000
  config.runtime.tensorboard = False
  config.study.rows = rows(ADAM[0], ('optimizer.learning_rate', 3e-3))


def crop(config):
  """The person cut out, or not: the small ladder's last row on larger pictures."""
  small(config)
  _, *values = config.study.rows[-1]
  config.data.drawn_size_px = 192
  config.study.rows = (
      ('whole picture', *values),
      ('cut out by predicted joints', *values, ('data.persons.cut', 'pose')),
      ('cut out by the true box', *values, ('data.persons.cut', 'truth')),
  )


def crop_folder(config):
  """The same on a person's own pictures, a head on a frozen trunk; nobody knows true boxes."""
  fashion.features(config)
  config.checkpoint = 'latest'
  config.optimizer.name = 'adam'
  config.study.rows = (
      ('whole picture',), ('cut out by predicted joints', ('data.persons.cut', 'pose')))


def transfer(config):
  """Weights against none, on a person's own pictures."""
  fashion.features(config)
  config.net.name = 'inception_v3_mixed8'
  config.net.init_from = ''                                     # to be named
  config.checkpoint = 'latest'    # so few pictures to validate on choose a step by chance
  config.optimizer.name = 'adam'
  scratch = (('net.init_from', ''), ('train.freeze', ()), ('train.cache_features', False))
  config.study.rows = (
      ('frozen trunk',),
      ('last block trained', ('train.freeze', ('*', '!mixed_7a', '*norm*', '!head')),
       ('train.freeze_first', ('*', '!head')), ('train.freeze_first_frac', 0.88),
       ('train.batch_size', 16), ('train.num_steps', 1_000), ('optimizer.schedule', 'linear'),
       ('optimizer.learning_rate', 5e-3), ('optimizer.lr_factors', (('*', 0.3), ('head', 1.0))),
       ('data.augment', AUGMENTATIONS[:3])),
      ('same net, from scratch', *scratch, ('train.batch_size', 16), ('train.num_steps', 40),
       ('eval.every_steps', 40), ('optimizer.learning_rate', 1e-3),
       ('data.augment', AUGMENTATIONS[:3])),
      ('small net, from scratch', *scratch, ('net.name', 'se_resnet_tiny'),
       ('data.image_size_px', 96), ('train.batch_size', 32), ('train.num_epochs', 150.0),
       ('optimizer.learning_rate', 3e-3), ('data.augment', AUGMENTATIONS)),
  )


def smoke(config):
  """Two rows and two seeds of next to nothing."""
  fashion.smoke(config)
  config.data.augment = ()
  config.data.num_train = 64
  config.train.num_epochs = 1.0
  config.study.num_seeds = 2
  config.study.rows = config.study.rows[1], config.study.rows[-1]


PRESETS = {'small': small, 'crop': crop, 'crop_folder': crop_folder, 'folder': fashion.folder,
           'transfer': transfer, 'smoke': smoke}
