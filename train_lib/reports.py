"""What each task reports of a trained net: how it is measured, what is written, what is plotted."""

from collections.abc import Callable
from typing import NamedTuple

from train_lib.classes import class_report, class_report_files
from train_lib.drawing import curves
from train_lib.poses import pose_report, pose_report_files
from train_lib.scans import scan_report, scan_report_files
from train_lib.tags import report, report_files


class Reports(NamedTuple):
  """A task's own report.

  Attributes:
    report_on_test: (evaluator, variables, source, loaders, *, with_baselines, poll) -> a report
      with `rows`, `thresholds` and `valid`.
    write_report: (folder, report, source, loader, poll) -> None.
    format_table: (rows) -> str.
    curves: figures of the validation split that are drawn over the steps, name -> title.
    draw_step: (folder, evaluator, loader, variables, step) -> None: pictures of a net that still
      learns, drawn whenever it is measured; None: there are none.
  """
  report_on_test: Callable
  write_report: Callable
  format_table: Callable
  curves: dict[str, str]
  draw_step: Callable | None = None

  def write_curves(self, config, workdir, folder, step: int, num_pictures: int) -> None:
    """Draws `<folder>/pictures/curves.png` from the workdir's log of metrics.

    Args: config: of the run; step: whose net is reported; num_pictures: of the training split.
    """
    curves.write_curves(workdir, folder / 'pictures' / 'curves.png', self.curves, step,
                        num_pictures / config.train.batch_size)


REPORTS = {
    'tagging': Reports(
        report.report_on_test, report_files.write_report, report.format_table,
        {'macro_f1_tuned': 'macro F1 tuned', 'micro_f1_tuned': 'micro F1 tuned', 'map': 'mAP'}),
    'classification': Reports(
        class_report.report_on_test, class_report_files.write_report, class_report.format_table,
        {'accuracy': 'accuracy', 'macro_f1': 'macro F1', 'top_5_accuracy': 'top-5 accuracy'}),
    'pose': Reports(
        pose_report.report_on_test, pose_report_files.write_report, pose_report.format_table,
        {'ap': 'AP', 'ap50': 'AP at OKS .5', 'ar': 'AR'}),
    'autoencoding': Reports(
        scan_report.report_on_test, scan_report_files.write_report, scan_report.format_table,
        {'ssim': 'SSIM', 'recovered': 'recovered of the original'},
        scan_report_files.draw_step),
}


def of(task: str) -> Reports:
  """The report of a task, by its name in `TASKS`."""
  return REPORTS[task]
