"""One reader in a process of its own: input after input, each noted before it is tried.

A process that dies (a library in C, memory, a signal) leaves the input that killed it in `current`,
and what was counted in `status.json`.
"""

import argparse
import contextlib
import faulthandler
import hashlib
import json
import logging
import mmap
import os
import random
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

try:
  import atheris
except ImportError:
  atheris = None

from tests.fuzz import mutate  # imports nothing of the program

PACKAGES = ('data', 'errors', 'train_lib.weights.weight_files', 'train_lib.weights.weight_wrappers',
            'train_lib.export.exported', 'train_lib.storage.manifest', 'train_lib.storage.records',
            'train_lib.storage.step_folder', 'train_lib.workdir', 'train_lib.clustering.labelling')
# Of other packages, the modules that a reader goes through; their lines count as reached, too.
OTHERS = {
    'pictures': ('PIL.JpegImagePlugin', 'PIL.PngImagePlugin', 'PIL.WebPImagePlugin',
                 'PIL.GifImagePlugin', 'PIL.BmpImagePlugin', 'PIL.TiffImagePlugin',
                 'PIL.ImageFile'),
    'scan_pictures': ('PIL.PngImagePlugin', 'PIL.TiffImagePlugin', 'PIL.ImageFile'),
    'dicom': ('pydicom.filereader', 'pydicom.dataset', 'pydicom.dataelem', 'pydicom.values',
              'pydicom.pixels', 'pydicom.encaps', 'pydicom.valuerep', 'pydicom.sequence'),
    'nifti': ('nibabel.nifti1', 'nibabel.nifti2', 'nibabel.wrapstruct', 'nibabel.analyze',
              'nibabel.orientations', 'nibabel.quaternions'),
    'npz': ('zipfile', 'numpy.lib._format_impl'),
    'exported': ('configs.saved',), 'workdir': ('configs.saved',)}
ROOT = str(Path(__file__).parents[2])
HEADER_BYTES = 16                 # of `current`: the input's number and its length
SLOW_SEC = 5.0                    # of processor time for an input: a finding
LEAST_BYTES = 4096                # of the longest inputs; else twice the longest sound file
MOST_LETTERS = 2000               # of a refusal's message
JUMP_MIB = 300                    # by which an input lifts the highest use of memory: a finding
ROOM_BYTES = 3 << 30              # of address space that inputs may take
WRITE_SEC = 1.0                   # between writes of status.json
MOST_KEPT = 200                   # kinds of findings


class Worker:
  """Tries inputs. Args: reader: of READERS; folder: of this process; count: when to end."""

  def __init__(self, reader, folder: Path, count: int):
    self._reader, self._folder, self._count = reader, folder, count
    self._status = {'inputs': 0, 'refused': 0, 'slowest_sec': 0.0, 'growth_mib': 0.0,
                    'jump_mib': 0.0, 'findings': {}}
    with open(folder / 'current', 'wb') as file:
      file.truncate(HEADER_BYTES + mutate.MOST_BYTES + 1)
    self._current = mmap.mmap(os.open(folder / 'current', os.O_RDWR), 0)
    self._written_sec = self._start_kib = self._peak_kib = 0
    for variant in range(len(reader.names)):
      (folder / 'files' / str(variant)).mkdir(parents=True)

  def try_input(self, data: bytes) -> None:
    """Gives the reader a file, and notes what comes of it."""
    data = bytes(data[:mutate.MOST_BYTES + 1]) or b'\0'
    number = self._status['inputs'] = self._status['inputs'] + 1
    self._current[:HEADER_BYTES] = number.to_bytes(8, 'little') + len(data).to_bytes(8, 'little')
    self._current[HEADER_BYTES:HEADER_BYTES + len(data)] = data
    variant = data[0] % len(self._reader.names)
    path = self._folder / 'files' / str(variant) / self._reader.names[variant]
    path.write_bytes(data[1:])
    start = time.process_time()
    try:
      self._read(path, variant)
    except Exception as error:
      self._note(data, _kind_of(error), ''.join(traceback.format_exception(error)[-12:]))
    self._weigh(data, time.process_time() - start)
    if time.monotonic() - self._written_sec > WRITE_SEC or number >= self._count:
      self._write()
    if number >= self._count:
      os._exit(0)

  def _read(self, path, variant):
    from tests.fuzz.readers import REFUSALS
    try:
      self._reader.read(path, variant)
    except REFUSALS as error:
      self._status['refused'] += 1
      message = str(error)
      if not message.isprintable() or not 0 < len(message) <= MOST_LETTERS:
        raise AssertionError('the message is no printable line of a readable length: '
                             f'{ascii(message)[:300]}') from error

  def _weigh(self, data, sec):
    status = self._status
    status['slowest_sec'] = max(status['slowest_sec'], sec)
    if sec > SLOW_SEC:
      self._note(data, f'slow: {sec:.0f} s', '')
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    jump = (peak_kib - self._peak_kib) / 1024 if self._peak_kib else 0
    self._peak_kib = peak_kib
    status['jump_mib'] = max(status['jump_mib'], jump)
    if jump > JUMP_MIB:
      self._note(data, f'memory: {jump:.0f} MiB', '')
    if status['inputs'] == min(1000, self._count // 10 + 1):   # what is imported late is there
      self._start_kib = _resident_kib()
    if self._start_kib and status['inputs'] % 500 == 0:
      status['growth_mib'] = (_resident_kib() - self._start_kib) / 1024

  def _note(self, data, kind, details):
    name = hashlib.sha256(kind.encode()).hexdigest()[:12]
    found = self._status['findings'].setdefault(
        kind, {'count': 0, 'file': name, 'details': details})
    found['count'] += 1
    if found['count'] == 1 and len(self._status['findings']) <= MOST_KEPT:
      (self._folder / name).write_bytes(data)
      self._write()

  def _write(self):
    self._written_sec = time.monotonic()
    temporary = self._folder / '.status.json'
    temporary.write_text(json.dumps(self._status))
    os.replace(temporary, self._folder / 'status.json')


def _resident_kib():
  return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize() // 1024


def _kind_of(error):
  """An exception and where in the program it came from: what makes two findings one."""
  root = error.__cause__ if isinstance(error, AssertionError) and error.__cause__ else error
  frames = [frame for frame in traceback.extract_tb(root.__traceback__)
            if frame.filename.startswith(ROOT) and '/tests/fuzz/' not in frame.filename]
  places = [f'{Path(frame.filename).name}:{frame.lineno} {frame.name}' for frame in frames[-2:]]
  words = str(error).partition(':')[0] if isinstance(error, AssertionError) else ''
  return f'{type(error).__name__} in {" < ".join(reversed(places)) or "tests"} {words}'.strip()


def mutator(reader):
  """(input, most bytes, seed) -> input: of its variant, changed by the reader's ways."""
  def change(data, most_bytes, seed):
    rng = random.Random(seed)
    data = data or b'\0'
    if atheris and rng.random() < 0.4:
      return data[:1] + atheris.Mutate(data[1:] or b'\0', most_bytes - 1)
    return data[:1] + rng.choice(reader.changes)(data[1:], rng)[:most_bytes - 1]
  return change


def run(name: str, folder: Path, count: int, seed: int) -> None:
  """Tries so many inputs, and ends the process."""
  faulthandler.enable(open(folder / 'stacks.txt', 'w'))
  sys.stdout = open(os.devnull, 'w')
  with (atheris.instrument_imports(include=[*PACKAGES, *OTHERS.get(name, ())]) if atheris
        else contextlib.nullcontext()):
    from tests.fuzz.planted import PLANTED
    from tests.fuzz.readers import READERS
    reader = {**READERS, **PLANTED}[name]
    samples = [bytes([variant]) + data for variant, data in reader.seeds()]
  logging.disable(logging.CRITICAL)
  warnings.simplefilter('ignore')
  limit = resource.getpagesize() * int(Path('/proc/self/statm').read_text().split()[0])
  resource.setrlimit(resource.RLIMIT_AS, (limit + ROOM_BYTES, limit + ROOM_BYTES))
  worker = Worker(reader, folder, count)
  for sample in samples:
    worker.try_input(sample)
  change = mutator(reader)
  if not atheris:
    rng = random.Random(seed)
    while True:
      data = rng.choice(samples)
      for _ in range(rng.choice((1, 1, 2, 4))):
        data = change(data, mutate.MOST_BYTES, rng.random())
      worker.try_input(data)
  most_bytes = min(mutate.MOST_BYTES, max(LEAST_BYTES, 2 * max(map(len, samples))))
  corpus = folder / 'corpus'
  corpus.mkdir()
  for number, sample in enumerate(samples):
    (corpus / str(number)).write_bytes(sample)
  quiet = [f'-handle_{signal}=0' for signal in ('segv', 'bus', 'abrt', 'ill', 'fpe', 'int', 'term')]
  atheris.Setup(['fuzz', str(corpus), f'-seed={seed}', f'-max_len={most_bytes}',
                 '-rss_limit_mb=0', '-timeout=100000', '-len_control=0', *quiet],
                worker.try_input, custom_mutator=change)
  atheris.Fuzz()


if __name__ == '__main__':
  parser = argparse.ArgumentParser()
  parser.add_argument('reader')
  parser.add_argument('folder', type=Path)
  parser.add_argument('count', type=int)
  parser.add_argument('seed', type=int)
  arguments = parser.parse_args()
  run(arguments.reader, arguments.folder, arguments.count, arguments.seed)
