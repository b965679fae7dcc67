"""All that is found out of the data of a config: files in a folder, and sections of the page."""

import re
from collections.abc import Callable

from train_lib.drawing.augmentation_sheet import augmentation_sheet
from train_lib.drawing.pictures import save_sheet
from train_lib.inspection import balance, duplicates, scan_files, splits, unreadable
from train_lib.inspection.markup import Picture, Section, bullets, facts, paragraph, table
from train_lib.inspection.numbers import percent
from train_lib.storage import records

SHEET = 'augmentations.png'
NO_DUPLICATES = ('pose', 'autoencoding')  # persons share a picture; scans leave out copies


def inspect_dataset(config, folder, poll: Callable[[], None], *, began_with: str = '',
                    sources: dict | None = None) -> list[Section]:
  """Reads all pictures of a config's data, writes what was found, and returns the sections.

  Args:
    config: the whole config.
    folder: of the findings; it exists.
    poll: called often; may raise to stop.
    began_with: the data's fingerprint when the run began; '' where there was none.
    sources: split -> source, where they were opened.

  Raises:
    UserError: data or settings that make no sense, or no training picture that can be read.
  """
  read = splits.read_splits(config, folder, poll, sources)
  summary = {'pictures': {split: len(source) for split, source in read.sources.items()},
             'unreadable': unreadable.find_unreadable(read)}
  sections = []
  if config.task == 'autoencoding':
    scan_files.write_files(read)
  if len(read.sources['train'].tag_names):
    sections.append(balance.balance_section(read, balance.find_balance(read)))
  sections.append(unreadable.unreadable_section(read))
  if config.task not in NO_DUPLICATES:
    summary['alike'] = duplicates.find_duplicates(read)
    sections.append(duplicates.duplicates_section(read, summary['alike']))
  save_sheet(augmentation_sheet(config, read.sources['train']), folder / SHEET)
  sections.append(_seen_section(config, folder))
  records.write_json(folder / 'inspect.json', summary)
  return [_data_section(read, summary, began_with), *sections]


def _data_section(read, summary, began_with) -> Section:
  """What the data are, and how much of them each split has."""
  source, parts = read.sources['train'], []
  if began_with and began_with != source.fingerprint:
    parts.append(paragraph('These are not the data that the run began with: their fingerprint is '
                           f'{source.fingerprint}, and it was {began_with}. What follows is of the '
                           'data as they are now.', class_='warning'))
  phrases = re.split(r'; (?![^()]*\))', source.description)      # but not within brackets
  parts += [paragraph(phrases[0], '.'), *[bullets(phrases[1:])] * (len(phrases) > 1)]
  parts += scan_files.scan_parts(read) if read.config.task == 'autoencoding' else [
      _counts(read, summary)]
  parts.append(facts([('fingerprint', source.fingerprint)]))
  return Section('data', 'The data', parts, 'Data')


def _counts(read, summary):
  """A table with a row for each split."""
  alike, rows = summary.get('alike'), []
  for split, size in summary['pictures'].items():
    row = [splits.WORDS[split], f'{size:,}', percent(size / sum(summary['pictures'].values())),
           f'{summary["unreadable"][split]:,}']
    if alike:
      row.append(None if split == 'train' else f'{alike["like_one_of_training"][split]:,}')
    rows.append(row)
  titles = ['split', read.noun, 'share', 'unreadable', *['like one of training'] * bool(alike)]
  return table(titles, rows)


def _seen_section(config, folder) -> Section:
  """What the net sees of them."""
  names = ', '.join(config.data.augment) or 'none'
  text = f'Augmentations of training: {names}. '
  caption = ('Pictures as evaluation reads them, after each augmentation by itself, and after all '
             'together.')
  if config.task == 'autoencoding':
    text += f'Damage that the net is to mend: {", ".join(config.data.corrupt) or "none"}. '
    caption = ('Slices as they are, after each augmentation and each damage by itself, and after '
               'all together: as the net gets them, and as it should give them back.')
  elif config.train.mixup_alpha or config.train.cutmix_alpha:
    text += 'Pictures of a batch are mixed too. '
  return Section('seen', 'What the net sees', [
      paragraph(text), Picture(folder / SHEET, 'Augmented.', caption)], 'Augmentation')


def head_of(config, config_path: str, sources: dict) -> dict:
  """What the page of data alone says at its top: keyword arguments of `page.write_page`.

  Args: config_path: the page of the config; sources: split -> source.
  """
  data = config.data
  title = (data.path or data.tfds_name or data.source).rstrip('/').rpartition('/')[2]
  noun = splits.noun_of(config)
  return {'kind': 'Data', 'title': title,
          'lead': [f'As {config.task} reads them' + f', by {config_path}' * bool(config_path)],
          'figures': [*((f'{splits.WORDS[split]} {noun}', f'{len(source):,}')
                        for split, source in sources.items()),
                      ('tags' if config.task != 'classification' else 'classes',
                       f'{len(sources["train"].tag_names):,}'
                       if len(sources['train'].tag_names) else None)]}
