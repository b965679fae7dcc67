"""What a folder is that is named as --workdir: a run, a study, clusters, or a page's data alone."""

from errors import UserError
from train_lib.export import exported
from train_lib.storage import records

# Kind -> files and folders one of which tells it; the first that fits counts.
SIGNS = {
    'run': ('run.json', 'metrics.jsonl', 'checkpoints'),
    'study': ('study.md', 'study.json', 'report.md', 'cells'),
    'clusters': ('cluster/clusters.json', 'clusters.json'),
}


def recognise(workdir: str) -> str:
  """'run', 'study' or 'clusters'; 'data' where nothing was made from them yet.

  Raises:
    UserError: it is a folder that --job=export wrote.
  """
  folder = records.absolute(workdir)
  if exported.is_exported(folder):
    card = folder / 'README.md'
    what = f'{card} says what it is; ' if card.exists() else ''
    raise UserError(f'{folder} is an exported net, which has no run to inspect; {what}name the '
                    '--workdir that --job=train wrote for the rest.')
  if not (folder / 'config.json').exists() and not (folder / 'clusters.json').exists():
    return 'data'
  return next((kind for kind, names in SIGNS.items()
               if any((folder / name).exists() for name in names)), 'data')
