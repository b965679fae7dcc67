"""Ratings as boards write them: letters whose meaning changed in 2022, or words.

Until 2021 Danbooru had three, safe, questionable and explicit; since then it has four, general,
sensitive, questionable and explicit. The letter s is safe in the first and sensitive in the second.
"""

import numpy as np

from errors import UserError

# What a record's rating becomes, by its code; 's' is settled when all records are read.
RATINGS = ('', 'general', 's', 'safe', 'sensitive', 'questionable', 'explicit', 'unknown')
UNKNOWN = RATINGS.index('unknown')
RISING = ('general', 'safe', 'sensitive', 'questionable', 'explicit')
_CODES = {**{name: code for code, name in enumerate(RATINGS[:-1])}, 'g': 1, 'q': 5, 'e': 6}
_ENOUGH = 100  # pictures rated 's' among which one rated 'g' would be expected


def code_of(rating: str) -> int:
  """The index in RATINGS of a rating as it is written, in small letters."""
  return _CODES.get(rating, UNKNOWN)


def check_setting(setting: str) -> None:
  """Raises UserError unless config.data.board.ratings is one that there is."""
  if setting not in ('auto', 'safe', 'sensitive'):
    raise UserError(f"config.data.board.ratings is '{setting}'; it says what 's' stands for: "
                    "choose safe (on Danbooru until 2021), sensitive (since 2022, beside 'g'), or "
                    'auto (by the format).')


def decide_ratings(ratings: np.ndarray, setting: str, letter_s: str) -> tuple[np.ndarray, tuple]:
  """Settles what 's' stands for, and which ratings a net has to tell apart.

  Args:
    ratings: uint8 [N], indices of RATINGS, all told and known.
    setting: config.data.board.ratings, checked.
    letter_s: the format's meaning of 's', or ''.

  Returns:
    The ratings with every 's' settled; and the names to learn in rising order, () where N is 0.

  Raises:
    UserError: the archive contradicts the format.
  """
  counts = dict(zip(RATINGS, np.bincount(ratings, minlength=len(RATINGS)).tolist(), strict=True))
  if setting == 'auto':
    _check_letter(counts, len(ratings), letter_s)
  letter = setting if setting != 'auto' else letter_s or (
      'sensitive' if counts['general'] else 'safe')
  settled = np.where(ratings == RATINGS.index('s'), RATINGS.index(letter), ratings)
  if not len(ratings):
    return settled.astype(np.uint8), ()
  present = {RATINGS[code] for code in np.unique(settled)}
  if not present & {'general', 'safe', 'sensitive'}:
    present.add(letter)
  if present & {'general', 'sensitive'}:
    present |= {'general', 'sensitive'}
  present |= {'questionable', 'explicit'}
  return settled.astype(np.uint8), tuple(name for name in RISING if name in present)


def _check_letter(counts, rated, letter_s):
  ask = 'say what it stands for with --config.data.board.ratings=safe or =sensitive.'
  if letter_s == 'safe' and counts['s'] and counts['general'] > rated / 100:
    raise UserError(f"{counts['s']:,} pictures are rated 's', which is safe in metadata of this "
                    f"format, but {counts['general']:,} are rated 'g', beside which it is "
                    f"sensitive: {ask}")
  if letter_s == 'sensitive' and counts['s'] >= _ENOUGH and not counts['general']:
    raise UserError(f"{counts['s']:,} pictures are rated 's', which is sensitive in metadata of "
                    f"this format, but none is rated 'g', as if it were older and 's' safe: {ask}")
