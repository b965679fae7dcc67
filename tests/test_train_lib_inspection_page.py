"""The page: one file, no script, nothing from outside, and names that stay names.

The last test needs Chromium and is skipped where there is none.
"""

import re

import pytest
from etils import epath

from tests import chromium
from tests.small_workdirs import HOSTILE, write_picture
from train_lib.inspection import markup, page
from train_lib.inspection.markup import Details, Picture, Section


def write(tmp_path, **changes):
  folder = epath.Path(tmp_path)
  picture = Picture(folder / 'a.png', HOSTILE[0], HOSTILE[2])
  wide = markup.table([f'column {k}' for k in range(40)], [['x' * 30] * 40])
  sections = [Section('one', HOSTILE[1], [markup.paragraph(HOSTILE[0]), picture]),
              Section('two', 'Second', [Details(HOSTILE[0], [
                  wide, picture._replace(wide=False), picture._replace(wide=False)])], 'Short')]
  page.write_page(folder, **{'kind': 'Run', 'title': HOSTILE[0], 'lead': [HOSTILE[2]],
                             'figures': [(HOSTILE[1], HOSTILE[0])], 'sections': sections,
                             **changes})
  return (tmp_path / page.NAME).read_bytes().decode()


@pytest.fixture
def text(tmp_path):
  write_picture(tmp_path / 'a.png', 1000, 20)
  return write(tmp_path)


def test_names_stay_names_and_bytes_that_are_no_text_are_shown_as_such(text):
  assert '<script' not in text and '</script' not in text and '<img src=x' not in text
  assert text.count('<img ') == 3 and '<b>' not in text
  assert '<title>&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;</title>' in text
  assert 'caf\ufffd &amp; co' in text


def test_nothing_is_loaded_from_outside_and_nothing_may_be(text):
  assert "default-src 'none'" in text and 'script-src' not in text
  assert not re.search(r'https?://|@import|url\(|<link|<script|<iframe|\son[a-z]+="', text)


def test_every_section_is_named_in_the_contents(text):
  contents = re.search('<nav.*?</nav>', text, flags=re.DOTALL)[0]
  ids = re.findall('<section id="([^"]+)"', text)
  assert re.findall('href="#([^"]+)"', contents) == ids == ['one', 'two']
  assert '>Short</a>' in contents


def test_pictures_that_are_not_wide_share_a_row(text):
  assert text.count('class="pair"') == 1
  assert text.partition('class="pair"')[2].count('<figure') == 2


def test_a_picture_that_is_gone_leaves_its_caption(tmp_path):
  text = write(tmp_path)
  assert 'Not shown here: No such file or directory.' in text and text.count('<figcaption>') == 3


def test_the_same_page_is_the_same_file(tmp_path, text):
  assert write(tmp_path) == text


@pytest.mark.skipif(not chromium.PATH, reason='needs Chromium')
def test_a_browser_shows_it_without_scrolling_sideways(tmp_path, text):
  asked = tmp_path / 'asked.html'
  text = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', '', text, flags=re.DOTALL)
  asked.write_text(text.replace('<details>', '<details open>').replace('</body>', (
      '<script>document.body.append(JSON.stringify(["answer", document.title, '
      'document.documentElement.scrollWidth <= innerWidth, document.images.length, '
      '[...document.images].every(one => one.naturalWidth == 1000)]))</script></body>')))
  answer = re.search(r'\["answer",(.*?),(true|false),(\d+),(true|false)\]',
                     chromium.dump(asked, '--window-size=500,900'))
  assert answer.groups()[1:] == ('true', '3', 'true')
