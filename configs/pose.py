"""Keypoints of persons, top-down: HRNet, a heatmap for each of COCO's 17 joints.

    python main.py --config=configs/pose.py             25,000 drawn pictures, W32: TPU, GPU
    python main.py --config=configs/pose.py:small       two cores, 20 minutes: HRNet-lite
    python main.py --config=configs/pose.py:smoke       everything once, a minute
    python main.py --config=configs/pose.py:coco --config.data.path=coco

A person is cut out by her box and the net says where her joints are. `:coco` reads the usual
folders (`train2017`, `val2017`, `annotations/person_keypoints_*.json`) and trains as published: 210
epochs, Adam, W32 at 256x192; `:coco_384` at 384x288, `:coco_w48` and `:coco_w48_384` with W48. The
papers' figures are of a detector's boxes: `--config.data.persons.boxes=detections.json`, beside
which the boxes of the annotations give about 0.02 more AP. Published: W32 0.744 and 0.758, W48
0.751 and 0.763 AP on val2017 with a detector of 0.564 AP; nobody has trained these presets here.

Weights to start from: ImageNet's by `--config.net.init_from=hf-hub:timm/hrnet_w32.ms_in1k`, or a
published pose net as safetensors.

In the presets on drawn pictures a quarter of the crops show the whole picture, so that the net also
finds the joints where nobody gives a box: `--job=predict`, `--job=crop`.
"""

from configs import base


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('pose', arg, ('', *PRESETS))
  config = base.get_config()
  config.task = 'pose'
  config.small_page = 'configs/pose.py:small'
  config.checkpoint = 'best'
  config.data.augment = ('mirror', 'rotation', 'scale', 'half_body')
  config.data.rotation_deg = 45.0
  config.data.scale_frac = 0.35
  config.data.persons.whole_frac = 0.25
  config.net.name = 'hrnet_w32_pose'
  config.loss.name = 'squared_error'
  config.optimizer.name = 'adam'
  config.optimizer.learning_rate = 1e-3
  config.train.num_epochs = 60.0
  if arg:
    PRESETS[arg](config)
  return config


def small(config):
  """What two cores learn in twenty minutes: HRNet-lite on crops of 128x96."""
  config.small_page = ''
  config.data.image_size_px = 128
  config.data.num_train = 6_000
  config.data.num_valid = 400
  config.data.num_test = 1_000
  config.data.drawn_size_px = 128
  config.data.rotation_deg = 20.0
  config.data.scale_frac = 0.2
  config.net.name = 'hrnet_w18_small_pose'
  config.pose.rounded = False
  config.pose.refine = 'dark'
  config.optimizer.learning_rate = 2e-3
  config.train.batch_size = 32
  config.train.num_epochs = 6.0
  config.eval.batch_size = 100
  config.runtime.log_every_steps = 50


def smoke(config):
  """Everything once, at the smallest size."""
  small(config)
  base.use_smallest(config)


def coco(config):
  """COCO's keypoints with the published schedule; name the folder with --config.data.path."""
  config.small_page = ''
  config.data.source = 'coco'
  config.data.valid_frac = 0.02   # of train2017; val2017 is the test split
  config.data.persons.whole_frac = 0.0
  config.optimizer.schedule = 'step'
  config.optimizer.warmup_frac = 0.0
  config.optimizer.step_at = (170 / 210, 200 / 210)
  config.train.num_epochs = 210.0


def coco_384(config):
  """The same at 384x288."""
  coco(config)
  config.data.image_size_px = 384
  config.pose.sigma = 3.0


def coco_w48(config):
  """W48 at 256x192."""
  coco(config)
  config.net.name = 'hrnet_w48_pose'


def coco_w48_384(config):
  """W48 at 384x288."""
  coco_384(config)
  config.net.name = 'hrnet_w48_pose'


PRESETS = {'small': small, 'smoke': smoke, 'coco': coco, 'coco_384': coco_384,
           'coco_w48': coco_w48, 'coco_w48_384': coco_w48_384}
