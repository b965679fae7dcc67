"""--job=predict of poses: the people of every picture of a folder, as COCO's results and drawn."""

import json
import os

import numpy as np

from train_lib import build_data, build_inputs
from train_lib.poses.pose_pictures import draw_people
from train_lib.reporting import say
from train_lib.storage import records

MOST_DRAWN = 1_000                # overlays, at most


def predict_people(folder, input: str, poll) -> None:
  """Writes `keypoints.json` and `overlays/` with the people drawn, besides the rows.

  Without `predict.boxes` one person is looked for in each picture, first in all of it, then in
  the box around the joints that the net is sure of. With it, every box is a person; of people
  found twice the less sure one is dropped. `keypoints.json` is a list in COCO's result format, and
  so is the file of boxes. Where all files are named by numbers, these are the image_id; else it is
  the path relative to the folder, as it is in `file_name`.

  Args: folder: of `prediction.Folder`; input: as that of `jobs.predict.run`; poll: may raise to
    stop.
  """
  records.check_outside(folder.folder, input)
  config, names = folder.config, folder.source.names
  image_ids, boxes = _image_ids(names), None
  if config.predict.boxes:
    rows, *columns, notes = build_data.read_boxes(
        config.predict.boxes, config.data.persons.least_box_score, image_ids)
    boxes = (rows, *columns)
    left_out = f' (left out: {", ".join(notes)})' if notes else ''
    say(f"boxes of '{config.predict.boxes}': {len(rows):,}{left_out}")
  drawn, overlays = set(names[:MOST_DRAWN]), folder.folder / 'overlays'
  with folder.lock():
    kept = folder.predict(
        poll, boxes=boxes,
        after=lambda part, sights: _draw(config, overlays, part, sights, drawn))
    number = _write(folder.folder / 'keypoints.json', kept,
                    dict(zip(names, image_ids, strict=True)))
    folder.finish(kept)
  say(f'{number:,} people are in {folder.folder}/keypoints.json; look at {folder.folder}/overlays'
      + (f', of the first {MOST_DRAWN:,} pictures' if len(names) > MOST_DRAWN else ''))


def _write(path, kept, image_ids: dict) -> int:
  """COCO's results of all rows, one by one; how many people."""
  number = 0
  with records.whole_file(path) as file:
    for row in kept.rows():
      for person in row['people']:
        file.write(b',\n' if number else b'[')
        file.write(json.dumps({
            'image_id': image_ids[row['path']], 'category_id': 1,
            'keypoints': [value for joint in person['keypoints'] for value in joint],
            'score': person['score'], 'file_name': row['path']}).encode())
        number += 1
    file.write(b']\n' if number else b'[]\n')
  return number


def _image_ids(names: list[str]) -> list:
  """The numbers that the files are named by, where all are, as COCO's are; else the names."""
  stems = [os.path.splitext(os.path.basename(name))[0] for name in names]
  if not all(stem.isdecimal() and stem.isascii() for stem in stems):
    return names
  numbers = [int(stem) for stem in stems]
  return numbers if len(set(numbers)) == len(numbers) else names      # 7.jpg and 007.jpg


def _draw(config, folder, part, sights, names: set[str]) -> None:
  """Draws the people of those pictures that are among the names."""
  loader = build_inputs.build_whole_loader(config, part)
  for index, values, _ in sights:
    name = part.names[index]
    if name not in names or values is None or not values['people']:
      continue
    example = loader.example(index)
    if example is None:
      continue
    boxes = [person['box_px'] for person in values['people']] if config.predict.boxes else None
    drawn = draw_people(example['image'],
                        np.stack([person['keypoints'] for person in values['people']]),
                        least_score=config.crop.least_score,
                        boxes=None if boxes is None else np.stack(boxes))
    records.write_bytes(folder / f'{name}.jpg', build_inputs.encode_picture(drawn, '.jpg'))
