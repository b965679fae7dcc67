"""A scan: slices as a net sees them, and what it makes of them back in the values of the file.

A window (low, high) of values, in the units of the file, becomes 0 (black) to 1 (white). What lies
outside is clipped; where a file has no value (a voxel that is no number, padding) it is black.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from data.decode import DecodeError
from errors import UserError

PERCENTILES = (0.5, 99.5)         # that a window is measured by
SAMPLED = 2_000_000               # values of a volume that they are taken of, about
BACKGROUND = 0.1                  # at most so bright, of 0 to 1
VOLUME_FACTOR = 10                # a volume may have so many times max_pixels
AXES = 3


class ScanError(DecodeError):
  """The file is no scan that can be read; the message is the reason in words."""


class Settings(NamedTuple):
  """How scans are read.

  Attributes:
    window: 'auto', 'full' or 'centre,width'.
    axis: of a volume, along which slices follow each other: 0 right, 1 forward, 2 up.
    max_pixels: of a slice.
  """

  window: str
  axis: int
  max_pixels: int


def read_settings(config_data) -> Settings:
  """The settings of `config.data`. Raises: UserError: `config.data.scans` makes no sense."""
  settings = config_data.scans
  if settings.window not in ('auto', 'full'):
    _read_window(settings.window)
  if settings.axis not in range(AXES):
    raise UserError(f'config.data.scans.axis is {settings.axis}; choose 0 (slices from left to '
                    'right), 1 (from back to front) or 2 (from below to above).')
  return Settings(settings.window, settings.axis, config_data.max_pixels)


def _read_window(text):
  """(low, high) of 'centre,width'; raises UserError where it is none."""
  try:
    centre, width = (float(part) for part in text.split(','))
  except ValueError:
    centre, width = math.nan, 0
  if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
    raise UserError(f"config.data.scans.window is '{text}'; expected auto, full or "
                    "'centre,width' with a width above 0, such as '40,400'.")
  return centre - width / 2, centre + width / 2


class Stored(Protocol):
  """What the `read(path, settings)` of a format returns: the values of a file."""

  patient: str  # who it is of; '': the file does not tell
  series: str  # what a lone slice is part of; '': the file is a volume of its own
  order: float  # place of a lone slice in its series
  num_slices: int
  window: tuple[float, float] | None  # that the file itself tells
  inverted: bool  # white is the lowest value
  num_bytes: int  # in memory

  def values(self, k: int) -> np.ndarray:
    """float64 [h, w], in the units of the file; NaN where there is none."""

  def save(self, path: Path, slices: Iterable[np.ndarray]) -> None:
    """Writes a file of the same format. Args: slices: as `values`, every one of them; NaN where
    what is stored stays."""


class Scan:
  """An opened file of one or more slices.

  Attributes:
    path: of the file.
    patient: who it is of; '' where the file does not tell.
    series, order: what a lone slice is part of, and where; '' where the file is a volume.
    num_slices: N.
    window: (low, high), the values that are shown black and white.
    num_bytes: that it takes of memory.

  Args:
    stored: what a format has read.
    window: as the attribute; None: by the settings.
  """

  def __init__(self, path: Path, stored: Stored, settings: Settings,
               window: tuple[float, float] | None = None):
    self.path, self._stored = path, stored
    self.patient = stored.patient
    self.series, self.order = stored.series, stored.order
    self.num_slices, self.num_bytes = stored.num_slices, stored.num_bytes
    self.window = window or _choose_window(stored, settings.window)

  def slice(self, k: int) -> np.ndarray:
    """float32 [h, w] in 0 to 1: a slice after the window; of one value alone, all 0."""
    return self._show(_values(self._stored, k))

  def fullness(self, k: int) -> float:
    """The share of a slice's pixels above the background."""
    return float((self.slice(k) > BACKGROUND).mean())

  def save(self, path: Path | str, slices: Sequence[np.ndarray]) -> None:
    """Writes a file of the same format, values, units and header with other slices.

    A pixel that has not changed, that lies outside of the window or has no value keeps exactly
    what is stored, and so does one whose new value is no number.

    Args:
      path: another file than this one.
      slices: float [h, w] in 0 to 1 after the window, every one, each of its own size.

    Raises:
      ScanError: the file's header is broken so that it can be read but not written.
      ValueError: it would overwrite itself, or slices do not fit.
    """
    path = Path(path)
    if path.exists() and path.samefile(self.path):
      raise ValueError(f"'{path}' would be overwritten; save to another file")
    if len(slices) != self.num_slices:
      raise ValueError(f"'{self.path}' has {self.num_slices} slices; {len(slices)} are given")
    self._stored.save(path, (self._restore(k, shown) for k, shown in enumerate(slices)))

  def _show(self, values):
    low, high = self.window
    if not high > low:
      return np.zeros(values.shape, np.float32)
    with np.errstate(over='ignore', invalid='ignore'):
      shown = np.clip((values - low) / (high - low), 0, 1)
    if self._stored.inverted:
      shown = 1 - shown
    shown[np.isnan(shown)] = 0
    return shown.astype(np.float32)

  def _restore(self, k, shown):
    """float64 [h, w]: values of a slice as it is shown, NaN where what is stored stays."""
    values, (low, high) = _values(self._stored, k), self.window
    shown = np.asarray(shown)
    if shown.shape != values.shape:
      raise ValueError(f'slice {k} has the shape {list(shown.shape)}; expected '
                       f'{list(values.shape)}')
    changed = (values >= low) & (values <= high) & (shown != self._show(values))
    share = np.clip(shown.astype(np.float64), 0, 1)
    share = 1 - share if self._stored.inverted else share
    return np.where(changed, low + share * (high - low), np.nan)


def _values(stored, k):
  with np.errstate(invalid='ignore', over='ignore'):  # of numbers that are none
    return stored.values(k)


def _choose_window(stored, window):
  """(low, high) by the settings' window; that of a file counts where it holds any value."""
  if window not in ('auto', 'full'):
    return _read_window(window)
  samples, least, most = _sample(stored)
  if window == 'full':
    return least, most
  if stored.window and stored.window[0] < most and stored.window[1] > least:
    return stored.window
  low, high = (float(value) for value in np.percentile(samples, PERCENTILES))
  return (low, high) if low < high else (least, most)


def _sample(stored):
  """(evenly taken values of a volume, the lowest of all, the highest), of the finite ones."""
  samples, least, most = [], math.inf, -math.inf
  for k in range(stored.num_slices):
    values = _values(stored, k).ravel()
    finite = values[np.isfinite(values)]
    if finite.size:
      least, most = min(least, float(finite.min())), max(most, float(finite.max()))
      samples.append(finite[::1 + finite.size * stored.num_slices // SAMPLED])
  if not samples:
    raise ScanError('no pixel of it has a value')
  return np.concatenate(samples), least, most


def check_size(height_px: int, width_px: int, num_slices: int, max_pixels: int) -> None:
  """Raises ScanError where a file has no pixel, or more than are allowed."""
  if min(height_px, width_px, num_slices) < 1:
    raise ScanError(f'it has {num_slices} slices of {width_px} x {height_px} pixels: no pixel')
  if height_px * width_px > max_pixels:
    raise ScanError(f'its slices have {width_px} x {height_px} pixels, more than max_pixels = '
                    f'{max_pixels:,} in all')
  if height_px * width_px * num_slices > VOLUME_FACTOR * max_pixels:
    raise ScanError(f'it has {num_slices:,} slices of {width_px} x {height_px} pixels, more than '
                    f'{VOLUME_FACTOR} times max_pixels = {max_pixels:,} in all')
