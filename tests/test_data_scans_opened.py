import threading

import pytest

from data.scans.opened import OpenedScans


class FakeScan:
  def __init__(self, num_bytes):
    self.num_bytes = num_bytes


def test_opened_scans_are_the_last_used_and_bounded():
  opened, calls = OpenedScans(most_bytes=10, most_scans=3), []

  def get(key, num_bytes=1):
    return opened.get((key,), lambda: calls.append(key) or FakeScan(num_bytes))

  for key in 'abca':
    get(key)
  assert calls == ['a', 'b', 'c']
  get('d')  # b goes
  get('a')
  get('b')
  assert calls == ['a', 'b', 'c', 'd', 'b'] and opened.num_bytes == 3
  get('big', 50)
  assert opened.num_bytes == 50
  get('a')
  assert opened.num_bytes == 1


def test_a_scan_is_opened_once_whichever_thread_wants_it():
  opened, calls, release = OpenedScans(), [], threading.Event()

  def open_it():
    calls.append(1)
    release.wait(5)
    return FakeScan(1)

  threads = [threading.Thread(target=opened.get, args=(('a',), open_it)) for _ in range(4)]
  for thread in threads:
    thread.start()
  release.set()
  for thread in threads:
    thread.join()
  assert len(calls) == 1


def test_a_scan_that_could_not_be_opened_is_tried_again():
  opened = OpenedScans()
  with pytest.raises(OSError):
    opened.get(('a',), lambda: open('/no/such/file'))
  assert opened.get(('a',), lambda: FakeScan(1)).num_bytes == 1
