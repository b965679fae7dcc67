"""The TFDS builder of phantom; needs no TensorFlow. Import it only where tfds is wanted."""

import numpy as np
import tensorflow_datasets as tfds

from data import drawn
from data.phantom import picture, vocabulary


class Phantom(drawn.DrawnBuilder):
  """Drawn CT and MRI slices of heads and chests with tags, findings and boxes of lesions."""

  VERSION = tfds.core.Version(vocabulary.VERSION)
  RELEASE_NOTES = {'1.0.0': 'First version.'}
  draw_example = staticmethod(picture.draw_example)

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
