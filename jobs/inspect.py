"""--job=inspect: what a run and its data are, on one page, and what the net sees of them."""

import jax

from errors import UserError
from train_lib import devices
from train_lib import workdir as workdir_lib
from train_lib.inspection import dataset, folders, other_pages, page, run_page, splits
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.storage import records, remote

OTHERS = {'study': other_pages.write_study_page, 'clusters': other_pages.write_clusters_page}


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Writes `index.html`: what a run is, how it went and what it found, and what its data are.

  Of a workdir that was trained, or is being trained, the run comes first; it is only read. Then
  every picture of the data is read once; nothing is trained. Beside the page lie `inspect.json`
  (counts), `balance.csv` and `frequencies.png` (how many pictures of each split have each class or
  tag), `unreadable.jsonl` (pictures that cannot be read, and why), `duplicates.csv` and
  `duplicates.png` (pairs of exact and near copies, those across splits first: see
  data/duplicates.py), of scans `scans.csv` (each file with its group, split and window), and
  `augmentations.png` (training pictures as evaluation reads them, after each augmentation by
  itself, and after all). Of a study or clusters it is a short page that names what to open.

  Args:
    config: of the workdir, or of a page, whose workdir need not exist.
    workdir: of the run, or of the run to be; only its folder `inspect` is written.
    config_path: the page.
    input: not of this job.
    output: a folder; '' is `<workdir>/inspect`.

  Raises:
    UserError: data or settings that make no sense, or no training picture that can be read; of a
      workdir that was trained only where the folder is no run: else the page says so.
  """
  del input
  kind = folders.recognise(workdir)
  workdir_lib.check_is_ours(workdir)
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    if kind in OTHERS:
      folder = _open_folder(config, workdir, output)
      said = OTHERS[kind](records.absolute(workdir), folder)
      say(f'{said}; a short page is {folder}/{page.NAME}')
    elif kind == 'run':
      _inspect_run(config, workdir, output, preemption.check)
    else:
      _inspect_data(config, workdir, output, config_path, preemption.check)


def _inspect_run(config, workdir, output, poll):
  """The run at once, then its data, or why there are none."""
  found = run_page.open_run(workdir)
  if found.state == 'training':                   # the devices are left to what trains on them
    jax.config.update('jax_platforms', 'cpu')
  folder = _open_folder(config, workdir, output)
  sections, head = run_page.run_sections(found, folder), run_page.head_of(found)
  page.write_page(folder, **head, sections=[*sections, run_page.waiting_section()])
  say(f'what the run was is on {folder}/{page.NAME}; its data follow')
  try:
    data = dataset.inspect_dataset(config, folder, poll,
                                   began_with=found.record.get('fingerprint') or '')
  except (UserError, OSError) as error:
    say(f'the data cannot be inspected: {error}')
    data = [run_page.missing_section(found, str(error))]
  page.write_page(folder, **head, sections=[*sections, *data])
  say(f'look at {folder}/{page.NAME}')


def _inspect_data(config, workdir, output, config_path, poll):
  """The data of a page."""
  sources = splits.open_sources(config, poll)
  folder = _open_folder(config, workdir, output)
  say(splits.in_utf8(sources['train'].description))
  sections = dataset.inspect_dataset(config, folder, poll, sources=sources)
  page.write_page(folder, **dataset.head_of(config, config_path, sources), sections=sections)
  say(f'look at {folder}/{page.NAME}: what the data are and what the net sees of them')


def _open_folder(config, workdir, output):
  if output:
    folder = records.absolute(output)
  else:
    workdir_lib.keep_config(workdir, config)
    folder = records.absolute(workdir) / 'inspect'
  remote.make_folder(folder)
  return folder
