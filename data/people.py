"""Everybody annotated in the pictures of a split: what found people are compared with."""

from dataclasses import dataclass

import numpy as np

from errors import UserError

SHAPES = {'keypoints': (0, 17, 3), 'box_px': (0, 4), 'area_px2': (0,), 'crowd': (0,)}


@dataclass(frozen=True)
class People:
  """G people in order of their pictures, with those whose joints nobody told, and with crowds.

  Attributes:
    image: int64 [G], number of the picture in its split, rising.
    keypoints: float32 [G, 17, 3], x px, y px in the picture and COCO's visibility: 0 is not
      labelled, 1 labelled but hidden, 2 visible.
    box_px: float32 [G, 4], x, y of the upper left corner, width, height.
    area_px2: float32 [G], of the person's outline.
    crowd: bool [G], whether it is a crowd in one box.
  """

  image: np.ndarray
  keypoints: np.ndarray
  box_px: np.ndarray
  area_px2: np.ndarray
  crowd: np.ndarray

  def __len__(self) -> int:
    return len(self.image)

  @property
  def labelled(self) -> np.ndarray:
    """bool [G, 17]: which joints are labelled."""
    return self.keypoints[:, :, 2] > 0


def read_people(source, poll=lambda: None) -> tuple[People, list]:
  """All people of a source of pictures, and the ids of its pictures.

  Args:
    source: its examples, or what its `figures_of(index)` gives without reading the picture, have
      'id', 'keypoints' [f, 17, 3], 'box_px' [f, 4], 'area_px2' [f] and, where there are some,
      'crowd' bool [f].
    poll: called for every picture; may raise to stop.

  Raises:
    UserError: the source tells of no people.
  """
  figures_of = getattr(source, 'figures_of', source.__getitem__)
  ids, counts, parts = [], [], {key: [np.zeros(shape, np.float32)] for key, shape in SHAPES.items()}
  for index in range(len(source)):
    poll()
    figures = figures_of(index)
    if not figures.keys() >= SHAPES.keys() - {'crowd'}:
      raise UserError(f'nobody tells where the joints of people in these pictures are '
                      f'({source.description}); poses are learned from config.data.source=toon or '
                      'coco.')
    ids.append(figures['id'])
    counts.append(len(figures['keypoints']))
    for key, part in parts.items():
      part.append(figures.get(key, np.zeros(counts[-1], np.float32)))
  arrays = {key: np.concatenate(part) for key, part in parts.items()}
  arrays['crowd'] = arrays['crowd'].astype(bool)
  return People(image=np.repeat(np.arange(len(ids)), counts), **arrays), ids
