"""--job=benchmark: how fast a config's net trains and predicts, and what holds it up."""

import jax

from train_lib import devices
from train_lib.preemption import Preemption
from train_lib.reporting import counted, say
from train_lib.storage import records, remote
from train_lib.storage.lock import Lock
from train_lib.throughput import bench, cases, report, rows


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Measures the config's own net, or each row of the sweep that its `benchmark` section asks for.

  Nothing is trained: weights are drawn, and pictures are those of the config's source, of drawn
  ones a few. Programs are compiled anew, unless runtime.cache_dir names a folder for them.

  Writes `benchmark.json` and `benchmark.csv`, a row of which comes as soon as it is measured, and
  `benchmark_*.png`. After a stop the same command goes on with the rows that are missing; where the
  code, versions or devices are others, all are measured again and the old ones kept aside. A row
  that does not fit into memory says so in its column `error`. docs/benchmark.md tells the columns.

  Args:
    config: of any page; the `benchmark` section is this job's.
    workdir: a folder for the files.
    config_path, input: not of this job.
    output: a folder in place of workdir.

  Raises:
    UserError: a mistake in the config or the data.
    Preempted: a signal came; finished rows are kept.
  """
  del config_path, input
  with Preemption() as preemption:
    cache_dir = config.runtime.cache_dir or 'off'
    devices.set_up_jax(cache_dir)
    wanted, folder = cases.make_cases(config), records.absolute(output or workdir)
    rows.check_folder(folder)
    if jax.default_backend() == 'cpu' and config.small_page and config.job == 'benchmark':
      say('the settings of this page are made for TPUs and GPUs; those of '
          f'--config={config.small_page} for a CPU')
    cases.check_nets(wanted)
    remote.make_folder(folder)
    with Lock(folder), bench.open_bench(preemption.check) as measuring:
      table = rows.Table(folder, rows.describe_environment(cache_dir), wanted)
      missing = [case for case in wanted if table.find(case) is None]
      if len(missing) < len(wanted):
        say(f'kept from an earlier start in {folder}: {len(wanted) - len(missing)} of '
            f'{counted(len(wanted), "row")}; to measure all again, name another folder with '
            '--output=')
      for number, case in enumerate(missing, 1):
        preemption.check()
        say(f'{number} of {len(missing)}: {case.name}')
        table.add(measuring.measure(case))
      report.finish(folder, table, [table.find(case) for case in wanted], config.benchmark.plots)
