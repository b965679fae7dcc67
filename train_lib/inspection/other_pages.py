"""Short pages of a study and of clusters: their table and picture, and what to open instead."""

import re

from train_lib.clustering import quality
from train_lib.inspection import markup
from train_lib.inspection.csv_tables import csv_parts
from train_lib.inspection.markup import Picture, Section, bullets, facts, link, paragraph
from train_lib.inspection.numbers import shown
from train_lib.inspection.page import NAME, write_page
from train_lib.storage import records

REPORTS = ('study.md', 'report.md')
CLUSTER_FIGURES = {
    'pictures': 'pictures', 'clusters': 'clusters', 'noise': 'in no cluster',
    'unreadable': 'unreadable', **quality.TITLES}
MOST_RUNS = 200


def write_study_page(workdir, folder) -> str:
  """Writes the page of a study; a sentence that names what to open.

  Args: workdir: of the study, absolute; folder: of the page, which exists.
  """
  report = next((workdir / name for name in REPORTS if (workdir / name).exists()), None)
  parts = []
  if report is not None:
    parts.append(paragraph('The study has a report of its own: ', link(report, folder)))
  if (workdir / 'study.md').exists():
    parts += _markdown_tables((workdir / 'study.md').read_bytes().decode(errors='replace'))
  elif (workdir / 'table.csv').exists():
    parts += csv_parts(workdir / 'table.csv', folder)
  sections = [Section('table', 'The rows', parts or [paragraph('No run is finished yet.')])]
  pictures = [path for path in [workdir / 'study.png', *_pictures(workdir / 'pictures')]
              if path.exists()]
  if pictures:
    sections.append(Section('pictures', 'Pictures', [
        Picture(path, f'{path.stem.replace("_", " ").capitalize()}.', '') for path in pictures]))
  runs = sorted(path.parent for path in workdir.glob('*/*/run.json'))
  if runs:
    sections.append(Section('runs', 'Its runs', [
        paragraph('Each is a run of its own; --job=inspect --workdir=FOLDER shows it.'),
        bullets(link(_page_or(path), folder, f'{path.parent.name}/{path.name}')
                for path in runs[:MOST_RUNS])]))
  write_page(folder, kind='Study', title=workdir.name, lead=[str(workdir)], sections=sections)
  return (f'{workdir} is a study: {report} tells what it found' if report is not None else
          f'{workdir} is a study without a finished run')


def write_clusters_page(workdir, folder) -> str:
  """Writes the page of clusters; a sentence that names what to open. Args: as above."""
  own = workdir if (workdir / 'clusters.json').exists() else workdir / 'cluster'
  found = records.read_json(own / 'clusters.json')
  gallery = own / 'gallery.html'
  parts = [facts((title, shown(found.get(name))) for name, title in CLUSTER_FIGURES.items())]
  if gallery.exists():
    parts.insert(0, paragraph('Look at the pictures, and name their groups, in ',
                              link(gallery, folder), '.'))
  names = ('number_of_clusters', 'clusters')
  parts += [Picture(own / f'{name}.png', f'{name.replace("_", " ").capitalize()}.', '', wide=False)
            for name in names if (own / f'{name}.png').exists()]
  files = [link(path, folder, f'{path.parent.name}/{path.name}')
           for path in (own / 'clusters.csv', own / 'names.csv',
                        workdir / 'neighbours' / 'neighbours.png',
                        workdir / 'neighbours' / 'copies.png') if path.exists()]
  write_page(folder, kind='Clusters', title=workdir.name, lead=[str(workdir)], sections=[
      Section('clusters', 'The clusters', parts), Section('files', 'Files', [bullets(files)])])
  where = gallery if gallery.exists() else own / 'clusters.csv'
  return f'{workdir} holds clusters: {where} shows them'


def _page_or(run):
  """The page of a run where it has one, else its folder."""
  own = run / 'inspect' / NAME
  return own if own.exists() else run


def _pictures(folder):
  return sorted(folder.glob('*.png')) if folder.is_dir() else []


def _markdown_tables(text) -> list:
  """The tables of a Markdown text, and the lines between them."""
  parts, rows = [], []
  for line in [*text.splitlines(), '']:
    if line.startswith('|'):
      rows.append([cell.replace('\\|', '|').strip()
                   for cell in re.split(r'(?<!\\)\|', line.strip().strip('|'))])
      continue
    if len(rows) > 1:
      parts.append(markup.table(rows[0], rows[2:]))
    rows = []
    if line.strip():
      parts.append(paragraph(line.strip()))
  return parts
