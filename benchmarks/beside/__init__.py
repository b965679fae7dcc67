"""What the side-by-side benchmarks share: other programs in processes of their own, turns, tables.

Neither `worker` nor the rivals' programs import jax or this project's rooms, so that they also run
with an interpreter that has only the packages of one rival.
"""
