"""--job=crop: every file is accounted for, and the output is data for a classifier."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from data.decode import decode_image
from data.encode import encode_image
from data.sources import folder as folder_source
from errors import UserError
from jobs import crop
from tests import small_people
from train_lib.poses import people_finder


@pytest.fixture
def trained(monkeypatch):
  opened = small_people.make_trained()
  monkeypatch.setattr(people_finder, 'open_trained', lambda *_: opened)


def write_pictures(folder):
  """A person, her picture turned by EXIF, two people, nobody, a tiny one, a broken one, others."""
  image = small_people.blank(200, 160)
  small_people.draw_person(image, (60, 20, 60, 110))
  two = image.copy()
  small_people.draw_person(two, (140, 40, 40, 80))
  turned = Image.fromarray(np.rot90(image).copy())
  exif = turned.getexif()
  exif[0x0112] = 6                                            # shown turned back by a quarter
  with io.BytesIO() as file:
    turned.save(file, 'JPEG', quality=98, subsampling=0, exif=exif)
    turned_bytes = file.getvalue()
  files = {
      'dress/one.png': encode_image(image, '.png'), 'dress/two.jpg': encode_image(two, '.jpg'),
      'dress/turned.jpg': turned_bytes,
      'coat/nobody.png': encode_image(small_people.blank(64, 48), '.png'),
      'coat/tiny.gif': encode_image(small_people.blank(1, 1), '.gif'),
      'coat/broken.png': b'no picture', 'coat/empty.webp': b'', 'labels.csv': b'path,label\n',
      'coat/notes.pdf': b'%PDF'}
  for name, content in files.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
  return files


def run(source, output, **changes):
  config = small_people.make_config()
  with config.unlocked():
    config.crop.update(changes)
  crop.run(config, 'runs/pose', config_path='', input=str(source), output=str(output))
  with open(output / 'crop.csv', newline='', encoding='utf-8') as file:
    return {row['path']: row for row in csv.DictReader(file)}


def size_of(path):
  return decode_image(path.read_bytes(), max_pixels=10 ** 6).shape[:2]


def test_every_file_is_accounted_for(trained, tmp_path, capsys):
  files = write_pictures(tmp_path / 'in')
  rows = run(tmp_path / 'in', tmp_path / 'out')
  assert {name: row['what'] for name, row in rows.items()} == {
      'dress/one.png': 'cropped', 'dress/two.jpg': 'cropped', 'dress/turned.jpg': 'cropped',
      'coat/nobody.png': 'whole', 'coat/tiny.gif': 'whole', 'coat/broken.png': 'unreadable',
      'coat/empty.webp': 'unreadable', 'labels.csv': 'copied', 'coat/notes.pdf': 'left out'}
  assert set(rows) == set(files)
  assert rows['coat/empty.webp']['why'] == 'the file is empty'
  assert rows['coat/nobody.png']['why'] == 'fewer than 3 joints are confident'
  written = {path.relative_to(tmp_path / 'out' / 'pictures').as_posix()
             for path in (tmp_path / 'out' / 'pictures').rglob('*.*')}
  assert written == {name for name, row in rows.items() if row['what'] in (
      'cropped', 'whole', 'copied')}
  assert size_of(tmp_path / 'out/pictures/coat/nobody.png') == (48, 64)
  assert (tmp_path / 'out' / 'crop.png').exists()
  said = capsys.readouterr().out
  assert all(words in said for words in ('3 cropped', '2 whole', '2 unreadable', '1 left out'))
  assert 'none was cropped' not in said


def test_where_none_is_cropped_the_most_frequent_reason_is_said(trained, tmp_path, capsys):
  write_pictures(tmp_path / 'in')
  (tmp_path / 'in' / 'coat' / 'empty.webp').unlink()
  run(tmp_path / 'in' / 'coat', tmp_path / 'out')
  assert ('none was cropped; the most frequent reason (2 pictures): fewer than 3 joints are '
          'confident') in capsys.readouterr().out


def test_the_person_is_what_is_left_and_turned_pictures_are_upright(trained, tmp_path):
  write_pictures(tmp_path / 'in')
  rows = run(tmp_path / 'in', tmp_path / 'out', margin_frac=0.1)
  for name in ('dress/one.png', 'dress/turned.jpg'):
    height, width = size_of(tmp_path / 'out/pictures' / name)
    assert height == pytest.approx(116, abs=12) and width == pytest.approx(63, abs=12), name
    assert float(rows[name]['x_px']) == pytest.approx(58, abs=9)
    assert float(rows[name]['y_px']) == pytest.approx(16, abs=9)
    assert int(rows[name]['confident_joints']) >= 12


def test_the_output_is_data_for_a_classifier(trained, tmp_path):
  write_pictures(tmp_path / 'in')
  (tmp_path / 'in' / 'labels.csv').unlink()
  run(tmp_path / 'in', tmp_path / 'out')
  found = folder_source.list_pictures(tmp_path / 'out' / 'pictures')
  assert sorted({path.parent.name for path in found}) == ['coat', 'dress'] and len(found) == 5


@pytest.mark.parametrize('output', ['in', 'in/out'])
def test_an_output_inside_of_the_input_is_refused(trained, tmp_path, output):
  write_pictures(tmp_path / 'in')
  with pytest.raises(UserError, match='lies inside of the input'):
    run(tmp_path / 'in', tmp_path / output)
  assert not (tmp_path / 'in' / 'out').exists()


@pytest.mark.parametrize('changes, message', [
    ({'margin_frac': -0.1}, 'margin_frac is -0.1; expected 0 to 2'),
    ({'least_joints': 1}, 'least_joints is 1; expected 2 to 17'),
    ({'least_score': 2.0}, 'least_score is 2.0; expected 0 to 1')])
def test_numbers_that_make_no_sense_are_told(trained, tmp_path, changes, message):
  with pytest.raises(UserError, match=message):
    run(tmp_path, tmp_path / 'out', **changes)


def test_without_an_input_the_flag_is_named():
  with pytest.raises(UserError, match='--input='):
    crop.run(small_people.make_config(), 'runs/pose', config_path='', input='', output='')


def test_sure_joints_that_span_no_box_are_said_to(trained, tmp_path, monkeypatch):
  write_pictures(tmp_path / 'in')
  monkeypatch.setattr(people_finder, 'joints_box', lambda *_, **__: np.full(4, np.nan))
  rows = run(tmp_path / 'in', tmp_path / 'out')
  assert int(rows['dress/one.png']['confident_joints']) >= 3
  assert rows['dress/one.png']['why'] == 'the confident joints span no box in it'


def test_pictures_of_another_input_never_stay_among_those_of_this_one(trained, tmp_path):
  write_pictures(tmp_path / 'in')
  first = run(tmp_path / 'in', tmp_path / 'out')
  (tmp_path / 'out' / 'pictures' / '.one.png.tmp-x').touch()    # a kill leaves such a file
  assert run(tmp_path / 'in', tmp_path / 'out') == first
  (tmp_path / 'in' / 'dress' / 'one.png').rename(tmp_path / 'one.png')
  with pytest.raises(UserError, match=r"holds 1 files that .* such as 'dress/one.png'"):
    run(tmp_path / 'in', tmp_path / 'out')
