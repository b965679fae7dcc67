"""The embedded dataset phantom as a source: drawn CT and MRI slices with tags and findings."""

import hashlib
import types

import numpy as np

from data.batch import count_by_tags_of
from data.phantom import prepare, vocabulary
from errors import UserError

LABELS = {'tags': vocabulary.TAG_NAMES, 'finding': vocabulary.FINDINGS}

_known_labels = {}  # fingerprint -> int32 [N], the findings of a split as far as they were read


class PhantomSource:
  """One split of the prepared dataset; random access, picklable (reopens its files when used).

  An example: {'id': str, 'image_bytes': PNG bytes of 16-bit grey, 'tags': int32 [n], 'finding':
  int (index into `finding_names`), 'patient': int, unlike that of any patient of another split,
  'lesion_box_px': float32 [4] (x, y, w, h in px of the drawn slice; zeros where it is clear),
  'lesion_area_px2': float32}.

  With labels 'finding' the tags are the findings instead, one a slice.
  """

  max_ignored = 0
  truth_keys = ('tags',)
  finding_names = vocabulary.FINDINGS

  def __init__(self, settings: dict, directory: str, split: str, *, labels: str = 'tags'):
    self._settings, self._directory, self._split = settings, directory, split
    self._labels, self.tag_names = labels, LABELS[labels]
    self.tag_categories = (vocabulary.TAG_CATEGORIES if labels == 'tags' else
                           ('general',) * len(self.tag_names))
    self.max_tags = vocabulary.MAX_TAGS if labels == 'tags' else 1
    words = ['phantom', vocabulary.VERSION, split]
    words += [f'{name}={settings[name]}' for name in sorted(settings)]
    words += [f'labels={labels}'] if labels != 'tags' else []
    self.fingerprint = hashlib.sha256(' '.join(words).encode()).hexdigest()[:32]
    self.description = (f"phantom {vocabulary.VERSION}: {settings['num_train']} drawn slices of "
                        f"{settings['image_size_px']} px for training, {settings['num_valid']} for "
                        f"validation, {settings['num_test']} for test, "
                        f'{vocabulary.SLICES_PER_PATIENT} of a patient')
    if labels != 'tags':
      self.description += f'; {len(self.tag_names)} classes, the finding of the slice'
    self._records = self._counts = None

  def __getstate__(self):
    return self.__dict__ | {'_records': None}

  def __len__(self) -> int:
    return self._settings[f'num_{self._split}']

  def tags_of(self, index) -> np.ndarray:
    if self._labels == 'tags':
      return self[index]['tags']
    known = _known_labels.setdefault(self.fingerprint, np.full(len(self), -1, np.int32))
    if known[index] < 0:
      known[index] = self[index]['finding']
    return known[index:index + 1]

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    if self._counts is None:  # the whole examples are read
      self._counts = count_by_tags_of(self, poll)
    return self._counts

  def __getitem__(self, index) -> dict:
    if self._records is None:
      self._open()
    row = self._records[int(index)]
    finding = int(row['finding'])
    return {
        'id': row['id'].decode(), 'image_bytes': row['image'],
        'tags': np.asarray(row['tags'] if self._labels == 'tags' else [finding], np.int32),
        'finding': finding, 'patient': int(row['patient']),
        'lesion_box_px': np.asarray(row['lesion_box_px'], np.float32),
        'lesion_area_px2': np.float32(row['lesion_area_px2']),
    }

  def _open(self):
    import tensorflow_datasets as tfds

    builder = prepare.prepare_phantom(types.SimpleNamespace(**self._settings), self._directory)
    self._records = builder.as_data_source(
        self._split, decoders={'image': tfds.decode.SkipDecoding()})


def build_phantom(config_data, split: str, poll=None) -> PhantomSource:
  """The source of a split; draws the dataset at its first use (a few minutes).

  Args:
    config_data: the section `config.data`: dir, num_train, num_valid, num_test, image_size_px,
      drawn_size_px, data_seed, labels; flipped_share and implications, which are toon's.
    split: 'train', 'valid' or 'test'.
    poll: called often while drawing; may raise to interrupt.
  Raises:
    UserError: settings that make no sense, or a folder that cannot be written.
  """
  if config_data.flipped_share:
    raise UserError(f'data.flipped_share is {config_data.flipped_share}, but phantom turns no '
                    'label round; leave it at 0')
  if config_data.implications != 'listed':
    raise UserError(f"data.implications is '{config_data.implications}', but no tag of phantom "
                    "entails another; leave it at 'listed'")
  if config_data.labels not in LABELS:
    raise UserError(f"data.labels is '{config_data.labels}'; choices with data.source=phantom: "
                    f"{', '.join(LABELS)}")
  settings = {name: getattr(config_data, name) for name in prepare.SETTINGS}
  settings['image_size_px'] = config_data.drawn_size_px or config_data.image_size_px
  prepare.prepare_phantom(types.SimpleNamespace(**settings), config_data.dir, poll)
  return PhantomSource(settings, config_data.dir, split, labels=config_data.labels)
