"""An autoencoder on scans of patients and volumes that it never saw, one left out at a time.

    python -m benchmarks.leave_one_out --path=scans --init_from=runs/vae-small --workdir=runs/left

For every patient or volume of a folder (`configs/vae.py:small_scans` says how it is read) the net
of a run on drawn slices goes on learning from all others but one, which is its validation split,
and restores the slices of the one that is left out. Beside it: the same net before it saw any scan,
and the restorers that learn nothing. A row is the mean over patients and volumes, each with the
same say whatever its number of slices; the same command goes on where it was stopped.
"""

import json
import pathlib

import numpy as np

from benchmarks import command
from benchmarks.command import number
from configs import vae
from data.scans.groups import find_groups
from data.scans.scan import read_settings
from data.scans.survey import survey_folder
from train_lib import devices
from train_lib import run as run_lib
from train_lib import workdir as workdir_lib
from train_lib.preemption import Preemption
from train_lib.scans import scan_report
from train_lib.storage import records
from train_lib.trained import open_trained

FIGURES = {'psnr': ('PSNR, dB', '.2f'), 'ssim': ('SSIM', '.3f'),
           'recovered': ('of the original', '.3f'), 'recovered_lost': ('of what was lost', '.3f')}
BEFORE = 'net, drawn slices alone'


def main() -> None:
  """Reads the flags, trains and measures for every patient or volume, prints the table."""
  parser = command.Parser(__doc__)
  parser.add_argument('--path', required=True, help='folder of scans')
  parser.add_argument('--init_from', required=True, help='workdir of a run on drawn slices')
  parser.add_argument('--workdir', required=True, help='folder of the runs')
  parser.add_argument('--steps', type=number(1), default=150, help='of each run')
  parser.add_argument('--most_slices', type=number(1), default=24, help='of a volume')
  flags = parser.parse_args()
  config = base_config(flags)
  survey = survey_folder(pathlib.Path(flags.path).expanduser(), read_settings(config.data),
                         lambda: None)
  groups = sorted(set(find_groups(survey.scans).values()))
  print(f'{len(groups)} patients and volumes: {", ".join(groups)}', flush=True)
  devices.set_up_jax('')
  with Preemption('after this step') as preemption:
    rows = [measure(base_config(flags), flags, groups, number, preemption)
            for number in range(len(groups))]
  print(format_table(groups, rows))


def base_config(flags):
  """The page, with what the flags say."""
  config = vae.get_config('small_scans')
  config.data.path, config.data.scans.most_slices = flags.path, flags.most_slices
  config.net.init_from = flags.init_from
  config.net.name = workdir_lib.load_config(
      workdir_lib.existing_workdir(flags.init_from) / 'config.json').net.name
  config.train.batch_size, config.train.num_steps = 32, flags.steps
  config.optimizer.learning_rate, config.autoencoder.warmup_frac = 3e-4, 0.0
  config.eval.every_steps = flags.steps
  return config


def measure(config, flags, groups: list[str], number: int, preemption) -> dict:
  """{row: figures} of the slices of one that is left out. Args: number: its place in groups."""
  config.data.scans.test_groups = (groups[number],)
  config.data.scans.valid_groups = (groups[(number + 1) % len(groups)],)
  workdir = pathlib.Path(flags.workdir) / f'{number:03d}'
  path = workdir / 'left_out.json'
  if path.exists():
    return json.loads(path.read_text())

  def finish(finished):
    report = scan_report.report_on_test(
        finished.evaluator, finished.variables, finished.source, finished.loaders,
        with_baselines=True, poll=preemption.check)
    before = open_trained(config, flags.init_from, 'latest')
    outcome = finished.evaluator.evaluate(before.variables, finished.loaders['test'])
    rows = {'net': report.rows['net'], BEFORE: outcome.metrics, **report.rows}
    records.write_json(path, rows)
    return {'test': report.rows, 'valid': report.valid, 'thresholds': {}}

  run_lib.train(config, str(workdir), preemption, config_path='configs/vae.py:small_scans',
                finish=finish)
  return json.loads(path.read_text())


def format_table(groups: list[str], rows: list[dict]) -> str:
  """The means over all that were left out, and PSNR and the number of slices of each of them."""
  names = list(rows[0])
  slices = sum(row['net']['examples'] for row in rows)
  lines = [f'{slices} slices of {len(groups)} patients and volumes; every one has the same say',
           f"{'':<26}" + ''.join(f'{text:>18}' for text, _ in FIGURES.values())]
  for name in names:
    values = [np.mean([row[name][figure] for row in rows if name in row]) for figure in FIGURES]
    lines.append(f'{name:<26}' + ''.join(
        f'{value:>18{form}}' for value, (_, form) in zip(values, FIGURES.values(), strict=True)))
  lines.append('PSNR of each: the net, before it saw a scan, and the mean of neighbours')
  for group, row in zip(groups, rows, strict=True):
    lines.append(f"  {group:<32} n = {row['net']['examples']:>3}  {row['net']['psnr']:6.2f} "
                 f"{row[BEFORE]['psnr']:6.2f} {row['mean of neighbours']['psnr']:6.2f}")
  return '\n'.join(lines)


if __name__ == '__main__':
  command.run(main)
