"""The folder `tagger` of an export, as four existing programs use it; see tests/tagger_clients.py.

Two tiny nets: one of 448 px, the side that the programs feed, with all tags of the drawn pictures;
one of 64 px with two ratings, no character, and names that are hard to write down.
"""

import cv2
import numpy as np
import pytest
from PIL import Image

from data.decode import decode_image
from data.operations import Resize
from tests.small_exports import make_config, make_exported, one_block
from tests.tagger_clients import KAOMOJI, Comfy, Kohya, Wdv3, WebUI
from train_lib import build_sources

pytest.importorskip('onnxruntime')

PROGRAMS = (Kohya, Comfy, WebUI, Wdv3)
SIDE_PX = 448                     # of a picture as the programs feed it
SMALL_PX = 64                     # of the second net
EXACT = 1e-4                      # of a probability
ROUNDED = 5e-3                    # of probabilities: pixels that were rounded to 8 bits
OFTEN = {'rating', 'general', 'character'}
ODD_NAMES = ('long_hair', '^_^', '>_<', ':d', '|_|', '(o)_(o)', 'hat_(clothing)', 'a,_b_and_c',
             'say_"hi"', "don't_look", 'fate/zero_(series)', 'café_au_lait', '1girl', '2024')


@pytest.fixture(scope='module', autouse=True)
def shallow():
  with one_block():
    yield


@pytest.fixture(scope='module')
def data(tmp_path_factory):
  """A split of the embedded dataset."""
  return build_sources.build_source(make_config(tmp_path_factory.mktemp('drawn'), SIDE_PX), 'test')


@pytest.fixture(scope='module')
def whole(tmp_path_factory, data):
  folder = tmp_path_factory.mktemp('whole')
  return make_exported(folder, make_config(folder, SIDE_PX), data.tag_names, data.tag_categories)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
  folder = tmp_path_factory.mktemp('small')
  return make_exported(
      folder, make_config(folder, SMALL_PX),
      ('safe', 'first', 'second', 'a_series', 'explicit', 'scan', 'someone') + ODD_NAMES,
      ('rating', 'general', 'general', 'copyright', 'rating', 'meta', 'artist')
      + ('general',) * len(ODD_NAMES))


@pytest.fixture(scope='module')
def drawn(data):
  """Four pictures of the embedded dataset: uint8 [64, 64, 3]."""
  return [decode_image(data[place]['image_bytes'], max_pixels=10**6) for place in range(4)]


@pytest.fixture(scope='module')
def large(drawn):
  """The same, 448 px."""
  return [cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
          for picture in drawn]


@pytest.fixture(scope='module')
def large_truth(whole, large):
  return whole.probabilities(large)


def save(folder, pictures):
  paths = [folder / f'{place:02d}.png' for place in range(len(pictures))]
  for path, picture in zip(paths, pictures, strict=True):
    Image.fromarray(picture).save(path)
  return paths


def attached(client, probabilities) -> list[dict]:
  """{name: probability} of each picture, as a program takes them to belong together."""
  return [{name: p for part in client.cut(row) for name, p in part} for row in probabilities]


def differences(client, exported, paths, truth) -> np.ndarray:
  """float [N, T] between a program's probabilities and a net's, of the tags that both have.

  Args: truth: float32 [N, T'], the net's.
  """
  found = attached(client, client.probabilities(paths))
  places = {name: place for place, name in enumerate(exported.names) if name in found[0]}
  return np.array([[abs(row[name] - right[place]) for name, place in places.items()]
                   for row, right in zip(found, truth, strict=True)])


def middle_of_gap(values, near) -> float:
  """A threshold that no probability is close to: the middle of the widest gap around `near`."""
  values = np.sort(values[abs(values - near) < 0.05])
  place = np.argmax(np.diff(values))
  return float(values[place] + values[place + 1]) / 2


@pytest.mark.parametrize('program', PROGRAMS)
def test_every_program_reads_the_same_names_in_the_same_order(program, whole):
  client = program(whole.tagger)
  ratings, general, characters = client.cut(
      np.zeros(client.session.get_outputs()[0].shape[1], np.float32))
  names = [name for part in (ratings, general, characters) for name, _ in part]
  assert names == whole.names_of('rating') + whole.names_of('general') + whole.names_of('character')
  assert len(ratings) == 4
  if program is not WebUI:        # to which a character is a tag like any other
    assert len(characters) == len(whole.names_of('character')) > 0


@pytest.mark.parametrize('program', PROGRAMS)
def test_no_name_gets_the_probability_of_another(program, whole, small, tmp_path):
  """On pictures of one colour, which no resizing changes."""
  colours = np.random.default_rng(1).integers(0, 256, (4, 3), np.uint8)
  paths = save(tmp_path, [np.full((SIDE_PX, SIDE_PX, 3), colour) for colour in colours])
  for exported in (whole, small):
    client = program(exported.tagger)
    assert differences(client, exported, paths, exported.probabilities(paths)).max() < EXACT
    row = attached(client, client.probabilities(paths[:1]))[0]
    kept = set(exported.names_of(*OFTEN))
    assert kept <= row.keys()
    assert all(row[name] == 0 for name in row.keys() - kept)


@pytest.mark.parametrize('program', PROGRAMS)
def test_on_pictures_of_the_nets_own_size_the_captions_are_those_of_predict(
    program, whole, large, large_truth, tmp_path):
  paths = save(tmp_path, large)
  client = program(whole.tagger)
  assert differences(client, whole, paths, large_truth).max() < EXACT
  known = np.isin(whole.categories, ('general', 'character'))
  level, of_characters = (middle_of_gap(large_truth[:, known], near) for near in (0.4, 0.6))
  if program is WebUI:            # it has one threshold
    client.threshold = of_characters = level
  client.general, client.character = level, of_characters
  levels = [{'general': level, 'character': of_characters}.get(category, 1.0)
            for category in whole.categories]
  for caption, row in zip(client.run(paths), large_truth, strict=True):
    given = [client.rewrite(name) for name, p, least in zip(whole.names, row, levels, strict=True)
             if p > least]
    assert sorted(caption) == sorted(given) and 10 < len(caption) < known.sum() - 10


def test_colours_in_the_wrong_order_would_show(whole, large, large_truth, tmp_path, monkeypatch):
  client = Kohya(whole.tagger)
  prepare = client.prepare
  monkeypatch.setattr(client, 'prepare', lambda path: prepare(path)[..., ::-1])
  assert differences(client, whole, save(tmp_path, large), large_truth).max() > 1000 * EXACT


@pytest.mark.parametrize('program', PROGRAMS)
def test_a_picture_of_448_px_is_shrunk_inside_as_pillows_bicubic_does(program, small, drawn,
                                                                      tmp_path):
  pictures = [np.asarray(Image.fromarray(picture).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
              for picture in drawn]
  shrunk = [np.asarray(Image.fromarray(picture).resize(drawn[0].shape[:2],
                                                       Image.Resampling.BICUBIC))
            for picture in pictures]
  client = program(small.tagger)
  found = differences(client, small, save(tmp_path, pictures), small.probabilities(shrunk)).max()
  assert found < ROUNDED < 0.1 * np.ptp(small.probabilities(shrunk), axis=0).max()


@pytest.mark.parametrize('program', [Comfy, WebUI, Wdv3])
def test_at_the_nets_own_size_nothing_is_resized_and_the_tags_are_those_of_predict(
    program, small, drawn, tmp_path):
  client = program(small.tagger / 'own_size')
  assert differences(client, small, save(tmp_path, drawn), small.probabilities(drawn)).max() < EXACT


def test_kohyas_batches_may_have_any_size_and_the_last_be_incomplete(small, large, tmp_path):
  paths = save(tmp_path, large + large[:3])
  client = Kohya(small.tagger)
  alone = client.probabilities(paths)
  for batch_size in (2, 3, 7, 16):
    np.testing.assert_allclose(client.probabilities(paths, batch_size), alone, atol=1e-5)


def test_the_sides_of_the_input_are_numbers_and_the_number_of_pictures_is_not(whole, small):
  for exported in (whole, small):
    number, *sides = Comfy(exported.tagger).input_shape
    assert isinstance(number, str) and sides == [SIDE_PX, SIDE_PX, 3]


def test_kohya_names_the_most_probable_of_the_ratings_that_the_net_has(small, large, tmp_path):
  paths = save(tmp_path, large)
  client = Kohya(small.tagger, 2.0, 2.0, rating=True)   # no tag is so probable
  for caption, row in zip(client.run(paths), attached(client, client.probabilities(paths)),
                          strict=True):
    assert caption == [max(('safe', 'explicit'), key=row.get)]


def test_comfy_lists_nothing_twice_and_no_rating_of_a_tagger_without_characters(small, large,
                                                                                tmp_path):
  for caption in Comfy(small.tagger, 0.0, 0.0).run(save(tmp_path, large)):
    assert len(caption) == len(set(caption)) and 'safe' not in caption


# Which pixels go into the session: of files of 448 px, and of others.

SEEN_OTHERWISE = {                # by a program; all else is seen as --job=predict sees it
    Kohya: {'turned by EXIF', '16-bit grey'},
    Comfy: {'transparent', 'transparent palette', 'grey with alpha', '16-bit grey'},
    WebUI: {'turned by EXIF', '16-bit grey'},
    Wdv3: {'turned by EXIF', '16-bit grey', 'grey with alpha'},
}


@pytest.fixture(scope='module')
def files(tmp_path_factory, large):
  """{kind: path}: one picture in many kinds of files, 448 px."""
  folder = tmp_path_factory.mktemp('files')
  picture = Image.fromarray(large[0])
  clear = picture.convert('RGBA')
  clear.putalpha(Image.fromarray(np.where(large[1][..., 0] < 128, 0, 255).astype(np.uint8)))
  palette = picture.quantize(64, method=Image.Quantize.FASTOCTREE)
  turned = Image.Exif()
  turned[0x0112] = 6
  kinds = {
      'grey': (picture.convert('L'), 'PNG', {}), 'palette': (palette, 'PNG', {}),
      'jpeg': (picture, 'JPEG', {}), 'turned by EXIF': (picture, 'JPEG', {'exif': turned}),
      'transparent': (clear, 'PNG', {}), 'grey with alpha': (clear.convert('LA'), 'PNG', {}),
      'transparent palette': (palette, 'PNG', {'transparency': palette.getpixel((200, 200))})}
  for kind, (image, suffix, options) in kinds.items():
    image.save(folder / kind, suffix, **options)
  deep = large[0].astype(np.uint16) * 256 + 77
  for kind, pixels in (('16-bit colour', deep), ('16-bit grey', deep[..., 0])):
    (folder / kind).write_bytes(cv2.imencode('.png', pixels)[1].tobytes())
  return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize('program', PROGRAMS)
def test_a_program_sees_what_predict_sees_or_else_what_pillow_makes_of_the_file(
    program, whole, files):
  """Not turned, without alpha, and 16-bit grey cut off at 255, which is nearly white."""
  client, otherwise = program(whole.tagger), set()
  for kind, path in files.items():
    seen = client.prepare(path)[..., ::-1]
    if not np.array_equal(seen, decode_image(path.read_bytes(), max_pixels=10**6)):
      np.testing.assert_array_equal(seen, Image.open(path).convert('RGB'))
      otherwise.add(kind)
  assert otherwise == SEEN_OTHERWISE[program]


@pytest.mark.parametrize(('program', 'size'), [
    (program, size) for program in PROGRAMS
    for size in ((1500, 40), (300, 211), (613, 900), (900, 900))
    if program is not WebUI or max(size) >= SIDE_PX])
def test_other_sizes_come_out_nearly_as_predict_makes_them(program, size, whole, large, tmp_path):
  picture = cv2.resize(large[0], size, interpolation=cv2.INTER_CUBIC)
  wanted = Resize(SIDE_PX, 'square')({'image': picture})['image']
  seen = program(whole.tagger).prepare(*save(tmp_path, [picture]))[..., ::-1]
  assert abs(seen - wanted).mean() < 1.2                   # of 255


def test_comfy_refuses_what_is_more_than_448_times_as_wide_as_high(whole, tmp_path):
  path, = save(tmp_path, [np.zeros((2, 3000, 3), np.uint8)])
  with pytest.raises(ValueError, match='must be > 0'):
    Comfy(whole.tagger).prepare(path)
  for program in (Kohya, WebUI, Wdv3):
    assert program(whole.tagger).prepare(path).shape == (SIDE_PX, SIDE_PX, 3)


def test_the_webui_frames_small_pictures_instead_of_enlarging_them(whole, drawn, tmp_path):
  edge_px = (SIDE_PX - SMALL_PX) // 2
  framed = np.pad(drawn[0], ((edge_px, edge_px), (edge_px, edge_px), (0, 0)), constant_values=255)
  path, = save(tmp_path, drawn[:1])
  np.testing.assert_array_equal(WebUI(whole.tagger).prepare(path)[..., ::-1], framed)


REWRITTEN = {
    'kohya': (Kohya, {'remove_underscore': True}, {
        'long_hair': 'long hair', '^_^': '^_^', '|_|': '|_|', '(o)_(o)': '(o) (o)',
        'hat_(clothing)': 'hat (clothing)', 'a,_b_and_c': 'a, b and c', 'say_"hi"': 'say "hi"'}),
    'comfy': (Comfy, {}, {
        'long_hair': 'long_hair', '^_^': '^_^', '(o)_(o)': r'\(o\)_\(o\)',
        'hat_(clothing)': r'hat_\(clothing\)', 'café_au_lait': 'café_au_lait'}),
    'comfy with spaces': (Comfy, {'replace_underscore': True}, {
        'long_hair': 'long hair', '^_^': '^ ^', 'hat_(clothing)': r'hat \(clothing\)'}),
    'webui': (WebUI, {}, {
        'long_hair': 'long hair', '^_^': '^_^', '(o)_(o)': '(o)_(o)', '>_<': '>_<',
        'hat_(clothing)': 'hat (clothing)'}),
    'webui escaping': (WebUI, {'escape': True}, {
        '(o)_(o)': r'\(o\)_\(o\)', 'hat_(clothing)': r'hat \(clothing\)'}),
    'wdv3': (Wdv3, {}, {
        'long_hair': 'long hair', '^_^': '^ ^', 'fate/zero_(series)': r'fate/zero \(series\)'}),
}


@pytest.mark.parametrize('case', REWRITTEN)
def test_names_survive_what_a_program_makes_of_them(case, small, large, tmp_path):
  program, options, wanted = REWRITTEN[case]
  client = program(small.tagger, -1.0, **options)          # every tag is above it
  caption, = client.run(save(tmp_path, large[:1]))
  general = small.names_of('general')
  written_as = {name: client.rewrite(name) for name in general}
  assert set(written_as.values()) <= set(caption)
  assert len(set(written_as.values())) == len(general) and KAOMOJI & set(general)
  assert {name: written_as[name] for name in wanted} == wanted
