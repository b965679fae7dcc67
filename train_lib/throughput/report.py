"""What a person reads at the end of a benchmark: a table, what bounds each row, the files."""

import jax

from train_lib.drawing import plots, tables
from train_lib.reporting import say
from train_lib.throughput.plots import draw_all

TABLE = {
    'infer_samples_per_sec': 'predict pictures /s', 'train_samples_per_sec': 'train pictures /s',
    'train_step_time': 'step ms', 'train_step_time_p95': '95 % ms',
    'train_compile_sec': 'compile s', 'train_first_step_sec': 'first step s',
    'train_memory_mb': 'memory MB', 'train_peak_frac': 'of peak', 'train_scaling_frac': 'scaling',
    'infer_latency_ms': 'one picture ms', 'input_samples_per_sec': 'input pictures /s',
    'loop_samples_per_sec': 'loop pictures /s', 'stall_frac': 'stall',
    'conv_in_loop_ratio': 'conv in loop'}
DIGITS = {'train_step_time': 1, 'train_step_time_p95': 1, 'infer_latency_ms': 1,
          'train_compile_sec': 1, 'train_first_step_sec': 1, 'train_memory_mb': 0,
          'train_peak_frac': 3, 'train_scaling_frac': 2, 'stall_frac': 3, 'conv_in_loop_ratio': 2}
DIGITS |= {name: 1 for name in TABLE if name.endswith('per_sec')}
SHARED = ('these are virtual devices of one CPU, which share its processors: more of them are no '
          'faster')


def finish(folder, table, found: list[dict], with_plots: bool) -> None:
  """Says the table of the rows that this command is about, and draws them.

  Args: table: of `rows.Table`; found: its rows, in the order of the sweep.
  """
  table.write()
  say(tables.format_table({name_of(row): row for row in found}, TABLE, DIGITS))
  for row in found:
    if row.get('error'):
      say(f'{name_of(row)}: {row["error"]}')
    if row.get('bound_by'):
      say(f'{name_of(row)}: bound by {row["bound_by"]}')
  if jax.default_backend() == 'cpu' and any(row['devices'] > 1 for row in found):
    say(SHARED)
  names = ['benchmark.csv', 'benchmark.json']
  for name, draw in (draw_all(found) if with_plots else {}).items():
    plots.save(draw(), folder / name)
    names.append(name)
  say(f'every figure is in {folder}: {", ".join(names)}')


def name_of(row: dict) -> str:
  """What a row is called in tables: 'vit_tiny_patch16 224 px float32 x 1 batch 8'."""
  batch = row.get('train_batch_size') or row.get('infer_batch_size') or row['asked_batch_size']
  return (f"{row['model']} {row['img_size']} px {row['dtype']} x {row['devices']}"
          + (f' batch {batch}' if batch else ''))
