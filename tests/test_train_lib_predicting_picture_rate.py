"""How fast pictures are looked at: the first ones, which wait for a compilation, told apart."""

import pytest

from train_lib.predicting import picture_rate
from train_lib.predicting.picture_rate import PictureRate


@pytest.fixture
def clock(monkeypatch):
  """What the time is, in a list of one."""
  now = [100.0]
  monkeypatch.setattr(picture_rate.time, 'monotonic', lambda: now[0])
  return now


def add(rate, clock, *batches):
  for number, seconds in batches:
    clock[0] += seconds
    rate.add(number)


def test_the_speed_is_that_of_the_pictures_after_the_first_ones(clock):
  rate = PictureRate(1_000, 500)
  add(rate, clock, (100, 20.0), (100, 2.0), (100, 2.0))
  clock[0] += 60.0                                    # what is written after them does not count
  assert rate.per_sec == pytest.approx(50)
  assert rate.describe() == (
      ', 50.0 pictures/s after the first 100 looked at, which took 20.0 s with starting up')


def test_of_a_single_batch_no_speed_is_told(clock):
  rate = PictureRate(3, 0)
  assert rate.describe() == '' and rate.per_sec is None
  add(rate, clock, (3, 8.0))
  assert rate.per_sec is None and rate.describe() == ', in 8.0 s with starting up'


@pytest.mark.parametrize('first, others', [(32, 1), (32, 31), (1, 7)])
def test_of_fewer_than_the_first_or_eight_others_no_speed_is_told(clock, first, others):
  rate = PictureRate(100, 0)
  add(rate, clock, (first, 8.0), (others, 1.0))
  assert rate.per_sec is None and rate.describe() == ', in 9.0 s with starting up'
  add(rate, clock, (1, 1.0))
  assert (rate.per_sec is None) == (others == 1)


def test_no_pictures_are_not_the_first_ones(clock):
  rate = PictureRate(100, 0)
  add(rate, clock, (0, 5.0))
  assert rate.describe() == ''
  add(rate, clock, (10, 5.0), (10, 1.0))
  assert rate.per_sec == pytest.approx(10)
  assert 'after the first 10 looked at, which took 10.0 s' in rate.describe()


def test_a_line_tells_the_speed_without_the_compilation(clock, capsys):
  rate = PictureRate(60, 0)
  add(rate, clock, (10, 30.0), (10, 20.0))
  assert capsys.readouterr().out.splitlines() == [
      '10 of 60 pictures', '20 of 60 pictures, 0.5 pictures/s, 80 s left']
