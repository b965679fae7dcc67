"""What commands leave is read into figures, and figures become tables and rows of the summary."""

import json
import pathlib
import re

import pytest

from benchmarks.results import reading, summary, tables
from benchmarks.results.parts import PARTS

ROOT = pathlib.Path(__file__).parent.parent
NET = {'map': 0.41834567, 'micro_f1': 0.5, 'macro_f1': 0.3, 'micro_f1_tuned': 0.6,
       'macro_f1_tuned': 0.4, 'loss': 1.0}
TAPS = '''reading 906 pictures
906 pictures of 10 classes; inception_v3; 5 seeds
906 pictures are clustered, 86 to 92 of a class
                                 nmi                 ari  hungarian_accuracy
pixels                0.124 +- 0.020      0.061 +- 0.011      0.269 +- 0.019
stem                  0.091 +- 0.007     -0.001 +- 0.004      0.228 +- 0.011
  random kernels      0.059 +- 0.011      0.020 +- 0.001      0.200 +- 0.010
mixed_7a              0.419 +- 0.011      0.285 +- 0.012      0.477 +- 0.017
  random kernels      0.059 +- 0.008      0.020 +- 0.001      0.200 +- 0.010
'''
SIMPLE = '''oko: something said before
/somewhere/faces: train 7,214, valid 780, test 1,000
                           valid    test   fit s
logistic regression        0.480   0.484     1.3
support vectors, RBF       0.650   0.646     9.9
the net                    0.740   0.731
'''


def write_run(folder, rows, seconds=12.5):
  """A workdir with the record of a finished run."""
  folder.mkdir(parents=True)
  record = {'test': rows, 'goodput': {'total_sec': seconds}}
  (folder / 'run.json').write_text(json.dumps(record))


def cells(line):
  return [cell.strip() for cell in line.strip('|').split('|')]


def lines_of(text):
  """{first cell: the others} of a Markdown table."""
  return {first: rest for first, *rest in map(cells, text.splitlines()) if set(first) != {'-'}}


def study_results(**rows):
  return {'results': {row: {str(seed): {**NET, 'accuracy': value, 'macro_f1': value, 'nll': 1.0,
                                        'calibration_error': 0.1, 'seconds': 10.0 + seed}
                            for seed, value in enumerate(values)}
                      for row, values in rows.items()}}


def test_a_run_gives_a_row_for_each_of_its_test_table(tmp_path):
  write_run(tmp_path / 'run', {'net': NET, 'constant': {**NET, 'map': None}, 'of ours': NET})
  found = reading.run(tmp_path / 'run')
  assert found['rows']['net']['map'] == 0.418346 and found['seconds'] == 12.5
  table = lines_of(tables.of_rows(found, tables.TAGS))
  assert table['the net'] == ['0.418', '0.500', '0.300', '0.600', '0.400']
  assert table['best constant'][0] == '' and 'of ours' in table
  row = summary.tagger({'demo': found, 'seconds': 500})
  assert row[2] == 'macro F1 0.400 (0.400), micro F1 0.600 (0.600), mAP 0.418 (0.418)'


def test_the_oracle_is_no_rival_and_the_best_of_the_others_is(tmp_path):
  rows = {'net': {'map': 0.5}, 'constant': {'map': 0.1}, 'x': {'map': 0.3}, 'oracle': {'map': 0.9}}
  assert tables.best_rival(rows, 'map') == 0.3


def test_evaluation_is_read_from_its_own_file(tmp_path):
  (tmp_path / 'evaluation.json').write_text(json.dumps({'test': {'net': NET}}))
  assert reading.evaluation(tmp_path)['rows']['net']['macro_f1_tuned'] == 0.4


def test_a_study_tells_means_intervals_and_paired_differences(tmp_path):
  results = study_results(**{'whole picture': (0.5, 0.6, 0.7), 'cut, by it': (0.6, 0.7, 0.8)})
  for row in results['results'].values():
    for figures in row.values():
      del figures['seconds']
  (tmp_path / 'study.json').write_text(json.dumps(results['results']))
  write_run(tmp_path / 'cut-by-it' / '1', {}, seconds=33.0)
  found = reading.study(tmp_path)
  table = lines_of(tables.of_study(found, 'classification', tables.CLASSES_IN_SHORT, seconds=True))
  assert table['whole picture'] == ['0.600 ± 0.248', '0.600 ± 0.248', '', '']
  assert table['cut, by it'][0] == '0.700 ± 0.248'
  assert table['cut, by it'][2].startswith('+0.100') and table['cut, by it'][3] == '33 s'


def test_a_run_that_diverged_is_told_and_does_not_count():
  found = study_results(one=(0.5, 0.7), two=(0.6, 0.6))
  found['results']['two']['0'] = {'diverged': 'the loss is nan'}
  table = lines_of(tables.of_study(found, 'tagging', tables.TAGS_OF_STUDY, threshold=True))
  assert table['two (1 of 2 diverged)'][0] == '0.400' and table['one'][-1] == ''


def test_the_summary_tells_the_rows_that_matter():
  found = study_results(**{'frozen trunk': (0.8,), 'last block trained': (0.9, 0.9),
                           'small net, from scratch': (0.5, 0.7)})
  assert summary.transfer(found)[2] == (
      'accuracy 0.900 (head alone 0.800; a net of 0.2 M from scratch 0.600 ± 1.271)')
  found = study_results(**{'whole picture': (0.4,), 'cut out by predicted joints': (0.6,)})
  assert summary.crop(found)[2] == 'accuracy 0.400 whole, 0.600 cut'
  rows = {'net': {'ap': 0.84, 'recovered': 0.92}, 'mean pose': {'ap': 0.012, 'recovered': 0.97}}
  assert summary.pose({'rows': rows})[2] == 'AP 0.840 (0.012)'
  assert summary.scans({'rows': rows})[2].endswith('from 40 % (0.970)')


def test_taps_are_read_with_their_random_kernels():
  found = reading.taps(TAPS)
  table = lines_of(tables.of_taps(found))
  assert table['pixels'] == ['0.124 ± 0.020', '0.061 ± 0.011', '0.269 ± 0.019', '']
  assert table['`stem`'][1:] == ['-0.001 ± 0.004', '0.228 ± 0.011', '0.059 ± 0.011']
  assert '`mixed_7a`, the last' in table
  assert '906 pictures are clustered, 86 to 92 of a class.' in tables.of_taps(found)
  assert summary.clusters(found)[2] == 'NMI 0.419 ± 0.011 (pixels 0.124 ± 0.020)'


def test_simple_models_stand_in_the_order_of_the_validation_split():
  one = {**reading.simple_models(SIMPLE), 'seconds': 117}
  assert one['counts'] == {'train': 7214, 'valid': 780, 'test': 1000}
  head, _, row, _ = tables.of_small_pictures({'faces': one, 'cifar10': one}).splitlines()
  assert cells(head)[3:] == ['support vectors, RBF', 'logistic regression']
  assert cells(row)[1:] == ['0.731', '1 min 57 s', '0.646', '0.484']
  assert '7,214 to train, 1,000 to test' in row
  assert summary.faces({'faces': one})[2] == 'accuracy 0.731 (0.646)'


def test_a_tuned_study_is_read_at_the_rates_that_were_chosen(tmp_path):
  within = 'rates within 10% of the best row: factor'
  (tmp_path / 'table.csv').write_text(
      f'row,learning rate,{within},diverged,steps to target\n'
      'SGD,0.9,2.3 (0.52 to 1.2; 1 run),0 of 4,276\n'
      'Adam,0.009,9 (0.003 to 0.027; 2 run),1 of 4,218\n')
  (tmp_path / 'cells.csv').write_text(
      'row,learning_rate,seed,diverged,valid/map,test/macro_f1_tuned,test/map\n'
      'SGD,0.3,0,,0.1,0.1,0.1\nSGD,0.9,0,,0.1,0.2,0.3\nSGD,0.9,1,,0.1,0.3,0.3\n'
      'Adam,0.009,0,,0.1,0.4,0.3\nAdam,0.009,1,,0.1,0.5,0.3\nAdam,0.1,1,broke,,,\n')
  found = reading.tuned_study(tmp_path)
  table = lines_of(tables.of_optimizers(found))
  assert table['SGD'][0] == '0.9' and table['SGD'][1].startswith('0.250 ± ') and not table['SGD'][2]
  assert table['Adam'][2:4] == ['+0.200', '0.300'] and table['Adam'][-2:] == ['1 of 4', '218']
  assert table['Adam'][4].startswith('9 (')
  assert summary.optimizers(found)[2] == 'macro F1 0.250 to 0.450, ± 0.635 to 0.635'


def test_every_patient_that_is_left_out_has_the_same_say(tmp_path):
  for number, (psnr, examples) in enumerate(((10.0, 1), (20.0, 9))):
    (tmp_path / f'{number:03d}').mkdir()
    row = {'psnr': psnr, 'ssim': 0.5, 'recovered': 0.7, 'recovered_lost': 0.1}
    (tmp_path / f'{number:03d}' / 'left_out.json').write_text(json.dumps(
        {'net': {**row, 'examples': examples}, 'mean of neighbours': row}))
  text = tables.of_left_out(reading.left_out(tmp_path))
  assert lines_of(text)['the net'] == ['15.00', '0.500', '0.700', '0.100']
  assert text.endswith('Means over 2 patients and volumes, 10 slices.')


def test_a_printed_table_is_read_by_its_gaps():
  log = ('oko: started again\nse_resnet, 32 pictures\n  tags  head M         step ms\n'
         '   100    0.05  255.1 (250 to 260)\n 1,000    0.51  252.0 (250 to 255)\nend\n')
  found = reading.printed_table(log, 'tags')
  assert found['rows'][1] == ['1,000', '0.51', '252.0 (250 to 255)']
  table = tables.of_printed(found, {'tags': 'tags', 'step ms': 'step, ms'})
  assert lines_of(table)['100'] == ['255.1 (250 to 260)']


def test_kmeans_is_read_line_by_line():
  log = ('jax 0.10.2, scikit-learn 1.9.1; threads: openmp 2\n'
         'ours, one iteration with its compilation: 1.40 s\n'
         '20 starts: ours 1.17 s, scikit-learn 5.73 s; ours takes 0.21 of its time\n'
         'ours: 2.52 s (2.40 to 2.70), of the processors 4.80 s, inertia 1.5e+07; ours takes 1.00 '
         "of its time, 1.00 of its processors'\n"
         'scikit-learn: 2.30 s (2.20 to 2.70), of the processors 4.30 s, inertia 1.5e+07; ours '
         "takes 0.96 of its time, 1.11 of its processors'\n")
  text = tables.of_kmeans({'blobs': reading.kmeans(log)})
  assert lines_of(text)['blobs'] == ['2.52 s', '2.30 s', '0.96, 1.11']
  assert '- blobs: 20 starts: ours 1.17 s' in text


def test_faults_are_rows_with_what_came_of_them():
  log = ('reference: 14 s without any fault\n'
         'F1   pass    33 s  SIGKILL at random steps\n                  killed 20 times; the\n'
         '                  same\nF2   FAIL     5 s  SIGTERM\n                  Error: a | b\n\n'
         '1 of 2 scenarios passed in 38 s\nfailed: F2; what the runs left is in x\n')
  found = reading.faults(log)
  table = lines_of(tables.of_faults(found))
  assert table['F1'] == ['SIGKILL at random steps', 'killed 20 times; the same', '33 s']
  assert table['F2'][1].startswith('FAILED: Error: a')
  assert summary.faults(found)[1:3] == ('2 ways to harm a run', '1 of 2 come out as they must')


def test_nets_and_input_beside_others_are_read_from_json(tmp_path):
  rows = [{'model': 'net', 'img_size': 64, 'batch_size': 8, 'mode': mode, 'program': program,
           'param_count': 1, 'samples_per_sec_of_turns': [10.0, 12.0],
           'ours_over_it_of_turns': [1.0, 1.5]}
          for program in ('ours', 'torch') for mode in ('train', 'infer')]
  (tmp_path / 'nets.json').write_text(json.dumps({'rows': rows}))
  ours, torch = tables.of_nets(reading.beside_nets(tmp_path / 'nets.json')).splitlines()[2:]
  assert cells(ours)[0] == '`net`, 64 px, batch 8, 2 turns' and cells(ours)[3] == ''
  assert cells(torch)[1:4] == ['torch', '11.0 (10.0 to 12.0)', '1.25 (1.00 to 1.50)']
  answer = {'pictures': 100, 'seconds': 2.0, 'processor_seconds': 4.0}
  turns = {'ours, threads': [answer], 'tf.data, batches': [answer]}
  (tmp_path / 'input.json').write_text(json.dumps({'cases': {'page': {'turns': turns}}}))
  text = tables.of_input(reading.beside_input(tmp_path / 'input.json'))
  assert cells(text.splitlines()[2])[:4] == ['page', 'ours, threads', '50.0 (50.0 to 50.0)',
                                             '25.0 (25.0 to 25.0)']


@pytest.mark.parametrize('read', [
    reading.taps, reading.simple_models, reading.kmeans, reading.faults,
    lambda log: reading.printed_table(log, 'way'), lambda log: reading.lines(log, 'start .*')])
def test_output_of_another_form_is_told_and_gives_no_empty_table(read):
  with pytest.raises(reading.Unreadable, match='no .* in what was printed.*\n.*something else'):
    read('something else\n')


def test_times_are_told_as_people_do():
  assert [tables.human(seconds) for seconds in (45.2, 671, 9000)] == [
      '45 s', '11 min 11 s', '2 h 30 min']


def test_every_table_has_a_place_in_the_page_and_every_place_a_part():
  page = (ROOT / 'docs/results.md').read_text()
  places = re.findall(r'<!-- (\w+) -->', page)
  assert len(set(places)) == len(places)
  source = (ROOT / 'benchmarks/results/parts.py').read_text()
  assert set(places) == {place for place in re.findall(r"'(\w+)': tables\.", source)}
  assert len(places) >= len(PARTS)


def test_the_readme_has_the_rows_that_the_summary_replaces():
  readme = (ROOT / 'README.md').read_text()
  block = readme.partition('<!-- summary -->')[2].partition('<!-- /summary -->')[0]
  source = (ROOT / 'benchmarks/results/summary.py').read_text()
  names = re.findall(r"return \(['\"]([^\n]*?)['\"],", source)
  assert len(names) == sum(part.summary is not None for part in PARTS.values())
  for name in names:
    assert f'| {name} |' in block, name
