"""What a picture shows, in words and numbers, before any pixel is drawn."""

import dataclasses

from data.dice import Dice
from data.toon import layout, palette, styles, wardrobe

BACKGROUNDS = {'plain': 21, 'pattern': 14, 'room': 21, 'city': 15, 'forest': 9, 'beach': 10,
               'sky': 10}
OUTDOORS = ('city', 'forest', 'beach', 'sky')
MOODS = {'calm': 87, 'fight': 8.6, 'ghost': 2.2, 'explosion': 2.2}
EFFECTS = {'watermark': 0.034, 'border': 0.028, 'lowres': 0.05, 'jpeg_artifacts': 0.02}


@dataclasses.dataclass(frozen=True)
class Scene:
  """A picture as a description; everything a tag can depend on."""

  name: str  # the stream of choices that the drawing of details continues
  figures: tuple[wardrobe.Figure, ...]  # the main figure first
  view: str  # 'portrait' | 'upper_body' | 'cowboy_shot' | 'full_body'
  background: str
  time: str  # 'day' | 'sunset' | 'night'
  snow: bool
  style: styles.Style
  mood: str
  medium: str  # 'colour' | 'monochrome' | 'sketch'
  effects: tuple[str, ...]
  palette: tuple  # colours that clothes and things of this picture share
  tilt_deg: float


def sample_scene(data_seed: int, split: str, index: int) -> Scene:
  """Scene `index` of a split: the same for the same three arguments, whatever else is drawn."""
  name = f'toon/{data_seed}/{split}/{index}'
  dice = Dice(name, 'scene')
  medium = dice.weighted({'colour': 93, 'monochrome': 4.6, 'sketch': 2.4})
  background = dice.weighted(BACKGROUNDS)
  if medium == 'sketch':
    background = 'plain' if dice.chance(0.7) else background
  time, snow = _weather(dice, background)
  style = styles.sample_style(dice)
  colours = _shared_palette(dice)
  view = dice.weighted({'portrait': 24, 'upper_body': 38, 'cowboy_shot': 19, 'full_body': 19})
  count = dice.weighted({1: 69, 2: 23, 3: 5.5, 4: 2.5})
  if count > 2 and view == 'portrait':
    view = 'upper_body'
  setting = wardrobe.Setting(background, snow, view, colours)
  figures = wardrobe.sample_figures(dice, setting, count)
  figures = layout.place_figures(dice, figures, view, style.body)
  return Scene(
      name=name, figures=figures, view=view, background=background, time=time, snow=snow,
      style=style, mood=dice.weighted(MOODS), medium=medium,
      effects=tuple(effect for effect, share in EFFECTS.items() if dice.chance(share)),
      palette=colours,
      tilt_deg=dice.between(-14, 14) if dice.chance(0.3) else dice.between(-3, 3))


def _weather(dice, background):
  """(time, snow) of a place."""
  point = dice.between(0, 1)
  snow = dice.chance(0.06) and background in ('city', 'forest')
  if background in ('plain', 'pattern'):
    return 'day', False
  if background == 'room':
    return ('night' if point < 0.14 else 'day'), False
  return ('night' if point < 0.19 else 'sunset' if point < 0.31 else 'day'), snow


def _shared_palette(dice):
  """Six colours for clothes and things alike, so that no colour alone gives a tag away."""
  return tuple(palette.jitter(dice, dice.one_of(palette.CLOTH), 18) for _ in range(6))
