"""The embedded dataset toon as a source: drawn characters with tags, labels and joints."""

import hashlib
import types

import numpy as np

from data.toon import characters, prepare, vocabulary


class ToonSource:
  """One split of the prepared dataset; random access, picklable (reopens its files when used).

  An example: {'id': str, 'image_bytes': JPEG bytes, 'tags': int32 [n] (as a tagger listed them),
  'drawn_tags': int32 [m] (all that is in the picture), 'label': int (index into `label_names`),
  'garment': int (index into `garment_names`), and per figure, the main one first: 'identity'
  int32 [f], 'keypoints' float32 [f, 17, 3] (x px, y px, COCO visibility 0, 1, 2), 'box_px'
  float32 [f, 4] (x, y, w, h), 'area_px2' float32 [f]}.
  """

  tag_names = vocabulary.TAG_NAMES
  tag_categories = vocabulary.TAG_CATEGORIES
  max_tags = vocabulary.MAX_TAGS
  truth_keys = ('tags', 'drawn_tags')
  label_names = characters.IDENTITIES
  garment_names = characters.GARMENTS

  def __init__(self, settings: dict, directory: str, split: str):
    self._settings, self._directory, self._split = settings, directory, split
    words = ['toon', vocabulary.VERSION, split]
    words += [f'{name}={settings[name]}' for name in sorted(settings)]
    self.fingerprint = hashlib.sha256(' '.join(words).encode()).hexdigest()[:32]
    self.description = (f"toon {vocabulary.VERSION}: {settings['num_train']} drawn pictures of "
                        f"{settings['image_size_px']} px for training, {settings['num_valid']} for "
                        f"validation, {settings['num_test']} for test")
    self._records = None

  def __getstate__(self):
    return self.__dict__ | {'_records': None}

  def __len__(self) -> int:
    return self._settings[f'num_{self._split}']

  def tags_of(self, index) -> np.ndarray:
    return self[index]['tags']

  def __getitem__(self, index) -> dict:
    if self._records is None:
      self._open()
    row = self._records[int(index)]
    figures = row['figures']
    return {
        'id': row['id'].decode(), 'image_bytes': row['image'],
        'tags': np.asarray(row['tags'], np.int32),
        'drawn_tags': np.asarray(row['drawn_tags'], np.int32),
        'label': int(row['label']), 'garment': int(row['garment']),
        'identity': np.asarray(figures['identity'], np.int32),
        'keypoints': np.asarray(figures['keypoints'], np.float32),
        'box_px': np.asarray(figures['box_px'], np.float32),
        'area_px2': np.asarray(figures['area_px2'], np.float32),
    }

  def _open(self):
    import tensorflow_datasets as tfds

    builder = prepare.prepare_toon(types.SimpleNamespace(**self._settings), self._directory)
    self._records = builder.as_data_source(
        self._split, decoders={'image': tfds.decode.SkipDecoding()})


def build_toon(config_data, split: str, poll=None) -> ToonSource:
  """The source of a split; draws the dataset at its first use (a minute or two).

  Args:
    config_data: the section `config.data`: dir, num_train, num_valid, num_test, image_size_px,
      dropped_share, data_seed.
    split: 'train', 'valid' or 'test'.
    poll: called often while drawing; may raise to interrupt.
  Raises:
    UserError: settings that make no sense, or a folder that cannot be written.
  """
  prepare.prepare_toon(config_data, config_data.dir, poll)
  settings = {name: getattr(config_data, name) for name in prepare.SETTINGS}
  return ToonSource(settings, config_data.dir, split)
