"""What is said of a picture: from what a net gave to a row that a person or a program reads."""

import numpy as np

from errors import UserError

TOP = 5                           # most probable classes of a row
CATEGORIES = ('general', 'character', 'copyright', 'artist', 'meta')


class TagAnswers:
  """What a tagger says of a picture.

  Args:
    trained: of `trained.open_trained`.
    settings: the section `predict`. A tag is given where its probability is above the threshold of
      its category, else `threshold`, which is the one tuned on the validation split if negative.

  Attributes:
    thresholds: float32 [T], of each tag.

  Raises:
    UserError: no such category, no probability, or there is no tuned threshold.
  """

  doing, done = 'tagging', 'tagged'
  columns = ('path', 'rating', 'tags')

  def __init__(self, trained, settings):
    self._scored, self._names = trained.task.scored, trained.tag_names   # all but the ratings
    own = _category_thresholds(settings.category_thresholds)
    kinds = np.array(trained.tag_categories)
    covered = np.isin(kinds[self._scored], list(own)).all()
    common = 0.0 if covered else _common_threshold(settings.threshold, trained)
    self.thresholds = np.full(len(self._names), common, np.float32)
    for category, threshold in own.items():
      self.thresholds[kinds == category] = threshold
    said = [] if covered else [f'{common:.3f}']
    self.how = ' at threshold ' + ', '.join(
        said + [f'{value:.3f} of {category}' for category, value in own.items()])

  def describe(self, values: dict) -> dict:
    """{'rating', 'tags': {name: probability}}: the most probable rating ('' where the net has none)
    and the tags above their threshold, most probable first. Args: values: 'probabilities' [T]."""
    probabilities = values['probabilities']
    given = np.flatnonzero(self._scored & (probabilities > self.thresholds))
    given = given[np.argsort(-probabilities[given], kind='stable')]
    ratings = np.flatnonzero(~self._scored)
    return {'rating': self._names[ratings[probabilities[ratings].argmax()]] if len(ratings) else '',
            'tags': {self._names[tag]: round(float(probabilities[tag]), 4) for tag in given}}

  def cells(self, row: dict) -> list:
    """The cells of a picture in the spreadsheet."""
    return [row['path'], row['rating'], ', '.join(row['tags'])]

  def summary(self, row: dict) -> str:
    """A row for the terminal; '': tags are too many for it."""
    return ''


class ClassAnswers:
  """What a classifier says of a picture. Args: as those of `TagAnswers`; it has no threshold."""

  doing, done, how = 'classifying', 'classified', ''
  columns = ('path', 'label', 'probability')

  def __init__(self, trained, settings):
    self._names = trained.tag_names
    check_no_thresholds(settings, 'a classifier says the most probable class')

  def describe(self, values: dict) -> dict:
    """{'label', 'probability', 'top': [[class, probability], ...]}. Args: values: 'probabilities'
    [K]."""
    probabilities = values['probabilities']
    order = np.argsort(-probabilities, kind='stable')[:TOP]
    top = [[self._names[k], round(float(probabilities[k]), 4)] for k in order]
    return {'label': top[0][0], 'probability': top[0][1], 'top': top}

  def cells(self, row: dict) -> list:
    """The cells of a picture in the spreadsheet."""
    return [row[name] for name in self.columns]

  def summary(self, row: dict) -> str:
    """A row for the terminal."""
    return f'{row["path"]}: {row["label"]}, {100 * row["probability"]:.1f} %'


class PoseAnswers:
  """What a pose net says of a picture. Args: as those of `TagAnswers`; it has no threshold."""

  doing, done, how = 'looking for people in', 'looked at', ''

  def __init__(self, trained, settings):
    self._names = trained.tag_names
    check_no_thresholds(settings, 'a pose net gives every joint with its score')

  def describe(self, values: dict) -> dict:
    """{'people': [{'score', 'keypoints': [[x px, y px, score], ...]}]}, joints in COCO's order.

    Args: values: 'people', a list of {'score', 'keypoints' [17, 3]}.
    """
    return {'people': [{'score': round(float(person['score']), 4),
                        'keypoints': [[round(float(x), 2), round(float(y), 2), round(float(s), 4)]
                                      for x, y, s in person['keypoints']]}
                       for person in values['people']]}

  def summary(self, row: dict) -> str:
    """A row for the terminal; '': the overlays are what one looks at."""
    return ''


def check_no_thresholds(settings, instead: str) -> None:
  """Raises UserError where the section `predict` asks for what only tags have."""
  if settings.threshold >= 0:
    raise UserError(f'predict.threshold is {settings.threshold:g}, which is for tags: {instead}; '
                    'leave it negative')
  if settings.category_thresholds:
    raise UserError(f'predict.category_thresholds is {settings.category_thresholds}, which is for '
                    f'tags: {instead}; leave it empty')


def _category_thresholds(pairs) -> dict[str, float]:
  for pair in pairs:
    known = isinstance(pair, (tuple, list)) and len(pair) == 2 and pair[0] in CATEGORIES
    if not known or not isinstance(pair[1], (int, float)) or not 0 <= pair[1] <= 1:
      raise UserError(f'predict.category_thresholds has {pair!r}; expected (category, 0 to 1), the '
                      f'categories being {", ".join(CATEGORIES)}, such as '
                      """"(('general', 0.35), ('character', 0.75))\"""")
  return {category: float(value) for category, value in pairs}


def _common_threshold(wanted: float, trained) -> float:
  if not wanted <= 1:
    raise UserError(f'predict.threshold is {wanted:g}; expected a probability, or a negative '
                    'number for the one tuned on the validation split')
  if wanted >= 0:
    return wanted
  if 'micro' not in trained.thresholds:
    raise UserError(f'step {trained.step} was not measured on the validation split, so it has no '
                    'tuned threshold; finish the training or give --config.predict.threshold=0.5')
  return trained.thresholds['micro']
