"""--job=crop: the person cut out of every picture of a folder, by a pose net."""

import collections
import os

import numpy as np

from errors import UserError
from train_lib import build_inputs, devices
from train_lib.drawing.pictures import save_sheet
from train_lib.poses.people_finder import PeopleFinder
from train_lib.poses.pose_pictures import crop_sheet
from train_lib.preemption import Preemption
from train_lib.reporting import counted, say
from train_lib.storage import records

LABEL_ENDINGS = ('.csv', '.jsonl', '.json', '.txt')
COLUMNS = ('path', 'what', 'why', 'x_px', 'y_px', 'width_px', 'height_px', 'confident_joints')
SHOWN = 20                        # pictures on the sheet


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Writes a folder like the one given, each picture cut to the person whom the net finds in it.

  The net sees the whole picture, then again the box around the joints it is sure of. The final box
  is the one around the confident joints, with `crop.margin_frac` of their longer side on each side,
  cut at the picture's edges. Where fewer than `crop.least_joints` are confident the whole picture
  stays. Pictures keep their names, folders and formats (turned upright, transparency on white), and
  files that may hold labels (.csv, .jsonl, .json, .txt) are copied, so that the output is data for
  configs/fashion.py:folder. `crop.csv` accounts for every file; `crop.png` shows the first boxes.

  Args:
    config: of the workdir; its section `crop` is this job's.
    workdir: of a run of configs/pose.py.
    config_path: not of this job.
    input: a folder, walked recursively, or one picture.
    output: a folder outside of the input; '' is `<workdir>/crop`. The pictures are in
      `pictures/` there.

  Raises:
    UserError: no such run or input, an output inside of the input, or one that holds the pictures
      of another input.
  """
  del config_path
  _check(config.crop, input)
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    folder = records.local_folder(output or os.path.join(workdir, 'crop'), 'cropped pictures')
    records.check_outside(folder / 'pictures', input)
    source = build_inputs.build_picture_source(input)
    names = [*source.names, *(name for name, _ in build_inputs.other_files(input))]
    build_inputs.check_no_others(folder / 'pictures', names, f"that '{input}' has not")
    finder = PeopleFinder(config, workdir)
    say(f'looking for the person in each of {len(source):,} pictures with step '
        f'{finder.trained.step}')
    found = finder.find(source, preemption.check)
    boxes = finder.boxes(found)
    rows = _write_pictures(config, source, boxes, found, folder / 'pictures', preemption)
    rows += _copy_labels(input, folder / 'pictures')
    records.write_csv(folder / 'crop.csv', COLUMNS, rows)
    _save_sheet(config, source, boxes, found, folder / 'crop.png')
    counts = collections.Counter(row[1] for row in rows)
    say(f'{", ".join(f"{count:,} {what}" for what, count in counts.items())}: {folder}/crop.csv '
        f'says of every file what became of it; the pictures are in {folder}/pictures')
    if not counts['cropped']:
      why, count = collections.Counter(row[2] for row in rows[:len(source)]).most_common(1)[0]
      say(f'none was cropped; the most frequent reason ({counted(count, "picture")}): {why}')


def _check(crop, input) -> None:
  if not input:
    raise UserError('nothing to crop: name a picture or a folder of pictures with --input=')
  for name, value, least, most in (('margin_frac', crop.margin_frac, 0, 2),
                                   ('least_score', crop.least_score, 0, 1),
                                   ('least_joints', crop.least_joints, 2, 17)):
    if not least <= value <= most:
      raise UserError(f'crop.{name} is {value}; expected {least} to {most}')


def _write_pictures(config, source, boxes, found, folder, preemption) -> list[tuple]:
  """Writes every picture that can be read; a row of crop.csv for each."""
  reasons, rows = dict(found.unreadable), []
  loader = build_inputs.build_cut_loader(config, source, boxes)
  for index, (name, box) in enumerate(zip(source.names, boxes, strict=True)):
    preemption.check()
    example = None if name in reasons else loader.example(index)
    if example is None:
      rows.append((name, 'unreadable', reasons.get(name, 'changed while it was read'), *[''] * 5))
      continue
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    records.write_bytes(path, build_inputs.encode_picture(example['image'], path.suffix))
    confident = int((found.keypoints[index, :, 2] >= config.crop.least_score).sum())
    if np.isfinite(box).all():
      rows.append((name, 'cropped', '', *(round(float(value), 1) for value in box), confident))
    else:
      why = (f'fewer than {config.crop.least_joints} joints are confident'
             if confident < config.crop.least_joints else 'the confident joints span no box in it')
      rows.append((name, 'whole', why, *[''] * 4, confident))
  return rows


def _copy_labels(input, folder) -> list[tuple]:
  """Copies the files of a folder that may hold labels; a row for each file that is no picture."""
  rows = []
  for name, path in build_inputs.other_files(input):
    if path.suffix.lower() not in LABEL_ENDINGS:
      rows.append((name, 'left out', 'no picture and no file of labels', *[''] * 5))
      continue
    records.copy_file(path, folder / name)
    rows.append((name, 'copied', 'may hold labels', *[''] * 5))
  return rows


def _save_sheet(config, source, boxes, found, path) -> None:
  shown = np.flatnonzero(found.readable)[:SHOWN]
  nobody = np.full((len(source), 4), np.nan)
  loader = build_inputs.build_cut_loader(config, source, nobody)
  # one at a time, for they are large
  images = (loader.example(int(index))['image'] for index in shown)
  save_sheet(crop_sheet(images, found.keypoints[shown], boxes[shown],
                        [found.ids[index] for index in shown], config.crop.least_score)
             if len(shown) else None, path)
