"""--job=synthesize: new scans out of an autoencoder's latent space, and how good they are."""

import math
import os
from typing import NamedTuple

import numpy as np

from errors import UserError
from train_lib import build_data, build_inputs, build_sources
from train_lib.drawing import plots
from train_lib.drawing.pictures import save_sheet
from train_lib.reporting import say
from train_lib.scans import latent_draws, scan_judge, scan_pictures
from train_lib.scans.latent_draws import Latents, Posteriors
from train_lib.scans.scan_coder import Coder
from train_lib.split_statistics import even_sample
from train_lib.storage import records
from train_lib.trained import open_trained

COLUMNS = ('file', 'kind', 'seed', 'index', 'from', 'to', 'share', 'folder')
SHOWN = 64                        # drawn scans on the sheet
SHOWN_STARTS = 6                  # scans that it starts from, whose pictures are kept for sheets
BESIDE = 8                        # drawn scans beside each of these
MOST_MAPPED = 1_000               # points of the map, of the test split and of drawn scans each
WRITTEN = ('manifest.csv', 'samples.png', 'between.png', 'quality.json', 'latent_map.png')
NO_JUDGE = 'none'


def synthesize(config, workdir: str, input: str, output: str, preemption) -> None:
  """Draws scans, writes them as 16-bit grey PNG, and measures how near to real ones they are.

  Into the output go `pictures/`, `manifest.csv` with a line for each, `samples.png`; of
  synthesize.kind 'between' also `between.png`; and unless synthesize.judge is 'none'
  `quality.json` with Frechet distances and `latent_map.png`. See `latent_draws` for the kinds. A
  picture depends on seed and index alone, so that the same command writes the same again.

  Args:
    config: of the workdir; its section `synthesize` is this job's.
    workdir: of a run of configs/vae.py.
    input: for 'around' and 'between' a folder of scans, or one; '' for the others.
    output: a folder; '' is `<workdir>/synthesize`.
    preemption: of the job.

  Raises:
    UserError: a mistake in the section or the input, a run of another task, or an output that holds
      other files.
  """
  settings, poll = config.synthesize, preemption.check
  check(config, workdir, input)
  folder = records.local_folder(output or os.path.join(workdir, 'synthesize'), 'drawn pictures')
  if input:
    records.check_outside(folder / 'pictures', input)
  trained = open_trained(config, workdir, config.checkpoint)
  coder = Coder(trained, 'synthesize.batch_size', settings.batch_size)
  judge = None if settings.judge == NO_JUDGE else scan_judge.open_judge(config, trained)
  loaders = _loaders(config, judge is not None, poll)
  starts = _read_starts(config, coder, input, poll) if input else Starts(Posteriors((), [], []), [])
  draws = latent_draws.list_draws(settings.kind, starts.posteriors.names, settings.count,
                                  settings.steps)
  latents = _latents(config, coder, starts.posteriors, poll)
  build_inputs.check_no_others(folder / 'pictures', [draw.file for draw in draws],
                               'that this command does not write')
  for name in WRITTEN:                          # what an earlier command said of its pictures
    (folder / name).unlink(missing_ok=True)
  say(f'drawing {len(draws):,} scans of {coder.side_px} px with step {trained.step}: '
      f'{_described(settings)}')
  lines = _sheet_lines(settings, len(starts.shown))
  wanted = {*range(SHOWN), *(index for line in lines for index in line)}
  drawn = _draw(coder, draws, latents, folder / 'pictures', judge, wanted, poll)
  _write_manifest(folder / 'manifest.csv', settings, draws)
  _save_sheets(folder, settings, starts, lines, drawn.shown, len(draws))
  say(f'{len(draws):,} scans are in {folder}/pictures; {folder}/manifest.csv says where each comes '
      f'from, {folder}/samples.png shows some')
  if judge is not None:
    _judge(folder, config, coder, judge, loaders, drawn, trained.step, poll)


def check(config, workdir: str, input: str) -> None:
  """Raises UserError for a run of another task and for settings that make no sense."""
  settings, kinds = config.synthesize, latent_draws.KINDS
  if config.task != 'autoencoding':
    raise UserError(f"{workdir} is a run of the task '{config.task}'; scans are drawn by one of "
                    'configs/vae.py')
  if settings.kind not in kinds:
    raise UserError(f"synthesize.kind '{settings.kind}' is unknown; choices: {', '.join(kinds)}")
  anchored = settings.kind in latent_draws.ANCHORED
  if anchored and not input:
    raise UserError(f"synthesize.kind '{settings.kind}' starts from scans: name a scan or a folder "
                    'of scans with --input=')
  if input and not anchored:
    raise UserError(f"synthesize.kind '{settings.kind}' looks at no scan, and --input is "
                    f"'{input}'; leave it out, or choose another kind: "
                    f'{", ".join(latent_draws.ANCHORED)}')
  for name, value, least, most in (
      ('count', settings.count, 1, 10 ** 6), ('steps', settings.steps, 1, 10 ** 4),
      ('deviation', settings.deviation, 0, 1e3), ('seed', settings.seed, 0, 2 ** 63)):
    if not math.isfinite(value) or not least <= value <= most:
      raise UserError(f'synthesize.{name} is {value}; expected {least} to {most:g}')


class Starts(NamedTuple):
  """The scans that drawing starts from, and the pictures [H, W, 1] of the first SHOWN_STARTS."""
  posteriors: Posteriors
  shown: list


class Drawn(NamedTuple):
  """What is kept of the drawn scans.

  Attributes:
    shown: {index: [H, W, 1]} of those on sheets.
    latents: float32 [n, D] of at most MOST_MAPPED, evenly.
    features: float32 [n, F] of the judge, of at most `scan_judge.MOST_JUDGED`, evenly; None.
  """
  shown: dict
  latents: np.ndarray
  features: np.ndarray | None


def _described(settings) -> str:
  widened = f'deviation {settings.deviation:g}, seed {settings.seed}'
  return {'prior': f'from the normal prior, {widened}',
          'fitted': f'from the normal distribution of the training scans, {widened}',
          'around': f'{settings.count} around each scan, {widened}',
          'between': f'{settings.steps} on the line from each scan to the next'}[settings.kind]


def _loaders(config, judged: bool, poll) -> dict:
  """'train' and 'test' with clean scans, where they are looked at."""
  if not judged:
    return {}
  return {split: build_data.build_evaluation_loader(
      config, build_sources.build_source(config, split, poll), keys=('image', 'target'))
      for split in ('train', 'test')}


def _read_starts(config, coder, input, poll) -> Starts:
  """Every slice of every scan of the input, encoded as it is when the net is measured: damaged as
  the config says, since nets know scans as they saw them in training alone."""
  names, waiting, coded, shown = [], [], [], []
  for example in _read_slices(config, input, poll):
    names.append(example['id'])
    waiting.append(example['image'])
    shown += [example['target']] * (len(shown) < SHOWN_STARTS)
    if len(waiting) == coder.rows:
      coded.append(coder.encode(np.stack(waiting)))
      waiting = []
  coded += [coder.encode(np.stack(waiting))] if waiting else []
  if not names:
    raise UserError(f"'{input}' holds no scan that can be read")
  if len(names) < 2 and config.synthesize.kind == 'between':
    raise UserError(f"synthesize.kind 'between' needs two scans or more, and '{input}' holds one")
  means, logvars = (np.concatenate(columns) for columns in zip(*coded, strict=True))
  return Starts(Posteriors(names, means, logvars), shown)


def _read_slices(config, input, poll):
  """Yields an example for each slice; scans that cannot be read are said and left out."""
  pipeline = build_data.build_pipeline(config, train=False)
  for name, path in build_inputs.list_scan_files(input):
    try:
      scan = build_inputs.open_scan(config, path)
      for k in range(scan.num_slices):
        poll()
        example = {'id': name if scan.num_slices == 1 else f'{name}#{k}',
                   'scan': scan.slice(k)[..., None]}
        for operation in pipeline:
          example = operation(example)
        yield example
    except (ValueError, OSError) as error:      # data.scans.ScanError is a ValueError
      say(f'{name} is left out: {error}')


def _latents(config, coder, posteriors, poll) -> Latents:
  settings = config.synthesize
  return Latents(
      settings.kind, coder.latent_size, seed=settings.seed, deviation=settings.deviation,
      per_scan=settings.steps if settings.kind == 'between' else settings.count,
      posteriors=posteriors,
      normal=_fit(coder, config, poll) if settings.kind == 'fitted' else None)


def _fit(coder, config, poll):
  """The distribution of posterior means of the training split, seen as evaluation sees it."""
  source = build_sources.build_source(config, 'train', poll)
  loader, means = build_data.build_pixel_loader(config, source), []
  say(f'encoding {loader.num_examples:,} scans of the training split')
  for batch in loader.batches(0, loader.num_batches):
    poll()
    means.append(coder.encode(batch['image'])[0][batch['mask'] > 0])
  means = np.concatenate(means)
  if len(means) < 2:
    raise UserError("synthesize.kind 'fitted' needs two training scans or more that can be read")
  return latent_draws.fit_normal(means)


def _draw(coder, draws, latents, folder, judge, wanted, poll) -> Drawn:
  """Decodes and writes every draw, in batches. Args: wanted: indices that sheets show."""
  mapped = set(even_sample(len(draws), MOST_MAPPED).tolist())
  judged = set(even_sample(len(draws), scan_judge.MOST_JUDGED).tolist()) if judge else set()
  shown, kept, features = {}, [], []
  for first in range(0, len(draws), coder.rows):
    poll()
    indices = range(first, min(first + coder.rows, len(draws)))
    vectors = np.stack([latents.of(index, draws[index].share) for index in indices])
    pictures = coder.decode(vectors)
    for index, vector, picture in zip(indices, vectors, pictures, strict=True):
      records.write_bytes(folder / draws[index].file, scan_pictures.encode_grey(picture))
      if index in wanted:
        shown[index] = picture
      if index in mapped:
        kept.append(vector)
    chosen = [index in judged for index in indices]
    if any(chosen):
      features.append(judge.features(pictures[chosen]))
  return Drawn(shown, np.stack(kept), np.concatenate(features) if features else None)


def _write_manifest(path, settings, draws) -> None:
  records.write_csv(path, COLUMNS, (
      (f'pictures/{draw.file}', settings.kind, settings.seed, index, draw.first, draw.last,
       None if draw.share is None else round(draw.share, 6), draw.folder)
      for index, draw in enumerate(draws)))


def _sheet_lines(settings, starts: int) -> list[list[int]]:
  """Indices of the draws that a sheet shows beside each of the first scans, or pairs of these."""
  if settings.kind == 'around':
    return [list(range(place * settings.count, place * settings.count
                       + min(settings.count, BESIDE))) for place in range(starts)]
  if settings.kind == 'between':
    steps = even_sample(settings.steps, BESIDE)
    return [(place * settings.steps + steps).tolist() for place in range(starts - 1)]
  return []


def _save_sheets(folder, settings, starts, lines, shown, number) -> None:
  names, first = starts.posteriors.names, [shown[index] for index in range(min(number, SHOWN))]
  how = _described(settings)
  sheet = scan_pictures.sample_sheet(
      first, [f'{len(first):,} of {number:,} drawn scans; {how}'])
  if settings.kind == 'around':
    sheet = scan_pictures.anchored_sheet(
        [(names[place], starts.shown[place], [shown[index] for index in line])
         for place, line in enumerate(lines)],
        [f'green frames: scans as they are; beside each, drawn scans; {how}'])
  strips = None
  if settings.kind == 'between':
    strips = scan_pictures.interpolation_strips(
        [[starts.shown[place], *(shown[index] for index in line), starts.shown[place + 1]]
         for place, line in enumerate(lines)],
        [(names[place], names[place + 1]) for place in range(len(lines))])
  save_sheet(sheet, folder / 'samples.png')
  save_sheet(strips, folder / 'between.png')


def _judge(folder, config, coder, judge, loaders, drawn, step, poll) -> None:
  """Measures drawn scans against the test split; quality.json, the map, and a line for people."""
  settings = config.synthesize
  if len(drawn.features) < scan_judge.FEWEST_JUDGED:
    say('of one scan there is no quality to measure')
  else:
    say('comparing the drawn scans with those of the test split')
    quality = scan_judge.judge_drawn(judge, drawn.features, loaders, poll)
    records.write_json(folder / 'quality.json', {
        'what': 'squared Frechet distance to the test split, of features of the judge',
        'judge': judge.name, **quality._asdict(), 'kind': settings.kind, 'seed': settings.seed,
        'deviation': settings.deviation, 'step': step})
    say(f'Frechet distance to {quality.scans["test"]:,} scans of the test split, by features of '
        f'{judge.name}: {quality.drawn:.4g}; of as many scans ({quality.scans["drawn"]:,}) of the '
        f'training split {quality.train:.4g}, of these blurred {quality.blurred:.4g}')
  examples = list(scan_judge.clean_scans(loaders['test'], MOST_MAPPED, poll))
  if not examples:
    return
  means = coder.encode(np.stack([example['image'] for _, example in examples]))[0]
  figure = scan_pictures.latent_map(
      means, lambda row: examples[row][1]['target'], {'drawn scans': drawn.latents},
      name='scans of the test split')
  if figure is not None:
    plots.save(figure, folder / 'latent_map.png')
    say(f'where they are among the scans of the test split: {folder}/latent_map.png')
