"""What four existing programs do with a picture, a tagger's model.onnx and its selected_tags.csv.

Each class takes the steps of one program in its order and with its quirks, in code of our own.
"""

import csv

import cv2
import numpy as np
from PIL import Image, ImageOps

WHITE = (255, 255, 255)
KOHYA_SIDE_PX = 448
KAOMOJI = frozenset(  # tags whose underscores two of the programs keep
    '0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<|> =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_||'
    .split())
# What pandas.read_csv takes for a missing value, in quotes or not.
MISSING = frozenset(('', '#N/A', '#N/A N/A', '#NA', '-1.#IND', '-1.#QNAN', '-NaN', '-nan', '1.#IND',
                     '1.#QNAN', '<NA>', 'N/A', 'NA', 'NULL', 'NaN', 'None', 'n/a', 'nan', 'null'))


class Program:
  """What the four have in common. Each adds `prepare(path)`, what goes into the session, float32
  [S, S, 3]; `cut(row)`, [(name, probability)] of ratings, of general tags and of characters, as it
  takes them to belong together; `choose(row)`, the parts of a caption; and `rewrite(name)`.

  Args: folder: of model.onnx and selected_tags.csv.
  """

  def __init__(self, folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # tests run beside each other
    self.session = onnxruntime.InferenceSession(
        str(folder / 'model.onnx'), options, providers=['CPUExecutionProvider'])
    self.csv_path = folder / 'selected_tags.csv'

  @property
  def input_shape(self) -> list:
    return self.session.get_inputs()[0].shape  # a number, or a name where any number will do

  def rows_of(self, batch: np.ndarray) -> np.ndarray:
    """The first output of the session: float32 [N, T]. Args: batch: float32 [N, S, S, 3]."""
    return self.session.run([self.session.get_outputs()[0].name],
                            {self.session.get_inputs()[0].name: batch})[0]

  def probabilities(self, paths) -> np.ndarray:
    """float32 [N, T], one picture at a time."""
    return np.concatenate([self.rows_of(self.prepare(path)[None]) for path in paths])

  def run(self, paths) -> list[list[str]]:
    """The parts of each picture's caption, which are joined with ', '."""
    return [self.choose(row) for row in self.probabilities(paths)]


class Kohya(Program):
  """kohya-ss/sd-scripts, finetune/tag_images_by_wd14_tagger.py with --onnx, as of 2026-02-16.

  Read at commit dae86a0 (in the fork woct0rdho/sd-scripts, with `resize_image` of
  library/utils.py); up to 6e3c1d0 transparency was dropped instead of laid on white. The side is
  448 px whatever the model says. Captions are in the order of the rows.

  Args:
    general, character: a tag is given at or above them; --thresh, 0.35, sets both.
    remove_underscore: the flag; names of up to three letters stay.
    rating: --use_rating_tags: the most probable of the first four comes first.
  """

  def __init__(self, folder, general=0.35, character=0.35, *, remove_underscore=False,
               rating=False):
    super().__init__(folder)
    self.general, self.character = general, character
    self.remove_underscore, self.rating = remove_underscore, rating
    with open(self.csv_path, encoding='utf-8') as file:
      header, *rows = csv.reader(file)
    assert header[:3] == ['tag_id', 'name', 'category'], header
    self.ratings, self.general_tags, self.characters = (
        [self.rewrite(row[1]) for row in rows if row[2] == category]
        for category in ('9', '0', '4'))

  def prepare(self, path):
    image = Image.open(path)
    if image.mode in ('RGBA', 'LA') or 'transparency' in image.info:
      image = image.convert('RGBA')
      ground = Image.new('RGB', image.size, WHITE)
      ground.paste(image, mask=image.getchannel('A'))
      image = ground
    pixels = np.array(image.convert('RGB'))[:, :, ::-1]
    height_px, width_px = pixels.shape[:2]
    side_px = max(height_px, width_px)
    more_y, more_x = side_px - height_px, side_px - width_px
    pixels = np.pad(pixels, ((more_y // 2, more_y - more_y // 2),
                             (more_x // 2, more_x - more_x // 2), (0, 0)), constant_values=255)
    size = (KOHYA_SIDE_PX, KOHYA_SIDE_PX)
    if side_px >= KOHYA_SIDE_PX:  # one of 448 px goes through cv2 too, unchanged
      return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    larger = Image.fromarray(pixels[:, :, ::-1]).resize(size, Image.Resampling.LANCZOS)
    return np.array(larger)[:, :, ::-1].astype(np.float32)

  def rewrite(self, name):
    return name.replace('_', ' ') if self.remove_underscore and len(name) > 3 else name

  def cut(self, row):
    number = len(self.general_tags)
    tags = [(self.general_tags[place] if place < number else self.characters[place - number], p)
            for place, p in enumerate(row[4:])]
    return list(zip(self.ratings, row[:4], strict=False)), tags[:number], tags[number:]

  def choose(self, row):
    ratings, general, characters = self.cut(row)
    first = [max(ratings, key=lambda item: item[1])[0]] if self.rating else []
    return (first + [name for name, p in general if p >= self.general]
            + [name for name, p in characters if p >= self.character])

  def probabilities(self, paths, batch_size=1):
    """A batch at a time: of the model's own size, where it has one, else of `batch_size`; the last
    is as short as it comes, and is not filled up."""
    fixed = self.input_shape[0]
    step = fixed if isinstance(fixed, int) and fixed > 0 else batch_size
    return np.concatenate([
        self.rows_of(np.stack([self.prepare(path) for path in paths[start:start + step]]))
        for start in range(0, len(paths), step)])


class Comfy(Program):
  """pythongosssss/ComfyUI-WD14-Tagger, wd14tagger.py at commit d2d4828 (2025-07-11).

  Both files lie in models/ as NAME.onnx and NAME.csv. One picture at a time; the side is the second
  number of the input's shape, so it has to be a number. Places are told apart by the first row of
  category 0 and the first of category 4: without any of the latter, all rows count as characters.

  The picture comes from ComfyUI's LoadImage (nodes.py): turned as EXIF says, alpha dropped. The
  menu of a picture takes the file as Pillow opens it instead, neither turned nor made RGB.

  Args:
    general, character: a tag is given above them, characters first, in the order of the rows.
    replace_underscore: of the node.
  """

  def __init__(self, folder, general=0.35, character=0.85, *, replace_underscore=False):
    super().__init__(folder)
    self.general, self.character = general, character
    self.replace_underscore = replace_underscore
    self.names, starts = [], {}
    with open(self.csv_path) as file:  # in the encoding of the machine, whichever it is
      reader = csv.reader(file)
      next(reader)
      for row in reader:
        self.names.append(row[1].replace('_', ' ') if replace_underscore else row[1])
        starts.setdefault(row[2], reader.line_num - 2)  # by lines of the file
    self.general_start, self.character_start = starts.get('0'), starts.get('4')

  def prepare(self, path):
    image, side_px = ImageOps.exif_transpose(Image.open(path)), self.input_shape[1]
    if image.mode == 'I':
      image = image.point(lambda value: value * (1 / 255))
    scaled = np.array(image.convert('RGB')).astype(np.float32) / 255.0
    image = Image.fromarray((scaled * 255).astype(np.uint8))
    zoom = float(side_px) / max(image.size)
    size = tuple(int(length * zoom) for length in image.size)
    image = image.resize(size, Image.Resampling.LANCZOS)
    square = Image.new('RGB', (side_px, side_px), WHITE)
    square.paste(image, ((side_px - size[0]) // 2, (side_px - size[1]) // 2))
    return np.array(square).astype(np.float32)[:, :, ::-1]

  def rewrite(self, name):
    name = name.replace('_', ' ') if self.replace_underscore else name
    return name.replace('(', '\\(').replace(')', '\\)')

  def cut(self, row):
    named = list(zip(self.names, row, strict=False))
    return (named[:self.general_start], named[self.general_start:self.character_start],
            named[self.character_start:])

  def choose(self, row):
    _, general, characters = self.cut(row)
    return ([self.rewrite(name) for name, p in characters if p > self.character]
            + [self.rewrite(name) for name, p in general if p > self.general])


class WebUI(Program):
  """picobyte/stable-diffusion-webui-wd14-tagger, tagger/interrogator.py at commit 140f37c, with
  tagger/uiset.py at 5fe39cf; dbimutils.py and settings.py as forks of it have them.

  Both files lie in a folder of their own in models/TaggerOnnx. The CSV is read by pandas, to which
  some names are missing values; such rows are passed over. The first four rows are ratings, all
  others tags, whatever the column `category` says. A picture whose longer side is below the model's
  is not enlarged: it lies in the middle of a white square of the model's side. Of a folder, each
  picture's file then loses the tags that fewer than 5 % of all its pictures got.

  Args:
    threshold: of all tags; one at or above it is given, most probable first, 100 at most.
    spaces: underscores become spaces, but for those of KAOMOJI; escape: brackets get backslashes.
  """

  most = 100

  def __init__(self, folder, threshold=0.35, *, spaces=True, escape=False):
    super().__init__(folder)
    self.threshold, self.spaces, self.escape = threshold, spaces, escape
    self.names = [None if row['name'] in MISSING else row['name']
                  for row in read_table(self.csv_path)]

  def prepare(self, path):
    image, side_px = Image.open(path).convert('RGBA'), self.input_shape[1]
    ground = Image.new('RGBA', image.size, 'WHITE')
    ground.paste(image, mask=image)
    pixels = np.asarray(ground.convert('RGB'))[:, :, ::-1]
    height_px, width_px = pixels.shape[:2]
    square_px = max(height_px, width_px, side_px)
    more_y, more_x = square_px - height_px, square_px - width_px
    pixels = cv2.copyMakeBorder(pixels, more_y // 2, more_y - more_y // 2, more_x // 2,
                                more_x - more_x // 2, cv2.BORDER_CONSTANT, value=WHITE)
    if square_px > side_px:
      pixels = cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return pixels.astype(np.float32)

  def rewrite(self, name):
    if self.spaces and name not in KAOMOJI:
      name = name.replace('_', ' ')
    if self.escape:
      name = ''.join('\\' + letter if letter in '\\()' else letter for letter in name)
    return name

  def cut(self, row):
    named = list(zip(self.names, row, strict=True))
    return named[:4], [(name, p) for name, p in named[4:] if name is not None], []

  def choose(self, row):
    tags = dict(self.cut(row)[1])
    order = sorted(tags.items(), key=lambda item: item[1], reverse=True)
    return [self.rewrite(name) for name, p in order if p >= self.threshold][:self.most]


class Wdv3(Program):
  """SmilingWolf/wdv3-jax, wdv3_jax.py at commit 40640c8 (2024-08), picture and CSV; the net is an
  onnxruntime session of the side in the input's shape, as in the author's app of 2024 (its app.py
  as copies hold it: 0.85 for characters; it keeps KAOMOJI and refuses a CSV with a name of
  MISSING). neggles/wdv3-timm takes the same steps up to the resize, which is timm's.

  Args: general, character: a tag is given above them, general tags first, most probable first.
  """

  def __init__(self, folder, general=0.35, character=0.75):
    super().__init__(folder)
    self.general, self.character = general, character
    rows = list(read_table(self.csv_path))
    self.names = [row['name'] for row in rows]
    self.places = [[place for place, row in enumerate(rows) if int(row['category']) == category]
                   for category in (9, 0, 4)]

  def prepare(self, path):
    image, side_px = Image.open(path), self.input_shape[1]
    if image.mode not in ('RGB', 'RGBA'):
      image = image.convert('RGBA' if 'transparency' in image.info else 'RGB')
    if image.mode == 'RGBA':
      ground = Image.new('RGBA', image.size, WHITE)
      ground.alpha_composite(image)
      image = ground.convert('RGB')
    width_px, height_px = image.size
    square_px = max(image.size)
    square = Image.new('RGB', (square_px, square_px), WHITE)
    square.paste(image, ((square_px - width_px) // 2, (square_px - height_px) // 2))
    if square_px != side_px:
      square = square.resize((side_px, side_px), Image.Resampling.BICUBIC)
    return np.array(square)[..., ::-1].astype(np.float32)

  def rewrite(self, name):
    """A name in the line 'Tags:'; the line 'Caption:' has it as it is."""
    return name.replace('_', ' ').replace('(', '\\(').replace(')', '\\)')

  def cut(self, row):
    return tuple([(self.names[place], row[place]) for place in places] for places in self.places)

  def choose(self, row):
    _, general, characters = self.cut(row)
    return [self.rewrite(name) for tags, least in ((general, self.general),
                                                   (characters, self.character))
            for name, p in sorted(dict(tags).items(), key=lambda item: item[1], reverse=True)
            if p > least]


def read_table(path):
  """The rows of a CSV as dicts, names as they stand."""
  with open(path, newline='', encoding='utf-8') as file:
    yield from csv.DictReader(file)
