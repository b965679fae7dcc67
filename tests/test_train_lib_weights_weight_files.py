"""Files of weights from anyone: read by name, never run, and refused in a sentence."""

import io
import json
import shlex
import struct
import sys
import types
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from errors import UserError
from train_lib.weights import weight_files
from train_lib.weights.weight_files import open_weights, read_array

COUNTER = 'num_batches_tracked'
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def read_all(path):
  """(library, {key: values}) of a file."""
  with open_weights(path) as stored:
    return stored.library, {key: read_array(path, key, array)
                            for key, array in stored.arrays.items() if COUNTER not in key}


def safetensors(header, data=b''):
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  return struct.pack('<Q', len(text)) + text + data


def npy(shape, descr="'<f4'", data=b''):
  """An .npy file whose header may lie."""
  text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".ljust(117) + '\n'
  return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text.encode() + data


def write_zip(path, members):
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, data in members.items():
      archive.writestr(name, data)


@pytest.mark.parametrize('dtype', [np.float32, np.float16, np.float64, ml_dtypes.bfloat16])
def test_safetensors_of_every_float_come_as_float32(tmp_path, dtype):
  save_file({'a.weight': ARRAY.astype(dtype), 'a.num_batches_tracked': np.array(3)},
            tmp_path / 'w.safetensors')
  library, arrays = read_all(tmp_path / 'w.safetensors')
  assert library == 'timm' and list(arrays) == ['a.weight']
  assert arrays['a.weight'].dtype == np.float32
  np.testing.assert_array_equal(arrays['a.weight'], ARRAY)


def test_npz_is_read_by_layer_and_variable(tmp_path):
  np.savez(tmp_path / 'w.npz', **{'stem_conv/kernel:0': ARRAY, 'top/top/bias': ARRAY[0]})
  library, arrays = read_all(tmp_path / 'w.npz')
  assert library == 'keras' and set(arrays) == {'stem_conv/kernel', 'top/bias'}
  np.testing.assert_array_equal(arrays['stem_conv/kernel'], ARRAY)


@pytest.mark.parametrize('prefix, suffix', [('', ':0'), ('model_weights/', '')])
def test_h5_is_read_by_layer_and_variable(tmp_path, prefix, suffix):
  with h5py.File(tmp_path / 'w.h5', 'w') as file:
    file[f'{prefix}block1a_dwconv/block1a_dwconv/depthwise_kernel{suffix}'] = ARRAY
    file[f'{prefix}stem_bn/stem_bn/gamma{suffix}'] = ARRAY[0]
    file['optimizer_weights/adam/kernel'] = ARRAY
    file['names'] = 'text'
  library, arrays = read_all(tmp_path / 'w.h5')
  assert library == 'keras' and set(arrays) == {'block1a_dwconv/kernel', 'stem_bn/gamma'}
  np.testing.assert_array_equal(arrays['block1a_dwconv/kernel'], ARRAY)


@pytest.mark.parametrize('convs, norms', [((0, 1, 2), (0, 1, 2)), ((1, 2, 3), (1, 2, 3)),
                                          ((94, 95, 96), (17, 18, 19))])
def test_layers_that_keras_numbers_count_from_the_first_in_the_file(tmp_path, convs, norms):
  def name(base, number):
    return f'{base}_{number}' if number else base
  np.savez(tmp_path / 'w.npz', **{
    **{f'{name("conv2d", number)}/kernel': ARRAY + index for index, number in enumerate(convs)},
    **{f'{name("batch_normalization", number)}/beta': ARRAY[0] + index
       for index, number in enumerate(norms)}})
  _, arrays = read_all(tmp_path / 'w.npz')
  for index, suffix in enumerate(('', '_1', '_2')):
    assert arrays[f'conv2d{suffix}/kernel'][0, 0] == index
    assert arrays[f'batch_normalization{suffix}/beta'][0] == index


def test_a_h5_of_keras_3_without_names_is_told(tmp_path):
  with h5py.File(tmp_path / 'w.weights.h5', 'w') as file:
    file['layers/conv2d/vars/0'] = ARRAY
  with pytest.raises(UserError, match='keeps no names of layers.*model.save'):
    read_all(tmp_path / 'w.weights.h5')


def test_two_models_in_a_file_are_refused(tmp_path):
  np.savez(tmp_path / 'w.npz', **{'a/stem/kernel': ARRAY, 'b/stem/kernel': ARRAY})
  with pytest.raises(UserError, match='holds stem/kernel twice'):
    read_all(tmp_path / 'w.npz')


@pytest.mark.parametrize('suffix', ['.pth', '.pt', '.ckpt', '.bin', '.pkl'])
def test_a_pickle_is_not_opened_and_the_way_to_convert_it_is_told(tmp_path, suffix):
  path = tmp_path / f'model{suffix}'
  path.write_bytes(b'cposix\nsystem\n(S"touch owned"\ntR.')
  with pytest.raises(UserError, match=f'pickle.*torch.load.*save_file.*model{suffix}.*safetensors'):
    read_all(path)


def test_the_command_that_converts_takes_out_the_tensors_alone(monkeypatch):
  """What stands for torch here only has its names."""
  tensor = types.SimpleNamespace(numpy=None, clone=lambda: tensor, contiguous=lambda: 'values')
  saved, allowed = {}, []
  def torch_load(path, device, weights_only):
    assert (path, device, weights_only) == ('old.pth', 'cpu', True)
    return {'meta': {'sigmas': ARRAY}, 'state_dict': {'module.a': tensor, '_metadata': {}}}
  torch = types.SimpleNamespace(
    load=torch_load, serialization=types.SimpleNamespace(add_safe_globals=allowed.extend))
  fakes = types.SimpleNamespace(save_file=lambda arrays, path: saved.update({path: arrays}))
  monkeypatch.setitem(sys.modules, 'torch', torch)
  monkeypatch.setitem(sys.modules, 'safetensors.torch', fakes)
  monkeypatch.setattr('safetensors.torch', fakes, raising=False)
  monkeypatch.setattr(sys, 'argv', ['-c', 'old.pth', 'new.safetensors'])
  command, option, code = shlex.split(weight_files.CONVERT)
  assert (command, option) == ('python', '-c')
  exec(code, {})
  assert saved == {'new.safetensors': {'module.a': 'values'}}
  assert np.ndarray in allowed and type(ARRAY.dtype) in allowed


@pytest.mark.parametrize('name, message', [
  ('picture.jpg', 'no file of weights that can be read; expected .safetensors, .npz, .h5'),
  ('model.keras', 'keeps no names of layers.*model.save'),
])
def test_other_files_are_refused(tmp_path, name, message):
  (tmp_path / name).write_bytes(b'')
  with pytest.raises(UserError, match=message):
    read_all(tmp_path / name)


def test_what_is_not_there_or_lies_elsewhere_is_told(tmp_path):
  with pytest.raises(UserError, match='there is no file of weights and no run .*nothing_here'):
    read_all(tmp_path / 'nothing_here')
  with pytest.raises(UserError, match='https://a.b/c.safetensors is an address; fetch the file'):
    read_all('https://a.b/c.safetensors')


def test_the_case_of_a_suffix_does_not_matter(tmp_path):
  save_file({'a.weight': ARRAY}, tmp_path / 'W.SAFETENSORS')
  assert list(read_all(tmp_path / 'W.SAFETENSORS')[1]) == ['a.weight']


@pytest.mark.parametrize('prefix', ['module.', '_orig_mod.'])
def test_the_names_that_torch_wraps_a_net_in_are_taken_off(tmp_path, prefix):
  save_file({f'{prefix}a.weight': ARRAY, f'{prefix}b.module.c': ARRAY}, tmp_path / 'w.safetensors')
  assert list(read_all(tmp_path / 'w.safetensors')[1]) == ['a.weight', 'b.module.c']


def test_a_file_that_mixes_wrapped_names_and_others_is_refused(tmp_path):
  save_file({'module.a.weight': ARRAY, 'b': ARRAY}, tmp_path / 'w.safetensors')
  with pytest.raises(UserError, match='w.safetensors mixes names: .* weights of one net'):
    read_all(tmp_path / 'w.safetensors')


def test_whole_numbers_are_no_weights(tmp_path):
  save_file({'a.weight': ARRAY.astype(np.int64)}, tmp_path / 'w.safetensors')
  with pytest.raises(UserError, match='a.weight in .* holds int64, no floating point numbers'):
    read_all(tmp_path / 'w.safetensors')


def test_a_h5_without_its_reader_names_what_to_install(tmp_path, monkeypatch):
  (tmp_path / 'w.h5').write_bytes(b'')
  monkeypatch.setitem(sys.modules, 'h5py', None)
  with pytest.raises(UserError, match="install the extra 'keras'"):
    read_all(tmp_path / 'w.h5')


# Hostile files ----------------------------------------------------------------------------------

FAR = {'a': {'dtype': 'F32', 'shape': [1 << 20, 1 << 20], 'data_offsets': [0, 1 << 42]}}


@pytest.mark.parametrize('content', [
  b'', b'\x01\x02', struct.pack('<Q', 1 << 62) + b'{}', safetensors(b'[]'), safetensors(b'{"a"'),
  safetensors(FAR), safetensors({'a': {**FAR['a'], 'data_offsets': [0, 4]}}, bytes(4)),
  safetensors({'a': {'dtype': 'F32', 'shape': [1], 'data_offsets': [8, 4]}}, bytes(8)),
  safetensors({'a': {'dtype': 'PICKLE', 'shape': [1], 'data_offsets': [0, 4]}}, bytes(4)),
])
def test_damaged_safetensors_are_told_in_a_sentence(tmp_path, content):
  path = tmp_path / 'w.safetensors'
  path.write_bytes(content)
  with pytest.raises(UserError, match='w.safetensors is damaged or no file of its kind: .+'):
    read_all(path)


@pytest.mark.parametrize('member', [
  b'', b'no array', npy('(2, 3)', data=bytes(5)), npy("('a',)"), npy('(-1,)', data=bytes(4)),
])
def test_damaged_npz_are_told_in_a_sentence(tmp_path, member):
  path = tmp_path / 'w.npz'
  write_zip(path, {'stem/kernel.npy': member})
  with pytest.raises(UserError, match='w.npz is damaged or no file of its kind: .+'):
    read_all(path)


def test_an_npz_that_is_no_zip_and_a_h5_that_is_none(tmp_path):
  for name in ('w.npz', 'w.h5'):
    (tmp_path / name).write_bytes(b'text')
    with pytest.raises(UserError, match=f'{name} is damaged'):
      read_all(tmp_path / name)


def test_a_shape_is_known_before_anything_of_its_size_is_made(tmp_path):
  path = tmp_path / 'w.npz'
  write_zip(path, {'stem/kernel.npy': npy(f'({1 << 20}, {1 << 20})')})
  with open_weights(path) as stored:
    arrays = stored.arrays
    assert arrays['stem/kernel'].shape == (1 << 20, 1 << 20)  # 4 TiB, of which nothing is read


def test_arrays_of_objects_are_not_there(tmp_path):
  np.savez(tmp_path / 'w.npz', **{'stem/kernel': np.array([{}], object), 'top/bias': ARRAY})
  assert set(read_all(tmp_path / 'w.npz')[1]) == {'top/bias'}


def test_values_outside_the_file_are_not_read(tmp_path):
  (tmp_path / 'secret').write_bytes(ARRAY.tobytes())
  with h5py.File(tmp_path / 'w.h5', 'w') as file:
    file.create_dataset('stem/kernel', (2, 3), 'f4', external=[(str(tmp_path / 'secret'), 0, 24)])
  with pytest.raises(UserError, match='stem/kernel in .* lies in another file'):
    read_all(tmp_path / 'w.h5')
  with h5py.File(tmp_path / 'other.h5', 'w') as file:
    file['stem/kernel'] = ARRAY
  with h5py.File(tmp_path / 'link.h5', 'w') as file:
    file['stem'] = h5py.ExternalLink('other.h5', 'stem')
  assert read_all(tmp_path / 'link.h5')[1] == {}


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
  save_file({'a.weight': np.full((3,), value, np.float32)}, tmp_path / 'w.safetensors')
  with pytest.raises(UserError, match='a.weight in .* holds NaN or infinite values'):
    read_all(tmp_path / 'w.safetensors')


def test_a_file_may_lie_about_an_array_only_until_it_is_read(tmp_path):
  path = tmp_path / 'w.npz'
  stream = io.BytesIO()
  np.save(stream, ARRAY)
  write_zip(path, {'stem/kernel.npy': stream.getvalue()[:-4]})
  with open_weights(path) as stored:
    arrays = stored.arrays
    assert arrays['stem/kernel'].shape == (2, 3)
    with pytest.raises(UserError, match='damaged'):
      read_array(path, 'stem/kernel', arrays['stem/kernel'])


# The hub ----------------------------------------------------------------------------------------


def test_hf_hub_fetches_the_safetensors_of_the_repository(tmp_path, monkeypatch):
  save_file({'a.weight': ARRAY}, tmp_path / 'w.safetensors')
  calls = []
  def download(repository, file):
    calls.append((repository, file))
    return str(tmp_path / 'w.safetensors')
  monkeypatch.setitem(
    sys.modules, 'huggingface_hub', types.SimpleNamespace(hf_hub_download=download))
  (tmp_path / 'config.json').write_text(json.dumps({
    'architecture': 'hrnet_w32', 'pretrained_cfg': {'mean': [0.5] * 3, 'std': [0.25] * 3}}))
  with open_weights('hf-hub:timm/hrnet_w32.ms_in1k') as stored:
    assert stored.library == 'timm' and list(stored.arrays) == ['a.weight']
    assert stored.net == 'hrnet_w32' and stored.pixels == ((127.5,) * 3, (63.75,) * 3)
  assert calls == [('timm/hrnet_w32.ms_in1k', 'config.json'),
                   ('timm/hrnet_w32.ms_in1k', 'model.safetensors')]


def test_hf_hub_without_its_package_or_network_says_what_to_do(monkeypatch):
  monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
  with pytest.raises(UserError, match="install the extra 'hub'.*or fetch its model.safetensors"):
    read_all('hf-hub:timm/some_net')
  def fail(repository, file):
    raise OSError('network is unreachable\nlong trace')
  monkeypatch.setitem(sys.modules, 'huggingface_hub', types.SimpleNamespace(hf_hub_download=fail))
  with pytest.raises(UserError, match=r'could not be fetched \(network is unreachable\)'):
    read_all('hf-hub:timm/some_net')


@pytest.mark.parametrize('name', ['', 'timm', 'timm/', 'a/b/c', '../../etc', 'a b/c'])
def test_names_of_no_repository_are_refused(name):
  with pytest.raises(UserError, match='names no model'):
    read_all(f'{weight_files.HUB}{name}')
