"""--job=synthesize: scans that nobody took, by a trained autoencoder, to enlarge a training set."""

from train_lib import devices
from train_lib.preemption import Preemption
from train_lib.scans import synthesis


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Draws scans and says how near they are to real ones; see `synthesis.synthesize`.

  Args:
    config: of the workdir; its section `synthesize` is this job's.
    workdir: of a run of configs/vae.py.
    config_path: not of this job.
    input: of the kinds 'around' and 'between': a folder of scans, walked recursively, or one scan.
    output: a folder outside of the input; '' is `<workdir>/synthesize`.

  Raises:
    UserError: no such run or input, or a setting that makes no sense.
  """
  del config_path
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    synthesis.synthesize(config, workdir, input, output, preemption)
