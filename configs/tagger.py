"""The multi-label tagger: SE-ResNet (17 M parameters) at 256 px, focal loss, 100 tags, 4 ratings.

    python main.py --config=configs/tagger.py           25,000 drawn pictures, 40 epochs: TPU, GPU
    python main.py --config=configs/tagger.py:demo      the same net, minutes on two cores
    python main.py --config=configs/tagger.py:small     0.2 M parameters at 64 px: two minutes there
    python main.py --config=configs/tagger.py:smoke     a tiny net, about a minute
    python main.py --config=configs/tagger.py:folder --config.data.path=my_pictures
    python main.py --config=configs/tagger.py:danbooru --config.data.path=my_archive
    python main.py --config=configs/tagger.py:board --config.data.path=my_archive

`:folder` reads a person's own pictures: tags from a table, from .txt files beside the pictures, or
from the folders' names. `:danbooru` and `:board` read a board's archive: its pictures, and metadata
in any of the formats of `data/board/`. The first learns 100 general tags from 25,000 pictures, the
second all tags that are not too rare, tens of thousands, from all pictures; `config.data.board`
holds what each picks and leaves out. What to expect stands in the README's table of results.
"""

from configs import base


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('tagger', arg, ('', *PRESETS))
  config = base.get_config()
  config.small_page = 'configs/tagger.py:demo'
  config.optimizer.weight_decay = 0.05
  config.optimizer.clip_norm = 5.0
  config.train.ema_decay = 0.999
  if arg:
    PRESETS[arg](config)
  return config


def demo(config):
  """As much as two cores learn in a quarter of an hour: most steps on pictures of half the size."""
  config.small_page = ''
  config.data.num_train = 12_000
  config.data.num_valid = 500
  config.data.num_test = 1_000
  config.data.augment = ('mirror',)
  config.net.dropout_rate = 0.0
  config.optimizer.learning_rate = 2e-3
  config.train.batch_size = 32
  config.train.num_epochs = 4.5
  config.train.shrink = 2
  config.train.shrink_frac = 0.8
  config.train.ema_decay = 0.0
  config.eval.batch_size = 50
  config.eval.every_steps = 600
  config.runtime.log_every_steps = 50


def small(config):
  """What two cores learn in some two minutes: a small net, at 64 px from scratch."""
  config.small_page = ''
  config.data.image_size_px = 64
  config.data.num_train = 6_000
  config.data.num_valid = 1_000
  config.data.num_test = 2_000
  config.data.augment = ('mirror',)
  config.net.name = 'se_resnet_tiny'
  config.optimizer.learning_rate = 3e-3
  config.train.batch_size = 32
  config.train.num_epochs = 12.0
  config.train.ema_decay = 0.0
  config.eval.batch_size = 250
  config.eval.every_steps = 0


def smoke(config):
  """Everything once, at the smallest size that still learns."""
  config.data.image_size_px = 64
  config.data.num_train = 512
  config.data.num_valid = 64
  config.data.num_test = 64
  config.data.augment = ('mirror',)
  config.net.name = 'se_resnet_tiny'
  config.train.batch_size = 16
  config.train.num_epochs = 2.0
  config.train.ema_decay = 0.0
  config.eval.batch_size = 32
  config.eval.every_steps = 32
  config.runtime.log_every_steps = 8


def folder(config):
  """A person's own pictures, a thousand or so; name the folder with --config.data.path."""
  config.small_page = ''
  config.data.source = 'folder'
  config.data.image_size_px = 128                # few pictures teach no more at 256 px
  config.train.batch_size = 16
  config.train.num_epochs = 30.0
  config.train.ema_decay = 0.0
  config.eval.batch_size = 32


def danbooru(config):
  """A sample of a board, valid and test included, and its most frequent general tags.

  Characters and series join with --config.data.board.most.character=20 and the like.
  """
  config.small_page = ''
  config.data.source = 'board'
  config.data.board.num_pictures = 25_000
  config.data.board.min_general_tags = 10
  config.data.board.most.general = 100
  config.data.board.most.character = -1
  config.data.board.most.copyright = -1


def board(config):
  """A whole board: every tag, artists and meta too, that has enough pictures to be learned."""
  config.small_page = ''
  config.data.source = 'board'
  config.data.valid_frac = 0.01
  config.data.test_frac = 0.05
  config.data.board.min_general_tags = 10
  config.data.board.most.artist = 0
  config.data.board.most.meta = 0
  config.data.board.least = dict(general=20, character=40, copyright=50, artist=200, meta=50)
  config.train.num_epochs = 5.0


PRESETS = {'demo': demo, 'small': small, 'smoke': smoke, 'folder': folder, 'danbooru': danbooru,
           'board': board}
