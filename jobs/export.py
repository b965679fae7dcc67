"""--job=export: what was trained, as files that other programs read."""

import copy
import shlex

import jax

from errors import UserError
from train_lib import build, build_data, devices
from train_lib import workdir as workdir_lib
from train_lib.export import card_record, export_folder, exported, model_card, stablehlo
from train_lib.onnx_export import model, tagger_files
from train_lib.poses import heatmaps
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.storage import records
from train_lib.trained import open_trained
from train_lib.trees import flatten_names, params_digest
from train_lib.weights.weights import save_weights

MISSING = "not written: it needs pip install -e '.[onnx]'"


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Writes a folder that is whole by itself: other programs, and this one, use the net from it.

  `model.safetensors`: the weights in timm's names and layouts; timm loads them with `strict=True`
  where it has the net, a net of ours alone is named as its family is there, and `net.init_from`
  reads them too. `config.json`: what timm and the hubs want to know, and in its section `oko` what
  we do, see `exported`. `README.md`: the model card. `labels.txt`: of classes and joints, a name a
  line. `tags.csv`: of tags, with categories, counts and own thresholds.

  With the extra `onnx`: `model.onnx`, pictures in, finished values out, see `onnx_export.model`; of
  a tagger also `tagger/`, what existing tagger programs load, see `onnx_export.tagger_files`; and
  `model.stablehlo`, see `stablehlo`.

  An older export in the folder is replaced as a whole, see `export_folder`. Nothing in it names a
  place on this machine.

  Args:
    config: of the workdir; `checkpoint` picks latest or best, `export.license` is for the card.
    workdir: of the run.
    config_path, input: not of this job.
    output: a folder; '' is `<workdir>/export`.

  Raises:
    UserError: no such run, a folder of other files, or a model that differs from the net.
  """
  del config_path
  with Preemption() as preemption:
    if input:
      raise UserError('--job=export reads the run of --workdir alone; leave --input out')
    workdir_lib.check_is_run(workdir)
    model_card.check_license(config.export.license)
    devices.set_up_jax(config.runtime.cache_dir)
    trained = open_trained(_in_float32(config), workdir, config.checkpoint)
    record = card_record.read_record(config, workdir, trained)
    folder = records.absolute(output) if output else records.absolute(workdir) / 'export'
    with export_folder.replaced(folder) as staging:
      _write(staging, config, trained, record, preemption.check)
      written = [name for name in export_folder.FILES if (staging / name).exists()]
    names = build.build_weight_names(config)['timm']
    say(f'the net of step {trained.step} is in {folder}: {", ".join(written)}; '
        f'{_describe_timm(exported.timm_name(config, names), trained)}. To use it here:\n'
        f'  python main.py --job=predict --workdir={shlex.quote(str(folder))} --input=FOLDER '
        '--output=ANSWERS')


def _in_float32(config):
  """The config of a net that computes as other programs do."""
  config = copy.deepcopy(config)
  config.net.dtype = 'float32'
  return config


def _write(folder, config, trained, record, poll) -> None:
  """Every file. Args: poll: called between them; may raise to stop."""
  variables, names = jax.device_get(trained.variables), build.build_weight_names(config)['timm']
  save_weights(folder / exported.WEIGHTS, variables, names, net=config.net.name,
               pixels=(trained.task.mean, trained.task.deviation), outputs=trained.tag_names)
  poll()
  made = _write_models(folder, config, trained, record, poll)
  poll()
  shapes = {name: leaf.shape for name, leaf in flatten_names(variables['params']).items()}
  about = exported.describe(config, trained, names, shapes, digest=params_digest(variables),
                            reading=_reading(config), **made,
                            tag_thresholds=record.own_thresholds)
  _write_names(folder, config, trained, record)
  records.write_text(folder / export_folder.CARD,
                     model_card.write_card(config, trained, record, about))
  records.write_json(folder / exported.ABOUT, about)


def _write_models(folder, config, trained, record, poll) -> dict:
  """{'onnx', 'stablehlo'}: what config.json says of each; None of one that cannot be written."""
  made, function = {'onnx': None, 'stablehlo': None}, model.make_function(config.task, trained)
  if not model.is_installed():
    say(f'{export_folder.MODEL} is {MISSING}')
  else:
    made['onnx'] = model.export_model(folder / export_folder.MODEL, function, config, trained.step)
    say(f'{export_folder.MODEL}: onnxruntime and JAX differ by '
        f'{made["onnx"]["difference_from_jax"]:.1e} of the largest value at most')
    poll()
    if config.task == 'tagging':
      difference = tagger_files.export_tagger(folder / export_folder.TAGGER, config, trained,
                                              record.counts)
      say(f'{export_folder.TAGGER}: model.onnx and selected_tags.csv for tagger programs '
          f'({difference:.1e})')
      poll()
  if not stablehlo.is_installed():
    say(f'{export_folder.STABLEHLO} is {MISSING}')
  else:
    made['stablehlo'] = stablehlo.export_stablehlo(
        folder / export_folder.STABLEHLO, function, config)
    say(f'{export_folder.STABLEHLO}: read again, it and JAX differ by '
        f'{made["stablehlo"]["difference_from_jax"]:.1e} of the largest value at most')
  return made


def _write_names(folder, config, trained, record) -> None:
  """What the outputs stand for, for other programs."""
  if config.task in ('classification', 'pose'):
    records.write_text(folder / export_folder.LABELS,
                       ''.join(f'{name}\n' for name in trained.tag_names))
  if config.task == 'tagging':
    records.write_csv(folder / export_folder.TAGS, ('name', 'category', 'count', 'threshold'), (
        (name, category, record.counts.get(name), record.own_thresholds.get(name))
        for name, category in zip(trained.tag_names, trained.tag_categories, strict=True)))


def _reading(config) -> dict:
  """How pictures are brought to the net's size, and what makes its outputs what they are."""
  if config.task == 'pose':
    height_px, width_px = build_data.picture_shape(config)
    return {'height_px': height_px, 'width_px': width_px, 'pad': 'black',
            'widen': config.data.persons.widen, 'activation': 'none',
            'heatmap_stride_px': heatmaps.STRIDE_PX, **config.pose.to_dict()}
  activation = {'tagging': 'sigmoid', 'classification': 'softmax', 'autoencoding': 'sigmoid'}
  return {'image_size_px': config.data.image_size_px, 'cut': config.data.persons.cut,
          'pad': 'black' if config.task == 'autoencoding' else config.data.pad,
          'activation': activation[config.task]}


def _describe_timm(name, trained) -> str:
  if not name:
    return 'timm has no such net, so its arrays are named as their family is there'
  return f"timm's {name} with num_classes={len(trained.tag_names)} loads it"
