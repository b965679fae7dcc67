"""The folder that --job=export leaves: what one must know to use a net without its run.

`config.json` is in the form that timm and the hubs read, where they look for it, and has a section
of ours besides, `oko`: the task, what the outputs mean, thresholds, the step, how pixels are
normalised, and the config of the run, so that an exported folder opens as a workdir does.
"""

import math

import ml_collections

from errors import UserError, shortened
from train_lib.storage import records

ABOUT, WEIGHTS, SECTION, FORMAT = 'config.json', 'model.safetensors', 'oko', 1
# Keys of a config that name places, people or machines, and what an exported one has instead. They
# are neither published nor believed: such a folder may come from anyone.
PRIVATE = {
    'data.dir': '', 'data.path': '', 'data.annotations': (), 'data.table': '',
    'data.board.metadata': '', 'data.board.tag_list': '', 'data.board.tag_categories': '',
    'data.board.aliases': '', 'data.board.implications': '', 'data.board.blacklist': '',
    'data.persons.boxes': '', 'data.persons.cut_by': '',
    'data.scans.valid_groups': (), 'data.scans.test_groups': (),
    'net.init_from': '', 'net.init_head': 'auto', 'net.init_partial': False,
    'predict.boxes': '', 'predict.caption_first': (), 'predict.caption_without': (),
    'synthesize.judge': '', 'serve.host': '127.0.0.1', 'small_page': '',
    'runtime.wandb': '', 'runtime.cache_dir': '', 'runtime.features_dir': '',
    'study.rows': (), 'study.axes': (),
}
MOST_SIDE_PX = 4096               # of the pictures of a net that is opened
# What the section must hold; the type of each.
FIELDS = {'format': int, 'net': str, 'task': str, 'step': int, 'names': list, 'categories': list,
          'thresholds': dict, 'pixels': dict, 'digest': str, 'config': dict}


def is_exported(folder) -> bool:
  """Whether a folder is one that --job=export wrote. Args: folder: any path; '' is none."""
  path = records.absolute(folder) / ABOUT if folder else None
  try:
    return bool(path) and path.exists() and SECTION in records.read_json(path)
  except (UserError, OSError, TypeError):
    return False


def read_about(folder) -> dict:
  """The section `oko` of an exported folder's config.json.

  Raises:
    UserError: it is damaged, sets what is PRIVATE, or is of a newer form than this program knows.
  """
  path = records.absolute(folder) / ABOUT
  return check_about(path, records.read_json(path))


def check_about(path, values) -> dict:
  """The same of what was read. Args: path: for messages; values: the content of the file."""
  about = values.get(SECTION) if isinstance(values, dict) else None
  wrong = [name for name, kind in FIELDS.items()
           if not isinstance(about, dict) or not isinstance(about.get(name), kind)]
  if wrong:
    raise UserError(f'{path} is damaged: of what --job=export writes it lacks '
                    f'{", ".join(wrong)}; export again')
  if about['format'] > FORMAT:
    raise UserError(f"{path} is of form {about['format']}, and this program reads {FORMAT}; take a "
                    'newer one')
  try:
    _check_values(path, about)
  except RecursionError:
    raise UserError(f'{path} is damaged: its config is nested too deep; export again') from None
  return about


def _check_values(path, about) -> None:
  """Raises UserError for values that no export has: such a file may come from anyone."""
  private = _differing(about['config'], without_private(about['config']))
  if private:
    raise UserError(f'{path} sets {shortened(", ".join(private))}, which --job=export never '
                    'writes; take the keys out, or the folder from somebody else')
  pixels = [about['pixels'].get(key) for key in ('mean', 'std')]
  numbers = [*about['thresholds'].values(), *(number for values in pixels for number in
                                              (values if isinstance(values, list) else []))]
  data = about['config'].get('data')
  side_px = data.get('image_size_px', 0) if isinstance(data, dict) else 0
  for name, fits in (
      ('names', all(isinstance(name, str) for name in about['names'])),
      ('categories', all(isinstance(name, str) for name in about['categories'])
       and len(about['categories']) == len(about['names'])),
      ('step', about['step'] >= 0),
      ('thresholds and pixels', all(isinstance(values, list) and values for values in pixels)
       and all(isinstance(number, (int, float)) and -math.inf < number < math.inf
               for number in numbers)),
      ('config.data.image_size_px', isinstance(side_px, int) and 0 < side_px <= MOST_SIDE_PX)):
    if not fits:
      raise UserError(f'{path} is damaged: its {name} are not what --job=export writes; export '
                      'again')


def _differing(one: dict, other: dict, prefix: str = '') -> list[str]:
  """The keys, with those of their sections, whose values differ. Args: dicts of the same keys."""
  keys = []
  for key, value in one.items():
    if isinstance(value, dict) and isinstance(other[key], dict):
      keys += _differing(value, other[key], f'{prefix}{key}.')
    elif _tuples(value) != _tuples(other[key]):
      keys.append(f'{prefix}{key}')
  return keys


def read_config(folder) -> ml_collections.ConfigDict:
  """The config of the run that an exported net comes from. Raises: as `read_about`."""
  return to_config(read_about(folder)['config'])


def to_config(values: dict) -> ml_collections.ConfigDict:
  """A ConfigDict of what JSON holds: lists become tuples. Raises: UserError: no config is so."""
  try:
    return ml_collections.ConfigDict({key: _tuples(value) for key, value in values.items()})
  except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
    reason = ' '.join(str(error).split())[:200]
    raise UserError(f'a saved config is damaged ({reason}); restore it, train or export again'
                    ) from error


def without_private(values: dict) -> dict:
  """A config's values in which every key of PRIVATE that there is has its other value.

  Args: values: nested dicts; they stay as they are.
  """
  def replaced(section, prefix):
    return {key: PRIVATE[f'{prefix}{key}'] if f'{prefix}{key}' in PRIVATE
            else replaced(value, f'{prefix}{key}.') if isinstance(value, dict)
            else value for key, value in section.items()}
  return replaced(values, '')


def describe(config, trained, names, shapes: dict, *, digest: str, **others) -> dict:
  """What config.json of an exported folder says.

  Args:
    config: of the run.
    trained: of `trained.open_trained`.
    names: the `WeightNames` of timm.
    shapes: {'head/kernel': shape, ...} of the parameters.
    digest: of `trees.params_digest` of the variables.
    others: further fields of our section.
  """
  task, timm = trained.task, timm_name(config, names)
  return {
      **_describe_for_timm(config, trained, names, shapes, timm or config.net.name),
      SECTION: {
          'format': FORMAT, 'net': config.net.name, 'timm': timm, 'task': config.task,
          'step': trained.step, 'checkpoint': config.checkpoint, 'names': trained.tag_names,
          'categories': trained.tag_categories, 'thresholds': trained.thresholds,
          'pixels': {'mean': task.mean, 'std': task.deviation}, 'digest': digest, **others,
          'config': without_private(config.to_dict())}}


def timm_name(config, names) -> str:
  """What timm calls the net; '' where it has none that computes the same."""
  return '' if config.net.activation else names.model


def _describe_for_timm(config, trained, names, shapes, architecture) -> dict:
  """The keys that timm reads: sizes, normalisation in 0..1, labels, where a fresh head would go."""
  task, side_px = trained.task, config.data.image_size_px
  grey = config.task == 'autoencoding'
  width_px = side_px * 3 // 4 if config.task == 'pose' else side_px
  scale, labels = (1.0, ()) if grey else (255.0, trained.tag_names)
  fixed = config.net.name.startswith('vit_')    # others of timm's nets take no size
  args = {'img_size': [side_px, side_px]} if fixed else {}
  if config.net.name == 'inception_v3_aux':
    args['aux_logits'] = True
  width, ends = _ends(names, shapes)
  return {
      'architecture': architecture, 'num_classes': len(labels),
      **({'num_features': width} if width else {}), **({'model_args': args} if args else {}),
      'pretrained_cfg': {
          'custom_load': False, 'input_size': [1 if grey else 3, side_px, width_px],
          'fixed_input_size': fixed, 'interpolation': 'bicubic', 'crop_pct': 1.0,
          'crop_mode': 'border', 'mean': [value / scale for value in task.mean],
          'std': [value / scale for value in task.deviation], 'num_classes': len(labels),
          'pool_size': None, **ends, **({'label_names': labels} if labels else {}),
          **({'license': config.export.license} if config.export.license else {})}}


def _ends(names, shapes) -> tuple[int, dict]:
  """(width of the features that the head reads, 0 where it reads none; timm's names of the first
  convolution and of the head, or None)."""
  kernels = {tuple(name.split('/')): shape for name, shape in shapes.items()
             if name.endswith('/kernel')}
  first = [path for path, shape in kernels.items() if len(shape) == 4 and shape[2] == 3]
  head = kernels.get(('head', 'kernel'), ())
  paths = {'first_conv': first[0] if len(first) == 1 else (),
           'classifier': ('head', 'kernel') if head else ()}
  return head[0] if len(head) == 2 else 0, {
      key: names.to_key(path).removesuffix('.weight') if path else None
      for key, path in paths.items()}


def _tuples(value):
  if isinstance(value, dict):
    return {key: _tuples(item) for key, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
