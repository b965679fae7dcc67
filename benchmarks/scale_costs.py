"""The tables of docs/scale.md: 7 million pictures and 70,000 tags on 64 TPU chips and on 8 GPUs.

    python -m benchmarks.scale_costs
    python -m benchmarks.scale_costs --write=docs/scale.md

reads what `python -m benchmarks.scale_parts` has measured, works out the rest
(`benchmarks/scale_arithmetic.py`) and prints the tables, or puts each in its place in the page,
between `<!-- NAME -->` and `<!-- /NAME -->`. What is assumed can be changed:
`--plan batch=8192 valid_frac=0.001`.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import re

from benchmarks import command, scale_parts
from benchmarks import scale_arithmetic as arithmetic
from benchmarks.scale_arithmetic import MACHINES, Plan, value
from errors import UserError
from train_lib.reporting import human_bytes, human_time

NETS = {'se_resnet_tagger': 'SE-ResNet tagger', 'vit_base_patch16': 'ViT-B/16',
        'convnext_base': 'ConvNeXt-B'}
WHAT_IF = {
    'as planned': {},
    'batch 128, the preset as it is': {'batch': 128},
    'batch 8,192': {'batch': 8192},
    'half as many cores read': {'core_frac': 0.4},
    'pictures stored at 256 px': {'stored': 'photographs, 256 px'},
    '140,000 tags': {'tags': 140_000},
    '0.1 % for valid, 0.5 % for test': {'valid_frac': 0.001, 'test_frac': 0.005},
}
MAY_BE_ZERO = ('valid_frac', 'test_frac', 'evaluations', 'compile_sec')


def main() -> None:
  """Prints the tables, or writes them into the page."""
  flags = read_flags()
  parts = json.loads(pathlib.Path(flags.parts).read_text())
  blocks = make_blocks(parts, changed_plan(flags.plan))
  if flags.write:
    page = pathlib.Path(flags.write)
    page.write_text(put_in(page.read_text(), blocks))
    return
  for name, text in blocks.items():
    print(f'\n{name}\n\n{text}')


def read_flags(argv: list[str] | None = None) -> argparse.Namespace:
  """The command line. Args: argv: in place of this program's own."""
  parser = command.Parser(__doc__)
  parser.add_argument('--parts', default='docs/scale_parts.json', help='of scale_parts')
  parser.add_argument('--write', default='', help='the page whose tables are replaced')
  parser.add_argument('--plan', nargs='*', default=[], metavar='NAME=VALUE')
  return parser.parse_args(argv)


def changed_plan(words: list[str]) -> Plan:
  """The plan with other values. Raises: UserError: no such name, or a value that makes no sense."""
  kinds, changes = {field.name: field.type for field in dataclasses.fields(Plan)}, {}
  for word in words:
    name, _, text = word.partition('=')
    if name not in kinds:
      raise UserError(f"--plan has no '{name}'; it has {', '.join(kinds)}")
    try:
      changes[name] = kinds[name](text)
    except ValueError:
      raise UserError(f"--plan {word}: '{text}' is no {kinds[name].__name__}") from None
    if kinds[name] is not str and not 0 <= changes[name] < math.inf or (
        changes[name] == 0 and name not in MAY_BE_ZERO):
      raise UserError(f'--plan {word}: expected a number above 0')
  return dataclasses.replace(Plan(), **changes)


def put_in(page: str, blocks: dict[str, str]) -> str:
  """The page with every block between its marks. Raises: UserError: a block has no place."""
  for name, text in blocks.items():
    pattern = re.compile(rf'(<!-- {name} -->\n).*?(<!-- /{name} -->)', re.DOTALL)
    if len(pattern.findall(page)) != 1:
      raise UserError(f'the page has no place for {name}: <!-- {name} --> and <!-- /{name} -->')
    page = pattern.sub(lambda found, text=text: f'{found[1]}\n{text}\n\n{found[2]}', page)
  return page


def make_blocks(parts: dict, plan: Plan) -> dict[str, str]:
  """Markdown by the name of its place.

  Args: parts: what scale_parts wrote.

  Raises:
    UserError: the plan has pictures that were not measured.
  """
  measured = parts['parts']
  stored = [name.removeprefix(arithmetic.READ) for name in measured['input']['figures']
            if name.startswith(arithmetic.READ)]
  if plan.stored not in stored:
    raise UserError(f"--plan stored: '{plan.stored}' was not measured; choices: "
                    f'{"; ".join(stored)}')
  makers = {'storage': storage, 'input': read, 'step': steps, 'memory': memory, 'loss': loss,
            'checkpoint': checkpoints, 'evaluation': evaluations, 'run': runs, 'first': what_if}
  assumed = [(f'`{name}`', f'{now:,}' if isinstance(now, int) else f'{now}')
             for name, now in dataclasses.asdict(plan).items()]
  return {'machine': _machine(parts['environment']),
          **{name: make(measured, plan) for name, make in makers.items()},
          'plan': table(('assumed', 'value'), assumed),
          'parts': '\n\n'.join(_measured(name, measured[name]) for name in measured)}


def storage(parts, plan) -> str:
  """What the disk holds, and what an epoch reads of it."""
  rows = []
  for side_px in (256, 512):
    for kind in ('drawn', 'photographs'):
      size = value(parts, 'input', f'JPEG of a picture: {kind}, {side_px} px') * 1024
      rows.append((f'{kind}, {side_px} px', human_bytes(size), human_bytes(size * plan.pictures),
                   f'{size * plan.pictures / 256e6:,.0f}',
                   human_bytes(size * plan.train_pictures)))
  scale = plan.pictures / value(parts, 'index', 'records')
  return table(('pictures', 'each', 'all', 'shards of 256 MB', 'read in an epoch'), rows) + (
      f'\n\nBeside them: metadata {human_bytes(scale * 1e6 * value(parts, "index", "metadata"))}, '
      f'their index {human_bytes(scale * 1e6 * value(parts, "index", "index on disk"))} on every '
      'host (or shared by them).')


def read(parts, plan) -> str:
  """What hosts can read against what chips can take."""
  rows = []
  for machine in MACHINES:
    for net in nets(parts, plan):
      slow, fast = both(machine, net, plan, parts)
      wanted = span(*(f'{plan.batch / step.device:,.0f}' for step in (slow, fast)))
      rows.append((machine.name, NETS[net.name], wanted, f'{plan.batch / slow.read:,.0f}',
                   f'{plan.batch / slow.handed:,.0f}'))
  return table(('', 'net', 'chips take, pictures/s',
                f'{percent(plan.core_frac)} of the cores read, pictures/s',
                'main processes are handed, pictures/s'), rows)


def steps(parts, plan) -> str:
  """A step, part by part, in ms."""
  rows = []
  for machine in MACHINES:
    for net in nets(parts, plan):
      slow, fast = both(machine, net, plan, parts)
      whole = span(*(f'{1e3 * step.seconds:.3g}' for step in (fast, slow)))
      rows.append((machine.name, NETS[net.name], f'{net.training_flops / 1e9:.3g}',
                   f'{1e3 * fast.arithmetic:.3g} to {1e3 * slow.arithmetic:.3g}',
                   *(f'{1e3 * part:.3g}' for part in (
                       slow.activations, slow.update, slow.reduce, max(slow.read, slow.handed))),
                   whole, slow.bound if slow.bound == fast.bound else
                   f'{slow.bound} at {percent(plan.slow_frac)} of the peak, {fast.bound} at '
                   f'{percent(plan.fast_frac)}'))
  return table(('', 'net', 'GFLOP a picture', 'arithmetic, ms', 'activations, ms', 'update, ms',
                'all-reduce, ms', 'input, ms', 'a step, ms', 'most of it'), rows)


def memory(parts, plan) -> str:
  """What a chip holds."""
  rows = []
  for machine in MACHINES:
    for net in nets(parts, plan):
      found = arithmetic.chip_memory(machine, net, plan)
      rows.append((machine.name, NETS[net.name], f'{net.params / 1e6:.1f} M',
                   *(human_bytes(found[name]) for name in ('state', 'gradients', 'activations')),
                   f'{plan.batch / machine.chips:.0f}', f'{found["most_rows"]:,.0f}'))
  return table(('', 'net', 'parameters', 'state', 'gradients', 'activations at most',
                'pictures of a batch on a chip', 'pictures that would fit'), rows)


def loss(parts, plan) -> str:
  """The loss over all tags on a chip."""
  rows = []
  for machine in MACHINES:
    found = arithmetic.loss_over_tags(machine, plan)
    rows.append((machine.name, f'{plan.batch / machine.chips:.0f} x {plan.tags:,}',
                 human_bytes(found['bytes']), f'{1e3 * found["sec"]:.2g} ms'))
  wire, dense = (value(parts, 'tags', f'tags of a batch as {name}')
                 for name in ('they travel', 'bool'))
  return table(('', 'logits of a chip', 'one such array',
                f'{arithmetic.LOSS_PASSES} passes over it'), rows) + (
      f'\n\nTags travel as indices: {wire:.0f} KiB a batch of 64 in place of {dense:,.0f} KiB.')


def checkpoints(parts, plan) -> str:
  """What is saved, and what training waits for."""
  rows = []
  for net in nets(parts, plan):
    found = arithmetic.checkpoint_of(net, parts)
    rows.append((NETS[net.name], human_bytes(found['bytes']), f'{found["waits_sec"]:.2g} s',
                 f'{found["writes_sec"]:.2g} s', f'{found["reads_sec"]:.2g} s'))
  return table(('net', 'a checkpoint', 'training waits', 'written beside it', 'read back'), rows)


def evaluations(parts, plan) -> str:
  """What chips predict and hosts count."""
  rows = []
  for machine in MACHINES:
    for net in nets(parts, plan):
      fast, slow = (arithmetic.evaluation_of(machine, net, plan, parts, frac)
                    for frac in (plan.fast_frac, plan.slow_frac))
      rows.append((machine.name, NETS[net.name], *(
          span(human_time(fast[name]), human_time(slow[name]))
          for name in ('valid_sec', 'test_sec', 'run_sec'))))
  wire = plan.tags * (arithmetic.PROBABILITY_BYTES + arithmetic.LABEL_BYTES) * plan.eval_batch
  shares = ', '.join(f'{human_bytes(wire / machine.processes)} on {machine.name}'
                     for machine in MACHINES)
  return table(
      ('', 'net', f'validation, {plan.pictures * plan.valid_frac:,.0f} pictures',
       f'test, {plan.pictures * plan.test_frac:,.0f}',
       f'of a run: {plan.evaluations} + 1 validations, 1 test'), rows) + (
      f'\n\nOf a batch of {plan.eval_batch} each process gets its own rows, probabilities and '
      f'labels: {shares}. If rows were kept, validation alone would hold '
      f'{human_bytes(4.0 * plan.tags * plan.pictures * plan.valid_frac)}.')


def runs(parts, plan) -> str:
  """A whole run."""
  rows = []
  for machine in MACHINES:
    for net in nets(parts, plan):
      slow, fast = (arithmetic.run_of(machine, net, plan, parts, frac)
                    for frac in (plan.slow_frac, plan.fast_frac))
      rows.append((machine.name, NETS[net.name],
                   *(span(human_time(fast['seconds'][part]), human_time(slow['seconds'][part]))
                     for part in slow['seconds']),
                   span(human_time(fast['total_sec']), human_time(slow['total_sec'])),
                   span(f'{fast["chip_hours"]:.0f}', f'{slow["chip_hours"]:.0f}')))
  return table(('', 'net', 'index', 'compilation', f'{plan.steps:,} steps', 'evaluation',
                'waiting for checkpoints', 'in all', 'chip-hours'), rows)


def what_if(parts, plan) -> str:
  """What bounds a run, and what changes that."""
  rows = []
  for name, changes in WHAT_IF.items():
    changed, cells = dataclasses.replace(plan, **changes), []
    for machine in MACHINES:
      for net in nets(parts, changed)[:2]:
        run = arithmetic.run_of(machine, net, changed, parts, changed.slow_frac)
        rows_of = arithmetic.chip_memory(machine, net, changed)['most_rows']
        full = '; does not fit into a chip' if changed.batch / machine.chips > rows_of else ''
        why = run['bound'] if run['longest'] == 'steps' else run['longest']
        cells.append(f'{human_time(run["total_sec"])}: {why}{full}')
    rows.append((name, *cells))
  names = [f'{machine.name}, {NETS[net.name]}' for machine in MACHINES
           for net in nets(parts, plan)[:2]]
  return table(('', *names), rows)


def nets(parts, plan) -> list:
  """The nets that were looked at."""
  return [arithmetic.net_of(parts, name, plan) for name in NETS]


def both(machine, net, plan, parts) -> list:
  """The step at the least and at the greatest share of the peak."""
  return [arithmetic.step_of(machine, net, plan, parts, frac)
          for frac in (plan.slow_frac, plan.fast_frac)]


def span(one: str, other: str) -> str:
  """'1 to 2'; '1' where both read alike."""
  return one if one == other else f'{one} to {other}'


def percent(share: float) -> str:
  """0.8 -> '80 %'."""
  return f'{100 * share:g} %'


def table(titles, rows) -> str:
  """A Markdown table of text cells."""
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in (titles, ('---',) * len(titles), *rows))


def _machine(environment):
  versions = environment['versions']
  return (f'Measured on {environment["processors"]} processors ({environment["processor"]}), '
          f'{environment["date"]}, commit {short_commit(environment["commit"])}, Python '
          f'{versions["python"]}, jax {versions["jax"]}, numpy {versions["numpy"]}.')


def short_commit(commit: str) -> str:
  """'f77825c1e8... + changes' -> 'f77825c + changes'."""
  number, *changes = commit.split(' ', 1)
  return ' '.join((number[:7], *changes)) or 'unknown'


def _measured(name, part):
  rows = [(key, scale_parts.in_words(found)) for key, found in part['figures'].items()]
  return table((scale_parts.PARTS[name], ''), rows)


if __name__ == '__main__':
  command.run(main)
