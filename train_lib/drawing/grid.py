"""Pictures in rows and columns with titles: what augmentation makes of them, pairs of copies."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from train_lib.drawing.pictures import INK, LINE_PX, MARGIN_PX, find_font, shortened, written

CELL_PX = 160
GAP_PX = 8
HEADER_PX = 800                   # a longer line at the top is cut off
EDGE = (205, 205, 210)            # around pictures, whose margins may be white


def draw_grid(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[Sequence[str]],
              header: Sequence[str], texts: Sequence[Sequence[Sequence[tuple[str, str]]]] = ()
              ) -> Image.Image:
  """A table of pictures.

  Args:
    rows: of pictures, uint8 [H, W, 3] each, shown within squares of CELL_PX; a row may be short.
    titles: lines above each column; () none.
    header: lines above all, which widen the sheet up to HEADER_PX where they have to.
    texts: for each picture the lines below it, (kind, text) with a kind of `pictures.INK`; ().
  """
  columns = max(len(titles), max(map(len, rows), default=0))
  below = max((len(lines) for row in texts for lines in row), default=0)
  above = max(map(len, titles), default=0)
  font = find_font([*header, *(line for lines in titles for line in lines),
                    *(line for row in texts for lines in row for _, line in lines)])
  top = 2 * MARGIN_PX + (len(header) + above) * LINE_PX
  height = CELL_PX + below * LINE_PX + GAP_PX
  wide = max((font.getlength(written(line, font)) for line in header), default=0)
  width = max(columns * (CELL_PX + GAP_PX), min(math.ceil(wide), HEADER_PX))
  size = width + 2 * MARGIN_PX, top + len(rows) * height + MARGIN_PX
  sheet = Image.new('RGB', size, 'white')
  draw = ImageDraw.Draw(sheet)

  def write(x, y, text, kind='plain', width_px=CELL_PX):
    draw.text((x, y), shortened(draw, written(text, font), font, width_px), fill=INK[kind],
              font=font)

  for line, text in enumerate(header):
    write(MARGIN_PX, MARGIN_PX + line * LINE_PX, text, width_px=size[0] - 2 * MARGIN_PX)
  lefts = [MARGIN_PX + column * (CELL_PX + GAP_PX) for column in range(columns)]
  for x, lines in zip(lefts, titles, strict=False):
    for line, text in enumerate(lines):
      write(x, top - GAP_PX - (above - line) * LINE_PX, text, 'missed' if line else 'plain')
  for row, images in enumerate(rows):
    y = top + row * height
    for column, (x, image) in enumerate(zip(lefts, images, strict=False)):
      cell = ImageOps.pad(Image.fromarray(image), (CELL_PX, CELL_PX), color='white')
      sheet.paste(cell, (x, y))
      draw.rectangle((x - 1, y - 1, x + CELL_PX, y + CELL_PX), outline=EDGE)
      for line, (kind, text) in enumerate(texts[row][column] if texts else ()):
        write(x, y + CELL_PX + 1 + line * LINE_PX, text, kind)
  return sheet
