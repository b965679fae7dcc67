"""What is done to one example on the host: decode, resize or crop, and in training augment.

An operation is a frozen dataclass, `__call__(example) -> example`, that changes nothing it is
given unless it is told to. Random ones draw from `example['rng']`, which only training examples
have. `keypoints` [..., K, 3] (x px, y px, visible) and `box_px` [..., 4] (x, y, width, height) move
with the picture. Keys that an operation reads besides these stand in its `needs`.
"""

from dataclasses import dataclass

import numpy as np

from data.augment import BLACK, Colour, Cutout, RandomCrop, Warp
from data.boxed import CutBox
from data.decode import decode_image
from data.geometry import move, resize
from data.person_crop import CropPerson
from data.rand_augment import RandAugment
from data.scan_operations import DecodeScan, ResizeScan, build_corruption, check_numbers
from errors import UserError

AUGMENTATIONS = ('mirror', 'rotation', 'scale', 'translation', 'crop', 'randaugment', 'cutout',
                 'colour')
# Of a person's crop, which is warped once; no picture is made of a crop's parts.
PERSON_AUGMENTATIONS = ('mirror', 'rotation', 'scale', 'half_body', 'cutout', 'colour')
SCAN_AUGMENTATIONS = ('mirror', 'rotation', 'scale', 'translation')
# What has augmentations: its own, others, what those are for.
KINDS = {'pictures': (AUGMENTATIONS, PERSON_AUGMENTATIONS, 'persons cut out by their boxes'),
         'persons': (PERSON_AUGMENTATIONS, AUGMENTATIONS, 'whole pictures'),
         'scans': (SCAN_AUGMENTATIONS, AUGMENTATIONS + PERSON_AUGMENTATIONS, 'colour pictures')}
FORMER = {'warp': ('rotation', 'scale', 'translation')}  # names of old, and what they became
PADS = ('square', 'squish')
CROP_MULTIPLE_PX = 32             # of both sides of a crop, as nets of many scales need it
HALF_BODY_PROB = 0.3              # where a person has joints enough


@dataclass(frozen=True)
class Decode:
  """`image_bytes` -> `image`, uint8 [h, w, 3] RGB.

  Raises:
    DecodeError: the picture cannot be read or has more than max_pixels pixels.
  """

  max_pixels: int

  needs = ('as_stored',)          # True where joints are told for the picture without its EXIF turn

  def __call__(self, example):
    example = dict(example)
    image_bytes, upright = example.pop('image_bytes'), not example.pop('as_stored', False)
    image = decode_image(image_bytes, max_pixels=self.max_pixels, upright=upright)
    return {**example, 'image': image}


@dataclass(frozen=True)
class Resize:
  """`image` -> [size_px, size_px, 3]; a picture of that size passes as it is.

  pad='square' keeps the picture's shape and fills up with white on both sides; 'squish' stretches
  it. Shrinking averages areas, enlarging is cubic.
  """

  size_px: int
  pad: str

  def __call__(self, example):
    image = example['image']
    height_px, width_px = image.shape[:2]
    if (height_px, width_px) == (self.size_px, self.size_px):
      return example
    new_height_px = new_width_px = self.size_px
    if self.pad == 'square':
      zoom = self.size_px / max(height_px, width_px)
      new_height_px, new_width_px = max(1, round(height_px * zoom)), max(1, round(width_px * zoom))
    resized = resize(image, new_width_px, new_height_px)
    top_px, left_px = (self.size_px - new_height_px) // 2, (self.size_px - new_width_px) // 2
    if resized.shape != (self.size_px, self.size_px, 3):
      canvas = np.full((self.size_px, self.size_px, 3), 255, np.uint8)
      canvas[top_px:top_px + new_height_px, left_px:left_px + new_width_px] = resized
      resized = canvas
    zoom_x, zoom_y = new_width_px / width_px, new_height_px / height_px
    # Half a pixel more and less: coordinates count from pixel centres, sizes from pixel edges.
    matrix = np.array([[zoom_x, 0, left_px + 0.5 * zoom_x - 0.5],
                       [0, zoom_y, top_px + 0.5 * zoom_y - 0.5]])
    return move(example, resized, matrix)


def build_pipeline(config_data, *, train: bool, persons: bool = False, scans: bool = False,
                   corrupt: bool = True) -> tuple:
  """Returns the operations of `config.data`, with its augmentations where train is true.

  'mirror', 'rotation', 'scale' and 'translation' are one operation, a single warp; 'crop' takes the
  place of resizing. Before these the person is cut out, where `config.data.persons.cut` says so.

  Args:
    persons: whether examples are persons: each is cropped to her box, `config.data.image_size_px`
      high and three quarters of that wide, and 'mirror', 'rotation', 'scale' and 'half_body' are
      parts of that one warp.
    scans: whether examples are slices of scans, which get `target` and `known` too.
    corrupt: whether scans are damaged as `config.data.corrupt` says; else `image` is the target.

  Raises:
    UserError: `config.data.pad` or, in training, `config.data.augment` has a name that is none of
      the choices, or a number makes no sense.
  """
  decode, names = Decode(config_data.max_pixels), tuple(config_data.augment) if train else ()
  _check_augmentations(config_data, names,
                       'scans' if scans else 'persons' if persons else 'pictures')
  if persons:
    return (decode, _build_crop(config_data, names, train), *_build_tones(config_data, names))
  if config_data.pad not in PADS:
    raise UserError(f"config.data.pad is '{config_data.pad}'; choose one of {', '.join(PADS)}.")
  if scans:
    return _build_scans(config_data, names, corrupt)
  size = config_data.image_size_px, config_data.pad
  resize = (RandomCrop(*size, config_data.crop_least_frac, config_data.crop_aspect)
            if 'crop' in names else Resize(*size))
  pipeline = [decode, *[CutBox()] * (config_data.persons.cut != 'none'), resize]
  pipeline += _build_warp(config_data, names)
  if 'randaugment' in names:
    pipeline.append(RandAugment(config_data.randaugment_count, config_data.randaugment_magnitude))
  return (*pipeline, *_build_tones(config_data, names))


def _build_scans(config_data, names, corrupt):
  """The pipeline of slices of scans."""
  if config_data.pad != 'square':
    raise UserError(f"config.data.pad is '{config_data.pad}', but scans keep their shape: leave it "
                    "at 'square'.")
  return (DecodeScan(config_data.max_pixels), ResizeScan(config_data.image_size_px),
          *_build_warp(config_data, names, BLACK), build_corruption(config_data, corrupt))


def _build_warp(config_data, names, *fill):
  """[the one warp of the augmentations that are named], or []."""
  extents = [extent if name in names else 0.0 for name, extent in (
      ('rotation', config_data.rotation_deg), ('scale', config_data.scale_frac),
      ('translation', config_data.translate_frac))]
  if 'mirror' not in names and not any(extents):
    return []
  return [Warp(0.5 if 'mirror' in names else 0.0, *extents, *fill)]


def _build_tones(config_data, names):
  """What changes pixels where they are."""
  tones = []
  if 'cutout' in names:
    tones.append(Cutout(config_data.cutout_frac, in_place=True))
  if 'colour' in names:
    tones.append(Colour(*(config_data.colour_frac,) * 3))
  return tones


def _build_crop(config_data, names, train):
  """The crop of a person, with the augmentations that are parts of it."""
  settings, height_px = config_data.persons, config_data.image_size_px
  width_px = 3 * height_px // 4
  if height_px < 1 or 4 * width_px != 3 * height_px or width_px % CROP_MULTIPLE_PX:
    raise UserError(f'config.data.image_size_px is {height_px}, the height of a crop that is three '
                    f'quarters as wide; both have to be multiples of {CROP_MULTIPLE_PX}: choose '
                    'one of 128, 256, 384, 512.')
  return CropPerson(
      height_px, width_px, settings.widen, 0.5 if 'mirror' in names else 0.0,
      config_data.rotation_deg if 'rotation' in names else 0.0,
      config_data.scale_frac if 'scale' in names else 0.0,
      HALF_BODY_PROB if 'half_body' in names else 0.0, settings.whole_frac if train else 0.0)


def _check_augmentations(config_data, names, kind):
  """Raises UserError for a name that is none of the choices, and for numbers that make no sense.

  Args: kind: of KINDS.
  """
  choices, others, what = KINDS[kind]
  for name in names:
    if name in FORMER:
      raise UserError(f"config.data.augment has '{name}', which became three: write "
                      f"{', '.join(map(repr, FORMER[name]))} in its place.")
    if name not in choices:
      only = f', which is for {what} alone' if name in others else ''
      raise UserError(f"config.data.augment has '{name}'{only}; choose among "
                      f"{', '.join(choices)}.")
  check_numbers(config_data, names, (
      ('rotation', 'rotation_deg', 0, 360), ('scale', 'scale_frac', 0, 0.9),
      ('translation', 'translate_frac', 0, 1), ('crop', 'crop_least_frac', 0.01, 1),
      ('crop', 'crop_aspect', 1, 10), ('randaugment', 'randaugment_count', 1, 14),
      ('randaugment', 'randaugment_magnitude', 0, 10), ('cutout', 'cutout_frac', 0, 1),
      ('colour', 'colour_frac', 0, 1)))
