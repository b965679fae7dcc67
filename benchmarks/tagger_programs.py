"""Do existing tagger programs give an exported tagger's pictures the tags that --job=predict gives?

    python main.py --job=export --workdir=runs/tagger-demo
    python -m benchmarks.tagger_programs --workdir=runs/tagger-demo

draws pictures that the run never saw, of several sizes, and takes the steps of four programs with
them (tests/tagger_clients.py), with `tagger/` and with `tagger/own_size/`. Prints of general and
character tags, at the run's threshold, the share of pictures that get the same set of tags, the
share of decisions that differ, and the largest difference of a probability. All differences come
from resizing: the programs make a picture as large as the model's input says, or kohya's always
448 px, and it is shrunk from there.
"""

import pathlib
import tempfile

import numpy as np

from benchmarks import command
from benchmarks.command import number, several
from tests.tagger_clients import Comfy, Kohya, Wdv3, WebUI
from train_lib import build_sources, devices
from train_lib.predicting.predictor import open_predictor

PROGRAMS = (Kohya, Comfy, WebUI, Wdv3)
SEED = 77                         # of the drawn pictures: those of no page


def main() -> None:
  """Reads the flags, draws, compares, prints the table."""
  parser = command.Parser(__doc__)
  parser.add_argument('--workdir', required=True, help='of a tagger trained on drawn pictures')
  parser.add_argument('--export', default='', help="its exported folder; '': WORKDIR/export")
  parser.add_argument('--pictures', type=number(1), default=60, help='of each size')
  parser.add_argument('--sizes', default='256,448,900', type=several(number(1)), help='px')
  flags = parser.parse_args()
  devices.set_up_jax('')
  predictor = open_predictor(flags.workdir)
  tagger = pathlib.Path(flags.export or pathlib.Path(flags.workdir) / 'export') / 'tagger'
  print('| drawn, px | program | model | same tags | decisions that differ | largest difference |')
  print('|---|---|---|---|---|---|')
  with tempfile.TemporaryDirectory() as folder:
    for side_px in flags.sizes:
      paths = draw(predictor.config, side_px, flags.pictures, pathlib.Path(folder, str(side_px)))
      truth = np.stack([value['probabilities'] for value in predictor.values(paths)])
      for program in PROGRAMS:
        for where in (tagger, tagger / 'own_size'):
          if where.exists() and not (program is Kohya and where != tagger):
            print(row(predictor, program, where, paths, truth, side_px), flush=True)


def draw(config, side_px: int, number: int, folder: pathlib.Path) -> list[str]:
  """Paths of files. Args: config: of the run; side_px: of a picture."""
  folder.mkdir(parents=True)
  config = config.copy_and_resolve_references()
  config.data.update(dict(
      source='toon', drawn_size_px=side_px, num_train=1, num_valid=1, num_test=number,
      data_seed=SEED, dir=str(folder / 'data')))
  source, paths = build_sources.build_source(config, 'test'), []
  for place in range(number):
    paths.append(str(folder / f'{place}.png'))
    pathlib.Path(paths[-1]).write_bytes(source[place]['image_bytes'])
  return paths


def row(predictor, program, where, paths, truth, side_px) -> str:
  """A row of the table. Args: where: of the model; truth: float32 [N, T], of the net itself."""
  client, trained = program(where), predictor.trained
  places = {name: place for place, (name, category) in enumerate(zip(
      trained.tag_names, trained.tag_categories, strict=True))
      if category in ('general', 'character')}
  found = [{name: value for part in client.cut(one) for name, value in part}
           for one in client.probabilities(paths)]
  ours = truth[:, list(places.values())]
  theirs = np.array([[one[name] for name in places] for one in found])
  threshold = trained.thresholds['micro']
  differ = (ours > threshold) != (theirs > threshold)
  cells = (side_px, program.__name__, f'{client.input_shape[1]} px',
           f'{(~differ.any(1)).mean():.0%}', f'{differ.mean():.2%}',
           f'{np.abs(ours - theirs).max():.3f}')
  return '| ' + ' | '.join(map(str, cells)) + ' |'


if __name__ == '__main__':
  command.run(main)
