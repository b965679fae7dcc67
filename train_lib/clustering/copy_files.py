"""What is left of near-copies: copies.csv, a sheet, and a folder of the pictures to keep."""

from pathlib import Path

from errors import UserError
from train_lib.clustering.alike_files import last_part
from train_lib.clustering.copies import Copies
from train_lib.clustering.gallery import shrunk
from train_lib.drawing.grid import CELL_PX, draw_grid
from train_lib.drawing.pictures import save_sheet
from train_lib.storage import records

COLUMNS = ('group', 'path', 'kept', 'why', 'similarity')
SHOWN_GROUPS = 20                 # rows of the sheet
SHOWN_COPIES = 7                  # columns of it, beside the one that is kept


def write_copies(folder, copies: Copies, ids: list[str], read_picture, poll) -> None:
  """Writes `copies.csv`, a line for each picture of each group, and `copies.png`.

  Args:
    folder: where to.
    ids: [N], of the pictures.
    read_picture: row -> uint8 [H, W, 3], or None where it cannot be read any more.
    poll: called for each picture of the sheet; may raise to stop.
  """
  groups = list(zip(*copies, strict=True))
  records.write_csv(folder / 'copies.csv', COLUMNS, (
      (number, ids[row], 'no' if place else 'yes', reason, f'{similarity:.4f}')
      for number, group in enumerate(groups, 1)
      for place, (row, reason, similarity) in enumerate(zip(*group, strict=True))))
  images, texts = [], []
  for group in groups[:SHOWN_GROUPS]:
    images.append([])
    texts.append([])
    for row, reason, similarity in list(zip(*group, strict=True))[:1 + SHOWN_COPIES]:
      poll()
      picture = read_picture(row)
      if picture is not None:
        images[-1].append(shrunk(picture, CELL_PX))
        texts[-1].append([('found', 'kept') if not reason else
                          ('wrong', f'{reason}, {similarity:.3f}'),
                          ('missed', last_part(ids[row]))])
  shown = f'{len(images):,} of {len(groups):,}'
  save_sheet(draw_grid(
      images, (), [f'near-copies, large groups first: {shown}',
                   'green: to keep; red: why, and cosine'],
      texts) if images else None, folder / 'copies.png')


def write_unique(collection, rows: list[int], folder: Path, poll) -> None:
  """Makes a folder of the pictures that are kept, named as they are: links where there are files.

  What stands in the folder from an earlier command goes, and nothing else is ever removed.

  Args:
    collection: a `collection.Collection`.
    rows: of the pictures that are kept.
    folder: outside of the pictures.
    poll: called for each picture; may raise to stop.

  Raises:
    UserError: the folder lies among the pictures, or holds files that are neither links nor copies
      of them.
  """
  if collection.top is not None:
    records.check_outside(folder, collection.top)
  _clear(collection, folder, poll)
  folder.mkdir(parents=True, exist_ok=True)
  for row in rows:
    poll()
    collection.place_picture(row, folder / collection.name_of(row))


def read_bytes(collection, row: int) -> bytes:
  """The bytes of a picture's file; none of a scan, or where it cannot be read any more."""
  try:
    return collection.source[int(collection.rows[row])].get('image_bytes', b'')
  except OSError:
    return b''


def _clear(collection, folder, poll) -> None:
  """Removes the links and copies of an earlier command; UserError where there is anything else."""
  files = sorted(path for path in folder.rglob('*') if path.is_symlink() or not path.is_dir())
  rows = {collection.name_of(row): row for row in range(len(collection.ids))} if files else {}
  strange = []
  for path in files:
    poll()
    name = path.relative_to(folder).as_posix()
    if name not in rows or not (
        path.is_symlink() or path.read_bytes() == read_bytes(collection, rows[name])):
      strange.append(name)
  if strange:
    raise UserError(f"'{folder}' holds {len(strange):,} files that are no pictures of this "
                    f"collection, such as '{strange[0]}'; take them away, or name another folder "
                    'with --output=')
  for path in files:
    path.unlink()
