"""Hostile input for everything that reads a file: `python -m tests.fuzz [READER ...]`.

| file | what it holds |
|---|---|
| readers.py | what is fuzzed: a row for each reader, and what its refusals are |
| seeds.py | sound files of every format, from which all others are made |
| mutate.py | changes that keep a file's outer form, so that they reach behind it |
| planted.py | readers with faults on purpose, which the fuzzer is tried on |
| worker.py | one reader in a process of its own: input after input |
| __main__.py | starts workers, watches them, prints the table |

With `atheris` installed (`pip install -e .[fuzz]`) inputs are chosen by the lines that they reach;
without it they are mutations of the sound files alone.
"""
