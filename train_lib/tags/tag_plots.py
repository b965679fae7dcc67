"""Plots of a tagger's figures: F1 by frequency, precision against recall, how often tags occur."""

from collections.abc import Sequence

import numpy as np

from train_lib.drawing import plots
from train_lib.drawing.names import name_dots
from train_lib.drawing.panels import BLACK, legend

FEW_TAGS, MANY_TAGS = 40, 300     # a line of few shows its points; many have their own median
NAMED_TAGS = 5                    # of the best F1, and of the worst
COLOURS = {'general': '#0072b2', 'character': '#009e73', 'copyright': '#cc79a7',
           'artist': '#d55e00', 'meta': '#e6a700', 'rating': '#7f7f7f'}


def f1_by_frequency(counts: np.ndarray, f1: np.ndarray, categories: Sequence[str],
                    names: Sequence[str], threshold: float):
  """F1 of each tag over the number of training pictures that have it, with running medians.

  NAMED_TAGS of the best and of the worst are named; of equal ones those that surprise most, the
  rarest of the best and the most frequent of the worst.

  Args:
    counts: [T], pictures of the training split with the tag.
    f1: [T], 0 to 1; NaN for a tag without an F1 (in no test picture): left out, and counted below.
    categories: [T] names, keys of COLOURS; one with MANY_TAGS has a median of its own.
    names: [T], of the tags.
    threshold: the one tuned for micro F1, at which these F1 were taken.

  Returns:
    A matplotlib Figure.
  """
  from matplotlib.patheffects import withStroke
  counts, f1, categories = np.asarray(counts), np.asarray(f1, float), np.asarray(categories)
  shown = (counts > 0) & np.isfinite(f1)
  counts, f1, categories = counts[shown], f1[shown], categories[shown]
  names = [names[tag] for tag in np.flatnonzero(shown)]
  figure, axes = plots.one_panel()
  edge = withStroke(linewidth=4, foreground='white')
  mixed = np.random.default_rng(0).permutation(len(f1))   # else the last category hides the others
  axes.scatter(counts[mixed], f1[mixed], c=[COLOURS[name] for name in categories[mixed]],
               linewidths=0, **plots.dots(len(f1)))
  for name, tags in [*_by_size(categories), ('all', np.arange(len(f1)))]:
    colour = COLOURS.get(name, BLACK)
    if name in COLOURS:
      axes.plot([], [], 'o', color=colour, label=f'{name} ({len(tags):,})')
    middle = plots.running_median(counts[tags], f1[tags])                   # of all comes last
    if len(middle[0]) > 1 and (name not in COLOURS or len(tags) >= MANY_TAGS):
      axes.plot(*middle, color=colour, linewidth=2, path_effects=[edge],
                label='median, by count' if name not in COLOURS else None)
  axes.set_xscale('log')
  axes.set_ylim(-0.02, 1.02)
  left_out = '' if shown.all() else f' (not shown: {(~shown).sum():,} that one split lacks)'
  axes.set_xlabel('training pictures with the tag' + left_out)
  axes.set_ylabel(f'F1 on test pictures (0 to 1) at {threshold:g}, tuned for micro F1')
  plots.whole_numbers(axes.xaxis)
  legend(axes, 'category (tags)')
  order = np.lexsort((counts, -f1))
  best, worst = order[:NAMED_TAGS], order[NAMED_TAGS:][-NAMED_TAGS:][::-1]
  if len(order):
    named = (f'the {len(best)} best and {len(worst)} worst; of equal ones the rarest, the most '
             'frequent' if len(worst) else 'every tag that is shown')
    axes.set_title(f'named: {named}', loc='left', fontsize=10)
  name_dots(axes, np.stack([counts, f1], axis=1), {tag: names[tag] for tag in (*best, *worst)},
            np.stack(_between(*middle), axis=1))
  return figure


def _between(counts, values):
  """Points of a line over the logarithm of counts, close to each other."""
  if not len(counts):
    return counts, values
  between = np.geomspace(counts[0], counts[-1], 200)
  return between, np.interp(np.log(between), np.log(counts), values)


def precision_recall(curves: dict[str, tuple], tuned: dict[str, tuple[float, float]]):
  """Precision against recall over the thresholds, with lines of equal F1.

  Args:
    curves: name -> (precision [K], recall [K]), each 0 to 1, by rising or falling threshold; a
      category's name gives its colour, any other name is drawn black. A point where nothing is
      predicted (recall 0) has no precision and is left out.
    tuned: name -> (precision, recall) at the tuned threshold; with a recall of 0 no dot either.

  Returns:
    A matplotlib Figure.
  """
  figure, axes = plots.one_panel(width=8.2, height=5.6)
  _draw_equal_f1(axes)
  for name, (precision, recall) in curves.items():
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    colour, real = COLOURS.get(name, BLACK), recall > 0
    axes.plot(recall[real], precision[real], color=colour, label=name,
              linewidth=1.5 if name in COLOURS else 2.5)
    if tuned.get(name, (0, 0))[1] > 0:
      axes.plot(tuned[name][1], tuned[name][0], 'o', color=colour, markersize=8,
                markeredgecolor='white')
  axes.plot([], [], 'o', color=BLACK, markeredgecolor='white', markersize=8,
            label='at the tuned threshold')
  axes.set_xlim(0, 1)
  axes.set_ylim(0, 1.01)
  axes.set_xlabel('recall: share of the listed tags that are found')
  axes.set_ylabel('precision: share of the tags found that are listed')
  legend(axes, 'tags')
  return figure


def _draw_equal_f1(axes):
  """Pale lines of equal F1, named along the top and the right side."""
  for f1 in np.arange(0.1, 1.0, 0.1):
    recall = np.geomspace(f1 / (2 - f1), 1, 200)
    axes.plot(recall, f1 * recall / (2 * recall - f1), color=plots.PALE, linewidth=0.8, zorder=0)
    axes.text(1.01, f1 / (2 - f1), f'F1 {f1:.1f}', color='#808080', fontsize=8, va='center')


def tag_frequencies(counts: np.ndarray, categories: Sequence[str], num_pictures: int):
  """How many training pictures a tag has, over its rank: all tags, and each category by itself.

  Args:
    counts: [T], pictures of the training split with the tag.
    categories: [T] names, keys of COLOURS.
    num_pictures: of the training split.

  Returns:
    A matplotlib Figure.
  """
  counts, categories = np.asarray(counts), np.asarray(categories)
  figure, axes = plots.one_panel()
  groups = [(name, counts[tags], COLOURS[name], 1.5) for name, tags in _by_size(categories)]
  if len(groups) > 1:
    groups.insert(0, ('all', counts, BLACK, 2.5))
  for name, group, colour, width in groups:
    falling = np.sort(group[group > 0])[::-1]
    mark = 'o' if len(falling) <= FEW_TAGS else ''
    axes.plot(np.arange(1, len(falling) + 1), falling, color=colour, linewidth=width, marker=mark,
              markersize=4, label=f'{name} ({len(group):,})')
  axes.set_xscale('log')
  axes.set_yscale('log')
  axes.set_ylim(0.7 * counts[counts > 0].min(initial=num_pictures), 1.5 * num_pictures)
  axes.axhline(num_pictures, color=plots.PALE, zorder=0)
  axes.text(0.99, num_pictures, f'all {num_pictures:,} pictures', va='bottom', ha='right',
            color='#808080', fontsize=8, transform=axes.get_yaxis_transform())
  unused = (counts == 0).sum()
  left_out = f' (not shown: {unused:,} that no training picture has)' if unused else ''
  axes.set_xlabel('rank of the tag by its count' + left_out)
  axes.set_ylabel('training pictures with the tag')
  for axis in (axes.xaxis, axes.yaxis):
    plots.whole_numbers(axis)
  legend(axes, 'category (tags)')
  return figure


def _by_size(categories):
  """(name, indices) of the categories that occur, the largest first: small ones lie on top."""
  names, counts = np.unique(categories, return_counts=True)
  return [(str(name), np.flatnonzero(categories == name))
          for name in names[np.argsort(-counts, kind='stable')]]
