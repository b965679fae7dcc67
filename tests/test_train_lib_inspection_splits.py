"""Names of files may have any bytes, and letters of every script stay as they are."""

from errors import printable
from train_lib.inspection.splits import in_utf8


def test_bytes_that_are_no_utf8_are_escapes_and_all_letters_stay():
  name = b'caf\xe9 \xe4\xba\xba\xe3\x80\x80\xe7\x89\xa9\x1b'.decode(errors='surrogateescape')
  assert in_utf8(name) == 'caf\\udce9 人\u3000物\x1b'
  assert in_utf8(name).encode()
  assert printable(name) == 'caf\\udce9 人\\u3000物\\x1b'   # for a terminal: it obeys some letters
