"""Pictures of predictions, drawn from what a task's `predict` gave."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL_PX = 224                     # side of a picture on the sheet
TEXT_LINES = 14                   # of tags under each picture
FONT_PX = 14
LINE_PX = 17
MARGIN_PX = 12
INK = {'found': (24, 120, 48), 'left out': (32, 88, 200), 'wrong': (196, 40, 32),
       'missed': (110, 110, 118)}
MARKS = {'found': '+ ', 'left out': '~ ', 'wrong': '! ', 'missed': '- '}
KEYS = {'found': 'found', 'left out': 'found, though its list leaves it out', 'wrong': 'wrong',
        'missed': 'missed'}


def tag_sheet(images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray,
              drawn: np.ndarray | None, tag_names: tuple[str, ...], threshold: float,
              columns: int = 5) -> Image.Image:
  """A sheet of pictures with their tags and probabilities (%): found, wrong, missed.

  Args:
    images: uint8 [N, H, W, 3].
    probabilities, labels: [N, T], the prediction and the truth.
    drawn: bool [N, T], the truth before some tags were left out of the lists; None: not known.
    threshold: a tag is given above it.
    columns: pictures side by side.
  """
  font = ImageFont.load_default(size=FONT_PX)
  rows = -(-len(images) // columns)
  cell_width, cell_height = CELL_PX + MARGIN_PX, CELL_PX + TEXT_LINES * LINE_PX + MARGIN_PX
  top = 2 * MARGIN_PX + LINE_PX
  sheet = Image.new('RGB', (columns * cell_width + MARGIN_PX, rows * cell_height + top), 'white')
  draw = ImageDraw.Draw(sheet)
  _draw_key(draw, font, drawn is not None)
  for index, image in enumerate(images):
    x = MARGIN_PX + index % columns * cell_width
    y = top + index // columns * cell_height
    sheet.paste(Image.fromarray(image).resize((CELL_PX, CELL_PX)), (x, y))
    true = labels[index] if drawn is None else drawn[index]
    lines = tag_lines(probabilities[index], labels[index], true, tag_names, threshold)
    for line, (kind, text) in enumerate(lines[:TEXT_LINES]):
      if line == TEXT_LINES - 1 and len(lines) > TEXT_LINES:
        kind, text = 'missed', f'  and {len(lines) - line} more'
      text = _shortened(draw, text, font)
      draw.text((x, y + CELL_PX + 2 + line * LINE_PX), text, fill=INK[kind], font=font)
  return sheet


def tag_lines(probabilities, labels, drawn, tag_names, threshold) -> list[tuple[str, str]]:
  """(kind, text) of the tags given or listed, most probable first. Args: all: [T]."""
  lines = []
  for tag in np.argsort(-probabilities, kind='stable'):
    given = probabilities[tag] > threshold
    if given or labels[tag]:
      kind = ('missed' if not given else 'found' if labels[tag] else
              'left out' if drawn[tag] else 'wrong')
      lines.append((kind, f'{MARKS[kind]}{tag_names[tag]} {100 * probabilities[tag]:.0f}'))
  return lines


def _draw_key(draw, font, left_out_known):
  title = 'tags and their probability, %:'
  draw.text((MARGIN_PX, MARGIN_PX), title, fill='black', font=font)
  x = draw.textlength(title, font=font) + 3 * MARGIN_PX
  for kind, meaning in KEYS.items():
    if kind != 'left out' or left_out_known:
      draw.text((x, MARGIN_PX), MARKS[kind] + meaning, fill=INK[kind], font=font)
      x += draw.textlength(MARKS[kind] + meaning, font=font) + 2 * MARGIN_PX


def _shortened(draw, text, font):
  while draw.textlength(text, font=font) > CELL_PX:
    text = text[:-2].rstrip('…') + '…'
  return text
