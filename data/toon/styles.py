"""Artists: a style is how lines, shadows, colours and proportions are drawn."""

import dataclasses

from data.toon import palette


@dataclasses.dataclass(frozen=True)
class Style:
  artist: str  # tag of the artist, '' for the many who are not tagged
  line: float  # width of outlines, in px of a 512 px canvas; 0 = none
  ink: str  # 'black': all outlines dark; 'colour': each a darker tone of what it bounds
  shading: str  # 'flat' | 'cel' | 'soft' | 'hatch'
  saturation: float  # 1 = as named
  light: float  # share of white mixed in (negative: of black)
  warmth: float  # -1 cool .. 1 warm
  body: float  # length of the body against the head: 0.7 doll-like .. 1.25 tall
  eye: float  # size of eyes, 1 = usual


ARTISTS = {
    'ink_heron': Style('ink_heron', 5.0, 'black', 'flat', 1.15, 0.0, 0.0, 1.08, 0.92),
    'soft_peach': Style('soft_peach', 1.6, 'colour', 'soft', 0.8, 0.16, 0.6, 1.0, 1.08),
    'flat_koi': Style('flat_koi', 0.0, 'colour', 'cel', 1.0, 0.04, 0.15, 1.18, 0.95),
    'neon_moth': Style('neon_moth', 2.6, 'colour', 'cel', 1.45, -0.06, -0.7, 1.1, 1.05),
    'pencil_owl': Style('pencil_owl', 2.0, 'black', 'hatch', 0.5, 0.12, 0.25, 0.72, 1.16),
}
ARTIST_WEIGHTS = {'': 51, 'ink_heron': 20, 'soft_peach': 13, 'flat_koi': 8.5, 'neon_moth': 5,
                  'pencil_owl': 2.5}


def sample_style(dice) -> Style:
  """A named artist's style with small whims of the day, or an unnamed one's."""
  artist = dice.weighted(ARTIST_WEIGHTS)
  if artist:
    style = ARTISTS[artist]
    return dataclasses.replace(
        style, body=style.body + dice.between(-0.04, 0.04), light=style.light
        + dice.between(-0.03, 0.03), line=style.line * dice.between(0.9, 1.1))
  return Style(
      '', dice.between(2.0, 3.8), dice.one_of(('black', 'colour', 'colour')),
      dice.weighted({'cel': 3, 'flat': 1, 'soft': 1}), dice.between(0.85, 1.2),
      dice.between(-0.04, 0.08), dice.between(-0.3, 0.35), dice.between(0.88, 1.14),
      dice.between(0.94, 1.08))


def colour_in_style(style, colour):
  """How this artist would mix the named colour."""
  grey = palette.brightness(colour)
  colour = palette.mix((grey, grey, grey), colour, style.saturation)
  white = (255, 255, 255) if style.light > 0 else (0, 0, 0)
  colour = palette.mix(colour, white, abs(style.light))
  warm = 12 * style.warmth
  return (colour[0] + warm, colour[1] + warm * 0.2, colour[2] - warm)
