"""A classifier of garments: Inception v3 at 299 px with ImageNet's weights, fine-tuned, augmented.

    python main.py --config=configs/fashion.py          25,000 drawn pictures: TPU, GPU
    python main.py --config=configs/fashion.py:small    two cores, minutes: a small net, untrained
    python main.py --config=configs/fashion.py:smoke    a tiny net, half a minute
    python main.py --config=configs/fashion.py:folder --config.data.path=my_pictures
    python main.py --config=configs/fashion.py:features --config.data.path=my_pictures

The head learns first, on features that are computed once, then the whole net, ten times slower in
the trunk than in the head; Adam, cross-entropy, pictures mirrored, rotated, scaled and with a part
cut out. Drawn pictures are classed by the garment of the main figure.

`:folder` takes a person's own pictures, a thousand or so: class folders, or a table (CSV, JSON
Lines) of path and label; without folders train, valid and test the splits are cut by content. The
net's norms stay as they are, since batches are small.
A prepared TFDS dataset: `:folder --config.data.source=tfds --config.data.tfds_name=food101`.
`:features` never trains the trunk: the head alone learns, in seconds, once the features of the
pictures are there (a few minutes for a thousand pictures on two cores).

The weights are fetched from the Hugging Face hub (`pip install -e '.[hub]'`). Elsewhere name a file
(`--config.net.init_from=weights.npz`, in Keras' names with `--config.net.name=inception_v3_keras`,
or `inception_v3_mixed8` for one that ends there), a run (`--config.net.init_from=runs/simpsons`),
or start from nothing: `--config.net.init_from= --config.train.freeze="()"
--config.train.freeze_first="()" --config.train.freeze_first_frac=0
--noconfig.train.cache_features`. Another net is one line,
`--config.net.name=convnext_tiny`, with its weights and its size:
`--config.net.init_from=hf-hub:timm/convnext_tiny.fb_in1k --config.data.image_size_px=224`.
"""

from configs import base


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('fashion', arg, ('', *PRESETS))
  config = base.get_config()
  config.task = 'classification'
  config.small_page = 'configs/fashion.py:small'
  config.checkpoint = 'best'
  config.data.labels = 'garment'
  config.data.image_size_px = 299
  config.data.augment = ('mirror', 'rotation', 'scale', 'cutout')
  config.net.name = 'inception_v3'
  config.net.init_from = 'hf-hub:timm/inception_v3.tf_in1k'
  config.net.dropout_rate = 0.2
  config.loss.name = 'softmax_cross_entropy'
  config.optimizer.name = 'adam'
  config.optimizer.learning_rate = 1e-3
  config.optimizer.lr_factors = (('*', 0.1), ('head', 1.0))
  config.train.num_epochs = 24.0
  config.train.freeze_first = ('*', '!head')
  config.train.freeze_first_frac = 0.25
  config.train.cache_features = True
  if arg:
    PRESETS[arg](config)
  return config


def small(config):
  """What two cores learn in some minutes: a small net at 64 px, from scratch."""
  config.small_page = ''
  from_scratch(config)
  config.data.image_size_px = 64
  config.data.num_train = 6_000
  config.data.num_valid = 1_000
  config.data.num_test = 2_000
  config.data.augment = ('mirror', 'scale')
  config.net.name = 'se_resnet_tiny'
  config.net.dropout_rate = 0.0
  config.optimizer.learning_rate = 3e-3
  config.train.batch_size = 32
  config.train.num_epochs = 12.0
  config.eval.batch_size = 100
  config.runtime.log_every_steps = 50


def smoke(config):
  """Everything once, at the smallest size that still learns."""
  small(config)
  config.data.image_size_px = 32
  config.data.num_train = 512
  config.data.num_valid = 64
  config.data.num_test = 64
  config.train.batch_size = 16
  config.train.num_epochs = 4.0
  config.eval.batch_size = 32
  config.eval.every_steps = 32
  config.runtime.log_every_steps = 8


def folder(config):
  """A person's own pictures; name the folder with --config.data.path."""
  config.small_page = ''
  config.data.source = 'folder'
  config.train.batch_size = 16
  config.train.freeze = NORMS
  config.eval.batch_size = 32


def features(config):
  """The same, with a trunk that never learns."""
  folder(config)
  config.data.augment = ()
  config.optimizer.learning_rate = 1e-2
  config.optimizer.lr_factors = ()
  config.train.batch_size = 64
  config.train.num_epochs = 50.0
  config.train.freeze = ('*', '!head')
  config.train.freeze_first = ()
  config.train.freeze_first_frac = 0.0


def from_scratch(config):
  """No weights to start from: every part of the net learns from the first step on."""
  config.net.init_from = ''
  config.optimizer.lr_factors = ()
  config.train.freeze_first = ()
  config.train.freeze_first_frac = 0.0
  config.train.cache_features = False


NORMS = ('*norm*',)  # batches of so few pictures would spoil what the norms have learned
PRESETS = {'small': small, 'smoke': smoke, 'folder': folder, 'features': features}
