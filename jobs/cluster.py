"""--job=cluster: pictures that nobody has labelled, in groups, by features of a net."""

from train_lib import devices
from train_lib.clustering import clustering
from train_lib.preemption import Preemption


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Groups pictures and leaves what a person needs to name the groups; see
  `clustering.cluster_pictures`.

  Args:
    config: of a run, or of a page like configs/cluster.py; its section `cluster` is this job's.
    workdir: of the run whose net is taken, or a folder for what is written.
    config_path: not of this job.
    input: a folder of pictures, walked recursively; '' for the config's dataset.
    output: a folder; '' is `<workdir>/cluster`.

  Raises:
    UserError: no net, no pictures, settings that make no sense, or names of other clusters.
  """
  del config_path
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    clustering.cluster_pictures(config, workdir, input, output, preemption.check)
