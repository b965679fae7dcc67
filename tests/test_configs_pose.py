"""Tests of configs/pose.py, and of the ladder's rows that cut people out."""

import pytest

from configs import fashion_ladder, pose
from errors import UserError
from nets import layers
from train_lib import build_data, check
from train_lib.studies import study


@pytest.mark.parametrize('preset', ['', *pose.PRESETS])
def test_every_preset_has_a_pose_net_and_its_crops(preset):
  config = pose.get_config(preset)
  assert config.task == 'pose' and config.net.name.endswith('_pose')
  height, width = build_data.picture_shape(config)
  assert (height, width) == {'coco_384': (384, 288), 'coco_w48_384': (384, 288), 'small': (128, 96),
                             'smoke': (128, 96)}.get(preset, (256, 192))


def test_coco_is_trained_as_published():
  config = pose.get_config('coco')
  assert (config.optimizer.name, config.optimizer.learning_rate) == ('adam', 1e-3)
  assert config.train.num_epochs == 210 and config.train.batch_size == 128
  drops = [share * config.train.num_epochs for share in config.optimizer.step_at]
  assert drops == pytest.approx([170, 200]) and config.optimizer.step_factor == 0.1
  assert config.pose.to_dict() == {'sigma': 2.0, 'rounded': True, 'flip_test': True,
                                   'refine': 'quarter'}
  assert pose.get_config('coco_384').pose.sigma == 3.0


@pytest.mark.parametrize('key, value, message', [
    ('pose.refine', 'half', "pose.refine is 'half'; choices: none, quarter, dark"),
    ('train.mixup_alpha', 0.2, 'train.mixup_alpha is 0.2, which a pose net has no use for'),
    ('train.shrink_frac', 0.5, 'train.shrink_frac is 0.5'),
    ('data.persons.cut', 'truth', 'which is for other tasks'),
    ('data.implications', 'ignored', 'a pose net learns joints'),
    ('data.persons.widen', 0.5, 'data.persons.widen is 0.5; expected 1 to 3'),
    ('data.image_size_px', 192, 'multiples of 32'),
    ('data.augment', ('mirror', 'crop'), "'crop', which is for whole pictures alone"),
    ('net.name', 'se_resnet_tiny', "the task 'pose' wants 4"),
    ('loss.name', 'focal', "'pose' is trained with; choices: squared_error"),
])
def test_what_makes_no_sense_of_poses_is_told(key, value, message):
  config = pose.get_config('smoke')
  config.update_from_flattened_dict({key: value})
  with layers.conv_form('plain'), pytest.raises(UserError, match=message):
    check.check_config(config)


def test_the_person_is_cut_out_in_one_row_by_a_net_and_in_one_by_the_truth():
  config = fashion_ladder.get_config('crop')
  config.data.persons.cut_by = 'runs/pose-small'
  config.lock()
  whole, found, true = study.row_configs(config).values()
  assert [row.data.persons.cut for row in (whole, found, true)] == ['none', 'pose', 'truth']
  for row in (found, true):
    row.data.persons.cut = 'none'
    assert row == whole
  assert whole.data.augment == fashion_ladder.AUGMENTATIONS
  assert whole.optimizer.name == 'adam'


def test_a_cut_by_a_net_wants_the_run_of_one():
  config = fashion_ladder.get_config('crop')
  row = study.row_configs(config)['cut out by predicted joints']
  with layers.conv_form('plain'), pytest.raises(UserError, match='data.persons.cut_by is empty'):
    check.check_config(row)
