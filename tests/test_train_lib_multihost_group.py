"""What several processes need beyond one: refusals, one voice, one report."""

import jax
import numpy as np
import pytest

from configs import tagger
from data.loader import Loader
from errors import UserError
from train_lib import loop, metrics_log, reporting
from train_lib.evaluation import Outcome
from train_lib.multihost import distributed, group, processes


@pytest.fixture
def second_of_two(monkeypatch):
  monkeypatch.setattr(distributed, 'size', lambda: 2)
  monkeypatch.setattr(distributed, 'index', lambda: 1)


@pytest.mark.parametrize('section, key, value, message', [
    ('train', 'parallel', 'pmap', "'pmap' is for one process"),
    ('train', 'cache_features', True, 'train.cache_features is for one process'),
    ('runtime', 'dry_run', True, 'runtime.dry_run is for one process'),
    ('data.persons', 'cut', 'pose', "data.persons.cut 'pose' looks for people with one process"),
])
@pytest.mark.usefixtures('second_of_two')
def test_what_needs_one_process_is_refused_by_several(section, key, value, message):
  config = tagger.get_config('smoke')
  config.update_from_flattened_dict({f'{section}.{key}': value})
  with pytest.raises(UserError, match=message):
    group.check(config, 'runs/x')


def test_processes_that_do_not_know_of_each_other_are_refused(monkeypatch):
  monkeypatch.setattr(jax, 'process_count', lambda: 4)
  with pytest.raises(UserError, match='JAX sees 4 processes .* with --distributed'):
    group.check(tagger.get_config('smoke'), 'runs/x')


def test_one_process_shares_its_folder_with_nobody(tmp_path):
  group.check(tagger.get_config('smoke'), str(tmp_path))
  group.check_shared(tmp_path)
  assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures('second_of_two')
def test_the_first_process_speaks_and_writes_figures_for_all(tmp_path, monkeypatch, capsys):
  config = tagger.get_config('smoke')
  reporting.say('nobody hears it')
  assert capsys.readouterr().out == ''
  log = metrics_log.MetricsLog(tmp_path, 0, config)
  log.write(1, {'train/loss': 1.0})
  log.close()
  assert list(tmp_path.iterdir()) == [] and not processes.is_first()


@pytest.mark.usefixtures('second_of_two')
def test_every_process_lists_the_pictures_that_it_could_not_read(tmp_path):
  loader = Loader(Numbers(), (), batch_size=4, train=False)
  loader.bad_images.add('a.png', 'torn')
  loop.note_bad_images(tmp_path, loader)
  assert [path.name for path in tmp_path.iterdir()] == ['bad_images-1.jsonl']
  assert 'torn' in (tmp_path / 'bad_images-1.jsonl').read_text()


class Numbers:
  """A source of pictures that are their own numbers."""
  max_tags, max_ignored, tag_names = 1, 0, ('tag',)

  def __len__(self):
    return 10

  def __getitem__(self, index):
    return {'id': str(index), 'image': np.full((2, 2, 3), index, np.uint8),
            'tags': np.zeros(1, np.int32)}


@pytest.mark.parametrize('train', [False, True])
def test_a_loader_made_whole_reads_the_rows_of_all_shards(train):
  shards = [Loader(Numbers(), (), batch_size=4, train=train, shard_index=index, shard_count=2)
            for index in range(2)]
  for k in range(3):
    parts, whole = [shard.make_batch(k) for shard in shards], shards[1].whole().make_batch(k)
    for key in ('image', 'mask'):
      assert (np.concatenate([part[key] for part in parts]) == whole[key]).all()
    assert [name for part in parts for name in part['id']] == list(whole['id'])
  assert shards[1].whole().bad_images is shards[1].bad_images
  assert len(shards[1].make_batch(0)['id']) == 2        # and is itself as it was


def test_what_all_have_measured_is_given_to_the_report_of_one():
  valid, test = Outcome({'loss': 1.0}, None, None, 1.0), Outcome({'loss': 2.0}, None, None, 1.0)
  loaders, polled = [object(), object()], []
  replayed = group.Replayed(None, None, {id(loaders[0]): valid, id(loaders[1]): test})
  assert replayed.evaluate({}, loaders[1], poll=lambda: polled.append(1)) is test
  assert replayed.evaluate({}, loaders[0]) is valid
  assert polled == [1]
