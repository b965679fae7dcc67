"""Sheets of pictures with lines of text below each, and letters of any script on them."""

import contextlib
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from train_lib.storage import records

CELL_PX = 224                     # side of a picture on the sheet
COLUMNS = 5
FONT_PX = 14
PATH_LETTERS = 22                 # of them about as many fit under a small picture
LINE_PX = 17
MARGIN_PX = 12
INK = {'found': (24, 120, 48), 'left out': (32, 88, 200), 'wrong': (196, 40, 32),
       'missed': (110, 110, 118), 'plain': (0, 0, 0)}
# Fonts that a system may have, for more than Latin, Greek and Cyrillic letters.
SYSTEM_FONTS = ('NotoSansCJK-Regular.ttc', 'DroidSansFallbackFull.ttf', 'msgothic.ttc',
                'malgun.ttf', 'msyh.ttc', 'Hiragino Sans GB.ttc', 'Arial Unicode.ttf')


def draw_sheet(images: Sequence[np.ndarray], texts: Sequence[list[tuple[str, str]]],
               header: list[list[tuple[str, str]]]) -> Image.Image:
  """Pictures side by side with lines of text below each.

  Args:
    images: uint8 [H, W, 3] each.
    texts: for each picture its lines, (kind, text) with a kind of INK.
    header: lines at the top, each of several such pieces.
  """
  font = find_font(text for lines in (*texts, *header) for _, text in lines)
  text_lines = max(map(len, texts), default=0)
  cell_width, cell_height = CELL_PX + MARGIN_PX, CELL_PX + text_lines * LINE_PX + MARGIN_PX
  top = 2 * MARGIN_PX + len(header) * LINE_PX
  size = COLUMNS * cell_width + MARGIN_PX, -(-len(images) // COLUMNS) * cell_height + top
  sheet = Image.new('RGB', size, 'white')
  draw = ImageDraw.Draw(sheet)
  for line, pieces in enumerate(header):
    x = MARGIN_PX
    for kind, text in pieces:
      text = written(text, font)
      draw.text((x, MARGIN_PX + line * LINE_PX), text, fill=INK[kind], font=font)
      x += draw.textlength(text, font=font) + 2 * MARGIN_PX
  for index, (image, lines) in enumerate(zip(images, texts, strict=True)):
    x = MARGIN_PX + index % COLUMNS * cell_width
    y = top + index // COLUMNS * cell_height
    sheet.paste(Image.fromarray(image).resize((CELL_PX, CELL_PX)), (x, y))
    for line, (kind, text) in enumerate(lines):
      text = shortened(draw, written(text, font), font)
      draw.text((x, y + CELL_PX + 2 + line * LINE_PX), text, fill=INK[kind], font=font)
  return sheet


def readable(loader, picks: Sequence) -> tuple[list, list[np.ndarray]]:
  """Picks whose pictures can be read, and these. Args: loader: of their split; picks: with `index`.

  Returns: (picks, images uint8 [H, W, 3] each), in the order given.
  """
  examples = [loader.example(pick.index) for pick in picks]
  shown = [(pick, example['image']) for pick, example in zip(picks, examples, strict=True)
           if example is not None]
  return [pick for pick, _ in shown], [image for _, image in shown]


def save_sheet(sheet: Image.Image | None, path) -> None:
  """Writes a sheet as PNG, whole or not at all; without one an older one goes."""
  if sheet is None:
    path.unlink(missing_ok=True)
    return
  with records.whole_file(path, to_disk=False) as file:
    sheet.save(file, format='PNG')


def shortened(draw, text: str, font, width_px: float = CELL_PX) -> str:
  """The text, its end cut off where it would be longer than so many px."""
  while draw.textlength(text, font=font) > width_px:
    text = text[:-2].rstrip('…') + '…'
  return text


def end_of_path(path: str) -> str:
  """The last parts of a path that fit under a picture, its file's name at least."""
  kept = path
  while len(kept) > PATH_LETTERS and '/' in kept:
    kept = kept.partition('/')[2]
  return kept


def find_font(texts):
  """Pillow's own font where it has every letter, else the one that lacks the fewest."""
  import matplotlib
  letters = set().union(*texts)
  fonts = [ImageFont.load_default(size=FONT_PX)]
  if _lacking(fonts[0], letters):
    bundled = os.path.join(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')
    for name in (bundled, *SYSTEM_FONTS):
      with contextlib.suppress(OSError):
        fonts.append(ImageFont.truetype(name, FONT_PX))
  return min(fonts, key=lambda font: len(_lacking(font, letters)))


def _lacking(font, letters):
  """Those of the letters that a font draws as it draws what no font has, or that are no letters."""
  nothing = bytes(font.getmask('\uffff'))
  return {letter for letter in letters
          if not letter.isprintable() or bytes(font.getmask(letter)) == nothing}


def written(text, font):
  """The text, with its number in place of a letter that the font lacks, such as \\u65e5."""
  lacking = _lacking(font, set(text))
  return ''.join(letter.encode('unicode_escape').decode() if letter in lacking else letter
                 for letter in text)
