"""All that a run's folder tells, as sections of the page; everything is only read."""

from typing import Any, NamedTuple

from train_lib import data_record
from train_lib import workdir as workdir_lib
from train_lib.inspection import (
  run_commands,
  run_figures,
  run_files,
  run_pictures,
  run_record,
)
from train_lib.inspection.markup import Section, command, paragraph
from train_lib.metrics_log import read_metrics
from train_lib.storage import records

WORDS = {'finished': 'trained', 'training': 'training now', 'stopped': 'stopped on the way',
         'begun': 'begun'}


class Run(NamedTuple):
  """A run as its folder tells of it.

  Attributes:
    folder: the workdir, absolute; named: as the person named it.
    config: of the run; record: run.json.
    rows: of metrics.jsonl.
    state: of `run_record.state_of`.
  """
  folder: Any
  named: str
  config: Any
  record: dict
  rows: list
  state: str


def open_run(workdir: str) -> Run:
  """Reads what a run's folder tells of itself. Raises: UserError: a file of it is damaged."""
  folder = records.absolute(workdir)
  record = workdir_lib.read_run(folder)
  config = workdir_lib.config_of_run(folder, run_record.defaults())
  rows = read_metrics(folder)
  return Run(folder, workdir, config, record, rows, run_record.state_of(folder, record)[0])


def head_of(run: Run) -> dict:
  """What the page says at its top: keyword arguments of `page.write_page`."""
  kind = run_record.TASKS[run.config.task]
  step = run_record.step_of(run.record, run.rows)
  return {
      'kind': f'{kind[0].upper()}{kind[1:]}, {WORDS[run.state]}', 'title': run.folder.name,
      'lead': [f'{run.config.net.name} on {run.config.data.source}; {run.folder}'],
      'figures': [*run_figures.headline(run.record, run.rows, run.config.task),
                  ('of training', run_record.duration_of(run.record)),
                  ('parameters', run_record.parameters_of(run.record)),
                  ('step', f'{step:,}' if step else None)]}


def run_sections(run: Run, beside) -> list[Section]:
  """Of a run, finished or not. Args: beside: folder of the page; curves may be drawn there."""
  folder, record, task = run.folder, run.record, run.config.task
  tags = data_record.read_tags(folder) if (folder / 'tags.json').exists() else {}
  sections = [
      run_record.about_section(run.config, record, tags),
      run_record.course_section(folder, record, run.rows),
      run_figures.test_section(record, task),
      run_figures.curves_section(folder, beside, record, run.rows, task),
      run_figures.tables_section(folder, beside),
      run_pictures.pictures_section(folder, task, beside),
      run_files.checkpoints_section(folder, run.config, record),
      run_files.bad_section(folder, beside),
      run_files.others_section(folder, beside),
      run_commands.commands_section(run.named, task, run.state,
                                    (folder / 'tensorboard').is_dir())]
  return [section for section in sections if section]


def waiting_section() -> Section:
  """In place of the data, while they are read."""
  return Section('data', 'The data', [paragraph(
      'They are being read, or that was stopped. This page is written again when it is done.')],
      'Data')


def missing_section(run: Run, reason: str) -> Section:
  """In place of the data, where they cannot be read. Args: reason: in words."""
  return Section('data', 'The data', [
      paragraph(f'The data of this run cannot be inspected here: {reason}', class_='warning'),
      paragraph('Where they lie elsewhere now, name them:'),
      command(run_commands.data_command(run.named))], 'Data')
