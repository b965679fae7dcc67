"""What an exported graph looks like: an open batch, few nodes; and it is checked, then kept."""

import collections
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nets
from errors import UserError
from nets import layers
from tests.drawn_nets import draw_variables
from tests.net_families import EXPORTED

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from train_lib.onnx_export.build import build_model, make_inputs  # noqa: E402
from train_lib.onnx_export.check import check_model, compare, open_session, save_model  # noqa: E402

SIZE_PX = 64


@pytest.fixture(scope='module')
def tagger():
  """The smallest tagger as a function of pictures."""
  net = nets.build_net('se_resnet_tiny', 5)
  return make_function(net, draw_variables(net, (SIZE_PX, SIZE_PX, 3)))


def make_function(net, variables):
  def infer(image):
    with layers.conv_form('plain'):
      return net.apply(variables, image, train=False)[0]
  return infer


def make_rows(batch, size=SIZE_PX, channels=3):
  rng = np.random.default_rng(batch)
  return {'image': rng.normal(size=(batch, size, size, channels)).astype(np.float32)}


@pytest.fixture(scope='module')
def model(tagger):
  return build_model(tagger, make_inputs(image=(SIZE_PX, SIZE_PX, 3)), ('logits',),
                     about={'net': 'se_resnet_tiny'})


def count(model):
  return collections.Counter(node.op_type for node in model.graph.node)


def test_a_net_gives_in_onnx_what_it_gives_in_jax_for_any_batch(model, tagger):
  assert check_model(model, tagger, make_rows) < 1e-5


def test_inputs_and_outputs_have_their_names_and_an_open_batch(model):
  session = open_session(model)
  (image,), (logits,) = session.get_inputs(), session.get_outputs()
  assert (image.name, image.shape) == ('image', ['N', SIZE_PX, SIZE_PX, 3])
  assert (logits.name, logits.shape) == ('logits', ['N', 5])


def test_a_net_stays_channels_first_between_its_convolutions(model):
  assert count(model)['Transpose'] == 1  # of the picture


def test_batch_norm_is_taken_up_by_the_convolution_before_it(model):
  counts = count(model)
  assert counts['Conv'] == 12 and counts['Sub'] == counts['Identity'] == 0
  assert counts['Add'] == counts['Mul'] == 4  # residual branches, gates


def test_nodes_are_named_as_the_parts_of_the_net(model):
  assert any(node.name == 'SEResNet/stem/conv/Conv' or 'stage1_block1' in node.name
             for node in model.graph.node)


def test_the_file_says_what_it_is(model):
  assert {one.key: one.value for one in model.metadata_props} == {'net': 'se_resnet_tiny'}
  assert model.opset_import[0].version == 17


def test_equal_constants_are_kept_once():
  weights = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
  model = build_model(lambda x: (x @ weights) @ weights.copy(), make_inputs(x=(4,)), ('y',))
  assert len(model.graph.initializer) == 1


def test_what_depends_on_constants_alone_is_computed_when_the_graph_is_made():
  weights = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
  model = build_model(lambda x: x @ jnp.linalg.inv(weights).T, make_inputs(x=(4,)), ('y',))
  assert count(model) == {'Gemm': 1}


def test_a_sum_that_another_layer_reads_is_not_taken_up():
  kernel = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
  def function(x):
    y = x @ kernel
    return y * 2, y
  model = build_model(function, make_inputs(x=(4,)), ('twice', 'once'))
  rows = np.random.default_rng(1)
  check_model(model, function, lambda batch: {'x': rows.normal(size=(batch, 4)).astype(np.float32)})
  assert count(model)['Mul'] == 1


def test_an_input_and_a_constant_may_be_outputs():
  def function(x):
    return x, jnp.arange(3.0), x.transpose(1, 0)
  model = build_model(function, make_inputs(x=(4,)), ('same', 'fixed', 'turned'))
  check_model(model, function, lambda batch: {'x': np.ones((batch, 4), np.float32)})


def test_a_float64_constant_is_no_weight_of_the_file(model):
  kinds = {one.data_type for one in model.graph.initializer}
  assert kinds <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}


def preprocessed(net, variables, size):
  """BGR pictures 0..255 of any size -> probabilities: what programs for taggers load."""
  mean, std = (np.asarray(value, np.float32) for value in ((127.5,) * 3, (127.5,) * 3))
  def infer(image):
    image = jax.image.resize(image, (image.shape[0], size, size, 3), 'bilinear', antialias=True)
    return jax.nn.sigmoid(make_function(net, variables)((image[..., ::-1] - mean) / std))
  return infer


def test_preprocessing_and_sigmoid_stand_in_the_graph():
  net = nets.build_net('se_resnet_tiny', 5)
  function = preprocessed(net, draw_variables(net, (SIZE_PX, SIZE_PX, 3)), SIZE_PX)
  model = build_model(function, make_inputs(image=(112, 112, 3)), ('probabilities',))
  def rows(batch):
    return {'image': np.random.default_rng(batch).integers(
      0, 256, (batch, 112, 112, 3)).astype(np.float32)}
  check_model(model, function, rows, batches=(1, 2))


def test_a_model_that_differs_is_not_kept(model, tagger, tmp_path):
  path = tmp_path / 'export' / 'model.onnx'
  with pytest.raises(UserError, match=r'logits of 2 rows differs .* by [\d.e+-]+ of its largest'):
    save_model(path, model, lambda image: tagger(image) * 1.01, make_rows, batches=(2,))
  assert not path.exists()
  assert save_model(path, model, tagger, make_rows, batches=(2,)) < 1e-5
  assert [one.name for one in path.parent.iterdir()] == ['model.onnx']
  onnx.checker.check_model(str(path))


def test_nan_is_no_agreement(model, tagger):
  with pytest.raises(UserError, match='differs'):
    check_model(model, lambda image: tagger(image) * np.nan, make_rows, batches=(1,))


def test_difference_is_a_share_of_the_largest_value():
  assert compare(np.array([1.0, 4.0]), np.array([2.0, 4.0])) == 0.25
  assert compare(np.zeros(2), np.zeros(2)) == 0


def test_names_must_be_as_many_as_outputs():
  with pytest.raises(UserError, match='returns 2 arrays, and 1 names'):
    build_model(lambda x: (x, x), make_inputs(x=(4,)), ('y',))


@pytest.mark.parametrize('package, use', [
  ('onnx', lambda model: build_model(lambda x: x, make_inputs(x=(4,)), ('y',))),
  ('onnxruntime', open_session)])
def test_a_package_that_is_not_installed_is_named(package, use, model, monkeypatch):
  monkeypatch.setitem(sys.modules, package, None)
  with pytest.raises(UserError, match=rf"package {package}: pip install -e '\.\[onnx\]'"):
    use(model)


@pytest.mark.slow
@pytest.mark.parametrize('name', EXPORTED)
def test_every_family_agrees(name):
  net, size = nets.build_net(name, 5), EXPORTED[name]
  channels = len(nets.get_variant(name).mean)
  function = make_function(net, draw_variables(net, (size, size, channels)))
  model = build_model(function, make_inputs(image=(size, size, channels)), ('output',))
  check_model(model, function, lambda batch: make_rows(batch, size, channels))
