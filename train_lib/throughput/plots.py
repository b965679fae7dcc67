"""Pictures of a benchmark: speed by batch size, where a picture's time goes, more devices."""

from collections.abc import Callable

from train_lib.drawing.panels import GREY, legend, new_figure, plain_numbers, styled, title
from train_lib.reporting import counted
from train_lib.throughput import verdict

MODES = {'train': 'training', 'infer': 'prediction'}
# What a picture costs, each alone: key of a row's pictures/s -> name; the first are parts of input.
COSTS = {'input_read_samples_per_sec': 'reading and decoding, one thread',
         'input_augment_samples_per_sec': 'augmentation, one thread',
         'input_batch_samples_per_sec': 'batch assembly, one thread',
         'input_samples_per_sec': 'input pipeline, all workers',
         'input_transfer_samples_per_sec': 'transfer to the devices',
         'loop_bare_samples_per_sec': 'training step, pictures on the devices',
         'loop_samples_per_sec': 'training loop, end to end'}
INPUT, STEP, WHOLE = '#56b4e9', '#d55e00', '#111111'
MOST_BARS = 8                     # rows that are drawn as bars of their own
UNITS = (('seconds', 1.0), ('milliseconds', 1e-3), ('microseconds', 1e-6))
SHORT = {'seconds': 's', 'milliseconds': 'ms', 'microseconds': 'µs'}


def draw_all(rows: list[dict]) -> dict[str, Callable]:
  """{file name: () -> a matplotlib Figure} of the pictures that these rows have something for."""
  rows = [row for row in rows if 'error' not in row]
  timed = [row for row in rows if _modes([row])]
  made = {}
  if any(len(group) > 1 for group in _lines(timed, 'batch').values()):
    made['benchmark_batch_sizes.png'] = lambda: by_batch_size(timed)
  if any(row.get(name) for row in rows for name in COSTS):
    made['benchmark_picture.png'] = lambda: cost_of_a_picture(rows)
  if any(len(group) > 1 for group in _lines(timed, 'devices').values()):
    made['benchmark_devices.png'] = lambda: by_devices(timed)
  return made


def _modes(rows):
  """Those of MODES that some row has the speed of."""
  return [mode for mode in MODES if any(f'{mode}_samples_per_sec' in row for row in rows)]


def by_batch_size(rows: list[dict]):
  """Pictures/s over the batch size: a line for each net, dtype and number of devices."""
  modes = _modes(rows)
  figure, panels = new_figure(1, len(modes), 11.5, 4.8)
  for axes, mode in zip(panels[0], modes, strict=True):
    for style, (name, group) in styled(list(_lines(rows, 'batch').items())):
      points = sorted((row[f'{mode}_batch_size'], row[f'{mode}_samples_per_sec'])
                      for row in group if f'{mode}_samples_per_sec' in row)
      axes.plot(*zip(*points, strict=True) if points else ([], []), label=name, **style)
    _batch_axes(axes)
    axes.set_ylabel(f'{MODES[mode]}: pictures/s')
  legend(panels[0][0], 'net')
  title(figure, 'Speed over the batch size: where a line is flat, a larger batch gains nothing')
  return figure


def _batch_axes(axes):
  axes.set_xscale('log', base=2)
  _from_zero(axes)
  plain_numbers(axes.xaxis)
  sizes = sorted({float(x) for line in axes.lines for x in line.get_xdata()})
  axes.set_xticks(sizes, [f'{size:g}' for size in sizes])
  axes.set_xlabel('pictures in a batch, over all devices')


def _from_zero(axes):
  """The vertical axis from 0 to some way above the highest point, whose mark shows whole."""
  points = [y for line in axes.lines for y in line.get_ydata()]
  axes.set_ylim(0, 1.08 * max(points, default=1.0))


def cost_of_a_picture(rows: list[dict]):
  """Bars of the time that each part takes for a picture, alone; a panel for each row, all of them
  to the same scale."""
  rows = [row for row in rows if any(row.get(name) for name in COSTS)][:MOST_BARS]
  times = [{name: 1 / row[name] for name in COSTS if row.get(name)} for row in rows]
  most = max(max(known.values()) for known in times)
  unit, size = _unit(most)
  figure, panels = new_figure(len(rows), 1, 11.5, 1.2 + 2.4 * len(rows), sharex=True)
  for axes, row, known in zip(panels[:, 0], rows, times, strict=True):
    places = range(len(known) - 1, -1, -1)
    axes.barh(places, [spent / size for spent in known.values()],
              color=[_colour(name) for name in known], height=0.68)
    for place, spent in zip(places, known.values(), strict=True):
      axes.annotate(f' {spelt_time(spent)} = {_three_digits(1 / spent)} pictures/s',
                    (spent / size, place), va='center', fontsize=9)
    axes.set_yticks(places, [COSTS[name] for name in known])
    axes.grid(axis='y', visible=False)
    axes.set_title(f"{row['model']}, {row['img_size']} px, {row['dtype']}, batch "
                   f"{row.get('train_batch_size', row['asked_batch_size'])}, devices: "
                   f"{row['devices']}{_noise(row)}", fontsize=10, loc='left', parse_math=False)
  panels[-1, 0].set_xlim(0, 1.35 * most / size)
  panels[-1, 0].set_xlabel(f'{unit} for a picture')
  title(figure, 'Where the time of a picture goes: each part alone, then the loop, which does them '
        'side by side\nand is at best as fast as the slowest of pipeline, transfer and step (on a '
        'CPU, which they share, slower)')
  return figure


def _noise(row):
  """What to add where the bar of the loop is shorter than the bar of its step."""
  if 'stall_frac' not in row or not verdict.has_no_stall(row):
    return ''
  return '\nno stall was measured: the loop and the step differ by noise'


def _unit(seconds):
  """(name, seconds) of the unit in which a time is 1 or more."""
  return next((unit for unit in UNITS if seconds >= unit[1]), UNITS[-1])


def spelt_time(seconds: float) -> str:
  """0.00000878 -> '8.78 µs', 0.0213 -> '21.3 ms', 1.5 -> '1.5 s'."""
  unit, size = _unit(seconds)
  return f'{_three_digits(seconds / size)} {SHORT[unit]}'


def _three_digits(value):
  """113895 -> '113,895', 46.9484 -> '46.9': three digits, or all before the point."""
  return f'{value:,.0f}' if value >= 100 else f'{value:.3g}'


def _colour(name):
  return WHOLE if name.startswith('loop_samples') else STEP if name.startswith('loop') else INPUT


def by_devices(rows: list[dict]):
  """Pictures/s over the number of devices, and what a perfect gain would be."""
  modes = _modes(rows)
  figure, panels = new_figure(1, len(modes), 11.5, 4.8)
  for axes, mode in zip(panels[0], modes, strict=True):
    counts = sorted({row['devices'] for row in rows})
    for style, (name, group) in styled(list(_lines(rows, 'devices').items())):
      points = sorted((row['devices'], row[f'{mode}_samples_per_sec']) for row in group
                      if f'{mode}_samples_per_sec' in row)
      if points:
        axes.plot(*zip(*points, strict=True), label=name, **style)
        each = points[0][1] / points[0][0]
        axes.plot(counts, [each * count for count in counts], color=GREY, linewidth=0.9,
                  linestyle=':')
    _from_zero(axes)
    axes.set_xticks(counts)
    axes.set_xlabel('devices')
    axes.set_ylabel(f'{MODES[mode]}: pictures/s')
  legend(panels[0][0], 'net')
  title(figure, 'Speed over the number of devices; dotted: twice as many would be twice as fast')
  return figure


def _lines(rows, axis) -> dict[str, list[dict]]:
  """The rows that make one line, by its name."""
  groups = {}
  for row in rows:
    name = f"{row['model']} {row['img_size']} px, {row['dtype']}"
    if axis == 'batch':
      name += f", {counted(row['devices'], 'device')}"
    else:
      name += f", batch {row['asked_batch_size'] or 'found'}"
    groups.setdefault(name, []).append(row)
  return groups
