"""Several processes, one answer."""

import jax
import numpy as np

from errors import UserError

_REFUSED = np.iinfo(np.int32).min


def agree(find) -> int:
  """Returns the int that `find()` gives on process 0, on every process.

  Raises:
    Exception: of `find`, on process 0; the other processes raise a UserError that points there.
  """
  if jax.process_count() == 1:
    return find()
  from jax.experimental import multihost_utils
  answer, error = _REFUSED, None
  if jax.process_index() == 0:
    try:
      answer = find()
    except Exception as found:
      error = found
  answer = int(multihost_utils.broadcast_one_to_all(np.int32(answer)))
  if error is not None:
    raise error
  if answer == _REFUSED:
    raise UserError('process 0 refused and says why.')
  return answer
