"""Faults done to the main command on purpose, and what must come of each.

`python -m tests.faults` runs every scenario and prints the table; `--short` those that are quick.
"""
