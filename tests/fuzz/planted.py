"""Readers with faults on purpose, which the fuzzer is tried on."""

import os
import signal
import time

from tests.fuzz.readers import Reader


def _die(path, variant):
  os.kill(os.getpid(), signal.SIGSEGV)


def _hang(path, variant):
  while True:
    time.sleep(1)


PLANTED = {name: Reader(lambda: [(0, b'!')], ('a',), read)
           for name, read in (('planted_death', _die), ('planted_hang', _hang))}
