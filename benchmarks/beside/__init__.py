"""What the side-by-side benchmarks share: other programs in processes of their own, turns, tables.

Nothing in this folder imports jax or this project's rooms, so that its workers also run with an
interpreter that has only the packages of one rival.
"""
