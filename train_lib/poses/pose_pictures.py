"""People as stick figures over a picture, limbs in one colour for each side of the body."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from train_lib.drawing.pictures import CELL_PX, draw_sheet, end_of_path
from train_lib.poses.coco_keypoints import LEAST_SCORE

# Pairs of joints that a limb joins, by their places among COCO's 17; what lies behind comes first.
LIMBS = ((5, 6), (11, 12), (5, 11), (6, 12),                 # trunk
         (11, 13), (13, 15), (12, 14), (14, 16),             # legs
         (3, 5), (4, 6), (1, 3), (2, 4), (0, 1), (0, 2),     # head
         (5, 7), (7, 9), (6, 8), (8, 10))                    # arms
# Okabe and Ito's hues, which colour-blind readers tell apart; left and right are the person's own.
LEFT, RIGHT, MIDDLE = (80, 180, 240), (255, 140, 20), (245, 225, 60)
EDGE, PALE = (20, 20, 26), (255, 255, 255)
OPACITY = 0.9
# A limb's thickness: LINE_PX * side_px ** LINE_POWER, which grows less than the picture does.
LINE_PX, LINE_POWER = 0.06, 0.65
PERSON_FRAC = 1 / 40                       # of a person's size: thinner to that, by half at most
EDGE_FRAC, DOT_FRAC, RING_FRAC, BOX_FRAC = 0.4, 1.1, 1.7, 0.4     # of a limb's thickness
FINE_SIDE_PX, MOST_FINE = 640, 4           # smaller pictures are drawn on so many times larger
GOOD_OKS = 0.5                             # from which COCO counts a person as found
FRACTION_BITS = 4                          # of a pixel, in which OpenCV is told where to draw


def draw_people(image: np.ndarray, keypoints: np.ndarray, *, least_score: float,
                boxes: np.ndarray | None = None) -> np.ndarray:
  """The picture with the people in it drawn as stick figures.

  Limbs and joints of a person's own left are blue, those of the right orange, and the nose and what
  joins both sides yellow; their thickness goes by the size of the picture, small people's is less.

  Args:
    image: uint8 [h, w, 3], RGB; it stays as it is.
    keypoints: [n, 17, 3], COCO's joints: x px, y px, score; what lies outside is cut off.
    least_score: joints below it are left out, and with them the limbs that they end.
    boxes: [n, 4], x px, y px of the upper left corner, width px, height px, drawn as thin lines;
      None: none.

  Returns:
    uint8 [h, w, 3].
  """
  board = _Board(image)
  for x, y, width, height in () if boxes is None else np.asarray(boxes, float):
    board.outline(np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)]))
  for joints in np.asarray(keypoints, float):
    _draw_person(board, joints[:, :2], joints[:, 2] >= least_score)
  return board.finished(OPACITY)


def draw_labelled(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
  """The picture with a small white ring around each labelled joint.

  Args: image: uint8 [h, w, 3]; keypoints: [17, 3], x px, y px, visibility, 0 is not labelled.
  Returns: uint8 [h, w, 3].
  """
  board = _Board(image)
  for x, y, visible in np.asarray(keypoints, float):
    if visible > 0:
      board.ring((x, y))
  return board.finished(1.0)


class Person(NamedTuple):
  """What a sheet shows of a person.

  Attributes:
    id: of the person.
    crop: uint8 [H, W, 3], what the net saw.
    crop_to_source: [2, 3], from its px to those of the picture.
    keypoints: [17, 3], predicted: x px, y px in the picture, score.
    truth: [17, 3], annotated: the same and the visibility; None: nobody knows.
    oks: object keypoint similarity of the two; None: the same.
  """
  id: str
  crop: np.ndarray
  crop_to_source: np.ndarray
  keypoints: np.ndarray
  truth: np.ndarray | None
  oks: float | None


def person_sheet(persons: Sequence[Person], lines: Sequence[str]) -> Image.Image:
  """A sheet of crops with what is said of them, what is labelled, and how well they agree.

  Args: lines: at the top.
  """
  return draw_sheet([draw_person(person) for person in persons], list(map(_caption, persons)),
                    [[('plain', line)] for line in lines])


def draw_person(person: Person) -> np.ndarray:
  """The crop with the joints above LEAST_SCORE and rings at the labelled ones, on a white square:
  uint8 [CELL_PX, CELL_PX, 3]."""
  matrix = np.asarray(person.crop_to_source, float)
  to_crop = np.linalg.inv(matrix[:, :2])

  def in_crop(keypoints):
    places = (np.asarray(keypoints, float)[:, :2] - matrix[:, 2]) @ to_crop.T
    return np.column_stack([places, keypoints[:, 2]])

  image, zoom = _fitted(person.crop)
  image = draw_people(image, _zoomed(in_crop(person.keypoints), zoom)[None],
                      least_score=LEAST_SCORE)
  if person.truth is not None:
    image = draw_labelled(image, _zoomed(in_crop(person.truth), zoom))
  return _on_square(image)


def crop_sheet(images: Iterable[np.ndarray], keypoints: np.ndarray, boxes: np.ndarray,
               ids: Sequence[str], least_score: float) -> Image.Image:
  """A sheet of pictures, each with the person found in it and the box that is cut out.

  Args:
    images: uint8 [h, w, 3] each; keypoints: [n, 17, 3], x px, y px, score; boxes: [n, 4], x, y,
    width, height, NaN where all of the picture stays; ids: of the pictures; least_score: of a joint
    that is drawn and counted.
  """
  cells, texts = [], []
  for image, joints, box, name in zip(images, keypoints, boxes, ids, strict=True):
    cut = bool(np.isfinite(box).all())
    fitted, zoom = _fitted(image)
    corner, size = _zoomed(box[:2], zoom), box[2:] * zoom
    cells.append(_on_square(draw_people(
        fitted, _zoomed(joints, zoom)[None], least_score=least_score,
        boxes=np.concatenate([corner, size])[None] if cut else None)))
    said = int((joints[:, 2] >= least_score).sum())
    texts.append([('found', f'{said} joints') if cut else ('wrong', f'whole: {said} joints'),
                  ('missed', end_of_path(str(name)))])
  return draw_sheet(cells, texts, [[
      ('plain', f'the box that is cut out, and the joints above a score of {least_score:g}: the '
       'left of a person blue, the right orange')]])


def _fitted(image):
  """(the picture as large as a cell of a sheet holds it, how many times larger it became)."""
  import cv2
  zoom = CELL_PX / max(image.shape[:2])
  size = [max(1, round(side * zoom)) for side in image.shape[1::-1]]
  how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
  return cv2.resize(image, size, interpolation=how), zoom


def _zoomed(points, zoom):
  """Places [..., 2 or more] in an enlarged picture: a pixel's middle stays its middle."""
  points = np.array(points, float)
  points[..., :2] = (points[..., :2] + 0.5) * zoom - 0.5
  return points


def _on_square(image):
  cell = np.full((CELL_PX, CELL_PX, 3), 255, np.uint8)
  height, width = image.shape[:2]
  top, left = (CELL_PX - height) // 2, (CELL_PX - width) // 2
  cell[top:top + height, left:left + width] = image
  return cell


def _caption(person):
  said = int((person.keypoints[:, 2] >= LEAST_SCORE).sum())
  if person.truth is None:
    lines = [('plain', f'not annotated; {said} joints said')]
  else:
    kind = 'found' if person.oks >= GOOD_OKS else 'wrong'
    labelled = int((person.truth[:, 2] > 0).sum())
    lines = [(kind, f'OKS {person.oks:.2f}'),
             ('plain', f'{labelled} joints labelled, {said} said')]
  return [*lines, ('missed', str(person.id))]


def colour_of(*joints: int) -> tuple[int, int, int]:
  """The colour of a joint, or of the limb between two. Args: joints: places among COCO's 17.

  There the nose comes first, then left and right by turns.
  """
  sides = {joint % 2 for joint in joints if joint > 0}
  return MIDDLE if len(sides) != 1 else LEFT if 1 in sides else RIGHT


def _draw_person(board, points, shown):
  """Edges first, so that they part the limbs from the picture and not from each other."""
  if not shown.any():
    return
  size_px = np.linalg.norm(np.ptp(points[shown], axis=0))
  thick = min(board.thick, max(PERSON_FRAC * size_px, 0.5 * board.thick))
  limbs = [limb for limb in LIMBS if shown[list(limb)].all()]
  joints, edge = np.flatnonzero(shown), 2 * EDGE_FRAC * thick
  for limb in limbs:
    board.line(points[list(limb)], EDGE, thick + edge)
  for joint in joints:
    board.dot(points[joint], EDGE, DOT_FRAC * thick + edge / 2)
  for limb in limbs:
    board.line(points[list(limb)], colour_of(*limb), thick)
  for joint in joints:
    board.dot(points[joint], colour_of(joint), DOT_FRAC * thick)


class _Board:
  """A picture to draw on, all lengths in its pixels; a small one is drawn on enlarged.

  OpenCV's lines are whole pixels thick, which would be too much where there are few of them.
  """

  def __init__(self, image):
    import cv2
    self._image = np.ascontiguousarray(image)
    side_px = np.sqrt(image.shape[0] * image.shape[1])
    self.thick = LINE_PX * side_px ** LINE_POWER
    self._times = int(np.clip(np.ceil(FINE_SIDE_PX / side_px), 1, MOST_FINE))
    self._layer = cv2.resize(self._image, None, fx=self._times, fy=self._times,
                             interpolation=cv2.INTER_NEAREST)

  def finished(self, opacity):
    import cv2
    height, width = self._image.shape[:2]
    layer = cv2.resize(self._layer, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.addWeighted(layer, opacity, self._image, 1 - opacity, 0)

  def line(self, ends, colour, thick):
    import cv2
    cv2.line(self._layer, *self._places(ends), colour, self._whole(thick), cv2.LINE_AA,
             FRACTION_BITS)

  def dot(self, middle, colour, radius, thick=0.0):
    """Filled, or a ring where it has a thickness."""
    import cv2
    radius = round(radius * self._times * 2 ** FRACTION_BITS)
    cv2.circle(self._layer, *self._places([middle]), radius, colour,
               self._whole(thick) if thick else -1, cv2.LINE_AA, FRACTION_BITS)

  def ring(self, middle):
    self._edged(lambda colour, thick: self.dot(middle, colour, RING_FRAC * self.thick, thick),
                0.5 * self.thick)

  def outline(self, corners):
    ends = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    self._edged(lambda colour, thick: [self.line(pair, colour, thick) for pair in ends],
                BOX_FRAC * self.thick)

  def _edged(self, draw, thick):
    draw(EDGE, thick + 2 * EDGE_FRAC * self.thick)
    draw(PALE, thick)

  def _whole(self, thick):
    return max(1, round(thick * self._times))

  def _places(self, points):
    """Tuples of whole numbers, as OpenCV takes places; a pixel's middle stays its middle."""
    places = _zoomed(points, self._times)
    return [tuple(map(int, point)) for point in np.rint(places * 2 ** FRACTION_BITS)]
