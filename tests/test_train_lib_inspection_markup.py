"""Markup: what is no markup is escaped, whatever it is called."""

import pytest
from etils import epath

from train_lib.inspection import markup
from train_lib.inspection.markup import Html

HOSTILE = '</script><img src=x onerror="alert(1)">\''


@pytest.mark.parametrize('made', [
    markup.paragraph(HOSTILE), markup.bullets([HOSTILE]), markup.facts([(HOSTILE, HOSTILE)]),
    markup.table([HOSTILE], [[HOSTILE]]), markup.bar(HOSTILE, 0.5), markup.command(HOSTILE),
    markup.tag('p', 'words', title=HOSTILE),
    markup.link(epath.Path('/a/b') / HOSTILE, epath.Path('/a'))])
def test_a_name_is_never_markup(made):
  assert isinstance(made, Html)
  assert '<img' not in made and '</script' not in made and 'onerror="' not in made


def test_markup_stays_markup():
  assert markup.joined('a < b ', Html('<b>c</b>')) == 'a &lt; b <b>c</b>'
  assert markup.paragraph(markup.tag('i', 'x')) == '<p><i>x</i></p>'


def test_attributes_are_named_as_html_names_them():
  assert (markup.tag('p', class_='note', aria_label='x', id='')
          == '<p class="note" aria-label="x"></p>')


def test_links_lead_from_the_page_to_the_file():
  page = epath.Path('/runs/a b/inspect')
  assert 'href="../pictures/100%25%20%23.png"' in markup.link(
      epath.Path('/runs/a b/pictures/100% #.png'), page)
  assert 'href="caf%E9"' in markup.link(page / 'caf\udce9', page)
  remote = epath.Path('gs://bucket/run')
  assert markup.link(remote / 'x.png', remote) == 'x.png'


def test_values_that_are_not_known_are_left_out_or_dashed():
  assert markup.facts([('a', ''), ('b', None)]) == ''
  assert 'dt>b' in markup.facts([('a', None), ('b', 0)])
  assert '<td class=n>–' in markup.table(['a', 'b'], [['x', None]])
