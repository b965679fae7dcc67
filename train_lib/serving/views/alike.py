"""The pictures of a collection that look like one that is given, or like one of its own."""

import functools

import cv2
import numpy as np

from train_lib import build_data, build_inputs
from train_lib.clustering import labelling
from train_lib.clustering.collection import OF_SCANS
from train_lib.clustering.gallery import shrunk
from train_lib.clustering.search import Index
from train_lib.clustering.trunk import open_trunk
from train_lib.features import compile_features
from train_lib.poses import people_finder
from train_lib.reporting import counted
from train_lib.serving.calls import Call, whole_number
from train_lib.serving.guard import Refused
from train_lib.serving.uploads import Upload

MOST = 200                        # neighbours of a picture
THUMBNAIL_PX, JPEG_QUALITY = 360, 88
KEPT_THUMBNAILS = 1_000
STARTS = 24                       # typical pictures, for who has none at hand


class AlikeView:
  """A collection.

  Args: config: `neighbours.count` is how many are told; collection: of `open_collection`.
  """

  task, together, options, step = 'clusters', 1, ('count',), None

  def __init__(self, config, collection):
    self._collection, self._count = collection, config.neighbours.count
    self._index, self._size = Index(collection.features), len(collection.ids)
    self._of_scans = collection.config.task == 'autoencoding'
    self._embedder = None if self._of_scans else Embedder(collection)
    counts = labelling.count_pictures(collection.clusters)
    path = collection.folder / 'names.csv'
    self._names = labelling.check_names(
        path, labelling.read_names(path), counts) if path.exists() else {}
    self._sizes = counts
    self._thumbnail = functools.lru_cache(KEPT_THUMBNAILS)(self._draw)

  def words(self) -> str:
    """'3,000 pictures in 12 clusters'."""
    return f'{counted(self._size, "picture")} in {counted(len(self._sizes), "cluster")}'

  def about(self) -> dict:
    """'pictures' and 'clusters' in figures, 'starts': rows of typical pictures, 'uploads': whether
    other pictures can be looked for, and 'named': cluster -> its name."""
    return {'names': (), 'pictures': self._size, 'clusters': len(self._sizes),
            'uploads': not self._of_scans, 'starts': self._starts(),
            'named': {str(cluster): name for cluster, name in self._names.items()}}

  def answer(self, uploads: list[Upload], options: dict) -> list[dict]:
    """'alike': the most similar pictures first, each {'row', 'path', 'similarity' (the cosine of
    the features), 'cluster', 'name' of it}; -1 and '' where it is in none.

    Args: options: 'count', how many.
    """
    if self._of_scans:
      raise Refused(422, OF_SCANS)
    count = self._asked(options, self._size)
    found = self._embedder([upload.content for upload in uploads])
    return [{'path': upload.label, **({'error': reason} if features is None else {
        'alike': self._search(features, count)})}
            for upload, (features, reason) in zip(uploads, found, strict=True)]

  def _asked(self, options, available):
    """How many are asked for, at most those that there are."""
    if not available:
      raise Refused(404, 'the collection has no other picture')
    return min(whole_number(options, 'count', self._count, 1, MOST), available)

  def _search(self, features, count, leave_out=-1):
    rows, similarities = self._index.search(features[None], count, leave_out=np.array([leave_out]))
    return [{**self._describe(int(row)), 'similarity': round(float(similarity), 4)}
            for row, similarity in zip(rows[0], similarities[0], strict=True)]

  def _describe(self, row):
    cluster = int(self._collection.clusters[row])
    name = self._collection.ids[row].encode(errors='replace').decode()
    return {'row': row, 'path': name, 'cluster': cluster, 'name': self._names.get(cluster, '')}

  def _starts(self):
    """Rows: the most typical picture of each cluster, then the next ones, as many as STARTS."""
    clusters, distances = self._collection.clusters, self._collection.distances
    ranked = []
    for cluster in self._sizes:
      mine = np.flatnonzero(clusters == cluster)
      mine = mine[np.argsort(distances[mine], kind='stable')][:STARTS]
      ranked += [(rank, -self._sizes[cluster], int(row)) for rank, row in enumerate(mine)]
    return [self._describe(row) for _, _, row in sorted(ranked)[:STARTS]]

  def calls(self) -> dict[str, Call]:
    """/api/alike/ROW and /thumbnails/ROW."""
    return {'/api/alike/{row}': Call('GET', 'row', self.call_alike, options=('count',)),
            '/thumbnails/{row}': Call('GET', 'row', self.call_thumbnail, by_net=False)}

  def call_alike(self, row: int, options: dict) -> dict:
    """What `answer` says, of a picture of the collection, which is not among them."""
    self._check(row)
    count = self._asked(options, self._size - 1)
    features = np.asarray(self._collection.features[row])
    return {**self._describe(row), 'alike': self._search(features, count, row)}

  def call_thumbnail(self, row: int, options: dict) -> bytes:
    """A small JPEG of a picture of the collection."""
    del options
    self._check(row)
    return self._thumbnail(row)

  def _check(self, row):
    if row >= self._size:
      raise Refused(404, f'the collection has {self._size:,} pictures, counted from 0')

  def _draw(self, row):
    picture = self._collection.read_picture(row)
    if picture is None:
      raise Refused(404, 'this picture of the collection cannot be read any more')
    small = np.ascontiguousarray(shrunk(picture, THUMBNAIL_PX)[..., ::-1])
    return cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()

  def warm_up(self) -> None:
    """Looks for a picture, and opens the collection's."""
    features = np.asarray(self._collection.features[0])
    if self._embedder is not None:
      features = self._embedder([np.zeros((32, 32, 3), np.uint8)])[0][0]
    self._search(features, min(self._count, self._size))
    self._collection.read_picture(0)


class Embedder:
  """Features of any pictures, like those of a collection; the net is compiled once.

  Args: collection: of pictures.
  Raises: UserError: its net is not to be found.
  """

  def __init__(self, collection):
    self._trunk = open_trunk(collection.config, collection.workdir)
    self._project = collection.projection
    self._cutter = (people_finder.open_cutter(self._trunk.config)
                    if self._trunk.config.data.persons.cut == 'pose' else None)
    self._compute = compile_features(self._trunk.net, self._trunk.mesh, self._trunk.variables,
                                     tuple(collection.config.cluster.taps))

  def __call__(self, contents: list) -> list[tuple[np.ndarray | None, str]]:
    """(float32 [D], ''), or (None, why it cannot be read), of each. Args: as `data.given.Given`."""
    config, rows = self._trunk.config, self._trunk.mesh.size
    source = build_inputs.build_given_source(contents)
    if self._cutter:
      source = self._cutter.cut(source, lambda: None)
    loader = build_data.build_loader(
        config, source, train=False, keys=('image',), bad_limit_frac=1.0, batch_size=rows,
        blank={'image': build_data.blank_pictures(config)[0]})
    found = []
    for k in range(loader.num_batches):
      batch = loader.make_batch(k)
      computed = self._project(self._compute(batch))
      for row in range(min(rows, len(contents) - k * rows)):
        readable = batch['mask'][row] > 0
        found.append((computed[row], '') if readable else (
            None, loader.bad_images.reasons().get(str(k * rows + row), 'cannot be read')))
    return found
