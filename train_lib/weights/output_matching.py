"""Which outputs of a stored head are the outputs of a net, found by their names."""

import dataclasses

import numpy as np

from train_lib.weights.weight_account import few, plain


@dataclasses.dataclass(frozen=True)
class OutputMatch:
  """Outputs of a net and where a source has them.

  Attributes:
    names: of our outputs.
    places: int [K], the place in the source of each of ours; -1 where it has none of that name.
    stored: how many outputs the source has.
  """
  names: tuple[str, ...]
  places: np.ndarray
  stored: int

  @property
  def found(self) -> int:
    """How many of ours the source has."""
    return int((self.places >= 0).sum())

  @property
  def new(self) -> list[str]:
    """The names of those that it lacks."""
    return [self.names[place] for place in np.flatnonzero(self.places < 0)]

  def describe(self) -> str:
    """'90 of 100 outputs by name; 10 new, at initial values: cat, dog, fox and 7 more'."""
    text, unused = f'{self.found} of {len(self.names)} outputs by name', self.stored - self.found
    if self.new:
      text += f'; {len(self.new)} new, at initial values: {few([plain(one) for one in self.new])}'
    return text + (f'; not taken from the source: {unused}' if unused else '')

  def adapt(self, value: np.ndarray, initial) -> np.ndarray:
    """Ours where the source has them, and the initial values of the others.

    A new output keeps its own initial bias, which of tags says how frequent it is among the new
    training pictures.

    Args: value: [..., stored]; initial: [..., K], only looked at where there are new outputs.
    """
    taken = value[..., np.maximum(self.places, 0)]
    return np.where(self.places >= 0, taken, initial) if self.new else taken


def match_outputs(outputs: tuple[str, ...], stored: tuple[str, ...]) -> OutputMatch | None:
  """Finds each output of a net among those of a source.

  Args: outputs: names of ours; stored: of the source; () where they are not known.

  Returns:
    None where names are not known, do not tell outputs apart, or none of ours is there.
  """
  if len(set(outputs)) < len(outputs) or len(set(stored)) < len(stored):
    return None
  place_of = {name: place for place, name in enumerate(stored)}
  match = OutputMatch(tuple(outputs), np.array([place_of.get(name, -1) for name in outputs], int),
                      len(stored))
  return match if match.found else None
