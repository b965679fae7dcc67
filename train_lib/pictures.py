"""Pictures of predictions, drawn from what a task's `predict` gave."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL_PX = 224                     # side of a picture on the sheet
TEXT_LINES = 9                    # of tags under each picture
FONT_PX = 14
LINE_PX = 17
MARGIN_PX = 12
INK = {'hit': (24, 120, 48), 'false': (196, 40, 32), 'missed': (120, 120, 128)}
MARKS = {'hit': '+ ', 'false': '! ', 'missed': '- '}
KEY = 'tags of test pictures:   + found   ! not in its list   - missed   (number: probability, %)'


def tag_sheet(images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray,
              tag_names: tuple[str, ...], threshold: float, columns: int = 5) -> Image.Image:
  """A sheet of pictures with their tags: found, wrongly given, missed.

  Args:
    images: uint8 [N, H, W, 3].
    probabilities, labels: [N, T], the prediction and the truth.
    threshold: a tag is given above it.
    columns: pictures side by side.
  """
  font = ImageFont.load_default(size=FONT_PX)
  rows = -(-len(images) // columns)
  cell_width, cell_height = CELL_PX + MARGIN_PX, CELL_PX + TEXT_LINES * LINE_PX + MARGIN_PX
  top = 2 * MARGIN_PX + LINE_PX
  sheet = Image.new('RGB', (columns * cell_width + MARGIN_PX, rows * cell_height + top), 'white')
  draw = ImageDraw.Draw(sheet)
  draw.text((MARGIN_PX, MARGIN_PX), KEY, fill='black', font=font)
  for index, image in enumerate(images):
    x = MARGIN_PX + index % columns * cell_width
    y = top + index // columns * cell_height
    sheet.paste(Image.fromarray(image).resize((CELL_PX, CELL_PX)), (x, y))
    lines = tag_lines(probabilities[index], labels[index], tag_names, threshold)
    for line, (kind, text) in enumerate(lines[:TEXT_LINES]):
      if line == TEXT_LINES - 1 and len(lines) > TEXT_LINES:
        kind, text = 'missed', f'and {len(lines) - line} more'
      text = _shortened(draw, text, font)
      draw.text((x, y + CELL_PX + 2 + line * LINE_PX), text, fill=INK[kind], font=font)
  return sheet


def tag_lines(probabilities, labels, tag_names, threshold) -> list[tuple[str, str]]:
  """(kind, text) of the tags given or true, most probable first."""
  order = np.argsort(-probabilities, kind='stable')
  lines = []
  for tag in order:
    given, true = probabilities[tag] > threshold, labels[tag]
    if given or true:
      kind = 'hit' if given and true else 'false' if given else 'missed'
      text = f'{MARKS[kind]}{tag_names[tag]} {100 * probabilities[tag]:.0f}'
      lines.append((kind, text))
  return lines


def _shortened(draw, text, font):
  while draw.textlength(text, font=font) > CELL_PX:
    text = text[:-2].rstrip('…') + '…'
  return text
