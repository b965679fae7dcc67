"""Peaks of devices: published ones are found by what JAX calls a device, others are measured."""

import types

import jax
import numpy as np
import pytest

from train_lib import parallel
from train_lib.throughput import peaks

KINDS = {                         # as JAX calls them -> TFLOP/s in bfloat16, in float32
    'TPU v2': (22.5, 22.5), 'TPU v3': (61.5, 61.5), 'TPU v4': (275, 275),
    'TPU v5 lite': (197, 197), 'TPU v5p': (459, 459), 'TPU v5': (459, 459),
    'TPU v6 lite': (918, 918), 'TPU v6e': (918, 918), 'TPU7x': (1153.5, 1153.5),
    'NVIDIA A100-SXM4-40GB': (312, 156), 'NVIDIA H100 80GB HBM3': (989.5, 494.5),
    'NVIDIA H100 PCIe': (756, 378), 'NVIDIA H200': (989.5, 494.5), 'NVIDIA L4': (121, 60),
    'NVIDIA L40S': (362, 183), 'Tesla T4': (None, 8.1), 'Tesla V100-SXM2-16GB': (None, 15.7),
    'Tesla V100-PCIE-32GB': (None, 14), 'NVIDIA GeForce RTX 3090': (71, 35.6),
    'NVIDIA GeForce RTX 4090': (165.2, 82.6), 'NVIDIA B200': (2250, 1125),
    'NVIDIA GB200': (2500, 1250), 'NVIDIA A10': (125, 62.5)}


@pytest.mark.parametrize('kind', KINDS)
def test_a_device_is_found_by_its_name(kind):
  for dtype, expected in zip(('bfloat16', 'float32'), KINDS[kind], strict=True):
    found = peaks.find_peak(kind, dtype)
    assert (found and found.flops_per_sec / 1e12) == expected


@pytest.mark.parametrize('kind', ['cpu', 'NVIDIA L40', 'NVIDIA A1000', 'NVIDIA T400', 'METAL',
                                  'NVIDIA A100X', 'NVIDIA A10G', 'TPU v10'])
def test_a_device_of_another_name_is_not_taken_for_a_known_one(kind):
  assert peaks.find_peak(kind, 'bfloat16') is peaks.find_peak(kind, 'float32') is None


def test_every_row_names_its_source_and_what_float32_becomes():
  for name, row in peaks.PEAKS.items():
    assert len(row.source) > 8 and row.single in ('TF32', 'float32', 'one bfloat16 pass'), name
    assert row.float32 > 0 and (row.bfloat16 >= row.float32 or not row.bfloat16), name
  assert peaks.find_peak('NVIDIA H100 80GB HBM3', 'float32').source.startswith('TF32, NVIDIA')


def test_no_row_hides_another():
  for name, row in peaks.PEAKS.items():
    found = peaks.find_peak(name, 'float32')
    assert found == (1e12 * row.float32, f'{row.single}, {row.source}'), name


def test_a_measured_peak_is_two_operations_for_each_product_and_sum():
  ticks = iter(np.arange(1000) * 0.25)
  found = peaks.measure_product(jax.devices()[0], 'float32', clock=lambda: next(ticks))
  assert found == 2 * peaks.SIDE ** 3 / 0.25


def test_virtual_devices_share_one_processor_and_others_add_up(monkeypatch):
  monkeypatch.setattr(peaks, 'measure_product', lambda device, dtype: 7e9)
  found = peaks.peak_of(parallel.make_mesh(jax.devices()[:2]), 'float32')
  assert found.flops_per_sec == 7e9 and found.source.startswith('measured here: float32')
  gpu = types.SimpleNamespace(device_kind='NVIDIA A100-SXM4-40GB', platform='gpu')
  mesh = types.SimpleNamespace(devices=np.array([gpu, gpu]), size=2)
  assert peaks.peak_of(mesh, 'bfloat16').flops_per_sec == 2 * 312e12
