"""Which tags of an archive are learned, in which order, and what the lists of a person change."""

import numpy as np
import pytest

from data.sources.board import build_board
from errors import UserError
from tests import board_archives as archives


@pytest.fixture
def folder(tmp_path):
  """Posts whose n-th has the tags t1 to tn, and each a character of its own."""
  posts = [post | {'tags': {'general': [f't{k}' for k in range(1, post['id'] + 1)],
                            'character': [f"c{post['id']}"], 'copyright': [], 'artist': ['a'],
                            'meta': []}} for post in archives.make_posts(20)]
  (tmp_path / 'archive').mkdir()
  archives.write_posts(tmp_path / 'archive', posts)
  return tmp_path / 'archive'


def build(folder, **changes):
  config = archives.make_config(folder, folder.parent / 'cache',
                                **{'valid_frac': 0.0, 'test_frac': 0.0, **changes})
  return build_board(config, 'train')


def error_of(folder, **changes):
  with pytest.raises(UserError) as raised:
    build(folder, **changes)
  return str(raised.value)


def names(source, category='general'):
  return [name for name, other in zip(source.tag_names, source.tag_categories, strict=True)
          if other == category]


def tags_by_id(source):
  """{number of the post: its tags' names}"""
  md5s = {post['md5']: post['id'] for post in archives.make_posts(20)}
  return {md5s[source[i]['id'][10:-4]]: {source.tag_names[tag] for tag in source[i]['tags']}
          for i in range(len(source))}


def test_all_tags_are_learned_unless_something_else_is_said(folder):
  train = build(folder)
  assert names(train) == [f't{k}' for k in range(1, 21)]
  assert train.count_tags()[4:24].tolist() == list(range(20, 0, -1))


def test_the_most_frequent_tags_of_each_category_are_picked(folder):
  train = build(folder, most={'general': 3, 'character': -1})
  assert names(train) == ['t1', 't2', 't3'] and names(train, 'character') == []
  assert names(train, 'artist') == ['a']
  assert len(train) == 20  # the pictures stay


def test_tags_on_too_few_training_pictures_are_left_out(folder):
  train = build(folder, least={'general': 18, 'character': 2})
  assert names(train) == ['t1', 't2', 't3'] and names(train, 'character') == []


def test_counts_are_those_of_the_training_split(folder):
  config = archives.make_config(folder, folder.parent / 'cache', valid_frac=0.5, test_frac=0.2,
                                least={'character': 1})
  train, valid = build_board(config, 'train'), build_board(config, 'valid')
  assert len(names(train, 'character')) == len(train) < 20
  assert valid.tag_names == train.tag_names and valid.max_tags == train.max_tags
  longest = max(len(source[i]['tags']) for source in (train, valid) for i in range(len(source)))
  assert train.max_tags >= longest


def test_pictures_with_few_general_tags_are_left_out_before_tags_are_chosen(folder):
  train = build(folder, min_general_tags=5, most={'general': 2})
  assert set(tags_by_id(train)) == set(range(5, 21)) and names(train) == ['t1', 't2']
  assert ('left out: 4 with fewer general tags than config.data.board.min_general_tags (5)'
          in train.description)


def test_where_all_have_too_few_general_tags_that_is_said_first(folder):
  said = error_of(folder, min_general_tags=50)
  assert ('): no picture is used; left out: 20 with fewer general tags than '
          'config.data.board.min_general_tags (50). Change ') in said


def test_unwanted_tags_are_learned_nowhere(folder):
  (folder / 'unwanted.txt').write_text('\ufefft1\n\n t 3 \nc5\nt3\n', encoding='utf-8')
  train = build(folder, blacklist='unwanted.txt')
  assert names(train)[:3] == ['t2', 't4', 't5'] and 'c5' not in train.tag_names


def test_aliases_are_one_tag_through_any_number_of_steps(folder):
  (folder / 'aliases.csv').write_text(
      'id,antecedent_name,consequent_name,status\n1,t2,t1,active\n2,t20,other,active\n'
      '3,other,t19,active\n4,t7,t1,deleted\n5,t3,t3,active\n')
  train = build(folder, aliases='aliases.csv')
  assert names(train) == ['t1', *(f't{k}' for k in range(3, 20))]
  assert train.count_tags()[4] == 20  # not 39: a picture has a tag once


def test_aliases_hold_in_the_other_lists_too(folder):
  (folder / 'aliases.csv').write_text('antecedent_name,consequent_name\nt1,new\nt2,t3\n')
  (folder / 'mine.csv').write_text('name\nt1\nt2\nt4\n')
  train = build(folder, aliases='aliases.csv', tag_list='mine.csv')
  assert train.tag_names == ('new', 't3', 't4') and train.count_tags().tolist() == [20, 19, 17]
  (folder / 'mine.csv').write_text('name,category\nt1,meta\nt3,meta\nt2,artist\n')
  train = build(folder, aliases='aliases.csv', tag_categories='mine.csv')
  assert names(train, 'meta') == ['new', 't3']  # its own name's category before an alias's
  (folder / 'unwanted.txt').write_text('t1\n')
  assert 'new' not in build(folder, aliases='aliases.csv', blacklist='unwanted.txt').tag_names


def test_entries_of_lists_that_aliases_bring_together_are_named(folder):
  (folder / 'aliases.csv').write_text('antecedent_name,consequent_name\nt1,t3\nt2,t3\n')
  (folder / 'mine.csv').write_text('name\nt4\nt2\nt1\n')
  assert "tag_list names 't2' and 't1', which are one tag, 't3'" in error_of(
      folder, aliases='aliases.csv', tag_list='mine.csv')
  (folder / 'mine.csv').write_text('name\nt3\n')
  (folder / 'unwanted.txt').write_text('t2\n')
  assert "'t3' stands both in" in error_of(
      folder, aliases='aliases.csv', tag_list='mine.csv', blacklist='unwanted.txt')


def test_a_name_in_several_categories_is_of_the_one_that_most_pictures_tell(folder):
  rows = []
  for post in archives.make_posts(20):
    category = 'character' if post['id'] <= 12 else 'copyright'
    rows.append(archives.new_row(post | {'tags': {**dict.fromkeys(archives.CATEGORIES, []),
                                                  category: ['hatsune']}}))
  archives.write_lines(folder / 'posts.json', rows)
  train = build(folder)
  assert names(train, 'character') == ['hatsune'] and names(train, 'copyright') == []
  assert train.count_tags().tolist()[4:] == [20]


def test_a_table_overrides_categories(folder):
  (folder / 'categories.csv').write_text('name,category\nt1,meta\nt2,3\ngeneral,9\n')
  train = build(folder, tag_categories='categories.csv')
  assert names(train, 'meta') == ['t1'] and names(train, 'copyright') == ['t2']


def test_a_tag_list_is_followed_to_the_letter(folder):
  (folder / 'list.csv').write_text(
      'tag_id,name,category,count\n9,general,9,0\n8,explicit,9,0\n3,t20,0,1\n2,c7,4,1\n1,t1,0,2\n')
  train = build(folder, tag_list='list.csv', least={'general': 10})
  assert train.tag_names == ('general', 'explicit', 't20', 'c7', 't1')
  assert train.tag_categories == ('rating', 'rating', 'general', 'character', 'general')
  assert tags_by_id(train)[7] == {'explicit', 'c7', 't1'}


def test_a_tag_list_without_categories_takes_the_archive_s(folder):
  (folder / 'list.csv').write_text('name\nc7\nt1\nunicorn\n')
  assert build(folder, tag_list='list.csv').tag_categories == ('character', 'general', 'general')


@pytest.mark.parametrize('key, text, words', [
    ('tag_list', 'name\n', 'is empty'),
    ('tag_list', 'name\nt1\nsafe\n', "line 3 of '{path}' names 'safe', which may be a rating or"),
    ('tag_list', 'name,category\nhat,0\nsafe,9\nt,0\n', "of the 2 tags of config.data.board.tag_"
     "list 'mine.csv', such as 'hat'"),
    ('tag_list', 'name\nt1\nt1\n', "line 3 of '{path}' names the tag 't1' again, after line 2"),
    ('tag_list', 'name,category\nt1,colour\n', "has the category 'colour'; choose one of rating"),
    ('tag_list', 'name,category\nt1,rating\n', "has 't1' as a rating; ratings are general, safe"),
    ('tag_list', 'title\nt1\n', "line 2 of '{path}' has None for name; expected name"),
    ('tag_categories', 'name,category\nt1,6\n', "has the category '6'"),
    ('aliases', 'antecedent_name,consequent_name\na,b\na,c\n', "an earlier one for 'b'; keep one"),
    ('aliases', 'antecedent_name,consequent_name\na,b\nb,c\nc,a\n', 'circle: a -> b -> c -> a'),
    ('aliases', 'antecedent_name,consequent_name\na\n', 'has 1 values, the header has 2'),
    ('aliases', 'from,to\na,b\n', 'expected antecedent_name and consequent_name'),
])
def test_a_list_that_cannot_be_followed_is_named_with_the_line(folder, key, text, words):
  path = folder / 'mine.csv'
  path.write_text(text)
  assert words.format(path=path) in error_of(folder, **{key: 'mine.csv'})


def test_lists_that_are_missing_or_contradict_each_other_are_named(folder):
  assert "aliases is 'a.csv', but there is no file" in error_of(folder, aliases='a.csv')
  (folder / 'list.csv').write_text('name\nt1\n')
  (folder / 'unwanted.txt').write_text('t1\n')
  assert "'t1' stands both in config.data.board.tag_list and in its blacklist" in error_of(
      folder, tag_list='list.csv', blacklist='unwanted.txt')
  (folder / 'unwanted.txt').write_bytes(b'caf\xe9\n')
  assert 'is not UTF-8 text' in error_of(folder, blacklist='unwanted.txt')


def test_a_list_of_ratings_alone_is_followed(folder):
  (folder / 'mine.csv').write_text('name,category\ngeneral,rating\nexplicit,rating\n')
  assert build(folder, tag_list='mine.csv').tag_names == ('general', 'explicit')


def test_nothing_left_to_learn_is_told(folder):
  archives.write_lines(folder / 'posts.json', [
      archives.new_row(post) | {'rating': None} for post in archives.make_posts(20)])
  nothing = dict.fromkeys(('general', 'character', 'copyright', 'artist', 'meta'), -1)
  assert 'no tag is left to learn' in error_of(folder, most=nothing)


# Implications ------------------------------------------------------------------------------------


@pytest.fixture
def entailed(folder):
  """c<n> entails hero, through person; c2 entails t9 as well."""
  pairs = [f'c{k},person' for k in range(1, 21)] + ['person,hero', 'c2,t9']
  (folder / 'implications.csv').write_text(
      '\n'.join(['antecedent_name,consequent_name', *pairs]))
  return folder


def test_entailed_tags_can_be_left_as_listed(entailed):
  train = build(entailed, **{'board.implications': ''})
  assert 'person' not in train.tag_names and train.max_ignored == 0
  assert 't9' not in tags_by_id(train)[2]


def build_entailed(folder, implications, **changes):
  config = archives.make_config(folder, folder.parent / 'cache', valid_frac=0.2, test_frac=0.2,
                                **changes)
  config.implications, config.board.implications = implications, 'implications.csv'
  return build_board(config, 'train'), build_board(config, 'test')


def test_entailed_tags_are_added_to_training_pictures_alone(entailed):
  train, test = build_entailed(entailed, 'added')
  found = tags_by_id(train)
  assert all({'person', 'hero'} <= tags for tags in found.values())
  assert 't9' in found.get(2, {'t9'})
  assert names(train, 'character')[:2] == ['hero', 'person']  # the category of what entails them
  assert not any({'person', 'hero'} & tags for tags in tags_by_id(test).values())
  assert 'ignored_tags' not in train[0]


def test_steps_over_tags_that_are_not_learned_still_count(entailed):
  (entailed / 'list.csv').write_text('name\nhero\nc1\nt1\n')
  train, _ = build_entailed(entailed, 'added', tag_list='list.csv')
  assert all('hero' in tags for tags in tags_by_id(train).values())


def test_what_may_be_there_unlisted_is_ignored_in_training(entailed):
  rows = [archives.new_row(post | {'tags': {**dict.fromkeys(archives.CATEGORIES, []),
                                            'general': ['hero'] if post['id'] % 2 else ['c2']}})
          for post in archives.make_posts(20)]
  archives.write_lines(entailed / 'posts.json', rows)
  train, test = build_entailed(entailed, 'ignored')
  number = {name: tag for tag, name in enumerate(train.tag_names)}
  most = 0
  for i in range(len(train)):
    example = train[i]
    if number['c2'] in example['tags']:
      assert {number[name] for name in ('c2', 'person', 'hero', 't9')} <= set(example['tags'])
      assert example['ignored_tags'].tolist() == []
    else:
      assert example['ignored_tags'].tolist() == sorted([number['c2'], number['person']])
    assert example['ignored_tags'].dtype == np.int32
    most = max(most, len(example['ignored_tags']))
  assert train.max_ignored == most == 2
  assert 'ignored_tags' not in test[0]


@pytest.mark.parametrize('rows', ['', 'c1,person,deleted\n', 'c1,c1,active\n'])
def test_a_list_without_an_implication_in_force_is_told(entailed, rows):
  (entailed / 'implications.csv').write_text('antecedent_name,consequent_name,status\n' + rows)
  for implications in ('added', 'ignored'):
    with pytest.raises(UserError, match='has no row in force'):
      build_entailed(entailed, implications)


@pytest.mark.parametrize('pair', ['unicorn,horse', 't1,first'])
def test_implications_may_concern_no_tag_that_is_learned(entailed, pair):
  (entailed / 'implications.csv').write_text(f'antecedent_name,consequent_name\n{pair}\n')
  (entailed / 'aliases.csv').write_text('antecedent_name,consequent_name\nfirst,t1\n')
  for implications in ('added', 'ignored'):
    train, _ = build_entailed(entailed, implications, aliases='aliases.csv')
    assert train.max_ignored == 0 and not {'unicorn', 'horse'} & set(train.tag_names)


def test_implications_without_a_list_or_in_a_circle_are_told(entailed):
  assert 'there is no list of them' in error_of(entailed, **{'data.implications': 'added'})
  (entailed / 'implications.csv').write_text(
      'antecedent_name,consequent_name\nc1,t1\nt1,c2\nc2,c1\n')
  with pytest.raises(UserError, match='circle'):
    build_entailed(entailed, 'added')
