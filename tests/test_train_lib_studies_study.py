"""Tests of train_lib/studies/study.py: rows of a study, and intervals around what they gave."""

import csv
import io

import pytest
from ml_collections import ConfigDict
from scipy import stats

from configs import base, tagger_ladder
from errors import UserError
from train_lib.studies import study
from train_lib.tasks import TASKS


def make_config(*rows, num_seeds=3):
  config = base.get_config()
  config.study = ConfigDict(dict(rows=rows, num_seeds=num_seeds))
  config.lock()
  return config


def test_an_interval_is_student_t_at_95_percent():
  values = (0.40, 0.43, 0.41)
  found = study.interval(values)
  low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
  assert (found.low, found.high) == pytest.approx((low, high))
  assert found.mean == pytest.approx(sum(values) / 3)


def test_one_seed_has_no_width():
  assert study.interval([0.5]) == study.Interval(0.5, 0.5, 0.5)


def test_a_row_changes_what_it_names_and_nothing_else():
  config = make_config(('as it is',), ('focal', ('loss.name', 'focal'), ('loss.focal_gamma', 1.0)))
  rows = study.row_configs(config)
  assert list(rows) == ['as it is', 'focal']
  changed, plain = rows['focal'], rows['as it is']
  assert (changed.loss.name, changed.loss.focal_gamma) == ('focal', 1.0)
  changed.loss.name, changed.loss.focal_gamma = plain.loss.name, plain.loss.focal_gamma
  assert changed == plain
  assert plain.study.rows == ()
  assert config.loss.focal_gamma == base.get_config().loss.focal_gamma


@pytest.mark.parametrize('rows, words', [
    ((), 'study.rows is empty'),
    ((('a', ('loss.nam', 'focal')),), 'sets loss.nam, which is no key'),
    ((('a', ('los.name', 'focal')),), 'sets los.name, which is no key'),
    ((('a', ('runtime.cache_dir', 'x')),), 'sets runtime.cache_dir, which changes no result'),
    ((('a', ('loss.focal_gamma', 'much')),), "sets loss.focal_gamma to 'much'; expected a number$"),
    ((('a', ('train.batch_size', 'x')),), "sets train.batch_size to 'x'; expected a whole number$"),
    ((('a', ('loss', 'focal')),), "sets loss to 'focal'; expected a key inside of it"),
    ((('a', ('seed.x', 1)),), 'sets seed.x, which is no key'),
    ((('a', ('seed', 1)),), "sets seed, which is the study's own"),
    ((('a', ('study.num_seeds', 1)),), "sets study.num_seeds, which is the study's own"),
    ((('a', 'loss.name=focal'),), 'is no row of a study'),
    ((('a', ('loss.name',)),), 'is no row of a study'),
    ((('',),), 'is no row of a study'),
    (((1,),), 'is no row of a study'),
    ((('a',), ('a',)), 'the same folder'),
    ((('Focal, 1',), ('focal 1',)), 'the same folder'),
])
def test_rows_that_make_no_sense_are_refused(rows, words):
  with pytest.raises(UserError, match=words):
    study.row_configs(make_config(*rows))


def test_a_study_of_no_seeds_is_refused():
  with pytest.raises(UserError, match='num_seeds is 0'):
    study.row_configs(make_config(('a',), num_seeds=0))


@pytest.mark.parametrize('preset', ['', *tagger_ladder.PRESETS])
def test_every_row_of_the_ladder_is_a_config(preset):
  config = tagger_ladder.get_config(preset)
  config.lock()
  assert len(study.row_configs(config)) == len(config.study.rows)


def test_differences_are_paired_by_seed():
  results = {'reference': {'0': {'macro_f1_tuned': 0.1}, '1': {'macro_f1_tuned': 0.5}},
             'better': {'0': {'macro_f1_tuned': 0.2}, '1': {'macro_f1_tuned': 0.6}}}
  reference, better = study.summarise(results, 'tagging')
  assert reference['difference'] is None
  assert better['difference'].mean == pytest.approx(0.1)
  assert better['difference'].high - better['difference'].low < 1e-9     # the seeds agree exactly
  assert better['macro_f1_tuned'].high - better['macro_f1_tuned'].low > 1      # each row varies


def test_a_diverged_run_is_told_and_left_out():
  results = {'reference': {'0': {'macro_f1_tuned': 0.1}, '1': {'macro_f1_tuned': 0.3}},
             'wild': {'0': {'diverged': 'at step 3'}, '1': {'macro_f1_tuned': 0.2}},
             'wilder': {'0': {'diverged': 'at step 3'}, '1': {'diverged': 'at step 4'}}}
  _, wild, wilder = study.summarise(results, 'tagging')
  assert (wild['seeds'], wild['diverged'], wild['macro_f1_tuned'].mean) == (1, 1, 0.2)
  assert wild['difference'].mean == pytest.approx(-0.1)
  assert 'macro_f1_tuned' not in wilder and wilder['difference'] is None
  text = study.format_study(study.summarise(results, 'tagging'), 'tagging')
  assert '| wilder |  |  | 0 (2 diverged) |' in text


def test_classifiers_are_compared_by_their_accuracy():
  results = {'sgd': {'0': {'accuracy': 0.5, 'macro_f1': 0.9, 'macro_f1_tuned': 0.7}},
             'adam': {'0': {'accuracy': 0.75, 'macro_f1': 0.8, 'macro_f1_tuned': 0.6}}}
  table = study.summarise(results, 'classification')
  assert table[1]['difference'].mean == pytest.approx(0.25) and 'macro_f1_tuned' not in table[0]
  lines = study.format_study(table, 'classification').splitlines()
  assert lines[0].startswith('|  | accuracy | macro F1 | accuracy: difference')
  assert '| adam | 0.7500 | 0.8000 | +0.2500 |' in lines[3]
  title = study.study_figure(results, 'classification').axes[0].get_xlabel()
  assert 'accuracy' in title and 'threshold' not in title


def test_a_bar_in_the_name_of_a_row_does_not_part_its_cell():
  table = study.summarise({'a|b': {'0': {'macro_f1_tuned': 0.1}}}, 'tagging')
  assert study.format_study(table, 'tagging').endswith('| a\\|b | 0.1000 |  | 1 |')


def test_every_task_has_figures_to_compare_runs_by():
  assert set(study.FIGURES) == set(TASKS)


def test_the_csv_has_a_row_for_each_run():
  results = {'a, b': {'0': {'macro_f1_tuned': 0.1}}, 'c': {'0': {'diverged': 'so'}}}
  rows = list(csv.DictReader(io.StringIO(study.study_csv(results))))
  assert rows == [{'row': 'a, b', 'seed': '0', 'macro_f1_tuned': '0.1', 'diverged': ''},
                  {'row': 'c', 'seed': '0', 'macro_f1_tuned': '', 'diverged': 'so'}]
