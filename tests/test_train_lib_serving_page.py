"""The page in a real browser: what a person sees, moves and presses. It needs chromium."""

import cv2
import numpy as np
import pytest

from tests import chromium
from tests.served import make_app, picture, png, running
from tests.test_train_lib_serving_alike import alike_view, collection, of_colour  # noqa: F401
from tests.test_train_lib_serving_classes import class_view, halves, tag_view  # noqa: F401
from tests.test_train_lib_serving_scans import scan_view  # noqa: F401

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(not chromium.PATH, reason='there is no chromium')]
ALL_DONE = ("!document.querySelector('#strip [data-state=waiting], #strip [data-state=working]') "
            "&& document.querySelectorAll('#strip button').length")


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
  browser = chromium.Browser(tmp_path_factory.mktemp('profile'))
  yield browser
  browser.close()


@pytest.fixture(autouse=True)
def no_complaints(browser):
  browser.complaints.clear()
  yield
  assert browser.complaints == []


def write(folder, **contents):
  paths = [folder / name.replace('_', '.') for name in contents]
  for path, content in zip(paths, contents.values(), strict=True):
    path.write_bytes(content)
  return paths


def texts(browser, selector):
  return browser.ask(f"[...document.querySelectorAll('{selector}')].map(one => one.textContent)")


def set_slider(browser, selector, value):
  browser.ask(f"(() => {{ const one = document.querySelector('{selector}'); one.value = {value}; "
              "one.dispatchEvent(new Event('input')); })()")


def open_with(browser, address, paths, **options):
  browser.open(address, **options)
  browser.until("!document.getElementById('start').hidden")
  browser.give_files('#files', paths)
  browser.until(ALL_DONE)


def test_thresholds_move_tags_and_caption_in_the_page(browser, tag_view, tmp_path):  # noqa: F811
  with running(make_app(tag_view)) as address:
    open_with(browser, address, write(tmp_path, a_png=picture()))
    general = '#answer .kind:nth-of-type(2) .name'
    assert texts(browser, general) == ['long hair', '^_^']
    assert browser.ask("document.querySelector('textarea').value") == 'long hair, ^_^'
    set_slider(browser, '[aria-label="Threshold of character"]', 0.5)
    assert browser.ask("document.querySelector('textarea').value") == 'long hair, mira, ^_^'
    set_slider(browser, '[aria-label="Threshold of general"]', 0.5)
    assert texts(browser, general) == ['long hair']
    assert 'Just below: ^_^' in texts(browser, '#answer .kind:nth-of-type(2)')[0]
    browser.ask("document.querySelector('.caption [type=checkbox]').click()")
    assert browser.ask("document.querySelector('textarea').value") == 'long_hair, mira'
    browser.ask("document.querySelectorAll('#answer .link')[0].click()")             # reset
    assert texts(browser, general) == ['long hair', '^_^']


def test_the_examples_for_programs_name_the_address_that_was_asked(browser, tag_view):  # noqa: F811
  with running(make_app(tag_view)) as address:
    browser.open(f'{address}/api')
    examples = ' '.join(texts(browser, 'pre'))
  assert examples.count(f'{address}/api/predict') == 3
  assert '127.0.0.1:8000' not in examples


def test_names_of_files_are_text_and_keys_leaf_through_them(browser, tag_view,  # noqa: F811
                                                            tmp_path):
  hostile = '<img src=x onerror=alert(1)>'
  paths = [tmp_path / name for name in (f'{hostile}.png', 'b.png', 'c.png')]
  for path in paths:
    path.write_bytes(picture())
  with running(make_app(tag_view)) as address:
    open_with(browser, address, paths)
    assert texts(browser, '#stage .file') == [f'{hostile}.png']
    for key, name in (('ArrowRight', 'b.png'), ('ArrowRight', 'c.png'), ('ArrowRight', 'c.png'),
                      ('ArrowLeft', 'b.png'), ('Delete', 'c.png')):
      browser.press(key)
      assert texts(browser, '#stage .file') == [name]
    assert browser.ask("document.querySelectorAll('#strip button').length") == 2
    browser.press('Delete')
    browser.press('Delete')
    assert browser.ask("document.getElementById('start').hidden") is False


def test_what_cannot_be_read_is_told_and_the_next_one_is_shown(browser, tag_view,  # noqa: F811
                                                               tmp_path):
  with running(make_app(tag_view, most_bytes=2 ** 20)) as address:
    paths = write(tmp_path, a_png=b'', b_png=picture(), c_png=bytes(2 ** 20 + 1))
    open_with(browser, address, paths)
    assert 'The file is empty.' in texts(browser, '#answer .failure')[0]
    browser.press('ArrowRight')
    assert 'long hair' in texts(browser, '#answer .name')
    browser.press('ArrowRight')
    assert 'larger than 1 MB' in texts(browser, '#answer .failure')[0]
  assert [text for text in browser.complaints if '422' not in text] == []
  browser.complaints.clear()


@pytest.mark.parametrize('dark', [False, True])
def test_it_fits_a_narrow_screen_and_follows_the_light(browser, tag_view, tmp_path,  # noqa: F811
                                                       dark):
  with running(make_app(tag_view)) as address:
    open_with(browser, address, write(tmp_path, a_png=picture(900, 300), b_png=picture()),
              width_px=390, dark=dark)
    assert browser.ask('document.documentElement.scrollWidth') <= 390
    paper = browser.ask('getComputedStyle(document.body).backgroundColor')
    assert (sum(map(int, paper[4:-1].split(','))) < 384) == dark


def test_a_press_on_a_class_shows_where_the_net_looked(browser, class_view, tmp_path):  # noqa: F811
  with running(make_app(class_view)) as address:
    open_with(browser, address, write(tmp_path, a_png=png(halves())))
    assert texts(browser, '.verdict .best')[0] in ('red', 'blue')
    browser.ask("document.querySelector('.pressed button[data-name=red]').click()")
    browser.until("document.querySelector('.frame img').naturalWidth == 512")
    assert texts(browser, '#stage .file') == ['Where the net looked for red']
    assert texts(browser, '[aria-pressed=true] .name') == ['red']
    browser.ask("document.querySelector('.pressed button[data-name=red]').click()")
    assert texts(browser, '#stage .file') == ['a.png']


def test_a_scan_is_shown_restored_and_moved(browser, scan_view, tmp_path):  # noqa: F811
  image = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
  with running(make_app(scan_view)) as address:
    open_with(browser, address, write(tmp_path, a_png=png(image),
                                      b_tif=cv2.imencode('.tif', image)[1].tobytes()))
    assert texts(browser, '.pair .file') == ['Given', 'Restored']
    browser.ask("document.querySelector('#stage [type=checkbox]').click()")
    browser.until("document.querySelectorAll('.pair .file').length == 3")
    before = browser.ask("document.querySelector('.moved img').src")
    set_slider(browser, '.movers input', 2.5)
    browser.until("document.querySelector('.moved .file').textContent == 'Moved'")
    assert browser.ask("document.querySelector('.moved img').src") != before
    browser.press('ArrowRight')                           # a TIFF, which browsers cannot show
    browser.until("document.querySelector('.pair img')?.naturalWidth == 16")


def test_a_picture_leads_to_others_like_it(browser, alike_view, tmp_path):  # noqa: F811
  with running(make_app(alike_view)) as address:
    open_with(browser, address, write(tmp_path, a_png=of_colour('red')))
    browser.until("document.querySelectorAll('#answer .tile').length == 18")
    first = browser.ask("document.querySelector('#answer .tile').title")
    assert first.startswith('red/')
    browser.ask("document.querySelector('#answer .tile').click()")
    browser.until(ALL_DONE + ' == 2')
    assert texts(browser, '#stage .file') == [first]
    browser.until("document.querySelectorAll('#answer .tile').length == 17")
    browser.press('ArrowLeft')
    assert texts(browser, '#stage .file') == ['a.png']
    browser.open(address)
    browser.until("document.querySelectorAll('#extra .tile').length == 18")
    browser.ask("document.querySelector('#extra .tile').click()")
    browser.until(ALL_DONE + " && document.querySelectorAll('#answer .tile').length == 17")
