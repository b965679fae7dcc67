"""A variational autoencoder for MRI and CT slices: denoise, reconstruct, synthesize.

    python main.py --config=configs/vae.py              25,000 drawn slices at 224 px: TPU, GPU
    python main.py --config=configs/vae.py:small        two cores, minutes: 64 px
    python main.py --config=configs/vae.py:medium       128 px
    python main.py --config=configs/vae.py:smoke        everything once, a minute
    python main.py --config=configs/vae.py:scans --config.data.path=scans
    python main.py --config=configs/vae.py:small_scans --config.data.path=scans

An EfficientNet-B1 encoder behind a first convolution from 1 to 3 channels, a latent vector of 512
numbers (256 means, 256 log variances), a decoder that mirrors the encoder's resolutions, and the
grey slice three times as the target, so that original_dim is 150,528. The loss is the mean over
pictures of original_dim * MSE + KL. The input keeps 40 % of its pixels, the target is whole.

`:scans` reads a folder of DICOM, NIfTI, PNG or TIFF files (`pip install -e .[scans]`), split by
patient or volume. Then

    python main.py --job=predict --workdir=runs/vae-small --input=scans      restores them
    python main.py --job=synthesize --workdir=runs/vae-small                 draws new ones

Other damage: `--config.data.corrupt="('gaussian',)"`, of keep, gaussian, rician, blur, lines; () is
none. A net that learned from slices that keep 40 % darkens whole ones: where it shall restore both,
`--config.data.keep_most_frac=1.0` lets training keep any share in between.

In the small presets a pixel has a deviation of 0.1 (a weight of 50) in place of the 0.7 that
original_dim * MSE stands for, since with fewer pixels the KL divergence would weigh more.
"""

from configs import base


def get_config(arg: str = ''):
  """The page; `arg` picks a preset: '' or a name in PRESETS."""
  base.check_preset('vae', arg, ('', *PRESETS))
  config = base.get_config()
  config.task = 'autoencoding'
  config.small_page = 'configs/vae.py:small'
  config.data.source = 'phantom'
  config.data.image_size_px = 224
  config.data.augment = ('mirror', 'rotation', 'scale', 'translation')
  config.data.corrupt = ('keep',)
  config.net.name = 'vae_efficientnet_b1'
  config.loss.name = 'squared_error'
  config.optimizer.name = 'adam'
  config.optimizer.learning_rate = 2e-3
  config.train.num_epochs = 60.0
  if arg:
    PRESETS[arg](config)
  return config


def small(config):
  """What two cores learn in minutes: 64 px, one channel."""
  config.small_page = ''
  config.data.image_size_px = 64
  config.data.num_train = 8_000
  config.data.num_valid = 400
  config.data.num_test = 800
  config.data.augment = ('mirror', 'translation')
  config.net.name = 'vae_conv_64'
  config.autoencoder.channels = 1
  config.autoencoder.reconstruction_weight = 50.0
  config.train.batch_size = 64
  config.train.num_epochs = 20.0
  config.eval.batch_size = 100
  config.runtime.log_every_steps = 50


def medium(config):
  """The same at 128 px."""
  small(config)
  config.small_page = 'configs/vae.py:small'
  config.data.image_size_px = 128
  config.net.name = 'vae_conv_128'
  config.data.num_train = 4_000
  config.train.num_epochs = 12.0


def smoke(config):
  """Everything once, at the smallest size."""
  small(config)
  base.use_smallest(config)


def scans(config):
  """A person's own scans at 224 px; name the folder with --config.data.path."""
  config.small_page = 'configs/vae.py:small_scans'
  config.data.source = 'scans'


def small_scans(config):
  """A person's own scans at 64 px: two cores."""
  small(config)
  config.data.source = 'scans'


PRESETS = {'small': small, 'medium': medium, 'smoke': smoke, 'scans': scans,
           'small_scans': small_scans}
