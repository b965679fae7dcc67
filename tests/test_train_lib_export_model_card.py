"""The model card: what a hub reads, what a person is told, and nothing that is not known."""

import ast
import re

import pytest

from errors import UserError
from tests.drawn_nets import PAGES, make_run, other
from tests.example_runner import first_example
from train_lib.export import exported, model_card
from train_lib.export.card_record import Record

MODEL = {'difference_from_jax': 0.0}
MEASURED = Record(
    page='page.py', test={'net': {'map': 0.5, 'accuracy': 0.75, 'ap': 0.25, 'psnr': 20.123},
                          'constant': {'map': 0.1}},
    valid={'map': 0.4}, pictures={'training': 'about 1,200', 'test': 800}, commit='abc123')
UNMEASURED = Record()


def card(task, record=UNMEASURED, timm='', onnx=MODEL, change=lambda config: None):
  page, preset, data = PAGES[task]
  config, run = make_run(page, preset, **data)
  change(config)
  said = {'oko': {'timm': timm, 'onnx': onnx, 'stablehlo': {'jax': '9.9'} if onnx else None}}
  return model_card.write_card(config, run, record, said)


@pytest.mark.parametrize('task, pipeline', [
    ('tagging', 'image-classification'), ('classification', 'image-classification'),
    ('autoencoding', 'image-to-image'), ('pose', 'keypoint-detection')])
def test_a_hub_reads_what_it_is_for(task, pipeline):
  head = re.match(r'---\n(.*?)\n---\n\n# ', card(task), flags=re.DOTALL)[1].splitlines()
  assert f'pipeline_tag: {pipeline}' in head and 'library_name: oko' in head
  assert '- onnx' in head and f'- {task}' in head
  assert not any(line.startswith('license') for line in head)
  assert all(re.fullmatch(r'- [a-z-]+|[a-z_]+: ?[a-z0-9.-]*', line) for line in head)


def test_a_licence_is_told_or_said_not_to_be():
  def licensed(config):
    config.export.license = 'Apache-2.0'
  assert 'license: apache-2.0\n' in card('tagging', change=licensed)
  assert 'Nobody has told the licence' in card('tagging')


@pytest.mark.parametrize('name', ['MIT\nlibrary_name: other', 'my own', '-', '#x'])
def test_a_licence_that_is_no_name_is_refused(name):
  with pytest.raises(UserError, match='expected an SPDX name'):
    model_card.check_license(name)


def test_figures_have_their_split_thresholds_and_commit():
  text = card('tagging', MEASURED)
  assert '| net, validation split | 0.4000 |' in text and '| net, test split | 0.5000 |' in text
  assert '| constant | 0.1000 |' in text and 'commit abc123' in text
  assert '0.5 for micro, 0.25 for macro' in text
  assert '- pictures: about 1,200 for training, 800 for test' in text


def test_what_nobody_measured_is_said():
  text = card('classification')
  assert 'Nobody measured the net of step 3' in text and '- Nobody has measured it.' in text


@pytest.mark.parametrize('task, drawn, medical', [
    ('tagging', True, False), ('autoencoding', True, True), ('autoencoding', False, True),
    ('classification', False, False)])
def test_limits_are_honest(task, drawn, medical):
  def source(config):
    if not drawn:
      config.data.source = 'scans' if task == 'autoencoding' else 'folder'
  text = card(task, change=source)
  assert ('learned from drawn pictures, and nothing else' in text) == drawn
  assert ('not for diagnosis' in text) == medical


@pytest.mark.parametrize('path, told', [('hf-hub:timm/inception_v3.tf_in1k', True),
                                        ('/home/somebody/weights.safetensors', False)])
def test_weights_that_it_started_from_are_told_of_but_no_place(path, told):
  def started(config):
    config.net.init_from = path
  text = card('classification', change=started)
  assert 'started from weights that were trained before' in text and (path in text) == told
  assert 'nothing else' not in text and 'somebody' not in text
  assert 'and in the weights that it started from' in text


@pytest.mark.parametrize('task', PAGES)
def test_the_code_is_python_and_as_many_blocks_as_there_are_ways(task):
  blocks = re.findall(r'^```python\n(.*?)^```$', card(task, timm='some_net'),
                      flags=re.DOTALL | re.MULTILINE)
  assert len(blocks) == 3
  for block in blocks:
    ast.parse(block)
    assert '$' not in block and not re.search(r'\{(size|fit|probabilities)\}', block)
    assert max(map(len, block.splitlines())) <= 100
  assert "open_predictor('.')" in blocks[-1]


def test_without_a_model_file_there_is_no_code_for_it():
  text = card('tagging', onnx=None)
  assert 'onnxruntime' not in text and 'model.onnx' not in text and '.stablehlo' not in text
  assert 'open_predictor' in first_example(text)


def test_people_who_have_to_be_cut_out_are_told_of():
  def cut(config):
    config.data.persons.cut, config.data.persons.cut_by = 'pose', '/home/somebody/pose'
  text = card('classification', change=cut)
  assert 'It wants the person cut out' in text and 'by a pose net' in text
  assert 'somebody' not in text


def test_pixels_are_told_for_each_channel_where_they_differ():
  page, preset, data = PAGES['classification']
  config, run = make_run(page, preset, **data)
  run = other(run, task=other(run.task, mean=(1.0, 2.0, 3.5), deviation=(9.0, 9.0, 9.0)))
  said = {'oko': {'timm': '', 'onnx': None, 'stablehlo': None}}
  assert '(pixels - (1, 2, 3.5)) / 9' in model_card.write_card(config, run, Record(), said)


def test_the_card_and_the_config_agree_about_timm():
  config, run = make_run(*PAGES['classification'][:2], net='vit_tiny_patch16', image_size_px=64)
  said = {'oko': {'timm': exported.timm_name(config, model_names(config)), 'onnx': None,
                  'stablehlo': None}}
  text = model_card.write_card(config, run, Record(), said)
  assert 'library_name: timm' in text and "timm.create_model('local-dir:.'" in text


def model_names(config):
  from train_lib import build
  return build.build_weight_names(config)['timm']
