"""Who the figures are and what they wear, hold and do."""

import dataclasses

from data.toon import characters, palette


@dataclasses.dataclass(frozen=True)
class Setting:
  """What the choice of clothes depends on."""

  background: str
  snow: bool
  view: str
  colours: tuple


@dataclasses.dataclass(frozen=True)
class Figure:
  """One figure: looks, clothes, pose, and its place in the frame."""

  identity: str  # name of a character, or characters.ANONYMOUS
  gender: str
  hair_colour: str
  hair_rgb: tuple
  hair_length: str
  hair_tie: str
  bangs: str
  spiky: bool
  ahoge: bool
  eye_colour: str
  eyes_closed: bool
  skin_rgb: tuple
  mouth: str  # 'smile' | 'open_smile' | 'open' | 'neutral' | 'frown'
  blush: bool
  tears: bool
  glasses: bool
  ornament: str  # '' | 'hair_ribbon' | 'hair_flower' | 'hairband'
  hat: str  # '' | 'straw_hat' | 'baseball_cap' | 'witch_hat' | 'beanie'
  ears: str  # '' | 'cat_ears' | 'rabbit_ears' | 'bear_ears'
  wings: bool
  garment: str
  lower: str  # '' (part of the garment) | 'skirt' | 'pants' | 'shorts'
  colours: tuple  # (main, second, accent), RGB
  striped: bool
  necktie: bool
  scarf: bool
  hold: str
  arms: tuple[str, str]
  legs: tuple[str, str]
  sitting: bool
  jumping: bool
  pose_jitter: tuple[float, ...]
  turn: float
  mirror: bool
  lean_deg: float
  head_x: float = 0.5
  head_y: float = 0.5
  head_size: float = 0.3
  depth: float = 2.0

  @property
  def headroom(self):
    """What rises over the hair, in heads."""
    tall = {'witch_hat': 0.5, 'straw_hat': 0.08, 'baseball_cap': 0.05, 'beanie': 0.12}
    ears = {'rabbit_ears': 0.42, 'cat_ears': 0.1, 'bear_ears': 0.08}
    bun = 0.14 if self.hair_tie == 'hair_bun' else 0.0
    return max(tall.get(self.hat, bun), ears.get(self.ears, 0.0),
               0.22 if self.hold == 'umbrella' else 0.0)


HAIR_COLOURS = {'brown': 20, 'black': 18, 'blonde': 15, 'blue': 8, 'pink': 7, 'red': 7, 'white': 4,
                'purple': 5, 'green': 3.4}
EYE_COLOURS = {'blue': 30, 'brown': 24, 'green': 16, 'red': 8, 'purple': 5, 'yellow': 4}
GARMENTS = {'girl': {'shirt': 24, 'dress': 27, 'uniform': 17, 'hoodie': 9, 'coat': 5,
                     'swimwear': 2, 'kimono': 2},
            'boy': {'shirt': 40, 'uniform': 15, 'hoodie': 17, 'coat': 9, 'swimwear': 2,
                    'kimono': 1.5}}
LOWER = {('shirt', 'girl'): {'skirt': 5, 'shorts': 3, 'pants': 2},
         ('hoodie', 'girl'): {'skirt': 4, 'shorts': 4, 'pants': 3},
         ('coat', 'girl'): {'skirt': 5, 'pants': 4},
         ('uniform', 'girl'): {'skirt': 1},
         ('shirt', 'boy'): {'pants': 6, 'shorts': 4}, ('hoodie', 'boy'): {'pants': 7, 'shorts': 3},
         ('coat', 'boy'): {'pants': 1}, ('uniform', 'boy'): {'pants': 1}}
HOLD = {'book': 6, 'umbrella': 3.4, 'sword': 1.5, 'wand': 3, 'flower': 4, 'ice_cream': 4,
        'balloon': 4, 'cup': 3}
HOLD_ARMS = {'book': ('front', 'front'), 'umbrella': ('chest', None), 'sword': ('raise', None),
             'wand': ('raise', None), 'balloon': ('raise', None), 'flower': ('chest', None),
             'ice_cream': ('chest', None), 'cup': ('chest', None)}
ARMS = {'down': 22, 'relaxed': 20, 'hip': 14, 'behind': 8, 'wave': 9, 'front': 8, 'chest': 5,
        'out': 4}


def sample_figures(dice, setting, count):
  """`count` figures, nobody twice; friends often come from the same series."""
  figures, taken = [], set()
  for rank in range(count):
    character = _sample_character(dice, rank, figures, taken)
    if character:
      taken.add(character.name)
    figures.append(_sample_figure(dice, setting, character))
  return figures


def _sample_character(dice, rank, figures, taken):
  total = sum(c.weight for c in characters.CHARACTERS)
  named = dice.chance(total / 100 if rank == 0 else 0.22)
  series = {c.name: c.series for c in characters.CHARACTERS}
  friends = figures and series.get(figures[0].identity)
  weights = {c: c.weight * (4 if c.series == friends else 1)
             for c in characters.CHARACTERS if c.name not in taken}
  character = dice.weighted(weights)
  return character if named else None


def _sample_figure(dice, setting, character):
  gender = character.gender if character else dice.weighted({'girl': 62, 'boy': 38})
  looks = _fixed_looks(character) if character else _free_looks(dice, setting, gender)
  looks['hair_rgb'] = palette.jitter(dice, palette.HAIR[looks['hair_colour']], 9)
  clothes = _clothes(dice, setting, character, gender)
  clothes['scarf'] = looks.pop('scarf') or clothes['scarf']
  return Figure(gender=gender, **looks, **clothes, **_face(dice), **_pose(dice, setting))


def _fixed_looks(character):
  signature = character.signature
  return {
      'identity': character.name, 'hair_colour': character.hair_colour,
      'hair_length': character.hair_length, 'hair_tie': character.hair_tie,
      'bangs': character.bangs, 'spiky': character.spiky, 'ahoge': character.ahoge,
      'eye_colour': character.eye_colour, 'skin_rgb': palette.SKIN[character.skin],
      'glasses': signature == 'glasses', 'scarf': signature == 'scarf', 'wings': False,
      'ornament': signature if signature.startswith('hair') else '',
      'hat': signature if signature.endswith(('hat', 'cap')) else '',
      'ears': signature if signature.endswith('ears') else ''}


def _free_looks(dice, setting, gender):
  girl = gender == 'girl'
  length = 'long' if dice.chance(0.6 if girl else 0.07) else 'short'
  ties = {'': 52, 'ponytail': 22, 'twintails': 15, 'braid': 11}
  tie = dice.weighted(ties) if length == 'long' else (
      'hair_bun' if girl and dice.chance(0.13) else '')
  spiky = length == 'short' and not tie and dice.chance(0.04 if girl else 0.26)
  hat, ears = _on_the_head(dice, setting, girl)
  ornaments = {'hair_ribbon': 40, 'hair_flower': 24, 'hairband': 36}
  ornament = dice.weighted(ornaments)
  has_ornament = girl and not hat and dice.chance(0.27)
  return {
      'identity': characters.ANONYMOUS, 'hair_colour': dice.weighted(HAIR_COLOURS),
      'hair_length': length, 'hair_tie': tie, 'spiky': spiky,
      'bangs': dice.weighted({'straight': 3, 'swept': 4, 'parted': 3, 'messy': 3}),
      'ahoge': dice.chance(0.045) and not hat, 'eye_colour': dice.weighted(EYE_COLOURS),
      'skin_rgb': palette.jitter(
          dice, palette.SKIN[dice.weighted({0: 34, 1: 30, 2: 18, 3: 11, 4: 7})], 5),
      'glasses': dice.chance(0.065), 'scarf': False, 'wings': dice.chance(0.014),
      'ornament': ornament if has_ornament else '', 'hat': hat, 'ears': ears}


def _on_the_head(dice, setting, girl):
  """(hat, ears), at most one of them."""
  hats = {'straw_hat': 6 if setting.background == 'beach' else 1.6, 'baseball_cap': 3,
          'witch_hat': 1.0 if girl else 0.4, 'beanie': 8 if setting.snow else 1.4}
  ears = {'cat_ears': 4, 'rabbit_ears': 3 if girl else 1, 'bear_ears': 3}
  hat, ear = dice.weighted(hats), dice.weighted(ears)
  point = dice.between(0, 1)
  return (hat if point < 0.1 else ''), (ear if point > (0.935 if girl else 0.975) else '')


def _clothes(dice, setting, character, gender):
  swimming = setting.background == 'beach' and dice.chance(0.45)
  garment = dice.weighted(GARMENTS[gender])
  main = dice.one_of(setting.colours)
  if character:
    garment, index = dice.one_of(character.outfits)
    main = palette.jitter(dice, palette.CLOTH[index], 6)
  if swimming and (not character or ('swimwear' in dict(character.outfits))):
    garment = 'swimwear'
  if setting.snow and garment == 'swimwear':
    garment = 'coat' if not character else character.outfits[1][0]
  second, accent = dice.one_of(setting.colours), dice.one_of(setting.colours)
  plain = garment in ('shirt', 'hoodie', 'swimwear')
  scarf_share = 0.5 if setting.snow else 0.025
  return {
      'garment': garment, 'colours': (main, second, accent),
      'lower': dice.weighted(LOWER.get((garment, gender), {'': 1})),
      'striped': dice.chance(0.12) and plain,
      'necktie': (garment == 'uniform' and gender == 'boy')
      | (dice.chance(0.05) & (garment == 'shirt')),
      'scarf': dice.chance(scarf_share) and garment not in ('swimwear', 'kimono')}


def _face(dice):
  return {
      'mouth': dice.weighted({'smile': 32, 'open_smile': 15, 'open': 10, 'neutral': 31,
                              'frown': 12}),
      'eyes_closed': dice.chance(0.07), 'blush': dice.chance(0.23), 'tears': dice.chance(0.012)}


def _pose(dice, setting):
  hold = dice.weighted(HOLD) if dice.chance(0.27) and setting.view != 'portrait' else ''
  arms = [dice.weighted(ARMS), dice.weighted(ARMS)]
  if dice.chance(0.055):
    arms = ['up', 'up']
  if hold:
    held = HOLD_ARMS[hold]
    arms = [held[0], held[1] or arms[1] if arms[1] != 'up' else held[1] or 'relaxed']
  seated = dice.chance({'full_body': 0.2, 'cowboy_shot': 0.1}.get(setting.view, 0.0))
  legs = [dice.weighted({'stand': 6, 'wide': 3, 'step': 2}) for _ in range(2)]
  jumping = dice.chance(0.14) and not seated and setting.view == 'full_body'
  return {
      'hold': hold, 'arms': tuple(arms), 'sitting': seated, 'jumping': jumping,
      'legs': ('sit', 'sit') if seated else ('kick', 'step') if jumping else tuple(legs),
      'pose_jitter': tuple(dice.between(-8, 8) for _ in range(4)),
      'turn': dice.between(-1, 1), 'mirror': dice.chance(0.5), 'lean_deg': dice.between(-7, 7)}
