"""What a folder is, told by its files; studies and clusters on short pages."""

import json

import pytest
from etils import epath

from errors import UserError
from tests.small_workdirs import write_picture
from train_lib.inspection import folders, other_pages


def make(folder, *names):
  for name in ('config.json', *names):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{}')
  return folder


@pytest.mark.parametrize(('name', 'kind'), [
    ('run.json', 'run'), ('checkpoints/5/x', 'run'), ('study.md', 'study'), ('cells/a/x', 'study'),
    ('cluster/clusters.json', 'clusters'), ('inspect/index.html', 'data')])
def test_a_folder_is_told_by_what_was_left_in_it(tmp_path, name, kind):
  assert folders.recognise(str(make(tmp_path / 'a', name))) == kind


def test_a_run_with_clusters_in_it_is_a_run(tmp_path):
  assert folders.recognise(str(make(tmp_path, 'run.json', 'cluster/clusters.json'))) == 'run'


def test_a_folder_of_something_else_and_none_are_of_data(tmp_path):
  (tmp_path / 'run.json').write_text('{}')                   # but no config.json
  assert folders.recognise(str(tmp_path)) == folders.recognise(str(tmp_path / 'none')) == 'data'


def test_an_exported_net_is_refused_with_the_file_to_open(tmp_path):
  (tmp_path / 'config.json').write_text(json.dumps({'oko': {}}))
  (tmp_path / 'README.md').write_text('card')
  with pytest.raises(UserError, match=r'exported net.*README\.md says what it is'):
    folders.recognise(str(tmp_path))


def test_the_page_of_a_study_shows_its_table_its_picture_and_its_runs(tmp_path):
  study = make(tmp_path / 'study', 'adam/0/run.json', 'adam/1/run.json')
  (study / 'study.md').write_text('|  | F1 |\n|---|---|\n| a \\| <b> | 0.5 |\n\nwords\n')
  write_picture(study / 'study.png')
  (tmp_path / 'out').mkdir()
  said = other_pages.write_study_page(epath.Path(study), epath.Path(tmp_path / 'out'))
  text = (tmp_path / 'out' / 'index.html').read_text()
  assert 'study.md tells what it found' in said and '<td>a | &lt;b&gt;' in text
  assert 'words' in text and text.count('<img ') == 1
  assert 'href="../study/adam/0"' in text and '>adam/1</a>' in text


def test_a_study_without_a_finished_run_says_so(tmp_path):
  study = make(tmp_path / 'study', 'cells/a/x.json')
  said = other_pages.write_study_page(epath.Path(study), epath.Path(tmp_path))
  assert 'without a finished run' in said
  assert 'No run is finished yet' in (tmp_path / 'index.html').read_text()


def test_the_page_of_clusters_leads_to_the_gallery(tmp_path):
  make(tmp_path, 'cluster/gallery.html', 'cluster/names.csv')
  (tmp_path / 'cluster/clusters.json').write_text(
      json.dumps({'pictures': 906, 'clusters': 12, 'silhouette': 0.0908, 'nmi': None}))
  write_picture(tmp_path / 'cluster/clusters.png')
  (tmp_path / 'inspect').mkdir()
  said = other_pages.write_clusters_page(epath.Path(tmp_path), epath.Path(tmp_path / 'inspect'))
  text = (tmp_path / 'inspect' / 'index.html').read_text()
  assert 'cluster/gallery.html shows them' in said and 'href="../cluster/gallery.html"' in text
  assert '<dd>906</dd>' in text and 'NMI' not in text and text.count('<img ') == 1
