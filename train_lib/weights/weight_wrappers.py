"""What wraps a net in torch, and the names that it writes before the net's own."""

from errors import UserError
from train_lib.weights.weight_account import few, plain

# A row is for files some of whose keys begin with its first name; then all must begin with one of
# its names. mmpose calls the trunk of a net `backbone`.
WRAPPERS = (
  ('module.',),                                  # DataParallel
  ('_orig_mod.',),                               # torch.compile
  ('backbone.', 'keypoint_head.'),               # mmpose 0.x
  ('backbone.', 'head.', 'data_preprocessor.'),  # mmpose 1.x
)


def unwrap(path, arrays: dict, wrappers=WRAPPERS) -> dict:
  """Returns arrays by the names that they have in the net itself, each wrapper taken off once.

  Args:
    path: of the file, for messages.
    arrays: {key: anything}.
    wrappers: rows that may still stand before a name.

  Raises:
    UserError: when only some of the keys are wrapped, or two of them come to the same name.
  """
  rows = [row for row in wrappers if any(key.startswith(row[0]) for key in arrays)]
  if not rows:
    return arrays
  others = {row: [key for key in arrays if not key.startswith(row)] for row in rows}
  row = min(rows, key=lambda row: len(others[row]))
  if others[row]:
    raise UserError(f'{path} mixes names: some begin with {row[0]!r}, and others with none of '
                    f'{", ".join(map(repr, row))} ({few([plain(key) for key in others[row]])}); '
                    'write the weights of one net to a file.')
  inside = {}
  for key, array in arrays.items():
    name = key.removeprefix(next(filter(key.startswith, row)))
    if name in inside:
      raise UserError(f'{path} holds {plain(name)} twice; write the weights of one net to a file.')
    inside[name] = array
  return unwrap(path, inside, [other for other in wrappers if other[0] != row[0]])
