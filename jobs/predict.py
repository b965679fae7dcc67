"""--job=predict: tags, class or people's joints of every picture of a folder; or scans restored."""

import sys

from errors import UserError
from train_lib import devices, signals
from train_lib.export import exported
from train_lib.poses import pose_prediction
from train_lib.predicting import pipe, prediction
from train_lib.predicting.predictor import Predictor
from train_lib.preemption import Preemption
from train_lib.scans import restoration


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Predicts every picture under a folder; what cannot be read is skipped and listed.

  Writes `predictions.jsonl`, a row for each picture with its path, `predictions.csv` (the same for
  a spreadsheet; not of poses), `predict.json`, if need be `unreadable.jsonl`, and captions where
  `predict.captions` asks for them. A row of a tagger has the rating and the tags with their
  probabilities, most probable first; of a classifier label, probability and 'top', [class,
  probability] of the most probable classes; of a pose net the people, see also
  `pose_prediction.predict_people`. An autoencoder leaves what `restoration.restore_scans` says.
  A stopped start goes on with the next picture; the same command again looks at new and changed
  pictures alone.

  Args:
    config: of the workdir; the `predict` section is this job's.
    workdir: of the run, or an exported folder.
    config_path: not of this job.
    input: a folder, walked recursively, or one picture; '-' is standard input, see `pipe`.
    output: a folder; '' is `<workdir>/predict`, if that is no exported folder.

  Raises:
    UserError: no such run or input, no picture in it, or settings of other tasks.
  """
  del config_path
  if not input:
    raise UserError('nothing to predict: name a picture or a folder of pictures with --input=, or '
                    'standard input with --input=-')
  if config.predict.boxes and config.task != 'pose':
    raise UserError('predict.boxes says where people are whose joints are looked for, and '
                    f"{workdir} is a run of the task '{config.task}'; leave it empty")
  if input == '-':
    return _answer_pipe(config, workdir, output)
  if not output and exported.is_exported(workdir):
    raise UserError(f'{workdir} is an exported net, which is left as it is; name a folder for the '
                    'predictions with --output=')
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    if config.task == 'autoencoding':
      return restoration.restore_scans(config, workdir, input, output, preemption)
    folder = prediction.Folder(config, workdir, input, output)
    if config.task == 'pose':
      return pose_prediction.predict_people(folder, input, preemption.check)
    with folder.lock():
      folder.finish(folder.predict(preemption.check))


def _answer_pipe(config, workdir, output) -> None:
  if output or config.predict.captions:
    raise UserError('answers to standard input go to standard output; leave --output and '
                    'predict.captions out')
  if sys.stdin is None or sys.stdin.closed:
    raise UserError('standard input is closed; write a picture or paths into it')
  with pipe.answers_alone() as write:
    devices.set_up_jax(config.runtime.cache_dir)
    predictor = Predictor(config, workdir)
    signals.job_ended()           # from here on there may be answers: a signal ends it with 128 + n
    pipe.answer(predictor, sys.stdin.fileno(), write)
