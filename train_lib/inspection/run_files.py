"""What lies in a run's folder besides its figures: checkpoints, bad pictures, what jobs left."""

from train_lib.inspection import markup
from train_lib.inspection.csv_tables import spoken
from train_lib.inspection.markup import Details, Section, joined, link, paragraph, tag
from train_lib.inspection.numbers import shown
from train_lib.reporting import human_bytes
from train_lib.storage import manifest, records
from train_lib.storage.step_folder import BEST, StepFolder

MOST_BAD = 200                    # pictures on the page
# Folder -> what is in it, and the files to open first.
LEFT_BY_JOBS = {
    'export': ('the net as files for other programs', ('README.md', 'config.json')),
    'cluster': ('groups of alike pictures', ('gallery.html', 'clusters.csv')),
    'neighbours': ('the most alike pictures of each, and copies', ('neighbours.png', 'copies.png')),
    'audit': ('labels suspected wrong', ('audit.png', 'audit.csv')),
    'predict': ('what the net says of other pictures', ('predictions.csv', 'restored.csv',
                                                        'restored.png', 'predictions.jsonl')),
    'crop': ('persons cut out of pictures', ('crop.png', 'crop.csv')),
    'synthesize': ('scans that the net has drawn', ('samples.png', 'manifest.csv')),
}


def checkpoints_section(workdir, config, record: dict) -> Section | None:
  """The steps that are kept; None where there is none. Nothing on disk is changed."""
  folder = StepFolder(workdir / 'checkpoints', keep_last=1, best_metric='', keep_every=0)
  best = _best(workdir)
  rows, names = [], []
  for step in folder.numbers():
    found = _manifest(folder / step)
    if found is None:
      continue                    # being saved, or just deleted
    marks = ['best'] * (step == best.get('step')) + (
        ['used'] * (step == record.get('chosen', {}).get('step')))
    if isinstance(found, str):
      rows.append((f'{step:,}', f'damaged: {found}', None, None, None))
      continue
    size = sum(entry['bytes'] for entry in found['files'].values())
    value = found.get('metrics', {}).get(best.get('metric'))
    rows.append((f'{step:,}', ', '.join(marks), shown(value), human_bytes(size),
                 str(found.get('time', ''))[:16].replace('T', ' ')))
    names.append(step)
  if not rows:
    return None
  metric = spoken(str(best.get('metric', 'figure')))
  return Section('checkpoints', 'Checkpoints', [
      paragraph(f'Jobs take the {config.checkpoint} one unless --config.checkpoint says otherwise '
                '(latest or best).'),
      markup.table(('step', '', f'{metric}, validation', 'size', 'saved, UTC'), rows, words=2)])


def _manifest(folder):
  """The manifest of a checkpoint; None where there is none yet, the reason where it is damaged."""
  if not (folder / manifest.NAME).exists():
    return None
  try:
    return manifest.read_manifest(folder)
  except manifest.Damaged as error:
    return str(error)


def _best(workdir) -> dict:
  path = workdir / 'best.json'
  return records.read_fields(path, BEST) if path.exists() else {}


def bad_section(workdir, beside) -> Section | None:
  """Pictures that training met and could not read; None where there is none."""
  path = workdir / 'bad_images.jsonl'
  rows = records.read_jsonl(path)
  if not rows:
    return None
  table = markup.table(('picture', 'reason'),
                       ((row.get('id', ''), row.get('reason', '')) for row in rows[:MOST_BAD]),
                       words=2)
  return Section('bad', 'Pictures that training could not read', [
      paragraph(joined(f'{len(rows):,} of them were skipped: ', link(path, beside), '.')),
      Details(f'The first {min(len(rows), MOST_BAD):,}', [table])], 'Bad pictures')


def others_section(workdir, beside) -> Section | None:
  """What other jobs left in the folder, and which file of it to open; None where nothing is."""
  lines = []
  for name, (what, files) in LEFT_BY_JOBS.items():
    folder = workdir / name
    if folder.is_dir() and any(folder.iterdir()):
      there = [link(folder / file, beside, f'{name}/{file}') for file in files
               if (folder / file).exists()]
      lines.append(tag('li', tag('strong', f'{name}/'), f' {what}',
                       *(joined(': ' if not place else ', ', one)
                         for place, one in enumerate(there))))
  if not lines:
    return None
  return Section('others', 'Also in this folder', [tag('ul', *lines)], 'Also here')
