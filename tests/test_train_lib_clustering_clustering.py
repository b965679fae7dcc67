"""--job=cluster from a folder of pictures to its clusters, and the loop of names."""

import json
import os
import re

import numpy as np
import pytest

from configs import cluster, simpsons
from errors import UserError
from tests.small_collections import make_config, name_clusters, run, write_pictures
from tests.tables import read_csv
from train_lib import build_sources
from train_lib.clustering import clustering, labelling


@pytest.fixture
def pictures(tmp_path):
  folder = write_pictures(tmp_path / 'photos')
  (folder / 'red' / 'broken.png').write_bytes(b'no picture')
  return folder


def test_pictures_of_three_colours_make_three_clusters(monkeypatch, tmp_path, pictures, capsys):
  folder = run(monkeypatch, make_config(tmp_path, pictures), tmp_path / 'run')
  rows = read_csv(folder / 'clusters.csv')
  assert len(rows) == 18 and 'red/broken.png' not in {row['path'] for row in rows}
  groups = {(row['path'].split('/')[0], row['cluster']) for row in rows}
  assert len(groups) == 3 == len({cluster for _, cluster in groups})
  for number in '012':
    one = [row for row in rows if row['cluster'] == number]
    assert [int(row['rank']) for row in one] == list(range(1, 7))
    distances = [float(row['distance']) for row in one]
    assert distances == sorted(distances)
  figures = json.loads((folder / 'clusters.json').read_text())
  assert figures['pictures'] == 18 and figures['unreadable'] == 1 and figures['clusters'] == 3
  assert figures['silhouette'] > 0.7 and 'nmi' not in figures
  unreadable = [json.loads(line) for line in (folder / 'unreadable.jsonl').read_text().splitlines()]
  assert [row['id'] for row in unreadable] == ['red/broken.png']
  assert [row['pictures'] for row in read_csv(folder / 'names.csv')] == ['6'] * 3
  assert 'could not be read' in capsys.readouterr().out


def test_known_classes_say_how_good_the_clusters_are(monkeypatch, tmp_path):
  config = make_config(tmp_path, write_pictures(tmp_path / 'photos', 20))
  config.data.source = 'folder'
  folder = run(monkeypatch, config, tmp_path / 'run')
  figures = json.loads((folder / 'clusters.json').read_text())
  for name in ('nmi', 'ari', 'purity', 'hungarian_accuracy'):
    assert figures[name] == pytest.approx(1)
  rows = read_csv(folder / 'clusters.csv')
  assert len(rows) == 60 and all(row['label'] == row['path'].split('/')[0] for row in rows)


def test_the_number_of_clusters_is_chosen_and_its_curve_drawn(monkeypatch, tmp_path, pictures):
  config = make_config(tmp_path, pictures, k=0, k_tried=(2, 3, 4))
  folder = run(monkeypatch, config, tmp_path / 'run')
  assert json.loads((folder / 'clusters.json').read_text())['clusters'] == 3
  tried = read_csv(folder / 'number_of_clusters.csv')
  assert [row['num_clusters'] for row in tried] == ['2', '3', '4']
  assert (folder / 'number_of_clusters.png').stat().st_size > 1000


@pytest.mark.parametrize('settings, line', [
    ({}, '3 is the largest number that was tried, .* with cluster.k_most, or choose by elbow or '
         'stability with cluster.choose_by'),
    ({'k_tried': (2, 3)}, 'set cluster.k, try larger ones with cluster.k_tried'),
    ({'k_most': 9}, '8 clusters: inertia')])
def test_a_number_at_the_edge_of_those_tried_is_said_to_be(monkeypatch, tmp_path, pictures, capsys,
                                                           settings, line):
  run(monkeypatch, make_config(tmp_path, pictures, k=0, **settings), tmp_path / 'run')
  said = capsys.readouterr().out
  assert '3 clusters, by silhouette' in said and re.search(line, said)
  assert ('the largest number' in said) == ('k_most' not in settings)


def test_pages_that_are_not_made_anew_are_said_to_be_older(monkeypatch, tmp_path, pictures, capsys):
  shown = make_config(tmp_path, pictures, gallery=True, folders=True)
  folder = run(monkeypatch, shown, tmp_path / 'run')
  name_clusters(folder, str)
  run(monkeypatch, shown, tmp_path / 'run')
  assert 'earlier command' not in capsys.readouterr().out
  name_clusters(folder, lambda colour: '')
  run(monkeypatch, make_config(tmp_path, pictures), tmp_path / 'run')
  said = capsys.readouterr().out
  for name, key in (('gallery.html', 'gallery'), ('folders', 'folders')):
    assert (f'{folder / name} is of an earlier command, with the names of then; '
            f'--config.cluster.{key} makes it anew') in said


@pytest.mark.parametrize('settings', [
    {'method': 'spherical'}, {'method': 'agglomerative'}, {'stream_rows': 8},
    {'method': 'hdbscan', 'k': 0, 'least_pictures': 3}, {'components': 0},
    {'components': 2, 'whiten': True}, {'stored_as': 'float16'}, {'taps': ('features', 'stem')}])
def test_every_way_parts_the_colours(monkeypatch, tmp_path, pictures, settings):
  folder = run(monkeypatch, make_config(tmp_path, pictures, **settings), tmp_path / 'run')
  rows = [row for row in read_csv(folder / 'clusters.csv') if row['cluster'] != '-1']
  assert len(rows) >= 12
  assert len({(row['path'].split('/')[0], row['cluster']) for row in rows}) == 3


def test_names_make_a_dataset_that_a_classifier_reads(monkeypatch, tmp_path, pictures, capsys):
  config = make_config(tmp_path, pictures, folders=True)
  folder = run(monkeypatch, config, tmp_path / 'run')
  before = (folder / 'clusters.csv').read_bytes()
  assert 'names.csv' in capsys.readouterr().out and not (folder / 'labelled').exists()
  name_clusters(folder, lambda colour: {'red': 'warm', 'green': 'Cold, or so', 'blue': ''}[colour])
  run(monkeypatch, config, tmp_path / 'run')
  said = capsys.readouterr().out
  assert 'warm 6' in said and 'configs/simpsons.py:folder' in said and 'stay as they are' in said
  assert 'once;' not in said and before != (folder / 'clusters.csv').read_bytes()
  learned = simpsons.get_config('folder')
  learned.data.path, learned.data.test_frac = str(folder / 'labelled'), 0.25
  source = build_sources.build_source(learned, 'train')
  labels = {source[row]['id']: source.tag_names[source[row]['label']] for row in range(len(source))}
  assert set(labels.values()) == {'warm', 'cold, or so'} or set(labels.values()) == {
      'warm', 'Cold, or so'}
  assert all(('red/' in path) == (name == 'warm') for path, name in labels.items())
  assert not any('blue/' in path for path in labels)
  links = list((folder / 'labelled').rglob('*.png'))
  assert len(links) == 12 and all(path.is_symlink() and path.exists() for path in links)
  assert {path.name for path in (folder / 'folders').iterdir() if path.is_dir()} == {
      *(f'{number:03d}{name}' for number, name in enumerate(_suffixes(folder)))}


def _suffixes(folder):
  for row in read_csv(folder / 'names.csv'):
    yield f' {row["name"].replace(",", "_")}' if row['name'] else ''


def test_the_most_typical_share_is_labelled(monkeypatch, tmp_path, pictures):
  folder = run(monkeypatch, make_config(tmp_path, pictures), tmp_path / 'run')
  name_clusters(folder, str)
  run(monkeypatch, make_config(tmp_path, pictures, labelled_frac=0.5, gallery=True, folders=True),
      tmp_path / 'run')
  assert (folder / 'gallery.html').exists() and len(list((folder / 'folders').iterdir())) == 4
  labelled = {row['path'].removeprefix('pictures/')
              for row in read_csv(folder / 'labelled' / 'labels.csv')}
  typical = {row['path'] for row in read_csv(folder / 'clusters.csv') if int(row['rank']) <= 3}
  assert labelled == typical and len(labelled) == 9


def test_names_of_other_clusters_are_not_taken(monkeypatch, tmp_path, pictures):
  config = make_config(tmp_path, pictures)
  folder = run(monkeypatch, config, tmp_path / 'run')
  name_clusters(folder, str)
  names, clusters = ((folder / name).read_bytes() for name in ('names.csv', 'clusters.csv'))
  with pytest.raises(UserError, match='names 3 clusters of other pictures, features or settings'):
    run(monkeypatch, make_config(tmp_path, pictures, k=2), tmp_path / 'run')
  assert (folder / 'names.csv').read_bytes() == names
  assert (folder / 'clusters.csv').read_bytes() == clusters
  (folder / 'names.csv').write_text('cluster,pictures,name\n7,6,blue\n')
  with pytest.raises(UserError, match="names cluster 7 'blue', which has no pictures here"):
    run(monkeypatch, config, tmp_path / 'run')
  (folder / 'names.csv').write_text('cluster,pictures,name\n1,5,blue\n')
  with pytest.raises(UserError, match='which has 6 pictures here'):
    run(monkeypatch, config, tmp_path / 'run')


def test_a_stop_on_the_way_leaves_no_half_clusters(monkeypatch, tmp_path, pictures):
  config, calls = make_config(tmp_path, pictures), []

  def stop_at(number):
    def poll():
      calls.append(1)
      if len(calls) == number:
        raise KeyboardInterrupt
    return poll

  run(monkeypatch, config, tmp_path / 'whole', poll=stop_at(-1))
  wanted = read_csv(tmp_path / 'whole' / 'cluster' / 'clusters.csv')
  for number in np.linspace(1, len(calls), 5).astype(int):
    calls.clear()
    config.runtime.features_dir = str(tmp_path / f'features-{number}')
    with pytest.raises(KeyboardInterrupt):
      run(monkeypatch, config, tmp_path / f'run-{number}', poll=stop_at(number))
    run(monkeypatch, config, tmp_path / f'run-{number}')
    assert read_csv(tmp_path / f'run-{number}' / 'cluster' / 'clusters.csv') == wanted


def test_a_folder_without_pictures_is_told_before_the_net_is_fetched(tmp_path):
  with pytest.raises(UserError, match="'nowhere' does not exist"):
    clustering.cluster_pictures(cluster.get_config(), str(tmp_path), 'nowhere', '', lambda: None)


def test_mistakes_are_told_in_a_sentence(monkeypatch, tmp_path, pictures):
  def told(words, input='', **settings):
    with pytest.raises(UserError, match=words):
      run(monkeypatch, make_config(tmp_path, pictures, **settings), tmp_path / 'run', input)

  told('cluster.k is 19, more than the 18 pictures that can be read', k=19)
  told("the net has no tap 'mixed9'; its taps are features, stem, wide", taps=('mixed9',))
  told("cluster.method 'dbscan' is unknown", method='dbscan')
  told('whitening is of principal components', components=0, whiten=True)
  told("cluster.method 'hdbscan' finds the number of clusters itself", method='hdbscan', k=3)
  told('there is 1 picture that can be read', input=pictures / 'red' / '0.png', k=0)
  told('does not exist', input=tmp_path / 'nowhere')
  (tmp_path / 'empty').mkdir()
  told('holds no picture', input=tmp_path / 'empty')
  for name in ('a', 'b'):
    (tmp_path / 'same').mkdir(exist_ok=True)
    (tmp_path / 'same' / f'{name}.png').write_bytes((pictures / 'red' / '0.png').read_bytes())
  told('different', input=tmp_path / 'same', k=2)
  told('all pictures have the same features', input=tmp_path / 'same', k=0)
  told('cluster.components is -3', components=-3)
  told('cluster.k_most is 1; expected 2 or more, or 0', k_most=1)
  for tried in ((0,), ('a',), (2.5,)):
    told('cluster.k_tried is .*; expected numbers', k=0, k_tried=tried)
  (tmp_path / 'bad').mkdir()
  (tmp_path / 'bad' / 'a.png').write_bytes(b'junk')
  told('can be read', input=tmp_path / 'bad')
  with pytest.raises(UserError, match='lies inside of the input'):
    run(monkeypatch, make_config(tmp_path, pictures), tmp_path / 'run', pictures,
        pictures / 'out')


def test_a_refused_command_leaves_clusters_names_and_config_as_they_were(monkeypatch, tmp_path,
                                                                         pictures):
  config = make_config(tmp_path, pictures)
  folder = run(monkeypatch, config, tmp_path / 'run')
  before = {path: path.read_bytes() for path in (tmp_path / 'run').rglob('*') if path.is_file()}
  for settings in ({'k': 19}, {'k': 0, 'k_tried': (30,)}, {'taps': ('none',)}, {'stream_rows': 2}):
    with pytest.raises(UserError):
      run(monkeypatch, make_config(tmp_path, pictures, **settings), tmp_path / 'run')
    left = {path: path.read_bytes() for path in before}
    assert left == before
  name_clusters(folder, str)
  with pytest.raises(UserError, match='names 3 clusters'):
    run(monkeypatch, make_config(tmp_path, pictures, k=2), tmp_path / 'run')
  assert json.loads((tmp_path / 'run' / 'config.json').read_text())['cluster']['k'] == 3
  run(monkeypatch, config, tmp_path / 'run')
  assert (folder / 'labelled' / 'labels.csv').exists()


def test_names_are_kept_where_the_clusters_have_to_be_made_again(monkeypatch, tmp_path, pictures):
  config = make_config(tmp_path, pictures)
  folder = run(monkeypatch, config, tmp_path / 'run')
  name_clusters(folder, str)
  (folder / 'collection.json').unlink()
  run(monkeypatch, config, tmp_path / 'run')
  assert len(labelling.read_names(folder / 'names.csv')) == 3
  assert (folder / 'labelled' / 'labels.csv').exists()


def test_an_empty_file_of_names_comes_back(monkeypatch, tmp_path, pictures):
  folder = run(monkeypatch, make_config(tmp_path, pictures), tmp_path / 'run')
  (folder / 'names.csv').unlink()
  run(monkeypatch, make_config(tmp_path, pictures), tmp_path / 'run')
  assert [row['name'] for row in read_csv(folder / 'names.csv')] == [''] * 3


def test_a_stop_while_the_report_is_written_costs_none_of_its_pages(monkeypatch, tmp_path,
                                                                    pictures):
  def stop(*_):
    raise KeyboardInterrupt

  config = make_config(tmp_path, pictures, k=0, k_tried=(2, 3))
  with monkeypatch.context() as patch:
    patch.setattr(clustering.cluster_report, 'measure', stop)
    with pytest.raises(KeyboardInterrupt):
      run(patch, config, tmp_path / 'run')
  folder = run(monkeypatch, config, tmp_path / 'run')
  for name in ('clusters.json', 'number_of_clusters.csv', 'number_of_clusters.png', 'names.csv',
               'clusters.csv', 'clusters.png'):
    assert (folder / name).exists(), name


def test_names_that_are_no_utf8_can_be_labelled_too(monkeypatch, tmp_path, pictures):
  os.rename(pictures / 'red' / '1.png', os.fsencode(pictures / 'red') + b'/b\xff\xfe.png')
  config = make_config(tmp_path, pictures)
  folder = run(monkeypatch, config, tmp_path / 'run')
  name_clusters(folder, str)
  run(monkeypatch, config, tmp_path / 'run')
  rows = read_csv(folder / 'labelled' / 'labels.csv')
  assert len(rows) == 18 and all((folder / 'labelled' / row['path']).exists() for row in rows)
  assert (folder / 'labelled' / 'labels.csv').read_bytes().decode()
