"""What stands in a model card as code: the exported net used without this program.

Each example needs onnxruntime, numpy and Pillow alone and reads a picture as evaluation does. The
names in braces of `$` are filled in by `write_example`.
"""

import string

# Pieces that several examples share -----------------------------------------------------------

READ = '''
def read(path):
  """RGB, turned as its camera says, what is transparent on white: [height, width, 3]."""
  image = ImageOps.exif_transpose(Image.open(path))
  if image.has_transparency_data:
    image = image.convert('RGBA')
    image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
  return np.asarray(image.convert('RGB'), np.float64)
'''

RESIZE = '''
def shares(old, new, by_area):
  """[new, old]: how much each pixel of a side counts in each of another number of pixels."""
  if by_area:
    edges = np.linspace(0, old, new + 1)[:, None]
    overlap = np.minimum(edges[1:], np.arange(old) + 1) - np.maximum(edges[:-1], np.arange(old))
    return np.clip(overlap, 0, None) * new / old
  places, matrix = (np.arange(new) + 0.5) * old / new - 0.5, np.zeros((new, old))
  for offset in range(-1, 3):                     # cubics over four pixels
    pixel = np.floor(places).astype(int) + offset
    far = np.abs(places - pixel)
    near, beyond = (1.25 * far - 2.25) * far ** 2 + 1, ((3.75 - 0.75 * far) * far - 6) * far + 3
    pixel = np.clip(pixel, 0, old - 1)            # beyond an edge the last pixel goes on
    np.add.at(matrix, (np.arange(new), pixel), np.where(far <= 1, near, beyond))
  return matrix


def resize(image, height, width):
  """Shrinks by averaging areas, enlarges by cubics."""
  if image.shape[:2] == (height, width):
    return image
  by_area = height * width < image.shape[0] * image.shape[1]
  rows, columns = shares(len(image), height, by_area), shares(image.shape[1], width, by_area)
  return np.einsum('hi,ijc,wj->hwc', rows, image, columns, optimize=True)
'''

FIT = {
    'square': '''
def fit(image, side):
  """[side, side, 3]: the shape is kept, both sides are filled up with white."""
  zoom = side / max(image.shape[:2])
  height, width = (max(1, round(length * zoom)) for length in image.shape[:2])
  top, left = (side - height) // 2, (side - width) // 2
  square = np.full((side, side, 3), 255.0)
  square[top:top + height, left:left + width] = resize(image, height, width)
  return np.clip(np.rint(square), 0, 255)
''',
    'squish': '''
def fit(image, side):
  """[side, side, 3]: stretched."""
  return np.clip(np.rint(resize(image, side, side)), 0, 255)
'''}

# Of each task -----------------------------------------------------------------------------------

PROBABILITIES = '''import json

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

SIDE = $side
${read}
${resize}
${fit}

about = json.load(open('config.json', encoding='utf-8'))['oko']
image = np.float32(fit(read('picture.png'), SIDE))
session = onnxruntime.InferenceSession('model.onnx')
probabilities = session.run(None, {'image': image[None]})[0][0]
${say}'''

SAY = {
    'tagging': '''threshold = about['thresholds'].get('micro', 0.5)
for tag in np.argsort(-probabilities):
  if about['categories'][tag] != 'rating' and probabilities[tag] > threshold:
    print(f'{about["names"][tag]}: {probabilities[tag]:.4f}')
''',
    'classification': '''for label in np.argsort(-probabilities)[:5]:
  print(f'{about["names"][label]}: {probabilities[label]:.4f}')
'''}

SCAN = '''import numpy as np
import onnxruntime
from PIL import Image

SIDE = $side
${resize}

picture = Image.open('picture.png')
if picture.mode.startswith(('I', 'F')):
  raise SystemExit('save it with 8 bits, windowed as it is looked at')
grey = np.asarray(picture.convert('L'), np.float64)[..., None] / 255
zoom = SIDE / max(grey.shape[:2])
height, width = (max(1, round(length * zoom)) for length in grey.shape[:2])
top, left = (SIDE - height) // 2, (SIDE - width) // 2
square = np.zeros((SIDE, SIDE, 1), np.float32)    # filled up with black
square[top:top + height, left:left + width] = np.clip(resize(grey, height, width), 0, 1)
session = onnxruntime.InferenceSession('model.onnx')
restored, mean, logvar = session.run(None, {'image': square[None]})
inside = np.float64(restored[0, top:top + height, left:left + width])
pixels = np.clip(resize(inside, *grey.shape[:2]), 0, 1)[..., 0]
Image.fromarray(np.uint8(np.rint(255 * pixels))).save('restored.png')
print(f'restored.png, from {mean.shape[1]} numbers')
'''

JOINTS = '''import json

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

HEIGHT, WIDTH, STRIDE = $height, $width, $stride
MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
session = onnxruntime.InferenceSession('model.onnx')
${read}
${resize}

def around(places, size):
  """[n, size]: how much each pixel of a side counts in a value between two; black outside."""
  return np.clip(1 - np.abs(places[:, None] - np.arange(size)), 0, None)


def heat_of(crop):
  return session.run(None, {'image': np.float32(crop[None])})[0][0].astype(np.float64)

${place}

def look(image, box, widen):
  """The joints in a part of the picture, [17, 3]: x px, y px, score. box: x, y, width, height."""
  x, y, width, height = box
  zoom = HEIGHT / (widen * max(height, width * HEIGHT / WIDTH, 1.0))
  left, top = x + width / 2 - WIDTH / 2 / zoom, y + height / 2 - HEIGHT / 2 / zoom
  small, kx, ky = image, 1.0, 1.0
  if zoom < 0.2:                                  # so much smaller that pixels are averaged first
    small = np.rint(resize(image, *(max(1, round(2 * zoom * side)) for side in image.shape[:2])))
    ky, kx = (new / old for new, old in zip(small.shape, image.shape[:2], strict=False))
  rows = around((np.arange(HEIGHT) / zoom + top + 0.5) * ky - 0.5, small.shape[0])
  columns = around((np.arange(WIDTH) / zoom + left + 0.5) * kx - 0.5, small.shape[1])
  crop = np.rint(np.einsum('hi,ijc,wj->hwc', rows, small, columns, optimize=True))
  heat = heat_of(crop)
${flip}  joints = np.zeros((17, 3))
  for joint in range(17):
    one = heat[..., joint]
    row, column = np.unravel_index(one.argmax(), one.shape)
    joints[joint, 2] = one[row, column]
    if one[row, column] > 0:
      dx, dy = between(one, row, column)
      joints[joint, :2] = (column + dx) * STRIDE / zoom + left, (row + dy) * STRIDE / zoom + top
  return joints


image = read('picture.png')
size = np.array(image.shape[1::-1])
joints = look(image, (0, 0, *size), 1.0)          # all of the picture, then where the person is
inside = ((joints[:, :2] >= -0.5) & (joints[:, :2] < size - 0.5)).all(axis=1)
sure = joints[inside & (joints[:, 2] >= $least_score), :2]
if len(sure) >= $least_joints:
  start, end = sure.min(axis=0), sure.max(axis=0)
  margin = $margin_frac * (end - start).max() + 0.5
  start, end = np.maximum(start - margin, -0.5), np.minimum(end + margin, size - 0.5)
  if (end - start >= 1).all():
    joints = look(image, (*start, *(end - start)), $widen)
names = json.load(open('config.json', encoding='utf-8'))['oko']['names']
for name, (x, y, score) in zip(names, joints, strict=True):
  print(f'{name}: {x:.1f} {y:.1f} {score:.3f}')
'''

FLIP = '''  mirrored = heat_of(crop[:, ::-1])[:, ::-1][..., MIRRORED]
  heat = (heat + np.concatenate([mirrored[:, :1], mirrored[:, :-1]], axis=1)) / 2
'''

PLACES = {
    'none': '''
def between(heat, row, column):
  """(0, 0): a joint is in the middle of its pixel of the heatmap."""
  return 0.0, 0.0
''',
    'quarter': '''
def between(heat, row, column):
  """How far a joint is from its pixel of the heatmap: a quarter toward the hotter neighbour."""
  height, width = heat.shape
  if not (1 < row < height - 1 and 1 < column < width - 1):
    return 0.0, 0.0
  return (0.25 * np.sign(heat[row, column + 1] - heat[row, column - 1]),
          0.25 * np.sign(heat[row + 1, column] - heat[row - 1, column]))
''',
    'dark': '''
def between(heat, row, column):
  """How far a joint is from its pixel of the heatmap: the top of the Gaussian around it."""
  height, width = heat.shape
  if not (1 < row < height - 2 and 1 < column < width - 2):
    return 0.0, 0.0
  reach = $reach
  taps = np.exp(-np.arange(-reach, reach + 1) ** 2 / (0.3 * (reach - 1) + 0.8) ** 2 / 2)
  blur = np.stack([np.pad(taps / taps.sum(), (step, 4 - step)) for step in range(5)])
  side = 2 * reach + 5
  near = blur @ np.pad(heat, reach + 2)[row:row + side, column:column + side] @ blur.T
  g = np.log(np.maximum(near, 1e-10))             # g[2, 2] is the pixel, rows first
  dx, dy = (g[2, 3] - g[2, 1]) / 2, (g[3, 2] - g[1, 2]) / 2
  dxx, dyy = (g[2, 4] - 2 * g[2, 2] + g[2, 0]) / 4, (g[4, 2] - 2 * g[2, 2] + g[0, 2]) / 4
  dxy = (g[3, 3] - g[1, 3] - g[3, 1] + g[1, 1]) / 4
  bend = dxx * dyy - dxy ** 2
  if not (dxx < 0 and bend > 0):
    return 0.0, 0.0
  return (np.clip((dxy * dy - dyy * dx) / bend, -2, 2),
          np.clip((dxy * dx - dxx * dy) / bend, -2, 2))
'''}


def write_example(config, stride_px: int) -> str:
  """The example of the config's task, as Python that runs beside the exported files.

  It reads `picture.png` and prints names, tags or joints, or writes `restored.png`.

  Args: stride_px: crop px from one heatmap px to the next.
  """
  side_px = config.data.image_size_px
  shared = {'read': f'\n{READ}', 'resize': RESIZE, 'side': side_px}
  if config.task == 'autoencoding':
    return string.Template(SCAN).substitute(shared, resize=f'\n{RESIZE}')
  if config.task != 'pose':
    return string.Template(PROBABILITIES).substitute(
        shared, fit=FIT[config.data.pad], say=SAY[config.task])
  place = string.Template(PLACES[config.pose.refine]).substitute(
      reach=max(1, round(3 * config.pose.sigma - 1)))
  return string.Template(JOINTS).substitute(
      shared, height=side_px, width=side_px * 3 // 4, stride=stride_px, place=place,
      flip=FLIP if config.pose.flip_test else '', widen=config.data.persons.widen,
      least_score=config.crop.least_score, least_joints=max(2, config.crop.least_joints),
      margin_frac=config.crop.margin_frac)
