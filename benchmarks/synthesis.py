"""Does synthesis help? A classifier on few slices, with and without what an autoencoder made.

    python main.py --config=configs/vae.py:small --config.data.corrupt="()" --workdir=runs/vae-clean
    python -m benchmarks.synthesis --autoencoder=runs/vae-clean --workdir=runs/synthesis

A few drawn slices keep their label, what they show; the autoencoder (a run of configs/vae.py on
drawn slices, which needs no label) makes new ones around each of them, and these take its label.
Then the same small classifier learns from the few, and from both, each without and with
augmentation, for the same number of steps, over some seeds; the test slices are of other patients.
It stands in for a detector that synthetic slices are meant to help.
"""

import pathlib
import shutil
import types

import numpy as np

from benchmarks import command
from benchmarks.command import number
from configs import base, findings
from data.sources.phantom import build_phantom
from jobs import study, synthesize
from train_lib import workdir as workdir_lib

SPLITS = ('train', 'valid', 'test')
AUGMENTED = ('mirror', 'rotation', 'scale', 'translation')


def main() -> None:
  """Reads the flags, writes the folders, synthesizes, trains and prints the study's table."""
  parser = command.Parser(__doc__)
  parser.add_argument('--autoencoder', required=True, help='workdir of a run on drawn slices')
  parser.add_argument('--workdir', required=True, help='folder of all that is made')
  parser.add_argument('--labelled', type=number(1), default=10, help='slices of every finding')
  parser.add_argument('--around', type=number(1), default=8, help='new slices around each')
  parser.add_argument('--deviation', type=number(0, float), default=1.0,
                      help='of what is drawn: a factor')
  parser.add_argument('--seeds', type=number(1), default=5)
  parser.add_argument('--steps', type=number(1), default=400, help='of every run')
  flags = parser.parse_args()
  top = pathlib.Path(flags.workdir)
  few, both = top / 'few', top / 'both'
  if not few.exists():
    write_slices(flags, few)
  made = top / 'made'
  if not (made / 'manifest.csv').exists():
    make_slices(flags, few / 'train', made)
  if not both.exists():
    shutil.copytree(few, both)
    for path in sorted((made / 'pictures').rglob('*.png')):
      shutil.copy(path, both / 'train' / path.parent.name / f'made_{path.name}')
  config = findings.get_config('folder')
  config.study.rows = (
      ('the few', ('data.path', str(few)), ('data.augment', ())),
      ('and synthesized ones', ('data.path', str(both)), ('data.augment', ())),
      ('the few, augmented', ('data.path', str(few)), ('data.augment', AUGMENTED)),
      ('and synthesized ones, augmented', ('data.path', str(both)), ('data.augment', AUGMENTED)))
  config.study.num_seeds = flags.seeds
  config.train.num_steps, config.eval.baselines = flags.steps, False
  config.eval.every_steps = flags.steps
  study.run(config, str(top / 'study'), config_path='configs/findings.py:folder', input='',
            output='')


def write_slices(flags, folder: pathlib.Path) -> None:
  """Class folders of drawn slices: `labelled` of each finding to train, all to be judged on."""
  config = saved_config(flags.autoencoder)
  settings = types.SimpleNamespace(**{**config.data.to_dict(), 'labels': 'finding'})
  for split in SPLITS:
    source, taken = build_phantom(settings, split), {}
    for index in range(len(source)):
      finding = int(source.tags_of(index)[0])
      if split == 'train' and taken.get(finding, 0) >= flags.labelled:
        continue
      taken[finding] = taken.get(finding, 0) + 1
      path = folder / split / source.tag_names[finding] / f'{index:06d}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(source[index]['image_bytes'])
      if split == 'train' and min(np.bincount(
          list(taken), list(taken.values()), len(source.tag_names))) >= flags.labelled:
        break


def make_slices(flags, anchors: pathlib.Path, folder: pathlib.Path) -> None:
  """New slices around each of the labelled ones, in their folders."""
  config = saved_config(flags.autoencoder)
  config.synthesize.kind, config.synthesize.count = 'around', flags.around
  config.synthesize.deviation = flags.deviation
  synthesize.run(config, flags.autoencoder, config_path='', input=str(anchors),
                 output=str(folder))


def saved_config(workdir: str):
  """The config of a run; keys that are newer than the run have their default."""
  config = base.get_config()
  config.update(workdir_lib.load_config(workdir_lib.existing_workdir(workdir) / 'config.json'))
  return config


if __name__ == '__main__':
  command.run(main)
