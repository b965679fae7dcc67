"""The words of a study's report: what a reader must be told, and how a command is spelt."""

import pytest

from configs import base
from tests.test_train_lib_studies_study_plots import F1, make_cell
from train_lib.studies import study_report, tuned_study

RATES = (0.01, 0.1)
START = {'command': ['main.py', "--config.study.rows=(('Adam', ('optimizer.name', 'adam')),)"],
         'versions': {'jax': '1'}, 'devices': {'count': 1, 'kind': 'cpu', 'platform': 'cpu'},
         'commit': 'abc', 'time': 'now', 'platform': 'Linux', 'cpus': 2}


def report(seeds, *axes):
  config = base.get_config()
  with config.unlocked():
    config.study.rate_factors, config.study.axes = (1.0, 10.0), axes
  cells = {name: [{**make_cell(row, rate, seed), 'together': 1, 'way': 'loop', 'made': 'here'}
                  for rate in RATES for seed in range(seeds)]
           for row, name in enumerate(('SGD', 'Adam'))}
  summaries = [tuned_study.summarise(name, row, F1, 0.1, 0.1, len(RATES))
               for name, row in cells.items()]
  return study_report.format_report(config, cells, summaries, F1, 0.1, {}, START)


@pytest.mark.parametrize('seeds, told', [
    (1, 'a row with one seed has no spread'), (2, 'a spread over two seeds says little'), (3, '')])
def test_few_seeds_are_told_of(seeds, told):
  text = report(seeds)
  assert (f'- {told}' in text) if told else ('take three seeds or more' not in text)
  assert ('1 seed: ' if seeds == 1 else f'{seeds} seeds: ') in text


def test_a_table_says_of_what_there_are_so_many():
  assert '2 rates inside)' in report(3) and ' run)' not in report(3)


@pytest.mark.parametrize('keys, told', [
    (['train.batch_size'], '- the rows differ in train.batch_size: their steps'),
    (['train.batch_size', 'data.crop'], '- the rows differ in train.batch_size and data.crop: '),
    (['optimizer.name'], '')])
def test_rows_that_are_not_of_one_kind_are_told_in_a_sentence(keys, told):
  text = report(3, *((key, (1, 2)) for key in keys))
  assert (told in text) if told else ('the rows differ' not in text)


def test_the_command_can_be_read():
  assert """python main.py --config.study.rows="(('Adam', ('optimizer.name', 'adam')),)\"""" in (
      report(3))
