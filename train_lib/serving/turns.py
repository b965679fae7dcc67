"""One prediction at a time, in the order of arrival, in a thread of its own."""

import asyncio
import concurrent.futures

from train_lib.serving.guard import Refused

MOST_WAITING = 200                # requests, beyond the one whose turn it is


class Turns:
  """Lets one function run after the other, while the server goes on listening.

  Args: most_waiting: calls that may wait; more are refused.

  Attributes:
    waiting: calls that were made and have not ended.
  """

  def __init__(self, most_waiting: int = MOST_WAITING):
    self._most_waiting, self.waiting = most_waiting, 0
    self._turn = asyncio.Lock()   # lets them in by the order of arrival
    self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix='predict')

  async def run(self, request, function, *args):
    """What the function returns or raises.

    Args: request: of Starlette; where who sent it has gone before its turn nothing is run.
    Raises: Refused: 503, too many wait; 499, nobody waits for the answer.
    """
    if self.waiting > self._most_waiting:
      raise Refused(503, f'{self._most_waiting} requests are waiting already; try again in a '
                         'moment')
    self.waiting += 1
    try:
      async with self._turn:
        if await request.is_disconnected():
          raise Refused(499, 'who sent the request has gone')
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
    finally:
      self.waiting -= 1

  def close(self) -> None:
    """Drops what waits; what runs comes to its end."""
    self._thread.shutdown(wait=True, cancel_futures=True)
