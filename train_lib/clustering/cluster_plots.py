"""Plots of clusters: what each number of clusters gives, and how large and how dense each is."""

from collections.abc import Sequence

import numpy as np

from train_lib.clustering.choosing import Trial
from train_lib.clustering.quality import Silhouettes
from train_lib.drawing.names import drawable
from train_lib.drawing.panels import COLOURS, GREY, new_figure, title

MOST_BARS = 100                   # clusters that find room; of more, the largest and the smallest
LARGE_LETTERS = 40                # bars that have room for letters of the usual size
LEAST_GAP = 0.035                 # between two named numbers, as a share of the axis
PALE, BAR, CHOSEN = '#b5cfe4', '#73aed3', COLOURS[1]
FIGURES = {'inertia': 'inertia (sum of squared\ndistances), smaller: denser',
           'silhouette': 'silhouette (-1 to 1),\nlarger: denser and apart',
           'stability': 'stability (adjusted Rand\nindex), 1: always the same'}
RULE_WORDS = {'silhouette': 'the largest mean silhouette', 'elbow': 'the elbow of the inertia',
              'stability': 'what stays the same in resamples'}
RULE_PANELS = {'elbow': 'inertia'}


def numbers_plot(trials: Sequence[Trial], chosen: int, rule: str):
  """Inertia, silhouette and stability over the number of clusters, with the choice marked.

  What the rule looked at is drawn in blue and titled in bold; a figure that no trial has is left
  out, and a trial without it has no mark.

  Args: chosen: the number of clusters; rule: of `choosing.RULES`.
  Returns: a matplotlib Figure.
  """
  trials = sorted(trials)
  numbers = np.array([trial.num_clusters for trial in trials])
  shown = [name for name in FIGURES
           if np.isfinite([getattr(trial, name) for trial in trials]).any()]
  figure, panels = new_figure(len(shown), 1, 8.4, 0.9 + 2.0 * len(shown), sharex=True)
  for name, axes in zip(shown, panels[:, 0], strict=True):
    values, looked_at = [getattr(trial, name) for trial in trials], name == RULE_PANELS.get(
        rule, rule)
    axes.axvline(chosen, color=CHOSEN, linewidth=1, linestyle='--', zorder=1)
    axes.plot(numbers, values, 'o-', color=COLOURS[0] if looked_at else GREY, markersize=5,
              linewidth=2.2 if looked_at else 1.2)
    here = [value for number, value in zip(numbers, values, strict=True) if number == chosen]
    axes.plot([chosen] * len(here), here, 'o', color=CHOSEN, markersize=9, zorder=3)
    axes.yaxis.set_major_formatter('{x:,.6g}')
    axes.set_ylabel(FIGURES[name], fontweight='bold' if looked_at else 'normal', fontsize=9)
  _number_axis(panels[-1, 0], numbers, chosen)
  figure.align_ylabels()
  title(figure, f'{chosen:,} clusters, by {RULE_WORDS[rule]}')
  return figure


def _number_axis(axes, numbers, chosen):
  """A logarithmic axis that names the numbers tried, as many as find room, and the choice."""
  from matplotlib.ticker import NullLocator
  axes.set_xscale('log')
  if len(numbers) == 1:
    axes.set_xlim(numbers[0] / 2, numbers[0] * 2)
  low, high = np.log(axes.get_xlim())
  named = [chosen]
  for number in numbers:
    if all(abs(np.log(number / other)) >= LEAST_GAP * (high - low) for other in named):
      named.append(number)
  axes.set_xticks(sorted(named), [f'{number:,}' for number in sorted(named)], fontsize=9)
  axes.xaxis.set_minor_locator(NullLocator())
  axes.set_xlabel('number of clusters')


def sizes_plot(clusters: np.ndarray, silhouettes: Silhouettes | None = None,
               names: dict[int, str] | None = None):
  """Each cluster's pictures as a bar, the largest first, and beside it its silhouettes.

  A dot is the mean of a cluster, a line reaches from the tenth to the ninetieth of a hundred of its
  pictures: near 1 they lie close together and far from others, below 0 nearer to another cluster.
  Of more than MOST_BARS clusters the largest and the smallest are drawn, half of these each.

  Args:
    clusters: int [N]; -1: noise, counted in the title.
    silhouettes: of the rows, or of a sample; None: only sizes. Clusters that it lacks have no dot.
    names: of clusters that have one.

  Returns:
    A matplotlib Figure.
  """
  from matplotlib.ticker import MaxNLocator
  clusters = np.asarray(clusters)
  found, sizes = np.unique(clusters[clusters >= 0], return_counts=True)
  order = np.argsort(-sizes, kind='stable')
  half = MOST_BARS // 2
  shown = order if len(order) <= MOST_BARS else np.concatenate([order[:half], order[-half:]])
  small = len(shown) > LARGE_LETTERS
  columns = 1 if silhouettes is None else 2
  figure, panels = new_figure(1, columns, 9.0, 1.6 + (0.14 if small else 0.26) * max(3, len(shown)),
                              sharey=True, width_ratios=(3, 2)[:columns])
  axes, places = panels[0, 0], np.arange(len(shown))[::-1]
  axes.barh(places, sizes[shown], color=BAR, height=0.75)
  written, families = drawable([_name(int(found[k]), names) for k in shown])
  axes.set_yticks(places, [f'{name} ({sizes[k]:,})'
                           for name, k in zip(written, shown, strict=True)],
                  parse_math=False, family=families, fontsize=6.5 if small else 9)
  axes.set_ylim(-0.7, max(len(shown), 1) - 0.3)
  axes.set_xlabel('pictures')
  axes.xaxis.set_major_locator(MaxNLocator('auto', integer=True))
  axes.xaxis.set_major_formatter('{x:,.0f}')
  if silhouettes is not None:
    _draw_silhouettes(panels[0, 1], places, found[shown], clusters, silhouettes)
  noise = int((clusters < 0).sum())
  text = f'{len(clusters) - noise:,} pictures in {len(found):,} clusters'
  text += f', {noise:,} in none' if noise else ''
  if len(shown) < len(order):
    text += f'\nthe {half} largest and the {half} smallest'
  title(figure, text)
  return figure


def _name(cluster, names):
  """'cluster 3', or with its name '3: cats'."""
  name = (names or {}).get(cluster, '')
  return f'{cluster}: {name}' if name else f'cluster {cluster}'


def _draw_silhouettes(axes, places, found, clusters, silhouettes):
  """A dot and a line for each cluster, the others' mean behind them."""
  owners = clusters[silhouettes.rows]
  for place, cluster in zip(places, found, strict=True):
    values = silhouettes.values[owners == cluster]
    if len(values) and np.isfinite(values).all():
      axes.plot(np.quantile(values, (0.1, 0.9)), (place, place), color=PALE, linewidth=3,
                solid_capstyle='round')
      axes.plot(values.mean(), place, 'o', color=COLOURS[0], markersize=5)
  axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
  if np.isfinite(silhouettes.mean):
    axes.axvline(silhouettes.mean, color=CHOSEN, linewidth=1, linestyle='--', zorder=0)
    axes.annotate(f'mean {silhouettes.mean:.2f}', (silhouettes.mean, 1),
                  (3, 2), xycoords=('data', 'axes fraction'), textcoords='offset points',
                  color=CHOSEN, fontsize=8)
  axes.set_xlabel('silhouette')
  axes.tick_params(axis='y', length=0, labelleft=False)
