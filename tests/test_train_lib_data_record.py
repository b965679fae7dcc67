import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import base
from data.batch import contents_of
from data.sources.folder import build_folder
from errors import UserError
from tests.small_workdirs import Given, write_picture
from train_lib import data_record, workdir
from train_lib.storage import records

PICTURES = {'a.png': ('11', 'x', 'train'), 'b.png': ('22', 'x', 'train'),
            'c.png': ('33', 'x', 'valid'), 'd.png': ('44', 'y', 'train')}
TAGS = ('red', 'blue', 'green')
# what was done: (pictures of now, phrases)
CHANGES = {
    'added': ({**PICTURES, 'e.png': ('55', 'x', 'train')},
              ['1 picture added .e.png.', '4 pictures instead of 3']),
    'removed': ({name: PICTURES[name] for name in ('a.png', 'b.png')},
                ['2 pictures removed .c.png, d.png.', '2 pictures instead of 3']),
    'edited': ({**PICTURES, 'b.png': ('99', 'x', 'train')}, ['1 picture edited .b.png.']),
    'other tags': ({**PICTURES, 'a.png': ('11', 'z', 'train')},
                   ['1 picture with other tags .a.png.']),
    'moved': ({**PICTURES, 'c.png': ('33', 'x', 'test')}, ['1 picture in another split .c.png.']),
    'nothing that is noted': (PICTURES, ['something else that is read']),
}


@pytest.mark.parametrize('what', CHANGES)
def test_changed_data_are_refused_with_the_difference_and_go_on_when_accepted(tmp_path, what):
  pictures, phrases = CHANGES[what]
  data_record.check_data(tmp_path, Given('aaa', TAGS, PICTURES))
  before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
  for phrase in ['fingerprint aaa, now bbb', 'accept_changed_data=True', *phrases]:
    with pytest.raises(UserError, match=phrase):
      data_record.check_data(tmp_path, Given('bbb', TAGS, pictures))
  assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
  data_record.check_data(tmp_path, Given('bbb', TAGS, pictures), accept_changed=True)
  run = workdir.read_run(tmp_path)
  [accepted] = run['accepted_changes']
  assert run['fingerprint'] == 'bbb' and (accepted['from'], accepted['to']) == ('aaa', 'bbb')
  assert len(accepted['changes']) == len(phrases)
  data_record.check_data(tmp_path, Given('bbb', TAGS, pictures))
  with pytest.raises(UserError, match='fingerprint bbb, now aaa'):
    data_record.check_data(tmp_path, Given('aaa', TAGS, PICTURES))


@pytest.mark.parametrize('tags, phrases', [
    (('red', 'green', 'blue'), ['2 tags in another order .green, blue.']),
    (('red', 'blue', 'green', 'grey'), ['1 tag added .grey.']),
    (('red', 'green'), ['1 tag removed .blue.'])])
def test_other_tags_are_told_and_never_accepted(tmp_path, tags, phrases):
  data_record.check_data(tmp_path, Given('aaa', TAGS, PICTURES))
  for phrase in [*phrases, 'net.init_from']:
    with pytest.raises(UserError, match=phrase):
      data_record.check_data(tmp_path, Given('bbb', tags, PICTURES), accept_changed=True)
  assert workdir.read_run(tmp_path)['fingerprint'] == 'aaa'


def test_a_run_begun_before_pictures_were_noted_still_tells_of_its_tags(tmp_path):
  workdir.update_run(tmp_path, fingerprint='aaa')
  records.write_json(tmp_path / 'tags.json', {'names': TAGS, 'categories': ['general'] * 3})
  with pytest.raises(UserError, match='1 tag removed .green.'):
    data_record.check_data(tmp_path, Given('bbb', TAGS[:2]))


def test_many_pictures_are_named_by_a_few(tmp_path):
  many = {f'{number}.png': ('1', '2', 'train') for number in range(2000)}
  data_record.check_data(tmp_path, Given('aaa', TAGS, {}))
  with pytest.raises(UserError, match=r'2,000 pictures added \(0.png, 1.png, 2.png, ...\)'):
    data_record.check_data(tmp_path, Given('bbb', TAGS, many))


def test_a_damaged_list_of_pictures_costs_the_names_alone(tmp_path, caplog):
  data_record.check_data(tmp_path, Given('aaa', TAGS, PICTURES))
  path = tmp_path / data_record.FILES
  path.write_bytes(path.read_bytes()[:-9])
  with pytest.raises(UserError, match='3 pictures instead of 4|instead of 3'):
    data_record.check_data(tmp_path, Given('bbb', TAGS, CHANGES['added'][0]))
  assert 'data_files.csv.gz is damaged' in caplog.text


def test_names_of_any_bytes_are_kept(tmp_path):
  odd = {'caf\udce9, "x"\n.png': ('11', 'x', 'train')}
  data_record.check_data(tmp_path, Given('aaa', TAGS, odd))
  with pytest.raises(UserError, match='1 picture edited'):
    data_record.check_data(tmp_path, Given('bbb', TAGS, {name: ('22', 'x', 'train')
                                                         for name in odd}))


@pytest.fixture
def folder(tmp_path):
  for number in range(24):
    write_picture(tmp_path / 'pictures' / ('cat', 'dog', 'cow')[number % 3] / f'{number}.png',
                  20 + number)
  return tmp_path / 'pictures'


def test_a_folder_tells_of_its_pictures_what_was_done_to_them(folder, tmp_path):
  config = ConfigDict(base.get_config().data)
  config.update(path=str(folder), valid_frac=0.2, test_frac=0.2)
  before = build_folder(config, 'train')
  assert len(contents_of(before)) == 24 and contents_of(build_folder(config, 'test')) is None
  data_record.check_data(tmp_path, before)
  data_record.check_data(tmp_path, build_folder(config, 'train'))
  write_picture(folder / 'cat' / '0.png', 90)
  (folder / 'dog' / '1.png').rename(folder / 'dog' / 'other.png')
  with pytest.raises(UserError) as refusal:
    data_record.check_data(tmp_path, build_folder(config, 'train'))
  for phrase in ('1 picture added (dog/other.png)', '1 picture removed (dog/1.png)',
                 '1 picture edited (cat/0.png)'):
    assert phrase in str(refusal.value)


def test_contents_are_not_sent_to_workers(folder):
  import pickle
  config = ConfigDict(base.get_config().data)
  config.update(path=str(folder), valid_frac=0.2, test_frac=0.2)
  source = build_folder(config, 'train')
  copy = pickle.loads(pickle.dumps(source))
  assert contents_of(copy) == {} and np.array_equal(copy.tags_of(3), source.tags_of(3))
