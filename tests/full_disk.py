"""A disk that is full, for the tests of what is written."""

import contextlib
import resource


@contextlib.contextmanager
def full_disk(largest_bytes: int = 20_000):
  """No file of this process can grow beyond so many bytes."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, hard))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
