"""Tests of configs/simpsons.py, fashion.py and fashion_ladder.py: what their presets have alike."""

import pytest

from configs import fashion, fashion_ladder, simpsons
from errors import UserError
from nets import layers
from train_lib import check
from train_lib.studies import study

PAGES = [(page, preset) for page in (simpsons, fashion) for preset in ('', *page.PRESETS)]


@pytest.mark.parametrize('page, preset', PAGES)
def test_every_preset_is_a_classifier_judged_where_it_was_best(page, preset):
  config = page.get_config(preset)
  assert config.task == 'classification' and config.checkpoint == 'best'


def test_where_there_are_weights_the_head_learns_first_and_elsewhere_everything_does():
  for page, preset in PAGES:
    config = page.get_config(preset)
    alone = config.train.freeze_first or config.train.freeze
    assert bool(config.net.init_from) == (alone == ('*', '!head')) == config.train.cache_features


@pytest.mark.parametrize('preset', ['', 'small', 'folder', 'smoke'])
def test_the_rungs_of_the_ladder_differ_from_the_second_by_an_augmentation_alone(preset):
  config = fashion_ladder.get_config(preset)
  config.lock()
  rows = list(study.row_configs(config).values())
  reference, last = (rows[0], rows[-1]) if preset == 'smoke' else (rows[1], rows[-1])
  for row in rows[1:]:
    row.data.augment, augment = reference.data.augment, row.data.augment
    assert row == reference and (augment or row is reference)
    if row is last:
      assert augment == fashion_ladder.AUGMENTATIONS
  if preset != 'smoke':
    assert len(rows) == 7 and rows[0].optimizer.name == 'momentum'
    rows[0].optimizer = reference.optimizer
    assert rows[0] == reference


def test_of_the_rows_about_weights_those_from_scratch_freeze_nothing():
  config = fashion_ladder.get_config('transfer')
  config.net.init_from = 'weights.npz'
  config.lock()
  for name, row in study.row_configs(config).items():
    assert ('scratch' in name) == (not row.net.init_from) == (not row.train.freeze), name


def test_weights_that_cannot_be_fetched_are_told_in_a_sentence(monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'huggingface_hub', None)
  with layers.conv_form('plain'), pytest.raises(UserError, match="install the extra 'hub'.*, or "):
    check.check_start(fashion.get_config())
