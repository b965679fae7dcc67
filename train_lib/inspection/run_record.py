"""What a run is, and how it went: config.json, run.json and lock.json in words."""

import datetime
import runpy

from train_lib import workdir as workdir_lib
from train_lib.drawing import tables
from train_lib.inspection import markup
from train_lib.inspection.markup import Details, Section, facts, paragraph
from train_lib.inspection.numbers import percent, shown
from train_lib.launch import ROOT
from train_lib.reporting import counted, human_bytes, human_time, spelt_command
from train_lib.storage import lock

TASKS = {'tagging': 'tagger', 'classification': 'classifier', 'pose': 'pose net',
         'autoencoding': 'autoencoder'}
UNTOLD = ('small_page', 'job')    # keys that say nothing of a run


def defaults():
  """The config of configs/base.py, read as a page is: a run may lack keys that are newer."""
  return runpy.run_path(str(ROOT / 'configs' / 'base.py'))['get_config']()


def state_of(workdir, record: dict) -> tuple[str, dict | None]:
  """('finished', 'training', 'stopped' or 'begun', who holds the workdir now or None)."""
  holder = lock.find_holder(workdir)
  if record.get('finished'):
    return 'finished', holder
  if holder:
    return 'training', holder
  return ('stopped' if (workdir / 'checkpoints').is_dir() else 'begun'), None


def about_section(config, record: dict, tags: dict) -> Section:
  """What the run is.

  Args: config: of the run; record: run.json; tags: tags.json, {} before it is written.
  """
  data, optimizer, train = config.data, config.optimizer, config.train
  what = {'tagging': 'tags', 'classification': 'classes', 'pose': 'joints'}.get(config.task, '')
  length = (f'{train.num_steps:,} steps' if train.num_steps else
            f'{shown(float(train.num_epochs))} epochs')
  parameters = record.get('test', {}).get('net', {}).get('parameters')
  size = record.get('test', {}).get('net', {}).get('file_bytes')
  channels = 'grey' if config.task == 'autoencoding' else 'colour'
  pairs = [
      ('page', record.get('config_name', '')), ('task', config.task),
      ('net', config.net.name),
      ('parameters', parameters and f'{shown(parameters)}' + (
          f', {human_bytes(size)} on disk' if size else '')),
      ('outputs', f'{len(tags.get("names", ())):,} {what}' if what and tags else ''),
      ('pictures', f'{data.image_size_px} px, {channels}'),
      ('data', ' '.join(filter(None, (data.source, data.path or data.tfds_name)))),
      ('augmentation', ', '.join(data.augment) or 'none'),
      ('damage to mend', ', '.join(data.corrupt)),
      ('weights to start from', config.net.init_from),
      ('loss', config.loss.name),
      ('optimizer', f'{optimizer.name}, learning rate {shown(float(optimizer.learning_rate))}, '
                    f'{optimizer.schedule}'),
      ('length', f'{length}, {counted(train.batch_size, "picture")} a step'),
      ('seed', f'{config.seed}')]
  return Section('about', 'What it is', [facts(pairs), *_differences(config)], 'Run')


def _differences(config) -> list:
  """The keys whose values differ from those of configs/base.py."""
  rows = []
  for line in workdir_lib.diff_configs(defaults(), config):
    key, _, values = line.partition(': ')
    if key not in UNTOLD:
      rows.append((key, *values.split(' -> ', 1)))
  if not rows:
    return [paragraph('Every key of the config has its default.', class_='note')]
  return [Details(f'{counted(len(rows), "key")} of the config differ from the defaults',
                  [markup.table(('key', 'default', 'here'), rows, words=3)])]


def course_section(workdir, record: dict, rows: list[dict]) -> Section:
  """How the run went. Args: workdir: of the run; rows: of metrics.jsonl."""
  state, holder = state_of(workdir, record)
  starts = [start for start in record.get('starts', []) if isinstance(start, dict)]
  step = step_of(record, rows)
  chosen = record.get('chosen', {})
  pairs = [
      ('state', _state_words(state, record, step)),
      ('begun', _when(starts[0].get('time')) if starts else ''),
      ('ended', _when(record.get('end'))),
      ('steps', f'{step:,}' if step else ''),
      ('net that is used', f'step {shown(chosen["step"])}, epoch {shown(chosen.get("epoch"))}: '
                           f'{chosen.get("checkpoint")}' if 'step' in chosen else ''),
      *_times(record),
      ('starts', f'{len(starts)}: resumed {counted(len(starts) - 1, "time")}' if len(starts) > 1
       else f'{len(starts)}: in one go' if starts else ''),
      *_machine(starts[-1] if starts else {}),
      ('fingerprint of the data', record.get('fingerprint'))]
  parts = [facts(pairs)]
  if holder:
    parts.insert(0, paragraph(
        f'Process {holder.get("pid", "?")} on {holder.get("host", "?")} works in this folder since '
        f'{_when(holder.get("time"))}. The page shows what was written until now; nothing of the '
        'run was touched.', class_='warning'))
  if starts:
    parts.append(Details('Every start, with its command and versions',
                         [_starts(starts), _versions(starts[-1])]))
  return Section('course', 'How it went', parts, 'Course')


def _state_words(state, record, step) -> str:
  return {'finished': 'finished',
          'training': f'training now, at step {step:,} or later',
          'stopped': f'stopped at step {step:,}; the same command goes on',
          'begun': 'begun, no step is saved yet'}[state]


def _times(record) -> list:
  goodput = record.get('goodput', {})
  total, productive = goodput.get('total_sec'), goodput.get('productive_sec')
  if not total or productive is None:
    return []
  return [('duration', f'{human_time(total)} until training ended'),
          ('goodput', f'{percent(productive / total)} of it in steps, the rest in reading, '
                      'compiling, measuring and saving'),
          ('checkpoints', _saving_words(record.get('checkpointing', {}))),
          ('diverged', _diverged_words(record.get('diverged', {})))]


def _saving_words(cost) -> str:
  if not cost:
    return ''
  return (f'{counted(cost.get("saves", 0), "save")}, for which training waited '
          f'{human_time(cost.get("blocking_sec", 0))}')


def _diverged_words(counts) -> str:
  left_out = counts.get('skip', 0) + counts.get('rollback', 0)
  ended = '; one more ended the run' if counts.get('abort') else ''
  return f'{counted(left_out, "step")} left out{ended}' if any(counts.values()) else ''


def _machine(start) -> list:
  devices = start.get('devices', {})
  return [('code', start.get('commit') or ''),
          ('machine', f'{start["host"]}, {start.get("cpus", "?")} cores' if 'host' in start
           else ''),
          ('devices', f'{devices.get("count")} x {devices.get("kind")}' if devices else '')]


def _starts(starts):
  return markup.table(
      ('time', 'command', 'commit', 'host', 'devices'),
      ((_when(start.get('time')), spelt_command(start.get('command', ())),
        str(start.get('commit', ''))[:12], start.get('host', ''),
        '{count} x {kind}'.format_map({'count': '?', 'kind': '?', **start.get('devices', {})}))
       for start in starts), words=5)


def _versions(start):
  return facts(start.get('versions', {}).items())


def _when(time) -> str:
  """An ISO time as a person writes it; '' where there is none."""
  try:
    return datetime.datetime.fromisoformat(time).strftime('%Y-%m-%d %H:%M UTC')
  except (TypeError, ValueError):
    return ''


def step_of(record: dict, rows: list[dict]) -> int:
  """The last step that is known. Args: rows: of metrics.jsonl."""
  return record.get('step') or max((row['step'] for row in rows), default=0)


def duration_of(record: dict) -> str | None:
  """Such as '3 min', until training ended."""
  total = record.get('goodput', {}).get('total_sec')
  return human_time(total) if total else None


def parameters_of(record: dict) -> str | None:
  """Such as '1.28 M', of a run that was measured."""
  count = record.get('test', {}).get('net', {}).get('parameters')
  return None if count is None else f'{count / tables.UNITS["parameters"]:,.2f} M'
