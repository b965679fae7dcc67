"""How fast the nets train and predict, and what holds them up: the sweep of --job=benchmark.

    python main.py --config=configs/throughput.py          the main nets in bfloat16: TPU, GPU
    python main.py --config=configs/throughput.py:cpu      the same nets at sizes for two cores
    python main.py --config=configs/throughput.py:smoke    a tiny net, seconds

Any other page is measured as it is, its own net, batch, dtype, optimizer and loss, by
`python main.py --config=configs/tagger.py --job=benchmark`. The keys of `config.benchmark` make a
sweep of either: `--config.benchmark.batch_sizes="(32, 64, 0)"` (0 looks for the best one),
`--config.benchmark.devices="(1, 2, 4)"`. What each figure means stands in docs/benchmark.md.
"""

from configs import base

NETS = ('se_resnet_tagger', 'se_resnet50', 'inception_v3', 'efficientnet_b1', 'hrnet_w32',
        'convnext_tiny', 'vit_small_patch16')


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('throughput', arg, ('', *PRESETS))
  config = base.get_config()
  config.job = 'benchmark'
  config.small_page = 'configs/throughput.py:cpu'
  config.data.augment = ('mirror', 'rotation', 'scale', 'translation')
  config.runtime.workers = 8
  config.benchmark.nets = NETS
  config.benchmark.batch_sizes = (0,)
  config.benchmark.dtypes = ('bfloat16',)
  if arg:
    PRESETS[arg](config)
  return config


def cpu(config):
  """The nets at batches and sizes of which two cores take many steps."""
  config.small_page = ''
  config.runtime.workers = 2
  config.benchmark.batch_sizes = (8,)
  config.benchmark.dtypes = ('float32',)
  config.benchmark.image_size_px = 128


def smoke(config):
  """Every part once, at the smallest size."""
  cpu(config)
  config.data.num_train = 64
  config.benchmark.nets = ('se_resnet_tiny',)
  config.benchmark.batch_sizes = (8, 16)
  config.benchmark.image_size_px = 32
  config.benchmark.seconds = 0.2
  config.benchmark.least_steps = 3


PRESETS = {'cpu': cpu, 'smoke': smoke}
