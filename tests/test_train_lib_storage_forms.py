import json
import math

import pytest

from errors import UserError
from train_lib.storage import records
from train_lib.storage.forms import find_misfit

FORM = {'step': int, 'name': (str, None), 'rates': [float], 'sums': {str: float},
        'starts': [{'host': str}], 'done': bool}
GOOD = {'step': 3, 'name': None, 'rates': [1, 0.5], 'sums': {'a': 1e300, 'b': -2}, 'done': True,
        'starts': [{'host': 'x', 'else': [1]}, {}], 'unknown': {'x': None}}


def test_an_object_may_lack_keys_and_have_others_that_nobody_reads():
  assert find_misfit(GOOD, FORM) is None and find_misfit({}, FORM) is None


@pytest.mark.parametrize('change, name', [
    ({'step': True}, 'step'), ({'step': 2.0}, 'step'), ({'step': 2**63}, 'step'),
    ({'step': '3'}, 'step'), ({'name': 5}, 'name'), ({'rates': [1.0, 'x']}, 'rates.1'),
    ({'rates': [math.nan]}, 'rates.0'), ({'rates': {'0': 1.0}}, 'rates'),
    ({'sums': {'a': math.inf}}, 'sums.a'), ({'sums': {'a': True}}, 'sums.a'),
    ({'sums': []}, 'sums'), ({'starts': ['x']}, 'starts.0'), ({'done': 1}, 'done'),
    ({'starts': [{}, {'host': None}]}, 'starts.1.host')])
def test_the_first_value_of_another_form_is_named(change, name):
  assert find_misfit({**GOOD, **change}, FORM) == name


@pytest.mark.parametrize('value', [None, 5, 'x', [], [{}]])
def test_what_is_no_object_has_no_name(value):
  assert find_misfit(value, FORM) == '' and find_misfit(value, dict) == ''


def test_a_key_that_is_needed_is_named_when_it_is_not_there():
  assert find_misfit({'step': 3}, FORM, ['step', 'rates']) == 'rates'


def test_fields_of_a_file_are_refused_in_a_sentence_with_the_wrong_one(tmp_path):
  path = tmp_path / 'a.json'
  for content, words in (('{"sums": {"a": []}}', r'sums\.a is'), ('[]', 'expected a JSON object'),
                         ('{"sums": {"a": NaN}}', r'sums\.a is'), ('{}', 'step is missing')):
    path.write_text(content)
    with pytest.raises(UserError, match=words):
      records.read_fields(path, FORM, ['step'])
  path.write_text(json.dumps(GOOD))
  assert records.read_fields(path, FORM, ['step']) == GOOD


def test_a_json_file_without_end_is_refused_unread(tmp_path, monkeypatch):
  monkeypatch.setattr(records, 'MOST_JSON_BYTES', 1 << 20)
  (tmp_path / 'a.json').write_text(' ' * (1 << 20) + '{}')
  with pytest.raises(UserError, match='more than 1 MiB'):
    records.read_json(tmp_path / 'a.json')
  assert records.read_bytes(tmp_path / 'a.json', (1 << 20) + 2).endswith(b'{}')


def test_rows_of_another_form_are_left_out_as_torn_ones_are(tmp_path, caplog):
  path = tmp_path / 'a.jsonl'
  path.write_text('{"step": 1}\n{"step": "2"}\n[3]\n{"step": NaN}\n{}\n{"step": 6')
  assert records.read_jsonl(path, FORM, ['step']) == [{'step': 1}]
  assert 'left out 5' in caplog.text
