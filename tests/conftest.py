"""Four virtual CPU devices for every test; those that compare layouts pick how many they use."""

import os

# most of a test's time is XLA's: programs that run once need no polish
os.environ['XLA_FLAGS'] = os.environ.get('XLA_FLAGS', '') + ' --xla_backend_optimization_level=0'

import jax  # noqa: E402

jax.config.update('jax_platforms', 'cpu')
jax.config.update('jax_num_cpu_devices', 4)
