"""What augmentation makes of training pictures, and damage of scans: each alone, and all."""

import copy

import jax
import numpy as np
from PIL import Image

from errors import UserError
from train_lib import build_data, build_inputs
from train_lib.drawing.grid import draw_grid
from train_lib.tasks import mixing

PICTURES = 6
TRIES = 8                         # draws for a picture that an operation changes


def augmentation_sheet(config, source) -> Image.Image:
  """Training pictures in rows: as they are, after each augmentation alone, all twice, mixed.

  A column of one operation shows a draw in which it changes something, where there is one. Of scans
  the damage that a net is to mend is shown too: each kind alone, then with all augmentations, and
  what the net should give back.

  Args:
    config: the whole config; `data.augment`, `data.corrupt`, `train.mixup_alpha` and `cutmix_alpha`
      decide.
    source: the training split.

  Raises:
    UserError: fewer than two training pictures can be read.
  """
  examples = _readable(config, source)
  scans = config.task == 'autoencoding'
  as_it_is = ('as it is', 'whole' if scans else 'as evaluation sees it')
  columns = [(as_it_is, _images(config, examples, ()))]
  for names, damage in (*(((name,), ()) for name in config.data.augment),
                        *(((), (kind,)) for kind in config.data.corrupt)):
    name, = names or damage
    columns.append(((name, _extent(name, config)),
                    _images(config, examples, names, damage, must_differ=columns[0][1])))
  changed = config.data.augment or config.data.corrupt
  both = [(('all together', number), _images(config, examples, config.data.augment,
                                             config.data.corrupt, draw=10 + k))
          for k, number in enumerate(('one draw', 'another draw'))]
  columns += both if changed else []
  if config.data.corrupt:
    columns.append((('what to give back', 'of the other draw'),
                    _images(config, examples, config.data.augment, config.data.corrupt, draw=11,
                            key='target')))
  columns += _mixed(config, both[1][1])
  note = '' if len(columns) > 1 else ': data.augment is empty and nothing is mixed'
  return draw_grid(list(zip(*(images for _, images in columns), strict=True)),
                   [title for title, _ in columns],
                   [f'{len(examples)} training {"slices" if scans else "pictures"} at '
                    f'{config.data.image_size_px} px and what training makes of them{note}'])


def _readable(config, source) -> list[dict]:
  """Examples of the split, evenly spread, whose pictures can be decoded."""
  pipeline = build_data.build_pipeline(config, train=False)
  found = []
  for row in np.random.default_rng(0).permutation(len(source)):
    try:
      example = source[int(row)]
      _apply(pipeline, example)
    except (OSError, ValueError):                              # a DecodeError is a ValueError
      continue
    found.append(example)
    if len(found) == PICTURES:
      break
  if len(found) < 2:
    raise UserError(f'{len(found)} of {len(source):,} training pictures can be read; expected at '
                    'least 2')
  return found


def _images(config, examples, names, damage=(), *, draw=0, must_differ=(), key='image'
            ) -> list[np.ndarray]:
  """The pictures, uint8 [H, W, 3] each, after the augmentations and the damage named.

  Args: must_differ: pictures to differ from; alike ones are drawn again; key: of the example.
  """
  alone = copy.deepcopy(config)
  alone.data.augment, alone.data.corrupt = tuple(names), tuple(damage)
  if len(names) < 2:
    alone.data.persons.whole_frac = 0.0           # a part of all together alone
  pipeline = build_data.build_pipeline(alone, train=True)
  images = []
  for row, example in enumerate(examples):
    for attempt in range(TRIES):
      rng = np.random.default_rng((config.seed, draw, row, attempt))
      image = build_inputs.to_colours(_apply(pipeline, {**example, 'rng': rng})[key])
      if not len(must_differ) or (image != must_differ[row]).any():
        break
    images.append(image)
  return images


def _apply(pipeline, example):
  for operation in pipeline:
    example = operation(example)
  return example


def _mixed(config, images) -> list:
  """Columns of mixup and cutmix, where they are on: each picture with the one above it."""
  stack, key = np.stack(images), jax.random.key(config.seed)
  columns = []
  for name in ('mixup', 'cutmix'):
    alpha = config.train[f'{name}_alpha']
    if alpha:
      off = {'mixup_alpha': 0.0, 'cutmix_alpha': 0.0}
      mixed, share = mixing.mix(key, stack, np.ones(len(stack)), **{**off, f'{name}_alpha': alpha})
      columns.append(((f'all and {name}', f'own share {float(share.min()):.0%} to '
                       f'{float(share.max()):.0%}'),
                      list(np.asarray(mixed).round().astype(np.uint8))))
  return columns


def _extent(name, config) -> str:
  """How far an augmentation goes, in a few words."""
  settings, turn = config.data, 'deviation of' if config.task == 'pose' else 'up to'
  return {
      'mirror': 'half of all pictures',
      'rotation': f'{turn} {settings.rotation_deg:g} degrees',
      'scale': f'up to {settings.scale_frac:.0%}',
      'translation': f'up to {settings.translate_frac:.0%} of a side',
      'half_body': 'upper or lower',
      'crop': f'at least {settings.crop_least_frac:.0%} of the area',
      'randaugment': f'{settings.randaugment_count} at {settings.randaugment_magnitude:g} of 10',
      'cutout': f'{settings.cutout_frac:.0%} of a side',
      'colour': f'up to {settings.colour_frac:.0%}',
      'blur': f'deviation of {settings.blur_px:g} px',
      'gaussian': f'deviation of {settings.noise_deviation:g}',
      'rician': f'deviation of {settings.noise_deviation:g}',
      'keep': _kept(settings),
      'lines': f'{settings.missing_lines_frac:.0%} of the rows lost',
  }[name]


def _kept(settings) -> str:
  most = f' to {settings.keep_most_frac:.0%}' * (settings.keep_most_frac > settings.keep_frac)
  return f'{settings.keep_frac:.0%}{most} of the pixels'
