"""From a folder that a person hands over to pictures and scans that a net can see, and back."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from data.batch import Source
from data.boxed import Boxed, CutBox
from data.encode import encode_image
from data.given import Given
from data.joined import Joined
from data.loader import Loader
from data.operations import Decode
from data.scan_operations import ResizeScan, undo_resize
from data.scans import open_scan as open_scan_file
from data.scans.scan import read_settings
from data.scans.survey import list_scans
from data.sources import pictures
from data.sources.pictures import PictureFiles
from errors import UserError
from train_lib import build_data, build_sources

SPLITS = ('train', 'valid', 'test')


def build_picture_source(path: str) -> PictureFiles:
  """Every picture under a folder, or one file; examples have no tags."""
  return PictureFiles(path, by_content=False)


def build_given_source(given) -> Given:
  """Pictures that a program hands over. Args: given: as of `data.given.Given`."""
  return Given(given)


def build_picture_loader(config, source, batch_size: int) -> Loader:
  """Every picture of a source once, as a tagger or classifier learned to see it; a batch may hold
  none that can be read."""
  return build_data.build_loader(
      config, source, train=False, keys=('image',), bad_limit_frac=1.0, batch_size=batch_size,
      blank={'image': build_data.blank_pictures(config)[0]})


def read_middle_slice(config, source, index: int) -> tuple[np.ndarray | None, str]:
  """(float32 [h, w] in 0..1, ''), or (None, why it cannot be read).

  Args: source: of scans, each an example with 'image_bytes'.
  """
  try:
    content = source[index]['image_bytes']
    # what reads NIfTI goes by the name
    ending = '.nii.gz' if content.startswith(b'\x1f\x8b') else '.nii'
    with tempfile.NamedTemporaryFile(suffix=ending) as file:
      file.write(content)
      file.flush()
      scan = open_scan(config, Path(file.name))
      return scan.slice(scan.num_slices // 2), ''
  except (ValueError, OSError, UserError) as error:     # data.scans.ScanError is a ValueError
    return None, getattr(error, 'strerror', None) or str(error)


def check_groupable(task: str) -> None:
  """Raises UserError for a task whose nets cannot group pictures."""
  if task == 'pose':
    raise UserError("a net of the task 'pose' sees one person at a time and cannot group pictures; "
                    'name a classifier, a tagger or an autoencoder')


def check_collection(config, input: str) -> None:
  """Raises UserError where a folder is named that holds no picture, before a net is fetched."""
  if input or config.data.source == 'pictures':
    pictures.open_pictures(input or config.data.path)


def build_collection(config, input: str, poll: Callable[[], None]) -> Source:
  """The pictures that are grouped: of a folder, or `cluster.splits` of the config's dataset.

  Of classes they come with their labels.

  Args:
    input: a folder or a picture; '' for the dataset.
    poll: called often while data are prepared; may raise to stop.
  """
  check_groupable(config.task)
  if input or config.data.source == 'pictures':
    path = input or config.data.path
    return build_sources.cut_pictures(config, pictures.open_pictures(path), poll)
  splits = config.cluster.splits
  wrong = [split for split in splits if split not in SPLITS]
  if wrong or not splits:
    raise UserError(f'cluster.splits is {splits}; expected some of {", ".join(SPLITS)}')
  return Joined([build_sources.build_source(config, split, poll) for split in splits])


def build_collection_loader(config, source: Source) -> Loader:
  """Every picture of a collection once, as the net sees it, with its label if it has one."""
  known = [key for key in ('label',) if key in source.truth_keys]
  return build_data.build_loader(config, source, train=False, keys=('image', *known),
                                 bad_limit_frac=1.0, batch_size=config.cluster.batch_size)


def build_whole_loader(config, source: Source) -> Loader:
  """Pictures in their own size, and scans at the net's: for `example` alone."""
  if config.task == 'autoencoding':
    return build_data.build_loader(config, source, train=False, keys=('image',), batch_size=1,
                                   bad_limit_frac=1.0)
  return Loader(source, (Decode(config.data.max_pixels),), batch_size=1, train=False,
                keys=('image',), bad_limit_frac=1.0)


def to_colours(image: np.ndarray) -> np.ndarray:
  """uint8 [H, W, 3], to be shown. Args: image: that, or a scan, float32 [H, W, 1] in 0..1."""
  if image.dtype == np.uint8:
    return image
  return np.repeat(np.uint8(np.clip(image, 0, 1) * 255 + 0.5), 3, axis=-1)


def build_cut_loader(config, source: Source, boxes) -> Loader:
  """Pictures in their own size, each cut to its box: for `example` alone.

  Args: boxes: as those of `data.boxed.Boxed`.
  """
  return Loader(Boxed(source, boxes), (Decode(config.data.max_pixels), CutBox()), batch_size=1,
                train=False, keys=('image',), bad_limit_frac=1.0)


def list_files(path: str) -> list[tuple[str, Path]]:
  """(name relative to the folder, path) of every file below it, or of one file."""
  top = Path(path).expanduser()
  if top.is_file():
    return [(top.name, top)]
  return sorted((pictures.relative_name(Path(where, name), top), Path(where, name))
                for where, _, names in pictures.walk_folders(top) for name in names)


def list_scan_files(path: str) -> list[tuple[str, Path]]:
  """The same of the scans among them. Raises: UserError: there is no such folder or file."""
  top = Path(path).expanduser()
  if top.is_file():
    return [(top.name, top)]
  found, _, _ = list_scans(pictures.check_folder(top, 'scans'))
  return [(pictures.relative_name(scan, top), scan) for scan in found]


def open_scan(config, path: Path):
  """A scan, its values windowed as the config says; see `data.scans.open_scan`."""
  return open_scan_file(path, read_settings(config.data))


def fit_scan(picture: np.ndarray, side_px: int) -> np.ndarray:
  """A slice as the net sees it: float32 [side_px, side_px, 1]. Args: picture: [h, w] in 0..1."""
  return ResizeScan(side_px)({'image': picture[..., None]})['image']


def unfit_scan(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """The way back: float32 [h, w]. Args: picture: as a net gives it; shape: (h, w)."""
  return undo_resize(picture, shape)


def other_files(path: str) -> list:
  """(name, path) of the files under a folder that are no pictures, as `data.sources.pictures`."""
  return pictures.other_files(path)


def check_no_others(folder: Path, names: Iterable[str], whose: str) -> None:
  """Raises UserError where a folder that is written into holds files besides those of this command.

  Files whose name begins with a dot, such as one that a kill has left half written, do not count.

  Args: names: relative to the folder, of the files that may be there; whose: the others are, such
    as "that 'photos' has not".
  """
  paths = (path for path in folder.rglob('*') if path.is_file() and path.name[:1] != '.')
  others = sorted({path.relative_to(folder).as_posix() for path in paths} - set(names))
  if others:
    raise UserError(f"'{folder}' holds {len(others):,} files {whose}, such as '{others[0]}'; take "
                    'them away, or name another folder with --output=')


def encode_picture(image, ending: str) -> bytes:
  """The bytes of a picture file. Args: as those of `data.encode.encode_image`."""
  return encode_image(image, ending)
