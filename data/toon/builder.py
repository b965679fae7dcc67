"""The TFDS builder of toon; needs no TensorFlow. Import it only where tfds is wanted."""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from data import drawn
from data.toon import characters, picture, vocabulary


@dataclasses.dataclass(kw_only=True)
class ToonConfig(drawn.DrawnConfig):
  """One size of the dataset, and the mean share of true tags that are left out."""

  dropped_share: float = 0.2


class Toon(drawn.DrawnBuilder):
  """Drawn cartoon characters with exact tags, identities, garments and 17 COCO joints."""

  VERSION = tfds.core.Version(vocabulary.VERSION)
  RELEASE_NOTES = {'1.0.0': 'First version.'}
  draw_example = staticmethod(picture.draw_example)

  def _info(self) -> tfds.core.DatasetInfo:
    tags = tfds.features.ClassLabel(names=list(vocabulary.TAG_NAMES))
    identity = tfds.features.ClassLabel(names=list(characters.IDENTITIES))
    side = self.builder_config.image_size_px
    figure = {
        'identity': identity,
        'box_px': tfds.features.Tensor(shape=(4,), dtype=np.float32),
        'area_px2': tfds.features.Scalar(np.float32),
        'keypoints': tfds.features.Tensor(shape=(17, 3), dtype=np.float32),
    }
    return tfds.core.DatasetInfo(
        builder=self,
        description='Drawn cartoon characters with exact and with forgotten tags.',
        features=tfds.features.FeaturesDict({
            'id': tfds.features.Text(),
            'image': tfds.features.Image(shape=(side, side, 3), encoding_format='jpeg'),
            'tags': tfds.features.Sequence(tags),
            'drawn_tags': tfds.features.Sequence(tags),
            'label': identity,
            'garment': tfds.features.ClassLabel(names=list(characters.GARMENTS)),
            'figures': tfds.features.Sequence(figure),
        }),
        disable_shuffling=True,
    )
