"""Two CPU devices, so that every run of the tests can compare one device with two."""

import jax

jax.config.update("jax_num_cpu_devices", 2)
