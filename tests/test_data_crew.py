"""The processes that draw: what comes of them is waited for."""

import concurrent.futures

import pytest

from data import crew


class LastMoment(concurrent.futures.Future):
  """It is done just after somebody has waited for it in vain."""

  def result(self, timeout=None):
    try:
      return super().result(timeout)
    except TimeoutError:
      self.set_result('pictures')
      raise


def test_pictures_that_come_while_nobody_looks_are_no_failure():
  future = LastMoment()
  assert crew._wait(future, lambda: future.set_result('pictures')) == 'pictures'


def test_a_failure_of_the_drawing_is_passed_on_whatever_it_is_called():
  future = concurrent.futures.Future()
  future.set_exception(TimeoutError('its own'))
  with pytest.raises(TimeoutError, match='its own'):
    crew._wait(future, None)
