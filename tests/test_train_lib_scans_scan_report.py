"""The table of an autoencoder beside the restorers, and what a report leaves on disk."""

import csv

import numpy as np
import pytest

from tests import small_scans
from train_lib.evaluation import Evaluator
from train_lib.scans import image_quality, scan_report, scan_report_files
from train_lib.scans.restorers import RESTORERS

SIDE, ROWS, BATCH = small_scans.SIDE, 10, 8


class Split:
  """A loader of scans made of squares, of which the net knows the mean, 40 % of the pixels kept."""
  num_examples, num_batches = ROWS, 2

  def __init__(self, seed=0, kept=0.4):
    rng = np.random.default_rng(seed)
    squares = rng.uniform(0.2, 0.8, (ROWS, 4, 4)).astype(np.float32)
    self.target = np.kron(squares, np.ones((4, 4), np.float32))[..., None]
    self.known = (rng.random(self.target.shape) < kept).astype(np.float32)
    self.image = self.target * self.known

  def example(self, index):
    return None if index >= ROWS else {
        'id': f'scan {index}', 'target': self.target[index], 'known': self.known[index],
        'image': self.image[index]}

  def batches(self, start, stop):
    for k in range(start, stop):
      yield self.make_batch(k)

  def make_batch(self, k):
    examples = [self.example(k * BATCH + row) for row in range(BATCH)]
    blank = np.zeros((SIDE, SIDE, 1), np.float32)
    return {'mask': np.float32([example is not None for example in examples]),
            'id': [example['id'] if example else '' for example in examples],
            **{key: np.stack([example[key] if example else blank for example in examples])
               for key in ('target', 'known', 'image')}}


def make_report(**settings):
  trained = small_scans.make_trained()
  loaders = {split: Split(seed, **settings)
             for seed, split in enumerate(('train', 'valid', 'test'))}
  report = scan_report.report_on_test(
      Evaluator(trained.task, trained.mesh), trained.variables, None, loaders, with_baselines=True)
  return report, loaders


def test_rows_are_what_each_way_makes_of_the_same_scans():
  report, loaders = make_report()
  test = loaders['test']
  assert list(report.rows) == ['net', 'net, kept pixels', *RESTORERS, 'mean picture', 'as damaged']
  mean = np.broadcast_to(loaders['train'].target.mean(axis=0), test.target.shape)
  ways = {'as damaged': test.image, 'mean picture': mean,
          'mean of neighbours': RESTORERS['mean of neighbours'](test.image, test.known)}
  energy = np.square(test.target).sum(axis=(1, 2, 3))
  for name, pictures in ways.items():
    errors = image_quality.squared_errors(pictures, test.target)
    assert report.rows[name]['recovered'] == pytest.approx(
        image_quality.recovered(errors, energy), abs=1e-6)
  assert report.rows['as damaged']['recovered_lost'] == pytest.approx(0, abs=1e-9)
  assert report.rows['as damaged']['recovered'] == pytest.approx(0.4, abs=0.05)
  assert report.best == max(RESTORERS, key=lambda name: report.rows[name]['psnr'])


def test_kept_pixels_are_put_back_only_where_some_are_missing():
  image, restored = np.full((2, 4, 4, 1), 0.2, np.float32), np.full((2, 4, 4, 1), 0.9, np.float32)
  known = np.ones((2, 4, 4, 1), np.float32)
  known[1, 0] = 0
  pasted = scan_report.put_back(restored, image, known)
  assert (pasted[0] == np.float32(0.9)).all()
  assert (pasted[1, 0] == np.float32(0.9)).all() and (pasted[1, 1:] == np.float32(0.2)).all()
  report, _ = make_report(kept=1.1)
  assert 'net, kept pixels' not in report.rows
  assert 'recovered_lost' not in report.rows['net']


@pytest.mark.parametrize('net, damaged, said', [
    ({'psnr': 1.554}, {'psnr': 14.1, 'recovered_lost': 0.0}, 'PSNR 1.55 dB against 14.10'),
    ({'psnr': 20.0}, {'psnr': 14.1, 'recovered_lost': 0.0}, ''),
    ({'psnr': 20.0}, {'psnr': 100.0}, ''),                   # nothing was damaged
    ({'psnr': None}, {'psnr': 14.1, 'recovered_lost': 0.0}, ''),
    ({'psnr': 1.0}, {}, ''), ({}, {'psnr': 14.1, 'recovered_lost': 0.0}, '')])
def test_a_net_that_does_worse_than_nothing_is_told(net, damaged, said):
  told = scan_report.worse_than_damaged({'net': net, 'as damaged': damaged})
  assert said in told and bool(told) == bool(said)


def test_a_report_leaves_tables_and_pictures(tmp_path, capsys):
  report, loaders = make_report()
  scan_report_files.write_report(tmp_path, report, None, loaders['test'], lambda: None)
  said = capsys.readouterr().out
  assert 'PSNR, dB' in said and 'active' in said
  report.rows['net']['psnr'] = report.rows['as damaged']['psnr'] - 1
  scan_report_files.write_report(tmp_path, report, None, loaders['test'], lambda: None)
  worse = capsys.readouterr().out
  assert 'does worse than leaving' in worse and 'does worse than leaving' not in said
  with open(tmp_path / 'evaluation' / 'scans.csv') as file:
    rows = list(csv.DictReader(file))
  assert [row['scan'] for row in rows] == [f'scan {index}' for index in range(ROWS)]
  assert float(rows[3]['psnr_db']) == pytest.approx(report.outcome.collected.psnr[3], rel=1e-4)
  with open(tmp_path / 'evaluation' / 'units.csv') as file:
    units = list(csv.DictReader(file))
  assert sum(float(row['kl_nats']) for row in units) == pytest.approx(
      report.rows['net']['kl'], rel=1e-4)
  for name in ('predictions', 'worst', 'interpolation', 'latent_map', 'units'):
    assert (tmp_path / 'pictures' / f'{name}.png').stat().st_size > 1_000


def test_a_net_that_still_learns_is_drawn(tmp_path):
  trained = small_scans.make_trained()
  evaluator = Evaluator(trained.task, trained.mesh)
  scan_report_files.draw_step(tmp_path, evaluator, Split(), trained.variables, 40)
  folder = tmp_path / 'pictures' / 'steps' / '0000040'
  assert {path.name for path in folder.iterdir()} == {'reconstructions.png', 'interpolation.png'}
