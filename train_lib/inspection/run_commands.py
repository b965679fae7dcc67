"""The commands that a trained run is used with, with its own folder's name."""

import shlex

from train_lib.inspection.markup import Section, command, paragraph

# Task -> what --job=predict does with a folder, and what is in it.
PREDICTING = {
    'tagging': ('Tag a folder of pictures', 'PICTURES'),
    'classification': ('Classify a folder of pictures', 'PICTURES'),
    'pose': ('Find the joints of people in a folder of pictures', 'PICTURES'),
    'autoencoding': ('Restore a folder of scans', 'SCANS')}
OF_LABELS = (('audit', 'Find labels that may be wrong'),
             ('cluster', 'Group the pictures by what the net sees in them'))
OTHERS = {'tagging': OF_LABELS, 'classification': OF_LABELS, 'pose': (),
          'autoencoding': (('synthesize', 'Draw new scans'),)}


def commands_section(workdir: str, task: str, state: str, tensorboard: bool) -> Section:
  """What next.

  Args: workdir: as it was named; state: of `run_record.state_of`; tensorboard: are there events?
  """
  commands = []
  if state != 'finished':
    why = {'training': 'Go on, once it has been stopped'}.get(state, 'Go on from where it stopped')
    commands.append((why, _line('train', workdir)))
  if state != 'begun':
    purpose, given = PREDICTING[task]
    commands += [
        (purpose, _line('predict', workdir, f'--input={given}')),
        ('Use it in a browser, on this machine', _line('serve', workdir)),
        ('Take it to other programs', _line('export', workdir)),
        ('Measure it again, also on other data', _line('evaluate', workdir)),
        *((why, _line(job, workdir)) for job, why in OTHERS[task])]
  if tensorboard:
    commands.append(('Look at every figure over the steps',
                     f'tensorboard --logdir={shlex.quote(f"{workdir}/tensorboard")}'))
  commands.append(('Make this page anew', _line('inspect', workdir)))
  parts = []
  for why, line in commands:
    parts += [paragraph(f'{why}:'), command(line)]
  return Section('next', 'What next', parts)


def data_command(workdir: str) -> str:
  """How this page finds data that lie elsewhere now."""
  return _line('inspect', workdir, '--config.data.path=FOLDER')


def _line(job, workdir, *arguments):
  return ' '.join(('python main.py', f'--job={job}', f'--workdir={shlex.quote(workdir)}',
                   *arguments))
