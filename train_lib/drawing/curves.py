"""The curves of a run: loss and figures over its steps, with the step whose net is reported."""

import numpy as np

from train_lib.drawing import plots
from train_lib.drawing.panels import COLOURS, GREY, MARKS, new_figure, title
from train_lib.metrics_log import read_metrics
from train_lib.storage import records, remote

SMOOTHED = 9                      # logged training losses, of whose median the line is, at most ...
FEW = 8                           # ... and no larger share of all than one of so many, to each side
STEEP = 20.0                      # largest over smallest loss from which its axis is logarithmic


def write_curves(workdir, path, metrics: dict[str, str], step: int,
                 steps_per_epoch: float = 0.0) -> None:
  """Draws the curves of a run from its `metrics.jsonl`; without one, an older picture goes.

  Args:
    workdir: of the run; path: of the PNG, its folder is made.
    metrics: figures of the validation split, name -> title.
    step: whose net is reported; 0: none yet.
    steps_per_epoch: 0: not known, and epochs are not told.
  """
  path = records.absolute(path)
  rows = read_metrics(records.absolute(workdir))
  if not rows:
    path.unlink(missing_ok=True)
    return
  remote.make_folder(path.parent)
  plots.save(learning_curves(rows, metrics, step, steps_per_epoch), path)


def learning_curves(rows: list[dict], metrics: dict[str, str], step: int,
                    steps_per_epoch: float = 0.0):
  """Loss of training and validation on the left, figures of validation on the right.

  Args: rows: of metrics.jsonl, each with 'step'; the others: those of `write_curves`.
  Returns: a matplotlib Figure.
  """
  figure, panels = new_figure(1, 2, 12.0, 4.8)
  left, right = panels[0]
  steps, losses = _series(rows, 'train/loss')
  left.plot(steps, losses, '.', color=COLOURS[0], alpha=0.25, markersize=4)
  marked = {'marker': MARKS[0], 'markersize': 6, 'zorder': 3} if len(losses) <= FEW else {}
  left.plot(steps, _smoothed(losses), color=COLOURS[0], label='training, as augmented', **marked)
  _, valid_losses = _draw(left, rows, 'valid/loss', 'validation', 1)
  every = np.concatenate([losses, valid_losses])
  if len(every) and every.min() > 0 and every.max() > STEEP * every.min():
    left.set_yscale('log')
  left.set_ylabel('loss')
  for number, (name, text) in enumerate(metrics.items()):
    _draw(right, rows, f'valid/{name}', text, number)
  right.set_ylabel('figures of the validation split, 0 to 1')
  for axes in (left, right):
    if step:
      axes.axvline(step, color=GREY, linestyle='--', zorder=0)
    axes.set_xlabel('optimizer steps')
    axes.set_xlim(left=0)
    if axes.get_legend_handles_labels()[0]:
      axes.legend(frameon=False, loc='best')
  epoch = f', epoch {step / steps_per_epoch:.1f}' if steps_per_epoch else ''
  dashed = f'; dashed: step {step:,}{epoch}, whose net is reported' if step else ''
  title(figure, f'Training curves{dashed}')
  return figure


def _draw(axes, rows, name, label, number):
  """Draws a series with its marks and gives it back; nothing where it has no values."""
  steps, values = _series(rows, name)
  if len(steps):
    axes.plot(steps, values, color=COLOURS[number], marker=MARKS[number], markersize=4,
              label=label)
  return steps, values


def _series(rows, name):
  """(steps, values) of the rows that have a value of this name, float64 each."""
  pairs = [(row['step'], row[name]) for row in rows if row.get(name) is not None]
  return tuple(np.array(pairs, float).reshape(-1, 2).T)


def _smoothed(values):
  """The running median: of SMOOTHED neighbours, fewer where few are known and at the ends."""
  half = min(SMOOTHED // 2, len(values) // FEW)
  return np.array([np.median(values[max(0, place - half):place + half + 1])
                   for place in range(len(values))])
