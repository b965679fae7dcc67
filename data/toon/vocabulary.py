"""The 104 tags, contiguous by category, with their shares and how easily they are forgotten."""

import dataclasses
import functools

VERSION = '1.0.0'
MAX_TAGS = 64  # no scene reaches it; the longest row of any size of this dataset


@dataclasses.dataclass(frozen=True)
class Tag:
  name: str
  category: str
  share: float  # share of pictures that show it, in %, over 25,000 scenes
  forgetting: float  # odds of being left out, against a tag of weight 1


def _rows(category, text):
  rows = (line.split() for line in text.strip().splitlines())
  return [Tag(name, category, float(share), float(weight)) for name, share, weight in rows]


_RATING = """
general 74.1 .02
sensitive 12.9 .02
questionable 8.68 .02
explicit 4.33 .02
"""
_GENERAL = """
1girl 57.5 .05
solo 69.1 .1
1boy 37.8 .05
multiple_girls 16 .1
multiple_boys 5.31 .1
crowd 8.38 .5
portrait 22.2 1.5
upper_body 39.9 1.2
cowboy_shot 19.2 1.5
full_body 18.6 1
brown_hair 22.6 .4
blonde_hair 20.4 .4
black_hair 23.4 .4
blue_hair 14.5 .4
pink_hair 16.5 .4
red_hair 10.6 .4
white_hair 6.6 .4
purple_hair 6.82 .4
green_hair 3.96 .4
long_hair 55.1 .3
short_hair 63 .6
ponytail 15.2 .7
twintails 15.6 .5
hair_bun 6.36 .8
braid 6.05 .8
ahoge 10.4 1.5
spiky_hair 16.5 1.5
hair_ornament 32.6 1
hair_ribbon 15.8 .9
hair_flower 9.98 1
blue_eyes 37.6 .7
brown_eyes 27.5 .9
green_eyes 18.5 .7
red_eyes 10.6 .7
purple_eyes 7.31 .7
yellow_eyes 12.2 .7
closed_eyes 9.58 .8
smile 56.1 .9
open_mouth 32.8 1
blush 29.7 1.2
tears 1.56 1
happy 30.8 2
glasses 11.5 .6
hat 14.8 .7
straw_hat 3.72 .8
baseball_cap 6.94 .8
witch_hat 2.61 .6
animal_ears 10.6 .5
cat_ears 5.67 .6
rabbit_ears 3.42 .6
wings 1.57 .8
shirt 36.4 1.4
dress 25.8 .8
school_uniform 23.8 .8
hoodie 20.6 1.1
coat 10.7 1.2
swimsuit 9.62 .5
kimono 4.33 .6
skirt 26.3 1.2
necktie 10 1.4
scarf 5.2 1
striped 8.61 1.8
holding 27.1 2
book 6.24 1
umbrella 3.51 .6
sword 1.54 .7
arms_up 5.94 1.6
sitting 7.47 1
outdoors 43.4 1.3
indoors 20.5 1.5
simple_background 36.1 1.2
night 11.2 1
beach 9.84 .8
forest 9.02 1.2
city 14.9 1.3
snow 1.44 .8
"""
_CHARACTER = """
mira_vale 9.76 .3
nami_coral 6.34 .3
toma_reed 4.92 .3
hana_kitsu 3.56 .3
orla_finch 3.01 .4
kai_brook 2.57 .4
suzu_lop 1.86 .4
vesper_quill 1.52 .4
ren_ash 1.23 .5
luna_shell 1.01 .5
"""
_COPYRIGHT = """
star_academy 18.3 .6
tidal_tales 9.62 .6
fox_lantern 6.45 .6
"""
_ARTIST = """
ink_heron 20.2 .5
soft_peach 12.9 .5
flat_koi 8.57 .5
neon_moth 5 .5
pencil_owl 2.47 .5
"""
_META = """
monochrome 4.61 .6
sketch 2.52 1
watermark 3.54 2
border 2.67 2
lowres 5.04 2.5
jpeg_artifacts 1.85 2.5
"""

TAGS = tuple(
    _rows('rating', _RATING) + _rows('general', _GENERAL) + _rows('character', _CHARACTER)
    + _rows('copyright', _COPYRIGHT) + _rows('artist', _ARTIST) + _rows('meta', _META))
TAG_NAMES = tuple(tag.name for tag in TAGS)
TAG_CATEGORIES = tuple(tag.category for tag in TAGS)
INDEX = {name: index for index, name in enumerate(TAG_NAMES)}

# What a tag entails: a picture that shows the first shows the second.
IMPLIED = {
    'twintails': ('long_hair',), 'ponytail': ('long_hair',), 'braid': ('long_hair',),
    'spiky_hair': ('short_hair',),
    'hair_ribbon': ('hair_ornament',), 'hair_flower': ('hair_ornament',),
    'straw_hat': ('hat',), 'baseball_cap': ('hat',), 'witch_hat': ('hat',),
    'cat_ears': ('animal_ears',), 'rabbit_ears': ('animal_ears',),
    'book': ('holding',), 'umbrella': ('holding',), 'sword': ('holding',),
    'beach': ('outdoors',), 'forest': ('outdoors',), 'city': ('outdoors',), 'snow': ('outdoors',),
}


@functools.cache
def forgetting_probabilities(dropped_share: float) -> tuple[float, ...]:
  """Per tag, the probability that a picture that shows it does not list it.

  The odds of a tag are its `forgetting` weight times one factor, found by bisection so that the
  mean over all tags of all pictures is `dropped_share`.
  """
  if dropped_share == 0:
    return (0.0,) * len(TAGS)
  total = sum(tag.share for tag in TAGS)
  low, high = 0.0, 1e9
  for _ in range(200):
    factor = (low + high) / 2
    odds = [factor * tag.forgetting for tag in TAGS]
    mean = sum(tag.share * o / (1 + o) for tag, o in zip(TAGS, odds, strict=True)) / total
    low, high = (factor, high) if mean < dropped_share else (low, factor)
  return tuple(o / (1 + o) for o in odds)
