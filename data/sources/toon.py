"""The embedded dataset toon as a source: drawn characters with tags, labels and joints."""

import hashlib
import types

import numpy as np

from data import implications
from data.batch import count_by_tags_of
from data.dice import Dice
from data.toon import characters, prepare, vocabulary
from errors import UserError

LABELS = {'tags': vocabulary.TAG_NAMES, 'identity': characters.IDENTITIES,
          'garment': characters.GARMENTS}
COLUMNS = {'identity': 'label', 'garment': 'garment'}  # of the records, that hold a class

_known_labels = {}  # fingerprint -> int32 [N], the classes of a split as far as they were read


class ToonSource:
  """One split of the prepared dataset; random access, picklable (reopens its files when used).

  An example: {'id': str, 'image_bytes': JPEG bytes, 'tags': int32 [n] (as a tagger listed them),
  'drawn_tags': int32 [m] (all that is in the picture), 'label': int (index into `label_names`),
  'garment': int (index into `garment_names`), and per figure, the main one first: 'identity'
  int32 [f], 'keypoints' float32 [f, 17, 3] (x px, y px, COCO visibility 0, 1, 2), 'box_px'
  float32 [f, 4] (x, y, w, h), 'area_px2' float32 [f]}.

  With a flipped share, every yes and no of `tags` but the ratings is turned round with that
  probability, in all splits; `drawn_tags` stay true. Which ones depends on (data_seed, split,
  index) alone, and those of a smaller share are among those of a greater one.

  With labels 'identity' or 'garment' the tags are these classes instead, one a picture, the main
  figure's; a flipped label is any other class, all alike, and `drawn_tags` holds the true one.

  Implied tags can be added to `tags`, or besides left open as 'ignored_tags' int32 [k], in the
  training split alone: what is measured is `tags` as listed, whatever a net was trained on.
  """

  max_ignored = len(vocabulary.IMPLIED)
  truth_keys = ('tags', 'drawn_tags')
  label_names = characters.IDENTITIES
  garment_names = characters.GARMENTS

  def __init__(self, settings: dict, directory: str, split: str, *, flipped_share: float = 0.0,
               implied: str = 'listed', labels: str = 'tags'):
    self._settings, self._directory, self._split = settings, directory, split
    self._labels, self.tag_names = labels, LABELS[labels]
    self.tag_categories = (vocabulary.TAG_CATEGORIES if labels == 'tags' else
                           ('general',) * len(self.tag_names))
    self._flipped_share = flipped_share
    self._implied = implied if split == 'train' else 'listed'
    self._implications = _read_implications() if self._implied != 'listed' else None
    self.max_tags = (1 if labels != 'tags' else
                     len(self.tag_names) if flipped_share else vocabulary.MAX_TAGS)
    words = ['toon', vocabulary.VERSION, split]
    words += [f'{name}={settings[name]}' for name in sorted(settings)]
    words += [f'flipped_share={flipped_share}'] if flipped_share else []
    words += [f'implications={implied}'] if self._implications else []
    words += [f'labels={labels}'] if labels != 'tags' else []
    self.fingerprint = hashlib.sha256(' '.join(words).encode()).hexdigest()[:32]
    self.description = (f"toon {vocabulary.VERSION}: {settings['num_train']} drawn pictures of "
                        f"{settings['image_size_px']} px for training, {settings['num_valid']} for "
                        f"validation, {settings['num_test']} for test")
    if labels != 'tags':
      self.description += f'; {len(self.tag_names)} classes, the {labels} of the main figure'
    if flipped_share:
      turned = 'yes and no of the tags' if labels == 'tags' else 'labels'
      self.description += f'; {flipped_share:.1%} of {turned} turned round'
    self._records = self._column = self._counts = None

  def __getstate__(self):
    return self.__dict__ | {'_records': None, '_column': None}

  def __len__(self) -> int:
    return self._settings[f'num_{self._split}']

  def tags_of(self, index) -> np.ndarray:
    if self._labels == 'tags':
      return self._listed(np.asarray(self._read_column(index), np.int32), int(index))['tags']
    known = _known_labels.setdefault(self.fingerprint, np.full(len(self), -1, np.int32))
    if known[index] < 0:
      known[index] = self._label(int(self._read_column(index)), int(index))
    return known[index:index + 1]

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    if self._counts is None:
      self._counts = count_by_tags_of(self, poll)
    return self._counts

  def __getitem__(self, index) -> dict:
    if self._records is None:
      self._open()
    row = self._records[int(index)]
    figures = row['figures']
    return {
        'id': row['id'].decode(), 'image_bytes': row['image'],
        **self._tags(row, int(index)),
        'label': int(row['label']), 'garment': int(row['garment']),
        'identity': np.asarray(figures['identity'], np.int32),
        'keypoints': np.asarray(figures['keypoints'], np.float32),
        'box_px': np.asarray(figures['box_px'], np.float32),
        'area_px2': np.asarray(figures['area_px2'], np.float32),
    }

  def _tags(self, row, index):
    """What the example says of its tags, as listed and as drawn."""
    if self._labels == 'tags':
      return {**self._listed(np.asarray(row['tags'], np.int32), index),
              'drawn_tags': np.asarray(row['drawn_tags'], np.int32)}
    true = int(row[COLUMNS[self._labels]])
    return {'tags': np.array([self._label(true, index)], np.int32),
            'drawn_tags': np.array([true], np.int32)}

  def _label(self, true, index):
    """The class that the example is said to have."""
    dice = self._dice(index)
    if not dice.chance(self._flipped_share):
      return true
    return dice.one_of([label for label in range(len(self.tag_names)) if label != true])

  def _listed(self, tags, index):
    """The tags after flips and implications."""
    if self._flipped_share:
      tags = np.setxor1d(tags, self._flips(index)).astype(np.int32)
    if self._implied == 'listed':
      return {'tags': tags}
    tags = self._implications.add_parents(tags)
    below = {'ignored_tags': self._implications.below(tags)} if self._implied == 'ignored' else {}
    return {'tags': tags, **below}

  def _flips(self, index):
    """The tags whose yes or no is turned round."""
    dice = self._dice(index)
    turned = [dice.chance(self._flipped_share) for _ in self.tag_names]
    return [tag for tag, category in enumerate(self.tag_categories)
            if turned[tag] and category != 'rating']

  def _dice(self, index):
    return Dice('toon', self._settings['data_seed'], self._split, index, 'flipping')

  def _read_column(self, index):
    """The tags or class of a record as drawn for the lists; the rest takes four times as long."""
    if self._records is None:
      self._open()
    name, feature = self._column
    return feature.deserialize_example_np(self._records.data_source[int(index)])[name]

  def _open(self):
    import tensorflow_datasets as tfds

    builder = prepare.prepare_toon(types.SimpleNamespace(**self._settings), self._directory)
    self._records = builder.as_data_source(
        self._split, decoders={'image': tfds.decode.SkipDecoding()})
    name = COLUMNS.get(self._labels, 'tags')
    self._column = name, tfds.features.FeaturesDict({name: builder.info.features[name]})


def build_toon(config_data, split: str, poll=None) -> ToonSource:
  """The source of a split; draws the dataset at its first use (a minute or two).

  Args:
    config_data: the section `config.data`: dir, num_train, num_valid, num_test, image_size_px,
      drawn_size_px, dropped_share, flipped_share, data_seed, implications, labels.
    split: 'train', 'valid' or 'test'.
    poll: called often while drawing; may raise to interrupt.
  Raises:
    UserError: settings that make no sense, or a folder that cannot be written.
  """
  implications.check_choice(config_data.implications)
  if not 0 <= config_data.flipped_share <= 0.5:
    raise UserError(f'data.flipped_share is {config_data.flipped_share}; it must be at least 0 (no '
                    'tag is turned round) and at most 0.5 (tags say nothing any more).')
  if config_data.labels not in LABELS:
    raise UserError(f"data.labels is '{config_data.labels}'; choices: {', '.join(LABELS)}")
  if config_data.labels != 'tags' and config_data.implications != 'listed':
    raise UserError(f"data.implications is '{config_data.implications}' and data.labels "
                    f"'{config_data.labels}': a class entails no other; set data.implications to "
                    "'listed'")
  settings = {name: getattr(config_data, name) for name in prepare.SETTINGS}
  settings['image_size_px'] = config_data.drawn_size_px or config_data.image_size_px
  prepare.prepare_toon(types.SimpleNamespace(**settings), config_data.dir, poll)
  return ToonSource(settings, config_data.dir, split, flipped_share=config_data.flipped_share,
                    implied=config_data.implications, labels=config_data.labels)


def _read_implications():
  index = vocabulary.INDEX
  pairs = [(index[tag], index[parent]) for tag, parents in vocabulary.IMPLIED.items()
           for parent in parents]
  return implications.Implications(np.array(pairs), vocabulary.TAG_NAMES)
