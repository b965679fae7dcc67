"""--job=predict of poses: the people of every picture of a folder, as COCO's results and drawn."""

import json
import os

import numpy as np

from train_lib import build_data, build_inputs, coco_keypoints, records
from train_lib.people_finder import PeopleFinder
from train_lib.pose_pictures import draw_people
from train_lib.reporting import note_unreadable, say

MOST_DRAWN = 1_000                # overlays, at most


def predict_people(config, workdir: str, input: str, output: str, preemption) -> None:
  """Writes `keypoints.json`, `overlays/` with the people drawn, and perhaps `unreadable.jsonl`.

  Without `predict.boxes` one person is looked for in each picture, first in all of it, then in
  the box around the joints that the net is sure of. With it, every box is a person; of people
  found twice the less sure one is dropped. `keypoints.json` is a list in COCO's result format, and
  so is the file of boxes. Where all files are named by numbers, these are the image_id; else it is
  the path relative to the folder, as it is in `file_name`.

  Args: as those of `jobs.predict.run`; preemption: of the job.
  """
  folder = records.absolute(output or os.path.join(workdir, 'predict'))
  records.check_outside(folder, input)
  finder = PeopleFinder(config, workdir)
  source = build_inputs.build_picture_source(input)
  names, box_file = source.names, config.predict.boxes
  image_ids = _image_ids(names)
  if box_file:
    rows, boxes, scores, notes = build_data.read_boxes(
        box_file, config.data.persons.least_box_score, image_ids)
    found = finder.look(build_data.with_boxes(source, boxes, rows), preemption.check)
  else:
    rows, scores = np.arange(len(source)), np.ones(len(source))
    boxes, found = None, finder.find(source, preemption.check)
  how = f"{len(rows):,} boxes of '{box_file}'" if box_file else 'one person in each'
  how += f' (left out: {", ".join(notes)})' if box_file and notes else ''
  say(f'{len(names):,} pictures with step {finder.trained.step}; {how}')
  detections = coco_keypoints.Detections(
      image=rows, keypoints=found.keypoints,
      score=coco_keypoints.rescore(scores, found.keypoints))
  kept = found.readable & coco_keypoints.suppress(
      detections, areas=found.crop_area_px2)
  detections = coco_keypoints.Detections(*(field[kept] for field in detections))
  boxes = None if boxes is None else boxes[kept]
  _write(folder, detections, names, image_ids, found.unreadable)
  _draw(config, folder / 'overlays', source, detections, boxes, preemption)


def _write(folder, detections, names, image_ids, unreadable) -> None:
  folder.mkdir(parents=True, exist_ok=True)
  rows = coco_keypoints.result_rows(detections, image_ids)
  for row, image in zip(rows, detections.image, strict=True):
    row['file_name'] = names[int(image)]
  records.write_text(folder / 'keypoints.json', json.dumps(rows) + '\n')
  note_unreadable(folder / 'unreadable.jsonl', unreadable)
  say(f'{len(rows):,} people are in {folder}/keypoints.json')


def _image_ids(names: list[str]) -> list:
  """The numbers that the files are named by, where all are, as COCO's are; else the names."""
  stems = [os.path.splitext(os.path.basename(name))[0] for name in names]
  if all(stem.isdecimal() and stem.isascii() for stem in stems) and len(set(stems)) == len(stems):
    return [int(stem) for stem in stems]
  return names


def _draw(config, folder, source, detections, boxes, preemption) -> None:
  images = np.unique(detections.image)
  if len(images) > MOST_DRAWN:
    say(f'the people of the first {MOST_DRAWN:,} pictures are drawn')
  loader = build_inputs.build_cut_loader(config, source, np.full((len(source), 4), np.nan))
  for image in images[:MOST_DRAWN]:
    preemption.check()
    example = loader.example(int(image))
    if example is None:
      continue
    here = detections.image == image
    drawn = draw_people(example['image'], detections.keypoints[here],
                        least_score=config.crop.least_score,
                        boxes=None if boxes is None else boxes[here])
    path = folder / f'{source.names[int(image)]}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    records.write_bytes(path, build_inputs.encode_picture(drawn, '.jpg'))
  say(f'look at {folder}: their joints over the pictures')
