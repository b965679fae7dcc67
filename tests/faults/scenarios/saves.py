"""Saves that are cut short, disks that are full, checkpoints that are damaged."""

import os

from tests.faults.runs import KILLED, ended

MOMENTS = ('folder made', 'data written', 'renamed', 'manifest half written', 'manifest written')


def kills_in_a_save(runs, short):
  """SIGKILL at each moment of a save."""
  moments = MOMENTS[1:4] if short else MOMENTS
  for number, moment in enumerate(moments):
    step, flag = 8 * (number + 1), f'save-{number}'
    process = runs.start('saves', faults=[{'kind': 'pause_in_save', 'moment': moment, 'step': step,
                                           'flag': str(runs.folder / flag)}])
    with ended(process):
      runs.wait_for_file(flag, process)
      process.kill()
      assert runs.end(process) == KILLED
    finished = runs.saved_steps('saves')
    expected = step if moment == 'manifest written' else step - 4
    assert finished[-1] == expected, f'killed at "{moment}" of step {step}: {finished}'
  runs.finish('saves')
  check_no_leftovers(runs, 'saves')
  return f'{len(moments)} moments: {", ".join(moments)}; {runs.check_same("saves")}'


def full_disk(runs, short):
  """No room while a step is saved: both policies."""
  fault = {'kind': 'full_disk', 'step': 20}
  runs.refuse('full', faults=[fault])
  said = next(line for line in runs.said('full').splitlines() if 'could not be saved' in line)
  assert runs.saved_steps('full')[-1] == 16, runs.saved_steps('full')
  assert max(runs.losses('full')) <= 24, 'it was not told at the next save'
  check_no_leftovers(runs, 'full')
  runs.finish('full')                                     # there is room again
  same = runs.check_same('full')
  runs.finish('full-on', '--config.runtime.on_failed_save=continue', faults=[fault])
  assert 'checkpoint 20 could not be saved' in runs.said('full-on')
  runs.check_same('full-on')
  assert 'newest good step: 16' in said, said
  return f'fail: code 2, step 16 kept and told; continue: a warning; {same}'


def check_no_leftovers(runs, workdir):
  """Nothing but finished steps, the note of the last and what was set aside."""
  names = os.listdir(runs.folder / workdir / 'checkpoints')
  odd = [name for name in names
         if not name.isdigit() and name != 'last.json' and '.corrupt-' not in name]
  assert not odd, f'left in checkpoints: {odd}'
  assert sorted(map(int, filter(str.isdigit, names))) == runs.saved_steps(workdir)


def damage(path, how):
  """Damages the newest checkpoint of a workdir; returns its step."""
  newest = max(int(name) for name in os.listdir(path) if name.isdigit())
  files = [file for file in (path / str(newest)).rglob('*')
           if file.is_file() and file.name != 'manifest.json']
  victim = max(files, key=lambda file: file.stat().st_size)
  if how == 'manifest missing':
    (path / str(newest) / 'manifest.json').unlink()
  elif how == 'missing':
    victim.unlink()
  else:
    content = bytearray(victim.read_bytes())
    if how == 'truncated':
      del content[-100:]
    else:
      content[len(content) // 2] ^= 1
    victim.write_bytes(content)
  return newest


def damaged_steps(runs, short):
  """The newest checkpoint is damaged in each way, one start after another."""
  told, step, ways = [], 12, ('flipped bit', 'manifest missing', 'truncated', 'missing')
  ways = ways[:2] if short else ways
  for how in ways:
    runs.stop_after('damaged', step)
    checkpoints = runs.folder / 'damaged' / 'checkpoints'
    newest, step = damage(checkpoints, how), step + 9
    told.append(f'{how} at {newest}')
    if how == 'flipped bit':
      runs.refuse('damaged', '--job=evaluate')    # a damaged step is not used in silence
  runs.finish('damaged')
  aside = list((runs.folder / 'damaged' / 'checkpoints').glob('*.corrupt-*/reason.txt'))
  assert len(aside) == len(ways) and all(path.read_text() for path in aside), aside
  said = runs.said('damaged')
  assert said.count('is set aside as') == len(ways)
  return f'{", ".join(told)}: set aside, evaluation refused; {runs.check_same("damaged")}'


def all_steps_damaged(runs, short):
  """Every checkpoint is damaged: a run must not begin anew in silence."""
  runs.stop_after('all-damaged', 12)
  checkpoints = runs.folder / 'all-damaged' / 'checkpoints'
  for step in runs.saved_steps('all-damaged'):
    for file in (checkpoints / str(step)).rglob('*'):
      if file.is_file() and file.name != 'manifest.json':
        file.write_bytes(b'')
  for _ in range(2):
    runs.refuse('all-damaged')
  said = runs.said('all-damaged').splitlines()[-1]
  assert 'can be used' in said and 'Bring good copies back' in said, said
  return 'refused twice with code 2, and what to do is said'


def worse_then_nan(runs, short):
  """The validation's figures fall, then are NaN: the newest and the true best are kept."""
  runs.finish('worse', '--config.runtime.keep_last=3',
              faults=[{'kind': 'worse_from', 'step': 36}])
  kept = runs.saved_steps('worse')
  best = (runs.folder / 'worse' / 'best.json').read_text()
  assert kept == [12, 40, 44, 48], kept
  assert '"step": 12' in best, best
  return f'kept: best 12, newest {kept[1:]}; NaN was never best'
