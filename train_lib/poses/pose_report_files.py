"""What a run leaves of a pose net's test split: COCO results, joints as CSV, plots and sheets."""

import json
from collections.abc import Callable

import numpy as np

from train_lib.drawing import plots
from train_lib.drawing.pictures import save_sheet
from train_lib.poses import coco_keypoints, pose_joints, pose_plots
from train_lib.poses.coco_keypoints import LEAST_SCORE
from train_lib.poses.pose_pictures import Person, person_sheet
from train_lib.poses.pose_report import PoseReport, format_table
from train_lib.reporting import say
from train_lib.storage import records, remote

FIRST_SHOWN, WORST_SHOWN = 20, 20  # persons of predictions.png and worst.png
LEAST_LABELLED = 5                # joints of a person on worst.png, where somebody has as many
JOINTS_SAID = 3                   # that are found worst, on the terminal
KEY = (f'what the net says above a score of {LEAST_SCORE:g}: the left of a person blue, the right '
       'orange; white rings: labelled joints')
WORST = 'the lowest OKS, of persons with {} labelled joints or more'


def write_report(folder, report: PoseReport, source, loader, poll: Callable[[], None]) -> None:
  """Says the table and writes everything else that a reader of the figures wants.

  `evaluation/keypoints.json`, what the net says of every person as COCO's evaluation takes it;
  `evaluation/joints.csv`, how far each joint is off; into `pictures/`, the share of correct
  keypoints by joint and sheets of the first persons and of those with the lowest object keypoint
  similarity.

  Args:
    folder: the workdir, or another that may be new.
    report: of the test split.
    source: the training split.
    loader: of the test split in evaluation order; pictures are read from it again.
    poll: called often; may raise to stop.
  """
  collected, names = report.outcome.collected, source.tag_names
  say(f'test split: {report.heading}; AP on the validation split {report.valid["ap"]:.4f}')
  say(format_table(report.rows))
  compared = pose_joints.compare(collected)
  table = pose_joints.joint_table(compared)
  mean_pose = report.mean_pose and pose_joints.joint_table(pose_joints.compare(report.mean_pose))
  _say_worst(table, names)
  results = coco_keypoints.result_rows(collected.detections, loader.source.picture_ids)
  records.write_text(folder / 'evaluation' / 'keypoints.json', json.dumps(records.plain(results)))
  _write_joints(folder / 'evaluation' / 'joints.csv', table, names, mean_pose)
  poll()
  pictures = folder / 'pictures'
  remote.make_folder(pictures)
  plots.save(pose_plots.joints(table, names, mean_pose), pictures / 'joints.png')
  poll()
  _write_sheets(pictures, collected, compared, loader)
  say(f'each joint in {folder}/evaluation/joints.csv, COCO results in keypoints.json; plots and '
      f'pictures in {pictures}')


def _say_worst(table, names):
  near, known = table.pck[0], np.flatnonzero(table.labelled > 0)
  worst = known[np.argsort(near[known], kind='stable')][:JOINTS_SAID]
  if len(worst):
    say(f'found worst, by PCK@{pose_joints.PCK_FRACS[0]:g}: '
        + ', '.join(f'{names[joint].replace("_", " ")} {near[joint]:.2f}' for joint in worst))


def _write_joints(path, table, names, mean_pose):
  """A line for each joint; cells of what nobody has labelled are empty."""
  low, high = (f'pck_{frac:g}' for frac in pose_joints.PCK_FRACS)
  columns = {'mean_px': table.mean_px, 'median_px': table.median_px,
             'mean_frac': table.mean_frac, 'median_frac': table.median_frac,
             low: table.pck[0], high: table.pck[1], 'oks': table.oks}
  if mean_pose is not None:
    columns |= {f'mean_pose_{low}': mean_pose.pck[0], f'mean_pose_{high}': mean_pose.pck[1],
                'mean_pose_oks': mean_pose.oks}
  records.write_csv(
      path, ('joint', 'labelled', *columns),
      ((name, table.labelled[joint],
        *(None if np.isnan(values[joint]) else f'{values[joint]:.6g}'
          for values in columns.values())) for joint, name in enumerate(names)))


def _write_sheets(folder, collected, compared, loader):
  place = {row: number for number, row in enumerate(compared.rows.tolist())}
  oks = pose_joints.person_oks(compared) if place else np.zeros(0)
  labelled = (compared.truth[..., 2] > 0).sum(axis=1)
  least = min(LEAST_LABELLED, labelled.max(initial=0))
  enough = np.flatnonzero(labelled >= least)
  worst = compared.rows[enough[np.argsort(oks[enough], kind='stable')]]

  def persons(rows):
    for row in rows:
      example = loader.example(int(collected.indices[row]))
      if example is not None:
        number = place.get(int(row))
        yield Person(collected.ids[row], example['image'], example['crop_to_source'],
                     collected.keypoints[row],
                     None if number is None else compared.truth[number],
                     None if number is None else float(oks[number]))

  first = list(persons(range(min(FIRST_SHOWN, len(collected.ids)))))
  save_sheet(person_sheet(first, (KEY,)) if first else None, folder / 'predictions.png')
  shown = list(persons(worst[:WORST_SHOWN]))
  save_sheet(person_sheet(shown, (WORST.format(least), KEY)) if shown else None,
             folder / 'worst.png')
