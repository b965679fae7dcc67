"""Tests of train_lib/build.py: what a config becomes."""

import numpy as np
import pytest

from configs import fashion, tagger
from errors import UserError
from losses import LOSSES, TASK_LOSSES
from train_lib import build, build_data, build_sources, check, step
from train_lib.tasks import TASKS
from train_lib.training import build_training

pytestmark = pytest.mark.usefixtures('small_net')


def small_config(folder):
  config = tagger.get_config('smoke')
  config.data.dir = str(folder)
  config.data.image_size_px = 32
  config.data.num_train, config.data.num_valid, config.data.num_test = 16, 4, 4
  config.runtime.workers = 0
  return config


def small_training(folder, seed):
  config = small_config(folder)
  config.seed = seed
  return build_training(config)


@pytest.mark.slow
def test_seeds_share_their_programs_and_differ_in_their_numbers(tmp_path):
  programs, kernels = [], []
  for seed in (0, 1):
    training = small_training(tmp_path, seed)
    batch = {key: value for key, value in training.loader.make_batch(0).items() if key != 'id'}
    lowered = training.steps[False, False].lower(training.abstract_state, batch, training.key)
    programs.append((training.init_state.lower(training.key).as_text(), lowered.as_text()))
    kernels.append(np.asarray(training.init_state(training.key).params['head']['kernel']))
  assert programs[0] == programs[1]
  assert np.abs(kernels[0] - kernels[1]).max() > 0


@pytest.mark.parametrize('policy', ['abort', 'skip', 'rollback'])
def test_every_program_of_a_run_drops_diverged_steps_only_where_they_are_to_be_skipped(
    tmp_path, monkeypatch, policy):
  made = []
  monkeypatch.setattr(step, 'make_train_step', lambda *_, drop_diverged, **__: (
      made.append(drop_diverged) or print))
  config = small_config(tmp_path)
  config.train.on_divergence = policy
  training = build_training(config)
  training.build_step(training.task, True)              # of a head alone
  assert made == [policy == 'skip'] * 5


def test_the_bar_for_missing_tags_stands_on_the_shares_of_the_training_split(tmp_path):
  training = build_training(small_config(tmp_path))
  shares = training.train_source.count_tags() / len(training.train_source)
  often = shares.argmax()
  settings = training.task.treatment.keywords
  assert shares[often] > 0.7 and settings['bar'][often] > np.log(2 * 0.7 / 0.3)
  assert settings['bar'].min() == pytest.approx(np.log(1.5))
  np.testing.assert_array_equal(settings['complete'], ~training.task.scored)


@pytest.mark.parametrize('section, key, value', [
    ('loss', 'tag_weight_power', -1.0), ('loss', 'missing', 'maybe'),
    ('train', 'mixup_alpha', -0.1), ('train', 'mixup_alpha', float('inf')),
    ('train', 'mixup_alpha', float('nan'))])
def test_senseless_numbers_are_told_by_name(tmp_path, section, key, value):
  config = small_config(tmp_path)
  config[section][key] = value
  with pytest.raises(UserError, match=f'{section}.{key} is'):
    check.check_config(config)


@pytest.mark.parametrize('way', ['listed', 'added', 'ignored'])
def test_training_batches_carry_ignored_tags_only_where_they_are_asked_for(tmp_path, way):
  config = small_config(tmp_path)
  config.data.implications = way
  training = build_training(config)
  assert ('ignored_tags' in training.loader.make_batch(0)) == (way == 'ignored')
  for loader in build_sources.build_evaluation_loaders(config, training.train_source).values():
    assert 'ignored_tags' not in loader.make_batch(0)


def test_baselines_learn_from_the_tags_as_listed(tmp_path):
  config = small_config(tmp_path)
  plain = build_sources.build_source(config, 'train')
  config.data.implications = 'added'
  added = build_sources.build_source(config, 'train')
  listed = build_sources.build_listed_source(config, added, lambda: None)
  counts = [source.count_tags(lambda: None).sum() for source in (plain, listed, added)]
  assert counts[0] == counts[1] < counts[2]
  assert listed.fingerprint == plain.fingerprint != added.fingerprint
  assert config.data.implications == 'added'


@pytest.mark.parametrize('section, key, value, words', [
    ('loss', 'missing', 'ignore', 'choices: absent, ignored, present'),
    ('loss', 'name', 'focall', "loss.name 'focall' is unknown"),
    ('loss', 'name', 'multiclass_hinge', "'tagging' is trained with; choices: sigmoid_cross_e"),
    ('loss', 'focal_gamma', -1.0, 'loss.focal_gamma is -1.0; expected at least 0'),
    ('loss', 'focal_alpha', 1.5, 'loss.focal_alpha is 1.5; expected at most 1'),
    ('loss', 'clip', float('nan'), 'loss.clip is nan; expected 0 to 1'),
    ('loss', 'name', 'root_squared_error', 'no loss that task .tagging. is trained with'),
    ('loss', 'label_smoothing', 1.0, 'label_smoothing is 1.0; expected a share'),
    ('loss', 'hinge_margin', -1.0, 'loss.hinge_margin is -1.0; expected at least 0'),
    ('loss', 'over_tags', 'max', 'choices: sum, mean'),
    ('loss', 'tag_weight_power', 1e6, 'expected 0 to 2'),
    ('train', 'mixup_alpha', -0.1, 'expected 0 to 100'),
    ('train', 'parallel', 'both', 'choices: jit, pmap'),
    ('train', 'shrink', 3, 'train.shrink is 3'),
    ('optimizer', 'name', 'adamm', "optimizer.name 'adamm' is unknown"),
    ('net', 'name', 'resnet', "no net 'resnet'"),
    ('net', 'activation', 'swish', "no activation 'swish'; choose one of relu, leaky_relu"),
    ('net', 'dtype', 'half', "net.dtype 'half' is unknown"),
    ('net', 'drop_path_rate', 1.5, 'net.drop_path_rate is 1.5; expected below 1'),
    ('net', 'batch_norm_momentum', 1.0, 'net.batch_norm_momentum is 1.0; expected below 1'),
    ('net', 'remat', ('stage9',), "'stage9', which is no stage of se_resnet_tagger"),
    ('net', 'mean', (0.5, 0.5), 'net.mean is .*expected three numbers'),
    ('net', 'std', (0.0, 1.0, 1.0), 'net.std is'),
    ('net', 'init_partial', True, 'net.init_from names no weights'),
    ('net', 'name', 'hrnet_w18_small_pose', "'tagging' wants 2; choose a net of another kind"),
    ('train', 'freeze_first_frac', -0.5, 'train.freeze_first_frac is -0.5; expected 0 to 1'),
    ('train', 'freeze', ('stagx*',), "train.freeze: 'stagx\\*' fits no parameter"),
    ('optimizer', 'lr_factors', ('stage1*', 0.1), 'optimizer.lr_factors: .* is no pair'),
    ('data', 'augment', ('mirro',), 'mirro'),
])
def test_what_cannot_be_trained_is_told_from_the_config_alone(section, key, value, words):
  config = tagger.get_config()
  config[section][key] = value
  with pytest.raises(UserError, match=words):
    check.check_config(config)


def test_every_task_names_the_losses_it_can_be_trained_with():
  assert set(TASK_LOSSES) == set(build.OUTPUTS) == set(TASKS)
  assert {name for names in TASK_LOSSES.values() for name in names} <= set(LOSSES)


def test_a_taggers_squared_error_is_that_of_its_probabilities():
  config = tagger.get_config()
  config.loss.name = 'squared_error'
  loss = build.build_loss(config.loss, 'tagging')
  np.testing.assert_allclose(loss(np.float32([0, 50, -50]), np.float32([1, 1, 1])), [0.25, 0, 1],
                             atol=1e-6)


@pytest.mark.parametrize('net, side, shrink, words', [
    ('inception_v3', 64, 1, 'at least 75 px a side, got 64 x 64'),
    ('inception_v3', 96, 2, 'at least 75 px a side, got 48 x 48'),
    ('vit_tiny_patch16', 72, 1, 'multiples of 16 px, got 72'),
    ('hrnet_w18_small', 96, 2, 'multiples of 32 px and got 48')])
def test_sizes_that_a_net_cannot_take_are_told_from_the_config_alone(net, side, shrink, words):
  config = tagger.get_config()
  config.net.name, config.data.image_size_px = net, side
  config.train.shrink, config.train.shrink_frac = shrink, 0.5 * (shrink > 1)
  with pytest.raises(UserError, match=words):
    check.check_config(config)


def test_the_net_s_pixels_can_be_others_than_its_own(tmp_path):
  config = small_config(tmp_path)
  assert build.pixel_constants(config.net) == ((127.5,) * 3, (127.5,) * 3)
  config.net.mean, config.net.std = (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)
  task = build.build_task(config, ('general',))
  assert (task.mean, task.deviation) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


def small_classes(folder):
  config = fashion.get_config('smoke')
  config.data.dir = str(folder)
  config.data.image_size_px = 32
  config.data.num_train, config.data.num_valid, config.data.num_test = 16, 4, 4
  config.runtime.workers = 0
  return config


def test_a_classifier_is_built_from_the_same_sections(tmp_path):
  config = small_classes(tmp_path)
  config.loss.label_smoothing, config.loss.tag_weight_power = 0.1, 0.5
  config.train.mixup_alpha, config.train.cutmix_alpha = 0.2, 1.0
  training = build_training(config)
  task, counts = training.task, training.train_source.count_tags()
  assert (task.num_classes, task.label_smoothing) == (len(counts), 0.1)
  assert (task.mixup_alpha, task.cutmix_alpha) == (0.2, 1.0)
  assert task.class_weights[counts.argmin()] > task.class_weights[counts.argmax()]
  assert set(training.loader.make_batch(0)) == {'id', 'mask', 'image', 'label'}
  bias = np.array(task.net.options.head_bias_init)
  np.testing.assert_allclose(np.exp(bias).sum(), 1, rtol=1e-5)
  assert bias.argmax() == counts.argmax()


def test_rare_classes_are_read_more_often_and_a_run_is_no_longer_for_it(tmp_path):
  config = small_classes(tmp_path)
  plain = build_training(config)
  config.data.oversample = 1.0
  training = build_training(config)
  assert training.num_steps == plain.num_steps
  assert training.train_source.fingerprint == plain.train_source.fingerprint
  labels = np.array([training.train_source.tags_of(row)[0] for row in range(16)])
  read = labels[training.train_rows(0, len(training.places) // 16 + 1).ravel()]
  often = np.bincount(labels[training.places])
  assert set(often[often > 0]) == {np.bincount(labels).max()}
  batch = training.loader.make_batch(0)
  np.testing.assert_array_equal(batch['label'], read[:16])


@pytest.mark.parametrize('name', TASK_LOSSES['classification'])
def test_a_classifiers_losses_are_least_where_the_class_is_sure(name):
  config = fashion.get_config('smoke')
  config.loss.name = name
  loss = build.build_loss(config.loss, 'classification')
  logits, targets = np.float32([[9, -9, -9], [0, 0, 0], [-9, 9, -9]]), np.eye(3)[[0, 0, 0]]
  sure, unsure, wrong = np.asarray(loss(logits, np.float32(targets)))
  assert sure < 1e-4 < unsure < wrong


@pytest.mark.parametrize('section, key, value, words', [
    ('data', 'labels', 'tags', "'classification'; choose classes with --config.data.labels="),
    ('data', 'implications', 'added', 'a class entails no other'),
    ('data', 'oversample', 1.5, 'data.oversample is 1.5; expected 0 to 1'),
    ('data', 'pixels', 'all', "data.pixels is 'all'; choices: net, train"),
    ('loss', 'name', 'focal', "no loss that task 'classification' is trained with; choices: so"),
    ('train', 'cutmix_alpha', -1.0, 'train.cutmix_alpha is -1.0; expected 0 to 100'),
    ('train', 'cache_features', True, 'in no step does the head alone learn'),
    (None, 'checkpoint', 'last', "checkpoint is 'last'; choices: latest, best"),
    (None, 'task', 'sorting', "task 'sorting' is unknown; choices: tagging, classification")])
def test_what_no_classifier_can_be_trained_with_is_told(section, key, value, words):
  config = fashion.get_config('smoke')
  (config[section] if section else config)[key] = value
  with pytest.raises(UserError, match=words):
    check.check_config(config)


@pytest.mark.parametrize('changes, words', [
    ((('loss', 'name', 'multiclass_hinge'), ('loss', 'label_smoothing', 0.1)), 'has no use for'),
    ((('data', 'pixels', 'train'), ('net', 'mean', (1.0, 2.0, 3.0))), 'leave one of the two out')])
def test_settings_that_contradict_each_other_are_told(changes, words):
  config = fashion.get_config('smoke')
  for section, key, value in changes:
    config[section][key] = value
  with pytest.raises(UserError, match=words):
    check.check_config(config)


def test_a_tagger_s_pictures_are_not_oversampled():
  config = tagger.get_config('smoke')
  config.data.oversample = 0.5
  with pytest.raises(UserError, match="it evens out classes.*set task to 'classification'"):
    check.check_config(config)


def test_measured_pixels_take_the_place_of_the_net_s(tmp_path, capsys):
  config = small_config(tmp_path)
  config.data.pixels = 'train'
  task = build_training(config).task
  assert 'pixels of 16 training pictures: mean ' in capsys.readouterr().out
  source = build_sources.build_source(config, 'train')
  images = build_data.build_pixel_loader(config, source).make_batch(0)
  images = images['image'][images['mask'] > 0].astype(np.float64)
  np.testing.assert_allclose(task.mean, images.mean(axis=(0, 1, 2)))
  np.testing.assert_allclose(task.deviation, images.std(axis=(0, 1, 2)))
  again = build_training(config, pixels=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))).task
  assert again.mean == (1.0, 2.0, 3.0) and capsys.readouterr().out == ''


def test_labels_of_a_persons_own_pictures_are_not_turned_round():
  config = tagger.get_config('folder')
  config.data.flipped_share = 0.3
  with pytest.raises(UserError, match="data.source is 'folder', not toon"):
    check.check_config(config)
