"""What the TFDS builders of drawn datasets share; needs no TensorFlow. For data/*/builder.py."""

import dataclasses

import tensorflow_datasets as tfds

from data import crew


@dataclasses.dataclass(kw_only=True)
class DrawnConfig(tfds.core.BuilderConfig):
  """One size of a dataset; its name tells all settings, so sizes live side by side."""

  num_train: int = 25_000
  num_valid: int = 2_500
  num_test: int = 2_500
  image_size_px: int = 256
  data_seed: int = 0


class DrawnBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Draws three splits on all cores; a dataset adds its version, its features and `draw_example`.

  Attributes:
    draw_example: (config, split, index) -> example, a function of a module as a staticmethod.
    poll: called while drawing; may raise to interrupt.
    show_progress: called with the number of pictures just drawn.
  """

  _checksums_path = None  # nothing is downloaded, so there is no file of checksums to look for

  draw_example = None
  poll = None
  show_progress = None

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    config = self.builder_config
    sizes = {'train': config.num_train, 'valid': config.num_valid, 'test': config.num_test}
    return {split: self._generate_examples(split, count) for split, count in sizes.items()}

  def _generate_examples(self, split, count):
    examples = crew.draw_all(self.draw_example, self.builder_config, split, count, self.poll)
    for index, example in enumerate(examples):
      yield index, example
      if self.show_progress:
        self.show_progress(1)

  def _log_download_bytes(self):
    """Nothing is downloaded, so TFDS need not announce it."""

  def _log_download_done(self):
    """The progress of data.prepared has said so."""
