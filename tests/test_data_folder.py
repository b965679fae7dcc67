import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from data import SOURCES
from data.classes import Classes
from data.joined import Joined
from data.sources.folder import build_folder
from errors import UserError


def make_config(path, **changes):
  return SimpleNamespace(**{**dict(path=str(path), table='', valid_frac=0.2, test_frac=0.2,
                                     implications='listed'),
                            **changes})


def make_files(folder, names):
  """Files whose content is their name: the sources do not decode."""
  for name in names:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f'content of {name}')


def make_classes(folder, count=40, start=0):
  make_files(folder, [f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(start, count)])


def make_split_folders(folder, *splits):
  make_files(folder, [f'{split}/{kind}/{i}.png' for split in splits for kind in ('cat', 'dog')
                      for i in range(20)])


def build_splits(path, **changes):
  config = make_config(path, **changes)
  return {split: build_folder(config, split) for split in ('train', 'valid', 'test')}


def ids(source):
  return [source[i]['id'] for i in range(len(source))]


def error_of(path, split='train', **changes):
  with pytest.raises(UserError) as raised:
    build_folder(make_config(path, **changes), split)
  return str(raised.value)


def test_every_source_of_the_table_can_be_looked_up():
  assert SOURCES['folder'] is build_folder


def test_its_splits_can_be_joined(tmp_path):
  make_classes(tmp_path)
  joined = Joined([*build_splits(tmp_path).values()])
  assert len(joined) == 80 and joined.max_ignored == 0


def test_implications_that_a_folder_cannot_know_are_refused(tmp_path):
  make_classes(tmp_path)
  with pytest.raises(UserError, match="data.implications is 'added', but a folder does not tell"):
    build_folder(make_config(tmp_path, implications='added'), 'train')


def test_class_folders_become_one_tag_each(tmp_path):
  make_classes(tmp_path)
  train = build_splits(tmp_path)['train']
  assert sorted(train.tag_names) == ['cat', 'dog'] and train.max_tags == 1
  example = train[0]
  assert example['image_bytes'].decode() == f"content of {example['id']}"
  assert example['tags'].dtype == np.int32
  assert train.tag_names[example['tags'][0]] == example['id'].split('/')[0]


def test_a_cut_by_content_takes_each_picture_once_and_about_its_share(tmp_path):
  make_classes(tmp_path, 200)
  splits = build_splits(tmp_path)
  everything = [id for source in splits.values() for id in ids(source)]
  assert len(everything) == len(set(everything)) == 400
  assert 50 < len(splits['valid']) < 110 and 50 < len(splits['test']) < 110


def test_added_pictures_move_no_other(tmp_path):
  make_classes(tmp_path)
  before = build_splits(tmp_path)
  make_classes(tmp_path, 80, start=40)
  after = build_splits(tmp_path)
  for split in before:
    assert set(ids(before[split])) < set(ids(after[split]))


def test_exact_copies_fall_into_one_split(tmp_path):
  make_classes(tmp_path)
  for i in range(40):
    (tmp_path / f'cat/copy {i}.png').write_bytes((tmp_path / f'cat/{i}.png').read_bytes())
  for source in build_splits(tmp_path).values():
    names = set(ids(source))
    assert all(f"cat/{name.removeprefix('cat/copy ')}" in names
               for name in names if name.startswith('cat/copy '))
    assert 'exact copies' not in source.description


@pytest.mark.parametrize('valid', ['valid', 'validation', 'Val'])
def test_split_folders_are_taken_as_they_are(tmp_path, valid):
  make_split_folders(tmp_path, 'train', valid, 'test')
  splits = build_splits(tmp_path)
  assert {split: {id.split('/')[0] for id in ids(source)} for split, source in splits.items()} == {
      'train': {'train'}, 'valid': {valid}, 'test': {'test'}}
  assert sorted(splits['train'].tag_names) == ['cat', 'dog']
  assert 'cut' not in splits['train'].description


def test_with_train_and_validation_alone_the_validation_folder_is_the_test(tmp_path):
  make_split_folders(tmp_path, 'train', 'validation')
  splits = build_splits(tmp_path)
  assert {id.split('/')[0] for id in ids(splits['test'])} == {'validation'}
  assert {id.split('/')[0] for id in ids(splits['valid'])} == {'train'}
  assert len(splits['train']) + len(splits['valid']) == 40 == len(splits['test'])
  assert ('the folder for validation is scored as test, 20% for valid set apart from train'
          in splits['train'].description)


def make_split_table(folder, *splits, count=60):
  make_files(folder, [f'{i}.png' for i in range(count)])
  rows = [f"{i}.png,{('cat', 'dog')[i % 2]},{splits[i % len(splits)]}" for i in range(count)]
  (folder / 'labels.csv').write_text('\n'.join(['path,label,split', *rows]))


def test_splits_that_a_table_tells_are_taken_as_they_are(tmp_path):
  make_split_table(tmp_path, 'train', 'val', 'test')
  splits = build_splits(tmp_path)
  for number, source in enumerate(splits.values()):
    assert {int(id.removesuffix('.png')) % 3 for id in ids(source)} == {number}
  assert "split by the table's splits test, train, valid)" in splits['train'].description
  first = splits['train'].fingerprint
  make_split_table(tmp_path, 'train', 'test', 'val')
  assert build_splits(tmp_path)['train'].fingerprint != first


def test_a_split_that_a_table_lacks_is_cut_and_pictures_outside_of_all_are_told(tmp_path):
  make_split_table(tmp_path, 'train', 'test', 'train', '')
  splits = build_splits(tmp_path)
  assert {int(id.removesuffix('.png')) % 4 for id in ids(splits['test'])} == {1}
  assert {int(id.removesuffix('.png')) % 4 for id in ids(splits['train'])} == {0, 2}
  assert len(splits['train']) + len(splits['valid']) == 30 and len(splits['valid'])
  description = splits['train'].description
  assert "table's splits test, train, 20% for valid set apart from train" in description
  assert '15 pictures left out, without tags or outside the splits' in description


def test_a_table_tells_the_splits_of_pictures_in_split_folders_too(tmp_path):
  make_files(tmp_path, [f'{top}/{i}.png' for top in ('train', 'test') for i in range(4)])
  rows = [f"{top}/{i}.png,{('cat', 'dog')[i % 2]},{('train', 'valid', 'test', 'train')[i]}"
          for top in ('train', 'test') for i in range(4)]
  (tmp_path / 'labels.csv').write_text('\n'.join(['path,label,split', *rows]))
  assert ids(build_splits(tmp_path)['valid']) == ['test/1.png', 'train/1.png']


def test_validation_and_test_without_training_are_no_classes(tmp_path):
  make_split_folders(tmp_path, 'Valid', 'test')
  assert "has the folders 'Valid', 'test' and none for training" in error_of(tmp_path)


def test_a_table_that_was_passed_over_is_told(tmp_path):
  make_classes(tmp_path)
  (tmp_path / 'labels.csv').write_text('picture,kind\ncat/1.png,lion\n')
  assert "no table of tags, by its first line: 'labels.csv' ('picture', 'kind')" in (
      build_splits(tmp_path)['train'].description)


@pytest.mark.parametrize('given', [('train',), ('train', 'test')])
def test_splits_that_are_missing_are_cut_from_train(tmp_path, given):
  make_split_folders(tmp_path, *given)
  splits = build_splits(tmp_path)
  assert all(splits.values()) and sum(map(len, splits.values())) == 40 * len(given)
  assert {id.split('/')[0] for id in ids(splits['valid'])} == {'train'}


def test_a_class_named_train_is_no_split(tmp_path):
  make_files(tmp_path, [f'{kind}/{i}.png' for kind in ('train', 'car') for i in range(40)])
  assert sorted(build_splits(tmp_path)['train'].tag_names) == ['car', 'train']


def test_copies_across_given_splits_are_told(tmp_path):
  make_split_folders(tmp_path, 'train', 'valid', 'test')
  (tmp_path / 'test/cat/copy.png').write_bytes((tmp_path / 'train/cat/1.png').read_bytes())
  description = build_splits(tmp_path)['test'].description
  assert '1 picture of test is an exact copy of a training picture' in description


def make_table(folder, rows):
  make_files(folder, rows)
  (folder / 'tags.csv').write_text(
      'path,tags\n' + ''.join(f'{name},"{tags}"\n' for name, tags in rows.items()))


def test_tags_are_numbered_by_falling_count_then_name(tmp_path):
  make_table(tmp_path, {'train/1.png': 'b,a,common', 'train/2.png': 'common', 'test/3.png': 'a,new',
                        'valid/4.png': 'newer,b,a,common'})
  splits = build_splits(tmp_path)
  assert splits['train'].tag_names == ('common', 'a', 'b')
  assert splits['train'][0]['tags'].tolist() == [2, 1, 0]
  assert splits['test'][0]['tags'].tolist() == [1]  # a tag that train has not is dropped
  assert {source.max_tags for source in splits.values()} == {3}  # of all splits
  assert '2 tags left out, which no training picture has' in splits['train'].description


def test_tags_are_counted_split_by_split(tmp_path):
  make_table(tmp_path, {'train/1.png': 'b,a,common', 'train/2.png': 'common', 'test/3.png': 'a,new',
                        'valid/4.png': 'newer,b,a,common'})
  splits = build_splits(tmp_path)
  counts = {split: source.count_tags() for split, source in splits.items()}
  assert {split: values.tolist() for split, values in counts.items()} == {
      'train': [2, 1, 1], 'valid': [1, 1, 1], 'test': [0, 1, 0]}
  assert counts['train'].dtype == np.int64


def test_a_prefix_is_the_category(tmp_path):
  tags = 'artist:a,character:b,copyright:c,meta:d,rating:e,f,re:g,:h'
  make_table(tmp_path, {'train/1.png': tags})
  train = build_folder(make_config(tmp_path), 'train')
  assert dict(zip(train.tag_names, train.tag_categories, strict=True)) == {
      'artist:a': 'artist', 'character:b': 'character', 'copyright:c': 'copyright',
      'meta:d': 'meta', 'rating:e': 'rating', 'f': 'general', 're:g': 'general', ':h': 'general'}


def test_pictures_without_tags_are_left_out_and_counted(tmp_path):
  make_classes(tmp_path)
  make_files(tmp_path, ['loose.png', 'loose 2.png'])
  train = build_folder(make_config(tmp_path), 'train')
  assert '2 pictures left out' in train.description
  assert '\n' not in train.description


def test_a_table_may_name_files_whose_ending_says_nothing(tmp_path):
  make_table(tmp_path, {f'{i}.dat': 'x' for i in range(20)} | {'a.png': 'x'})
  splits = build_splits(tmp_path)
  assert sum(map(len, splits.values())) == 21


def test_the_fingerprint_follows_names_contents_and_tags(tmp_path):
  make_table(tmp_path, {f'train/{i}.png': 'x' for i in range(9)})
  def fingerprint():
    return build_folder(make_config(tmp_path), 'train').fingerprint
  prints = [fingerprint()]
  assert fingerprint() == prints[0]
  (tmp_path / 'train/1.png').write_text('another content')
  prints.append(fingerprint())
  (tmp_path / 'tags.csv').write_text((tmp_path / 'tags.csv').read_text().replace('"x"', '"y"', 1))
  prints.append(fingerprint())
  (tmp_path / 'train/2.png').rename(tmp_path / 'train/99.png')
  text = (tmp_path / 'tags.csv').read_text().replace('train/2.png', 'train/99.png')
  (tmp_path / 'tags.csv').write_text(text)
  prints.append(fingerprint())
  assert len(set(prints)) == 4


def test_a_source_survives_pickling(tmp_path):
  make_classes(tmp_path)
  source = build_folder(make_config(tmp_path), 'train')
  copy = pickle.loads(pickle.dumps(source))
  assert ids(copy) == ids(source) and copy.tag_names == source.tag_names


def test_a_caller_can_stop_the_reading(tmp_path):
  make_classes(tmp_path, 3)
  def stop():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    build_folder(make_config(tmp_path), 'train', poll=stop)


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
  assert 'config.data.path is empty' in error_of('')
  assert "nowhere' does not exist" in error_of(tmp_path / 'nowhere')
  assert 'holds no picture' in error_of(tmp_path)
  make_files(tmp_path, ['a.png', 'b.png'])
  assert 'no tags were found for the 2 pictures' in error_of(tmp_path)


def test_an_empty_split_is_named_with_what_to_change(tmp_path):
  make_classes(tmp_path, 3)
  message = error_of(tmp_path, 'test', test_frac=0.0)
  assert 'the test split of' in message
  assert 'is empty (20% for valid set apart by content' in message
  assert 'config.data.valid_frac or test_frac' in message
  assert 'the valid split' in error_of(tmp_path, 'valid', valid_frac=0.0, test_frac=0.0)


@pytest.mark.parametrize('fractions', [(0.5, 0.5), (-0.1, 0.1), (0.1, 1.0)])
def test_shares_that_leave_nothing_are_refused(tmp_path, fractions):
  make_classes(tmp_path, 3)
  message = error_of(tmp_path, valid_frac=fractions[0], test_frac=fractions[1])
  assert f'valid_frac is {fractions[0]} and test_frac is {fractions[1]}' in message


def test_a_tag_written_in_two_ways_is_named(tmp_path):
  make_table(tmp_path, {'train/1.png': 'long hair,x', 'train/2.png': 'long_hair,y'})
  assert "'long hair' (1 times) and 'long_hair' (1 times)" in error_of(tmp_path)


def test_training_pictures_without_any_tag_are_named(tmp_path):
  make_table(tmp_path, {'train/1.png': '', 'test/2.png': 'x'})
  assert 'the 1 training pictures' in error_of(tmp_path, valid_frac=0.0)


def test_class_balance_is_told_with_classes_that_have_too_few_pictures(tmp_path):
  make_files(tmp_path, [f'{split}/{kind}/{i}.png' for split, kind, count in (
      ('train', 'cat', 30), ('train', 'dog', 2), ('valid', 'cat', 4), ('test', 'cat', 4),
      ('test', 'dog', 1), ('test', 'gnu', 1)) for i in range(count)])
  description = build_splits(tmp_path)['train'].description
  assert "42 pictures with 2 classes from class folders; train 32, valid 4, test 6" in description
  assert "2 classes of 2 ('dog') to 30 ('cat') training pictures" in description
  assert "fewer than 5 training pictures have 'dog' (2); no valid picture of 'dog'" in description
  assert "1 class left out, which no training picture has: 'gnu'" in description


@pytest.mark.parametrize('top', ['', 'train/'])
def test_class_folders_without_a_picture_are_named(tmp_path, top):
  make_files(tmp_path, [f'{top}{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(40)])
  (tmp_path / f'{top}emu').mkdir()
  make_files(tmp_path, [f'{top}fox/notes.txt', f'{top}cat/deeper/1.png'])
  description = build_splits(tmp_path)['train'].description
  assert description.endswith(f"no picture in the class folders '{top}emu', '{top}fox'")


def test_a_class_with_one_picture_leaves_classes_that_can_be_learned(tmp_path):
  make_classes(tmp_path)
  for i in range(20):                              # one of these falls into another split
    make_files(tmp_path, [f'single {i}/1.png'])
  splits = build_splits(tmp_path)
  classes = {split: Classes(source) for split, source in splits.items()}
  assert len(classes['train']) == len(splits['train'])
  held_out = [split for split in ('valid', 'test') if len(classes[split]) < len(splits[split])]
  assert held_out and 'no class that is learned' in classes[held_out[0]].description
  assert 'fewer than 5 training pictures' in classes['train'].description


def test_labels_that_name_no_file_are_told(tmp_path):
  make_files(tmp_path, ['a.png', 'b.png'])
  (tmp_path / 'labels.csv').write_text('path,label\na.png,x\ngone.png,y\nb.png,y\n')
  assert "names 1 picture not in" in error_of(tmp_path)
