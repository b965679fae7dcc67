"""Optimizers side by side: each tuned over the same number of learning rates, with three seeds.

    python main.py --config=configs/optimizers.py             two cores, within 15 minutes
    python main.py --config=configs/optimizers.py:smoke       the same at next to no size
    python main.py --config=configs/optimizers.py:all         every optimizer there is
    python main.py --config=configs/optimizers.py:accelerator a larger net and more pictures

The page tags drawn pictures of 32 px. A row's own learning rate is the middle of its grid; where
the best lies at an edge, the grid grows. `report.md` in the workdir has the table and the pictures.
Rows, axes, learning rates and seeds are those of `config.study`: any key of the config can be one.
"""

from configs import base

SIX = (
    ('SGD', ('optimizer.name', 'sgd'), ('optimizer.learning_rate', 0.3)),
    ('momentum', ('optimizer.name', 'momentum'), ('optimizer.learning_rate', 0.03)),
    ('Nesterov', ('optimizer.name', 'nesterov'), ('optimizer.learning_rate', 0.03)),
    ('Adagrad', ('optimizer.name', 'adagrad'), ('optimizer.learning_rate', 0.03)),
    ('RMSprop', ('optimizer.name', 'rmsprop'), ('optimizer.learning_rate', 0.003)),
    ('Adam', ('optimizer.name', 'adam'), ('optimizer.learning_rate', 0.003)),
)
OTHERS = (
    ('AdamW', ('optimizer.name', 'adamw'), ('optimizer.learning_rate', 0.003),
     ('optimizer.weight_decay', 0.05)),
    ('NAdam', ('optimizer.name', 'nadam'), ('optimizer.learning_rate', 0.003)),
    ('LAMB', ('optimizer.name', 'lamb'), ('optimizer.learning_rate', 0.01)),
    ('Lion', ('optimizer.name', 'lion'), ('optimizer.learning_rate', 0.0003)),
    ('Adafactor', ('optimizer.name', 'adafactor'), ('optimizer.learning_rate', 0.01)),
    ('Muon', ('optimizer.name', 'muon'), ('optimizer.learning_rate', 0.01)),
    ('Schedule-free', ('optimizer.name', 'schedule_free'), ('optimizer.learning_rate', 0.003),
     ('optimizer.schedule', 'constant')),
    ('SAM, momentum', ('optimizer.name', 'momentum'), ('optimizer.learning_rate', 0.03),
     ('optimizer.sam_rho', 0.05)),
    ('GSAM, momentum', ('optimizer.name', 'momentum'), ('optimizer.learning_rate', 0.03),
     ('optimizer.sam_rho', 0.05), ('optimizer.sam_rho_min', 0.01), ('optimizer.gsam_alpha', 0.3)),
)
FUNCTIONS = ('rosenbrock', 'beale', 'himmelblau', 'saddle', 'noisy quadratic')


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('optimizers', arg, ('', *PRESETS))
  config = base.get_config()
  config.job = 'study'
  config.data.image_size_px = 32
  config.data.num_train = 2_048
  config.data.num_valid = 512
  config.data.num_test = 1_024
  config.data.augment = ()                                      # all pictures lie on the device
  config.net.name = 'se_resnet_tiny'
  config.loss.name = 'sigmoid_cross_entropy'
  config.train.batch_size = 32
  config.train.num_steps = 400
  config.eval.batch_size = 256
  config.study.rows = SIX
  config.study.rate_factors = (1 / 9, 1 / 3, 1.0, 3.0, 9.0)
  config.study.most_grown = 2
  config.study.sharpness_steps = 10
  config.study.functions = FUNCTIONS
  if arg:
    PRESETS[arg](config)
  return config


def smoke(config):
  """The six on 64 pictures, everything once."""
  config.data.num_train = 64
  config.data.num_valid = 32
  config.data.num_test = 32
  config.train.batch_size = 16
  config.train.num_steps = 6
  config.eval.batch_size = 32
  config.study.rate_factors = (1 / 3, 1.0, 3.0)
  config.study.most_grown = 1
  config.study.num_seeds = 2
  config.study.evaluations = 3
  config.study.sharpness_steps = 3
  config.study.functions = FUNCTIONS[:1]


def every(config):
  """The six, what came after them, and SAM and GSAM around momentum."""
  config.study.rows = (*SIX, *OTHERS)


def accelerator(config):
  """Every optimizer at a size that needs a TPU or a GPU."""
  every(config)
  config.small_page = 'configs/optimizers.py'
  config.data.image_size_px = 64
  config.data.num_train = 25_000
  config.data.num_valid = 2_500
  config.data.num_test = 2_500
  config.net.name = 'se_resnet18'
  config.train.batch_size = 128
  config.train.num_steps = 2_000
  config.eval.batch_size = 500
  config.study.num_seeds = 5
  config.study.evaluations = 20


PRESETS = {'smoke': smoke, 'all': every, 'accelerator': accelerator}
