"""A program that is measured beside others: it waits a little in every turn, or fails as told."""

import os

from benchmarks.beside import worker


def prepare(spec):
  """(facts, turn). Args: spec: imports (a package), fails (a message)."""
  if 'imports' in spec:
    __import__(spec['imports'])
  print('a library greets')

  def turn(command):
    if 'fails' in command:
      raise SystemExit(command['fails'])
    return {'seconds': [command['seconds']] * 3}
  return {'param_count': 7, 'malloc': os.environ.get('GLIBC_TUNABLES', ''),
          'xla': os.environ.get('XLA_FLAGS', '')}, turn


if __name__ == '__main__':
  worker.serve(prepare)
