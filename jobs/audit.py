"""--job=audit: labels suspected wrong, ranked, as a table and a sheet of pictures."""

import dataclasses
from collections import Counter
from typing import Any

import jax
import numpy as np

from errors import UserError
from train_lib import build, devices, loop, records
from train_lib import run as run_lib
from train_lib import workdir as workdir_lib
from train_lib.audit import Block, find_suspects, format_precisions, precisions
from train_lib.evaluation import Evaluator
from train_lib.lock import Lock
from train_lib.pictures import suspect_sheet
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.trained import check_tags, open_trained
from train_lib.weight_sources import is_run

IN_MEMORY = 2 ** 27               # labels (6 bytes each) to keep; beyond, the nets judge twice
SHEET_PICTURES, SHEET_OF_TAG = 40, 5  # in all, and of one tag
SIZES = (50, 100, 500, 1000)      # of the most suspect, where the truth is known
COLUMNS = ('rank', 'split', 'id', 'tag', 'category', 'listed', 'suspected', 'probability', 'score')


@dataclasses.dataclass(frozen=True)
class _Part:
  """Pictures, and a net that did not learn from them; `first`: the number of the first one."""
  split: str
  source: Any
  trained: Any
  first: int


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Ranks the tags that pictures lack or have wrongly, by nets that did not learn from them.

  With `config.audit.folds` 0 the workdir's net judges its validation and test pictures. With k of 2
  or more, k nets are trained in `<workdir>/audit/fold-<i>-of-<k>/`, each on all training pictures
  but its part, and judge the part; stopped, the same command goes on. Ratings are not judged.

  Writes `audit.csv` (one row per suspected label, the most suspect first: 'missing' is found but
  not listed, 'false' listed but not found; score: 1 less the ratio of `find_suspects`), `audit.png`
  (the first of them, few of one tag) and `audit.json` (how many were judged and suspected, of which
  tags). Where the data know the truth, the share of labels that really are wrong is said and stands
  there too.

  Args:
    config: of the workdir, or for folds of a page; the `audit` section is this job's.
    workdir: of the run; for folds it may be new.
    config_path: the page, for run.json of the folds.
    input: not of this job.
    output: a folder; '' is `<workdir>/audit`.

  Raises:
    UserError: no such run, numbers that make no sense, or data that do not fit.
    Preempted: a signal came; the fold under way is saved.
  """
  del input
  _check(config.audit)
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    if jax.process_count() > 1:
      raise UserError(f'an audit over {jax.process_count()} processes is not supported; start it '
                      'on one host')
    own = records.absolute(workdir) / 'audit'
    folder = records.absolute(output) if output else own
    if config.audit.folds:
      parts = _fold_parts(config, workdir, own, config_path, preemption)
    else:
      parts = _held_out_parts(config, workdir, preemption)
    num_pictures = sum(len(part.source) for part in parts)
    say(f'judging {num_pictures:,} pictures that the net did not learn from')
    folder.mkdir(parents=True, exist_ok=True)
    scored = np.flatnonzero(parts[0].trained.task.scored)
    ids = [''] * num_pictures
    blocks = _replayed(lambda: _judge(config, parts, scored, ids, folder, preemption.check),
                       keep=num_pictures * len(scored) <= IN_MEMORY)
    _write(config, folder, parts, scored, ids, find_suspects(blocks, config.audit.most),
           preemption.check)


def _check(settings):
  if settings.folds < 0 or settings.folds == 1:
    raise UserError(f'audit.folds is {settings.folds}; expected 0, for the pictures held out from '
                    'the trained net, or at least 2 nets to train')
  if settings.most < 1:
    raise UserError(f'audit.most is {settings.most}; expected at least 1 row')


def _held_out_parts(config, workdir, preemption) -> list[_Part]:
  trained = open_trained(config, workdir, config.checkpoint)
  sources = {split: build.build_source(config, split, preemption.check)
             for split in ('valid', 'test')}
  for source in sources.values():
    check_tags(trained, source)
  return [_Part('valid', sources['valid'], trained, 0),
          _Part('test', sources['test'], trained, len(sources['valid']))]


def _fold_parts(config, workdir, folder, config_path, preemption) -> list[_Part]:
  if is_run(config.net.init_from):
    raise UserError(f"the nets of --job=audit would start from the run net.init_from names, "
                    f"'{config.net.init_from}', which may have learned from the pictures that they "
                    "are to judge; add --config.net.init_from=''")
  if not (records.absolute(workdir) / 'config.json').exists():  # else the workdir of a run
    workdir_lib.save_config(workdir_lib.open_workdir(workdir, config) / 'config.json', config)
  folder.mkdir(parents=True, exist_ok=True)
  count, parts = config.audit.folds, []
  with Lock(folder):
    source = build.build_source(config, 'train', preemption.check)
    say(f'dealing {len(source):,} pictures out to {count} parts by their content')
    for number, (others, judged) in enumerate(
        build.build_folds(source, count, preemption.check), 1):
      say(f'--- net {number} of {count} learns from {len(others):,} pictures, to judge '
          f'{len(judged):,} others')
      place = folder / f'fold-{number}-of-{count}'
      record = run_lib.train(config, place, preemption, config_path=config_path, source=others,
                             finish=lambda finished: {}, named=workdir)
      if record['fingerprint'] != others.fingerprint:
        raise UserError(f'the data changed since {place} was trained; move the folders '
                        f'{folder}/fold-* away, so that nets are trained on what there is now')
      jax.clear_caches()              # each net compiles anew, from the programs kept on disk
      first = sum(len(part.source) for part in parts)
      parts.append(_Part('train', judged, open_trained(config, place, config.checkpoint), first))
  return parts


def _judge(config, parts, scored, ids, folder, poll):
  """Yields a `Block` for each batch of the parts, of the scored tags; fills in `ids`."""
  for part in parts:
    loader, first = build.build_evaluation_loader(config, part.source), part.first
    evaluator = Evaluator(part.trained.task, part.trained.mesh)
    for batch, predicted, _ in evaluator.predictions(part.trained.variables, loader, poll):
      real = np.flatnonzero(batch['mask'] > 0)
      truth = part.trained.task.truth(batch)
      columns = np.ix_(real, scored)
      for row in real:
        ids[first + row] = batch['id'][row]
      yield Block(first + real, predicted['probabilities'][columns], truth['labels'][columns],
                  truth['drawn_labels'][columns] if 'drawn_labels' in truth else None)
      first += len(batch['mask'])
    loop.note_bad_images(folder, loader)


def _replayed(blocks, *, keep: bool):
  """The same blocks at every call; kept in memory or made again."""
  kept = []

  def replay():
    if kept:
      yield from kept
      return
    fresh = []
    for block in blocks():
      if keep:
        fresh.append(block)
      yield block
    kept.extend(fresh)
  return replay


def _write(config, folder, parts, scored, ids, audit, poll) -> None:
  rows = []
  for rank, suspect in enumerate(audit.suspects, 1):
    part, tag = _part_of(parts, suspect['row']), scored[suspect['tag']]
    listed = bool(suspect['listed'])
    rows.append(dict(zip(COLUMNS, (
        rank, part.split, _plain(ids[suspect['row']]), part.trained.tag_names[tag],
        part.trained.tag_categories[tag], 'yes' if listed else 'no',
        'false' if listed else 'missing', round(float(suspect['probability']), 4),
        round(1 - float(suspect['ratio']), 4)), strict=True)))
  records.write_csv(folder / 'audit.csv', COLUMNS, (row.values() for row in rows))
  records.write_json(folder / 'audit.json', _summary(config, parts, audit, rows))
  shown = _shown(config, parts, audit.suspects['row'], rows, poll)
  _write_sheet(folder / 'audit.png', shown)
  _tell(folder, audit, rows, len(shown))


def _part_of(parts, number):
  """The part that holds the picture of this number."""
  return parts[np.searchsorted([part.first for part in parts], number, side='right') - 1]


def _shown(config, parts, numbers, rows, poll) -> list[tuple[dict, np.ndarray]]:
  """The first rows with their pictures, few of one tag; a picture that cannot be read is left out.

  Args: numbers: of the rows' pictures.
  """
  loaders = {part.first: build.build_evaluation_loader(config, part.source) for part in parts}
  shown, of_tags = [], Counter()
  for number, row in zip(numbers, rows, strict=True):
    if len(shown) < SHEET_PICTURES and of_tags[row['tag']] < SHEET_OF_TAG:
      poll()
      first = _part_of(parts, number).first
      example = loaders[first].example(int(number) - first)
      if example is not None:
        shown.append((row, example['image']))
        of_tags[row['tag']] += 1
  return shown


def _plain(name):
  """A name that any file can hold: what is no UTF-8 in it is written as numbers."""
  return name.encode(errors='backslashreplace').decode()


def _write_sheet(path, shown):
  if not shown:
    path.unlink(missing_ok=True)
    return
  rows, images = zip(*shown, strict=True)
  columns = {key: [row[key] for row in rows] for key in COLUMNS}
  sheet = suspect_sheet(
      images, columns['rank'], columns['tag'], [value == 'yes' for value in columns['listed']],
      columns['probability'], columns['id'],
      f'labels suspected wrong, the most suspect first, at most {SHEET_OF_TAG} of one tag')
  with path.open('wb') as file:
    sheet.save(file, format='PNG')


def _summary(config, parts, audit, rows) -> dict:
  of_tags = Counter(row['tag'] for row in rows)
  missing = Counter(row['tag'] for row in rows if row['suspected'] == 'missing')
  return {
      'folds': config.audit.folds, 'checkpoint': config.checkpoint,
      'parts': [{'split': part.split, 'pictures': len(part.source), 'step': part.trained.step}
                for part in parts],
      'labels_judged': audit.judged,
      'suspects': dict(Counter(row['suspected'] for row in rows)),
      'by_tag': {tag: {'missing': missing[tag], 'false': count - missing[tag]}
                 for tag, count in of_tags.most_common()},
      'precision': precisions(audit, SIZES) if audit.wrong else None}


def _tell(folder, audit, rows, num_shown):
  kinds = Counter(row['suspected'] for row in rows)
  if audit.wrong:
    say('the data know the truth; share of labels that really are wrong, at random and among the '
        'most suspect:')
    say(format_precisions(precisions(audit, SIZES)))
  say(f'{len(rows):,} labels are suspected wrong of {sum(audit.judged.values()):,}: '
      f'{kinds["missing"]:,} tags missing, {kinds["false"]:,} false; {folder}/audit.csv ranks '
      f'them, audit.png shows {num_shown}, audit.json counts them')
  say('look at them from the top, correct your tags where the net is right, and train again')
