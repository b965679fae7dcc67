"""The parts of a very large run that can be measured here: 70,000 tags, a million records, 4 hosts.

    python -m benchmarks.scale_parts --output=docs/scale_parts.json
    python -m benchmarks.scale_parts --only=index --archive=/tmp/board

Each part runs in a process of its own, one after another, with main.py's settings for a CPU
(--notune: as it comes), and is described in its own file, `benchmarks/scale_<part>.py`. Printed is
the median of each figure (least to most, of how many); the JSON holds the same. With --only the
other parts of an output that is there already stay. What the figures come to on 64 TPU chips and on
8 GPUs: `python -m benchmarks.scale_costs`.
"""

import argparse
import importlib
import json
import os
import pathlib
import subprocess
import sys
import time

import nets
from benchmarks import command
from benchmarks.beside.machine import processor_name
from benchmarks.command import number, one_of, several
from benchmarks.scale_figures import in_words
from train_lib import code_versions, launch

PARTS = {
    'nets': 'a picture and a net with 70,000 outputs',
    'tags': 'a step with 70,000 tags',
    'evaluation': 'evaluation of 70,000 tags',
    'checkpoint': 'a checkpoint with 70,000 tags',
    'input': 'input',
    'hosts': '4 virtual hosts',
    'index': 'the index of an archive',
}
LONGEST_SEC = 1800                # of a part


def main() -> None:
  """Measures the parts, or is the process that measures one."""
  flags = read_flags()
  if flags.part:
    print(json.dumps(measure(flags.part, flags)))
    return
  if flags.tune:
    launch.restart_tuned(['-m', 'benchmarks.scale_parts', *sys.argv[1:]])
  output, parts = pathlib.Path(flags.output) if flags.output else None, {}
  if output and output.exists():
    parts = json.loads(output.read_text())['parts']
  for name in flags.only:
    started = time.monotonic()
    parts[name] = {'figures': _in_process(name)}
    parts[name]['took_sec'] = round(time.monotonic() - started, 1)
    print(table(name, parts[name]), flush=True)
    if output:
      ordered = {part: parts[part] for part in PARTS if part in parts}
      output.write_text(json.dumps({'environment': environment(flags), 'parts': ordered}, indent=1)
                        + '\n')


def read_flags(argv: list[str] | None = None) -> argparse.Namespace:
  """The command line. Args: argv: in place of this program's own."""
  parser = command.Parser(__doc__)
  parser.add_argument('--output', type=command.output_file, default='',
                      help='a JSON file; none: it is printed alone')
  parser.add_argument('--only', default=tuple(PARTS), type=several(one_of(PARTS)),
                      help=f'parts, of {", ".join(PARTS)}')
  parser.add_argument('--tags', type=number(1), default=70_000)
  parser.add_argument('--listed', type=number(1), default=35, help='tags of a picture')
  parser.add_argument('--batch', type=number(1), default=64, help='pictures of a step')
  parser.add_argument('--net', default='se_resnet_tagger', help='of the parts that run')
  parser.add_argument('--size_px', type=number(1), default=128,
                      help='pictures of the steps that run')
  parser.add_argument('--nets', default='se_resnet_tagger,vit_base_patch16,convnext_base',
                      type=several(one_of(nets.list_nets())), help='whose arithmetic is counted')
  parser.add_argument('--net_px', type=number(1), default=256, help='their pictures')
  parser.add_argument('--repeats', type=number(1), default=7)
  parser.add_argument('--pictures', type=number(1), default=5_120, help='that are evaluated')
  parser.add_argument('--eval_batch', type=number(1), default=128)
  parser.add_argument('--saves', type=number(1), default=3)
  parser.add_argument('--records', type=number(1), default=1_000_000, help='of the archive')
  parser.add_argument('--archive', default='', help='a folder where it is kept for another go')
  parser.add_argument('--folder', default=None, help='for what is written; none: the TMPDIR')
  parser.add_argument('--notune', dest='tune', action='store_false')
  parser.add_argument('--part', default='', choices=('', *PARTS),
                      help='measure one, as JSON, in this process')
  return parser.parse_args(argv)


def measure(part: str, flags) -> dict[str, dict]:
  """The figures of a part, by name. Args: part: of PARTS; flags: of `read_flags`."""
  return importlib.import_module(f'benchmarks.scale_{part}').measure(flags)


def _in_process(part):
  done = subprocess.run(
      [sys.executable, '-m', 'benchmarks.scale_parts', *sys.argv[1:], f'--part={part}'],
      stdout=subprocess.PIPE, text=True, timeout=LONGEST_SEC)
  if done.returncode:
    raise command.Failed(f'the part {part} ended with code {done.returncode}')
  return json.loads(done.stdout.splitlines()[-1])


def environment(flags) -> dict:
  """What the figures were measured with."""
  return {'processors': len(os.sched_getaffinity(0)), 'processor': processor_name(),
          'versions': code_versions.versions(), 'commit': code_versions.commit(),
          'date': time.strftime('%Y-%m-%d'),
          'flags': {key: value for key, value in vars(flags).items()
                    if key not in ('output', 'only', 'part', 'archive', 'folder')}}


def table(name: str, part: dict) -> str:
  """A part as text. Args: name: of PARTS; part: {'figures', 'took_sec'}."""
  width = max(map(len, part['figures']))
  lines = [f'{key:<{width}}  {in_words(value)}' for key, value in part['figures'].items()]
  return '\n'.join([f'\n{PARTS[name]} ({part["took_sec"]:.0f} s)', *lines])


if __name__ == '__main__':
  command.run(main)
