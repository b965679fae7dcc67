"""Sheets of a classifier's predictions: the first ones, its mistakes, and where it saw a class."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from train_lib.classes.activation_map import Activations
from train_lib.classes.class_collector import Pick
from train_lib.drawing.pictures import draw_sheet, end_of_path

TOP_LINES = 3                     # most probable classes that are named under a picture
LEAST = 0.005                     # probability of a class that is worth a line
HEAT = 0.75                       # opacity of the hottest place


def class_sheet(images: Sequence[np.ndarray], picks: Sequence[Pick], class_names: Sequence[str],
                title: str = '', *, named: bool = False) -> Image.Image:
  """A sheet of pictures with the most probable classes of each: right, wrong, and what it is.

  Args:
    images: uint8 [H, W, 3] each; picks: as many.
    title: a line at the top; '': none.
    named: whether the name of a picture's file stands below it.
  """
  texts = [class_lines(pick, class_names) for pick in picks]
  if named:
    texts = [[*lines, ('missed', end_of_path(pick.id))]
             for lines, pick in zip(texts, picks, strict=True)]
  return draw_sheet(images, texts, _header(title, picks))


def class_lines(pick: Pick, class_names: Sequence[str]) -> list[tuple[str, str]]:
  """(kind, text) of the most probable classes of a picture, and of its own where it is not said.

  The probability stands first: the end of a long name may be cut off. A class that is neither said
  nor true is left out below LEAST.
  """
  said, *others = pick.top[:TOP_LINES]
  lines = [('found', f'+ {_text(*said, class_names)}') if said[0] == pick.label else
           ('wrong', f'! {_text(*said, class_names)}')]
  for number, probability in others:
    if number == pick.label:
      lines.append(('plain', f'= {_text(number, probability, class_names)}'))
    elif probability >= LEAST:
      lines.append(('missed', f'   {_text(number, probability, class_names)}'))
  if pick.label not in [number for number, _ in pick.top[:TOP_LINES]]:
    lines.append(('plain', f'= {_text(pick.label, pick.probability, class_names)}'))
  if _is_flipped(pick):
    lines.append(('left out', f'~ {class_names[pick.drawn_label]}'))
  return lines


def activation_sheet(activations: Activations, class_names: Sequence[str],
                     title: str) -> Image.Image:
  """Pictures in grey under the map of the class that is said. Args: title: a line at the top."""
  images = [overlay(image, heat) for image, heat in
            zip(activations.images, activations.maps, strict=True)]
  texts = [class_lines(pick, class_names) for pick in activations.picks]
  return draw_sheet(images, texts, _header(title, activations.picks))


def overlay(image: np.ndarray, activation: np.ndarray) -> np.ndarray:
  """A picture in grey, coloured where a map speaks for its class, most where it is largest.

  Args: image: uint8 [H, W, 3]; activation: [h, w], any unit; what is below 0 has no colour.

  Returns: uint8 [H, W, 3].
  """
  import cv2
  height, width = image.shape[:2]
  heat = cv2.resize(np.maximum(activation, 0).astype(np.float32), (width, height),
                    interpolation=cv2.INTER_CUBIC)
  heat = np.clip(heat / max(float(heat.max()), 1e-12), 0, 1)
  colour = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
  grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
  share = HEAT * heat[..., None]
  return (share * colour + (1 - share) * grey).astype(np.uint8)


def _text(number, probability, class_names):
  percent = 'under 1' if probability < LEAST else f'{100 * probability:.0f}'
  return f'{percent} % {class_names[number]}'


def _is_flipped(pick):
  return pick.drawn_label not in (-1, pick.label)


def _header(title, picks):
  key = [('plain', 'classes and their probability:'), ('found', '+ right'), ('wrong', '! wrong'),
         ('plain', '= the class of the picture, as listed')]
  if any(map(_is_flipped, picks)):
    key.append(('left out', '~ its class before labels were flipped'))
  return [[('plain', title)], key] if title else [key]
