"""The walks of docs/walks name what exists: configs, jobs, keys, files, and small pictures."""

import pytest

from docs.walks import draw_folder
from errors import UserError
from tests import written_commands
from tests.written_commands import ROOT

WALKS = sorted((ROOT / 'docs' / 'walks').glob('*.md'))
PAGES = sorted((ROOT / 'docs').rglob('*.md'))
MOST_LINES, MOST_PICTURE_BYTES, MOST_BYTES = 140, 250_000, 2_000_000
every_walk = pytest.mark.parametrize('path', WALKS, ids=lambda path: path.stem)
every_page = pytest.mark.parametrize('path', PAGES, ids=lambda path: path.stem)


@every_walk
def test_every_command_of_a_walk_can_be_typed(path):
  commands = written_commands.find_commands(path.read_text())
  assert commands
  for command in commands:
    written_commands.check_command(command)


@every_walk
def test_a_walk_is_one_page_and_says_how_long_it_takes(path):
  text = path.read_text()
  assert len(text.splitlines()) <= MOST_LINES
  assert 'minute' in text.partition('```')[0]


@every_walk
def test_a_walk_shows_every_picture_that_it_names_and_no_large_one(path):
  for name in written_commands.find_pictures(path.read_text()):
    picture = path.parent / name
    assert picture.stat().st_size < MOST_PICTURE_BYTES, name


def test_the_pictures_of_the_walks_are_all_shown_and_small_together():
  folder = ROOT / 'docs' / 'walks'
  pictures = {path for ending in ('png', 'jpg') for path in folder.glob(f'*.{ending}')}
  assert sum(path.stat().st_size for path in pictures) < MOST_BYTES
  shown = {path.parent / name for path in WALKS
           for name in written_commands.find_pictures(path.read_text())}
  assert pictures <= shown


@every_page
def test_links_and_keys_of_a_page_exist(path):
  text = path.read_text()
  for link in written_commands.find_links(text):
    assert (path.parent / link).exists(), link
  written_commands.check_keys(text)


@pytest.mark.parametrize('command, what', [
    ('--config=configs/tagger.py --config.train.num_epoch=3', 'no key config.train.num_epoch'),
    ('--config=configs/nothing.py', 'no page configs/nothing.py'),
    ('--job=fly --workdir=runs/a', 'no job fly'),
    ('--job=train', 'neither'),
    ('--config=configs/tagger.py --input photos', 'photos is no flag'),
    ('--config=configs/tagger.py --inputs=photos', 'no flag --inputs'),
    ('--config=configs/tagger.py --config.data.augment=mirror', 'is no tuple'),
    ('--config=configs/tagger.py --noconfig.seed', 'seed is 0'),
])
def test_a_command_that_cannot_be_typed_is_refused(command, what):
  with pytest.raises(AssertionError, match=what):
    written_commands.check_command(f'python main.py {command}')


def test_a_command_of_an_unknown_preset_or_of_a_word_for_a_number_is_refused():
  with pytest.raises(UserError, match='no preset'):
    written_commands.check_command('python main.py --config=configs/tagger.py:huge')
  with pytest.raises(ValueError):
    written_commands.check_command('python main.py --config=configs/tagger.py --config.seed=one')


def test_commands_are_found_in_blocks_alone_and_over_several_lines():
  page = ('see `python main.py --x`\n'
          '```bash\npython main.py --a \\\n  --b=1 > log\n```\n```\npython main.py --c\n```\n')
  assert written_commands.find_commands(page) == ['python main.py --a --b=1']
  assert written_commands.find_blocks(page)[0].line == 3


@pytest.mark.parametrize('kind, pattern', [
    ('tags', '0001.txt'), ('identity', '*/0001.jpg'), ('garment', '*/0001.jpg'),
    ('plain', '0001.jpg'), ('scans', 'patient_*/0001.png'), ('damaged', 'patient_*/0001.png')])
def test_a_drawn_folder_is_laid_out_as_its_kind_says(tmp_path, kind, pattern):
  draw_folder.draw_folder(kind, tmp_path, 2, 32)
  assert len(list(tmp_path.glob(pattern))) == 1
