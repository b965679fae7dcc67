"""Seeded choices that are the same on every machine and Python version.

Only `random.Random.random` is promised to be stable between versions of Python, so everything
here is made of it.
"""

import random


class Dice:
  """A stream of choices named by words and numbers: the same name gives the same stream."""

  def __init__(self, *name):
    self._random = random.Random('/'.join(map(str, name))).random

  def chance(self, probability) -> bool:
    """True with this probability; always uses up one number of the stream."""
    return self._random() < probability

  def between(self, low, high) -> float:
    """A number in [low, high)."""
    return low + (high - low) * self._random()

  def count(self, low, high) -> int:
    """A whole number in low .. high, both included."""
    return low + int((high - low + 1) * self._random())

  def one_of(self, choices):
    """One of the choices, all equally likely."""
    return choices[int(len(choices) * self._random())]

  def weighted(self, weights: dict):
    """A key of `weights`, as likely as its value says; the values need not sum to 1."""
    point = sum(weights.values()) * self._random()
    for choice, weight in weights.items():
      point -= weight
      if point < 0:
        return choice
    return choice
