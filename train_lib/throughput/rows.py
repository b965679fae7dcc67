"""The rows that a benchmark leaves, in JSON and CSV: written as they come, and gone on with."""

import json
import os
import pathlib
import tempfile

from errors import UserError
from train_lib import code_versions, reporting
from train_lib import workdir as workdir_lib
from train_lib.storage import records, remote
from train_lib.throughput.cases import Case

JSON, CSV = 'benchmark.json', 'benchmark.csv'
MEASURED = ('samples_per_sec', 'step_time', 'batch_size', 'img_size', 'step_time_p95',
            'step_time_least', 'step_time_most', 'samples_per_sec_per_device', 'compile_sec',
            'first_step_sec', 'gflops', 'peak_frac', 'scaling_frac', 'memory_mb', 'memory_source')
COLUMNS = (
    'model', 'img_size', 'dtype', 'devices', 'param_count',
    *(f'infer_{name}' for name in MEASURED), 'infer_gmacs',
    'infer_latency_ms', 'infer_latency_ms_p95',
    *(f'train_{name}' for name in MEASURED), 'train_accumulate_steps', 'train_dispatch_ms',
    'peak_tflops', 'peak_source',
    'input_samples_per_sec', 'input_read_samples_per_sec', 'input_augment_samples_per_sec',
    'input_batch_samples_per_sec', 'input_transfer_samples_per_sec', 'input_workers',
    'loop_samples_per_sec', 'loop_bare_samples_per_sec', 'stall_frac', 'conv_in_loop_ratio',
    'bound_by', 'error', 'asked_batch_size', 'config_digest')
# What must be alike for rows to stand in one table.
SAME = ('sources', 'platform', 'cpus', 'processors', 'devices', 'xla_flags', 'allocator',
        'compilation_cache', 'versions')


def describe_environment(cache_dir: str) -> dict:
  """Code, versions, machine, devices and flags. Args: cache_dir: of compiled programs, or 'off'."""
  start = workdir_lib.describe_start()
  return {**start, 'sources': code_versions.sources_digest(),
          'allocator': os.environ.get('GLIBC_TUNABLES', ''), 'processors': count_processors(),
          'compilation_cache': cache_dir}


def count_processors() -> int:
  """Those that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count()


def check_folder(folder) -> None:
  """Tries whether files can be written into a folder, which need not be there; leaves nothing.

  Raises:
    UserError: it is a file, or nothing can be written.
  """
  if remote.is_remote(folder):                      # its lock tells, when it is put there
    return
  place = pathlib.Path(folder)
  if place.exists() and not place.is_dir():
    raise UserError(f'{folder} is a file; name a folder with --output=')
  while not place.exists():
    place = place.parent
  try:
    with tempfile.TemporaryFile(dir=place) as file:
      file.write(b'a row')
  except OSError as error:
    raise UserError(f'{folder} cannot be written into ({error.strerror or error}); name another '
                    'folder with --output=') from error


def begin_row(case: Case) -> dict:
  """The row of a case before anything is measured."""
  return {'model': case.net, 'img_size': case.config.data.image_size_px, 'dtype': case.dtype,
          'devices': case.devices, 'asked_batch_size': case.batch_size,
          'config_digest': case.digest}


class Table:
  """The rows in a folder. Those that are there are kept where the environment is the same.

  Args: folder: local or remote; environment: of `describe_environment`; cases: that are asked for.
  """

  def __init__(self, folder, environment: dict, cases: list[Case]):
    self._folder, self._environment, self._cases, self.rows = folder, environment, cases, []
    path = folder / JSON
    if not path.exists():
      return
    before = records.read_fields(path, {'environment': dict, 'rows': [dict]},
                                 needs=('environment', 'rows'))
    environment = json.loads(json.dumps(environment))
    changed = [name for name in SAME if before['environment'].get(name) != environment.get(name)]
    if not changed:
      self.rows = before['rows']
      return
    kept = _free_name(folder)
    records.write_json(kept, before)
    reporting.say(f'measured again from the first row, since {", ".join(changed)} changed; the '
                  f'rows before are in {kept}')

  def find(self, case: Case) -> dict | None:
    """The finished row of a case."""
    return next((row for row in self.rows if row.get('config_digest') == case.digest), None)

  def add(self, row: dict) -> None:
    """Writes a finished row into both files."""
    self.rows.append(row)
    self.write()

  def write(self) -> None:
    """Writes both files as they are now."""
    self._add_scaling()
    records.write_json(self._folder / JSON, {'environment': self._environment, 'rows': self.rows})
    records.write_csv(self._folder / CSV, COLUMNS,
                      [[row.get(name) for name in COLUMNS] for row in self.rows])


  def _add_scaling(self):
    """Beside the row of the fewest devices that is the same but for them."""
    for case in self._cases:
      row = self.find(case)
      if row is None:
        continue
      fewer = {case.digest_on(devices) for devices in range(1, case.devices)}
      alike = [other for other in self.rows if other.get('config_digest') in fewer]
      for mode in ('infer', 'train'):
        name = f'{mode}_samples_per_sec_per_device'
        known = [other for other in alike if name in other]
        if name in row and known:
          fewest = min(known, key=lambda other: other['devices'])
          row[f'{mode}_scaling_frac'] = row[name] / fewest[name]


def _free_name(folder):
  number = 1
  while (folder / f'benchmark.{number}.json').exists():
    number += 1
  return folder / f'benchmark.{number}.json'
