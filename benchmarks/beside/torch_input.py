"""Torch's DataLoader over the same files, with OpenCV, for benchmarks/input_beside.py."""

import math
import os

from benchmarks.beside import worker

PASS = 1_000_000                  # pictures of an epoch: the workers never start anew


def prepare(spec: dict) -> tuple[dict, callable]:
  """(what it is, turn).

  Args: spec: files, batch, workers, and of the operations mirror, rotation_deg, scale_frac,
    translate_frac, cutout_frac, colour_frac, size_px; 0 is off.
  """
  import cv2
  import torch
  torch.manual_seed(0)
  torch.set_num_threads(1)        # as in the workers: for a batch of copies more only stand by
  start_worker(0)
  loader = torch.utils.data.DataLoader(
      Pictures(spec), spec['batch'], shuffle=True, num_workers=spec['workers'], drop_last=True,
      worker_init_fn=start_worker, persistent_workers=spec['workers'] > 0)
  batches = iter(loader)
  image = next(batches)[0]
  facts = {'version': f'{torch.__version__}, OpenCV {cv2.__version__}',
           'form': f'{spec["workers"]} workers', 'batch': f'{image.dtype} {list(image.shape)}'}
  ahead = 3 * spec['workers'] + 1

  def turn(command):
    return worker.timed_batches(batches, spec['batch'], ahead, command['seconds'])
  return facts, turn


def start_worker(number: int) -> None:
  """OpenCV's own threads would compete with the workers."""
  import cv2
  del number
  cv2.setNumThreads(0)


class Pictures:
  """A map-style dataset: picture uint8 [size, size, 3] RGB, and its class."""

  def __init__(self, spec: dict):
    self.spec = spec
    self.files = spec['files']
    self.classes = sorted({os.path.basename(os.path.dirname(path)) for path in self.files})

  def __len__(self):
    return PASS

  def __getitem__(self, index):
    import cv2
    import numpy as np
    import torch
    path = self.files[index % len(self.files)]
    image = cv2.imread(path, cv2.IMREAD_COLOR_RGB)
    image = augment(cv2, np, image, self.spec, torch.rand(12).tolist())
    label = self.classes.index(os.path.basename(os.path.dirname(path)))
    return torch.from_numpy(image), label


def augment(cv2, np, image, spec: dict, draws: list[float]):
  """One affine warp with mirror, cutout, colours. Args: draws: twelve numbers in 0..1."""
  size = spec['size_px']
  mirrored = draws[0] < spec['mirror']
  if spec['rotation_deg'] or spec['scale_frac'] or spec['translate_frac']:
    turn, zoom, right, down = (2 * one - 1 for one in draws[1:5])
    angle, zoom = math.radians(spec['rotation_deg'] * turn), 1 + spec['scale_frac'] * zoom
    cos, sin, sign = zoom * math.cos(angle), zoom * math.sin(angle), -1 if mirrored else 1
    linear, centre = np.array([[sign * cos, -sin], [sign * sin, cos]]), np.full(2, (size - 1) / 2)
    shift = spec['translate_frac'] * size * np.array([right, down])
    image = cv2.warpAffine(
        image, np.column_stack([linear, centre + shift - linear @ centre]), (size, size),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(255, 255, 255))
  elif mirrored:
    image = cv2.flip(image, 1)
  if spec['cutout_frac']:
    side = round(spec['cutout_frac'] * size)
    top, left = (int(one * size) - side // 2 for one in draws[5:7])
    image[max(0, top):max(0, top + side), max(0, left):max(0, left + side)] = 127
  if spec['colour_frac']:
    brightness, contrast, saturation = (1 + spec['colour_frac'] * (2 * one - 1)
                                        for one in draws[7:10])
    luma = np.array([0.299, 0.587, 0.114])
    linear = saturation * np.eye(3) + (1 - saturation) * luma
    offset = brightness * (1 - contrast) * (luma @ cv2.mean(image)[:3])
    image = cv2.transform(
        image, np.column_stack([brightness * contrast * linear, np.full(3, offset)]))
  return image


if __name__ == '__main__':
  worker.serve(prepare)
