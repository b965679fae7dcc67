"""What a run's folder tells: what it is, how it went, how good it is, what next; only read."""

import json
import os
import re
import shutil
import socket

import pytest
from etils import epath

from configs import base, fashion, pose, vae
from errors import UserError
from tests.small_workdirs import HOSTILE, make_record, make_start, write_picture, write_run
from train_lib.inspection import page, run_figures, run_page
from train_lib.storage import lock, lock_holder, records


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  return write_run(tmp_path_factory.mktemp('runs') / 'my run', fashion.get_config('small'))


def page_of(workdir, folder=None, named=''):
  """(the run, ids of its sections, text of its page)."""
  folder = epath.Path(folder or workdir)
  run = run_page.open_run(named or str(workdir))
  sections = run_page.run_sections(run, folder)
  page.write_page(folder, **run_page.head_of(run), sections=sections)
  return run, [section.id for section in sections], (folder / page.NAME).read_text()


def snapshot(folder):
  return {str(path.relative_to(folder)): path.read_bytes()
          for path in sorted(folder.rglob('*')) if path.is_file()}


def test_a_finished_run_is_told_from_what_it_is_to_what_comes_next(workdir, tmp_path):
  before = snapshot(workdir)
  run, ids, text = page_of(workdir, tmp_path)
  assert run.state == 'finished' and snapshot(workdir) == before
  assert ids == ['about', 'course', 'test', 'curves', 'tables', 'pictures', 'checkpoints', 'next']
  for words in ('Classifier, trained', '<h1>my run</h1>', 'configs/fashion.py:small',
                '12,000, 48.0 kB on disk', '3 classes', '75.0 % of it in steps',
                '3 saves, for which training waited 4 s', '2 steps left out', '2: resumed 1 time',
                'step 20, epoch 2: best', 'f00d' * 10,
                '2025-03-04 05:00 UTC', 'data.image_size_px'):
    assert words in text, words


def test_the_net_stands_beside_its_baselines(workdir, tmp_path):
  text = page_of(workdir, tmp_path)[2]
  row, other = text.partition('id="test"')[2].split('<tr')[2:4]
  assert ' class=marked' in row and '>net<' in row and '>0.8750<' in row
  assert '>most frequent class<' in other and '>0.2500<' in other and '>–<' in other


def test_costs_are_told_as_in_the_printed_table(workdir, tmp_path):
  text = page_of(workdir, tmp_path)[2]
  net, constant = text.partition('id="test"')[2].split('<tr')[2:4]
  assert re.findall('<td class=n>([^<]+)', net)[-3:] == ['0.01', '0.05', '100.0']
  assert re.findall('<td class=n>([^<]+)', constant)[-3:] == ['&lt;0.01', '–', '–']


def test_a_threshold_of_zero_is_said_to_take_every_tag():
  record = {'test': {'net': {'map': 0.5}}, 'thresholds': {'micro': 0.34, 'macro': 0.0}}
  assert ('0.34 (micro), 0 (macro: every tag is taken).'
          in str(run_figures.test_section(record, 'tagging').parts[0]))


def test_the_figures_are_told_from_first_to_last(workdir, tmp_path):
  text = page_of(workdir, tmp_path)[2].partition('id="curves"')[2]
  row = text.partition('<td>accuracy, validation')[2].partition('</table>')[0]
  assert re.findall('<td class=n>([^<]+)', row)[:6] == ['0.25', '10', '0.75', '30', '0.75', '30']
  assert '50 pictures a second' in text


def test_every_picture_has_a_caption_and_unknown_ones_their_name(workdir, tmp_path):
  text = page_of(workdir, tmp_path)[2]
  assert text.count('<img ') == 4 and 'Rows: the true class' in text
  assert '<strong>Never heard of.</strong>' in text


def test_names_of_classes_are_never_markup(workdir, tmp_path):
  text = page_of(workdir, tmp_path)[2]
  assert '<img src=x' not in text and '</script' not in text and '<b>' not in text
  assert HOSTILE[1].replace('<', '&lt;').replace('>', '&gt;').replace('"', '&quot;').replace(
      "'", '&#x27;') in text


def test_checkpoints_are_listed_with_the_best_and_the_used_one(workdir, tmp_path):
  text = page_of(workdir, tmp_path)[2].partition('id="checkpoints"')[2]
  rows = text.split('<tr')[2:4]
  assert '>20<' in rows[0] and '>used<' in rows[0] and '>0.5<' in rows[0] and '150.0 kB' in rows[0]
  assert '>30<' in rows[1] and '>best<' in rows[1]


def test_a_damaged_checkpoint_is_told_and_one_being_saved_left_out(tmp_path):
  workdir = write_run(tmp_path / 'run', fashion.get_config('small'))
  (workdir / 'checkpoints/30/manifest.json').write_text('{"seal": 1}')
  (workdir / 'checkpoints/40').mkdir()
  text = page_of(workdir)[2].partition('id="checkpoints"')[2].partition('</section>')[0]
  assert 'damaged: manifest.json was changed' in text and '>40<' not in text


def test_commands_name_the_folder_as_the_person_did(workdir, tmp_path, monkeypatch):
  monkeypatch.chdir(workdir.parent)
  text = page_of(workdir, tmp_path, named='my run')[2].partition('id="next"')[2]
  for job in ('predict', 'serve', 'export', 'evaluate', 'audit', 'inspect'):
    assert f'python main.py --job={job} --workdir=&#x27;my run&#x27;' in text
  assert '--job=train' not in text                           # it is finished


def test_a_run_that_trains_now_is_told_with_who_trains_it(tmp_path):
  record = make_record(finished=False, step=None, test={}, chosen={}, goodput={})
  workdir = write_run(tmp_path / 'run', fashion.get_config('small'), record)
  with open(workdir / 'metrics.jsonl', 'a') as file:
    file.write('{"step": 40, "train/lo')                     # a line that is being written
  with lock.Lock(workdir):
    (tmp_path / 'out').mkdir()
    before = snapshot(workdir)
    run, ids, text = page_of(workdir, tmp_path / 'out')
    assert snapshot(workdir) == before
  assert run.state == 'training' and 'test' not in ids and 'tables' not in ids
  assert f'Process {os.getpid()} on {socket.gethostname()}' in text
  assert 'training now, at step 30' in text and 'validation accuracy' in text
  assert text.count('<img ') == 1                            # its curves so far
  assert 'Go on, once it has been stopped' in text


def test_a_lock_whose_process_is_gone_does_not_count(tmp_path):
  workdir = write_run(tmp_path / 'run', fashion.get_config('small'), make_record(finished=False))
  records.write_json(workdir / 'lock.json', {**lock_holder.describe_self(), 'pid': 2 ** 22 + 1})
  assert lock.find_holder(workdir) is None
  run, _, text = page_of(workdir)
  assert run.state == 'stopped' and 'the same command goes on' in text
  assert 'python main.py --job=train --workdir=' in text


def test_a_run_that_has_just_begun_has_a_page(tmp_path):
  workdir = write_run(tmp_path / 'run', fashion.get_config('small'),
                      {'starts': [make_start(command=[])]}, steps=())
  (workdir / 'tags.json').unlink()
  run, ids, text = page_of(workdir)
  assert run.state == 'begun' and ids == ['about', 'course', 'next']
  assert '--job=predict' not in text


@pytest.mark.parametrize(('page_module', 'metric', 'words'), [
    (pose, 'ap', 'Pose net'), (vae, 'psnr', 'Autoencoder')])
def test_runs_of_other_tasks_have_their_figures(tmp_path, page_module, metric, words):
  record = make_record(test={'net': {metric: 0.5, 'loss': 12.25}})
  workdir = write_run(tmp_path / 'run', page_module.get_config('small'), record, steps=(5,))
  write_picture(workdir / 'pictures/steps/0000005/reconstructions.png')
  text = page_of(workdir)[2]
  assert words in text and 'While it learned' in text and 'Step 5.' in text
  assert '0.5000' in text.partition('id="test"')[2]


def test_a_config_from_before_a_key_was_there_is_read(tmp_path):
  config = fashion.get_config('small')
  del config.data.corrupt, config.serve
  assert run_page.open_run(str(write_run(tmp_path / 'run', config))).config.data.corrupt == ()


def test_a_config_of_the_defaults_says_so(tmp_path):
  config = base.get_config()
  text = page_of(write_run(tmp_path / 'run', config, make_record(test={})))[2]
  assert 'Every key of the config has its default' in text


def test_pictures_that_training_could_not_read_and_what_jobs_left_are_told(tmp_path):
  workdir = write_run(tmp_path / 'run', fashion.get_config('small'))
  with open(workdir / 'bad_images.jsonl', 'w') as file:
    file.write(json.dumps({'id': HOSTILE[0], 'reason': 'torn'}) + '\n')
  write_picture(workdir / 'audit/audit.png')
  (workdir / 'export').mkdir()                               # nothing is in it
  _, ids, text = page_of(workdir)
  assert ids[-3:] == ['bad', 'others', 'next'] and '1 of them were skipped' in text
  assert 'audit/audit.png</a>' in text and '<strong>export/' not in text


def test_a_damaged_record_is_one_sentence(tmp_path):
  workdir = write_run(tmp_path / 'run', fashion.get_config('small'))
  (workdir / 'run.json').write_text('[1]')
  with pytest.raises(UserError, match='run.json is damaged: expected'):
    run_page.open_run(str(workdir))
  shutil.rmtree(workdir)
