"""The tables of a test split: their rows, their costs, and that nothing is as large as the data."""

import re
import tracemalloc

import jax
import numpy as np
import pytest
from flax import linen as nn
from sklearn.metrics import f1_score

from train_lib import baselines as shared
from train_lib import parallel
from train_lib.evaluation import Evaluator
from train_lib.tags import baselines, report
from train_lib.tags.metrics import THRESHOLDS
from train_lib.tasks.tagging import Tagging, multi_hot_on_host

CATEGORIES = ('rating', 'rating', 'general', 'general', 'general', 'general', 'character',
              'character', 'artist')
TAGS = len(CATEGORIES)


class PixelsAreLogits(nn.Module):
  """A net whose logits are its input's first row, with two parameters and one statistic."""

  @nn.compact
  def __call__(self, image, *, train):
    self.param('unused', nn.initializers.zeros, (2,))
    return image[:, 0, :, 0], {}


def make_task(categories=CATEGORIES):
  return Tagging(net=PixelsAreLogits(), loss_function=lambda logits, labels: abs(logits - labels),
                 mean=(128.0,) * 3, deviation=(16.0,) * 3, num_tags=len(categories),
                 over_tags='sum', scored=np.array([name != 'rating' for name in categories]))


class Split:
  """A source and a loader of random pictures that tell something of their tags."""

  truth_keys = ('tags', 'drawn_tags')

  def __init__(self, rows, seed, categories=CATEGORIES, drawn_known=True):
    rng = np.random.default_rng(seed)
    self.tag_categories = categories
    self.tag_names = tuple(f'tag {index}' for index in range(len(categories)))
    shares = np.geomspace(0.6, 0.1, len(categories))
    self.drawn = rng.random((rows, len(categories))) < shares
    self.labels = self.drawn & (rng.random(self.drawn.shape) < 0.8)
    self.labels[:, -1] = False                                  # a tag without a picture
    noise = rng.normal(0, 25, self.drawn.shape)
    values = np.clip(110 + 40 * self.drawn + noise, 0, 255).astype(np.uint8)
    self.images = np.broadcast_to(values[:, None, :, None], (rows, 2, len(categories), 3))
    self.drawn_known = drawn_known
    self.num_examples, self.batch_size = rows, 8
    self.num_batches = -(-rows // self.batch_size)
    self.read = []

  def __len__(self):
    return len(self.labels)

  def count_tags(self, poll=lambda: None):
    return self.labels.sum(axis=0)

  def batches(self, start, stop):
    for k in range(start, stop):
      yield self.make_batch(k)

  def make_batch(self, k):
    self.read.append(k)
    places = np.arange(k * self.batch_size, (k + 1) * self.batch_size)
    mask, places = places < len(self), np.minimum(places, len(self) - 1)
    padded = {key: np.where(labels[places], np.arange(labels.shape[1]), -1).astype(np.int32)
              for key, labels in (('tags', self.labels), ('drawn_tags', self.drawn))}
    if not self.drawn_known:
      del padded['drawn_tags']
    return {'image': self.images[places], 'mask': mask.astype(np.float32),
            'id': [f'p{place}' for place in places], **padded}

  def example(self, index):
    return {'image': self.images[index]}


def measure(task=None, with_baselines=True, **loaders):
  task = task or make_task()
  loaders = {'train': Split(90, 0), 'valid': Split(61, 1), 'test': Split(50, 2), **loaders}
  mesh = parallel.make_mesh(jax.devices()[:1])
  variables = {**task.init(jax.random.key(0), {'image': loaders['test'].images[:1]}),
               'batch_stats': {'mean': jax.numpy.zeros(1)}}
  return report.report_on_test(Evaluator(task, mesh), variables, loaders['train'], loaders,
                               with_baselines=with_baselines)


@pytest.fixture(scope='module')
def measured():
  return measure()


def test_rows_are_the_net_and_what_it_is_compared_with(measured):
  assert list(measured.rows) == ['net', 'constant', 'colour histogram', 'oracle']
  figures = {name: row['macro_f1_tuned'] for name, row in measured.rows.items()}
  assert figures['constant'] < figures['net'] < figures['oracle']
  assert list(measure(with_baselines=False).rows) == ['net']


def test_every_row_tells_its_costs_where_it_has_any(measured):
  net, constant, colours, oracle = measured.rows.values()
  assert (net['parameters'], net['file_bytes']) == (2, 12)
  assert (constant['parameters'], constant['file_bytes']) == (TAGS, 4 * TAGS)
  assert colours['parameters'] == TAGS * (6 ** 3 + 1) and colours['pictures_per_sec'] > 0
  assert net['pictures_per_sec'] > 0
  assert 'pictures_per_sec' not in constant and 'parameters' not in oracle


def test_the_constant_row_is_what_constant_probabilities_come_to():
  """Worked out from counts, it equals the same probabilities measured picture by picture."""
  task, train, valid, test = make_task(), Split(90, 0), Split(61, 1), Split(50, 2)
  shares = train.labels.mean(axis=0).astype(np.float32)
  collected = {}
  for name, split in (('valid', valid), ('test', test)):
    collector = task.collector(split)
    collector.add({'probabilities': np.tile(shares, (len(split), 1))},
                  {'labels': split.labels, 'drawn_labels': split.drawn},
                  [''] * len(split), np.arange(len(split)))
    collected[name] = collector.finish()
  expected = task.figures(collected['test'], task.tune(collected['valid']))
  found = measure(train=train, valid=valid, test=test).rows['constant']
  assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-12)
  assert found['micro_f1_tuned'] > 0


def test_the_oracle_knows_how_often_what_was_drawn_is_listed():
  task, train = make_task(), Split(400, 0)
  train.labels |= np.random.default_rng(9).random(train.labels.shape) < 0.05     # and false ones
  oracle = baselines.fit(task, train, lambda: None)['oracle']
  drawn = np.array([[True] * TAGS, [False] * TAGS])
  guess = oracle.guess(None, {'drawn_labels': drawn})
  expected = [train.labels[:, 2][train.drawn[:, 2]].mean(),
              train.labels[:, 2][~train.drawn[:, 2]].mean()]
  np.testing.assert_allclose(guess[:, 2], expected, rtol=1e-6)


def test_regression_gives_each_tag_its_probability():
  rng = np.random.default_rng(0)
  histograms = rng.random((300, 216)).astype(np.float32)
  labels = np.stack([histograms[:, 0] > 0.5, np.ones(300, bool), np.zeros(300, bool)], axis=1)
  guess = baselines.HistogramRegression(histograms, labels).predict(histograms)
  assert f1_score(labels[:, 0], guess[:, 0] > 0.5) > 0.9
  assert (guess[:, 1] == 1).all() and (guess[:, 2] == 0).all()


def test_learning_takes_no_more_training_pictures_than_it_needs(monkeypatch):
  monkeypatch.setattr(shared, 'MOST_PICTURES', 100)
  train = Split(800, 0)
  baselines.fit(make_task(), train, lambda: None)
  assert train.read[0] == 0 and train.read[-1] == 99 and 10 <= len(train.read) <= 13
  assert max(np.diff(train.read)) <= 10


def test_a_batch_of_unreadable_pictures_takes_no_row_away():
  test = Split(50, 2)
  read = test.make_batch

  def make_batch(k):
    batch = read(k)
    return {**batch, 'mask': np.zeros_like(batch['mask'])} if k == 0 else batch

  test.make_batch = make_batch
  assert list(measure(test=test).rows) == ['net', 'constant', 'colour histogram', 'oracle']


def test_many_tags_need_no_training_picture_and_no_table_of_them():
  tags = 70_000

  class Huge(Split):
    """A million training pictures of which only counts exist."""
    num_examples, num_batches = 10 ** 6, 7813

    def __init__(self):
      self.tag_categories = ('general',) * tags

    def __len__(self):
      return self.num_examples

    def count_tags(self, poll=lambda: None):
      return np.full(tags, 30)

    def make_batch(self, k):
      assert k == 0                                             # to find out what it knows
      return few.make_batch(0)

  few = Split(3, 1, ('general',) * tags, drawn_known=False)
  task = make_task(few.tag_categories)
  tracemalloc.start()
  result = measure(task, train=Huge(), valid=few, test=few)
  _, most = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert list(result.rows) == ['net', 'constant']
  assert most < 500e6


def test_categories_are_parts_of_the_whole(measured):
  rows = report.category_rows(measured, make_task().scored, CATEGORIES)
  assert list(rows) == ['all', 'rating', 'general', 'character', 'artist']
  assert [row['tags'] for row in rows.values()] == [7, 2, 4, 2, 1]
  for key in ('map', 'micro_f1', 'macro_precision_tuned', 'micro_recall_tuned', 'macro_f1_own'):
    assert rows['all'][key] == measured.rows['net'][key]
  assert rows['all']['constant_map'] == measured.rows['constant']['map']
  scored = [row for name, row in rows.items() if name not in ('all', 'rating')]
  assert sum(row['labels'] for row in scored) == rows['all']['labels']
  for figure in ('macro_f1', 'macro_f1_tuned', 'macro_recall', 'constant_macro_f1_tuned'):
    whole = sum(row['tags'] * row[figure] for row in scored) / 7
    assert rows['all'][figure] == pytest.approx(whole), figure


def test_ratings_have_rows_and_an_accuracy_but_do_not_count(measured):
  test = Split(50, 2)
  rated = test.labels[:, :2].any(axis=1)
  guess = test.images[:, 0, :2, 0].argmax(axis=1)
  expected = test.labels[np.arange(50), guess][rated].mean()
  assert measured.rows['net']['rating_accuracy'] == pytest.approx(expected)
  other = Split(50, 2)
  other.labels[:, :2] = ~other.labels[:, :2]
  changed = measure(test=other, with_baselines=False).rows['net']
  assert changed['macro_f1_tuned'] == measured.rows['net']['macro_f1_tuned']
  assert changed['rating_accuracy'] != measured.rows['net']['rating_accuracy']


def test_thresholds_come_from_the_validation_split(measured):
  valid, test = Split(61, 1), Split(50, 2)
  scored = make_task().scored
  logits = (valid.images[:, 0, :, 0][:, scored].astype(np.float32) - 128) / 16
  probabilities = np.asarray(jax.nn.sigmoid(logits))
  f1 = [f1_score(valid.labels[:, scored], probabilities > threshold, average='micro',
                 zero_division=0) for threshold in THRESHOLDS]
  best = THRESHOLDS[int(np.argmax(f1))]
  assert measured.thresholds['micro'] == best
  logits = (test.images[:, 0, :, 0][:, scored].astype(np.float32) - 128) / 16
  expected = f1_score(test.labels[:, scored], np.asarray(jax.nn.sigmoid(logits)) > best,
                      average='micro', zero_division=0)
  assert measured.rows['net']['micro_f1_tuned'] == pytest.approx(expected)


def test_thresholds_of_every_row_come_from_the_validation_split(measured):
  other_test, other_valid = measure(test=Split(40, 3)), measure(valid=Split(40, 3))
  keys = ('micro_threshold', 'macro_threshold')
  for name in measured.rows:
    before, same, changed = ([rows[name][key] for key in keys] for rows in
                             (measured.rows, other_test.rows, other_valid.rows))
    assert before == same, name
    assert before != changed or name == 'oracle', name      # who gives 0 or about 0.8


def test_tables_are_aligned_and_leave_out_what_says_nothing(measured):
  table = report.format_table(measured.rows)
  lines = table.splitlines()
  assert len({len(line) for line in lines}) == 1
  assert 'mAP +-' not in table and 'drawn' in table           # average precision is exact here
  net = next(line for line in lines if line.startswith('net'))
  assert re.search(rf"{measured.rows['net']['map']:.4f}", net)
  assert next(line for line in lines if line.startswith('oracle')).rstrip().endswith('-')


def test_what_is_small_is_not_nothing_in_a_table():
  table = report.format_table({'constant': {'parameters': 100, 'map': 0.25},
                               'net': {'parameters': 5_000, 'map': 0.0}})
  cells = [line.split() for line in table.splitlines()[-2:]]
  assert cells == [['constant', '0.2500', '<0.01'], ['net', '0.0000', '0.01']]


def test_a_category_that_no_picture_has_has_no_map(measured):
  artist = report.category_rows(measured, make_task().scored, CATEGORIES)['artist']
  assert artist['labels'] == 0 and artist['map'] is artist['constant_map'] is None
  last = report.format_table({'artist': artist}, report.CATEGORY_COLUMNS).splitlines()[-1]
  assert last.split()[:2] == ['artist', '1'] and 'nan' not in last


def test_labels_of_the_fake_split_are_what_the_task_reads():
  split = Split(5, 0)
  np.testing.assert_array_equal(multi_hot_on_host(split.make_batch(0)['tags'], TAGS)[:5],
                                split.labels)
