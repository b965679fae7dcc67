"""Standard input: a picture, or paths line by line; answers alone on standard output."""

import contextlib
import json
import os
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from errors import UserError
from train_lib.predicting import pipe


class Echo:
  """A predictor that answers with what it was given."""

  answers = object()

  def __init__(self):
    self.calls = []

  def predict(self, pictures):
    self.calls.append(list(pictures))
    return [{'label': str(len(picture))} for picture in pictures]


def answer(content: bytes, predictor):
  reader, writer = os.pipe()
  rows = []

  def feed():
    with contextlib.suppress(BrokenPipeError), os.fdopen(writer, 'wb') as file:
      file.write(content)
  thread = threading.Thread(target=feed)
  thread.start()
  try:
    pipe.answer(predictor, reader, rows.append)
  finally:
    os.close(reader)
    thread.join()
  return rows


def test_a_picture_is_answered_once_however_it_is_cut_on_the_way():
  predictor, picture = Echo(), b'\x89PNG\r\n' + bytes(300_000)
  assert answer(picture, predictor) == [{'label': '300006'}]
  assert predictor.calls == [[picture]]


@pytest.mark.parametrize('content', [b'a.jpg\nb c.png\n', b'a.jpg\r\nb c.png', b'a.jpg\0b c.png\0'])
def test_paths_are_answered_line_by_line(content):
  assert answer(content, Echo()) == [{'path': 'a.jpg', 'label': '5'},
                                     {'path': 'b c.png', 'label': '7'}]


def test_many_paths_go_in_batches():
  predictor = Echo()
  rows = answer(b''.join(b'%05d.jpg\n' % number for number in range(20_000)), predictor)
  assert [row['path'] for row in rows] == [f'{number:05d}.jpg' for number in range(20_000)]
  assert max(map(len, predictor.calls)) == pipe.MOST_AT_ONCE


def test_a_program_may_write_a_path_and_read_its_answer_before_the_next():
  reader, writer = os.pipe()
  answered = []

  def ask_on(row):
    answered.append(row['path'])
    if row['path'] == 'first':
      os.write(writer, b'second\n')
    else:
      os.close(writer)
  os.write(writer, b'first\n')
  pipe.answer(Echo(), reader, ask_on)
  os.close(reader)
  assert answered == ['first', 'second']


def test_an_empty_input_is_told():
  with pytest.raises(UserError, match='nothing came on standard input'):
    answer(b'', Echo())


def test_scans_want_a_folder():
  predictor = Echo()
  predictor.answers = None
  with pytest.raises(UserError, match='name a folder'):
    answer(b'a.png\n', predictor)


def test_only_answers_are_on_standard_output(capsys):
  with pipe.answers_alone() as write:
    print('something said', file=sys.stdout)
    write({'path': 'a', 'label': 'ä'})
    write({'path': 'caf\udce9', 'label': 'ä'})         # a name that is no UTF-8
  output = capsys.readouterr()
  one, other = output.out.splitlines()
  assert json.loads(one) == {'path': 'a', 'label': 'ä'} and 'ä' in one
  assert json.loads(other) == {'path': 'caf\udce9', 'label': 'ä'} and other.isascii()
  assert output.err == 'something said\n'


@pytest.mark.parametrize('name', ['BMW.jpg', 'RIFF.png', 'GIF8.gif', '~backup.jpg', 'II.tif'])
def test_a_path_may_begin_as_a_picture_does(name):
  assert answer(f'{name}\nb.jpg\n'.encode(), Echo()) == [
      {'path': name, 'label': str(len(name))}, {'path': 'b.jpg', 'label': '5'}]


@pytest.mark.parametrize('ending', ['.png', '.jpg', '.webp', '.bmp', '.tif', '.gif'])
def test_every_format_of_pictures_is_known_by_its_first_bytes(ending, tmp_path):
  image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
  image.save(tmp_path / f'a{ending}')
  assert 'path' not in answer((tmp_path / f'a{ending}').read_bytes(), Echo())[0]


def test_what_is_neither_is_told():
  with pytest.raises(UserError, match='neither a picture .* nor paths line by line'):
    answer(bytes(range(1, 200)), Echo())


def test_nobody_reading_on_is_no_failure(capfd):
  reader, writer = os.pipe()
  os.close(reader)
  with open(writer, 'w') as output, pytest.raises(SystemExit) as stopped:
    before, sys.stdout = sys.stdout, output
    try:
      with pipe.answers_alone() as write:
        write({'label': 'a'})
    finally:
      sys.stdout = before
  assert stopped.value.code == 0
