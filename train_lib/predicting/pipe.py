"""--job=predict on standard input: a picture, or paths line by line; answers as JSON, a line each.

`cat photo.jpg | ... --input=-` answers once. `find photos -name '*.jpg' | ... --input=-` answers
for each path as it comes, so that another program may write a path, read the answer and go on.
Nothing but answers is written to standard output.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator

from errors import UserError
from train_lib.predicting.predictor import MOST_AT_ONCE
from train_lib.storage import records

# How files of pictures begin, as no path does.
STARTS = re.compile(rb'\xff\xd8\xff|\x89PNG\r\n|RIFF....WEBP|GIF8[79]a.{4}[\0-\xff]'
                    rb'|BM....\0\0\0\0|II\*\0|MM\0\*', re.DOTALL)
MOST_BYTES = 512 * 2 ** 20        # of a picture
_CHUNK, _ENOUGH = 65_536, 12      # bytes read at once; that tell a picture from a path


@contextlib.contextmanager
def answers_alone():
  """What is said goes to standard error within it; the value writes lines to standard output."""
  output = sys.stdout

  def write(row: dict) -> None:
    try:
      print(_line(records.plain(row)), file=output, flush=True)
    except BrokenPipeError:       # nobody reads on, as behind `| head`
      with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
      raise SystemExit(0) from None

  with contextlib.redirect_stdout(sys.stderr):
    yield write


def _line(row) -> str:
  """JSON in letters of UTF-8; of a path that is none, with escapes."""
  text = json.dumps(row, ensure_ascii=False)
  try:
    text.encode()
  except UnicodeEncodeError:
    return json.dumps(row)
  return text


def answer(predictor, descriptor: int, write: Callable[[dict], None]) -> None:
  """Answers for what comes until the end of a stream.

  Args:
    predictor: of `train_lib.predicting.predictor`.
    descriptor: of a file that is open for reading.
    write: takes an answer, with 'path' where paths are read; 'error' says what cannot be read.

  Raises:
    UserError: nothing comes, the picture is too large, or the net restores scans, which are files.
  """
  if predictor.answers is None:
    raise UserError('scans are restored in files of their own; name a folder with --input=')
  first = os.read(descriptor, _CHUNK)
  while len(first) < _ENOUGH and not first.endswith((b'\n', b'\0')):
    more = os.read(descriptor, _CHUNK)
    first += more
    if not more:
      break
  if not first:
    raise UserError('nothing came on standard input; expected a picture, or paths line by line')
  if STARTS.match(first):
    return write(predictor.predict([_read_picture(descriptor, first)])[0])
  for paths in _read_paths(descriptor, first):
    for path, row in zip(paths, predictor.predict(paths), strict=True):
      write({'path': path, **row})


def _read_picture(descriptor, start: bytes) -> bytes:
  parts, size = [start], len(start)
  while part := os.read(descriptor, 2 ** 20):
    parts.append(part)
    size += len(part)
    if size > MOST_BYTES:
      raise UserError('the picture on standard input is larger than '
                      f'{MOST_BYTES / 2 ** 20:.0f} MiB')
  return b''.join(parts)


def _read_paths(descriptor, start: bytes) -> Iterator[list[str]]:
  """Yields the paths that came together, a batch at most; ended by line ends, or by zeros."""
  if any(byte < 32 and byte not in b'\0\t\n\r' for byte in start):
    raise UserError('what came on standard input is neither a picture (JPEG, PNG, WebP, GIF, BMP, '
                    'TIFF) nor paths line by line')
  end, rest = (b'\0', start) if b'\0' in start else (b'\n', start)
  while True:
    *lines, rest = rest.split(end)
    paths = [os.fsdecode(line.rstrip(b'\r')) for line in lines if line.strip()]
    for first in range(0, len(paths), MOST_AT_ONCE):
      yield paths[first:first + MOST_AT_ONCE]
    part = os.read(descriptor, _CHUNK)
    if not part:
      break
    rest += part
  if rest.strip():
    yield [os.fsdecode(rest.rstrip(b'\r'))]
