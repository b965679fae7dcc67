"""A trained run, opened from its workdir or an exported folder alone: tags, task, variables."""

import dataclasses
from typing import Any

import jax
import numpy as np

from errors import UserError
from train_lib import build, build_data, data_record, evaluation, parallel
from train_lib import workdir as workdir_lib
from train_lib.export import exported
from train_lib.storage import remote
from train_lib.trees import params_digest
from train_lib.weights import weights
from train_lib.weights.weight_account import few
from train_lib.weights.weight_sources import check_checkpoint, open_checkpoints


@dataclasses.dataclass(frozen=True)
class Trained:
  """What evaluation and prediction need.

  Attributes:
    tag_names, tag_categories: index -> name, category; of classes too.
    thresholds: {'micro', 'macro'}, tuned on the validation split at that step; {} where it was
      not measured, and of classes.
    step: of the checkpoint that the variables come from.
  """
  task: Any
  mesh: Any
  variables: dict
  tag_names: tuple[str, ...]
  tag_categories: tuple[str, ...]
  thresholds: dict[str, float]
  step: int


def open_trained(config, workdir, checkpoint: str) -> Trained:
  """Restores a run's net.

  Args:
    config: of the run, or of what was exported.
    workdir: folder of the run, or one that --job=export wrote, which holds the net of one step.
    checkpoint: 'latest' or 'best'.

  Raises:
    UserError: there is no run, no checkpoint, or the list of tags is not that of the checkpoint.
  """
  folder = workdir_lib.existing_workdir(workdir)
  check_checkpoint('checkpoint', checkpoint)
  if exported.is_exported(folder):
    return _open_exported(config, folder)
  if not (folder / 'tags.json').exists():
    raise UserError(f'{folder} holds no trained net of its own; name the folder of a run that '
                    '--job=train began, or of one run of a study')
  tags = data_record.read_tags(folder)
  names, categories = tuple(tags['names']), tuple(tags['categories'])
  checkpoints = open_checkpoints(folder, config.task)
  variables, step = checkpoints.restore_variables(checkpoint)
  outputs = variables['params']['head']['kernel'].shape[-1] if 'head' in variables['params'] else 0
  if outputs and outputs != len(names):
    raise UserError(f'{folder / "tags.json"} lists {len(names)} tags and the net of step {step} '
                    f'gives {outputs}; bring back the list that it was trained with')
  mesh = parallel.make_mesh()
  return Trained(
      task=build.build_task(config, categories, pixels=stored_pixels(folder)), mesh=mesh,
      variables=parallel.put_whole(mesh, variables), tag_names=names, tag_categories=categories,
      thresholds=evaluation.thresholds_of(checkpoints.metrics(step)), step=step)


def _open_exported(config, folder) -> Trained:
  """The net of an exported folder. Every array has to come from its file, and as it was written."""
  about = exported.read_about(folder)
  names, categories, pixels = (tuple(about['names']), tuple(about['categories']),
                               (tuple(about['pixels']['mean']), tuple(about['pixels']['std'])))
  task = build.build_task(config, categories, pixels=pixels)
  shapes = jax.eval_shape(task.init, jax.random.key(0), {
      'image': jax.ShapeDtypeStruct(build_data.blank_pictures(config).shape, np.float32)})
  path = folder / exported.WEIGHTS
  with remote.local_file(path) as local:
    variables, account = weights.load_weights(
        local, shapes, names=build.build_weight_names(config), head='keep', net=config.net.name,
        outputs=names)
  variables = {'params': {}, 'batch_stats': {}, **variables}
  if account.adapted or account.unused or params_digest(variables) != about['digest']:
    raise UserError(f'{path} does not hold the weights that {exported.ABOUT} beside it is about, '
                    'or data.image_size_px was changed; take both files of one export')
  mesh = parallel.make_mesh()
  return Trained(
      task=task, mesh=mesh, variables=parallel.put_whole(mesh, variables), tag_names=names,
      tag_categories=categories, thresholds=dict(about['thresholds']), step=about['step'])


def stored_pixels(folder) -> tuple:
  """(mean, std) that a run measured on its training split; () where it took those of its net.

  Args: folder: the workdir.
  """
  known = (folder / 'tags.json').exists()
  pixels = data_record.read_tags(folder).get('pixels') if known else None
  return (tuple(pixels['mean']), tuple(pixels['std'])) if pixels else ()


def check_tags(trained: Trained, source) -> None:
  """Raises UserError, with the difference, unless a dataset has the tags the net was trained on."""
  if tuple(source.tag_names) == trained.tag_names:
    return
  here, there = set(source.tag_names), set(trained.tag_names)
  parts = [f'only in the {where}: {few(sorted(names), most=5)}' for where, names in
           (('data', here - there), ('checkpoint', there - here)) if names]
  raise UserError('the tags of the data are not those of the checkpoint '
                  f'({"; ".join(parts) or "the same tags in another order"}); use the data that '
                  'the run was trained on, or train a new run')
