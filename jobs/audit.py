"""--job=audit: labels suspected wrong, ranked, as a table and a sheet of pictures."""

import jax
import numpy as np

from errors import UserError
from train_lib import build_data, build_sources, devices, loop
from train_lib import run as run_lib
from train_lib import workdir as workdir_lib
from train_lib.audit import Block, find_suspects
from train_lib.audit_report import Part, write_audit
from train_lib.evaluation import Evaluator
from train_lib.preemption import Preemption
from train_lib.reporting import counted, say
from train_lib.storage import records, remote
from train_lib.storage.lock import Lock
from train_lib.trained import check_tags, open_trained
from train_lib.weights.weight_sources import is_run

IN_MEMORY = 2 ** 27               # labels (6 bytes each) to keep; beyond, the nets judge twice


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Ranks the labels that are suspected wrong, by nets that did not learn from their pictures.

  Of tags, those that a picture lacks or has wrongly; of classes, the pictures whose class is wrong,
  with the one to take instead.

  With `config.audit.folds` 0 the workdir's net judges its validation and test pictures. With k of 2
  or more, k nets are trained in `<workdir>/audit/fold-<i>-of-<k>/`, each on all training pictures
  but its part, and judge the part; stopped, the same command goes on. Ratings are not judged.

  Writes `audit.csv` (one row per suspected label, the most suspect first: a tag that is 'missing'
  is found but not listed, one that is 'false' listed but not found; a class has another one that is
  'suggested'; score: 1 less the ratio of `find_suspects`), `audit.png` (the first of them, few of
  one tag or class) and `audit.json` (how many were judged, how many doubted, and of the
  `config.audit.most` that are written, how many of which tags or classes).
  Where the data know the truth, the share of labels that really are wrong is said and stands there
  too.

  Args:
    config: of the workdir, or for folds of a page; the `audit` section is this job's.
    workdir: of the run; for folds it may be new.
    config_path: the page, for run.json of the folds.
    input: not of this job.
    output: a folder; '' is `<workdir>/audit`.

  Raises:
    UserError: no such run, one of poses, numbers that make no sense, or data that do not fit.
    Preempted: a signal came; the fold under way is saved.
  """
  del input
  _check(config, workdir)
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    own = records.absolute(workdir) / 'audit'
    folder = records.absolute(output) if output else own
    if config.audit.folds:
      parts = _fold_parts(config, workdir, own, config_path, preemption)
    else:
      parts = _held_out_parts(config, workdir, preemption)
    num_pictures = sum(len(part.source) for part in parts)
    say(f'reading {counted(num_pictures, "picture")} that the net did not learn from, to judge '
        'their labels')
    remote.make_folder(folder)
    scored = np.flatnonzero(parts[0].trained.task.scored)
    ids = [''] * num_pictures
    blocks = _replayed(lambda: _judge(config, parts, scored, ids, folder, preemption.check),
                       keep=num_pictures * len(scored) <= IN_MEMORY)
    audit = find_suspects(blocks, config.audit.most, exclusive=parts[0].trained.task.exclusive)
    write_audit(config, folder, parts, scored, ids, audit, preemption.check)


def _check(config, workdir):
  settings = config.audit
  workdir_lib.check_is_run(workdir)
  if config.task == 'pose':
    raise UserError('an audit is of tags and classes, and this is a run of poses: where its joints '
                    'lie far from the labelled ones --job=evaluate shows, in pictures/worst.png')
  if config.task == 'autoencoding':
    raise UserError('an audit is of tags and classes, and this is a run on scans, which have none; '
                    '--job=evaluate shows those restored worst, in pictures/worst.png')
  if settings.folds < 0 or settings.folds == 1:
    raise UserError(f'audit.folds is {settings.folds}; expected 0, for the pictures held out from '
                    'the trained net, or at least 2 nets to train')
  if settings.most < 1:
    raise UserError(f'audit.most is {settings.most}; expected at least 1 row')


def _held_out_parts(config, workdir, preemption) -> list[Part]:
  trained = open_trained(config, workdir, config.checkpoint)
  sources = {split: build_sources.build_source(config, split, preemption.check)
             for split in ('valid', 'test')}
  for source in sources.values():
    check_tags(trained, source)
  return [Part('valid', sources['valid'], trained, 0),
          Part('test', sources['test'], trained, len(sources['valid']))]


def _fold_parts(config, workdir, folder, config_path, preemption) -> list[Part]:
  if is_run(config.net.init_from):
    raise UserError(f"the nets of --job=audit would start from the run net.init_from names, "
                    f"'{config.net.init_from}', which may have learned from the pictures that they "
                    "are to judge; add --config.net.init_from=''")
  workdir_lib.keep_config(workdir, config)
  remote.make_folder(folder)
  count, parts = config.audit.folds, []
  with Lock(folder):
    source = build_sources.build_source(config, 'train', preemption.check)
    say(f'dealing {len(source):,} pictures out to {count} parts by their content')
    for number, (others, judged) in enumerate(
        build_data.build_folds(source, count, preemption.check), 1):
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
      parts.append(Part('train', judged, open_trained(config, place, config.checkpoint), first))
  return parts


def _judge(config, parts, scored, ids, folder, poll):
  """Yields a `Block` for each batch of the parts, of the scored tags; fills in `ids`."""
  for part in parts:
    loader, first = build_data.build_evaluation_loader(config, part.source), part.first
    evaluator = Evaluator(part.trained.task, part.trained.mesh)
    for batch, predicted, _ in evaluator.predictions(part.trained.variables, loader, poll):
      real = np.flatnonzero(batch['mask'] > 0)
      labels, truths = _labels(part.trained.task, batch)
      columns = np.ix_(real, scored)
      for row in real:
        ids[first + row] = batch['id'][row]
      yield Block(first + real, predicted['probabilities'][columns], labels[columns],
                  None if truths is None else truths[columns])
      first += len(batch['mask'])
    loop.note_bad_images(folder, loader)


def _labels(task, batch):
  """The labels of a batch as listed and as they really are, bool [B, T] each; None: not known."""
  truth = task.truth(batch)
  if not task.exclusive:
    return truth['labels'], truth.get('drawn_labels')
  classes = np.arange(task.num_classes)
  return (truth['label'][:, None] == classes,
          truth['drawn_label'][:, None] == classes if 'drawn_label' in truth else None)


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
