"""The tags of a scene (its truth), and which of them a careless tagger would leave out."""

from data.dice import Dice
from data.toon import characters, vocabulary
from data.toon.scene import OUTDOORS

# What must be in the frame for a tag to hold, in heads below the middle of the head.
GARMENT_DEPTH, NECK_DEPTH, HAND_DEPTH, SITTING_DEPTH = 0.92, 0.8, 1.35, 2.4
SKIRT_DEPTH = 0.76 + 1.08 + 0.1  # for a body of length 1
GARMENT_TAGS = {'uniform': 'school_uniform', 'swimwear': 'swimsuit'}
SERIES = {c.name: c.series for c in characters.CHARACTERS}
HELD_TAGS = ('book', 'umbrella', 'sword')


def scene_tags(scene) -> tuple[int, ...]:
  """Indices of all tags that the picture shows, ascending."""
  names = _picture_tags(scene) | _count_tags(scene.figures)
  for figure in scene.figures:
    names |= _figure_tags(figure, scene)
  for name in tuple(names):
    names.update(vocabulary.IMPLIED.get(name, ()))
  names.add(_rating(scene, names))
  return tuple(sorted(vocabulary.INDEX[name] for name in names))


def forget_tags(scene, drawn_tags, dropped_share: float) -> tuple[int, ...]:
  """The drawn tags less those that were left out; no tag is ever added.

  Args:
    scene: names the stream of choices, so that the share does not change the pictures.
    drawn_tags: what `scene_tags` gives.
    dropped_share: the mean probability, over all tags of all pictures, that a tag is left out.
  """
  probabilities = vocabulary.forgetting_probabilities(dropped_share)
  dice = Dice(scene.name, 'forgetting')
  return tuple(tag for tag in drawn_tags if not dice.chance(probabilities[tag]))


def _picture_tags(scene):
  names = {scene.view, *scene.effects}
  if scene.background in ('plain', 'pattern'):
    names.add('simple_background')
  if scene.background == 'room':
    names.add('indoors')
  if scene.background in OUTDOORS:
    names.add('outdoors')
  if scene.background in ('beach', 'forest', 'city'):
    names.add(scene.background)
  if scene.time == 'night':
    names.add('night')
  if scene.snow:
    names.add('snow')
  if scene.medium != 'colour':
    names.add(scene.medium)
  if scene.style.artist:
    names.add(scene.style.artist)
  return names


def _count_tags(figures):
  girls = sum(figure.gender == 'girl' for figure in figures)
  boys = len(figures) - girls
  names = {1: {'1girl'}, 0: set()}.get(girls, {'multiple_girls'})
  names = names | {1: {'1boy'}, 0: set()}.get(boys, {'multiple_boys'})
  return names | ({'solo'} if len(figures) == 1 else set()) | (
      {'crowd'} if len(figures) > 2 else set())


def _figure_tags(figure, scene):
  names = _hair_tags(figure) | _face_tags(figure)
  if scene.medium == 'colour':
    names.add(f'{figure.hair_colour}_hair')
    if not figure.eyes_closed:
      names.add(f'{figure.eye_colour}_eyes')
  if figure.identity != characters.ANONYMOUS:
    names |= {figure.identity, SERIES[figure.identity]}
  names |= _clothes_tags(figure, scene.style.body)
  if 'up' in figure.arms:
    names.add('arms_up')
  if figure.sitting and figure.depth > SITTING_DEPTH * scene.style.body:
    names.add('sitting')
  if figure.hold and figure.depth > HAND_DEPTH:
    names |= {'holding'} | ({figure.hold} & set(HELD_TAGS))
  return names


def _hair_tags(figure):
  names = {f'{figure.hair_length}_hair'}
  flags = {'spiky_hair': figure.spiky, 'ahoge': figure.ahoge, 'wings': figure.wings,
           'hair_ornament': figure.ornament, 'hat': figure.hat, 'animal_ears': figure.ears}
  names |= {name for name, shown in flags.items() if shown}
  possible = (figure.hair_tie, figure.ornament, figure.hat, figure.ears)
  return names | {name for name in possible if name in vocabulary.INDEX}


def _face_tags(figure):
  smiling = figure.mouth in ('smile', 'open_smile')
  flags = {
      'smile': smiling, 'open_mouth': figure.mouth in ('open', 'open_smile'),
      'blush': figure.blush, 'tears': figure.tears, 'glasses': figure.glasses,
      'closed_eyes': figure.eyes_closed,
      'happy': not figure.tears and (figure.mouth == 'open_smile' or (
          smiling and (figure.blush or figure.eyes_closed)))}
  return {name for name, shown in flags.items() if shown}


def _clothes_tags(figure, body):
  names = set()
  if figure.depth > NECK_DEPTH:
    names |= {name for name in ('necktie', 'scarf') if getattr(figure, name)}
  if figure.depth > GARMENT_DEPTH:
    names.add(GARMENT_TAGS.get(figure.garment, figure.garment))
    if figure.striped:
      names.add('striped')
  if figure.lower == 'skirt' and figure.depth > SKIRT_DEPTH * body:
    names.add('skirt')
  return names


def _rating(scene, names):
  """The abstract tag: harmless stand-ins for what a rating says elsewhere."""
  if scene.mood in ('ghost', 'explosion'):
    return 'explicit'
  if scene.mood == 'fight':
    return 'questionable'
  return 'sensitive' if 'swimsuit' in names or 'beach' in names else 'general'
