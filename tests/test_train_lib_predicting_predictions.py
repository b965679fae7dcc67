"""Answers on disk: each picture once, whatever stopped the start before."""

import json

import pytest

from train_lib.predicting.predictions import Predictions


class Pictures:
  """A source of names whose files change when `states` does."""

  def __init__(self, *names):
    self.names, self.states = list(names), {name: [1, 1] for name in names}

  def state(self, index):
    return self.states[self.names[index]]


def open_at(folder, source, about='settings'):
  return Predictions(folder, {'about': about}, source)


def add(kept, source, *names):
  kept.add([{'path': name, 'label': name.upper()} for name in names],
           [source.states[name] for name in names])


def read(folder):
  lines = (folder / 'predictions.jsonl').read_text().splitlines()
  return [json.loads(line)['path'] for line in lines]


def test_a_stopped_start_goes_on_with_the_rest(tmp_path):
  source = Pictures('a', 'b', 'c')
  add(open_at(tmp_path, source), source, 'a', 'b')
  kept = open_at(tmp_path, source)
  assert kept.todo == [2] and not (tmp_path / 'predictions.jsonl').exists()
  add(kept, source, 'c')
  kept.finish({'pictures': 3})
  assert read(tmp_path) == ['a', 'b', 'c']
  assert json.loads((tmp_path / 'predict.json').read_text())['pictures'] == 3
  assert sorted(path.name for path in tmp_path.iterdir()) == ['predict.json', 'predictions.jsonl']


@pytest.mark.parametrize('cut', range(1, 30))
def test_a_row_that_was_torn_anywhere_is_looked_at_again(tmp_path, cut):
  source = Pictures('a', 'b')
  kept = open_at(tmp_path, source)
  add(kept, source, 'a')
  whole = kept._path.read_bytes()
  add(kept, source, 'b')
  kept._path.write_bytes(whole + kept._path.read_bytes()[len(whole):][:cut])
  kept = open_at(tmp_path, source)
  assert kept.todo == [1]
  add(kept, source, 'b')
  kept.finish({})
  assert read(tmp_path) == ['a', 'b']


def test_the_same_command_again_looks_at_new_and_changed_pictures_alone(tmp_path):
  source = Pictures('a', 'b')
  kept = open_at(tmp_path, source)
  add(kept, source, 'a', 'b')
  kept.finish({})
  more = Pictures('a', 'b', 'c')
  more.states['a'] = [2, 2]
  kept = open_at(tmp_path, more)
  assert [more.names[place] for place in kept.todo] == ['a', 'c']
  add(kept, more, 'a', 'c')
  kept.finish({})
  assert read(tmp_path) == ['b', 'a', 'c']


def test_a_picture_that_is_gone_has_no_row(tmp_path):
  source = Pictures('a', 'b')
  kept = open_at(tmp_path, source)
  add(kept, source, 'a', 'b')
  kept.finish({})
  kept = open_at(tmp_path, Pictures('b'))
  assert kept.todo == []
  kept.finish({})
  assert read(tmp_path) == ['b']


def test_other_settings_begin_anew_and_leave_the_finished_rows_until_they_are_done(tmp_path):
  source = Pictures('a')
  kept = open_at(tmp_path, source)
  add(kept, source, 'a')
  kept.finish({})
  other = open_at(tmp_path, source, 'others')
  assert other.todo == [0] and read(tmp_path) == ['a']
  other.finish({})
  assert read(tmp_path) == []


def test_names_may_be_any_bytes(tmp_path):
  name = b'\xff.png'.decode(errors='surrogateescape')
  source = Pictures(name)
  add(open_at(tmp_path, source), source, name)
  kept = open_at(tmp_path, source)
  assert kept.todo == [] and [row['path'] for row in kept.rows()] == [name]


def test_a_stop_before_the_rows_are_in_place_never_lends_them_to_other_settings(tmp_path,
                                                                               monkeypatch):
  source = Pictures('a')
  kept = open_at(tmp_path, source)
  add(kept, source, 'a')
  kept.finish({})
  other = open_at(tmp_path, source, 'others')
  other.add([{'path': 'a', 'label': 'other'}], [[1, 1]])

  def stop(*_):
    raise KeyboardInterrupt
  monkeypatch.setattr('os.replace', stop)
  with pytest.raises(KeyboardInterrupt):
    other.finish({})
  monkeypatch.undo()
  for about, wanted in (('settings', 'A'), ('others', 'other')):
    kept = open_at(tmp_path, source, about)
    labels = [row['label'] for row in kept.rows()]
    assert (kept.todo, labels) in (([0], []), ([], [wanted]))


def test_finished_rows_stay_while_more_are_added(tmp_path):
  source = Pictures('a')
  kept = open_at(tmp_path, source)
  add(kept, source, 'a')
  kept.finish({})
  more = Pictures('a', 'b')
  add(open_at(tmp_path, more), more, 'b')
  assert read(tmp_path) == ['a']
  kept = open_at(tmp_path, more)
  assert kept.todo == [] and [row['path'] for row in kept.rows()] == ['a', 'b']


@pytest.mark.parametrize('text', ['{', '[]', '{}'])
def test_a_damaged_record_costs_the_rows_alone(tmp_path, text):
  source = Pictures('a')
  kept = open_at(tmp_path, source)
  add(kept, source, 'a')
  kept.finish({})
  (tmp_path / 'predict.json').write_text(text)
  assert open_at(tmp_path, source).todo == [0]
