"""More like this: pictures of a collection by features, by number, and never by path."""

import types

import numpy as np
import pytest

from configs import base
from tests import small_collections
from tests.served import client_of, decode, picture, png
from train_lib import build_data, build_inputs, parallel
from train_lib.clustering import cluster_report
from train_lib.clustering import collection as collection_lib
from train_lib.clustering.collection import open_collection
from train_lib.poses import people_finder
from train_lib.serving import views
from train_lib.serving.guard import Refused
from train_lib.serving.uploads import Upload
from train_lib.serving.views import alike


@pytest.fixture(scope='module')
def collection(tmp_path_factory):
  """Of 6 red, green and blue pictures each, in 3 clusters, of which one is named."""
  folder = tmp_path_factory.mktemp('alike')
  pictures = small_collections.write_pictures(folder / 'pictures')
  patch = pytest.MonkeyPatch()
  patch.setattr(cluster_report, 'write_report', lambda *_: None)             # no plots
  config = small_collections.make_config(folder, pictures)
  small_collections.run(patch, config, folder / 'run')
  patch.undo()
  return folder / 'run'


@pytest.fixture
def alike_view(collection, monkeypatch):
  monkeypatch.setattr(
      alike, 'open_trunk', lambda config, workdir: small_collections.make_trunk(config))
  return alike.AlikeView(base.get_config(), open_collection(collection))


def of_colour(name):
  return png(np.full((8, 8, 3), small_collections.COLOURS[name][::-1], np.uint8))


def test_pictures_of_the_same_colour_are_most_alike(alike_view):
  uploads = [Upload('a', of_colour('red')), Upload('b', b'junk'), Upload('c', of_colour('blue'))]
  red, broken, blue = alike_view.answer(uploads, {'count': '6'})
  for row, colour in ((red, 'red'), (blue, 'blue')):
    assert len(row['alike']) == 6
    assert {found['path'].split('/')[0] for found in row['alike']} == {colour}
    similarities = [found['similarity'] for found in row['alike']]
    assert similarities == sorted(similarities, reverse=True) and similarities[0] > 0.9
    assert len({found['cluster'] for found in row['alike']}) == 1
  assert broken['path'] == 'b' and 'no JPEG' in broken['error']


def test_its_features_are_those_of_the_collection(alike_view, collection):
  found = open_collection(collection)
  content = (found.top / found.ids[4]).read_bytes()
  [(features, _)] = alike_view._embedder([content])
  np.testing.assert_allclose(features, found.features[4], atol=1e-5)
  best = alike_view.answer([Upload('x', content)], {})[0]['alike'][0]
  assert best['row'] == 4 and best['similarity'] > 0.9999


def test_where_persons_were_cut_out_they_are_of_what_is_asked_for_too(alike_view, monkeypatch):
  left = np.array([[-0.5, -0.5, 8, 8]], np.float32)
  halves = np.concatenate([np.full((8, 8, 3), small_collections.COLOURS[name][::-1], np.uint8)
                           for name in ('red', 'blue')], axis=1)
  config = alike_view._collection.config
  monkeypatch.setattr(config.data.persons, 'cut', 'pose')
  monkeypatch.setattr(people_finder, 'open_cutter', lambda config: types.SimpleNamespace(
      cut=lambda source, poll: build_data.with_boxes(source, left)))
  monkeypatch.setattr(people_finder, 'found_boxes', lambda *_: left)
  monkeypatch.setattr(collection_lib, 'open_trunk',
                      lambda config, workdir: small_collections.make_trunk(config))
  [(served, _)] = alike.Embedder(alike_view._collection)([png(halves)])
  _, [embedded], _ = alike_view._collection.embed(build_inputs.build_given_source([png(halves)]))
  [(red, _)] = alike_view._embedder([of_colour('red')])
  for features in (served, embedded):
    np.testing.assert_allclose(features, red, atol=0.02)


def test_the_net_is_compiled_once_for_all_requests(alike_view, monkeypatch):
  traced, compile_once = [], parallel.compile_rows_and_sums

  def counting(function, mesh):
    return compile_once(lambda *args: traced.append(1) or function(*args), mesh)

  monkeypatch.setattr(parallel, 'compile_rows_and_sums', counting)
  alike_view._embedder = alike.Embedder(alike_view._collection)
  for _ in range(3):
    alike_view.answer([Upload('a', of_colour('red'))], {})
  assert traced == [1]


def test_a_picture_of_the_collection_leads_to_others_but_itself(alike_view):
  client = client_of(alike_view)
  answer = client.get('/api/alike/3?count=5').json()
  assert len(answer['alike']) == 5 and 3 not in {found['row'] for found in answer['alike']}
  assert answer['row'] == 3 and answer['path'] == open_ids(alike_view)[3]
  assert len(client.get('/api/alike/3?count=100').json()['alike']) == 17
  assert client.get('/api/alike/18').status_code == 404
  assert client.get('/api/alike/3?count=0').status_code == 422


def open_ids(view):
  return view._collection.ids


def test_thumbnails_come_by_number_alone(alike_view):
  client = client_of(alike_view)
  answer = client.get('/thumbnails/0')
  assert answer.headers['content-type'] == 'image/jpeg' and decode(answer.content).shape[0] == 8
  assert 'private' in answer.headers['cache-control']
  for row in ('18', '999999999999', '9999999999999', '-1', 'blue%2f0.png', '..%2f..%2fx'):
    assert client.get(f'/thumbnails/{row}').status_code == 404


def test_a_thumbnail_is_small_and_keeps_its_shape(alike_view, monkeypatch):
  monkeypatch.setattr(alike, 'THUMBNAIL_PX', 5)
  assert open_ids(alike_view)[2] == 'blue/2.png'                             # 10 times 8 px
  assert decode(client_of(alike_view).get('/thumbnails/2').content).shape == (4, 5, 3)


def test_a_picture_that_has_gone_is_told(alike_view, monkeypatch):
  monkeypatch.setattr(type(alike_view._collection), 'read_picture', lambda self, row: None)
  answer = client_of(alike_view).get('/thumbnails/1')
  assert answer.status_code == 404 and 'any more' in answer.json()['error']


def test_names_that_a_person_gave_are_told(collection, monkeypatch):
  monkeypatch.setattr(
      alike, 'open_trunk', lambda config, workdir: small_collections.make_trunk(config))
  path = collection / 'cluster' / 'names.csv'
  try:
    path.write_text('cluster,pictures,name\n0,6,"sunset, red"\n1,6,\n')
    view = alike.AlikeView(base.get_config(), open_collection(collection))
  finally:
    path.unlink()
  assert view.about()['named'] == {'0': 'sunset, red'}
  row = int(np.flatnonzero(view._collection.clusters == 0)[0])
  assert view.call_alike(row, {})['name'] == 'sunset, red'


def test_who_has_no_picture_begins_with_a_typical_one_of_each_cluster(alike_view):
  about = alike_view.about()
  assert len(about['starts']) == 18 and about['uploads'] is True
  assert {found['cluster'] for found in about['starts'][:3]} == {0, 1, 2}
  assert (about['pictures'], about['clusters']) == (18, 3)


def test_a_collection_of_scans_has_no_uploads(collection, monkeypatch):
  opened = open_collection(collection)
  opened.config.task = 'autoencoding'
  view = alike.AlikeView(base.get_config(), opened)
  assert view.about()['uploads'] is False
  with pytest.raises(Refused, match='this one is of scans'):
    view.answer([Upload('a', picture())], {})
  assert len(view.call_alike(0, {})['alike']) == 10


def test_a_run_that_holds_a_net_and_clusters_is_served_as_a_net(collection, tmp_path):
  assert views.is_collection(collection) and views.is_collection(collection / 'cluster')
  both = tmp_path / 'both'
  both.mkdir()
  (both / 'cluster').symlink_to(collection / 'cluster')
  assert views.is_collection(both)
  (both / 'tags.json').write_text('{}')
  assert not views.is_collection(both) and views.is_collection(both / 'cluster')
  assert not views.is_collection(tmp_path)


def test_every_task_has_a_view():
  from train_lib.tasks import TASKS
  assert set(views.VIEWS) == {*TASKS, 'clusters'}
  assert all(view.task == name for name, view in views.VIEWS.items())
