"""--job=predict of a folder: every picture that no earlier start looked at, its row, its files."""

import os
from collections.abc import Callable

import numpy as np

from errors import UserError
from train_lib import batch_sizes, build_inputs
from train_lib.predicting.picture_rate import PictureRate
from train_lib.predicting.predictions import Predictions
from train_lib.predicting.predictor import Predictor
from train_lib.reporting import counted, note_unreadable, say
from train_lib.storage import records, remote
from train_lib.storage.lock import Lock
from train_lib.tags.captions import Captions
from train_lib.trees import params_digest

CHUNK = 2_048                     # pictures between which persons that are cut out are looked for
MOST_SAID = 10                    # pictures; the answers of no more are said on the terminal
ANSWERING = ('threshold', 'category_thresholds', 'boxes')  # keys of `predict` that change answers


class Folder:
  """What one command looks at and leaves: `predictions.jsonl`, `.csv`, `predict.json`, perhaps
  `unreadable.jsonl` and captions.

  Args: config, workdir, input, output: as those of `jobs.predict.run`.

  Attributes:
    predictor, source: what looks, and all pictures.
    folder: of the output, an epath.
  """

  def __init__(self, config, workdir: str, input: str, output: str):
    self.config, self.folder = config, records.absolute(output or os.path.join(workdir, 'predict'))
    self.predictor = Predictor(config, workdir)
    self.source = build_inputs.build_picture_source(input)
    self.answers = self.predictor.answers
    self._captions = self._make_captions()
    self._input = os.path.realpath(os.path.expanduser(input))

  def predict(self, poll: Callable[[], None], after: Callable = lambda *_: None,
              boxes: tuple | None = None) -> Predictions:
    """Looks at what is left to be looked at, and writes all but what `after` does.

    Args:
      poll: called often; may raise to stop.
      after: (part, sights), called before their rows are kept.
      boxes: of `looks.PeopleLook.see`, in all pictures; of poses alone.

    Returns:
      The rows, not yet put in place: `finish` does.

    Raises:
      UserError: no picture can be read; what an earlier start left stays, but unreadable.jsonl.
    """
    kept = Predictions(self.folder, self._about(boxes), self.source)
    trained, total = self.predictor.trained, len(self.source)
    say(f'{self.answers.doing} {counted(total, "picture")} with step {trained.step}'
        f'{self.answers.how}')
    if len(kept.todo) < total:
      say(f'{total - len(kept.todo):,} of them were {self.answers.done} by an earlier start')
    unreadable, rate = [], PictureRate(total, total - len(kept.todo))
    rows = self._batch_size(len(kept.todo))
    for first in range(0, len(kept.todo), CHUNK):
      places = kept.todo[first:first + CHUNK]
      part = self.source.take(places)
      states = [self.source.state(place) for place in places]
      for sights in self.predictor.stream(part, rows, poll, **_of_part(boxes, places)):
        after(part, sights)
        self._keep(kept, places, states, sights, unreadable)
        rate.add(len(sights))
    rate.close()
    if len(unreadable) == total:
      kept.give_up()
      note_unreadable(self.folder / 'unreadable.jsonl', unreadable)
      which = ('the only picture cannot' if total == 1 else
               f'none of the {total:,} pictures can')
      raise UserError(f'{which} be read; {self.folder}/unreadable.jsonl says why')
    self._rate, self._unreadable = rate, unreadable
    return kept

  def finish(self, kept: Predictions) -> None:
    """Puts the files in their place and says where they are."""
    number = len(self.source) - len(self._unreadable)
    if hasattr(self.answers, 'cells'):
      records.write_csv(self.folder / 'predictions.csv', self.answers.columns,
                        map(self.answers.cells, kept.rows()))
    if self._captions:
      self._captions.write_all(kept.rows())
    if number <= MOST_SAID:
      for row in kept.rows():
        if self.answers.summary(row):
          say(self.answers.summary(row))
    speed = {} if self._rate.per_sec is None else {
        'pictures_per_sec': round(self._rate.per_sec, 2)}
    kept.finish({'pictures': number, 'unreadable': len(self._unreadable),
                 'step': self.predictor.trained.step, **speed})
    also = ' and predictions.csv' if hasattr(self.answers, 'cells') else ''
    say(f'{counted(number, "picture")} {"is" if number == 1 else "are"} {self.answers.done} in '
        f'{self.folder}/predictions.jsonl{also}{self._rate.describe()}')
    note_unreadable(self.folder / 'unreadable.jsonl', self._unreadable)

  def lock(self) -> Lock:
    """Held while the output is written. Raises: UserError: another start writes there."""
    remote.make_folder(self.folder)
    return Lock(self.folder)

  def _keep(self, kept, places, states, sights, unreadable) -> None:
    rows, found = [], []
    for index, values, reason in sights:
      name = self.source.names[places[index]]
      if values is not None and self.source.state(places[index]) != states[index]:
        values, reason = None, 'it changed while it was read; the same command looks again'
      if values is None:
        unreadable.append((name, reason))
        continue
      rows.append({'path': name, **self.answers.describe(values)})
      found.append(states[index])
    kept.add(rows, found)

  def _batch_size(self, number: int) -> int:
    rows, per_sec = self.predictor.find_batch_size(number)
    if per_sec:
      say(f'{rows} pictures at once, found by trying: the net alone does {per_sec:.1f} pictures/s')
    return min(rows, batch_sizes.round_up(number, self.predictor.trained.mesh))

  def _make_captions(self) -> Captions | None:
    settings, trained = self.config.predict, self.predictor.trained
    if not settings.captions:
      return None
    if self.config.task not in ('tagging', 'classification'):
      raise UserError(f"predict.captions is '{settings.captions}', and captions are of tags and "
                      f"classes: a net of the task '{self.config.task}' has none")
    categories = dict(zip(trained.tag_names, trained.tag_categories, strict=True))
    return Captions(settings, categories, self.source.names, self.source.folder, self.folder)

  def _about(self, boxes) -> dict:
    """All that decides the answers."""
    config = self.config
    settings = {key: config.predict[key] for key in ANSWERING}
    return {'weights': params_digest(self.predictor.trained.variables), 'input': self._input,
            'predict': settings, 'names': self.predictor.trained.tag_names,
            'thresholds': getattr(self.answers, 'thresholds', ()),
            'pixels': [self.predictor.trained.task.mean, self.predictor.trained.task.deviation],
            'cut_by': self.predictor.cutter_digest(),
            'reading': [config[section].to_dict() for section in ('net', 'pose', 'crop')] + [
                config.data.image_size_px, config.data.pad, config.data.max_pixels,
                config.data.persons.to_dict()],
            'boxes': list(boxes or ())}


def _of_part(boxes, places) -> dict:
  """The boxes of some pictures, counted among these, as an option of the look."""
  if boxes is None:
    return {}
  rows, *columns = boxes
  number = {place: index for index, place in enumerate(places)}
  mine = np.array([row in number for row in rows.tolist()], bool)
  return {'boxes': (np.array([number[row] for row in rows[mine].tolist()], np.int64),
                    *(column[mine] for column in columns))}
