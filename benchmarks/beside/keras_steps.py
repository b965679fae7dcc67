"""Keras 3 on JAX trains and infers one net of keras.applications, by its own methods.

Run by benchmarks/nets_beside.py with the interpreter that has Keras.
"""

import os

from benchmarks.beside import worker


def prepare(spec: dict) -> tuple[dict, callable]:
  """(what it is, turn). Args: spec: as that of `torch_steps.prepare`."""
  os.environ['KERAS_BACKEND'] = 'jax'
  os.environ['XLA_PYTHON_CLIENT_PREALLOCATE'] = 'false'       # of a GPU, which others use as well
  import jax
  import keras
  import numpy as np
  if spec['bfloat16']:
    keras.mixed_precision.set_global_policy('mixed_bfloat16')
  keras.utils.set_random_seed(0)
  shape = (spec['size_px'], spec['size_px'], 3)
  net = getattr(keras.applications, spec['name'])(
      weights=None, input_shape=shape, classes=spec['num_outputs'], classifier_activation=None)
  net.compile(optimizer=keras.optimizers.AdamW(1e-4),
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
  rng = np.random.default_rng(0)
  images = rng.uniform(0, 255, (spec['batch'], *shape)).astype(np.float32)
  labels = rng.integers(spec['num_outputs'], size=spec['batch'])
  steps = {'train': lambda: net.train_on_batch(images, labels),
           'infer': lambda: net.predict_on_batch(images)}
  for mode in spec['modes']:
    for _ in range(worker.WARM_UP_STEPS):
      steps[mode]()
  facts = {'param_count': sum(int(np.prod(one.shape)) for one in net.trainable_weights),
           'origin': f'keras.applications {keras.__version__}',
           'version': f'{keras.__version__}, jax {jax.__version__}',
           'device': jax.devices()[0].platform, 'threads': len(os.sched_getaffinity(0))}

  def turn(command):                # both methods give numpy arrays: nothing is left to wait for
    steps[command['mode']]()
    return {'seconds': worker.timed_steps(steps[command['mode']], lambda: None,
                                          command['seconds'])}
  return facts, turn


if __name__ == '__main__':
  worker.serve(prepare)
