"""A plot of a pose net: how well each joint is found."""

from collections.abc import Sequence

import numpy as np

from train_lib.drawing.panels import COLOURS, key, new_figure, title
from train_lib.poses.pose_joints import PCK_FRACS, JointTable


def joints(table: JointTable, joint_names: Sequence[str], mean_pose: JointTable | None = None):
  """The share of correct keypoints of each joint as bars, its mean OKS term as a mark.

  Args:
    table: of the net on the test split; a joint that nobody has labelled has no bar.
    joint_names: [17].
    mean_pose: of the mean pose on the same persons; None: not drawn.

  Returns:
    A matplotlib Figure.
  """
  figure, panels = new_figure(1, 1, 9.0, 6.4)
  axes, places = panels[0, 0], np.arange(len(joint_names))[::-1]
  (near, wide), (near_frac, wide_frac) = table.pck, PCK_FRACS
  axes.barh(places, wide, color=COLOURS[0], alpha=0.3, height=0.75)
  axes.barh(places, near, color=COLOURS[0], alpha=0.6, height=0.75)
  axes.plot(table.oks, places, 'd', color=COLOURS[1], markersize=6)
  handles = [key(color=COLOURS[0], alpha=0.75, linewidth=8, label=_within(near_frac)),
             key(color=COLOURS[0], alpha=0.3, linewidth=8, label=_within(wide_frac)),
             key(color=COLOURS[1], marker='d', linestyle='', label='mean term of the OKS')]
  if mean_pose is not None:
    axes.plot(mean_pose.pck[0], places, 'o', color='black', markerfacecolor='none', markersize=6)
    handles.insert(1, key(color='black', marker='o', markerfacecolor='none', linestyle='',
                          label=f'PCK@{near_frac:g} of the mean pose'))
  axes.set_yticks(places, [f'{name.replace("_", " ")} ({count:,})' for name, count in
                           zip(joint_names, table.labelled, strict=True)], parse_math=False)
  axes.set_xlim(0, 1.01)
  axes.set_ylim(-0.7, len(joint_names) - 0.3)
  axes.set_xlabel('share of the labelled joints of the test split (of the OKS: mean), 0 to 1')
  figure.legend(handles=handles, loc='outside lower center', ncols=2, frameon=False)
  title(figure, 'How well each joint is found (persons with the joint labelled)')
  return figure


def _within(frac):
  return f'PCK@{frac:g}: within {frac:g} of the longer side of the box'
