"""Tables of CSV that the program wrote, read back."""

import csv


def read_csv(path) -> list[dict]:
  """The rows, {column: text} each; names of files may have any bytes."""
  with open(path, newline='', encoding='utf-8', errors='surrogateescape') as file:
    return list(csv.DictReader(file))
