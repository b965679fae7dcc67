"""What each task answers: a view for each, and which one a folder is for."""

from typing import Any, Protocol

from train_lib.clustering import collection
from train_lib.predicting.predictor import Predictor
from train_lib.serving.calls import Call
from train_lib.serving.uploads import Upload
from train_lib.serving.views import alike, classes, poses, scans, tags
from train_lib.storage import records

VIEWS = {'tagging': tags.TagView, 'classification': classes.ClassView, 'pose': poses.PoseView,
         'autoencoding': scans.ScanView, 'clusters': alike.AlikeView}


class View(Protocol):
  """A task that is served.

  Attributes:
    task: its name in VIEWS.
    together: pictures that are answered in one turn.
    options: names of the options that `answer` knows.
    step: of the net's checkpoint; None of a collection.
  """

  task: str
  together: int
  options: tuple[str, ...]
  step: int | None

  def words(self) -> str:
    """What it knows, in a few words: '100 tags'."""

  def about(self) -> dict[str, Any]:
    """What /api/model says of it."""

  def answer(self, uploads: list[Upload], options: dict[str, str]) -> list[dict]:
    """A row for each picture: 'path', its label, and what is said; or 'path' and 'error'.

    Args: options: of the address (?name=value).
    Raises: Refused: an option that makes no sense.
    """

  def calls(self) -> dict[str, Call]:
    """What answers at further addresses."""

  def warm_up(self) -> None:
    """Answers once, so that nobody waits for compilation."""


def open_view(config, workdir: str) -> View:
  """The view of a run, of an exported folder, or of what --job=cluster left.

  Args: config: of the workdir, with what the command changes of it.
  Raises: UserError: the folder holds none of these.
  """
  if is_collection(workdir):
    return alike.AlikeView(config, collection.open_collection(workdir))
  predictor = Predictor(config, workdir)
  return VIEWS[predictor.task](config, predictor)


def describe(config, workdir: str, view: View) -> dict:
  """What a person wants to know of what is served: 'title', 'words', 'net', 'step', and the
  largest picture that is decoded."""
  step = '' if view.step is None else f'{config.net.name}, step {view.step:,}, '
  return {'title': records.absolute(workdir).name, 'words': step + view.words(),
          'net': config.net.name, 'step': view.step, 'image_size_px': config.data.image_size_px,
          'max_pixels': config.data.max_pixels}


def is_collection(workdir: str) -> bool:
  """Whether a folder is that of a cluster job, and of no net: a run may hold both."""
  folder = records.absolute(workdir)
  if (folder / collection.NAME).exists():
    return True
  return (folder / 'cluster' / collection.NAME).exists() and not (folder / 'tags.json').exists()
