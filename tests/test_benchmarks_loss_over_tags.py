"""The benchmark's own claim: only the head grows with the tags."""

import sys

import pytest

from benchmarks import loss_over_tags


@pytest.mark.slow
def test_only_the_head_grows_with_the_tags(monkeypatch):
  flags = ('--net=se_resnet_tiny', '--tags=100,20000', '--batch=4', '--size_px=32', '--repeats=2')
  monkeypatch.setattr(sys, 'argv', ['loss_over_tags', *flags])
  args = loss_over_tags.read_flags()
  few, many = (loss_over_tags.Case(num_tags, args) for num_tags in args.tags)
  for case in (few, many):
    case.run_once()
    case.run_once()
  bodies, heads = zip(*(
      (case.row()[1], case.state.params['head']['kernel'].shape) for case in (few, many)),
      strict=True)
  assert bodies[0] == bodies[1]
  assert [head[1] for head in heads] == [100, 20_000]
  one_array = 4 * 20_000 * 4                                        # bytes of float32 [B, T]
  assert many.loss.memory_analysis().temp_size_in_bytes < 8 * one_array
  kernel = 4 * heads[1][0] * 20_000             # its gradient and its update are buffers too
  grown = (many.step.memory_analysis().temp_size_in_bytes
           - few.step.memory_analysis().temp_size_in_bytes)
  assert grown < 3 * kernel + 8 * one_array
  assert len(many.row()) == len(loss_over_tags.COLUMNS)
