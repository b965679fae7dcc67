"""--job=export: what was trained, as files that other programs read."""

import copy
import csv
import io

import jax

from errors import UserError
from train_lib import build, build_data, devices, heatmaps, records
from train_lib.onnx_export import model, tagger_files
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.trained import open_trained
from train_lib.weights import save_weights


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Writes the net's weights in timm's names and layouts, and what one must know to use them.

  `model.safetensors`: timm loads it with `strict=True` where it has the net; a net of ours alone is
  named as its family is there. `net.init_from` reads it too. `model.json`: the net, the size and
  normalisation of its pictures (RGB, 0..255), the outputs in order, and what makes them
  probabilities; of poses, how heatmaps become joints. `model.onnx`, where the extra `onnx` is
  installed: pictures in, finished values out, see `onnx_export.model`; of a tagger also `tagger/`,
  what existing tagger programs load, see `onnx_export.tagger_files`.

  Args:
    config: of the workdir; `checkpoint` picks latest or best.
    workdir: of the run.
    config_path, input: not of this job.
    output: a folder; '' is `<workdir>/export`.

  Raises:
    UserError: no such run, a file that cannot be written, or a model that differs from the net.
  """
  del config_path
  with Preemption():
    if input:
      raise UserError('--job=export reads the run of --workdir alone; leave --input out')
    devices.set_up_jax(config.runtime.cache_dir)
    config = copy.deepcopy(config)
    config.net.dtype = 'float32'                # what other programs compute in
    trained = open_trained(config, workdir, config.checkpoint)
    folder = records.absolute(output) if output else records.absolute(workdir) / 'export'
    names = build.build_weight_names(config)['timm']
    mean, std = trained.task.mean, trained.task.deviation
    save_weights(folder / 'model.safetensors', jax.device_get(trained.variables), names,
                 net=config.net.name, pixels=(mean, std), outputs=trained.tag_names)
    records.write_json(folder / 'model.json', {
        'net': config.net.name, 'timm': names.model, 'step': trained.step,
        **_reading(config, trained.task), 'mean': mean, 'std': std, 'outputs': trained.tag_names,
        'onnx': _write_onnx(folder / 'model.onnx', config, trained, _read_counts(workdir))})
    known = (f"timm's {names.model} with num_classes={len(trained.tag_names)} loads it"
             if names.model else 'timm has no such net: its arrays are named as their family is '
             'there')
    say(f'the net of step {trained.step} is in {folder}/model.safetensors ({known})')


def _write_onnx(path, config, trained, counts) -> dict | None:
  """What model.json says of the model; None, and no file, where it cannot be written here."""
  if not model.is_installed():
    path.unlink(missing_ok=True)
    say("model.onnx is not written: it needs pip install -e '.[onnx]'")
    return None
  about = model.export_model(path, config, trained)
  say(f'{path}: onnxruntime and JAX differ by {about["difference_from_jax"]:.1e} of the largest '
      'value at most')
  if config.task == 'tagging':
    folder = path.parent / 'tagger'
    difference = tagger_files.export_tagger(folder, config, trained, counts)
    say(f'{folder}: model.onnx and selected_tags.csv for tagger programs ({difference:.1e})')
  return about


def _read_counts(workdir) -> dict[str, int]:
  """Tag -> training pictures, as the report of the run has them; {} before there is one."""
  path = records.absolute(workdir) / 'evaluation' / 'tags.csv'
  if not path.exists():
    return {}
  rows = csv.DictReader(io.StringIO(path.read_text(encoding='utf-8')))
  return {row['tag']: int(row['train_pictures']) for row in rows}


def _reading(config, task) -> dict:
  """What model.json says of the pictures, and of what the outputs are."""
  if config.task == 'pose':
    height_px, width_px = build_data.picture_shape(config)
    return {'height_px': height_px, 'width_px': width_px, 'pad': 'black',
            'widen': config.data.persons.widen, 'activation': 'none',
            'heatmap_stride_px': heatmaps.STRIDE_PX, **config.pose.to_dict()}
  return {'image_size_px': config.data.image_size_px, 'pad': config.data.pad,
          'cut': config.data.persons.cut,
          'activation': 'softmax' if task.exclusive else 'sigmoid'}
