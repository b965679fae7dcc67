"""Which layer's features find the classes of pictures, beside raw pixels and random kernels?

    python -m benchmarks.cluster_taps --data=FOLDER --net=inception_v3_mixed8 --weights=FILE
    python -m benchmarks.cluster_taps --workdir=runs/simpsons-small

clusters pictures whose classes are known, the class folders of FOLDER or the test split of a run of
configs/simpsons.py, into as many clusters as there are classes: by the features of each tap of the
net, of the same net with random kernels (other ones for each seed), and by pixels. All go the same
way: averaged over the picture (pixels are not), principal components, length 1, k-means. Prints the
mean over seeds and the half-width of its 95 % interval (Student's t): normalised mutual
information, adjusted Rand index, and Hungarian accuracy.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from benchmarks import command
from benchmarks.command import number
from configs import cluster
from errors import UserError
from train_lib import build, build_data, build_inputs, devices, parallel
from train_lib import workdir as workdir_lib
from train_lib.clustering import projection, quality
from train_lib.clustering.kmeans import fit_kmeans
from train_lib.clustering.trunk import open_trunk
from train_lib.features import Trunk, load_features, tap_widths

FIGURES = ('nmi', 'ari', 'hungarian_accuracy')
PIXELS_PX = 32                    # side of the pictures whose pixels are clustered
OTHER_NAMES = ('features_2d', 'features')  # of the last tap, for nets that pool it by a mean


def main() -> None:
  """Reads the flags, computes features, prints the table."""
  parser = command.Parser(__doc__)
  parser.add_argument('--data', default='', help='class folders of pictures')
  parser.add_argument('--net', default='inception_v3')
  parser.add_argument('--weights', default='', help='as net.init_from')
  parser.add_argument('--workdir', default='', help='of a trained classifier, in place of these')
  parser.add_argument('--without', default='', help='a class whose pictures are left out')
  parser.add_argument('--seeds', type=number(2), default=5)
  parser.add_argument('--components', type=number(1), default=128)
  flags = parser.parse_args()
  devices.set_up_jax('')
  trunk = open_trunk(make_config(flags), flags.workdir or '.')
  source = build_inputs.build_collection(trunk.config, '', lambda: None)
  loader = build_inputs.build_collection_loader(trunk.config, source)
  taps = list_taps(trunk, loader)
  print(f'{source.description}\n{len(source):,} pictures of {len(source.tag_names)} classes; '
        f'{trunk.words}; {flags.seeds} seeds', flush=True)
  learned = read_taps(trunk, trunk.net, trunk.variables, loader, source, taps)
  drawn = [read_taps(trunk, *draw_net(trunk, seed), loader, source, taps)
           for seed in range(flags.seeds)]
  pixels = read_pixels(trunk.config, source)
  rows = np.flatnonzero(learned['label'] != index_of(source.tag_names, flags.without))
  labels = learned['label'][rows]
  counts = np.sort(np.unique(labels, return_counts=True)[1])
  print(f'{len(rows):,} pictures are clustered, {counts[0]:,} to {counts[-1]:,} of a class')
  print(f'{"":<16}' + ''.join(f'{name:>20}' for name in FIGURES))
  show('pixels', [pixels[rows]] * flags.seeds, labels, flags)
  for tap in taps:
    show(tap, [learned[tap][rows]] * flags.seeds, labels, flags)
    show('  random kernels', [features[tap][rows] for features in drawn], labels, flags)


def index_of(names, name: str) -> int:
  """The number of a class; -1 of none."""
  if name and name not in names:
    raise UserError(f"--without={name} is no class; the classes are {', '.join(names)}")
  return names.index(name) if name else -1


def make_config(flags):
  """The config of the pictures and of the net."""
  config = cluster.get_config()
  if flags.workdir:
    with config.unlocked():
      config.update(workdir_lib.load_config(
          workdir_lib.existing_workdir(flags.workdir) / 'config.json'))
    config.cluster.splits = ('test',)
    return config
  config.data.source, config.data.path = 'folder', flags.data
  config.net.name, config.net.init_from = flags.net, flags.weights
  return config


def list_taps(trunk, loader) -> list[str]:
  """The taps of the net, the stem first; not the last one under its other names."""
  shape = loader.example(0)['image'].shape
  _, found = jax.eval_shape(
      lambda variables, image: trunk.net.net.apply(variables, image, train=False),
      trunk.variables, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
  return sorted(set(found) - set(OTHER_NAMES), key=lambda tap: (tap != 'stem', tap))


def read_taps(trunk, net, variables, loader, source, taps) -> dict:
  """{tap: float32 [N, C]} and 'label', kept on disk between calls."""
  reading = build_data.describe_reading(trunk.config, source, 'all')
  arrays = load_features('', net, trunk.mesh, variables, loader, reading, taps=tuple(taps))
  edges = np.cumsum(tap_widths(net, variables, loader, tuple(taps)))[:-1]
  rows = np.flatnonzero(arrays['mask'] > 0)
  parts = np.split(np.asarray(arrays['features'])[rows], edges, axis=1)
  return {**dict(zip(taps, parts, strict=True)), 'label': arrays['label'][rows]}


def draw_net(trunk, seed: int) -> tuple:
  """The same net with random kernels, and its variables."""
  net = build.build_net(trunk.config, num_outputs=0)
  picture = jnp.asarray(build_data.blank_pictures(trunk.config), jnp.float32)
  variables = parallel.compile_once(
      trunk.mesh, lambda key: net.init(key, picture, train=False))(jax.random.key(seed))
  return Trunk(net, trunk.net.mean, trunk.net.deviation), variables


def read_pixels(config, source) -> np.ndarray:
  """float32 [N, 3072]: the pictures, shrunk."""
  config.data.image_size_px = PIXELS_PX
  loader = build_inputs.build_collection_loader(config, source)
  return np.concatenate([
      batch['image'][batch['mask'] > 0].reshape(-1, PIXELS_PX * PIXELS_PX * 3).astype(np.float32)
      for batch in loader.batches(0, loader.num_batches)])


def show(name, features, labels, flags) -> None:
  """Clusters with every seed and prints a line. Args: features: [N, C] of each seed."""
  found = [measure(rows, labels, seed, flags.components) for seed, rows in enumerate(features)]
  line = f'{name:<16}'
  for figure in FIGURES:
    values = np.array([one[figure] for one in found])
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    line += f'{values.mean():11.3f} +- {half:.3f}'
  print(line, flush=True)


def measure(features, labels, seed: int, components: int) -> dict[str, float]:
  """The figures of one clustering."""
  rows = np.arange(len(features))
  learned = projection.fit_projection(features, rows, [features.shape[1]], components=components,
                                      whiten=False)
  found = fit_kmeans(learned(features), len(np.unique(labels)), seed=seed, restarts=4)
  return quality.measure_by_labels(found.clusters, labels)


if __name__ == '__main__':
  command.run(main)
