"""What training changes, and nothing else: a checkpoint is one of these."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class TrainState:
  """A pytree; `step` counts finished optimizer steps, and with the seed it says what comes next."""

  step: jax.Array
  params: Any
  batch_stats: Any
  opt_state: Any
  ema: Any                        # {'params', 'batch_stats'} averaged over steps, or {} when off

  @property
  def variables(self) -> dict:
    """What evaluation uses: the averaged weights where they are kept."""
    return self.ema or {'params': self.params, 'batch_stats': self.batch_stats}


def create_state(variables, optimizer, *, use_ema: bool) -> TrainState:
  """Step 0. Args: variables: {'params', 'batch_stats'} of a fresh net; optimizer: of optax."""
  params, batch_stats = variables['params'], variables.get('batch_stats', {})
  return TrainState(
      step=jnp.zeros((), jnp.int32),
      params=params,
      batch_stats=batch_stats,
      opt_state=optimizer.init(params),
      ema=jax.tree.map(jnp.copy, {'params': params, 'batch_stats': batch_stats}) if use_ema else {},
  )
