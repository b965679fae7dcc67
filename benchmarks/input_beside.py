"""Pictures a second that reach a training step: our loader beside torch's DataLoader and tf.data.

    python -m benchmarks.input_beside
    python -m benchmarks.input_beside --rival_python=other/bin/python --output=input.json
    python -m benchmarks.input_beside --cases=warp --turns=5 --size_px=128

All read the same JPEG files and do like operations: decode, one affine warp with mirror, cutout,
and in the case `page` the colours, as configs/tagger.py has them (`warp` leaves colours out,
`mirror` the rest too). Ours is the loader that training uses, without workers, on threads and in
processes. Torch has a dataset that decodes and warps with OpenCV, with 0, 1 and 2 workers, tf.data
its own operations, on pictures and on whole batches. Each runs in a process of its own and takes
turns; what was made ahead is taken before the clock starts. `per core` is pictures per second that
a processor worked, in all processes and threads of a program: it changes less where others use the
machine too. Ratios are of our best form in a turn; the last rows to the best form of each rival
there. Packages that are missing are named and their rows left out: pip install -e '.[rivals]'.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import cv2
import numpy as np

from benchmarks import command
from benchmarks.beside import our_input
from benchmarks.beside.machine import describe_machine, told_of_machine
from benchmarks.beside.rivals import Missing, Rival
from benchmarks.beside.turns import in_words, ratios, spread, table, take_turns
from benchmarks.command import Failed, number, one_of, several
from train_lib.reporting import counted

WARP = ('mirror', 'rotation', 'scale', 'translation', 'cutout')
CASES = {'mirror': ('mirror',), 'warp': WARP, 'page': (*WARP, 'colour')}
# What a rival is, in which forms: program, (module, options of its spec).
FORMS = {
    'ours, 0 workers': ('our_input', {'workers': 0, 'processes': False}),
    'ours, threads': ('our_input', {'processes': False}),
    'ours, processes': ('our_input', {'processes': True}),
    **{f'DataLoader, {count} workers': ('torch_input', {'workers': count}) for count in range(3)},
    'tf.data, pictures': ('tf_input', {'by_batch': False}),
    'tf.data, batches': ('tf_input', {'by_batch': True}),
}
QUALITY = 90                      # of the files
LEAST_SEC = 0.1                   # of a turn, so that the processors' clock has moved
OURS, RIVALS = 'ours', ('DataLoader', 'tf.data')
COLUMNS = ('program', 'pictures/s', 'per core', 'ours / it', 'ours / it, per core')


def main(argv=None) -> None:
  """Reads the flags, measures case after case, prints a table of each."""
  flags = read_flags(argv)
  machine = describe_machine()
  print(told_of_machine(machine), flush=True)
  with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    draw_pictures(folder, flags.count, flags.size_px)
    files = sorted(map(str, folder.glob('train/*/*')))
    size = np.mean([pathlib.Path(path).stat().st_size for path in files]) / 1024
    print(f'{len(files):,} JPEG files of {flags.size_px} px, {size:.1f} KiB; batches of '
          f'{flags.batch}; {counted(flags.turns, "turn")} of {flags.seconds:g} s', flush=True)
    found = {}
    for case in flags.cases:
      programs = start_programs(flags, case, folder, files)
      try:
        found[case] = measure(programs, flags)
      finally:
        for program in programs.values():
          program.close()
      print(f'\n{case}: {", ".join(CASES[case])}\n'
            f'{table(COLUMNS, table_rows(found[case]["turns"]))}', flush=True)
      if flags.output:
        pathlib.Path(flags.output).write_text(json.dumps(
            {'environment': machine, 'flags': vars(flags), 'cases': found}, indent=2) + '\n')


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.add_argument('--cases', default=tuple(CASES), type=several(one_of(CASES)),
                      help=f'of {", ".join(CASES)}')
  parser.add_argument('--turns', type=number(1), default=3)
  parser.add_argument('--seconds', type=number(LEAST_SEC, float), default=3.0,
                      help='of a turn of a program')
  parser.add_argument('--count', type=number(2), default=2_000, help='pictures, of two classes')
  parser.add_argument('--size_px', type=number(8), default=256)
  parser.add_argument('--batch', type=number(1), default=32)
  parser.add_argument('--workers', type=number(1), default=2, help='our threads, or processes')
  parser.add_argument('--rival_python', default=sys.executable, help='that has torch, tensorflow')
  parser.add_argument('--output', type=command.output_file, default='', help='a JSON file')
  return parser.parse_args(argv)


def draw_pictures(folder: pathlib.Path, count: int, size_px: int) -> None:
  """JPEG files of noise at several scales in train/a and train/b, and a few in valid and test."""
  for split, wanted in (('train', count), ('valid', 2), ('test', 2)):
    for index in range(wanted):
      rng = np.random.default_rng((len(split), index))
      image = np.zeros((size_px, size_px, 3), np.float32)
      for cells, weight in ((4, 60), (16, 30), (64, 12), (size_px, 3)):
        cells = min(cells, size_px)
        noise = rng.standard_normal((cells, cells, 3), np.float32)
        image += weight * cv2.resize(noise, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
      path = folder / split / 'ab'[index % 2] / f'{index:05}.jpg'
      path.parent.mkdir(parents=True, exist_ok=True)
      cv2.imwrite(str(path), np.clip(image + 128, 0, 255).astype(np.uint8),
                  [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def start_programs(flags, case: str, folder: pathlib.Path, files: list[str]) -> dict[str, Rival]:
  """Every form of every program, made ready; what cannot be had is said and left out."""
  common = {'batch': flags.batch, 'size_px': flags.size_px}
  page = our_input.load_page({**common, 'folder': '', 'augment': CASES[case]})
  theirs = {**common, 'files': files, **operations_of(page.data)}
  ours = {**common, 'folder': str(folder), 'augment': CASES[case], 'workers': flags.workers}
  programs, said = {}, set()
  for name, (module, options) in FORMS.items():
    is_ours = name.startswith(OURS)
    python = sys.executable if is_ours else flags.rival_python
    try:
      programs[name] = Rival(python, f'benchmarks.beside.{module}',
                             {**(ours if is_ours else theirs), **options})
    except (Missing, Failed) as error:
      if is_ours:
        raise
      if str(error) not in said:
        print(error, file=sys.stderr)
      said.add(str(error))
  return programs


def operations_of(config_data) -> dict:
  """The numbers of the operations that a page's pipeline has; 0 is off."""
  names = config_data.augment
  return {'mirror': 0.5 * ('mirror' in names),
          'rotation_deg': config_data.rotation_deg * ('rotation' in names),
          'scale_frac': config_data.scale_frac * ('scale' in names),
          'translate_frac': config_data.translate_frac * ('translation' in names),
          'cutout_frac': config_data.cutout_frac * ('cutout' in names),
          'colour_frac': config_data.colour_frac * ('colour' in names)}


def measure(programs: dict[str, Rival], flags) -> dict:
  """{'programs': what each told of itself, 'turns': {name: its answer in each turn}}."""
  turns = take_turns({name: lambda program=program: program.turn(seconds=flags.seconds)
                      for name, program in programs.items()}, flags.turns)
  ratios_to = {rival: {'wall': spread(compare(turns, rival, speeds)),
                       'per_core': spread(compare(turns, rival, per_core))}
               for rival in RIVALS if names_of(turns, rival)}
  return {'programs': {name: program.facts for name, program in programs.items()}, 'turns': turns,
          'ours_over_best': ratios_to}


def speeds(answers: list[dict]) -> list[float]:
  """Pictures/s of each turn."""
  return [answer['pictures'] / answer['seconds'] for answer in answers]


def per_core(answers: list[dict]) -> list[float]:
  """Pictures per second of a processor, of each turn."""
  return [answer['pictures'] / answer['processor_seconds'] for answer in answers]


def names_of(turns: dict, who: str) -> list[str]:
  """The forms of a program."""
  return [name for name in turns if name.startswith(who)]


def compare(turns: dict, rival: str, speed) -> list[float]:
  """Our best form over the rival's best form, in each turn."""
  best = [np.max([speed(turns[name]) for name in names_of(turns, who)], axis=0)
          for who in (OURS, rival)]
  return [float(ratio) for ratio in ratios(*best)]


def table_rows(turns: dict) -> list[tuple[str, ...]]:
  """A row for each form, and one for each rival's best."""
  ours = {speed: np.max([speed(turns[name]) for name in names_of(turns, OURS)], axis=0)
          for speed in (speeds, per_core)}
  rows = [(name, in_words(speeds(answers)), in_words(per_core(answers)),
           *(in_words(ratios(ours[speed], speed(answers))) for speed in (speeds, per_core)))
          for name, answers in turns.items()]
  return rows + [(f'best of {rival}', '', '', *(in_words(compare(turns, rival, speed))
                                                for speed in (speeds, per_core)))
                 for rival in RIVALS if names_of(turns, rival)]


if __name__ == '__main__':
  command.run(main)
