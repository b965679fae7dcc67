"""The final table of a pose net on its test split, beside what it must beat."""

import dataclasses
from collections.abc import Callable

from train_lib import evaluation
from train_lib.drawing import tables
from train_lib.poses import pose_baselines
from train_lib.poses.pose_collector import Collected
from train_lib.reporting import say

COLUMNS = {'ap': 'AP', 'ap50': 'AP .5', 'ap75': 'AP .75', 'ap_medium': 'AP medium',
           'ap_large': 'AP large', 'ar': 'AR', 'ar50': 'AR .5', 'ar75': 'AR .75',
           'ar_medium': 'AR medium', 'ar_large': 'AR large', 'loss': 'loss',
           **tables.COST_COLUMNS, 'pictures_per_sec': 'persons /s'}
ABSENT = -1                       # what the COCO evaluation says where there is nobody of a size
REFINEMENTS = {'none': 'joints at whole heatmap pixels',
               'quarter': 'joints moved by a quarter of a heatmap pixel',
               'dark': 'joints refined by DARK'}


@dataclasses.dataclass(frozen=True)
class PoseReport:
  """What a test split gave.

  Attributes:
    rows: figures by name, of the net first; see `report_on_test`.
    thresholds: {}, since there is nothing to tune.
    valid: figures of the net on the validation split.
    outcome: of the net.
    mean_pose: what the mean pose comes to on the same boxes; None where baselines are off.
    heading: how the figures were taken: persons, boxes, flip test, refinement.
  """
  rows: dict[str, dict[str, float]]
  thresholds: dict[str, float]
  valid: dict[str, float]
  outcome: evaluation.Outcome
  mean_pose: Collected | None
  heading: str


def report_on_test(evaluator, variables, source, loaders: dict, *, with_baselines: bool,
                   poll: Callable[[], None] = lambda: None) -> PoseReport:
  """Measures the validation and the test split. Args and costs of a row: `report.report_on_test`.

  The other row is 'mean pose', which places the mean pose of the training persons in every box;
  boxes, scores of boxes and suppression are those of the net.
  """
  task = evaluator.task
  valid = evaluator.evaluate(variables, loaders['valid'], poll=poll)
  test = evaluator.evaluate(variables, loaders['test'], valid.thresholds, poll=poll)
  rows = {'net': {**test.metrics, **tables.net_cost(variables, test.pictures_per_sec)}}
  mean_pose = None
  if with_baselines:
    say('measuring the other row of the table')
    poll()
    mean_pose = pose_baselines.collect(task, pose_baselines.mean_pose(source.people),
                                       loaders['test'], test.collected)
    rows['mean pose'] = {**task.figures(mean_pose, {}), **tables.cost(pose_baselines.NUMBERS)}
  return PoseReport(rows, {}, valid.metrics, test, mean_pose,
                    heading(task, loaders['test'].source, test.collected))


def heading(task, source, collected: Collected) -> str:
  """How figures were taken. Args: task, source: of the split; collected: its rows."""
  people = collected.people
  persons = int(((people.keypoints[..., 2] > 0).any(axis=1) & ~people.crowd).sum())
  flip = 'flip test' if task.flip_test else 'no flip test'
  return (f'{persons:,} persons in {len(source.picture_ids):,} pictures; {source.box_source}; '
          f'{flip}; {REFINEMENTS[task.refine]}')


def format_table(rows: dict[str, dict[str, float]]) -> str:
  """`tables.format_table` with the columns of a pose net; a size that nobody has is left out."""
  return tables.format_table(
      {name: {key: None if key in COLUMNS and value == ABSENT else value
              for key, value in row.items()} for name, row in rows.items()}, COLUMNS)
