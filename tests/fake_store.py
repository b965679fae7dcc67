"""A fake of gs:// for the tests: objects are files of one local folder, under their quoted names.

It is a fake, and no proof of what Google's store does: it stands in for the package gcsfs below
etils' own code, so that paths such as gs://bucket/run go the same way as real ones. It does what an
object store does (put, get, list and delete whole objects) and refuses what none does: appending,
renaming, and dates of change. Faults are put in by `Fault`s.

`python -m tests.fake_store FOLDER FAULTS [flags of main.py]` runs the main command on it; FAULTS is
a JSON list of the arguments of `Fault`.
"""

import dataclasses
import io
import json
import os
import pathlib
import runpy
import secrets
import sys
import time
import urllib.parse

import fsspec

from train_lib.storage import records

BUCKET = 'bucket'
ROOT = f'gs://{BUCKET}'


@dataclasses.dataclass
class Fault:
  """What goes wrong with some operations.

  Attributes:
    of: 'put', 'get' or 'delete'.
    name: a part of the names of the objects that it happens to.
    what: 'drop': the connection breaks off, nothing is done; 'cut': only half arrives, and then
      the connection breaks off; 'stop': everything stops there for good, and `flag` is touched.
    times: how often.
    after: how many such operations are let pass before.
  """
  of: str
  name: str
  what: str = 'drop'
  times: int = 1
  after: int = 0
  flag: str = ''

  def meet(self, of: str, name: str) -> str:
    """What happens to an operation: '' is nothing."""
    if of != self.of or self.name not in name or not self.times:
      return ''
    if self.after:
      self.after -= 1
      return ''
    self.times -= 1
    if self.what == 'stop':
      pathlib.Path(self.flag).touch()
      time.sleep(1000)
    return self.what


class FakeStore(fsspec.AbstractFileSystem):
  """The fake; `folder` and `faults` are of all its instances."""

  protocol = ('gs', 'gcs')
  cachable = False
  folder: pathlib.Path = None
  faults: list = []

  # What a store has

  def _open(self, path, mode='rb', **_):
    name = self._strip_protocol(path)
    if mode == 'wb':
      return Upload(self, name)
    if mode != 'rb':
      raise NotImplementedError(f'no store opens an object as {mode!r}')
    return io.BytesIO(self.cat_object(name))

  def cat_object(self, name):
    what = self._fault('get', name)
    if what == 'drop':
      raise ConnectionError('the connection was reset')
    try:
      content = self._file(name).read_bytes()
    except FileNotFoundError:
      raise FileNotFoundError(name) from None
    return content[:len(content) // 2] if what == 'cut' else content

  def put_object(self, name, content):
    if not name.startswith(f'{BUCKET}/'):
      raise FileNotFoundError(name)
    what = self._fault('put', name)
    if what == 'drop':
      raise ConnectionError('the connection was reset')
    half = self.folder.parent / f'.{secrets.token_hex(8)}'
    half.write_bytes(content[:len(content) // 2] if what == 'cut' else content)
    os.replace(half, self._file(name))
    if what == 'cut':
      raise ConnectionError('the connection was reset')

  def rm_file(self, path):
    name = self._strip_protocol(path)
    if self._fault('delete', name):
      raise ConnectionError('the connection was reset')
    try:
      self._file(name).unlink()
    except FileNotFoundError:
      raise FileNotFoundError(name) from None

  _rm = rm_file

  def rm(self, path, recursive=False, maxdepth=None):
    name = self._strip_protocol(path).rstrip('/')
    below = [other for other in self.names() if other.startswith(f'{name}/')] if recursive else []
    if not below:
      self.rm_file(name)
    for other in below:
      self.rm_file(other)

  def ls(self, path, detail=True, **_):
    top = self._strip_protocol(path).rstrip('/')
    found = {}
    for name in self.names():
      if name == top:
        found[name] = self._info_of(name)
      elif name.startswith(f'{top}/'):
        first = name[len(top) + 1:].partition('/')
        full = f'{top}/{first[0]}'
        found[full] = ({'name': full, 'size': 0, 'type': 'directory'} if first[1]
                       else self._info_of(name))
    if not found and top != BUCKET:
      raise FileNotFoundError(path)
    return [found[name] for name in sorted(found)] if detail else sorted(found)

  def info(self, path, **_):
    name = self._strip_protocol(path).rstrip('/')
    if self._file(name).exists():
      return self._info_of(name)
    if name == BUCKET or any(other.startswith(f'{name}/') for other in self.names()):
      return {'name': name, 'size': 0, 'type': 'directory'}
    raise FileNotFoundError(path)

  def exists(self, path, **_):
    try:
      self.info(path)
    except FileNotFoundError:
      return False
    return True

  def mkdir(self, path, **_):
    """There are no folders."""

  makedirs = mkdir

  # What no store has

  def mv(self, *_, **__):
    raise NotImplementedError('no store renames anything')

  rename = move = mv_file = mv

  def created(self, path):
    raise NotImplementedError

  modified = created

  # Inside

  def names(self):
    return sorted(urllib.parse.unquote(entry.name) for entry in self.folder.iterdir())

  def _info_of(self, name):
    try:
      return {'name': name, 'size': self._file(name).stat().st_size, 'type': 'file'}
    except FileNotFoundError:
      raise FileNotFoundError(name) from None

  def _file(self, name):
    return self.folder / urllib.parse.quote(name, safe='')

  def _fault(self, of, name):
    return next(filter(None, (fault.meet(of, name) for fault in self.faults)), '')


class Upload(io.BytesIO):
  """What is written becomes an object when the file is closed, as gcsfs has it."""

  def __init__(self, store, name):
    super().__init__()
    self._store, self._name = store, name

  def close(self):
    if not self.closed:
      content = self.getvalue()
      super().close()
      self._store.put_object(self._name, content)


def install(folder, faults=()) -> str:
  """Puts the fake in place of gs://. Returns: the root of its one bucket."""
  for name in FakeStore.protocol:
    fsspec.register_implementation(name, FakeStore, clobber=True)
  FakeStore.folder, FakeStore.faults = pathlib.Path(folder), list(faults)
  FakeStore.folder.mkdir(parents=True, exist_ok=True)
  records.guard(ROOT, None)
  return ROOT


def names(below: str = '') -> list[str]:
  """The names of the objects, without the bucket, that begin so."""
  every = (name.partition('/')[2] for name in FakeStore().names())
  return [name for name in every if name.startswith(below)]


def main() -> None:
  """Runs the main command on the fake."""
  folder, faults, *flags = sys.argv[1:]
  install(folder, [Fault(**fault) for fault in json.loads(faults)])
  root = pathlib.Path(__file__).parent.parent
  sys.path.insert(0, str(root))
  sys.argv = ['main.py', '--notune', *flags]
  runpy.run_path(str(root / 'main.py'), run_name='__main__')


if __name__ == '__main__':
  main()
