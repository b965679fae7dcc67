"""The most arithmetic that a device can do: published for TPUs and GPUs, measured elsewhere.

TFLOP/s of matrix products without sparsity, of one device as JAX counts devices. bfloat16 sums in
float32. `float32` is what JAX's default precision makes of float32 products: TF32 on NVIDIA's
tensor cores from A100 on, one pass in bfloat16 on a TPU, true float32 on older GPUs.
"""

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

SIDE, MEASURED_SEC = 2048, 0.5    # of the square matrices that are multiplied, and how long

CLOUD = 'Google Cloud, system architecture of Cloud TPU'
AMPERE = 'NVIDIA A100 data sheet'
HOPPER = 'NVIDIA H100 data sheet'
ADA = 'NVIDIA Ada GPU architecture whitepaper'


class Peak(NamedTuple):
  """FLOP/s and where the figure is from, with the arithmetic named."""
  flops_per_sec: float
  source: str


class Row(NamedTuple):
  """A kind of device, in TFLOP/s; 0: not of this device. `single` names what float32 becomes."""
  bfloat16: float
  float32: float
  single: str
  source: str


# Lower-case parts of `device_kind`, of which the first that is found counts: the longer ones first.
PEAKS = {
    # of a core, two of which are a chip of v2, v3 and v7
    'tpu v2': Row(22.5, 22.5, 'one bfloat16 pass', f'{CLOUD}: v2, 45 a chip'),
    'tpu v3': Row(61.5, 61.5, 'one bfloat16 pass', f'{CLOUD}: v3, 123 a chip'),
    'tpu v4 lite': Row(138, 138, 'one bfloat16 pass', 'Google, TPU v4i paper (ISCA 2021), table 1'),
    'tpu v4': Row(275, 275, 'one bfloat16 pass', f'{CLOUD}: v4'),
    'tpu v5 lite': Row(197, 197, 'one bfloat16 pass', f'{CLOUD}: v5e'),
    'tpu v5e': Row(197, 197, 'one bfloat16 pass', f'{CLOUD}: v5e'),
    'tpu v5': Row(459, 459, 'one bfloat16 pass', f'{CLOUD}: v5p'),
    'tpu v6': Row(918, 918, 'one bfloat16 pass', f'{CLOUD}: v6e'),
    'tpu v7': Row(1153.5, 1153.5, 'one bfloat16 pass', f'{CLOUD}: TPU7x, 2,307 a chip'),
    'tpu7': Row(1153.5, 1153.5, 'one bfloat16 pass', f'{CLOUD}: TPU7x, 2,307 a chip'),
    'gb200': Row(2500, 1250, 'TF32', 'NVIDIA GB200 NVL72 data sheet, halved for sparsity'),
    'b200': Row(2250, 1125, 'TF32', 'NVIDIA HGX B200 data sheet, halved for sparsity'),
    'h200 nvl': Row(835.5, 417.5, 'TF32', 'NVIDIA H200 data sheet, halved for sparsity'),
    'h200': Row(989.5, 494.5, 'TF32', 'NVIDIA H200 data sheet, halved for sparsity'),
    'gh200': Row(989.5, 494.5, 'TF32', 'NVIDIA GH200 data sheet, halved for sparsity'),
    'h100 nvl': Row(835.5, 417.5, 'TF32', f'{HOPPER}: NVL, halved for sparsity'),
    'h100 pcie': Row(756, 378, 'TF32', f'{HOPPER}: PCIe, halved for sparsity'),
    'h100': Row(989.5, 494.5, 'TF32', f'{HOPPER}: SXM, halved for sparsity'),
    'a100': Row(312, 156, 'TF32', AMPERE),
    'a10': Row(125, 62.5, 'TF32', 'NVIDIA A10 data sheet'),
    'l40s': Row(362, 183, 'TF32', 'NVIDIA L40S data sheet'),
    'l4': Row(121, 60, 'TF32', 'NVIDIA L4 data sheet, halved for sparsity'),
    'v100-pcie': Row(0, 14, 'float32', 'NVIDIA V100 data sheet: PCIe'),
    'v100': Row(0, 15.7, 'float32', 'NVIDIA V100 data sheet: SXM2'),
    't4': Row(0, 8.1, 'float32', 'NVIDIA T4 data sheet'),
    'rtx 3090': Row(71, 35.6, 'TF32', 'NVIDIA GA102 architecture whitepaper'),
    'rtx 4090': Row(165.2, 82.6, 'TF32', ADA),
    'rtx 5090': Row(209.5, 104.8, 'TF32', 'NVIDIA RTX Blackwell architecture whitepaper'),
}


def find_peak(device_kind: str, dtype: str) -> Peak | None:
  """The published peak of a device; None where it is not known, or has no such arithmetic.

  Args: device_kind: as JAX calls it, 'NVIDIA A100-SXM4-40GB'; dtype: 'bfloat16' or 'float32'.
  """
  kind = device_kind.lower()
  row = next((row for name, row in PEAKS.items() if _names(name, kind)), None)
  if row is None or not getattr(row, dtype):
    return None
  arithmetic = dtype if dtype == 'bfloat16' else row.single
  return Peak(1e12 * getattr(row, dtype), f'{arithmetic}, {row.source}')


def _names(name, kind):
  """Whether a kind has a name as words of its own: l4 is not in l40, tpu v5 is in tpu v5p."""
  place = kind.find(name)
  if place < 0:
    return False
  before, after = kind[:place][-1:], kind[place + len(name):][:1]
  return not (before.isalnum() or after.isdigit() or after.isalnum() and 'tpu' not in name)


def peak_of(mesh, dtype: str) -> Peak:
  """The peak of all devices of a mesh together: published, or of a matrix product on one of them.

  Virtual devices of a CPU share its processors, so that all of them together can do what one can.
  """
  device = mesh.devices.flat[0]
  published = find_peak(device.device_kind, dtype)
  if published is not None:
    return Peak(mesh.size * published.flops_per_sec, published.source)
  measured = measure_product(device, dtype)
  size = 1 if device.platform == 'cpu' else mesh.size
  return Peak(size * measured,
              f'measured here: {dtype} matrix product of {SIDE} x {SIDE} x {SIDE}')


def measure_product(device, dtype: str, clock=time.perf_counter) -> float:
  """FLOP/s of the fastest of some matrix products on a device."""
  values = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
  matrix = jax.device_put(jnp.asarray(values, dtype), device)
  product = jax.jit(lambda a, b: jnp.matmul(a, b, preferred_element_type=jnp.float32))
  jax.block_until_ready(product(matrix, matrix))
  fastest, started = float('inf'), clock()
  while clock() - started < MEASURED_SEC or fastest == float('inf'):
    begun = clock()
    jax.block_until_ready(product(matrix, matrix))
    fastest = min(fastest, clock() - begun)
  return 2 * SIDE ** 3 / fastest
