"""What became of the weights that were read into a net, in words."""

import dataclasses
import re

from errors import printable, shortened

MOST_GROUPS = 24                  # of arrays that are named


@dataclasses.dataclass(frozen=True)
class Account:
  """What became of a net's arrays and of a file's; `str(account)` is for people.

  Attributes:
    source, library: where the weights come from, and whose names they bear.
    other_net: the net that the source says it is of, where that is not this one; else ''.
    loaded: {name of ours: its key there}.
    adapted: {name of ours: how}, of some of the loaded ones.
    initial: {name of ours: why it kept its initial value}.
    unused: keys of the source that nothing was loaded from.
    sizes: {name of ours: number of values}.
  """
  source: str
  library: str
  loaded: dict[str, str]
  adapted: dict[str, str]
  initial: dict[str, str]
  unused: tuple[str, ...]
  sizes: dict[str, int]
  other_net: str = ''

  def __str__(self):
    values = sum(self.sizes[name] for name in self.loaded)
    lines = [f'weights from {plain(self.source, most=1000)}, in the names of {self.library}:',
             f'  loaded: {len(self.loaded)} of {len(self.sizes)} arrays, {values:,} of '
             f'{sum(self.sizes.values()):,} values']
    if self.other_net:
      lines.append(f'  they are of {plain(self.other_net)}: what the two nets compute may differ')
    for what, reasons in (('adapted', self.adapted), ('left at initial values', self.initial)):
      for reason in dict.fromkeys(reasons.values()):
        names = [name for name, why in reasons.items() if why == reason]
        lines.append(f'  {what}: {grouped(names)}: {reason}')
    if self.unused:
      lines.append(f'  not used from the file: {grouped(self.unused)}')
    return '\n'.join(lines)


def plain(text, most=80):
  """Returns a name from a file so that a terminal can show it."""
  return printable(shortened(text, most), kept='')


def few(texts, join=', ', most=3):
  """Returns the first texts, joined, and how many more there are."""
  more = f'{join}and {len(texts) - most} more' if len(texts) > most else ''
  return join.join(texts[:most]) + more


def grouped(names):
  """Returns names by their outermost module: 'stage1_block1 (12), head (2)'."""
  groups = {}
  for name in names:
    name = re.sub('^(params|batch_stats)/', '', name)
    groups.setdefault(re.split('[/.]', name)[0], []).append(name)
  texts = [plain(inside[0]) if len(inside) == 1 else f'{plain(group)} ({len(inside)})'
           for group, inside in groups.items()]
  more = f' and {len(texts) - MOST_GROUPS} more' if len(texts) > MOST_GROUPS else ''
  return ', '.join(texts[:MOST_GROUPS]) + more
