"""Sheets of pictures with their tags: found, left out of a list, wrong, missed, suspected."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image

from train_lib.drawing.pictures import draw_sheet, end_of_path

TEXT_LINES = 14                   # of tags under each picture
MISSED_LINES = 4                  # of them for what was missed, where not all tags find room
MARKS = {'found': '+ ', 'left out': '~ ', 'wrong': '! ', 'missed': '- '}
KEYS = {'found': 'found', 'left out': 'found, though its list leaves it out', 'wrong': 'wrong',
        'missed': 'missed'}


def tag_sheet(images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray,
              drawn: np.ndarray | None, tag_names: Sequence[str], threshold: float, *,
              title: str = '', captions: Sequence[str] = (), first: Sequence[int] = (),
              ids: Sequence[str] = ()) -> Image.Image:
  """A sheet of pictures with their tags and probabilities (%): found, wrong, missed.

  Of more than TEXT_LINES tags of a picture the last line counts those that are not shown, by
  kind: 'more: 20 found, 2 wrong, 3 missed'.

  Args:
    images: uint8 [N, H, W, 3].
    probabilities, labels: [N, T], the prediction and the truth.
    drawn: bool [N, T], the truth before some tags were left out of the lists; None: not known.
    threshold: a tag is given above it.
    title: a line at the top; '': none.
    captions: [N], a line above each picture's tags; (): none.
    first: [N], the tag to name before the others; (): the most probable.
    ids: [N], of the pictures, the ends of which stand below the tags; (): none.
  """
  truths = labels if drawn is None else drawn
  texts = [_cut(tag_lines(*row, tag_names, threshold, tag)) for *row, tag in zip(
      probabilities, labels, truths, first or [-1] * len(images), strict=True)]
  if captions:
    texts = [[('plain', caption), *lines] for caption, lines in zip(captions, texts, strict=True)]
  if ids:
    texts = [[*lines, ('missed', end_of_path(name))]
             for lines, name in zip(texts, ids, strict=True)]
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
                  ('missed', end_of_path(name))])
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
  """At most TEXT_LINES: what is given, then what is missed, then how many more of each kind."""
  if len(lines) <= TEXT_LINES:
    return lines
  missed = [line for line in lines if line[0] == 'missed']
  given, room = [line for line in lines if line[0] != 'missed'], TEXT_LINES - 1
  shown_given = room - min(len(missed), MISSED_LINES)
  shown_missed = room - len(given[:shown_given])
  more = Counter(kind for kind, _ in given[shown_given:] + missed[shown_missed:])
  counts = {'found': more['found'] + more['left out'], 'wrong': more['wrong'],
            'missed': more['missed']}
  told = ', '.join(f'{count} {kind}' for kind, count in counts.items() if count)
  return [*given[:shown_given], *missed[:shown_missed], ('plain', f'more: {told}')]
