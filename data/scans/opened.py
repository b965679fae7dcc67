"""The scans that were opened last, so that slices of a volume are read at random quickly."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable

from data.scans.scan import Scan

MOST_BYTES = 2**30                # of memory that they take
MOST_SCANS = 256


class OpenedScans:
  """At most so many scans, the last used; safe to use from several threads.

  Args: most_bytes: of memory, over all but the newest; most_scans: their number.
  """

  def __init__(self, most_bytes: int = MOST_BYTES, most_scans: int = MOST_SCANS):
    self._most_bytes, self._most_scans = most_bytes, most_scans
    self._scans, self._lock = OrderedDict(), threading.Lock()
    self._opening = defaultdict(threading.Lock)

  def get(self, key: tuple, open_it: Callable[[], Scan]) -> Scan:
    """The scan of a key; opened unless it is there, by one thread while others wait for it."""
    scan = self._find(key)
    if scan is not None:
      return scan
    with self._lock:
      opening = self._opening[key]
    with opening:
      scan = self._find(key) or open_it()
      with self._lock:
        self._scans[key] = scan
        self._opening.pop(key, None)
        while len(self._scans) > 1 and (len(self._scans) > self._most_scans
                                        or self.num_bytes > self._most_bytes):
          self._scans.popitem(last=False)
    return scan

  @property
  def num_bytes(self) -> int:
    """That the scans take."""
    return sum(scan.num_bytes for scan in self._scans.values())

  def _find(self, key):
    with self._lock:
      if key in self._scans:
        self._scans.move_to_end(key)
      return self._scans.get(key)
