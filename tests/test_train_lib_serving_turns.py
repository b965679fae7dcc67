"""One prediction at a time, in the order of arrival; and pictures that are drawn small."""

import asyncio

import numpy as np

from tests.served import decode
from train_lib.serving import drawn
from train_lib.serving.turns import Turns


def test_turns_are_taken_in_the_order_of_arrival():
  done = []

  class Here:
    async def is_disconnected(self):
      return False

  async def all_of_them():
    turns = Turns()
    await asyncio.gather(*(turns.run(Here(), done.append, number) for number in range(20)))
    turns.close()
  asyncio.run(all_of_them())
  assert done == list(range(20))


def test_a_thumbnail_is_small_and_keeps_its_shape():
  image = decode(drawn.thumbnail(np.zeros((100, 400, 3), np.uint8), 40))
  assert image.shape == (10, 40, 3)
  assert drawn.png(np.zeros((2, 2, 3), np.uint8)).startswith(b'\x89PNG')
