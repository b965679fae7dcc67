"""The TFDS builder of phantom; needs no TensorFlow. Import it only where tfds is wanted."""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from data import crew
from data.phantom import picture, vocabulary


@dataclasses.dataclass(kw_only=True)
class PhantomConfig(tfds.core.BuilderConfig):
  """One size of the dataset; its name tells all settings, so sizes live side by side."""

  num_train: int = 25_000
  num_valid: int = 2_500
  num_test: int = 2_500
  image_size_px: int = 224
  data_seed: int = 0


class Phantom(tfds.core.GeneratorBasedBuilder):
  """Drawn CT and MRI slices of heads and chests with tags, findings and boxes of lesions."""

  VERSION = tfds.core.Version(vocabulary.VERSION)
  _checksums_path = None  # nothing is downloaded, so there is no file of checksums to look for
  RELEASE_NOTES = {'1.0.0': 'First version.'}

  poll = None  # called while drawing; may raise to interrupt
  show_progress = None  # called with the number of pictures just drawn

  def _info(self) -> tfds.core.DatasetInfo:
    side = self.builder_config.image_size_px
    return tfds.core.DatasetInfo(
        builder=self,
        description='Drawn CT and MRI slices of heads and chests, four of a patient.',
        features=tfds.features.FeaturesDict({
            'id': tfds.features.Text(),
            'image': tfds.features.Image(shape=(side, side, 1), dtype=np.uint16,
                                         encoding_format='png'),
            'patient': tfds.features.Scalar(np.int32),
            'tags': tfds.features.Sequence(
                tfds.features.ClassLabel(names=list(vocabulary.TAG_NAMES))),
            'finding': tfds.features.ClassLabel(names=list(vocabulary.FINDINGS)),
            'lesion_box_px': tfds.features.Tensor(shape=(4,), dtype=np.float32),
            'lesion_area_px2': tfds.features.Scalar(np.float32),
        }),
        disable_shuffling=True,
    )

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    config = self.builder_config
    sizes = {'train': config.num_train, 'valid': config.num_valid, 'test': config.num_test}
    return {split: self._generate_examples(split, count) for split, count in sizes.items()}

  def _generate_examples(self, split, count):
    examples = crew.draw_all(picture.draw_example, self.builder_config, split, count, self.poll)
    for index, example in enumerate(examples):
      yield index, example
      if self.show_progress:
        self.show_progress(1)

  def _log_download_bytes(self):
    """Nothing is downloaded, so TFDS need not announce it."""

  def _log_download_done(self):
    """The progress of data.prepared has said so."""
