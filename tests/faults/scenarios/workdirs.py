"""Workdirs, data, configs, caches and addresses that are not as a run expects."""

import shutil
import socket
import time

import cv2
import numpy as np

from tests.faults.runs import (
  EXIT_LOST_PEER,
  HEARTBEAT_SEC,
  TINY,
  Runs,
  ended,
  free_port,
)
from tests.faults.scenarios.stops import finish_group

CONNECT_SEC = 12
SLACK_SEC = 15.0                  # to start and to end a process


# Data -------------------------------------------------------------------------------------------


def write_pictures(folder, count=60):
  """A folder of noise, each picture with the tags of a table."""
  rng = np.random.default_rng(0)
  folder.mkdir(parents=True)
  lines = ['path,tags']
  for number in range(count):
    cv2.imwrite(str(folder / f'{number:02}.png'), rng.integers(0, 256, (40, 40, 3), np.uint8))
    tags = f'{("right", "left")[number % 2]}, {("down", "up")[number % 3 > 0]}'
    lines.append(f'{number:02}.png,"{tags}"')
  (folder / 'tags.csv').write_text('\n'.join(lines) + '\n')


def of_folder(runs, pictures):
  """The same tiny runs on a folder of pictures."""
  config = tuple('--config=configs/tagger.py:folder' if flag.startswith('--config=') else flag
                 for flag in TINY if '.num_' not in flag or 'epochs' in flag)
  return Runs(runs.folder / f'of-{pictures.name}', (
      *config, f'--config.data.path={pictures}', '--config.net.name=se_resnet_tiny',
      '--config.train.num_steps=24', '--config.train.shrink_frac=0.0'))


def unreadable_pictures(runs, short):
  """Broken pictures: substitutes, the list of them, the limit."""
  pictures = runs.folder / 'some-broken'
  write_pictures(pictures)
  broken = ['07.png', '23.png']
  for name in broken:
    (pictures / name).write_bytes((pictures / name).read_bytes()[:300])
  (pictures / '40.png').write_bytes(cv2.imencode('.jpg', np.zeros((30, 30, 3), np.uint8))[1])
  theirs = of_folder(runs, pictures)
  one = theirs.finish('one', '--config.runtime.workers=0')
  two = theirs.finish('two', '--config.runtime.worker_processes')
  assert one['state_digest'] == two['state_digest'], 'substitutes depend on the workers'
  listed = sorted(row['id'] for row in theirs.rows('one', 'bad_images.jsonl'))
  assert listed == broken, listed
  for number in range(20, 40):
    (pictures / f'{number}.png').write_bytes(b'')
  theirs.refuse('many')
  last = theirs.said('many').splitlines()[-1]
  assert 'unreadable' in last and 'allowed' in last, last
  return ('two of 60 broken, one misnamed: the two are listed and replaced alike on 0 workers and '
          '2 processes, the misnamed one is read; 22 broken: code 2')


def changed_data(runs, short):
  """Pictures are added, removed, edited, and tags change, while a run is stopped."""
  pictures = runs.folder / 'pictures'
  write_pictures(pictures)
  theirs, copy = of_folder(runs, pictures), runs.folder / 'pictures-as-they-were'
  theirs.stop_after('changed', 6)
  shutil.copytree(pictures, copy)
  accept = '--config.runtime.accept_changed_data'
  for change, words, flags in (
      (add, '99.png', ()), (remove, '11.png', ()), (edit, '12.png', ()), (retag, 'straight', ()),
      (retag, 'straight', (accept,))):                    # what outputs stand for cannot change
    change(pictures)
    theirs.refuse('changed', *flags)
    refusal = theirs.said('changed')[theirs.said('changed').rindex('oko:'):]
    assert words in refusal, refusal
    shutil.rmtree(pictures)
    shutil.copytree(copy, pictures)
  edit(pictures)
  theirs.finish('changed', accept)
  noted = str(theirs.record('changed')['accepted_changes'])
  assert '12.png' in noted, noted
  return ('a picture added, removed, edited, a tag renamed: each refused by name; the edited one '
          'accepted on demand, and run.json tells; other tags are refused for good')


def add(pictures):
  shutil.copy(pictures / '05.png', pictures / '99.png')
  with open(pictures / 'tags.csv', 'a') as file:
    file.write('99.png,"left, up"\n')


def remove(pictures):
  (pictures / '11.png').unlink()
  path = pictures / 'tags.csv'
  path.write_text(''.join(line for line in path.read_text().splitlines(True)
                          if not line.startswith('11.png')))


def edit(pictures):
  cv2.imwrite(str(pictures / '12.png'), np.full((41, 39, 3), 7, np.uint8))


def retag(pictures):
  path = pictures / 'tags.csv'
  path.write_text(path.read_text().replace('02.png,"right,', '02.png,"straight,'))


# Workdirs and configs ---------------------------------------------------------------------------


def changed_config(runs, short):
  """Another net, optimizer or size on resume is refused; settings of the machine are not."""
  runs.stop_after('config', 6)
  changes = {'net.name': 'se_resnet18', 'optimizer.name': 'sgd', 'data.image_size_px': '48',
             'optimizer.learning_rate': '0.5'}
  for key, value in changes.items():
    runs.refuse('config', f'--config.{key}={value}')
    refusal = runs.said('config')[runs.said('config').rindex('oko:'):]
    assert f'{key}: ' in refusal and ' -> ' in refusal, refusal
  runs.finish('config', '--config.runtime.keep_last=5')
  return (f'{", ".join(changes)}: refused with both values; runtime.keep_last goes; '
          f'{runs.check_same("config")}')


def two_in_one_workdir(runs, short):
  """A second run in a workdir, and the lock that a killed one left."""
  process = runs.start('both')
  with ended(process):
    runs.wait_for_step('both', 3, process)
    runs.refuse('both', log='both-second')
    process.kill()
    process.wait()
  refusal = runs.said('both-second').splitlines()[-1]
  assert f'process {process.pid} on {socket.gethostname()}' in refusal and 'ago' in refusal, refusal
  runs.finish('both')
  assert 'took over the lock' in runs.said('both')
  return ('the second was refused with host, process and age; the stale lock taken over; '
          f'{runs.check_same("both")}')


def compile_cache(runs, short):
  """Compiled programs that are cut off or garbage, and a folder that cannot be made."""
  programs = runs.folder / 'programs-torn'
  shutil.copytree(runs.folder / 'programs', programs)
  entries = [path for path in programs.iterdir() if path.is_file()]
  for number, path in enumerate(entries):
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2] if number % 2 else b'garbage' * 100)
  runs.finish('torn', f'--config.runtime.cache_dir={programs}')
  same = runs.check_same('torn')
  runs.finish('nowhere', '--config.runtime.cache_dir=/dev/null/programs')
  runs.check_same('nowhere')
  return f'{len(entries)} torn entries, and no folder at all: {same}'


def failing_sinks(runs, short):
  """TensorBoard fails at every figure, or cannot have its folder."""
  for workdir in ('failing_writer', 'no_events_folder'):
    runs.finish(workdir, '--config.runtime.tensorboard=True', faults=[{'kind': workdir}])
    warned = runs.said(workdir).count('TensorBoard gets no more figures')
    assert warned == 1, f'{warned} warnings'
    same = runs.check_same(workdir)
  return f'one warning each; {same}'


# Addresses --------------------------------------------------------------------------------------


def addresses(runs, short):
  """A port in use, too few processes, and a proxy in the environment."""
  told = []
  with socket.socket() as taken:
    taken.bind(('127.0.0.1', 0))
    taken.listen()
    flags = (f'--coordinator=127.0.0.1:{taken.getsockname()[1]}', '--num_processes=2')
    told.append(refused(runs, 'port in use', *flags, '--process_id=0'))
  flags = (f'--coordinator=127.0.0.1:{free_port()}', '--num_processes=2')
  told.append(refused(runs, 'peer missing', *flags, '--process_id=0'))
  told.append(refused(runs, 'coordinator missing', *flags, '--process_id=1'))
  told.append(refused(runs, 'number too large', *flags, '--process_id=2'))
  proxied = {'HTTP_PROXY': 'http://192.0.2.1:9', 'HTTPS_PROXY': 'http://192.0.2.1:9',
             'http_proxy': 'http://192.0.2.1:9', 'https_proxy': 'http://192.0.2.1:9'}
  finish_group(runs, 'proxied', env=proxied)
  return f'{"; ".join(told)}; with a proxy set two processes ran to the end'


def refused(runs, what, *flags):
  """Starts one process that cannot meet the others."""
  name = what.replace(' ', '-')
  began = time.monotonic()
  process = runs.start(name, *flags, f'--connect_sec={CONNECT_SEC}',
                       f'--heartbeat_sec={HEARTBEAT_SEC}')
  with ended(process):
    code = runs.end(process, CONNECT_SEC + SLACK_SEC)
  last = runs.said(name).splitlines()[-1]
  assert code in (2, EXIT_LOST_PEER) and last.startswith('oko: '), (what, code, last)
  return f'{what}: code {code} after {time.monotonic() - began:.0f} s'
