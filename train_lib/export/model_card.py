"""The model card of an exported folder: README.md as model hubs read it.

What nobody measured, and what nobody told (a licence), is said to be so.
"""

import re

from errors import UserError
from train_lib.export import card_examples, card_text
from train_lib.export.card_record import NET, Record
from train_lib.onnx_export import model
from train_lib.poses import heatmaps

PIPELINES = {'tagging': 'image-classification', 'classification': 'image-classification',
             'pose': 'keypoint-detection', 'autoencoding': 'image-to-image'}
# Figures of each task that stand on the card, and their titles.
FIGURES = {
    'tagging': {'map': 'mAP', 'micro_f1_tuned': 'micro F1', 'macro_f1_tuned': 'macro F1',
                'micro_f1': 'micro F1 at 0.5', 'macro_f1': 'macro F1 at 0.5',
                'rating_accuracy': 'right ratings'},
    'classification': {'accuracy': 'accuracy', 'balanced_accuracy': 'balanced accuracy',
                       'macro_f1': 'macro F1', 'top_5_accuracy': 'top-5 accuracy',
                       'nll': 'NLL, nats', 'calibration_error': 'calibration error'},
    'pose': {'ap': 'AP', 'ap50': 'AP .5', 'ap75': 'AP .75', 'ar': 'AR'},
    'autoencoding': {'psnr': 'PSNR, dB', 'ssim': 'SSIM', 'recovered': 'recovered',
                     'kl': 'KL, nats'}}
DIGITS = {'psnr': 2, 'kl': 1}


def check_license(name: str) -> None:
  """Raises UserError for what cannot be the SPDX name of a licence; '' is none told."""
  if name and not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9.+-]*', name):
    raise UserError(f"export.license is '{name}'; expected an SPDX name such as apache-2.0, "
                    "cc-by-4.0 or other, or '' where it is not told")


def write_card(config, trained, record: Record, about: dict) -> str:
  """The text of README.md.

  Args:
    config: of the run.
    trained: of `trained.open_trained`.
    record: of its step.
    about: of `exported.describe`, 'oko' with 'timm', 'onnx' and 'stablehlo'.
  """
  said, task = about['oko'], config.task
  parts = [
      _metadata(config, said),
      f'# {config.net.name}: {card_text.TITLES[task]}',
      '\n'.join(_what(config, trained, said)),
      '## Data', '\n'.join(card_text.data_lines(config, record)),
      '## Figures', _figures(config, trained, record),
      '## Limits', '\n'.join(f'- {line}' for line in card_text.limits(config, record)),
      '## How to use it', *_examples(config, said),
      '## Files', '\n'.join(card_text.file_lines(config, said)),
      '## Licence', card_text.license_line(config)]
  return '\n\n'.join(parts) + '\n'


def _metadata(config, said) -> str:
  """The YAML block at the top."""
  lines = ['---']
  if config.export.license:
    lines.append(f'license: {config.export.license.lower()}')
  lines += [f'library_name: {"timm" if said["timm"] else "oko"}',
            f'pipeline_tag: {PIPELINES[config.task]}', 'tags:']
  tags = ['oko', 'jax', 'safetensors', config.task]
  tags += ['timm'] * bool(said['timm']) + ['onnx'] * bool(said['onnx'])
  tags += ['tagger'] * (config.task == 'tagging') + ['medical'] * (config.task == 'autoencoding')
  return '\n'.join([*lines, *(f'- {tag}' for tag in tags), '---'])


def _what(config, trained, said) -> list[str]:
  """The net, its input and its outputs."""
  height, width, channels = model.picture_shape(config)
  count = card_text.count_parameters(trained.variables)
  lines = [
      card_text.TASKS[config.task].format(count=len(trained.tag_names)), '',
      f'- net: `{config.net.name}`' + (f", timm's `{said['timm']}`" if said['timm'] else '')
      + f', {count / 1e6:.2f} M parameters, step {trained.step}',
      f'- input: pictures of {width} x {height} px, '
      + ('grey in 0..1' if channels == 1 else 'RGB in 0..255')
      + f'; {card_text.how_read(config)}',
      f'- normalised inside of every model file: (pixels - {_per_channel(trained.task.mean)}) / '
      f'{_per_channel(trained.task.deviation)}',
      f'- output: {card_text.OUTPUTS[config.task]}']
  if trained.thresholds:
    lines.append(
        f'- thresholds: {trained.thresholds["micro"]:g} for the best micro F1, which tagging takes '
        f'where nothing else is said, and {trained.thresholds["macro"]:g} for the best macro F1, '
        'both tuned on the validation split. A threshold for each tag by itself, tuned there too, '
        'stands in `tags.csv` where it was measured')
  return lines


def _per_channel(values) -> str:
  """'127.5' of one number for all channels, else '(123.7, 116.3, 103.5)'."""
  if len(set(values)) == 1:
    return f'{values[0]:g}'
  return f'({", ".join(f"{value:g}" for value in values)})'


def _figures(config, trained, record) -> str:
  """The table, the net first, and how its figures were taken."""
  if not record.test:
    return (f'Nobody measured the net of step {trained.step} on the test split; '
            '`--job=evaluate` of its run does.')
  rows = {f'{name}, test split' if name == NET else name: row for name, row in record.test.items()}
  if record.valid:
    rows = {'net, validation split': record.valid, **rows}
  titles = {key: title for key, title in FIGURES[config.task].items()
            if any(row.get(key) is not None for row in rows.values())}
  lines = ['| | ' + ' | '.join(titles.values()) + ' |', '|---' * (len(titles) + 1) + '|']
  for name, row in rows.items():
    cells = [_cell(row.get(key), DIGITS.get(key, 4)) for key in titles]
    lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines) + '\n\n' + card_text.how_measured(config, trained, record)


def _cell(value, digits) -> str:
  return '' if value is None else f'{value:.{digits}f}'


def _examples(config, said) -> list[str]:
  """Three ways of use, each with code that runs beside the files of the folder."""
  parts = ['Each reads `picture.png` in the folder of these files.']
  if said['onnx']:
    parts += [card_text.ONNX,
              f'```python\n{card_examples.write_example(config, heatmaps.STRIDE_PX)}```']
  if said['timm']:
    parts += [card_text.TIMM, f'```python\n{card_text.timm_example(config)}```']
  return [*parts, card_text.OKO, f'```python\n{card_text.OKO_EXAMPLE}```']
