"""Tables of figures as plain text, and what a row of them costs: parameters, bytes, speed."""

import textwrap

import jax

COST_COLUMNS = {'parameters': 'M para- meters', 'file_bytes': 'MB',
                'pictures_per_sec': 'pictures /s'}
COLUMN_WIDTH = 8                  # of what is printed
UNITS = {'parameters': 1e6, 'file_bytes': 1e6}
DIGITS = {'parameters': 2, 'file_bytes': 2, 'pictures_per_sec': 1, 'tags': 0, 'loss': 6}


def net_cost(variables, pictures_per_sec: float) -> dict[str, float]:
  """What a net costs: 'parameters', numbers that were learned; 'file_bytes', what they and the
  net's statistics take on disk; 'pictures_per_sec', as given."""
  leaves = jax.tree.leaves(variables)
  return {'parameters': sum(leaf.size for leaf in jax.tree.leaves(variables['params'])),
          'file_bytes': sum(leaf.nbytes for leaf in leaves),
          'pictures_per_sec': pictures_per_sec}


def cost(parameters: int) -> dict[str, int]:
  """The same of what learned so many float32 numbers, but for its speed."""
  return {'parameters': parameters, 'file_bytes': 4 * parameters}


def format_table(rows: dict[str, dict[str, float]], columns: dict[str, str],
                 digits: dict[str, int] | None = None) -> str:
  """Plain text, one line a row, columns aligned; a column that says nothing is left out.

  Args: rows: figures by name; columns: name of a figure -> title; digits: after the point, of those
  that differ from DIGITS.
  """
  titles = {key: textwrap.wrap(title, COLUMN_WIDTH) for key, title in columns.items()
            if any(row.get(key) for row in rows.values())}
  first = max(map(len, rows), default=0)
  height, digits = max(map(len, titles.values()), default=0), DIGITS | (digits or {})
  lines = [' ' * first + ''.join(
      f' {([""] * height + title)[line - height]:>{COLUMN_WIDTH}}' for title in titles.values())
      for line in range(height)]
  for name, row in rows.items():
    lines.append(f'{name:<{first}}' + ''.join(
        f' {shown(row.get(key), key, digits):>{COLUMN_WIDTH}}' for key in titles))
  return '\n'.join(lines)


def shown(value: float | None, key: str, digits: dict[str, int] = DIGITS) -> str:
  """The figure `key` in the unit of its column; '-' where there is none, and '<0.01' of what is
  too small to be seen."""
  if value is None:
    return '-'
  value, digits = value / UNITS.get(key, 1), digits.get(key, 4)
  least = 10 ** -digits
  return f'<{least:.{digits}f}' if 0 < value < least / 2 else f'{value:,.{digits}f}'
