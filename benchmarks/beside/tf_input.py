"""tf.data over the same files, for benchmarks/input_beside.py."""

import math
import os

from benchmarks.beside import worker

PREFETCH = 8                      # batches; AUTOTUNE would make more than a turn takes meanwhile
AHEAD = 3 * PREFETCH              # batches that tf.data may have made before a turn


def prepare(spec: dict) -> tuple[dict, callable]:
  """(what it is, turn). Args: spec: as that of `torch_input.prepare`; by_batch in place of
  workers: whether operations are done to whole batches, or to each picture before."""
  os.environ['TF_CPP_MIN_LOG_LEVEL'] = '2'
  import tensorflow as tf
  tf.random.set_seed(0)
  files = tf.constant(spec['files'])

  def decode(path):
    return tf.io.decode_jpeg(tf.io.read_file(path), channels=3)

  def one(path):
    return augment_one(tf, decode(path), spec)

  pictures = tf.data.Dataset.from_tensor_slices(files).shuffle(len(spec['files'])).repeat()
  if spec['by_batch']:
    pictures = pictures.map(decode, tf.data.AUTOTUNE, deterministic=False).batch(
        spec['batch'], drop_remainder=True)
    pictures = pictures.map(lambda images: augment(tf, images, spec), tf.data.AUTOTUNE,
                            deterministic=False)
  else:
    pictures = pictures.map(one, tf.data.AUTOTUNE, deterministic=False).batch(
        spec['batch'], drop_remainder=True)
  batches = iter(pictures.prefetch(PREFETCH).as_numpy_iterator())
  image = next(batches)
  facts = {'version': tf.__version__, 'batch': f'{image.dtype} {list(image.shape)}',
           'form': 'operations on ' + ('batches' if spec['by_batch'] else 'pictures')}

  def turn(command):
    return worker.timed_batches(batches, spec['batch'], AHEAD, command['seconds'])
  return facts, turn


# The same things are done to one picture and to a batch by other operations, each by the quickest
# that was found: a slice with a step of -1 takes ten times as long as tf.reverse, and tf.where with
# a condition that has to be spread over pixels five times as long as one that is as large as they.


def augment_one(tf, image, spec: dict):
  """One affine warp with mirror, cutout, colours of uint8 [size, size, 3]."""
  size = spec['size_px']
  image = tf.ensure_shape(image, (size, size, 3))
  if warps(spec):
    image = warp(tf, image[None], spec)[0]
  elif spec['mirror']:
    image = tf.cond(tf.random.uniform([]) < spec['mirror'], lambda: tf.reverse(image, [1]),
                    lambda: image)
  if spec['cutout_frac']:
    centre = tf.random.uniform([2], 0, size, tf.int32)
    half = round(spec['cutout_frac'] * size) // 2
    (top, left), (bottom, right) = (
        tf.unstack(tf.clip_by_value(centre + edge, 0, size)) for edge in (-half, half))
    grey = tf.fill(tf.stack([bottom - top, right - left, 3]), tf.constant(127, tf.uint8))
    rows = tf.concat([image[top:bottom, :left], grey, image[top:bottom, right:]], 1)
    image = tf.ensure_shape(tf.concat([image[:top], rows, image[bottom:]], 0), image.shape)
  return change_colours(tf, image[None], spec)[0] if spec['colour_frac'] else image


def augment(tf, images, spec: dict):
  """The same of uint8 [B, size, size, 3], drawn for each."""
  size = spec['size_px']
  images = tf.ensure_shape(images, (spec['batch'], size, size, 3))
  if warps(spec):
    images = warp(tf, images, spec)
  elif spec['mirror']:
    images = tf.raw_ops.Select(condition=tf.random.uniform([spec['batch']]) < spec['mirror'],
                               x=tf.reverse(images, [2]), y=images)
  if spec['cutout_frac']:
    half = round(spec['cutout_frac'] * size) // 2
    centre = tf.random.uniform([spec['batch'], 2, 1], 0, size, tf.int32)
    offset = tf.range(size) - centre                            # [B, 2, size]
    inside = (-half <= offset) & (offset < half)
    covered = inside[:, 0, :, None] & tf.repeat(inside[:, 1], 3, 1)[:, None]
    flat = tf.reshape(images, covered.shape)                    # [B, size, size * 3]
    images = tf.reshape(tf.where(covered, tf.constant(127, tf.uint8), flat), images.shape)
  return change_colours(tf, images, spec) if spec['colour_frac'] else images


def warps(spec: dict) -> bool:
  """Whether pixels move but by a mirror."""
  return bool(spec['rotation_deg'] or spec['scale_frac'] or spec['translate_frac'])


def warp(tf, images, spec: dict):
  """One affine warp with mirror of each of uint8 [B, size, size, 3]."""
  rows, size = images.shape[0], spec['size_px']
  mirrored = tf.random.uniform([rows]) < spec['mirror']
  return tf.raw_ops.ImageProjectiveTransformV3(
      images=images, transforms=draw_transforms(tf, mirrored, rows, spec), fill_value=255.0,
      output_shape=[size, size], interpolation='BILINEAR', fill_mode='CONSTANT')


def change_colours(tf, images, spec: dict):
  """Brightness, contrast and saturation of each of uint8 [B, size, size, 3]: one linear map."""
  rows = images.shape[0]
  brightness, contrast, saturation = tf.unstack(
      1 + spec['colour_frac'] * tf.random.uniform([3, rows, 1, 1], -1, 1))
  luma = tf.constant([0.299, 0.587, 0.114])
  values = tf.cast(tf.reshape(images, [rows, -1, 3]), tf.float32)
  mean = tf.reduce_sum(tf.reduce_mean(values, 1, keepdims=True) * luma, -1, keepdims=True)
  linear = brightness * contrast * (saturation * tf.eye(3) + (1 - saturation) * luma)
  values = tf.matmul(values, linear, transpose_b=True) + (brightness * (1 - contrast) * mean + 0.5)
  return tf.reshape(tf.saturate_cast(values, tf.uint8), images.shape)


def draw_transforms(tf, mirrored, rows, spec: dict):
  """float32 [B, 8]: from a place in the result to one in the picture."""
  def uniform(most):
    return tf.random.uniform([rows], -most, most)
  angle, zoom = uniform(math.radians(spec['rotation_deg'])), 1 + uniform(spec['scale_frac'])
  right, down = (uniform(spec['translate_frac'] * spec['size_px']) for _ in range(2))
  sign = tf.where(mirrored, -1.0, 1.0)
  cos, sin, centre = tf.cos(angle) / zoom, tf.sin(angle) / zoom, (spec['size_px'] - 1) / 2
  a, b, c, d = sign * cos, sign * sin, -sin, cos
  x, y = centre + right, centre + down
  return tf.stack([a, b, centre - a * x - b * y, c, d, centre - c * x - d * y,
                   tf.zeros_like(a), tf.zeros_like(a)], 1)


if __name__ == '__main__':
  worker.serve(prepare)
