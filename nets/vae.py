"""Variational autoencoders: a picture becomes a small Gaussian, and a sample of it a picture again.

Papers: Kingma, Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114 (the encoder gives
mean and log-variance of the latent; a sample is mean + deviation * noise, equation 10); Odena,
Dumoulin, Olah, Deconvolution and Checkerboard Artifacts, Distill 2016, doi 10.23915/distill.00003
(maps are enlarged by repeating pixels and then convolved: a transposed convolution covers its
output unevenly); He, Zhang, Ren, Sun, 2016, arXiv 1512.03385 (residual blocks). The trunk of
`vae_efficientnet_b1` is that of nets/efficientnet.py, see there.

What the latent is read from: not the mean over the last map, which keeps what there is and loses
where. A 1x1 convolution to few channels leaves every place its say, and a dense layer reads them
all. So the size of the pictures is fixed: it is the row's.

`grey_to_rgb`, the first convolution of `vae_efficientnet_b1`, makes three channels of one. It
starts as the arithmetic that turns a grey picture of ours into what weights of ImageNet expect.

Differs from Kingma and Welling: convolutions for dense layers; and the log-variance is clipped
where it is sampled (`LOGVAR_RANGE`), so that no deviation overflows. The divergence from the prior
sees the one that is not clipped, and pulls it back.

Input: scans [B, H, W, 1] normalised by the constants of the row, one number each, of pixels in
0..1, of exactly the row's size.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from errors import UserError
from nets import efficientnet, layers
from nets.options import IMAGENET_MEAN, IMAGENET_STD, NetOptions, Row

LOGVAR_RANGE = (-20.0, 10.0)  # of what is sampled: deviations of 5e-5 to 148
NECK_WIDTH = 32  # channels of the map that mean and log-variance are read from


class ResidualBlock(nn.Module):
  """Two 3x3 convolutions, added to the shortcut; the first may halve the map, or enlarge it.

  Args of construction:
    stride: 2 halves the sides.
    times: 2 doubles them: every pixel becomes a square of copies before it is convolved.
  """

  width: int
  make: layers.Constructors
  stride: int = 1
  times: int = 1

  @nn.compact
  def __call__(self, x):
    make = self.make
    y = make.conv(self.width, 3, stride=self.stride, padding=1, name='conv1')(x)
    y = layers.repeat_pixels(make.act(make.norm(name='norm1')(y)), self.times)
    y = make.norm(name='norm2')(make.conv(self.width, 3, padding=1, name='conv2')(y))
    if x.shape != y.shape:
      x = make.conv(self.width, 1, stride=self.stride, name='shortcut_conv')(x)
      x = layers.repeat_pixels(make.norm(name='shortcut_norm')(x), self.times)
    return make.act(y + x)


class ConvEncoder(nn.Module):
  """Image -> (features, taps), as a net without a head: a stem that halves, and four blocks.

  Args of a call: those of `VAE`. Returns: those of `EfficientNet` with num_outputs 0; stem and
  stage1 are [B, H/2, W/2, C], stage2 to stage4 [B, H/4 .. H/16, .., C], and features_2d is stage4.
  """

  widths: tuple[int, ...]
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    make, taps = layers.make_constructors(self.options, train=train), {}
    x = taps['stem'] = layers.ConvNormAct(
      self.widths[0], 3, stride=2, padding=1, make=make, name='stem')(image)
    for number, width in enumerate(self.widths[1:], start=1):
      block = layers.rematerialise(ResidualBlock, self.options, f'stage{number}')
      x = taps[f'stage{number}'] = block(
        width, make, stride=1 if number == 1 else 2, name=f'stage{number}')(x)
    taps['features_2d'], taps['features'] = x, x.mean(axis=(1, 2), dtype=jnp.float32)
    return taps['features'], taps


class LatentHead(nn.Module):
  """A map -> (mean, logvar), float32 [B, D]."""

  latent_size: int
  options: NetOptions

  @nn.compact
  def __call__(self, x, *, train):
    make = layers.make_constructors(self.options, train=train)
    x = layers.ConvNormAct(NECK_WIDTH, 1, make=make, name='neck')(x)
    x = nn.Dense(2 * self.latent_size, dtype=jnp.float32, param_dtype=self.options.param_dtype,
                 name='dense')(x.reshape(x.shape[0], -1))
    return jnp.split(x, 2, axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant(Row):
  """One net of the family; its constants are of pixels in 0..1, of one channel."""

  latent_size: int
  decoder_widths: tuple[int, ...]  # from the smallest map to the picture's size
  encoder_widths: tuple[int, ...] = ()  # of the stem and the four stages; () for a trunk
  trunk: str = ''  # the EfficientNet that encodes
  mean: tuple[float, ...] = (0.5,)
  std: tuple[float, ...] = (0.25,)


class Decoder(nn.Module):
  """Latent [B, D] -> logits of pixels [B, H, W, C]: a small map, then a block for each doubling.

  Args of construction:
    row: with decoder_widths and input_size_px, which are H and W.
    num_outputs: C.
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, latent, *, train):
    make = layers.make_constructors(self.options, train=train)
    first, *others = self.row.decoder_widths
    side = self.row.input_size_px // 2 ** len(others)
    x = make.dense(side * side * first, name='dense')(latent).reshape(-1, side, side, first)
    x = make.act(make.norm(name='norm')(x))
    for number, width in enumerate(others, start=1):
      stage = f'stage{max(1, 5 - number)}'  # that the encoder made of the size that grows
      block = layers.rematerialise(ResidualBlock, self.options, stage)
      x = block(width, make, times=2, name=f'up{number}')(x)
    return layers.Conv(
      self.num_outputs, 1, use_bias=True, dtype=jnp.float32,
      param_dtype=self.options.param_dtype, bias_init=layers.make_bias_init(self.options),
      name='pixels')(x)


class VAE(nn.Module):
  """Image -> (output, taps).

  Rematerialising a stage of the encoder does the same to the decoder's block of its size.

  Args of a call:
    image: [B, H, W, C], normalised; H and W are the row's input_size_px.
    train: True uses and updates batch statistics and samples the latent (rng 'latent'); False
      takes its mean, so that nothing is random.

  Returns:
    output: float32 [B, H, W, num_outputs], logits of pixels: their sigmoid is in 0..1; the
      encoder's features when num_outputs is 0, which builds no decoder.
    taps: the encoder's stem, stage1 to stage4, features_2d and features; mean and logvar float32
      [B, D], of the Gaussian that each picture becomes; latent float32 [B, D].

  Raises:
    UserError: when the picture has another size.
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  def setup(self):
    row, options = self.row, self.options
    if row.trunk:
      self.grey_to_rgb = layers.Conv(
        3, 3, padding=1, use_bias=True, kernel_init=make_grey_kernel_init(row),
        bias_init=make_grey_bias_init(row), **options.dtypes)
      self.encoder = efficientnet.EfficientNet(
        row=efficientnet.VARIANTS[row.trunk], num_outputs=0, options=options)
    else:
      self.encoder = ConvEncoder(row.encoder_widths, options)
    self.latent_head = LatentHead(row.latent_size, options)
    self.decoder = Decoder(row, self.num_outputs, options)

  def __call__(self, image, *, train):
    mean, logvar, taps = self.encode(image, train=train)
    taps = {**taps, 'mean': mean, 'logvar': logvar,
            'latent': self._sample(mean, logvar) if train else mean}
    if self.num_outputs == 0:
      return taps['features'], taps
    return self.decode(taps['latent'], train=train), taps

  def encode(self, image, *, train=False):
    """Returns (mean, logvar, taps of the encoder). Args and errors: those of a call."""
    size = self.row.input_size_px
    if image.shape[1:3] != (size, size):
      raise UserError(f'this autoencoder takes pictures of {size} x {size} px and got '
                      f'{image.shape[1]} x {image.shape[2]}; set data.image_size_px to {size}, or '
                      'choose another net.')
    x = self.grey_to_rgb(image) if self.row.trunk else image
    _, taps = self.encoder(x, train=train)
    mean, logvar = self.latent_head(taps['features_2d'], train=train)
    return mean, logvar, taps

  def decode(self, latent, *, train=False):
    """Returns the output of a call. Args: latent: [B, D], such as a draw of the normal prior."""
    return self.decoder(latent, train=train)

  def _sample(self, mean, logvar):
    noise = jax.random.normal(self.make_rng('latent'), mean.shape)
    return mean + jnp.exp(jnp.clip(logvar, *LOGVAR_RANGE) / 2) * noise


def make_grey_kernel_init(row):
  """Returns the initialiser of a convolution that gives each pixel's mean over channels thrice.

  Together with the bias below, pixels (p - mean) / std of the row become (p - mean) / std of
  ImageNet.
  """
  def init(key, shape, dtype):
    del key
    scale = jnp.asarray([255 * row.std[0] / std for std in IMAGENET_STD], dtype)
    middle = shape[0] // 2, shape[1] // 2
    return jnp.zeros(shape, dtype).at[middle].set(scale / shape[2])
  return init


def make_grey_bias_init(row):
  """Returns the initialiser of the bias that goes with `make_grey_kernel_init`."""
  def init(key, shape, dtype):
    del key, shape
    return jnp.asarray([(255 * row.mean[0] - mean) / std
                        for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)], dtype)
  return init


VARIANTS = {
  'vae_efficientnet_b1': Variant(
    input_size_px=224, latent_size=256, trunk='efficientnet_b1',
    decoder_widths=(256, 192, 128, 64, 32, 16)),
  'vae_conv_128': Variant(
    input_size_px=128, latent_size=256, encoder_widths=(16, 16, 32, 64, 128),
    decoder_widths=(128, 64, 32, 16, 8)),
  'vae_conv_64': Variant(
    input_size_px=64, latent_size=256, encoder_widths=(16, 16, 32, 64, 128),
    decoder_widths=(128, 64, 32, 16, 8)),
}

NET = VAE
