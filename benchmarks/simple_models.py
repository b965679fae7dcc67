"""A classifier beside scikit-learn's simple models, on the very pictures of its own splits.

    python -m benchmarks.simple_models --workdir=runs/simpsons-small

reads the data as the run's config has them, gives each model the pixels (32 x 32 x 3 numbers a
picture), and prints their accuracy on the validation and the test split beside that of the net. The
model that is best on the validation split is the one to compare with.
"""

import time
import warnings

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks import command
from train_lib import build_data, build_sources
from train_lib import workdir as workdir_lib

SIDE_PX = 32
SPLITS = ('train', 'valid', 'test')
COMPONENTS = 128                  # of principal components, as far as there are pictures
MODELS = {                        # number of training pictures -> the model
    'logistic regression': lambda number: make_pipeline(
        StandardScaler(), PCA(min(COMPONENTS, number)), LogisticRegression(max_iter=500)),
    'nearest neighbour': lambda number: KNeighborsClassifier(1),
    'ten neighbours': lambda number: KNeighborsClassifier(min(10, number)),
    'random forest': lambda number: RandomForestClassifier(300, n_jobs=-1, random_state=0),
    'support vectors, RBF': lambda number: make_pipeline(
        StandardScaler(), PCA(min(COMPONENTS, number), whiten=True), SVC(C=10)),
}


def main() -> None:
  """Reads the flags, fits every model, prints the table."""
  parser = command.Parser(__doc__)
  parser.add_argument('--workdir', required=True, help='of a trained classifier')
  folder = workdir_lib.existing_workdir(parser.parse_args().workdir)
  pictures = {split: read(workdir_lib.load_config(folder / 'config.json'), split)
              for split in SPLITS}
  counts = ', '.join(f'{split} {len(labels):,}' for split, (_, labels) in pictures.items())
  print(f'{folder}: {counts}')
  print(f"{'':<24}{'valid':>8}{'test':>8}{'fit s':>8}")
  for name, make in MODELS.items():
    row = measure(make(len(pictures['train'][1])), pictures)
    print(f'{name:<24}' + ''.join(f'{value:8.3f}' for value in row), flush=True)
  run = workdir_lib.read_run(folder)
  print(f"{'the net':<24}{run['valid']['accuracy']:8.3f}{run['test']['net']['accuracy']:8.3f}")


def read(config, split: str) -> tuple[np.ndarray, np.ndarray]:
  """(pixels float32 [N, 3072] in 0..1, labels int [N]) of a split, as evaluation reads it."""
  config.unlock()
  config.data.image_size_px = SIDE_PX
  loader = build_data.build_evaluation_loader(config, build_sources.build_source(config, split))
  images, labels = [], []
  for batch in loader.batches(0, loader.num_batches):
    real = batch['mask'] > 0
    images.append(batch['image'][real])
    labels.append(batch['label'][real])
  pixels = np.concatenate(images).astype(np.float32) / 255
  return pixels.reshape(len(pixels), -1), np.concatenate(labels)


def measure(model, splits: dict) -> tuple[float, float, float]:
  """(accuracy on the validation split, on the test split, seconds of fitting)."""
  started = time.monotonic()
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', ConvergenceWarning)
    model.fit(*splits['train'])
  seconds = time.monotonic() - started
  return *(model.score(*splits[split]) for split in ('valid', 'test')), seconds


if __name__ == '__main__':
  command.run(main)
