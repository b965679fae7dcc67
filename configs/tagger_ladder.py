"""The ladder of a tagger's choices: each against the same reference, with three seeds.

    python main.py --job=study --config=configs/tagger_ladder.py:small    two cores, some 20 minutes
    python main.py --job=study --config=configs/tagger_ladder.py:smoke    everything once
    python main.py --job=study --config=configs/tagger_ladder.py          TPU, GPU
    python main.py --job=study --config=configs/tagger_ladder.py:folder --config.data.path=FOLDER

The reference is the first row; every other row changes what it names and nothing else, the learning
rate included. `:folder` has the rows for a person's own pictures, and `:pad` of these two alone:
pictures padded to a square against pictures squeezed into one. Drawn pictures are square already.
"""

from configs import base, tagger

LOSSES = (
    ('cross-entropy, sum', ('loss.name', 'sigmoid_cross_entropy')),
    ('cross-entropy, mean', ('loss.name', 'sigmoid_cross_entropy'), ('loss.over_tags', 'mean')),
    ('focal', ('loss.name', 'focal')),
    ('asymmetric', ('loss.name', 'asymmetric')),
    ('tags by rarity', ('loss.tag_weight_power', 0.5)),
    ('clipped gradient', ('optimizer.clip_norm', 5.0)),
)
PICTURES = (
    ('cutout', ('data.augment', ('mirror', 'cutout'))),
    ('mixup', ('train.mixup_alpha', 0.2)),
)
MISSING_TAGS = (
    ('implied tags added', ('data.implications', 'added')),
    ('implied tags ignored', ('data.implications', 'ignored')),
    ('negatives smoothed', ('loss.negative_smoothing', 0.05)),
    ('sure negatives ignored', ('loss.missing', 'ignored')),
    ('sure negatives present', ('loss.missing', 'present')),
)
SHAPES = (
    ('square pad', ('data.pad', 'square')),
    ('squish', ('data.pad', 'squish')),
)
NETS = (
    ('se_resnet34', ('net.name', 'se_resnet34')),
    ('se_resnet50', ('net.name', 'se_resnet50')),
)


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('tagger_ladder', arg, ('', *PRESETS))
  config = tagger.get_config()
  config.small_page = 'configs/tagger_ladder.py:small'
  config.loss.name = 'sigmoid_cross_entropy'
  config.data.augment = ('mirror',)
  config.optimizer.clip_norm = 0.0                              # no loss pays for its scale
  config.eval.baselines = False
  config.runtime.keep_last = 1
  config.study.rows = LOSSES + PICTURES + MISSING_TAGS + NETS
  if arg:
    PRESETS[arg](config)
  return config


def small(config):
  """The net of configs/tagger.py:small: what two cores can train some forty times."""
  tagger.small(config)
  config.train.num_epochs = 4.0
  config.eval.every_steps = 100_000                             # at the end alone
  config.runtime.log_every_steps = 100_000
  config.runtime.tensorboard = False
  config.study.rows = LOSSES + PICTURES + MISSING_TAGS


def folder(config):
  """A person's own pictures, at the size of `:small`."""
  small(config)
  config.data.source = 'folder'
  config.train.batch_size = 16
  config.train.num_epochs = 30.0
  config.study.rows = LOSSES + PICTURES + SHAPES[1:]


def pad(config):
  """A person's own pictures, made square in two ways."""
  folder(config)
  config.study.rows = SHAPES


def smoke(config):
  """Two rows and two seeds of next to nothing."""
  tagger.smoke(config)
  config.data.num_train = 64
  config.train.num_epochs = 1.0
  config.study.num_seeds = 2
  config.study.rows = LOSSES[0], LOSSES[2]


PRESETS = {'small': small, 'folder': folder, 'pad': pad, 'smoke': smoke}
