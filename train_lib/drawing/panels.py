"""What figures share: panels, a series' colour and line, legends, titles, numbers on axes."""

import math
from collections.abc import Sequence

DOTS_PER_INCH = 110
# Okabe and Ito's colours, which colour-blind readers tell apart; 7 and 4 have no common factor
COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#111111', '#e69f00', '#56b4e9')
LINES = ('-', '--', '-.', (0, (1, 1.2)))
MARKS = ('o', 's', '^', 'D', 'v', 'P', 'X', '*')
GREY, BLACK = '#707070', '#111111'


def styled(rows: Sequence):
  """[({colour, line, mark}, row)]: a row has the same ones in every picture."""
  return [({'color': COLOURS[number % len(COLOURS)], 'linestyle': LINES[number % len(LINES)],
            'marker': MARKS[number % len(MARKS)]}, row)
          for number, row in enumerate(rows)]


def new_figure(lines: int, columns: int, width: float, height: float, **options):
  """(Figure, its panels [lines, columns]), in inches, that knows nothing of a screen."""
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure
  figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout='constrained')
  FigureCanvasAgg(figure)
  panels = figure.subplots(lines, columns, squeeze=False, **options)
  for axes in panels.flat:
    axes.grid(color='#e8e8e8', linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ('top', 'right'):
      axes.spines[side].set_visible(False)
  return figure, panels


def small_multiples(number: int, height: float, **options):
  """(Figure, that many panels, up to three a line). Args: height: of a line, in inches."""
  columns = min(3, max(1, number))
  lines = max(1, math.ceil(number / columns))
  figure, panels = new_figure(lines, columns, 11.5, height * lines + 1.0, **options)
  panels = list(panels.flat)
  for axes in panels[number:]:
    axes.set_axis_off()
  return figure, panels[:number]


def legend(axes, title: str) -> None:
  """Of the whole picture, beside the panels, where it hides nothing."""
  axes.figure.legend(*axes.get_legend_handles_labels(), title=title, alignment='left',
                     loc='outside right upper', frameon=False, handlelength=3.2)


def title(figure, text: str) -> None:
  """Of the whole picture."""
  figure.suptitle(text, fontsize=12, x=0.01, ha='left')


def key(**style):
  """An entry of a legend that no line stands for."""
  from matplotlib.lines import Line2D
  return Line2D([], [], **style)


def plain_numbers(axis) -> None:
  """0.5, 1, 2 in place of powers of ten on a logarithmic axis; the more, the less it spans."""
  from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
  low, high = axis.get_view_interval()
  steps = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,))[
      int(high > 15 * low) + int(high > 300 * low)]
  axis.set_major_locator(LogLocator(subs=steps, numticks=12))
  axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
  axis.set_minor_locator(NullLocator())
  axis.set_minor_formatter(NullFormatter())
