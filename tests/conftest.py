"""Four virtual CPU devices for every test; those that compare layouts pick how many they use."""

import jax

jax.config.update('jax_platforms', 'cpu')
jax.config.update('jax_num_cpu_devices', 4)
