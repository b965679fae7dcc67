"""The named characters: who they are is fixed, what they wear changes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Character:
  """A fixed identity: series, looks and a signature piece; the outfit is one of a few."""

  name: str
  series: str
  gender: str  # 'girl' | 'boy'
  hair_colour: str
  hair_length: str  # 'short' | 'long'
  hair_tie: str  # '' | 'ponytail' | 'twintails' | 'hair_bun' | 'braid'
  bangs: str  # 'straight' | 'swept' | 'parted' | 'messy'
  spiky: bool
  ahoge: bool
  eye_colour: str
  skin: int  # index into palette.SKIN
  signature: str  # a piece always worn: ornament, hat, ears, glasses or scarf
  outfits: tuple[tuple[str, int], ...]  # (garment, index into palette.CLOTH)
  weight: float  # share of pictures whose main figure it is, in %


CHARACTERS = (
    Character('mira_vale', 'star_academy', 'girl', 'pink', 'long', 'twintails', 'straight', False,
              False, 'blue', 0, 'hair_ribbon', (('uniform', 9), ('dress', 5), ('hoodie', 6)), 7.5),
    Character('nami_coral', 'tidal_tales', 'girl', 'blue', 'long', 'ponytail', 'swept', False,
              False, 'yellow', 2, 'hair_flower', (('swimwear', 10), ('dress', 6), ('shirt', 12)),
              4.8),
    Character('toma_reed', 'star_academy', 'boy', 'black', 'short', '', 'messy', True, False,
              'brown', 1, 'glasses', (('uniform', 9), ('hoodie', 8), ('coat', 0)), 3.5),
    Character('hana_kitsu', 'fox_lantern', 'girl', 'red', 'long', '', 'parted', False, True,
              'yellow', 1, 'cat_ears', (('kimono', 5), ('dress', 2), ('hoodie', 1)), 2.7),
    Character('orla_finch', 'star_academy', 'girl', 'blonde', 'short', 'hair_bun', 'swept', False,
              False, 'green', 0, 'hairband', (('uniform', 9), ('coat', 12), ('shirt', 3)), 2.1),
    Character('kai_brook', 'tidal_tales', 'boy', 'blonde', 'short', '', 'messy', False, False,
              'blue', 3, 'baseball_cap', (('swimwear', 3), ('shirt', 11), ('hoodie', 12)), 1.7),
    Character('suzu_lop', 'fox_lantern', 'girl', 'brown', 'short', '', 'straight', False, True,
              'red', 0, 'rabbit_ears', (('kimono', 4), ('hoodie', 6), ('dress', 8)), 1.35),
    Character('vesper_quill', 'star_academy', 'girl', 'purple', 'long', 'braid', 'straight', False,
              False, 'purple', 0, 'witch_hat', (('uniform', 9), ('dress', 2), ('coat', 7)), 1.1),
    Character('ren_ash', 'fox_lantern', 'boy', 'white', 'short', '', 'parted', True, False, 'red',
              1, 'scarf', (('kimono', 2), ('coat', 2), ('shirt', 5)), 0.9),
    Character('luna_shell', 'tidal_tales', 'girl', 'white', 'long', '', 'parted', False, True,
              'purple', 4, 'straw_hat', (('swimwear', 8), ('dress', 6), ('shirt', 16)), 0.75),
)
SERIES = ('star_academy', 'tidal_tales', 'fox_lantern')
ANONYMOUS = 'anonymous'
IDENTITIES = tuple(c.name for c in CHARACTERS) + (ANONYMOUS,)
GARMENTS = ('shirt', 'dress', 'uniform', 'hoodie', 'coat', 'swimwear', 'kimono')
