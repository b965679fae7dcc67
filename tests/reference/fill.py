"""One rule that fills a net's weights from their names, and one that makes outputs small.

Both sides of a comparison use this file: the script that asks the reference implementation, and the
test that asks our net. It needs numpy and nothing else. A value depends on the weight's name in the
reference, its shape there, and one number for the whole net, its gain:

  running_mean, moving_mean           0.2 u
  running_var, moving_variance        1 + 0.3 u
  vectors: weight, gamma              1 + 0.2 u     (scales of norms and of layers)
  vectors: bias, beta                 0.2 u
  cls_token, pos_embed                0.2 u
  all other arrays                    u * sqrt(gain / fan_in)

where u is uniform noise of mean 0 and deviation 1, drawn from the SHA-256 of the name. A gain is
chosen so that what is compared neither dies out nor explodes on its way through the net.
"""

import hashlib
import math

import numpy as np

SAMPLES = 128
SUMS = 8


def _stream(name):
  """A stream of random numbers that is the same in every version of numpy."""
  return np.random.RandomState(np.frombuffer(hashlib.sha256(name.encode()).digest(), np.uint32))


def noise(name, shape):
  """Uniform numbers of mean 0 and deviation 1, float32, that depend on a name."""
  return ((_stream(name).random_sample(shape) * 2 - 1) * math.sqrt(3)).astype(np.float32)


def fill(name, shape, gain):
  """Returns the value of one weight.

  Args:
    name: the reference's, 'layer1.0.conv1.weight' or 'conv2d_3/kernel'.
    shape: the reference's.
    gain: variance of what leaves a layer over the mean square of what enters it.
  """
  u, leaf = noise(name, shape), name.replace('/', '.').rpartition('.')[2]
  if leaf in ('running_mean', 'moving_mean', 'cls_token', 'pos_embed'):
    return np.float32(0.2) * u
  if leaf in ('running_var', 'moving_variance'):
    return 1 + np.float32(0.3) * u
  if len(shape) == 1:
    return np.float32(0.2) * u + (0 if leaf in ('bias', 'beta') else 1)
  return u * np.float32(math.sqrt(gain / _fan_in(name, shape)))


def _fan_in(name, shape):
  """What a kernel's output sums over; Keras writes [..., in, out] and timm [out, in, ...]."""
  if '/' not in name:
    return math.prod(shape[1:])
  return math.prod(shape[:2] if shape[-1] == 1 and len(shape) == 4 else shape[:-1])


def picture(batch, size_px, channels=3):
  """A batch of noise as a net takes it: [batch, size_px, size_px, channels], deviation 1.

  Fine noise alone averages out on its way through a net: all pictures would get the same output.
  So each has a colour of its own and coarse patches too.
  """
  cells = -(-size_px // 16)
  coarse = noise('patches', (batch, cells, cells, channels)).repeat(16, axis=1).repeat(16, axis=2)
  fine = noise('picture', (batch, size_px, size_px, channels))
  colour = noise('colour', (batch, 1, 1, channels))
  return (fine + coarse[:, :size_px, :size_px] + colour) / np.float32(math.sqrt(3))


def summarise(name, value):
  """Makes one feature small.

  Args:
    name: of the feature.
    value: [B, ...]; a map with its channels last.

  Returns:
    samples: some of its numbers, at places that depend on the name.
    sums: of all its numbers, with random signs, over the root of how many there are.
    spread: its deviation, in float64.
    contrast: the part of it that differs from picture to picture, as a share of the spread.
  """
  flat = np.asarray(value, np.float64).reshape(-1)
  stream = _stream(f'places of {name}')
  places = stream.randint(0, flat.size, SAMPLES)
  sums = [(flat * (stream.randint(0, 2, flat.size) * 2 - 1)).sum() for _ in range(SUMS)]
  return dict(samples=flat[places].astype(np.float32),
              sums=np.float32(sums) / np.float32(math.sqrt(flat.size)), spread=flat.std(),
              contrast=math.sqrt(np.asarray(value, np.float64).var(axis=0).mean()) / flat.std())


def some_channels(name, value, count=4):
  """Picks a few numbers of a vector, at places that depend on the name."""
  return np.asarray(value)[_stream(f'places of {name}').randint(0, len(value), count)]


def digest(shapes):
  """Returns a digest of {name: shape} of a net's weights, whatever their order."""
  lines = sorted(f'{name} {"x".join(map(str, shape))}' for name, shape in shapes.items())
  return hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:16]
