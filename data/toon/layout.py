"""Where the figures stand in the frame; all lengths are shares of the frame's side."""

import dataclasses

from data.toon import skeleton

HEAD = {'portrait': 0.455, 'upper_body': 0.325, 'cowboy_shot': 0.235}
CENTRES = {1: (0.5,), 2: (0.3, 0.72), 3: (0.5, 0.17, 0.83), 4: (0.39, 0.13, 0.65, 0.89)}
SHRINK = {1: 1.0, 2: 0.84, 3: 0.7, 4: 0.6}


def place_figures(dice, figures, view, body):
  """The figures with head_x, head_y, head_size and depth filled in.

  `depth` is how many heads below the middle of its own head the frame ends: what lies deeper on
  the body is not in the picture.
  """
  count = len(figures)
  swap = dice.chance(0.5)
  placed = []
  for rank, figure in enumerate(figures):
    reach = skeleton.figure_height(body, figure.sitting)
    top = 0.6 + figure.headroom
    if view == 'full_body':
      size = 0.91 / (reach + top) * (1.0 if count < 3 else 0.92)
    else:
      size = HEAD[view] * SHRINK[count] / (1 + 0.35 * figure.headroom)
    size *= dice.between(0.93, 1.06) * (1 if rank == 0 else dice.between(0.84, 0.98))
    x = CENTRES[count][rank] + dice.between(-0.03, 0.03) * (2.2 if count == 1 else 1)
    x = 1 - x if swap else x
    y = _head_y(dice, figure, view, size, reach, top, rank)
    placed.append(dataclasses.replace(
        figure, head_x=x, head_y=y, head_size=size, depth=(1 - y) / size))
  return tuple(placed)


def _head_y(dice, figure, view, size, reach, top, rank):
  if view == 'full_body':
    lift = 0.05 if figure.jumping else 0.0
    return 0.965 - lift - reach * size - (0 if rank == 0 else dice.between(0.0, 0.05))
  room = {'portrait': 0.03, 'upper_body': 0.05, 'cowboy_shot': 0.07}[view]
  return top * size + room + dice.between(-0.02, 0.03) + (0 if rank == 0 else 0.02)
