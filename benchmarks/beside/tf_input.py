"""tf.data over the same files, for benchmarks/input_beside.py."""

import math
import os

from benchmarks.beside import worker

AHEAD = 24                        # batches that tf.data may have made before a turn


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
    return augment(tf, decode(path)[None], spec)[0]

  pictures = tf.data.Dataset.from_tensor_slices(files).shuffle(len(spec['files'])).repeat()
  if spec['by_batch']:
    pictures = pictures.map(decode, tf.data.AUTOTUNE, deterministic=False).batch(
        spec['batch'], drop_remainder=True)
    pictures = pictures.map(lambda images: augment(tf, images, spec), tf.data.AUTOTUNE,
                            deterministic=False)
  else:
    pictures = pictures.map(one, tf.data.AUTOTUNE, deterministic=False).batch(
        spec['batch'], drop_remainder=True)
  batches = iter(pictures.prefetch(tf.data.AUTOTUNE).as_numpy_iterator())
  image = next(batches)
  facts = {'version': tf.__version__, 'batch': f'{image.dtype} {list(image.shape)}',
           'form': 'operations on ' + ('batches' if spec['by_batch'] else 'pictures')}

  def turn(command):
    return worker.timed_batches(batches, spec['batch'], AHEAD, command['seconds'])
  return facts, turn


def augment(tf, images, spec: dict):
  """One affine warp with mirror, cutout, colours, drawn for each of uint8 [B, size, size, 3]."""
  size, rows = spec['size_px'], tf.shape(images)[0]
  images = tf.ensure_shape(images, (None, size, size, 3))
  mirrored = tf.random.uniform([rows]) < spec['mirror']
  if spec['rotation_deg'] or spec['scale_frac'] or spec['translate_frac']:
    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=images, transforms=draw_transforms(tf, mirrored, rows, spec), fill_value=255.0,
        output_shape=[size, size], interpolation='BILINEAR', fill_mode='CONSTANT')
  else:
    images = tf.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
  if spec['cutout_frac']:
    half = round(spec['cutout_frac'] * size) // 2
    centre = tf.random.uniform([rows, 2, 1], 0, size, tf.int32)
    inside = tf.abs(tf.range(size) - centre) < half             # [B, 2, size]
    covered = inside[:, 0, :, None] & inside[:, 1, None, :]
    images = tf.where(covered[..., None], tf.constant(127, images.dtype), images)
  if spec['colour_frac']:
    factors = 1 + spec['colour_frac'] * tf.random.uniform([3, rows, 1, 1, 1], -1, 1)
    luma = tf.constant([0.299, 0.587, 0.114])
    values = tf.cast(images, tf.float32)
    grey = tf.reduce_sum(values * luma, -1, keepdims=True)
    mean = tf.reduce_mean(grey, [1, 2], keepdims=True)
    values = grey + factors[2] * (values - grey)
    values = factors[0] * (mean + factors[1] * (values - mean))
    images = tf.saturate_cast(values + 0.5, tf.uint8)
  return images


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
