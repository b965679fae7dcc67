"""Train, valid and test: as they are given, and what is missing cut out of train by content."""

from collections.abc import Mapping

from errors import UserError

SPLITS = ('train', 'valid', 'test')
# What people call them.
SPLIT_NAMES = {'train': 'train', 'training': 'train', 'valid': 'valid', 'validation': 'valid',
               'val': 'valid', 'test': 'test', 'testing': 'test'}


def check_shares(valid_frac: float, test_frac: float) -> None:
  """Raises UserError unless the shares of splits that are cut out leave something for training."""
  if not (valid_frac >= 0 and test_frac >= 0 and valid_frac + test_frac < 1):  # so of NaN
    raise UserError(f'config.data.valid_frac is {valid_frac} and test_frac is {test_frac}; they '
                    'are shares, 0 or more, that leave something for training.')


def assign_splits(digests: Mapping, given: Mapping, valid_frac: float, test_frac: float,
                  what: str) -> tuple[dict[str, list], str]:
  """Gives every picture its split.

  With train and valid alone, valid is what the run is scored on ('test'), and 'valid' is cut from
  train. What has to be cut is cut by content: exact copies fall into one split, and added pictures
  move no other.

  Args:
    digests: picture -> hex digest of its content.
    given: picture -> 'train', 'valid' or 'test'; empty where nothing is split.
    valid_frac, test_frac: shares of train that are cut out where they are not given.
    what: what gave the splits, in the singular, such as 'folder'.

  Returns:
    {split: pictures, in the order of digests} for the three splits, and how it was done in words.

  Raises:
    UserError: shares that leave nothing for training.
  """
  check_shares(valid_frac, test_frac)
  found = set(given.values())
  if found == {'train', 'valid'}:  # what was held out is what counts
    given = {name: 'test' if split == 'valid' else split for name, split in given.items()}
  held_out = set(given.values()) - {'train'}
  cuts = {'test': 0 if 'test' in held_out else test_frac,
          'valid': 0 if 'valid' in held_out else valid_frac}
  splits = {split: [] for split in SPLITS}
  for name, digest in digests.items():
    split = given.get(name, 'train')
    splits[_cut(digest, cuts) if split == 'train' else split].append(name)
  cut_words = ' and '.join(f'{cuts[key]:.0%} for {key}' for key in ('valid', 'test') if cuts[key])
  if not given:
    return splits, f"{cut_words or 'nothing'} set apart by content"
  words = (f'the {what} for validation is scored as test' if found == {'train', 'valid'} else
           f"split by the {what}s {', '.join(sorted(found))}")
  return splits, words + (f', {cut_words} set apart from train by content' if cut_words else '')


def _cut(digest, cuts):
  """The split that a content falls into: its digest read as a number from 0 to 1."""
  place = int(digest[:12], 16) / 16**12
  if place < cuts['test']:
    return 'test'
  return 'valid' if place < cuts['test'] + cuts['valid'] else 'train'


def count_words(splits: Mapping) -> str:
  """Such as 'train 800, valid 100, test 100'."""
  return ', '.join(f'{split} {len(names):,}' for split, names in splits.items())


def counted(number: int, one: str, many: str) -> str:
  """'1 class', '1,200 classes'."""
  return f'{number:,} {one if number == 1 else many}'


def copies_words(splits: Mapping, digests: Mapping) -> list[str]:
  """A phrase for each held-out split that holds exact copies of training pictures."""
  learned = {digests[name] for name in splits['train']}
  counts = {split: sum(digests[name] in learned for name in splits[split])
            for split in ('valid', 'test')}
  copies = ('is an exact copy of a training picture', 'are exact copies of training pictures')
  return [f'{counted(count, "picture", "pictures")} of {split} {copies[count > 1]}'
          for split, count in counts.items() if count]
