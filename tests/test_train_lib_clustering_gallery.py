"""The page of clusters: what it shows, that it is safe, and that it works in a browser.

The last tests need Chromium and are skipped where there is none.
"""

import base64
import csv
import io
import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from errors import UserError
from tests import chromium
from train_lib.clustering import gallery as gallery_module
from train_lib.clustering.gallery import Gallery, write_gallery
from train_lib.clustering.gallery_sheets import count_unusual, list_sheets

HOSTILE = ['a/</script><b>x', 'b/"quoted" \'it\'.jpg', 'c/<!-- <script>.jpg', 'd/\udcff\u2028.jpg',
           'e/<img src=x onerror=alert(1)>.jpg', 'f/\U0001f600.png']


def small(ids=HOSTILE, clusters=(0, 0, 1, 1, 1, -1), **changes):
  number = len(ids)
  values = {
      'title': 'Photos <of> "things" & \udcff', 'facts': [('silhouette', '0.31')],
      'ids': list(ids), 'clusters': np.array(clusters, np.int32),
      'distances': np.linspace(1, 0, number, dtype=np.float32),
      'places': np.random.default_rng(0).random((number, 2), np.float32),
      'names': {1: 'hats, "tall" ones'}, 'labels': [], 'copies': [[0, 1]]}
  return Gallery(**values | changes)


def read_pictures(rows):
  """A picture for each row, 40 times 20 px, whose shade tells the row."""
  for row in rows:
    yield np.full((20, 40, 3), 40 * (row % 6), np.uint8)


def content_of(path):
  return json.loads(re.search('id="content">(.*?)</script>', path.read_text())[1])


def thumbnails_of(path):
  blocks = re.findall('class="block">(.*?)</script>', path.read_text(), flags=re.DOTALL)
  return [line for block in blocks for line in block.split('\n')]


def open_in_chromium(path, script):
  """The text that `script` gives (an expression, or a promise of one) in the opened page."""
  page = path.with_name('asked.html')
  page.write_text(path.read_text().replace('</body>', (
      f'<script>Promise.resolve({script}).then(text => document.body.append(make("pre", '
      '{id: "answer"}, JSON.stringify(text))));</script></body>')))
  answer = re.search('<pre id="answer">(.*?)</pre>', chromium.dump(page))
  return json.loads(answer[1].replace('&lt;', '<').replace('&gt;', '>').replace('&amp;', '&'))


def test_large_clusters_come_first_and_what_belongs_to_none_last():
  clusters = np.array([3, 3, 5, 5, 5, -1, -1, -1, -1])
  sheets = list_sheets(clusters, np.arange(9)[::-1].astype(np.float32), [], [], 100)
  assert [(sheet.cluster, sheet.size) for sheet in sheets] == [(5, 3), (3, 2), (-1, 4)]
  assert sheets[0].rows.tolist() == [4, 3, 2]             # nearest to the centre first


def test_pictures_of_unknown_distance_come_last():
  sheet, = list_sheets(np.zeros(3, int), np.array([np.nan, 2, 1]), [], [], 10)
  assert sheet.rows.tolist() == [2, 1, 0]


def test_only_what_is_far_beyond_the_quartiles_is_unusual():
  distances = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 100.])
  assert count_unusual(distances, distances) == 1
  assert count_unusual(distances[:9], distances[:9]) == 0
  assert count_unusual(np.ones(20), np.ones(20)) == 0
  assert count_unusual(np.array([1, 1, 1, 9.]), np.array([9.])) == 0  # too few to judge by
  assert count_unusual(np.full(9, np.nan), np.full(9, np.nan)) == 0


@pytest.mark.parametrize('most', [1, 2, 7, 50, 99])
def test_beyond_the_most_every_cluster_shows_its_even_share(most):
  clusters = np.repeat([0, 1, 2], [60, 30, 10])
  sheets = list_sheets(clusters, np.arange(100.), [], [], most)
  shown = [len(sheet.rows) for sheet in sheets]
  assert sum(shown) <= most and sum(shown) >= most - 3
  assert [sheet.size for sheet in sheets] == [60, 30, 10]
  if most >= 50:
    np.testing.assert_allclose(np.array(shown) / sum(shown), [0.6, 0.3, 0.1], atol=0.03)
    assert sheets[0].rows[0] == 0 and sheets[0].rows[-1] == 59  # from the centre outwards


def test_near_copies_are_shown_before_others():
  sheets = list_sheets(np.zeros(100, int), np.arange(100.), [], [[41, 42], [61, 62]], 20)
  assert {41, 42, 61, 62} <= set(sheets[0].rows.tolist())
  assert len(sheets[0].rows) <= 20


def test_a_sheet_tells_its_most_frequent_labels():
  labels = ['hat', 'shoe', 'hat', '', 'bag', 'bag', 'bag', 'sock']
  sheet, = list_sheets(np.zeros(8, int), np.zeros(8), labels, [], 10)
  assert sheet.labels == [('bag', 3), ('hat', 2), ('shoe', 1)]


def test_typed_names_are_kept_for_a_page_that_began_with_the_same_names(tmp_path):
  keys = []
  for names in ({1: 'hats'}, {1: 'hats'}, {1: 'hats', 0: 'dogs'}):
    write_gallery(tmp_path / 'a.html', small(names=names), read_pictures)
    keys.append(content_of(tmp_path / 'a.html')['key'])
  assert keys[0] == keys[1] != keys[2]


def test_the_page_holds_every_picture_once_in_the_order_of_its_sheets(tmp_path, monkeypatch):
  monkeypatch.setattr(gallery_module, 'BLOCK', 4)
  monkeypatch.setattr(gallery_module, 'SIDES_PX', ((5, 224), (6, 16)))
  asked = []

  def read(rows):
    asked.extend(rows.tolist())
    return read_pictures(rows)

  write_gallery(tmp_path / 'a.html', small(), read)
  content = content_of(tmp_path / 'a.html')
  assert asked == [0, 1, 2, 3, 4, 5]                       # as the files lie
  assert [sheet['cluster'] for sheet in content['sheets']] == [1, 0, -1]
  order = ['abcdef'.index(name[0]) for name in content['ids']]
  assert order == [4, 3, 2, 1, 0, 5] and content['copies'] == [[4, 3]]
  pictures = [Image.open(io.BytesIO(base64.b64decode(text)))
              for text in thumbnails_of(tmp_path / 'a.html')]
  assert [picture.size for picture in pictures] == [(16, 8)] * 6
  assert [np.asarray(picture.convert('L')).mean().round() // 38 for picture in pictures] == order


def test_small_pictures_are_not_enlarged_and_unreadable_ones_are_left_empty(tmp_path):
  pictures = iter([np.zeros((5, 7, 3), np.uint8), None])
  write_gallery(tmp_path / 'a.html', small(['a', 'b'], [0, 0]), lambda rows: pictures)
  found = [text and Image.open(io.BytesIO(base64.b64decode(text))).size
           for text in thumbnails_of(tmp_path / 'a.html')]
  assert sorted(found, key=str) == ['', (7, 5)]


def test_names_of_files_cannot_leave_their_script(tmp_path):
  write_gallery(tmp_path / 'a.html', small(labels=['</script>', '', '', '', '', '<b>']),
                read_pictures)
  text = (tmp_path / 'a.html').read_bytes().decode()       # UTF-8, whatever the names are
  assert set(content_of(tmp_path / 'a.html')['ids']) == {
      name.replace('\udcff', '\ufffd') for name in HOSTILE}
  scripts = 2 + len(gallery_module.SCRIPTS)
  assert text.count('<script') == text.count('</script>') == scripts
  assert '<b>' not in text and '<img src=x' not in text
  assert '<title>Photos &lt;of&gt; &quot;things&quot; &amp; \ufffd</title>' in text


def test_the_page_names_nothing_outside_itself(tmp_path):
  write_gallery(tmp_path / 'a.html', small(), read_pictures)
  text = (tmp_path / 'a.html').read_text()
  assert "default-src 'none'" in text
  assert not re.search(r'https?://|@import|url\(|<link|src="', text)


def test_the_same_gallery_is_the_same_file(tmp_path):
  for name in 'ab':
    write_gallery(tmp_path / name, small(), read_pictures)
  assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


def test_a_stop_leaves_the_old_page(tmp_path):
  def stop():
    raise KeyboardInterrupt

  (tmp_path / 'a.html').write_text('old')
  with pytest.raises(KeyboardInterrupt):
    write_gallery(tmp_path / 'a.html', small(), read_pictures, poll=stop)
  assert (tmp_path / 'a.html').read_text() == 'old' and os.listdir(tmp_path) == ['a.html']


def test_mistakes_are_sentences(tmp_path):
  with pytest.raises(UserError, match='one picture or more'):
    small([], [])
  with pytest.raises(ValueError, match='6 pictures was given 2 clusters'):
    small(clusters=[0, 1])
  with pytest.raises(UserError, match='at most 0'):
    write_gallery(tmp_path / 'a.html', small(), read_pictures, most=0)


needs_chromium = pytest.mark.skipif(not chromium.PATH, reason='needs Chromium')


@needs_chromium
def test_a_browser_shows_the_sheets_and_says_what_is_left_out(tmp_path):
  ids = [f'{number}.jpg' for number in range(40)]
  write_gallery(tmp_path / 'a.html', small(ids, [0] * 30 + [7] * 10, copies=[]),
                read_pictures, most=20)
  told = open_in_chromium(tmp_path / 'a.html', '''[
      document.title, byId('title').textContent, byId('share').textContent,
      [...document.querySelectorAll('.sheet')].map(sheet => [
        sheet.querySelector('.number').textContent, sheet.querySelector('.count').textContent,
        sheet.querySelectorAll('.tile').length > 0]),
      byId('tab-copies').textContent, document.documentElement.scrollWidth <= innerWidth]''')
  assert told[0] == told[1] == 'Photos <of> "things" & \ufffd'
  assert told[2].startswith('20 of 40 pictures are shown')
  assert told[3] == [['Cluster 0', '30 pictures, 15 shown', True],
                     ['Cluster 7', '10 pictures, 5 shown', True]]
  assert told[4] == 'Near-copies0' and told[5]


@needs_chromium
def test_a_browser_saves_names_that_a_reader_of_csv_understands(tmp_path):
  write_gallery(tmp_path / 'a.html', small(), read_pictures)
  text = open_in_chromium(tmp_path / 'a.html', '''(() => {
      const field = document.querySelector('#cluster-0 .field');
      field.value = ' caps, "flat"\u00e9';
      field.dispatchEvent(new Event('input'));
      return namesCsv() + '|' + byId('named').textContent; })()''')
  table, named = text.split('|')
  assert list(csv.reader(io.StringIO(table))) == [
      ['cluster', 'pictures', 'name'], ['0', '2', 'caps, "flat"\u00e9'],
      ['1', '3', 'hats, "tall" ones']]
  assert named == '2 of 2 named'


@needs_chromium
def test_a_browser_finds_opens_and_maps_pictures_of_any_name(tmp_path):
  write_gallery(tmp_path / 'a.html', small(labels=['hat', '', '', '', 'shoe', 'hat']),
                read_pictures)
  found, opened, mapped, injected = open_in_chromium(tmp_path / 'a.html', '''(() => {
      byId('search').value = 'HAT';
      draw();
      const found = byId('found').textContent;
      byId('search').value = '';
      draw();
      document.querySelector('.tile').click();
      const opened = byId('viewer').open && byId('viewer-file').textContent;
      leaf(1);
      byId('viewer-map').click();
      paint();
      return [found, opened, [view, pointed, Number.isFinite(sight.x)],
              document.querySelectorAll('b, img[onerror]').length]; })()''')
  assert found == '5 pictures found'     # two labels, and the three of a cluster called hats
  assert opened == 'e/<img src=x onerror=alert(1)>.jpg'
  assert mapped == ['map', 1, True] and injected == 0
