"""The benchmark of onnxruntime gives both programs the same net, and names every family."""

import pytest

import nets
from benchmarks import onnx_speed

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')


def test_every_family_is_measured():
  assert {family for name in onnx_speed.NETS for family, module in nets.NETS.items()
          if name in module.VARIANTS} == set(nets.NETS)


def test_both_give_the_same_and_every_call_is_counted():
  flags = onnx_speed.read_flags(['--batches=1,2', '--size_px=32'])
  case = onnx_speed.Case('se_resnet_tiny', flags)
  assert case.difference < 1e-5
  for _ in range(3):
    case.run_once()
  first, second = case.rows()
  assert first[0] == 'se_resnet_tiny' and first[2:4] == ('32', '1') and second[3] == '2'
  assert len(first) == len(onnx_speed.COLUMNS)
  assert all(len(seconds) == 3 for seconds in case.seconds.values())


def test_spread_stands_beside_the_median():
  assert onnx_speed.in_ms([0.003, 0.001, 0.002]) == '2.00 (1.00 to 3.00)'
  assert onnx_speed.in_ms([]) == '-'
