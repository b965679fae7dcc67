"""What a run leaves of an autoencoder's test split: each scan and unit as CSV, sheets, plots."""

import functools
from collections.abc import Callable

import jax
import numpy as np

from train_lib.drawing import plots
from train_lib.drawing.panels import COLOURS, GREY, new_figure, title
from train_lib.drawing.pictures import save_sheet
from train_lib.reporting import say
from train_lib.scans import scan_pictures
from train_lib.scans.restorers import RESTORERS
from train_lib.scans.scan_report import ScanReport, format_table, worse_than_damaged
from train_lib.split_statistics import even_sample
from train_lib.storage import records, remote

FIRST_SHOWN, WORST_SHOWN = 12, 12  # scans of predictions.png and worst.png
STEP_SHOWN = 4                    # of the validation split, in pictures of a net that still learns
STRIPS, STRIP_STEPS = 5, 8        # of interpolation.png
MAPPED = 2_000                    # scans of the latent map, at most
FIRST = 'the first scans of the test split, restored by the net and by the best simple restorer'
WORST = 'the scans of the test split with the lowest PSNR, the lowest first'


def write_report(folder, report: ScanReport, source, loader, poll: Callable[[], None]) -> None:
  """Says the table and writes everything else that a reader of the figures wants.

  `evaluation/scans.csv`, PSNR, SSIM and what was recovered of every scan; `evaluation/units.csv`,
  the KL divergence of every latent unit and how much its mean varies; into `pictures/`, sheets of
  the first scans and of those restored worst, walks through the latent space from scan to scan, a
  map of it, and the units.

  Args:
    folder: the workdir, or another that may be new.
    report: of the test split.
    source: the training split.
    loader: of the test split in evaluation order; scans are read from it again.
    poll: called often; may raise to stop.
  """
  del source
  collected, net = report.outcome.collected, report.rows['net']
  say(f'test split, {len(collected.ids):,} scans; PSNR on the validation split '
      f'{report.valid["psnr"]:.2f} dB')
  say(format_table(report.rows))
  say('of the original: 1 - squared error / sum of squares of the clean scan; of what was lost: '
      '1 - squared error / that of the damaged scan')
  kl, variance = report.evaluator.task.units(collected)
  worse = worse_than_damaged(report.rows)
  if worse:
    say(worse)
  say(f'{net["active_units"]} of {len(kl)} latent units are active; KL {net["kl"]:.1f} nats a '
      'picture')
  _write_tables(folder / 'evaluation', collected, kl, variance)
  pictures = folder / 'pictures'
  remote.make_folder(pictures)
  plots.save(units_plot(kl, variance), pictures / 'units.png')
  poll()
  task, variables = report.evaluator.task, report.variables
  first = list(range(min(FIRST_SHOWN, len(collected.ids))))
  save_sheet(_sheet(task, variables, loader, collected.indices[first], report.best, (FIRST,)),
             pictures / 'predictions.png')
  worst = np.argsort(collected.psnr, kind='stable')[:WORST_SHOWN]
  save_sheet(_sheet(task, variables, loader, collected.indices[worst], report.best, (WORST,)),
             pictures / 'worst.png')
  poll()
  examples = _examples(loader, collected.indices[:STRIPS + 1])
  save_sheet(_strips(task, variables, examples), pictures / 'interpolation.png')
  shown = even_sample(len(collected.ids), MAPPED)
  latent_map = scan_pictures.latent_map(
      collected.latent[shown],
      picture=functools.partial(_picture, loader, collected.indices[shown]))
  if latent_map is not None:
    plots.save(latent_map, pictures / 'latent_map.png')
  say(f'each scan in {folder}/evaluation/scans.csv, each latent unit in units.csv; plots and '
      f'pictures in {pictures}')


def draw_step(folder, evaluator, loader, variables, step: int) -> None:
  """The first scans of the validation split, restored, and a walk between them, of a net that still
  learns: `pictures/steps/<step>/`. Args: folder: the workdir; loader: of that split."""
  examples = _examples(loader, range(min(STEP_SHOWN, loader.num_examples)))
  if not examples:
    return
  pictures = folder / 'pictures' / 'steps' / f'{step:07d}'
  remote.make_folder(pictures)
  notes = (f'step {step:,}, scans of the validation split',)
  save_sheet(_draw(evaluator.task, variables, examples, '', notes),
             pictures / 'reconstructions.png')
  save_sheet(_strips(evaluator.task, variables, examples[:2]), pictures / 'interpolation.png')


def units_plot(kl: np.ndarray, variance: np.ndarray):
  """The KL divergence of every latent unit, the largest first, and the variance of its mean.

  Args: kl: [D] nats; variance: [D]. Returns: a matplotlib Figure.
  """
  from train_lib.tasks.autoencoding import ACTIVE_VARIANCE
  figure, panels = new_figure(1, 2, 11.0, 4.4)
  order, units = np.argsort(-kl, kind='stable'), np.arange(1, len(kl) + 1)
  left, right = panels[0]
  left.fill_between(units, kl[order], color=COLOURS[0], alpha=0.6, step='mid')
  left.set_ylabel('KL divergence, nats')
  right.plot(units, np.maximum(variance[order], 1e-6), '.', color=COLOURS[0])
  right.axhline(ACTIVE_VARIANCE, color=GREY, linestyle='--')
  right.annotate(f'active above {ACTIVE_VARIANCE:g}', (len(kl), ACTIVE_VARIANCE), color=GREY,
                 ha='right', va='bottom')
  right.set_yscale('log')
  right.set_ylabel('variance of the posterior mean over the scans')
  for axes in (left, right):
    axes.set_xlabel('latent units, by falling KL divergence')
    axes.set_xlim(0.5, len(kl) + 0.5)
  title(figure, f'What the {len(kl)} latent units tell of the test split: '
                f'{int((variance > ACTIVE_VARIANCE).sum())} are active, {kl.sum():.1f} nats in all')
  return figure


def _write_tables(folder, collected, kl, variance):
  recovered = 1 - collected.squared_errors / np.maximum(collected.energy, 1e-12)
  lost = np.where(collected.lost > 0,
                  1 - collected.squared_errors / np.maximum(collected.lost, 1e-12), np.nan)
  records.write_csv(
      folder / 'scans.csv', ('scan', 'psnr_db', 'ssim', 'recovered', 'recovered_lost'),
      ((id, *('' if np.isnan(value) else f'{value:.6g}' for value in values))
       for id, *values in zip(collected.ids, collected.psnr, collected.ssim, recovered, lost,
                              strict=True)))
  records.write_csv(folder / 'units.csv', ('unit', 'kl_nats', 'variance_of_mean'),
                    ((unit, f'{one:.6g}', f'{other:.6g}')
                     for unit, (one, other) in enumerate(zip(kl, variance, strict=True))))


def _examples(loader, indices) -> list[dict]:
  """Those of some places in a split that can be read."""
  found = (loader.example(int(index)) for index in indices)
  return [example for example in found if example is not None]


def _picture(loader, indices, row):
  example = loader.example(int(indices[row]))
  return None if example is None else example['target'][..., 0]


def _sheet(task, variables, loader, indices, best, notes):
  examples = _examples(loader, indices)
  return _draw(task, variables, examples, best, notes) if examples else None


def _draw(task, variables, examples, best: str, notes):
  """A sheet of scans and their restorations. Args: best: a restorer to stand beside; '' none."""
  image, known = (np.stack([example[key] for example in examples]) for key in ('image', 'known'))
  restored = [_restored(task, variables, image)]
  titles = ['as it is', 'as the net saw it', 'restored by the net']
  if best:
    restored.append(RESTORERS[best](image, known))
    titles.append(best)
  rows = [(str(example['id']), [example['target'][..., 0], example['image'][..., 0],
                                *(pictures[number][..., 0] for pictures in restored)])
          for number, example in enumerate(examples)]
  return scan_pictures.reconstruction_sheet(rows, titles, notes)


def _restored(task, variables, image):
  return np.asarray(_compiled(task)['predict'](variables, {'image': image})['reconstruction'])


def _strips(task, variables, examples):
  """Walks from each scan to the next; None where there are no two."""
  if len(examples) < 2:
    return None
  means = np.asarray(_compiled(task)['encode'](
      variables, np.stack([example['image'] for example in examples]))[0])
  shares = np.linspace(0, 1, STRIP_STEPS, dtype=np.float32)[:, None]
  strips = []
  for first in range(len(examples) - 1):
    way = (1 - shares) * means[first] + shares * means[first + 1]
    decoded = np.asarray(_compiled(task)['decode'](variables, way))
    strips.append([examples[first]['target'][..., 0], *decoded[..., 0],
                   examples[first + 1]['target'][..., 0]])
  names = [str(example['id']) for example in examples]
  return scan_pictures.interpolation_strips(
      strips, list(zip(names[:-1], names[1:], strict=True)))


@functools.lru_cache(maxsize=2)
def _compiled(task) -> dict:
  return {name: jax.jit(getattr(task, name)) for name in ('predict', 'encode', 'decode')}
