"""Drawn scans are files that other jobs read; what is written of them is true."""

import types

import cv2
import numpy as np
import pytest

from data.decode import decode_image
from data.sources import folder as folder_source
from errors import UserError
from tests.small_scans import (
  LATENT,
  SIDE,
  Split,
  make_config,
  make_squares,
  make_trained,
  write_png,
)
from tests.tables import read_csv
from train_lib import build_data, build_sources
from train_lib.preemption import Preempted
from train_lib.scans import scan_judge, synthesis
from train_lib.scans.latent_draws import KINDS
from train_lib.storage import records

NEVER = types.SimpleNamespace(check=lambda: None)


@pytest.fixture
def opened(monkeypatch):
  """A net, and splits, in place of what a workdir and its config name."""
  monkeypatch.setattr(synthesis, 'open_trained', lambda *_: make_trained())
  monkeypatch.setattr(build_sources, 'build_source', lambda config, split, poll: split)
  splits = {'train': Split(30, 1), 'test': Split(20, 2)}
  monkeypatch.setattr(build_data, 'build_evaluation_loader',
                      lambda config, split, keys: splits[split])
  monkeypatch.setattr(build_data, 'build_pixel_loader', lambda config, split: splits[split])
  return splits


def write_starts(folder):
  """Five scans in two class folders, which the net gives back as they are."""
  pictures = make_squares(5, 7)
  names = ['ill/0.png', 'ill/1.png', 'ill/2.png', 'well/0.png', 'well/1.png']
  for name, picture in zip(names, pictures, strict=True):
    write_png(folder / name, picture, bits=8)             # shown as they are
  return names, pictures


def draw(output, kind='prior', source='', preemption=NEVER, **changes):
  config = make_config()
  with config.unlocked():
    config.synthesize.update({'kind': kind, 'count': 6, **changes})
  synthesis.synthesize(config, 'runs/vae', str(source), str(output), preemption)
  return read_csv(output / 'manifest.csv')


def read(path):
  return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def written(folder):
  return {path.relative_to(folder).as_posix(): path.read_bytes()
          for path in (folder / 'pictures').rglob('*') if path.is_file()}


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_writes_grey_pictures_of_16_bits_a_manifest_sheets_and_figures(
    opened, tmp_path, capsys, kind):
  anchored = kind in ('around', 'between')
  write_starts(tmp_path / 'in')
  rows = draw(tmp_path / 'out', kind, tmp_path / 'in' if anchored else '', steps=3)
  assert len(rows) == {'around': 30, 'between': 12}.get(kind, 6)
  assert {row['file'] for row in rows} == set(written(tmp_path / 'out'))
  assert [int(row['index']) for row in rows] == list(range(len(rows)))
  assert all(row['kind'] == kind and row['seed'] == '0' for row in rows)
  for row in rows:
    pixels = read(tmp_path / 'out' / row['file'])
    assert pixels.dtype == np.uint16 and pixels.shape == (SIDE, SIDE)
  names = {path.name for path in (tmp_path / 'out').iterdir()}
  assert names == {'pictures', 'manifest.csv', 'samples.png', 'quality.json', 'latent_map.png',
                   *['between.png'] * (kind == 'between')}
  quality = records.read_json(tmp_path / 'out' / 'quality.json')
  assert quality['kind'] == kind and quality['judge'] == "the autoencoder's own encoder"
  assert quality['train'] > 0 and quality['scans']['test'] == 20
  said = capsys.readouterr().out
  assert f'{quality["drawn"]:.4g}; of as many scans ({quality["scans"]["drawn"]})' in said


@pytest.mark.parametrize('kind', KINDS)
def test_pictures_depend_on_seed_and_index_alone(opened, tmp_path, kind):
  source = tmp_path / 'in' if kind in ('around', 'between') else ''
  write_starts(tmp_path / 'in')
  draw(tmp_path / 'one', kind, source, batch_size=1)
  draw(tmp_path / 'four', kind, source, batch_size=4)
  one, four = written(tmp_path / 'one'), written(tmp_path / 'four')
  assert one.keys() == four.keys()
  for name in one:
    difference = read(tmp_path / 'one' / name).astype(int) - read(tmp_path / 'four' / name)
    assert np.abs(difference).max() <= 1                # a step of 65,535: rounding of floats
  if kind not in ('around', 'between'):
    draw(tmp_path / 'more', kind, count=9)
    assert written(tmp_path / 'more').items() >= four.items()
    draw(tmp_path / 'seed', kind, seed=1)
    assert not set(written(tmp_path / 'seed').items()) & set(four.items())


def test_the_same_command_writes_the_same_again_and_others_are_refused(opened, tmp_path):
  draw(tmp_path / 'out')
  before = written(tmp_path / 'out')
  (tmp_path / 'out' / 'pictures' / '000003.png').unlink()
  draw(tmp_path / 'out')
  assert written(tmp_path / 'out') == before
  with pytest.raises(UserError, match=r"holds 1 files that this command .* such as '000005.png'"):
    draw(tmp_path / 'out', count=5)


def test_class_folders_stay_and_are_data_for_a_classifier(opened, tmp_path):
  names, pictures = write_starts(tmp_path / 'in')
  rows = draw(tmp_path / 'out', 'around', tmp_path / 'in', count=3)
  assert [row['from'] for row in rows] == [name for name in names for _ in range(3)]
  assert [row['folder'] for row in rows] == [row['from'].split('/')[0] for row in rows]
  found = folder_source.list_pictures(tmp_path / 'out' / 'pictures')
  assert sorted({path.parent.name for path in found}) == ['ill', 'well'] and len(found) == 15
  for row in rows:
    drawn = decode_image((tmp_path / 'out' / row['file']).read_bytes(), max_pixels=10 ** 6)
    start = pictures[names.index(row['from'])]
    difference = np.abs(drawn[..., :1] / 255 - start)
    assert 0.001 < difference.mean() < 0.06             # a deviation of exp(-2.5), of 0.25


def test_scans_between_go_from_the_one_to_the_next_in_a_line(opened, tmp_path):
  names, pictures = write_starts(tmp_path / 'in')
  rows = draw(tmp_path / 'out', 'between', tmp_path / 'in', steps=3)
  assert [(row['from'], row['to']) for row in rows[::3]] == list(
      zip(names[:-1], names[1:], strict=True))
  assert [float(row['share']) for row in rows[:3]] == [0.25, 0.5, 0.75]
  for place, row in enumerate(rows):
    first, last = pictures[place // 3:place // 3 + 2]
    share = float(row['share'])
    wanted = (1 - share) * first + share * last
    np.testing.assert_allclose(read(tmp_path / 'out' / row['file']) / 65_535, wanted[..., 0],
                               atol=0.003)


def test_starts_are_seen_as_the_net_saw_scans_in_training(opened, tmp_path):
  _, pictures = write_starts(tmp_path / 'in')
  config = make_config()
  config.synthesize.kind, config.synthesize.count, config.synthesize.deviation = 'around', 1, 0.0
  config.data.corrupt, config.data.keep_frac = ('keep',), 0.4
  synthesis.synthesize(config, 'runs/vae', str(tmp_path / 'in'), str(tmp_path / 'out'), NEVER)
  drawn = np.stack([read(path) for path in sorted((tmp_path / 'out/pictures').rglob('*.png'))])
  assert drawn.mean() / 65_535 == pytest.approx(0.4 * pictures.mean(), rel=0.1)


def test_slices_of_a_volume_are_starts_of_their_own(opened, tmp_path):
  from tests import scan_files
  scan_files.write_nifti(tmp_path / 'in' / 'v.nii',
                         np.random.default_rng(0).random((16, 16, 3)).astype(np.float32))
  rows = draw(tmp_path / 'out', 'around', tmp_path / 'in', count=1)
  assert [row['from'] for row in rows] == ['v.nii#0', 'v.nii#1', 'v.nii#2']


def test_scans_that_cannot_be_read_are_left_out(opened, tmp_path, capsys):
  write_starts(tmp_path / 'in')
  (tmp_path / 'in' / 'broken.png').write_bytes(b'no scan')
  rows = draw(tmp_path / 'out', 'around', tmp_path / 'in', count=1)
  assert len(rows) == 5 and 'broken.png is left out' in capsys.readouterr().out


def test_fitted_scans_are_nearer_to_real_ones_than_those_of_the_prior(opened, tmp_path):
  quality = {}
  for kind in ('prior', 'fitted'):
    draw(tmp_path / kind, kind, count=30)
    quality[kind] = records.read_json(tmp_path / kind / 'quality.json')
  assert quality['fitted']['drawn'] < quality['prior']['drawn']


def test_without_a_judge_no_data_are_read(opened, tmp_path, monkeypatch):
  monkeypatch.setattr(build_sources, 'build_source', None)
  draw(tmp_path / 'out', judge='none')
  names = {path.name for path in (tmp_path / 'out').iterdir()}
  assert names == {'pictures', 'manifest.csv', 'samples.png'}


def test_of_one_scan_no_quality_is_measured(opened, tmp_path, capsys):
  draw(tmp_path / 'out', count=1)
  assert not (tmp_path / 'out' / 'quality.json').exists()
  assert 'no quality' in capsys.readouterr().out


def test_many_draws_are_sampled_for_figures_and_sheets(opened, tmp_path, monkeypatch):
  for module, name in ((synthesis, 'SHOWN'), (synthesis, 'MOST_MAPPED'),
                       (scan_judge, 'MOST_JUDGED')):
    monkeypatch.setattr(module, name, 5)
  draw(tmp_path / 'out', count=23)
  assert records.read_json(tmp_path / 'out' / 'quality.json')['scans'] == {
      'drawn': 5, 'train': 5, 'blurred': 5, 'test': 5}
  assert len(written(tmp_path / 'out')) == 23


def test_a_stop_leaves_whole_pictures(opened, tmp_path):
  calls = []

  def check():
    calls.append(1)
    if (tmp_path / 'out' / 'pictures').exists():
      raise Preempted

  with pytest.raises(Preempted):
    draw(tmp_path / 'out', preemption=types.SimpleNamespace(check=check))
  assert sorted(written(tmp_path / 'out')) == [f'pictures/{place:06d}.png' for place in range(4)]
  assert all(read(tmp_path / 'out' / name) is not None for name in written(tmp_path / 'out'))
  draw(tmp_path / 'out')
  assert len(written(tmp_path / 'out')) == 6 and calls


@pytest.mark.parametrize('changes, message', [
    ({'kind': 'random'}, "kind 'random' is unknown; choices: prior, fitted, around, between"),
    ({'kind': 'around'}, "'around' starts from scans: name a scan or a folder"),
    ({'kind': 'fitted', 'source': 'in'}, "'fitted' looks at no scan, and --input is 'in'"),
    ({'count': 0}, 'synthesize.count is 0; expected 1 to'),
    ({'steps': 0}, 'synthesize.steps is 0'),
    ({'seed': -1}, 'synthesize.seed is -1'),
    ({'deviation': float('nan')}, 'synthesize.deviation is nan'),
    ({'deviation': -1.0}, 'synthesize.deviation is -1.0; expected 0 to 1000'),
    ({'batch_size': 0}, 'synthesize.batch_size is 0')])
def test_settings_that_make_no_sense_are_told(opened, tmp_path, changes, message):
  with pytest.raises(UserError, match=message):
    draw(tmp_path / 'out', **changes)
  assert not (tmp_path / 'out').exists()


def test_a_run_of_another_task_is_told():
  config = make_config()
  config.task = 'pose'
  with pytest.raises(UserError, match="run of the task 'pose'; scans are drawn by one of configs/"):
    synthesis.check(config, 'runs/pose', '')


def test_inputs_that_make_no_sense_are_told(opened, tmp_path):
  names, _ = write_starts(tmp_path / 'in')
  with pytest.raises(UserError, match='lies inside of the input'):
    draw(tmp_path / 'in' / 'out', 'around', tmp_path / 'in')
  with pytest.raises(UserError, match="needs two scans or more, and '.*' holds one"):
    draw(tmp_path / 'out', 'between', tmp_path / 'in' / names[0])
  (tmp_path / 'bad').mkdir()
  (tmp_path / 'bad' / 'a.png').write_bytes(b'no scan')
  with pytest.raises(UserError, match='holds no scan that can be read'):
    draw(tmp_path / 'out', 'around', tmp_path / 'bad')


def test_a_coder_fills_up_its_last_batch_and_gives_what_was_asked():
  coder = synthesis.Coder(make_trained(2), 'rows', 4)
  pictures = make_squares(7, 3)
  means, logvars = coder.encode(pictures)
  assert means.shape == logvars.shape == (7, LATENT)
  np.testing.assert_allclose(coder.decode(means), pictures, atol=1e-5)
  np.testing.assert_allclose(coder.restore(pictures), pictures, atol=1e-5)
  with pytest.raises(UserError, match='rows is 3; it must be a positive multiple of 2 devices'):
    synthesis.Coder(make_trained(2), 'rows', 3)
