"""Pictures of predictions, drawn from what a task's `predict` gave."""

import contextlib
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from train_lib.storage import records

CELL_PX = 224                     # side of a picture on the sheet
COLUMNS = 5
TEXT_LINES = 14                   # of tags under each picture
MISSED_LINES = 4                  # of them for what was missed, where not all tags find room
FONT_PX = 14
LINE_PX = 17
MARGIN_PX = 12
INK = {'found': (24, 120, 48), 'left out': (32, 88, 200), 'wrong': (196, 40, 32),
       'missed': (110, 110, 118), 'plain': (0, 0, 0)}
MARKS = {'found': '+ ', 'left out': '~ ', 'wrong': '! ', 'missed': '- '}
KEYS = {'found': 'found', 'left out': 'found, though its list leaves it out', 'wrong': 'wrong',
        'missed': 'missed'}
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


def tag_sheet(images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray,
              drawn: np.ndarray | None, tag_names: Sequence[str], threshold: float, *,
              title: str = '', captions: Sequence[str] = (), first: Sequence[int] = ()
              ) -> Image.Image:
  """A sheet of pictures with their tags and probabilities (%): found, wrong, missed.

  Of more than TEXT_LINES tags of a picture the last line counts those that are not shown.

  Args:
    images: uint8 [N, H, W, 3].
    probabilities, labels: [N, T], the prediction and the truth.
    drawn: bool [N, T], the truth before some tags were left out of the lists; None: not known.
    threshold: a tag is given above it.
    title: a line at the top; '': none.
    captions: [N], a line above each picture's tags; (): none.
    first: [N], the tag to name before the others; (): the most probable.
  """
  truths = labels if drawn is None else drawn
  texts = [_cut(tag_lines(*row, tag_names, threshold, tag)) for *row, tag in zip(
      probabilities, labels, truths, first or [-1] * len(images), strict=True)]
  if captions:
    texts = [[('plain', caption), *lines] for caption, lines in zip(captions, texts, strict=True)]
  key = [('plain', 'tags and their probability, %:')] + [
      (kind, MARKS[kind] + meaning) for kind, meaning in KEYS.items()
      if kind != 'left out' or drawn is not None]
  header = [[('plain', title)], key] if title else [key]
  return draw_sheet(images, texts, header)


def suspect_sheet(images: Sequence[np.ndarray], ranks: Sequence[int], tags: Sequence[str],
                  listed: Sequence[bool], probabilities: Sequence[float], ids: Sequence[str],
                  title: str) -> Image.Image:
  """A sheet of labels that may be wrong, in order: rank and tag, what may be wrong, the picture.

  Args: images: uint8 [H, W, 3] each; ranks: from 1; tags: their names; listed: whether the
  picture's list has the tag; probabilities: of the tag, 0 to 1; ids: of the pictures; title: what
  they are, a line at the top.
  """
  header = [[('plain', title)], [('plain', 'rank and tag; %: how probable the tag is'),
                                 ('left out', 'missing? found, but not listed'),
                                 ('wrong', 'false? listed, but not found')]]
  texts = []
  for rank, tag, has, value, name in zip(ranks, tags, listed, probabilities, ids, strict=True):
    kind, question = ('wrong', 'false?') if has else ('left out', 'missing?')
    texts.append([('plain', f'{rank}. {tag}'), (kind, f'{question} {100 * value:.0f} %'),
                  ('missed', name.rpartition('/')[2])])
  return draw_sheet(images, texts, header)


def tag_lines(probabilities, labels, drawn, tag_names, threshold,
              first: int = -1) -> list[tuple[str, str]]:
  """(kind, text) of the tags given or listed, most probable first.

  Args: first: a tag to name before the others, -1: none; the others: [T].
  """
  lines = []
  shown = np.flatnonzero((probabilities > threshold) | labels)
  for tag in shown[np.lexsort((-probabilities[shown], shown != first))]:
    given = probabilities[tag] > threshold
    kind = ('missed' if not given else 'found' if labels[tag] else
            'left out' if drawn[tag] else 'wrong')
    lines.append((kind, f'{MARKS[kind]}{tag_names[tag]} {100 * probabilities[tag]:.0f}'))
  return lines


def _cut(lines):
  """At most TEXT_LINES: what is given, then what is missed, then how many more there are."""
  if len(lines) <= TEXT_LINES:
    return lines
  missed = [line for line in lines if line[0] == 'missed']
  room = TEXT_LINES - 1
  given = [line for line in lines if line[0] != 'missed'][:room - min(len(missed), MISSED_LINES)]
  left, left_missed = len(lines) - room, len(missed[room - len(given):])
  of_missed = f', {left_missed} of them missed' if left_missed else ''
  return [*given, *missed[:room - len(given)], ('missed', f'and {left} more{of_missed}')]


def shortened(draw, text: str, font, width_px: float = CELL_PX) -> str:
  """The text, its end cut off where it would be longer than so many px."""
  while draw.textlength(text, font=font) > width_px:
    text = text[:-2].rstrip('…') + '…'
  return text


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
