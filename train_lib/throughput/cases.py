"""What is measured, a row each: nets x batch sizes x dtypes x numbers of devices of a config."""

import copy
import dataclasses
import functools
import hashlib
import itertools
import json
from typing import Any

import jax

from errors import UserError, shortened
from train_lib import build, check, parallel
from train_lib import workdir as workdir_lib
from train_lib.reporting import counted

PARTS = ('train', 'infer', 'latency', 'input', 'loop', 'conv')
RUNTIME = ('workers', 'worker_processes', 'prefetch_batches', 'log_every_steps')  # of the loop
MOST_PX = 16_384
TINY_RATE = 1e-9                  # a step costs the same, and no net diverges


@dataclasses.dataclass(frozen=True)
class Case:
  """One row.

  Attributes:
    config: the whole config with this row's values; train.batch_size is 0 where it is looked for.
    devices: the first so many.
    dtype: 'float32' or 'bfloat16'.
  """
  config: Any
  devices: int
  dtype: str

  @property
  def net(self) -> str:
    """Its name."""
    return self.config.net.name

  @property
  def batch_size(self) -> int:
    """As asked for: over all devices, 0 where it is looked for."""
    return self.config.train.batch_size

  @property
  def least_batch(self) -> int:
    """The smallest batch there can be: a picture on each device, in each part of a step."""
    return self.devices * self.config.train.accumulate_steps

  @property
  def name(self) -> str:
    """In words."""
    size = f'batch {self.batch_size}' if self.batch_size else 'batch size looked for'
    return (f'{self.net}, {self.config.data.image_size_px} px, {size}, {self.dtype}, '
            f'{counted(self.devices, "device")}')

  @property
  def digest(self) -> str:
    """12 hex digits of all that decides what is measured."""
    return self.digest_on(self.devices)

  def digest_on(self, devices: int) -> str:
    """The digest of the same row on another number of devices."""
    return hashlib.sha256(json.dumps([*self._settings, devices]).encode()).hexdigest()[:12]

  @functools.cached_property
  def _settings(self) -> list:
    """All that decides what is measured but the number of devices."""
    config, settings = self.config, self.config.benchmark
    return [workdir_lib.config_digest(config), self.dtype, settings.seconds, settings.least_steps,
            list(settings.parts), config.train.on_divergence,
            *(config.runtime[name] for name in RUNTIME)]


def make_cases(config) -> list[Case]:
  """Every row of the `benchmark` section, devices last, so that those to compare stand together.

  Raises:
    UserError: numbers that make no sense.
  """
  settings = config.benchmark
  _check(settings)
  nets = tuple(settings.nets) or (config.net.name,)
  cases = [_make_case(config, *values) for values in itertools.product(
      dict.fromkeys(nets), dict.fromkeys(tuple(settings.dtypes) or (config.net.dtype,)),
      dict.fromkeys(tuple(settings.batch_sizes) or (config.train.batch_size,)),
      dict.fromkeys(tuple(settings.devices) or (len(jax.devices()),)))]
  for case in cases:
    _check_batch(case)
  return cases


def check_nets(cases: list[Case]) -> None:
  """Traces every net once in each dtype, which takes a while.

  Raises:
    UserError: a row that cannot be trained.
  """
  for case in {(case.net, case.dtype): case for case in cases}.values():
    _check_case(case)


def _check(settings):
  there = len(jax.devices())
  for name, values, least, most in (
      ('batch_sizes', settings.batch_sizes, 0, 1 << 20), ('devices', settings.devices, 1, there)):
    for value in values:
      if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        what = f'1 to {there}, the devices there are' if name == 'devices' else (
            'numbers of pictures, or 0 to have one looked for')
        raise UserError(f'benchmark.{name} has {value!r}; expected {what}')
  for name in ('nets', 'dtypes'):
    for value in settings[name]:
      if not isinstance(value, str):
        raise UserError(f'benchmark.{name} has {value!r}; expected names of {name}')
  unknown = [part for part in settings.parts if part not in PARTS]
  if unknown or not settings.parts:
    raise UserError(f"benchmark.parts {f'has {unknown[0]!r}' if unknown else 'is empty'}; choices: "
                    f'{", ".join(PARTS)}')
  for name, value, least, most in (('seconds', settings.seconds, 0, 1e5),
                                   ('least_steps', settings.least_steps, 1, 10**6),
                                   ('image_size_px', settings.image_size_px, 0, MOST_PX)):
    if not least <= value <= most:
      raise UserError(f'benchmark.{name} is {value}; expected {least:,} to {most:,.0f}')


def _make_case(config, net, dtype, batch_size, devices) -> Case:
  row = copy.deepcopy(config)
  row.net.name, row.train.batch_size = net, batch_size
  row.net.init_from, row.net.init_head, row.net.init_partial = '', 'auto', False
  if config.benchmark.nets:
    row.data.image_size_px = config.benchmark.image_size_px or build.input_size_px(net)
  elif config.benchmark.image_size_px:
    row.data.image_size_px = config.benchmark.image_size_px
  row.net.dtype = jax.numpy.dtype(build.compute_dtype(dtype)).name
  row.optimizer.learning_rate = TINY_RATE
  row.train.shrink, row.train.shrink_frac = 1, 0.0   # the full-size step, which most are
  row.train.cache_features = False
  row.job = 'benchmark'
  return Case(row, devices, row.net.dtype)


def _check_batch(case):
  if case.config.train.accumulate_steps < 1:
    raise UserError(f'train.accumulate_steps is {case.config.train.accumulate_steps}; expected at '
                    'least 1')
  if case.batch_size % case.least_batch:
    wanted = parallel.describe_multiple(case.devices, case.config.train.accumulate_steps)
    raise UserError(f'a batch of {counted(case.batch_size, "picture")} cannot be measured: it must '
                    f'be {wanted}; change train.batch_size or benchmark.batch_sizes')


def _check_case(case):
  try:
    check.check_config(case.config)
  except UserError as error:
    if not case.config.benchmark.nets:
      raise
    raise UserError(f"the benchmark's row '{case.net}': {shortened(str(error))}") from None
