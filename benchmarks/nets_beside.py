"""Pictures/s of training and inference: the program's own command beside torch, timm and Keras.

    python -m benchmarks.nets_beside
    python -m benchmarks.nets_beside --rival_python=other/bin/python --output=nets.json
    python -m benchmarks.nets_beside --nets=se_resnet_tagger --rivals=torch,torch_compile --turns=5

Ours is `python main.py --job=benchmark`, started anew for every turn, with the allocator settings
that it gives itself; programs that the first turn compiled are kept for the others. Rivals keep
running between their turns, warm. `torch` is written as one who knows it would: channels_last,
fused AdamW, as many threads as processors, inference_mode, and the allocator settings of main.py.
The others of --rivals: `torch_as_it_comes` (NCHW, no settings), `torch_channels_last` (no
settings), `torch_compile`, `torch_bfloat16` (autocast), `torch_amp_compile` (both, no settings: the
rival on a GPU, where ours computes in bfloat16), `keras` (3 on JAX, its train_on_batch and
predict_on_batch, where keras.applications has the net).

Training is forward, backward and AdamW: for the tagger the focal loss over its tags, for the others
cross-entropy over classes; batch, size, dropout and outputs are the same in all. Torch and ours
find the batch on the device, Keras' methods take it from numpy. A ratio is taken within a turn; in
brackets are the least and the most of the turns. Packages that are missing are named and their rows
left out: pip install -e '.[rivals]'.
"""

import argparse
import dataclasses
import glob
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import nets
from benchmarks import command
from benchmarks.beside.machine import ROOT, describe_machine, told_of_machine
from benchmarks.beside.rivals import SETTINGS, Missing, Rival
from benchmarks.beside.turns import in_words, ratios, spread, table, take_turns
from benchmarks.command import Failed, number, one_of, several
from data.sources import toon
from train_lib import launch
from train_lib.reporting import counted

OURS, MODES = 'ours', ('train', 'infer')
COLUMNS = ('program', 'train pictures/s', 'ours / it', 'infer pictures/s', 'ours / it', 'M params')
CLASSES = ('--config.task=classification', '--config.data.labels=identity',
           '--config.loss.name=softmax_cross_entropy')
GPU_BATCH, OURS_WITHIN_SEC = 256, 3_600


@dataclasses.dataclass(frozen=True)
class Net:
  """What a net is called elsewhere, and how it is measured on a CPU."""
  torch: str                      # at timm; the tagger has a twin in benchmarks/torch_nets.py
  keras: str = ''                 # of keras.applications; '': is not there
  batch: int = 8
  labels: str = 'identity'        # 'tags': tagging; else classes


NETS = {
    'se_resnet_tagger': Net('se_resnet_tagger', batch=16, labels='tags'),
    'efficientnet_b1': Net('efficientnet_b1', 'EfficientNetB1'),
    'inception_v3': Net('inception_v3', 'InceptionV3'),   # timm's without its auxiliary head
    'hrnet_w32': Net('hrnet_w32'),
    'se_resnet50': Net('seresnet50'),
    'convnext_tiny': Net('convnext_tiny', 'ConvNeXtTiny'),
    'vit_small_patch16': Net('vit_small_patch16_224'),
}
CPU_NETS = ('se_resnet_tagger', 'efficientnet_b1', 'inception_v3', 'hrnet_w32')
GPU_NETS = ('se_resnet50', 'inception_v3', 'efficientnet_b1', 'hrnet_w32', 'convnext_tiny',
            'vit_small_patch16')


@dataclasses.dataclass(frozen=True)
class Form:
  """How a rival is run."""
  module: str = 'torch_steps'
  channels_last: bool = True
  tuned: bool = True              # with the allocator settings of main.py
  compile: bool = False
  bfloat16: bool = False


RIVALS = {
    'torch': Form(),
    'torch_as_it_comes': Form(channels_last=False, tuned=False),
    'torch_channels_last': Form(tuned=False),
    'torch_compile': Form(compile=True),
    'torch_bfloat16': Form(bfloat16=True),
    'torch_amp_compile': Form(tuned=False, compile=True, bfloat16=True),
    'keras': Form('keras_steps', tuned=False),
}
CPU_RIVALS, GPU_RIVALS = ('torch', 'torch_as_it_comes', 'keras'), ('torch_amp_compile',)


def main(argv=None) -> None:
  """Reads the flags, measures net after net, prints a table of each."""
  flags = read_flags(argv)
  machine = describe_machine()
  print(told_of_machine(machine), flush=True)
  found = {'environment': machine, 'flags': vars(flags), 'rows': []}
  with tempfile.TemporaryDirectory(prefix='oko-beside-') as scratch:
    for name in flags.nets:
      case = Case(name, flags, pathlib.Path(scratch))
      rows = case.measure()
      print(f'\n{case.name}, {case.size_px} px, batch {case.batch}, '
            f'{counted(flags.turns, "turn")}\n{table(COLUMNS, table_rows(rows))}', flush=True)
      found['rows'] += rows
      found['ours'] = case.environment
      if flags.output:
        pathlib.Path(flags.output).write_text(json.dumps(found, indent=2) + '\n')


def read_flags(argv=None) -> argparse.Namespace:
  """The command line; what is left out depends on whether there is a GPU."""
  gpu = bool(glob.glob('/dev/nvidia[0-9]*'))
  parser = command.Parser(__doc__)
  parser.add_argument('--nets', default=GPU_NETS if gpu else CPU_NETS, type=several(one_of(NETS)))
  parser.add_argument('--rivals', default=GPU_RIVALS if gpu else CPU_RIVALS,
                      type=several(one_of(RIVALS), least=0))
  parser.add_argument('--modes', default=MODES, type=several(one_of(MODES)))
  parser.add_argument('--turns', type=number(1), default=3)
  parser.add_argument('--seconds', type=number(0, float), default=4.0,
                      help='of a program, turn and mode')
  parser.add_argument('--least_steps', type=number(1), default=5, help='of the same')
  parser.add_argument('--batch', type=number(0), default=0, help='0: the own one of each net')
  parser.add_argument('--size_px', type=number(0), default=0, help='0: the own one of each net')
  parser.add_argument('--rival_python', default=sys.executable, help='that has torch, keras, ...')
  parser.add_argument('--ours', default='', help='more flags of our command, such as --notune')
  parser.add_argument('--output', type=command.output_file, default='', help='a JSON file')
  flags = parser.parse_args(argv)
  flags.gpu = gpu
  return flags


class Case:
  """One net in every program. Args: scratch: a folder for what our command leaves."""

  def __init__(self, name: str, flags: argparse.Namespace, scratch: pathlib.Path):
    self.name, self.flags, self.scratch, self.net = name, flags, scratch, NETS[name]
    self.variant = nets.get_variant(name)
    self.batch = flags.batch or (GPU_BATCH if flags.gpu else self.net.batch)
    self.size_px = flags.size_px or self.variant.input_size_px
    self.environment, self._turn = {}, 0

  def measure(self) -> list[dict]:
    """A row for each program and mode, ours first."""
    rivals = {}
    try:
      for name in self.flags.rivals:
        self._start(name, rivals)
      measures = {OURS: self._run_ours, **{name: lambda rival=rival: self._run(rival)
                                           for name, rival in rivals.items()}}
      turns = take_turns(measures, self.flags.turns)
      facts = {OURS: self.facts, **{name: rival.facts for name, rival in rivals.items()}}
    finally:
      for rival in rivals.values():
        rival.close()
    return make_rows({'model': self.name, 'img_size': self.size_px, 'batch_size': self.batch},
                     turns, facts, self.flags.modes)

  def _start(self, name, rivals):
    """Adds a rival that is ready; what cannot be had is said."""
    form = RIVALS[name]
    title = self.net.keras if form.module == 'keras_steps' else self.net.torch
    if not title:
      print(f'{self.name}: keras.applications has no such net', file=sys.stderr)
      return
    spec = {**dataclasses.asdict(form), 'name': title, 'batch': self.batch, 'task': self.task,
            'size_px': self.size_px, 'num_outputs': len(toon.LABELS[self.net.labels]),
            'dropout_rate': self.variant.dropout_rate, 'modes': self.flags.modes,
            'drop_path_rate': self.variant.drop_path_rate}
    settings = {'GLIBC_TUNABLES': launch.MALLOC} if form.tuned else {}
    try:
      rivals[name] = Rival(self.flags.rival_python, f'benchmarks.beside.{form.module}', spec,
                           settings)
      rivals[name].facts['settings'] = settings
      if self.flags.gpu and rivals[name].facts['device'] == 'cpu':
        print(f'{self.name}, {name}: sees no GPU, and computes on the CPU', file=sys.stderr)
    except (Missing, Failed) as error:
      print(f'{self.name}, {name}: {error}', file=sys.stderr)

  @property
  def task(self) -> str:
    """What the net is trained for."""
    return 'tagging' if self.net.labels == 'tags' else 'classification'

  def _run(self, rival) -> dict[str, float]:
    """Pictures/s of each mode, one turn."""
    return {mode: self.batch / spread(rival.turn(mode=mode, seconds=self.flags.seconds)['seconds'])
            ['median'] for mode in self.flags.modes}

  def command(self, folder: pathlib.Path) -> list[str]:
    """Our program's own command."""
    return [
        sys.executable, 'main.py', '--job=benchmark', '--config=configs/throughput.py',
        f'--output={folder}', f'--config.benchmark.nets=("{self.name}",)',
        f'--config.benchmark.batch_sizes=({self.batch},)',
        f'--config.benchmark.dtypes=("{"bfloat16" if self.flags.gpu else "float32"}",)',
        f'--config.benchmark.parts={self.flags.modes!r}', '--config.benchmark.devices=(1,)',
        f'--config.benchmark.image_size_px={self.size_px}', '--config.benchmark.plots=False',
        f'--config.benchmark.seconds={self.flags.seconds}',
        f'--config.benchmark.least_steps={self.flags.least_steps}',
        f'--config.runtime.cache_dir={self.scratch / "programs"}',
        *(CLASSES if self.task == 'classification' else ()), *self.flags.ours.split()]

  def _run_ours(self) -> dict[str, float]:
    """The same of ours, by its command as a user would give it."""
    self._turn += 1
    folder = self.scratch / f'{self.name}-{self._turn}'
    done = subprocess.run(
        self.command(folder), cwd=ROOT, text=True, capture_output=True, timeout=OURS_WITHIN_SEC,
        env={key: value for key, value in os.environ.items() if key not in SETTINGS})
    if done.returncode:
      raise Failed(f'{" ".join(self.command(folder))}\nended with code {done.returncode}:\n'
                   f'{done.stderr[-3000:]}')
    told = json.loads((folder / 'benchmark.json').read_text())
    self.environment, (row,) = told['environment'], told['rows']
    if row.get('error'):
      raise Failed(f'{self.name}: {row["error"]}')
    self.facts = {'param_count': round(1e6 * row['param_count']), 'origin': 'main.py',
                  'version': row['dtype']}
    return {mode: row[f'{mode}_samples_per_sec'] for mode in self.flags.modes}


def make_rows(common: dict, turns: dict, facts: dict, modes) -> list[dict]:
  """The rows of a net.

  Args: common: of all rows; turns: {program: pictures/s of each mode, a dict for each turn}; facts:
    {program: what it told of itself}.
  """
  rows = []
  for mode in modes:
    rates = {name: [turn[mode] for turn in found] for name, found in turns.items()}
    for name, values in rates.items():
      ratio = ratios(rates[OURS], values)
      rows.append({**common, 'mode': mode, 'program': name, **facts[name],
                   'samples_per_sec': spread(values), 'samples_per_sec_of_turns': values,
                   'ours_over_it': spread(ratio), 'ours_over_it_of_turns': ratio})
  return rows


def table_rows(rows: list[dict]) -> list[tuple[str, ...]]:
  """The cells of one net's table, a line for each program."""
  lines = []
  for name in dict.fromkeys(row['program'] for row in rows):
    own = {row['mode']: row for row in rows if row['program'] == name}
    cells = [in_words(own[mode][key]) if mode in own else '' for mode in MODES
             for key in ('samples_per_sec_of_turns', 'ours_over_it_of_turns')]
    lines.append((name, *cells, f'{next(iter(own.values()))["param_count"] / 1e6:.3f}'))
  return lines


if __name__ == '__main__':
  command.run(main)
