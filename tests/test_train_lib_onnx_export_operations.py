"""Each operation of a traced function becomes operators of ONNX that give the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from errors import UserError

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from train_lib.onnx_export.build import build_model, make_inputs  # noqa: E402
from train_lib.onnx_export.check import check_model  # noqa: E402

SHAPE = (6, 5, 4)  # of one row: height, width, channels
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 2, 4, 6)).astype(np.float32)
GROUPED = RNG.normal(size=(3, 3, 2, 6)).astype(np.float32)
MATRIX = RNG.normal(size=(4, 7)).astype(np.float32)
MAP = RNG.normal(size=(6, 5, 1)).astype(np.float32)
LAYOUT = ('NHWC', 'HWIO', 'NHWC')


def convolve(x, kernel=KERNEL, stride=(1, 1), padding=((0, 0), (0, 0)), **options):
  return lax.conv_general_dilated(x, kernel, stride, padding, dimension_numbers=LAYOUT, **options)


def pool(x, function, start, size, stride, padding):
  return lax.reduce_window(x, start, function, (1, *size, 1), (1, *stride, 1),
                           ((0, 0), *padding, (0, 0)))


def normalised(x):
  mean = x.mean(axis=-1, keepdims=True)
  return (x - mean) * lax.rsqrt(jnp.square(x - mean).mean(axis=-1, keepdims=True) + 1e-6)


def attention(x):
  x = x.reshape(x.shape[0], -1, 2, 2)
  weights = jax.nn.softmax(jnp.einsum('nqhd,nkhd->nhqk', x, x))
  return jnp.einsum('nhqk,nkhd->nqhd', weights, x).reshape(x.shape[0], 6, 5, 4)


def enlarged(x, times=2):
  rows, height, width, channels = x.shape
  x = jnp.broadcast_to(
    x[:, :, None, :, None], (rows, height, times, width, times, channels))
  return x.reshape(rows, height * times, width * times, channels)


@jax.custom_jvp
def doubled(x):
  return 2 * x


@jax.custom_vjp
def tripled(x):
  return 3 * x


doubled.defjvp(lambda primals, tangents: (2 * primals[0], 2 * tangents[0]))
tripled.defvjp(lambda x: (3 * x, None), lambda _, grad: (3 * grad,))

NUMBERS = {
  'add': lambda x: x + 1.5, 'sub': lambda x: 2 - x, 'mul': lambda x: x * x[..., :1],
  'div': lambda x: x / (1 + x * x), 'max': lambda x: jnp.maximum(x, 0.3), 'neg': lambda x: -x,
  'relu': jax.nn.relu, 'min': lambda x: jnp.minimum(x, x[:, ::-1]), 'exp': jnp.exp,
  'log': lambda x: jnp.log(jnp.abs(x) + 1), 'log1p': lambda x: jnp.log1p(jnp.abs(x)),
  'expm1': jnp.expm1, 'tanh': jnp.tanh, 'logistic': jax.nn.sigmoid, 'erf': lax.erf,
  'erfc': lax.erfc, 'gelu': lambda x: jax.nn.gelu(x, approximate=False),
  'gelu_tanh': jax.nn.gelu, 'rsqrt': lambda x: lax.rsqrt(x * x + 1),
  'sqrt': lambda x: jnp.sqrt(jnp.abs(x)), 'square': jnp.square, 'cube': lambda x: x ** 3,
  'pow': lambda x: jnp.abs(x) ** 1.7, 'abs': jnp.abs, 'sign': jnp.sign, 'floor': jnp.floor,
  'ceil': jnp.ceil, 'round': lambda x: jnp.round(10 * x), 'sin': jnp.sin, 'cos': jnp.cos,
  'round_away': lambda x: lax.round(jnp.floor(4 * x) / 2),
  'clamp': lambda x: jnp.clip(x, -0.5, 0.5), 'lax_clamp': lambda x: lax.clamp(-0.5, x, 0.5),
  'select': lambda x: jnp.where(x > 0, x, -2 * x),
  'compare': lambda x: sum(one(x, x[:, :, ::-1]).astype(jnp.float32) * 2 ** place
                           for place, one in enumerate((lax.eq, lax.ne, lax.lt, lax.le, lax.gt,
                                                        lax.ge))),
  'logic': lambda x: (((x > 0) & ~(x > 1)) | (x < -1)) ^ (x[:, ::-1] > 0),
  'remainder': lambda x: lax.rem(x, jnp.float32(0.7)),
  'whole_numbers': lambda x: (10 * x).astype(jnp.int32) // 3 + 1, 'copy': jnp.copy,
  'stop_gradient': lax.stop_gradient, 'custom_jvp': doubled, 'custom_vjp': tripled,
  'remat': jax.checkpoint(jnp.sin), 'jit': jax.jit(jnp.cos),
}
MOVES = {
  'transpose': lambda x: x.transpose(0, 3, 1, 2), 'squeeze': lambda x: x[:, :1].squeeze(1),
  'merge': lambda x: x.reshape(x.shape[0], -1), 'split_dim': lambda x: x.reshape(-1, 3, 2, 5, 2, 2),
  'merge_batch': lambda x: x.reshape(-1, 4) @ MATRIX, 'enlarge': lambda x: enlarged(convolve(x)),
  'enlarge_thrice': lambda x: enlarged(convolve(x), 3),
  'broadcast': lambda x: jnp.broadcast_to(x[:, :, None], (x.shape[0], 6, 3, 5, 4)),
  'token': lambda x: jnp.concatenate(
    [jnp.broadcast_to(MAP[:1], (x.shape[0], 1, 5, 4)), convolve(x, KERNEL[:1, :1, :, :4])], 1),
  'concatenate': lambda x: jnp.concatenate([x, convolve(x, KERNEL[:1, :1])], axis=-1),
  'stack': lambda x: jnp.stack([x, 2 * x], axis=1), 'rev': lambda x: lax.rev(x, (1, 3)),
  'slice': lambda x: x[:, 1:5, ::2], 'place': lambda x: x[:, -1, :, 2],
  'bgr': lambda x: x[..., ::-1],
  'take': lambda x: x[..., np.array([2, 0, 0, 3, 1])],
  'take_mapped': lambda x: convolve(x)[..., np.array([2, 0, 5])],
  'dynamic_slice': lambda x: lax.dynamic_slice_in_dim(x, 2, 3, axis=1),
  'split': lambda x: jnp.split(x, (1, 3), axis=2), 'iota': lambda x: x + jnp.arange(4.0),
  'pad': lambda x: jnp.pad(x, ((0, 0), (1, 2), (0, 0), (0, 3)), constant_values=1.5),
  'pad_negative': lambda x: lax.pad(
    x, jnp.float32(0), ((0, 0, 0), (-1, 2, 0), (0, 0, 0), (0, 0, 0))),
  'pad_mapped': lambda x: jnp.pad(convolve(x), ((0, 0), (1, 0), (0, 1), (0, 0))),
  'resize': lambda x: jax.image.resize(x, (x.shape[0], 3, 8, 4), 'bilinear'),
}
SUMS = {
  'conv': convolve,
  'conv_stride_padding': lambda x: convolve(x, stride=(2, 1), padding=((1, 2), (0, 1))),
  'conv_dilated': lambda x: convolve(x, rhs_dilation=(2, 2)),
  'conv_grouped': lambda x: convolve(x, GROUPED, padding=((1, 1), (1, 1)), feature_group_count=2),
  'conv_norm_act': lambda x: jax.nn.relu((convolve(x) - KERNEL[0, 0, 0]) * KERNEL[1, 0, 0] + 0.5),
  'conv_by_place': lambda x: (convolve(x, KERNEL[:1, :1]) + 1) * MAP / 3,
  'scaled_twice': lambda x: (3 * MAP) * (x * (1 / 3)),
  'max_pool': lambda x: pool(x, lax.max, -np.inf, (3, 3), (2, 2), ((1, 1), (1, 0))),
  'avg_pool': lambda x: pool(x, lax.add, np.float32(0), (3, 2), (2, 1), ((1, 1), (0, 1))) / 6,
  'avg_pool_uncounted': lambda x: pool(
    x, lax.add, np.float32(0), (3, 1), (1, 1), ((1, 1), (0, 0))) * MAP,
  'dense': lambda x: x @ MATRIX + 1,
  'dense_mapped': lambda x: convolve(x) @ GROUPED[0].reshape(6, -1),
  'dense_rows': lambda x: x.mean(axis=(1, 2)) @ MATRIX * 2 + MATRIX[0],
  'left': lambda x: jnp.einsum('kh,nhwc->nkwc', MAP[:, :, 0].T, x),
  'products': lambda x: jnp.einsum('nhwc,nkwc->nhk', x, x), 'attention': attention,
  'outer': lambda x: jnp.einsum('nhw,nc->nhcw', x[..., 0], x[:, 0, 0]),
  'layer_norm': normalised, 'layer_norm_mapped': lambda x: normalised(convolve(x)),
  'squeeze_excite': lambda x: convolve(x) * convolve(x).mean(axis=(1, 2))[:, None, None],
  'mean': lambda x: x.mean(axis=(1, 2)), 'sum': lambda x: x.sum(axis=2, keepdims=True),
  'sum_repeated': lambda x: jnp.broadcast_to(x[..., :1], x.shape).sum(axis=-1),
  'reduce_max': lambda x: x.max(axis=(1, 3)), 'reduce_min': lambda x: convolve(x).min(axis=-1),
  'prod': lambda x: x.prod(axis=1), 'any': lambda x: (x > 1).any(axis=-1),
  'all': lambda x: (x > -1).all(axis=1), 'argmax': lambda x: x.argmax(axis=-1),
  'argmin': lambda x: convolve(x).argmin(axis=2), 'softmax': jax.nn.softmax,
  'cumsum': lambda x: jnp.cumsum(convolve(x), axis=1),
  'cumsum_back': lambda x: lax.cumsum(x, axis=2, reverse=True),
  'batch_mean': lambda x: x - x.mean(axis=0),
}
ALL = {**NUMBERS, **MOVES, **SUMS}


def make_rows(batch):
  return {'x': np.random.default_rng(batch).normal(size=(batch, *SHAPE)).astype(np.float32)}


def build(function):
  count = len(jax.tree.leaves(jax.eval_shape(function, np.zeros((2, *SHAPE), np.float32))))
  names = tuple(f'y{place}' for place in range(count))
  return build_model(function, make_inputs(x=SHAPE), names)


@pytest.mark.parametrize('name', ALL)
def test_an_operation_gives_in_onnx_what_it_gives_in_jax(name):
  check_model(build(ALL[name]), ALL[name], make_rows, batches=(3,), tolerance=1e-5)


def test_what_has_no_operator_is_named_with_its_place():
  def function(x):
    with jax.named_scope('stage3'):
      return jnp.sort(x)
  with pytest.raises(UserError, match=r'nothing for sort in stage3.*test_train_lib_onnx_export'):
    build(function)


@pytest.mark.parametrize('function, reason', [
  (lambda x: lax.fori_loop(0, x.shape[1], lambda _, y: y + 1, x), 'while|scan'),
  (lambda x: x.astype(jnp.bfloat16) * 2, 'bfloat16'),
  (lambda x: convolve(x, lhs_dilation=(2, 2)), 'transposed'),
  (lambda x: lax.dynamic_slice_in_dim(x, x[0, 0, 0, 0].astype(jnp.int32), 1, 1), 'computed'),
], ids=['loop', 'bfloat16', 'transposed', 'computed'])
def test_what_cannot_be_said_is_an_error_with_its_reason(function, reason):
  with pytest.raises(UserError, match=reason):
    build(function)


def test_a_function_that_wants_the_batch_size_as_a_number_is_told_what_to_write():
  with pytest.raises(UserError, match=r'x\.shape\[0\], not len\(x\)'):
    build_model(lambda x: x.reshape(len(x), -1), make_inputs(x=SHAPE), ('y',))
