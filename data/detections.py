"""What a person detector has found, from a file in the form of COCO's results."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.joints import PERSON
from data.json_files import BrokenRecords, brief, is_number, load_json, pixels_of
from errors import UserError

WHAT = ('a list of COCO results, each with image_id, category_id, bbox [x, y, width, height] in px '
        'and score')


class Detections(NamedTuple):
  """Boxes of persons, D of them, in the order of their file.

  Attributes:
    name: of the file.
    image_ids: list [D], what their pictures are known by.
    box_px: float32 [D, 4], x, y of the upper left corner, width, height.
    scores: float32 [D].
    notes: what was left out, in words.
  """

  name: str
  image_ids: list
  box_px: np.ndarray
  scores: np.ndarray
  notes: list


def read_detections(path: str, least_score: float = 0.0, poll=lambda: None) -> Detections:
  """The boxes of persons (category 1) of a detector's result file.

  Args:
    path: of the JSON file.
    least_score: boxes with a smaller score are left out.
    poll: called often; may raise to stop.

  Raises:
    UserError: no such file, one of another form, or no box that is left.
  """
  path = Path(path).expanduser()

  def keep(record):
    poll()
    return {key: record[key] for key in ('image_id', 'category_id', 'bbox', 'score')
            if key in record}

  records, _ = load_json(path, WHAT, keep)
  if not isinstance(records, list):
    raise UserError(f"'{path}' holds no list; expected {WHAT}.")
  broken, sound = BrokenRecords(path, '', WHAT), []
  for place, record in enumerate(records):
    reason = _reason(record)
    if reason:
      broken.add(place, reason)
    elif record['category_id'] == PERSON:
      sound.append(record)
  note = broken.check(len(records))
  confident = [record for record in sound if record['score'] >= least_score]
  kept = [record for record in confident if min(record['bbox'][2:]) > 0]
  if not kept:
    raise UserError(f"'{path}' has no box of a person (category_id {PERSON}) with a score of "
                    f'{least_score:g} or more among {len(records):,} records; expected {WHAT}.')
  counts = {f'with a score below {least_score:g}': len(sound) - len(confident),
            'without an area': len(confident) - len(kept)}
  return Detections(
      path.name, [record['image_id'] for record in kept],
      np.array([record['bbox'] for record in kept], np.float32),
      np.array([record['score'] for record in kept], np.float32),
      [f'{count:,} {words}' for words, count in counts.items() if count] + ([note] if note else []))


def _reason(record):
  """Why a record cannot be used; '' where it can."""
  if not isinstance(record, dict):
    return 'is no object'
  missing = [key for key in ('image_id', 'category_id', 'bbox', 'score') if key not in record]
  if missing:
    return f'has no {missing[0]!r}'
  if type(record['image_id']) not in (int, str):
    return 'has an image_id that is neither a whole number nor a text'
  box, score = record['bbox'], record['score']
  array = pixels_of(box, 4)
  if array is None or min(array[2:]) < 0:
    return f'has the bbox {brief(box)}, which is not x, y, width and height'
  if not (is_number(score) and abs(score) <= 1e6):
    return f'has the score {brief(score)}, which is no number'
  return ''
