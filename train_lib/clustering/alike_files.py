"""What a search for alike pictures leaves: neighbours.csv and a sheet of the first ones."""

import numpy as np

from train_lib.clustering.gallery import shrunk
from train_lib.drawing.grid import CELL_PX, draw_grid
from train_lib.drawing.pictures import save_sheet
from train_lib.storage import records

COLUMNS = ('query', 'rank', 'path', 'similarity', 'cluster')
SHOWN_QUERIES = 12                # rows of the sheet
SHOWN_NEIGHBOURS = 8              # columns of it, beside the query


def write_neighbours(folder, queries: list[str], rows: np.ndarray, similarities: np.ndarray,
                     ids: list[str], clusters: np.ndarray) -> None:
  """Writes `neighbours.csv`: for each query its most alike pictures, from rank 1 on.

  Args:
    folder: where to.
    queries: [Q], names.
    rows: int [Q, count], places of their neighbours in `ids`; similarities: [Q, count].
    ids, clusters: [N], of the pictures searched in.
  """
  records.write_csv(folder / 'neighbours.csv', COLUMNS, (
      (query, rank, ids[row], f'{similarity:.4f}', int(clusters[row]))
      for query, found, cosines in zip(queries, rows, similarities, strict=True)
      for rank, (row, similarity) in enumerate(zip(found, cosines, strict=True), 1)))


def save_neighbours_sheet(path, queries: list[tuple], ids: list[str], clusters: np.ndarray,
                          read_picture, poll) -> None:
  """A picture with a row for each query: it, and the pictures most like it.

  Args:
    path: of the PNG file.
    queries: (name, picture uint8 [H, W, 3] or None, rows, similarities) of each; None is left out.
    ids, clusters: [N], of the pictures searched in.
    read_picture: row -> uint8 [H, W, 3], or None where it cannot be read any more.
    poll: called for each picture; may raise to stop.
  """
  images, texts = [], []
  for name, picture, rows, similarities in queries:
    if picture is None:
      continue
    line, words = [shrunk(picture, CELL_PX)], [[('plain', last_part(name))]]
    for row, similarity in zip(rows[:SHOWN_NEIGHBOURS], similarities, strict=False):
      poll()
      neighbour = read_picture(int(row))
      if neighbour is not None:
        line.append(shrunk(neighbour, CELL_PX))
        words.append([('found', f'{similarity:.3f}, cluster {clusters[row]}'),
                      ('missed', last_part(ids[row]))])
    images.append(line)
    texts.append(words)
  save_sheet(draw_grid(
      images, [['looked for'], ['most alike first']],
      ['pictures, and those of the collection that are most like each',
       'green: cosine of their features to the first of the row, and their cluster'],
      texts) if images else None, path)


def last_part(name: str) -> str:
  """The file's name of a path."""
  return name.rpartition('/')[2]
