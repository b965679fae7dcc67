"""What a shallow net of each family promises when traced: heads, dtypes, taps, activations."""

import collections
import functools

import jax
import jax.numpy as jnp
import pytest

import nets
from errors import UserError
from nets import layers
from tests.net_families import SMALL, abstract, build_shallow, is_autoencoder, size_of, traced

small_nets = pytest.mark.parametrize('name, size', SMALL.values(), ids=SMALL)
WITH_HEADS = {family: small for family, small in SMALL.items() if not is_autoencoder(small[0])}


@functools.cache
def small(name, size):
  """What `abstract` tells of the net with three outputs."""
  return abstract(build_shallow(name, 3), size)


def rngs():
  """What training draws from."""
  return {'dropout': jax.random.key(0), 'latent': jax.random.key(1)}


@small_nets
def test_without_outputs_there_is_no_head_and_features_come_out(name, size):
  (output, taps), variables = abstract(build_shallow(name, 0), size)
  assert 'head' not in variables['params']
  assert output.shape == taps['features'].shape and output.dtype == jnp.float32


@pytest.mark.parametrize('name, size', WITH_HEADS.values(), ids=WITH_HEADS)
def test_the_head_by_itself_takes_the_features_and_has_the_names_of_the_net_s(name, size):
  net = build_shallow(name, 3)
  (output, taps), variables = small(name, size)
  (alone, _), head = jax.eval_shape(
    lambda key, features: nets.build_head(net).init_with_output(key, features, train=False),
    jax.random.key(0), taps['features'])
  assert head['params'] == {'head': variables['params']['head']} and alone == output


@small_nets
def test_the_number_of_input_channels_is_the_pictures(name, size):
  net = build_shallow(name, 3)
  with layers.conv_form('plain'):
    (output, _), _ = jax.eval_shape(
      lambda key: net.init_with_output(key, jnp.zeros((2, size, size, 5)), train=False),
      jax.random.key(0))
  assert (output.shape[0], output.shape[-1]) == (2, 3)


@small_nets
def test_statistics_stay_float32_in_training_in_bfloat16(name, size):
  net = build_shallow(name, 3, dtype=jnp.bfloat16)
  _, variables = small(name, size)
  with layers.conv_form('plain'):
    (output, _), after = jax.eval_shape(
      functools.partial(net.apply, train=True, mutable=['batch_stats']), variables,
      jnp.zeros((2, size, size, 3)), rngs=rngs())
  assert output.dtype == jnp.float32
  assert {x.dtype for x in jax.tree.leaves(after)} <= {jnp.dtype('float32')}


@small_nets
def test_what_lies_behind_the_wanted_tap_is_not_computed(name, size):
  net, image = build_shallow(name, 3), jnp.zeros((1, size, size, 3))
  _, variables = small(name, size)
  def cost(function):
    with layers.conv_form('plain'):
      lowered = jax.jit(lambda variables: function(
        *net.apply(variables, image, train=False))).lower(variables)
    return lowered.cost_analysis()['flops']
  early = net.row.stages[0]
  whole, part = cost(lambda output, taps: output), cost(lambda output, taps: taps[early])
  assert 0.01 * whole < part < 0.7 * whole


@small_nets
def test_rematerialisation_keeps_the_variables_and_marks_the_blocks_of_its_stages(name, size):
  stages = nets.get_variant(name).stages
  marks = []
  for remat in ((), stages[:1], stages):
    trace, (_, variables) = traced(build_shallow(name, 3, remat=remat), size)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, small(name, size)[1])
    marks.append(sum('remat' in eqn.primitive.name or 'checkpoint' in eqn.primitive.name
                     for eqn in trace.eqns))
  assert marks[0] == 0 < marks[1] < marks[2]


@pytest.mark.parametrize('name, size', [
  pytest.param(*row, id=family, marks=() if family == 'se_resnet' else pytest.mark.slow)
  for family, row in SMALL.items()])
def test_rematerialisation_keeps_less_for_the_backward_pass(name, size):
  """In values; XLA for CPUs may keep more than it is asked to, so nothing is compiled here."""
  image = jnp.zeros((4, size, size, 3))

  def kept(remat):
    net = nets.build_net(name, 3, remat=remat)
    def backward(variables):
      def loss(params):
        (output, _), _ = net.apply({**variables, 'params': params}, image, train=True,
                                   mutable=['batch_stats'], rngs=rngs())
        return output.sum()
      return jax.vjp(loss, variables['params'])[1]
    variables = abstract(net, size)[1]
    with layers.conv_form('plain'):
      return size_of(jax.eval_shape(backward, variables)) - size_of(variables['params'])

  stages = nets.get_variant(name).stages
  assert kept(stages) < kept(stages[:1]) < kept(())
  assert kept(stages) < 0.7 * kept(())


def test_a_stage_that_a_net_does_not_have_is_told_its_own():
  with pytest.raises(UserError, match="'stage1'.*no stage of inception_v3.*mixed_5b, .*mixed_7c"):
    nets.build_net('inception_v3', 3, remat=('stage1',))


@small_nets
def test_a_named_activation_takes_every_place_of_the_familys_own(name, size):
  variables = small(name, size)[1]

  def functions(activation):
    """{operation or function that the net calls: how often}."""
    net = build_shallow(name, 3, activation=activation)
    if activation:
      assert jax.tree.structure(abstract(net, size)[1]) == jax.tree.structure(variables)
    with layers.conv_form('plain'):
      trace = jax.make_jaxpr(functools.partial(net.apply, train=False))(
        variables, jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32))
    return collections.Counter(
      str(eqn.params.get('name', eqn.primitive.name)) for eqn in trace.eqns)

  before, after = functions(''), functions('tanh')
  gone = {function: count for function, count in before.items() if function not in after}
  assert before['tanh'] == 0 < after['tanh'] and after['tanh'] in gone.values(), (gone, after)
