"""What is kept of an archive on disk: found again, noticed when outdated, rebuilt when damaged."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data.sources import board
from errors import UserError
from tests import board_archives as archives

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path):
  (tmp_path / 'archive').mkdir()
  archives.write_posts(tmp_path / 'archive', archives.make_posts(60))
  return tmp_path / 'archive'


@pytest.fixture
def readings(monkeypatch):
  """A list that grows with every reading of an archive."""
  done, build = [], board._build
  monkeypatch.setattr(board, '_build', lambda *arguments: (done.append(1), build(*arguments)))
  monkeypatch.setattr(board, '_checked', {})
  return done


def build(folder, **changes):
  return archives.build(folder, folder.parent / 'cache', **changes)


def index_folder(folder):
  found, = (path for path in (folder.parent / 'cache/boards').iterdir() if path.is_dir())
  return found


def test_an_archive_is_read_once(folder, readings):
  first = build(folder)
  second = build(folder)
  assert len(readings) == 1
  for split in first:
    assert archives.contents(first[split]) == archives.contents(second[split])
  assert second['train'].fingerprint == first['train'].fingerprint
  assert second['train'].description == first['train'].description


def add_line(folder):
  with (folder / 'posts.json').open('a') as file:
    file.write('\n')


def add_picture(folder):
  (folder / 'images/new.jpg').write_bytes(b'new')


def remove_picture(folder):
  next(folder.rglob('*.jpg')).unlink()


def touch_metadata(folder):
  os.utime(folder / 'posts.json', ns=(1, 1))


def add_metadata(folder):
  archives.write_lines(folder / 'more.json', map(archives.new_row, archives.make_posts(9, 900)))


@pytest.mark.parametrize('change', [add_line, add_picture, remove_picture, touch_metadata])
def test_a_changed_archive_is_read_again(folder, readings, change):
  build(folder)
  change(folder)
  build(folder)
  assert len(readings) == 2


def test_a_changed_list_is_noticed(folder, readings):
  (folder / 'unwanted.txt').write_text('general_2\n')
  first = build(folder, blacklist='unwanted.txt')['train']
  (folder / 'unwanted.txt').write_text('general_2\ngeneral_3\n')
  second = build(folder, blacklist='unwanted.txt')['train']
  assert len(readings) == 2 and first.fingerprint != second.fingerprint


def test_changed_files_beside_the_pictures_are_noticed(tmp_path, readings):
  (tmp_path / 'archive').mkdir()
  archives.write_sidecars(tmp_path / 'archive', archives.make_posts(60))
  first = build(tmp_path / 'archive')['train']
  assert build(tmp_path / 'archive')['train'].fingerprint == first.fingerprint
  assert len(readings) == 1
  path = next((tmp_path / 'archive').rglob('*.txt'))
  path.write_text(path.read_text() + '\nanother tag')
  assert build(tmp_path / 'archive')['train'].fingerprint != first.fingerprint
  picture = next((tmp_path / 'archive').rglob('*.jpg'))
  picture.write_bytes(b'another content of another length')
  build(tmp_path / 'archive')
  assert len(readings) == 3


def test_other_settings_have_an_index_of_their_own(folder, readings):
  for _ in range(2):
    build(folder)
    build(folder, num_pictures=30)
    build(folder, valid_frac=0.3)
    build(folder, bad_limit_frac=0.5)  # decides nothing but whether to go on
  assert len(readings) == 3


def test_the_fingerprint_follows_what_training_sees(folder):
  prints = [build(folder)['train'].fingerprint]
  post = archives.make_posts(60)[6]
  text = (folder / 'posts.json').read_text()
  (folder / 'posts.json').write_text(text + '\n')
  assert build(folder)['train'].fingerprint == prints[0]  # an empty line
  (folder / 'posts.json').write_text(text.replace('general_3', 'general_x'))
  prints.append(build(folder)['train'].fingerprint)
  (folder / 'posts.json').write_text(text.replace(post['md5'], 'f' * 32))
  archives.write_pictures(folder, [post | {'md5': 'f' * 32}], 'images/{start}/{md5}.{ext}')
  prints.append(build(folder)['train'].fingerprint)
  (folder / 'posts.json').write_text(text)
  add_metadata(folder)
  archives.write_pictures(folder, archives.make_posts(9, 900), 'images/{start}/{md5}.{ext}')
  prints.append(build(folder)['train'].fingerprint)
  prints.append(build(folder, most={'general': 2})['train'].fingerprint)
  prints.append(build(folder, split='id', test_frac=0.95, valid_frac=0.02)['train'].fingerprint)
  assert len(set(prints)) == 6


def test_an_archive_may_move_without_another_fingerprint(folder):
  before = build(folder)['train'].fingerprint
  folder.rename(folder.parent / 'moved')
  assert build(folder.parent / 'moved')['train'].fingerprint == before


def cut(path):
  path.write_bytes(path.read_bytes()[:-9])


def empty(path):
  path.write_bytes(b'')


def scribble(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2:len(data) // 2 + 8] = b'\xff\x00scrib'[:8]
  path.write_bytes(data)


def remove(path):
  path.unlink()


@pytest.mark.parametrize('damage', [cut, empty, scribble, remove])
@pytest.mark.parametrize('name', ['index.json', 'names.npy', 'name_starts.npy', 'tags.npy',
                                  'tag_starts.npy', 'implied.npy'])
def test_a_damaged_index_is_rebuilt(folder, readings, damage, name):
  wanted = build(folder)
  damage(index_folder(folder) / name)
  found = build(folder)
  assert len(readings) == 2
  assert archives.contents(found['test']) == archives.contents(wanted['test'])
  build(folder)
  assert len(readings) == 2


@pytest.mark.parametrize('text', ['[]', '{}', '{"version": 0}', '{"version": 1, "checksums": []}'])
def test_an_index_of_another_version_or_none_is_rebuilt(folder, readings, text):
  build(folder)
  (index_folder(folder) / 'index.json').write_text(text)
  build(folder)
  assert len(readings) == 2


def test_a_reading_that_is_killed_leaves_nothing_half(folder):
  archives.write_lines(folder / 'posts.json', map(archives.new_row, archives.make_posts(3000)))
  archives.write_pictures(folder, archives.make_posts(3000), 'images/{start}/{md5}.{ext}')
  code = ('import sys, time\n'
          'from tests import board_archives as archives\n'
          'from data.board import index\n'
          'save = index.save_index\n'
          'def slow(*arguments):\n'
          '  save(*arguments)\n'
          '  print("saved", flush=True)\n'
          '  time.sleep(60)\n'
          'index.save_index = slow\n'
          'archives.build(sys.argv[1], sys.argv[2])\n')
  environment = os.environ | {'PYTHONPATH': str(ROOT)}
  process = subprocess.Popen([sys.executable, '-c', code, folder, folder.parent / 'cache'],
                             env=environment, stdout=subprocess.PIPE, text=True)
  assert process.stdout.readline() == 'saved\n'
  process.send_signal(signal.SIGKILL)
  process.wait()
  process.stdout.close()
  left = [path.name for path in (folder.parent / 'cache/boards').iterdir()]
  assert any(name.startswith('.') for name in left)
  assert not any(path.is_dir() and not path.name.startswith('.')
                 for path in (folder.parent / 'cache/boards').iterdir())
  assert sum(map(len, build(folder).values())) == 3000
  assert sorted(path.name.split('.')[-1] for path in (folder.parent / 'cache/boards').iterdir()
                ) == sorted([index_folder(folder).name, 'lock'])


def test_two_programs_read_an_archive_once(folder):
  code = ('import sys\nfrom data.sources import board\n'
          'from tests import board_archives as archives\n'
          'build = board._build\n'
          'board._build = lambda *arguments: (print("read", flush=True), build(*arguments))\n'
          'print(archives.build(sys.argv[1], sys.argv[2])["train"].fingerprint)\n')
  environment = os.environ | {'PYTHONPATH': str(ROOT)}
  programs = [subprocess.Popen([sys.executable, '-c', code, folder, folder.parent / 'cache'],
                               env=environment, stdout=subprocess.PIPE, text=True)
              for _ in range(2)]
  said = ''.join(program.communicate(timeout=300)[0] for program in programs)
  assert said.count('read') == 1 and len(set(said.replace('read\n', '').split())) == 1


def test_valid_and_test_take_what_train_has_found(folder, readings):
  config = archives.make_config(folder, folder.parent / 'cache')
  train = board.build_board(config, 'train')
  add_line(folder)  # somebody goes on collecting
  add_picture(folder)
  valid = board.build_board(config, 'valid')
  assert len(readings) == 1 and valid.fingerprint == train.fingerprint
  board.build_board(config, 'train')
  assert len(readings) == 2


def test_prepared_data_inside_the_archive_do_not_make_it_new(folder, readings):
  for _ in range(3):
    archives.build(folder, folder / 'prepared')
  assert len(readings) == 1


def test_a_folder_that_cannot_be_written_is_named(folder):
  (folder.parent / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write to .*--config.data.dir='):
    archives.build(folder, folder.parent / 'file')


def test_a_large_archive_starts_again_at_once(tmp_path):
  posts = [post | {'content': b''} for post in archives.make_posts(3000)]
  (tmp_path / 'archive').mkdir()
  archives.write_posts(tmp_path / 'archive', posts)
  build(tmp_path / 'archive')
  began = time.process_time()
  build(tmp_path / 'archive')
  assert time.process_time() - began < 0.5


def test_the_benchmark_measures_a_small_archive(tmp_path):
  command = [sys.executable, ROOT / 'benchmarks/board_index.py', f'--folder={tmp_path}',
             '--records=300', '--tags=500', '--tags_each=10']
  lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
  assert [line.partition(':')[0] for line in lines[-4:]] == [
      'first reading', 'second start', 'third start', 'index']
  assert all('300 pictures' in line for line in lines[-4:-1])
