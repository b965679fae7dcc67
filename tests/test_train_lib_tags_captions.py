"""Captions: the files that kohya's scripts and hydrus read beside a picture."""

import pytest

from configs import base
from errors import UserError
from train_lib.tags.captions import Captions

KINDS = {'long_hair': 'general', '^_^': 'general', 'alice_(wonder)': 'character',
         'a_tale': 'copyright', 'someone': 'artist', 'highres': 'meta'}
ROW = {'path': 'inner/a.png', 'rating': 'sensitive',
       'tags': dict.fromkeys(KINDS, 0.9)}


def write(folder, row=ROW, names=('inner/a.png',), **settings):
  predict = base.get_config().predict
  predict.update({'captions': 'kohya', **settings})
  captions = Captions(predict, KINDS, names, folder / 'in', folder / 'out')
  captions.write_all([row])
  return captions


def test_kohya_reads_one_line_with_commas_named_by_the_stem(tmp_path):
  write(tmp_path)
  assert (tmp_path / 'out/captions/inner/a.txt').read_text() == (
      'long hair, ^_^, alice (wonder), a tale, someone, highres\n')


def test_hydrus_reads_a_tag_a_line_with_namespaces_named_by_the_whole_name(tmp_path):
  write(tmp_path, captions='hydrus')
  assert (tmp_path / 'out/captions/inner/a.png.txt').read_text().splitlines() == [
      'long hair', '^_^', 'character:alice (wonder)', 'series:a tale', 'creator:someone',
      'meta:highres', 'rating:sensitive']


def test_words_may_stand_first_others_be_left_out_and_underscores_stay(tmp_path):
  write(tmp_path, caption_spaces=False, caption_first=('my_style', 'long_hair'),
        caption_without=('highres', 'someone'))
  assert (tmp_path / 'out/captions/inner/a.txt').read_text() == (
      'my_style, long_hair, ^_^, alice_(wonder), a_tale\n')


def test_a_class_is_a_caption(tmp_path):
  write(tmp_path, {'path': 'inner/a.png', 'label': 'red_cap'})
  assert (tmp_path / 'out/captions/inner/a.txt').read_text() == 'red cap\n'


def test_a_caption_that_stands_beside_a_picture_stays(tmp_path, capsys):
  (tmp_path / 'in/inner').mkdir(parents=True)
  (tmp_path / 'in/inner/a.txt').write_text('by a person\n')
  write(tmp_path, caption_place='beside')
  assert (tmp_path / 'in/inner/a.txt').read_text() == 'by a person\n'
  assert '1 picture had another caption, which was left as it is' in capsys.readouterr().out
  write(tmp_path, caption_place='beside', captions='hydrus')
  again = write(tmp_path, caption_place='beside', captions='hydrus')
  assert (tmp_path / 'in/inner/a.png.txt').exists() and again.num_kept == 0


def test_two_pictures_of_one_caption_are_told(tmp_path):
  names = ('a.png', 'a.jpg')
  with pytest.raises(UserError, match="'a.png' and 'a.jpg' would share the caption 'a.txt'"):
    write(tmp_path, names=names)
  write(tmp_path, names=names, captions='hydrus')


@pytest.mark.parametrize('settings, message', [
    ({'captions': 'Kohya'}, 'choices: kohya, hydrus'),
    ({'caption_place': 'here'}, 'choices: output, beside')])
def test_a_wrong_choice_is_told(tmp_path, settings, message):
  with pytest.raises(UserError, match=message):
    write(tmp_path, **settings)


def test_captions_of_a_person_in_the_output_are_refused_and_stay(tmp_path):
  mine = tmp_path / 'out/captions/inner/a.txt'
  mine.parent.mkdir(parents=True)
  mine.write_text('by a person')
  with pytest.raises(UserError, match="1 files that are not of this job, such as 'inner/a.txt'"):
    write(tmp_path)
  assert mine.read_text() == 'by a person'


def test_captions_of_pictures_that_are_gone_go_and_others_stay_beside(tmp_path):
  write(tmp_path, captions='hydrus')
  (tmp_path / 'in/inner').mkdir(parents=True)
  (tmp_path / 'in/inner/old.txt').write_text('mine')
  write(tmp_path)
  names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob('*.txt')]
  assert sorted(names) == ['in/inner/old.txt', 'out/captions/inner/a.txt']
