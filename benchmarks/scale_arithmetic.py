"""What a run costs on a large machine, worked out from parts that were measured on a small one.

Plain arithmetic; `benchmarks/scale_costs.py` makes the tables of docs/scale.md of it. What is
measured comes from `benchmarks/scale_parts.py`, what machines can do is their vendors' word, and
what nobody has measured stands in `Plan`, by name.
"""

import dataclasses

MEASURED_TAGS = 70_000            # of scale_parts
STATE_BYTES = 16                  # of a parameter: itself, AdamW's two moments, its average
GRADIENT_BYTES = 4
UPDATE_BYTES = 36                 # the same read with the gradient, 5 numbers, and written, 4
LOSS_PASSES = 6                   # over [rows, tags]: logits, labels, losses, and their gradients
READ = 'read by one core: '       # a figure of `input` for each kind of stored pictures
PROBABILITY_BYTES, LABEL_BYTES = 4, 1  # of a tag of a picture, that evaluation counts on the host


@dataclasses.dataclass(frozen=True)
class Machine:
  """Published figures of a machine; rates in each direction, bytes and operations a second."""
  name: str
  chips: int
  processes: int                  # of the program, each with its share of the chips
  cores: int                      # of all hosts, half of the vCPUs
  peak_flops: float               # of a chip, bfloat16, dense
  memory: float                   # of a chip
  memory_rate: float
  link_rate: float                # of a chip to the others


V5E_64 = Machine('v5e-64', chips=64, processes=16, cores=16 * 56, peak_flops=197e12,
                 memory=16e9, memory_rate=819e9, link_rate=200e9)
H100_8 = Machine('8 x H100', chips=8, processes=8, cores=104, peak_flops=989e12,
                 memory=80e9, memory_rate=3.35e12, link_rate=450e9)
MACHINES = (V5E_64, H100_8)


@dataclasses.dataclass(frozen=True)
class Plan:
  """The run, and what is assumed of a machine that nobody has measured.

  Attributes:
    slow_frac, fast_frac: shares of a chip's peak that the net's arithmetic reaches.
    rate_frac: share of the published rate of memory and links that is reached.
    core_frac: share of the cores that make batches; a core of the host is taken to be as fast as
      one processor of the machine that was measured.
    memory_frac: share of a chip's memory that a program can use.
    compile_sec: of all programs, once.
    stored: which of the measured pictures are those on the disk.
  """
  pictures: int = 7_000_000
  tags: int = 70_000
  epochs: float = 5.0
  valid_frac: float = 0.01
  test_frac: float = 0.05
  batch: int = 2048
  eval_batch: int = 128
  evaluations: int = 10
  slow_frac: float = 0.25
  fast_frac: float = 0.5
  rate_frac: float = 0.7
  core_frac: float = 0.8
  memory_frac: float = 0.9
  compile_sec: float = 120.0
  stored: str = 'photographs, 512 px'

  @property
  def train_pictures(self) -> float:
    return self.pictures * (1 - self.valid_frac - self.test_frac)

  @property
  def steps(self) -> int:
    return round(self.epochs * self.train_pictures / self.batch)


@dataclasses.dataclass(frozen=True)
class Net:
  """A net with as many outputs as the plan has tags."""
  name: str
  params: float
  forward_flops: float            # of a picture
  training_flops: float           # of a picture, forward and backward
  kept_bytes: float               # of a picture, for the backward pass


@dataclasses.dataclass(frozen=True)
class Step:
  """Seconds of a step. `arithmetic` and `activations` overlap; the rest is taken to follow."""
  arithmetic: float
  activations: float
  update: float
  reduce: float
  read: float                     # until the host's cores have made the next batch
  handed: float                   # until the main processes have taken it from their workers

  @property
  def device(self) -> float:
    return max(self.arithmetic, self.activations) + self.update + self.reduce

  @property
  def seconds(self) -> float:
    return max(self.device, self.read, self.handed)

  @property
  def bound(self) -> str:
    """What takes the longest."""
    if self.seconds > self.device:
      return 'reading' if self.read >= self.handed else 'handing over'
    parts = {'arithmetic': self.arithmetic, 'activations': self.activations,
             'update': self.update, 'all-reduce': self.reduce}
    return max(parts, key=parts.get)


def value(parts: dict, part: str, name: str) -> float:
  """The median of a measured figure."""
  return parts[part]['figures'][name]['value']


def net_of(parts: dict, name: str, plan: Plan) -> Net:
  """A net of the part `nets`, its head as wide as the plan has tags."""
  found = {key: value(parts, 'nets', f'{name}: {key}')
           for key in ('parameters', 'features', 'forward', 'training',
                       'kept for the backward pass')}
  more = (found['features'] + 1) * (plan.tags - MEASURED_TAGS)
  return Net(name, found['parameters'] * 1e6 + more, found['forward'] * 1e9,
             found['training'] * 1e9, found['kept for the backward pass'] * 1e6)


def step_of(machine: Machine, net: Net, plan: Plan, parts: dict, frac: float) -> Step:
  """A training step. Args: frac: share of the peak that arithmetic reaches."""
  rows = plan.batch / machine.chips
  memory_rate = machine.memory_rate * plan.rate_frac
  a_core = value(parts, 'input', READ + plan.stored)
  main_sec = value(parts, 'input', "main process's time for a picture of a worker process") / 1e6
  return Step(
      arithmetic=rows * net.training_flops / (machine.peak_flops * frac),
      activations=2 * rows * net.kept_bytes / memory_rate,      # written once, read once
      update=net.params * UPDATE_BYTES / memory_rate,
      reduce=(2 * (machine.chips - 1) / machine.chips * net.params * GRADIENT_BYTES
              / (machine.link_rate * plan.rate_frac)),
      read=plan.batch / (machine.cores * plan.core_frac * a_core),
      handed=plan.batch / machine.processes * main_sec)


def chip_memory(machine: Machine, net: Net, plan: Plan) -> dict[str, float]:
  """Bytes of a chip: state, gradients, activations, and how many pictures would fit."""
  fixed = net.params * (STATE_BYTES + GRADIENT_BYTES)
  return {'state': net.params * STATE_BYTES, 'gradients': net.params * GRADIENT_BYTES,
          'activations': plan.batch / machine.chips * net.kept_bytes,
          'most_rows': max(0.0, (machine.memory * plan.memory_frac - fixed) / net.kept_bytes)}


def loss_over_tags(machine: Machine, plan: Plan) -> dict[str, float]:
  """Bytes of one array [rows, tags] of float32 on a chip, and seconds of all passes over such."""
  size = plan.batch / machine.chips * plan.tags * 4
  return {'bytes': size, 'sec': LOSS_PASSES * size / (machine.memory_rate * plan.rate_frac)}


def checkpoint_of(net: Net, parts: dict) -> dict[str, float]:
  """Bytes of a state; seconds that training waits, that writing takes, and that reading does."""
  size = net.params * STATE_BYTES
  scale = size / (value(parts, 'checkpoint', 'state') * 1e6)
  names = {'waits_sec': 'training waits for a save', 'writes_sec': 'writing, beside training',
           'reads_sec': 'reading it back, digests checked'}
  return {'bytes': size, **{key: scale * value(parts, 'checkpoint', name)
                            for key, name in names.items()}}


def evaluation_of(machine: Machine, net: Net, plan: Plan, parts: dict, frac: float
                  ) -> dict[str, float]:
  """Seconds of the validation split once, of the test split, and of all of a run.

  Chips predict and then every process counts its own rows, one batch after another; reading goes
  on beside both. At the end the counts are added up, and each process works the figures out.

  Args: frac: share of the peak that arithmetic reaches.
  """
  a_core = value(parts, 'input', READ + plan.stored)
  tags = plan.tags / MEASURED_TAGS
  count = tags * value(parts, 'evaluation', 'a picture, with truths and copies') / 1e3
  a_picture = max(
      net.forward_flops / (machine.chips * machine.peak_flops * frac) + count / machine.processes,
      1 / (machine.cores * plan.core_frac * a_core))
  end = tags * sum(value(parts, 'evaluation', f'{name} at the end')
                   for name in ('average precision and counts', 'thresholds', 'figures'))
  if machine.processes > 1:
    end += tags * value(parts, 'hosts', '4 processes: counts of a split added up')
  valid, test = (end + a_picture * plan.pictures * share
                 for share in (plan.valid_frac, plan.test_frac))
  return {'valid_sec': valid, 'test_sec': test,
          'run_sec': valid * (plan.evaluations + 1) + test}      # once more for the last report


def index_sec(plan: Plan, parts: dict) -> dict[str, float]:
  """Seconds of the first reading of the metadata, and of opening the index later."""
  scale = plan.pictures / value(parts, 'index', 'records')
  return {'first': scale * value(parts, 'index', 'first reading, time of processors'),
          'later': scale * value(parts, 'index', 'opening it again, fingerprint checked')}


def run_of(machine: Machine, net: Net, plan: Plan, parts: dict, frac: float) -> dict:
  """Seconds of a whole run by what they go into, in all, and the chip-hours."""
  step, checkpoint = step_of(machine, net, plan, parts, frac), checkpoint_of(net, parts)
  seconds = {'index': index_sec(plan, parts)['first'], 'compilation': plan.compile_sec,
             'steps': plan.steps * step.seconds,
             'evaluation': evaluation_of(machine, net, plan, parts, frac)['run_sec'],
             'checkpoints': plan.evaluations * checkpoint['waits_sec']}
  total = sum(seconds.values())
  return {'seconds': seconds, 'total_sec': total, 'chip_hours': machine.chips * total / 3600,
          'longest': max(seconds, key=seconds.get), 'bound': step.bound}
