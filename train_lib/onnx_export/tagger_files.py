"""A tagger in the layout that existing tagger programs load: `model.onnx` and `selected_tags.csv`.

These programs (kohya's script, ComfyUI's node, the extension of the web UI, wdv3) feed float32
[N, 448, 448, 3], BGR in 0..255, padded to a white square, and read probabilities. They take rows
by their place: four ratings, then general tags, then characters, without a gap.
"""

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError
from train_lib import build
from train_lib.onnx_export.build import build_model, make_inputs
from train_lib.onnx_export.check import save_model
from train_lib.storage import records

SIDE_PX = 448                     # what one of the programs feeds, whatever the model says
OWN_SIZE = 'own_size'             # a folder in that of the files
NUM_RATINGS = 4
RATING, GENERAL, CHARACTER = 9, 0, 4  # categories as selected_tags.csv has them
COLUMNS = ('tag_id', 'name', 'category', 'count')
NOTHING = -1                      # a row that stands for no output of the net
CATEGORIES = ('general', 'character', 'copyright', 'artist', 'meta')


def list_rows(names, categories, as_general: tuple[str, ...] = ()) -> list[tuple[int, str, int]]:
  """[(output of the net, name, category)] in the order that the programs expect.

  Missing ratings become rows `no_rating_1`, ... and missing characters one row `no_character`, all
  of probability 0: without them the programs would shift every name, or list tags twice.

  Args:
    names, categories: of the net's outputs.
    as_general: of `categories`, besides general, that are listed as general tags; the others but
      ratings and characters are left out.

  Raises:
    UserError: more than four ratings, nothing to list, or no such category.
  """
  wrong = [name for name in as_general if name not in CATEGORIES[2:]]
  if wrong:
    raise UserError(f'export.as_general is {as_general}; expected some of '
                    f'{", ".join(CATEGORIES[2:])}')
  kinds = np.array(categories)
  ratings = np.flatnonzero(kinds == 'rating')
  general = np.flatnonzero(np.isin(kinds, ('general', *as_general)))
  characters = np.flatnonzero(kinds == 'character')
  if len(ratings) > NUM_RATINGS:
    raise UserError(f'the tagger has {len(ratings)} ratings, and tagger programs know four')
  if not len(general) and not len(characters):
    raise UserError('the tagger has neither general tags nor characters, which is what tagger '
                    'programs list; name other categories with --config.export.as_general')
  rows = [(int(row), names[row], RATING) for row in ratings]
  rows += [(NOTHING, f'no_rating_{number}', RATING)
           for number in range(1, NUM_RATINGS - len(ratings) + 1)]
  rows += [(int(row), names[row], GENERAL) for row in general]
  rows += [(int(row), names[row], CHARACTER) for row in characters]
  return rows if len(characters) else [*rows, (NOTHING, 'no_character', CHARACTER)]


def export_tagger(folder, config, trained, counts: dict[str, int]) -> float:
  """Writes both files into a folder; the largest difference from JAX as a share of the largest
  value.

  The model takes 448 px and shrinks them inside to the size that the net was trained at, as
  Pillow's bicubic does: of the filters that were tried the one that, after a program's own resizing
  of larger and smaller pictures, gives most of the tags of the unresized ones. In `own_size/` are
  both files again with the net's own size as input, for programs that read the size from the model;
  they give the net what it was trained on.

  Args:
    folder: of the files.
    config: of the run; `export.as_general` is read, see `list_rows`.
    trained: of `trained.open_trained`, its net in float32.
    counts: name -> training pictures that have the tag; 0 is written of others.

  Raises:
    UserError: see `list_rows` and `onnx_export.check.save_model`.
  """
  rows = list_rows(trained.tag_names, trained.tag_categories, tuple(config.export.as_general))
  own_px, worst = config.data.image_size_px, 0.0
  for where, side_px in ((folder, SIDE_PX), (folder / OWN_SIZE, own_px)):
    if where == folder or own_px != SIDE_PX:
      worst = max(worst, _save_model(where, config, trained, rows, side_px))
      records.write_csv(where / 'selected_tags.csv', COLUMNS, (
          (number, name, category, counts.get(name, 0))
          for number, (_, name, category) in enumerate(rows)))
  return worst


def _save_model(folder, config, trained, rows, side_px) -> float:
  function = _make_function(trained, [row for row, _, _ in rows], config.data.image_size_px)
  model = build_model(function, make_inputs(image=(side_px, side_px, 3)), ('probabilities',),
                      about={'net': config.net.name, 'step': str(trained.step)})

  def make_rows(batch):
    rng = np.random.default_rng(batch)
    return {'image': rng.uniform(0, 255, (batch, side_px, side_px, 3)).astype(np.float32)}

  return save_model(folder / 'model.onnx', model, function, make_rows, batches=(1, 3))


def _make_function(trained, outputs, side_px):
  """BGR [N, S, S, 3] in 0..255, of any size -> probabilities [N, rows]."""
  task, variables = trained.task, trained.variables
  places, known = np.maximum(outputs, 0), np.array(outputs) != NOTHING
  # a product picks and orders the columns, and leaves 0 where there is none
  pick = np.zeros((len(trained.tag_names), len(outputs)), np.float32)
  pick[places[known], np.flatnonzero(known)] = 1

  def infer(image):
    with build.plain_convolutions():
      image = image[..., ::-1]
      if image.shape[1] != side_px:
        shape = (image.shape[0], side_px, side_px, 3)
        image = jnp.clip(jax.image.resize(image, shape, 'cubic'), 0, 255)
      probabilities = task.predict(variables, {'image': image})['probabilities']
      return jnp.dot(probabilities, pick, precision=jax.lax.Precision.HIGHEST)
  return infer
