"""One prediction at a time, in the order of arrival."""

import asyncio

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
