"""The sentences of a model card."""

import jax

TITLES = {'tagging': 'tags of pictures', 'classification': 'classes of pictures',
          'pose': 'joints of a person', 'autoencoding': 'scans restored'}
TASKS = {
    'tagging': 'Says of each of {count:,} tags whether a picture has it.',
    'classification': 'Says which of {count:,} classes a picture is of.',
    'pose': 'Finds the {count} joints of COCO of the one person in a crop.',
    'autoencoding': 'A variational autoencoder: a slice of a scan through a narrow latent vector '
                    'and back.'}
OUTPUTS = {
    'tagging': '`probabilities` [N, tags], each in 0..1 by itself; their names, in this order, '
               'are `oko.names` in `config.json` and the rows of `tags.csv`',
    'classification': '`probabilities` [N, classes], which add up to 1; their names, in this '
                      'order, are the lines of `labels.txt`',
    'pose': '`heatmaps` [N, h, w, joints], a quarter of the crop in size, as the net gives them; '
            'the joints, in this order, are the lines of `labels.txt`',
    'autoencoding': '`reconstruction` [N, H, W, 1] in 0..1 from the posterior mean, and `mean` and '
                    '`logvar` of the posterior'}
SOURCES = {
    'toon': 'drawn characters (the dataset `toon` that Oko embeds)',
    'phantom': 'drawn slices like those of CT and MRI (the dataset `phantom` that Oko embeds)',
    'folder': "pictures of the author's own", 'pictures': "pictures of the author's own",
    'board': "a board's archive of pictures and tags", 'coco': 'a dataset in the form of COCO',
    'scans': "scans of the author's own", 'tfds': 'the dataset `{name}` of TFDS'}
DRAWN = ('toon', 'phantom')

ONNX = """### With onnxruntime, numpy and Pillow alone

It reads the picture as the net's evaluation does, to a rounding step of one in 255. Decoders of
JPEG may differ by a few of these, and programs that resize by other methods, Pillow's among them,
get other values."""
TIMM = """### With timm

Its transform resizes in another way, so the values differ a little from those above."""
OKO = """### With Oko

With its checkout on PYTHONPATH, since it is no package that pip knows. In the checkout itself
`python main.py --job=predict --workdir=FOLDER --input=PICTURES --output=ANSWERS` does the same for
a folder of pictures."""
OKO_EXAMPLE = """from train_lib.predicting.predictor import open_predictor

predictor = open_predictor('.')                   # the folder of these files
print(predictor.predict(['picture.png'])[0])
"""

_TIMM_EXAMPLE = """import numpy as np
import timm
import torch
from PIL import Image, ImageOps

model = timm.create_model('local-dir:.', pretrained=True).eval()
cfg = timm.data.resolve_model_data_config(model)
transform = timm.data.create_transform(**cfg, is_training=False)
image = ImageOps.exif_transpose(Image.open('picture.png')).convert('RGB')
{fit}with torch.no_grad():
  logits = model(transform(image)[None])[0]
values = {probabilities}.numpy()
names = model.pretrained_cfg['label_names']
for output in np.argsort(-values)[:10]:
  print(f'{{names[output]}}: {{values[output]:.4f}}')
"""
_TIMM_FIT = {
    'square': "image = ImageOps.pad(image, (max(image.size),) * 2, color='white')\n",
    'squish': "image = image.resize(cfg['input_size'][:0:-1])\n"}


def timm_example(config) -> str:
  """Code that needs timm: tags or classes of `picture.png`."""
  return _TIMM_EXAMPLE.format(
      fit=_TIMM_FIT[config.data.pad],
      probabilities='logits.sigmoid()' if config.task == 'tagging' else 'logits.softmax(0)')


def count_parameters(variables) -> int:
  """Numbers that were learned."""
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


def how_read(config) -> str:
  """What is done to a picture of another size."""
  if config.task == 'pose':
    return (f'a person with {config.data.persons.widen:g} times her box around her, the shorter '
            'side lengthened to this shape, black outside of the picture')
  if config.task == 'autoencoding':
    return 'their shape is kept, and both sides are filled up with black'
  if config.data.pad == 'squish':
    return 'others are stretched'
  return 'their shape is kept, and both sides are filled up with white'


def data_lines(config, record) -> list[str]:
  """Where the pictures come from and how many there were."""
  source = SOURCES.get(config.data.source, f'the source `{config.data.source}`')
  lines = [f'- source: {source.format(name=config.data.tfds_name)}']
  if record.pictures:
    what = {'pose': 'persons', 'autoencoding': 'slices'}.get(config.task, 'pictures')
    counts = ', '.join(f'{count if isinstance(count, str) else f"{count:,}"} for {split}'
                       for split, count in record.pictures.items())
    lines.append(f'- {what}: {counts}')
  if config.data.persons.cut != 'none':
    lines.append('- the person was cut out of every picture first, by '
                 + ('her true box' if config.data.persons.cut == 'truth' else 'a pose net'))
  if config.task == 'autoencoding' and config.data.corrupt:
    lines.append(f'- the slices were damaged by {", ".join(config.data.corrupt)}, and the net '
                 'learned to undo that')
  if config.net.init_from:
    lines.append(f'- it started from weights that were trained before: {_former(config)}')
  trained = f', {record.epoch:.1f} epochs' if record.epoch else ''
  trained += f', on {record.device}' if record.device else ''
  lines.append(f'- trained with Oko{f" ({record.page})" if record.page else ""}{trained}')
  return lines


def _former(config) -> str:
  """A public name; a path on somebody's machine is not told."""
  name = config.net.init_from
  return f'`{name}`' if name.startswith('hf-hub:') else 'of a file or run of its author'


def how_measured(config, trained, record) -> str:
  """Split, thresholds, code."""
  text = f'Of step {trained.step}'
  if trained.thresholds:
    text += (f'; F1 at the threshold that is best on the validation split '
             f'({trained.thresholds["micro"]:g} for micro, {trained.thresholds["macro"]:g} for '
             'macro), or at 0.5 where it says so')
  if config.task == 'pose':
    boxes = 'of a detector' if config.data.persons.boxes else 'that are true'
    text += f'; as COCO evaluates, with boxes {boxes}'
  if config.task == 'autoencoding':
    text += '; from the posterior mean, of slices damaged as in training'
  text += '. The validation split chose the step' if config.checkpoint == 'best' else ''
  return f'{text}. Code: commit {record.commit or "not known"}.'


def limits(config, record) -> list[str]:
  """What the net cannot do, or nobody knows."""
  lines = []
  if config.data.source in DRAWN:
    before = 'after what its first weights had learned' if config.net.init_from else (
        'and nothing else')
    lines.append(f'It learned from drawn pictures, {before}. Its figures say nothing of '
                 'photographs, of pictures by people or of real scans; it shows how such a net is '
                 'made.')
  if config.task == 'autoencoding' or config.data.source in ('phantom', 'scans'):
    lines.append('It is no medical device and not for diagnosis: it may smooth a finding away or '
                 'draw one that is not there.')
  lines += {
      'tagging': ['Tags that were rare in training are found badly: `tags.csv` says how many '
                  'pictures each had. A tag that was often left out of the lists is left out here '
                  'too.', 'A probability is no frequency: it was trained for ranking and is read '
                  'at a threshold.'],
      'classification': ['It names one of its classes for any picture, of anything else too.'],
      'pose': ['It finds one person in a crop. Without a box she is looked for in all of the '
               'picture first; of several people some mixture may come out.'],
      'autoencoding': [f'It sees slices in {config.data.image_size_px} px: detail finer than that '
                       'is lost.'],
  }[config.task]
  if config.data.persons.cut != 'none':
    lines.append('It wants the person cut out. The examples below take the picture as it is: cut '
                 'it first.')
  if not record.test:
    lines.append('Nobody has measured it.')
  return [*lines, 'Pictures unlike those that it learned from, and people who were not among '
          'them, were not tested.']


def file_lines(config, said) -> list[str]:
  """What lies beside the card."""
  lines = [f'- `model.safetensors`: the weights in the names of timm'
           f'{"" if said["timm"] else ", as its net of this family has them"}',
           '- `config.json`: sizes, labels and normalisation in the form of timm; `oko` in it is '
           'what Oko wants to know']
  if config.task in ('classification', 'pose'):
    lines.append('- `labels.txt`: the outputs, a name a line')
  if config.task == 'tagging':
    lines.append('- `tags.csv`: the outputs, with category, training pictures and own threshold')
  if said['onnx']:
    lines.append('- `model.onnx`: pictures in, finished values out, any number at once')
    if config.task == 'tagging':
      lines.append('- `tagger/`: `model.onnx` and `selected_tags.csv` in the layout of tagger '
                   'programs (BGR, 448 px, four ratings first), which differs from the above')
  if said['stablehlo']:
    lines.append(
        '- `model.stablehlo`: the same function for JAX on CPU, GPU and TPU, '
        '`jax.export.deserialize(path.read_bytes()).call(image)`; written by JAX '
        f'{said["stablehlo"]["jax"]} and readable for at least six months after it')
  return lines


def license_line(config) -> str:
  """The licence, or that it is not told."""
  if config.export.license:
    return f'{config.export.license}, as the author of the model says.'
  others = ' and in the weights that it started from' if config.net.init_from else ''
  return ('Nobody has told the licence of this model: ask its author, and mind the rights in the '
          f'pictures that it learned from{others}.')
