"""Named colours (RGB, 0..255) and small colour arithmetic on tuples."""

HAIR = {
    'brown': (132, 84, 56),
    'blonde': (246, 212, 116),
    'black': (56, 52, 68),
    'blue': (82, 132, 220),
    'pink': (246, 152, 188),
    'red': (204, 64, 56),
    'white': (234, 234, 242),
    'purple': (148, 98, 196),
    'green': (92, 172, 112),
}

EYES = {
    'blue': (52, 116, 222),
    'brown': (138, 82, 44),
    'green': (48, 158, 84),
    'red': (214, 44, 58),
    'purple': (142, 72, 200),
    'yellow': (236, 178, 36),
}

SKIN = ((255, 226, 206), (252, 214, 186), (240, 192, 158), (206, 150, 114), (152, 102, 76))

# Clothes and things take their colours from the same families as hair and eyes.
CLOTH = tuple(HAIR.values()) + (
    (64, 78, 128), (250, 240, 220), (236, 138, 70), (70, 170, 172), (128, 132, 146), (252, 224, 92),
    (226, 92, 122), (172, 206, 236),
)

INK = (44, 34, 46)
WHITE = (252, 252, 252)


def mix(one, other, share):
  """`one` with `share` (0..1) of `other` in it."""
  (r, g, b), (s, h, c) = one, other
  return r + (s - r) * share, g + (h - g) * share, b + (c - b) * share


def darker(colour, share=0.25):
  """A shadow of the colour: darker, and cooler as cartoon shadows are."""
  return mix(colour, (38, 26, 74), share)


def lighter(colour, share=0.35):
  """The colour with white light on it."""
  return mix(colour, (255, 255, 255), share)


def brightness(colour) -> float:
  """Perceived lightness, 0..255 (weights of ITU-R BT.601)."""
  return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def distance(one, other) -> float:
  """How unlike two colours are: the sum over channels of their differences, 0..765."""
  return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def jitter(dice, colour, amount=14):
  """The colour, moved a little: together in lightness and apart in each channel."""
  shift = dice.between(-amount, amount)
  return tuple(
      min(255.0, max(0.0, c + shift + dice.between(-amount / 2, amount / 2))) for c in colour)
