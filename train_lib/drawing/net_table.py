"""A net as a table: its parts in the order they run, what they give, how large they are."""

import math

import flax.linen as nn
import jax

from train_lib.trees import flatten_names

FEWEST_PARTS, MOST_PARTS = 6, 40  # of a table that says something and can be read
# How finely parts are told apart, by the modules around a parameter.
COARSE = lambda modules: modules[0].split('_')[0]           # noqa: E731   stage1
USUAL = lambda modules: modules[0]                          # noqa: E731   stage1_block1
FINE = lambda modules: '/'.join(modules[:2])                # noqa: E731   encoder/stage1_block1


def describe(task, picture, params) -> str:
  """Plain text, a line for each part and one for all of the net.

  Args:
    task: around the net.
    picture: [1, H, W, C], as a batch holds it.
    params: of the net, arrays or shapes.
  """
  shapes = output_shapes(task, picture)
  sizes = {tuple(name.split('/')): math.prod(leaf.shape)
           for name, leaf in flatten_names(params).items()}
  parts = _parts(sizes, shapes, USUAL)
  if not FEWEST_PARTS <= len(parts) <= MOST_PARTS:
    parts = _parts(sizes, shapes, FINE if len(parts) < FEWEST_PARTS else COARSE)
  total = sum(sizes.values())
  rows = [('part', 'output', 'parameters', 'share'),
          *((name, ' x '.join(map(str, shape)), f'{size:,}', f'{size / total:.1%}')
            for name, (shape, size) in parts.items()),
          ('all', '', f'{total:,}', '')]
  first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
  return '\n'.join(
      f'{name:<{first}}  {shape:<{second}}  {size:>{third}}  {share:>6}'.rstrip()
      for name, shape, size, share in rows)


def output_shapes(task, picture) -> dict[tuple[str, ...], tuple[int, ...]]:
  """{path of a module: shape of what it gives for one picture}, in the order they finish.

  Nothing is computed. Of several outputs the first is told, of several calls the last.
  """
  shapes = {}

  def note(call, args, kwargs, context):
    output = call(*args, **kwargs)
    arrays = [leaf for leaf in jax.tree.leaves(output) if hasattr(leaf, 'shape')]
    if arrays:
      shapes.pop(context.module.path, None)
      shapes[context.module.path] = arrays[0].shape[1:]
    return output

  with nn.intercept_methods(note):
    # of a function of its own: one that was traced before would be found, and not run again
    jax.eval_shape(lambda *given: task.init(*given), jax.random.key(0), {'image': picture})
  return shapes


def _parts(sizes, shapes, group) -> dict[str, tuple]:
  """{part: (shape, parameters)}, those that ran first at the top.

  Args: sizes: {(module, ..., parameter): values}; shapes: of `output_shapes`; group: COARSE, USUAL
  or FINE.
  """
  totals, found = {}, {}
  for names, size in sizes.items():
    part = group(names[:-1] or names)
    totals[part] = totals.get(part, 0) + size
  for path, shape in shapes.items():
    # the module that a part is named after, or of a coarse part the last of those on the same level
    if path and (part := group(path)) in totals and len(path) == part.count('/') + 1:
      found.pop(part, None)
      found[part] = shape
  return {part: (found.get(part, ()), totals[part]) for part in [*found, *(totals.keys() - found)]}
