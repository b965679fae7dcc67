"""An export is replaced as a whole: never files of two steps, never files of somebody else."""

import json

import pytest

from errors import UserError
from tests import fake_store
from tests.fake_store import FakeStore, Fault
from train_lib.export import export_folder
from train_lib.export.export_folder import FILES, STAGING, replaced
from train_lib.storage import lock, records, remote


def write(folder, step, names=('config.json', 'model.safetensors', 'model.onnx')):
  with replaced(folder) as staging:
    for name in names:
      (staging / name).parent.mkdir(exist_ok=True)
      (staging / name).write_text(json.dumps({'oko': step}))


def contents(folder):
  return {path.relative_to(folder).as_posix(): path.read_text()
          for path in folder.rglob('*') if path.is_file()}


def test_files_that_are_not_written_this_time_are_gone(tmp_path):
  write(tmp_path / 'out', 1, (*FILES,))
  write(tmp_path / 'out', 2)
  assert contents(tmp_path / 'out') == {
      name: '{"oko": 2}' for name in ('config.json', 'model.safetensors', 'model.onnx')}
  assert not (tmp_path / 'out' / 'tagger').exists()


def test_an_error_leaves_the_older_export_as_it_was(tmp_path):
  write(tmp_path, 1)
  before = contents(tmp_path)
  with pytest.raises(RuntimeError), replaced(tmp_path) as staging:
    (staging / 'model.onnx').write_text('new')
    raise RuntimeError
  assert contents(tmp_path) == before


def test_an_error_leaves_no_folder_where_there_was_none(tmp_path):
  with pytest.raises(RuntimeError), replaced(tmp_path / 'out'):
    raise RuntimeError
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('moves', (0, 1, 5, 9, 10, 11, 12))
def test_a_stop_while_files_are_moved_never_mixes_two_steps(tmp_path, monkeypatch, moves):
  write(tmp_path, 1, FILES[:8])
  calls = []

  def stop(kind, original):
    def count(self, *args, **options):
      if self.name in FILES or self.parent.name == 'tagger':
        calls.append(kind)
        if len(calls) > moves:
          raise KeyboardInterrupt
      return original(self, *args, **options)
    return count

  kind = type(export_folder.records.absolute(tmp_path))
  with monkeypatch.context() as patch:
    patch.setattr(kind, 'unlink', stop('unlink', kind.unlink))
    patch.setattr(kind, 'replace', stop('replace', kind.replace))
    with pytest.raises(KeyboardInterrupt):
      write(tmp_path, 2)
  left = {name: text for name, text in contents(tmp_path).items() if not name.startswith(STAGING)}
  assert len(set(left.values())) <= 1
  assert 'config.json' not in left or len(left) == 8
  write(tmp_path, 3)
  assert set(contents(tmp_path).values()) == {'{"oko": 3}'}


def test_what_a_killed_export_left_is_cleared_away(tmp_path):
  (tmp_path / STAGING).mkdir()
  (tmp_path / STAGING / 'model.onnx').write_text('half')
  (tmp_path / 'model.onnx').write_text('of a move that was stopped')
  write(tmp_path, 1)
  assert set(contents(tmp_path).values()) == {'{"oko": 1}'}


def test_two_exports_into_one_folder_do_not_meet(tmp_path):
  with replaced(tmp_path), pytest.raises(UserError, match='is in use by process'):
    write(tmp_path, 2)


def test_other_files_stay(tmp_path):
  (tmp_path / 'notes.txt').write_text('mine')
  write(tmp_path, 1)
  write(tmp_path, 2)
  assert contents(tmp_path)['notes.txt'] == 'mine'


@pytest.mark.parametrize('name, text', [('README.md', 'mine'), ('config.json', '{"net": {}}')])
def test_files_of_somebody_else_are_not_replaced(tmp_path, name, text):
  (tmp_path / name).write_text(text)
  with pytest.raises(UserError, match=f'holds {name}, which --job=export did not write'):
    write(tmp_path, 1)
  assert contents(tmp_path) == {name: text}


def test_an_export_of_a_former_version_is_replaced(tmp_path):
  for name in ('model.json', 'model.safetensors'):
    (tmp_path / name).write_text('old')
  write(tmp_path, 1, ('config.json', 'model.safetensors'))
  assert contents(tmp_path) == dict.fromkeys(('config.json', 'model.safetensors'), '{"oko": 1}')


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
  (tmp_path / 'out').write_text('')
  with pytest.raises(UserError, match='is a file; name a folder'):
    write(tmp_path / 'out', 1)


def store_contents(folder):
  return {name.removeprefix('out/'): (folder.parent / name).read_text()
          for name in fake_store.names('out/')}


@pytest.fixture
def out(tmp_path, monkeypatch):
  """A folder in a fake object store."""
  monkeypatch.setattr(lock, 'SETTLE_SEC', 0.0)
  return records.absolute(fake_store.install(tmp_path / 'store')) / 'out'


def test_an_export_into_a_store_takes_the_place_of_an_older_one(out):
  write(out, 1, (*FILES,))
  write(out, 2)
  wanted = {name: '{"oko": 2}' for name in ('config.json', 'model.safetensors', 'model.onnx')}
  assert store_contents(out) == wanted
  with pytest.raises(RuntimeError), replaced(out):
    raise RuntimeError
  assert store_contents(out) == wanted
  records.write_text(out.parent / 'other' / 'model.onnx', 'theirs')
  with pytest.raises(UserError, match='holds model.onnx'):
    write(out.parent / 'other', 1)


@pytest.mark.parametrize('after', range(12))
def test_an_export_into_a_store_that_breaks_off_never_mixes_two_steps(out, monkeypatch, after):
  monkeypatch.setattr(remote, 'WAITS_SEC', ())
  write(out, 1, FILES[:6])
  FakeStore.faults = [Fault(of, 'out/', times=99, after=after) for of in ('put', 'delete')]
  try:
    write(out, 2, FILES[:6])
  except (OSError, UserError):
    pass
  FakeStore.faults = []
  found = store_contents(out)
  if 'config.json' in found:
    assert len({found[name] for name in FILES[:6]}) == 1
  (out / STAGING / 'lock.json').unlink(missing_ok=True)
  write(out, 3, FILES[:6])
  assert store_contents(out) == {name: '{"oko": 3}' for name in FILES[:6]}
