import pytest

from errors import UserError
from tests import fake_store
from tests.fake_store import FakeStore, Fault
from train_lib.storage import records, remote


@pytest.fixture
def store(tmp_path, monkeypatch):
  monkeypatch.setattr(remote, 'WAITS_SEC', (0.0, 0.0))
  return records.absolute(fake_store.install(tmp_path / 'store'))


@pytest.mark.parametrize('what', ['drop', 'cut'])
@pytest.mark.parametrize('times', [1, 2])
def test_a_write_whose_connection_breaks_off_is_done_again(store, what, times):
  FakeStore.faults = [Fault('put', 'run.json', what, times)]
  records.write_json(store / 'run' / 'run.json', {'step': 3})
  assert records.read_json(store / 'run' / 'run.json') == {'step': 3}
  assert FakeStore.faults[0].times == 0


def test_a_store_that_keeps_failing_is_told_with_its_reason(store):
  FakeStore.faults = [Fault('put', 'run.json', times=9)]
  with pytest.raises(OSError, match='the store failed .the connection was reset.*run/run.json'):
    records.write_json(store / 'run' / 'run.json', {})
  FakeStore.faults = [Fault('get', 'run.json', times=9)]
  with pytest.raises(OSError, match='the store failed'):
    records.read_json(store / 'run' / 'run.json')
  FakeStore.faults = []
  with pytest.raises(UserError, match='does not exist'):
    records.read_json(store / 'run' / 'run.json')


def test_an_object_that_was_stored_in_part_is_noticed(store, monkeypatch):
  monkeypatch.setattr(FakeStore, 'put_object', lambda self, name, content: self._file(
    name).write_bytes(content[:2]))
  with pytest.raises(OSError, match='2 of 5 bytes were stored'):
    records.write_text(store / 'labels.txt', 'hello')


def test_rows_are_kept_back_and_written_before_they_are_read(store, monkeypatch):
  monkeypatch.setattr(remote, 'REST_SEC', 1e6)
  path = store / 'run' / 'metrics.jsonl'
  records.write_text(path, '{"step": 1}\n{"step"')
  for step in range(2, 5):
    records.append_jsonl(path, [{'step': step}])
  assert b'"step": 4' not in remote.get(path)
  assert [row['step'] for row in records.read_jsonl(path)] == [1, 2, 3, 4]
  records.append_jsonl(path, [{'step': 5}])
  records.flush(store / 'run')
  assert b'"step": 5' in remote.get(path)
  records.append_jsonl(path, [{'step': 6}])
  assert records.drop_rows_after(path, 5) == 1
  records.append_jsonl(path, [{'step': 7}])
  assert [row['step'] for row in records.read_jsonl(path)] == [1, 2, 3, 4, 5, 7]


def test_rows_that_a_store_refused_stand_once_when_they_come_again(store, monkeypatch):
  monkeypatch.setattr(remote, 'REST_SEC', 0.0)
  path = store / 'run' / 'metrics.jsonl'
  records.append_jsonl(path, [{'step': 1}])
  FakeStore.faults = [Fault('put', 'metrics.jsonl', times=9)]
  for _ in range(2):
    with pytest.raises(OSError, match='the store failed'):
      records.append_jsonl(path, [{'step': 2}])
  FakeStore.faults = []
  records.append_jsonl(path, [{'step': 2}, {'step': 3}])
  assert [row['step'] for row in records.read_jsonl(path)] == [1, 2, 3]


def test_a_bucket_that_is_not_there_is_told(store):
  with pytest.raises(OSError, match="no such bucket: 'gs://other/run/run.json'"):
    records.write_json('gs://other/run/run.json', {})


def test_an_unknown_kind_of_store_is_refused_with_the_choices():
  with pytest.raises(UserError, match='ftp://, which is no kind.*gs://, s3://, az://, hf://'):
    records.absolute('ftp://host/run')


@pytest.mark.parametrize('path, hint', [('gs://bucket/run', r"gcsfs.*pip install -e '\.\[gcs\]'"),
                                        ('s3://bucket/run', 's3fs.*pip install s3fs')])
def test_a_store_whose_package_is_missing_is_refused_with_what_to_install(path, hint, monkeypatch):
  def missing(name):
    raise ImportError(name)

  monkeypatch.setattr('fsspec.get_filesystem_class', missing)
  with pytest.raises(UserError, match=f'needs the package {hint}'):
    records.absolute(path)


def test_a_local_file_is_copied_whole(store, tmp_path):
  (tmp_path / 'events').write_bytes(b'12345')
  for target in (store / 'tensorboard' / 'events', tmp_path / 'there' / 'events'):
    records.copy_file(tmp_path / 'events', target)
    assert target.read_bytes() == b'12345'


def test_the_fake_refuses_what_no_store_does(store):
  records.write_text(store / 'a', 'x')
  with pytest.raises(NotImplementedError, match='renames'):
    (store / 'a').rename(store / 'b')
  with pytest.raises(NotImplementedError, match='opens'):
    (store / 'a').open('ab')
  assert fake_store.names() == ['a'] and not (store / 'b').exists()


def test_jobs_that_need_a_folder_of_this_machine_say_so(store, tmp_path):
  assert records.local_folder(tmp_path, 'clusters') == tmp_path
  with pytest.raises(UserError, match="clusters need a folder of this machine, and 'gs://bucket/x'"
                                      '.*--output='):
    records.local_folder('gs://bucket/x', 'clusters')


def test_what_only_a_file_of_this_machine_can_be_is_copied_and_the_copy_goes(store, tmp_path):
  records.write_text(store / 'export' / 'model.safetensors', 'weights')
  with remote.local_file(store / 'export' / 'model.safetensors') as path:
    assert path.name == 'model.safetensors' and path.read_text() == 'weights'
  assert not path.exists()
  (tmp_path / 'a').write_text('b')
  with remote.local_file(tmp_path / 'a') as path:
    assert path == tmp_path / 'a'
