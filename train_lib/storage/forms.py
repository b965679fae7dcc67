"""Values of JSON: what a file can hold of Python's, and whether what was read is as it should be.

A form is a type (`int`, `str`, `bool`, `dict`, `list`; `float` is any finite number), None, a tuple
of forms (one of them), `[form]` (a list of such values) or `{key: form}` (an object; a key that it
lacks is fine, the key `str` is for all that are not named, and without it those may be anything).
"""

import math
import os

import numpy as np

LEAST_INT, MOST_INT = -2 ** 63, 2 ** 63 - 1


def find_misfit(value, form, needs=(), name: str = '') -> str | None:
  """The first value that has not its form, such as 'goodput.total_sec'; None where all have.

  Args: needs: keys that an object must have; name: of the value.
  """
  if isinstance(form, tuple):
    return None if any(find_misfit(value, one) is None for one in form) else name
  if not isinstance(form, (dict, list)):
    return None if _is(value, form) else name
  if not isinstance(value, type(form)):
    return name
  pairs = value.items() if isinstance(value, dict) else enumerate(value)
  for key, item in pairs:
    inner = form[0] if isinstance(form, list) else form.get(key, form.get(str, object))
    wrong = find_misfit(item, inner, name=f'{name}.{key}' if name else str(key))
    if wrong is not None:
      return wrong
  return next((key for key in needs if key not in value), None)


def _is(value, kind) -> bool:
  if kind is None:
    return value is None
  if kind is float and isinstance(value, float):
    return math.isfinite(value)
  if kind in (int, float):
    return type(value) is int and LEAST_INT <= value <= MOST_INT  # Python's bool is an int
  return isinstance(value, kind)


def plain(value):
  """Returns what strict JSON can hold: numbers that are not finite become None, arrays lists."""
  if isinstance(value, dict):
    return {str(key): plain(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(item) for item in value]
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if value is None or isinstance(value, (str, bool, int)):
    return value
  if isinstance(value, float):
    return float(value) if math.isfinite(value) else None
  return plain(np.asarray(value).tolist())
