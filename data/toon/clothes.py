"""Garments: what they do to the trunk, the sleeves and the legs; in head units."""

import numpy as np

from data.toon import palette, patterns
from data.toon.canvas import capsule, ellipse, smooth
from data.toon.shading import blob, both_sides, mirrored, shaded

NAVY, CREAM = (52, 62, 108), (250, 246, 236)


class Wear:
  """A figure's clothes on its joints; methods draw one layer each."""

  def __init__(self, canvas, figure, joints, length):
    self.canvas, self.figure, self.joints, self.length = canvas, figure, joints, length
    self.main, self.second, self.accent = figure.colours
    self.hip_y = joints['hip', 1][1]
    self.garment = figure.garment
    self.barefoot = self.garment == 'swimwear'
    if self.garment == 'uniform':
      self.main = CREAM if figure.gender == 'girl' else palette.mix(NAVY, self.main, 0.12)
    self.lower_colour = {'uniform': palette.mix(NAVY, self.second, 0.15), 'coat': self.second,
                         'kimono': self.main, 'dress': self.main,
                         'swimwear': self.main}.get(self.garment, self.second)
    if palette.brightness(self.lower_colour) > 235:
      self.lower_colour = palette.darker(self.lower_colour, 0.3)

  def draw_back(self):
    """Hood and coat tails, behind the body."""
    if self.garment == 'hoodie':
      shaded(self.canvas, blob((-0.42, 0.72), (-0.46, 0.45), (-0.3, 0.3), (0.3, 0.3), (0.46, 0.45),
                               (0.42, 0.72), (0, 0.82)), palette.darker(self.main, 0.15))
    if self.garment == 'coat':
      bottom = self.hip_y + 0.62 * self.length
      shaded(self.canvas, both_sides((0, 0.8), (0.4, 0.85), (0.4, self.hip_y - 0.2),
                                     (0.56, bottom), (0.3, bottom + 0.04), (0, bottom)),
             palette.darker(self.main, 0.25))

  def draw_trunk(self, shape):
    """The garment over the trunk, before the neck is finished."""
    inner = self.second if self.garment == 'coat' else self.main
    if self.garment == 'coat' and palette.distance(self.main, inner) < 90:
      inner = CREAM
    if self.garment in ('hoodie', 'kimono'):
      shape = shape * (1.07, 1)
    under = self.figure.lower == 'skirt' and self.garment != 'uniform'
    if under:
      self._draw_lower()
    shaded(self.canvas, shape, inner, (-0.07, -0.02))
    if self.figure.striped:
      with self.canvas.inside(shape):
        patterns.stripes(self.canvas, 0.7, self.hip_y + 0.2, self.accent, inner)
    if not under:
      self._draw_lower()

  def draw_front(self, shape):
    """Collars, fronts and belts."""
    getattr(self, f'_front_{self.garment}')(shape)

  def _draw_lower(self):
    figure, hip = self.figure, self.hip_y
    if figure.depth < hip - 0.5:
      return
    if self.garment == 'dress':
      self._skirt(hip - 0.42, hip + 0.75 * self.length, 0.29, 0.74)
    elif self.garment == 'kimono':
      shape = both_sides((0, hip - 0.2), (0.4, hip - 0.2), (0.44, hip + 0.5),
                         (0.46, hip + 1.5 * self.length), (0, hip + 1.52 * self.length))
      shaded(self.canvas, shape, self.main)
      self.canvas.crease([(0.06, hip), (0.14, hip + 1.45 * self.length)], self.main)
      with self.canvas.inside(shape):
        patterns.blossoms(self.canvas, hip + 0.4, hip + 1.4 * self.length, self.accent)
    elif figure.lower == 'skirt' or (self.garment == 'swimwear' and figure.gender == 'girl'):
      length = 0.3 if self.garment == 'swimwear' else 0.55
      self._skirt(hip - 0.12, hip + length * self.length, 0.32, 0.58)

  def _skirt(self, top, bottom, narrow, wide):
    colour, canvas = self.lower_colour, self.canvas
    steps = np.linspace(wide, -wide, 9)
    hem = [(x, bottom + (0.05 if n % 2 else -0.01) - 0.12 * (x / wide)**2)
           for n, x in enumerate(steps)]
    shape = np.array([(-narrow, top), (narrow, top), *hem])
    shaded(canvas, shape, colour, (-0.1, -0.02))
    for n in (2, 4, 6):
      x = steps[n]
      canvas.crease([(x * narrow / wide * 1.05, top + 0.12), (x, bottom - 0.02)], colour, 0.8)

  def draw_sleeve(self, side, shoulder, elbow, wrist):
    """What covers an arm."""
    slim = 0.0 if self.figure.gender == 'girl' else 0.02
    length = {'shirt': 0.75, 'dress': 0.45, 'uniform': 0.7 if slim == 0 else 2, 'hoodie': 2,
              'coat': 2, 'kimono': 2, 'swimwear': 0}[self.garment]
    if not length:
      return
    colour, wide = self.main, 0.15 + slim
    if length < 1:
      end = shoulder + (elbow - shoulder) * length
      puff = 0.19 if self.garment == 'dress' else wide + 0.02
      shapes = [capsule(shoulder, end, wide, puff)]
    else:
      extra = 0.04 if self.garment in ('hoodie', 'coat') else 0.0
      shapes = [capsule(shoulder, elbow, wide, wide - 0.01 + extra),
                capsule(elbow, elbow + (wrist - elbow) * 0.86, wide - 0.01 + extra,
                        wide - 0.03 + extra)]
    if self.garment == 'kimono':
      end = elbow + (wrist - elbow) * 0.8
      shapes.append(end + np.array([(-0.12, -0.1), (0.12, -0.1), (0.19, 0.32), (-0.19, 0.32)]))
    self.canvas.group(shapes, colour)
    if self.canvas.style.shading in ('cel', 'soft') and not self.canvas.sketch:
      with self.canvas.inside(shapes[-1]):
        self.canvas.fill(shapes[-1] + (side * 0.15, 0.1), palette.darker(colour, 0.15), 0)
    if self.garment in ('hoodie', 'coat'):
      cuff = elbow + (wrist - elbow) * 0.8
      self.canvas.fill(capsule(cuff, elbow + (wrist - elbow) * 0.88, 0.125, 0.12),
                       palette.darker(colour, 0.2))

  def draw_leg(self, side, hip, knee, ankle):
    """Trousers, shorts or socks on one leg."""
    colour, canvas = self.lower_colour, self.canvas
    kind = self.figure.lower
    if self.garment == 'swimwear' and self.figure.gender == 'boy':
      kind = 'shorts'
    if kind == 'pants':
      end = knee + (ankle - knee) * 0.96
      canvas.group((capsule(hip, knee, 0.22, 0.17), capsule(knee, end, 0.17, 0.14)), colour)
      canvas.crease([knee + (side * 0.1, -0.02), knee + (0.0, 0.04)], colour, 0.6)
    elif kind == 'shorts':
      canvas.fill(capsule(hip, hip + (knee - hip) * 0.5, 0.23, 0.22), colour)
    elif self.garment in ('uniform', 'coat', 'hoodie'):
      start = knee + (ankle - knee) * 0.25
      canvas.fill(capsule(start, ankle, 0.14, 0.1), palette.INK if self.garment == 'uniform'
                  else CREAM)
    if kind in ('pants', 'shorts') and side == 1:
      x = hip[0]
      canvas.fill(blob((-x - 0.16, self.hip_y - 0.06), (x + 0.16, self.hip_y - 0.06),
                       (x + 0.18, self.hip_y + 0.14), (0, self.hip_y + 0.24),
                       (-x - 0.18, self.hip_y + 0.14)), colour)

  def _collar_skin(self, depth, width=0.19):
    shape = blob((-width, 0.645), (0, 0.62), (width, 0.645), (width * 0.45, 0.66 + depth * 0.65),
                 (0, 0.66 + depth), (-width * 0.45, 0.66 + depth * 0.65))
    self.canvas.fill(shape, self.figure.skin_rgb, 0.7)

  def _front_shirt(self, shape):
    self._collar_skin(0.14)
    if self.figure.necktie or self.figure.gender == 'boy' and palette.brightness(self.main) > 150:
      self._shirt_collar(palette.lighter(self.main, 0.4))
    elif not self.figure.striped:
      patterns.emblem(self.canvas, self.accent, 0, 1.12)

  def _shirt_collar(self, colour):
    for side in (1, -1):
      flap = np.array([(0.02, 0.82), (0.13, 0.62), (0.24, 0.68), (0.17, 0.86)])
      self.canvas.fill(mirrored(flap, side), colour, 0.8)

  def _front_dress(self, shape):
    self._collar_skin(0.2, 0.24)
    frill = np.array([(x, 0.75 + 0.17 * np.cos(x * 3.4) + (0.035 if n % 2 else -0.01))
                      for n, x in enumerate(np.linspace(-0.3, 0.3, 11))])
    self.canvas.stroke(frill, palette.lighter(self.main, 0.6), 0.06)
    waist = self.hip_y - 0.42
    self.canvas.fill(blob((-0.31, waist - 0.06), (0, waist - 0.03), (0.31, waist - 0.06),
                          (0.32, waist + 0.07), (0, waist + 0.1), (-0.32, waist + 0.07)),
                     self.accent, 0.8)
    patterns.bow(self.canvas, self.accent, 0, waist + 0.02, 0.75)

  def _front_uniform(self, shape):
    if self.figure.gender == 'girl':
      self._collar_skin(0.2, 0.2)
      for side in (1, -1):
        flap = np.array([(0.0, 1.02), (0.12, 0.64), (0.3, 0.66), (0.4, 0.78), (0.36, 0.96),
                         (0.16, 0.98)])
        self.canvas.fill(mirrored(flap, side), NAVY)
        line = mirrored(np.array([(0.34, 0.76), (0.31, 0.91), (0.14, 0.93)]), side)
        self.canvas.stroke(line, palette.WHITE, 0.022)
      patterns.bow(self.canvas, (214, 62, 70), 0, 1.04, 1.0)
      return
    self._lapels(CREAM, 0.55)

  def _lapels(self, shirt, reach):
    """An open front with collar points, and two rows of buttons."""
    self.canvas.fill(np.array([(-0.17, 0.64), (0.17, 0.64), (0.0, 0.72 + reach)]), shirt, 0.8)
    self._collar_skin(0.07, 0.13)
    self._shirt_collar(palette.lighter(shirt, 0.5))
    for side in (1, -1):
      lapel = np.array([(0.14, 0.63), (0.3, 0.68), (0.25, 0.92), (0.01, 0.76 + reach)])
      self.canvas.fill(mirrored(lapel, side), palette.darker(self.main, 0.16), 0.8)
    for y in (0.86 + reach, 1.06 + reach):
      self.canvas.fill(ellipse(0.04, y, 0.03), (244, 206, 96), 0.5)

  def _front_hoodie(self, shape):
    rim = blob((-0.3, 0.6), (-0.14, 0.68), (0, 0.71), (0.14, 0.68), (0.3, 0.6), (0.36, 0.74),
               (0.18, 0.88), (0, 0.93), (-0.18, 0.88), (-0.36, 0.74))
    shaded(self.canvas, rim, palette.darker(self.main, 0.12))
    cord = palette.lighter(self.main, 0.75) if palette.brightness(self.main) < 190 else NAVY
    for side in (1, -1):
      self.canvas.stroke([(0.1 * side, 0.88), (0.12 * side, 1.14)], cord, 0.035)
      self.canvas.fill(ellipse(0.12 * side, 1.16, 0.026, 0.04), cord, 0.4)
    low = self.hip_y - 0.02
    self.canvas.fill(np.array([(-0.16, low - 0.34), (0.16, low - 0.34), (0.28, low), (-0.28, low)]),
                     palette.darker(self.main, 0.1), 0.9)

  def _front_coat(self, shape):
    bottom = self.hip_y + 0.6 * self.length
    for side in (1, -1):
      panel = np.array([(0.1, 0.62), (0.33, 0.68), (self.joints['shoulder', 1][0] + 0.04, 0.84),
                        (0.42, 1.1), (0.4, self.hip_y), (0.56, bottom), (0.24, bottom + 0.04),
                        (0.17, self.hip_y - 0.1), (0.2, 1.05)])
      shaded(self.canvas, mirrored(panel, side), self.main, (-0.05 * side, 0))
      lapel = np.array([(0.09, 0.6), (0.24, 0.66), (0.34, 0.92), (0.25, 0.96), (0.27, 1.04),
                        (0.18, 1.12)])
      self.canvas.fill(mirrored(lapel, side), palette.lighter(self.main, 0.2), 0.9)
      for y in (1.25, 1.45):
        self.canvas.fill(ellipse(side * 0.27, y, 0.032), (244, 206, 96), 0.5)
    self._collar_skin(0.05, 0.1)

  def _front_swimwear(self, shape):
    boy = self.figure.gender == 'boy'
    chest = 0.2 if boy else 0.26
    skin = self.figure.skin_rgb
    for side in (1, -1):
      bare = blob((0.3, 0.67), (0.43, 0.7), (0.5, 0.8), (0.42, 1.0), (0.33, 0.96), (0.29, 0.8))
      self.canvas.fill(mirrored(bare, side) * (1.0 if not boy else 1.16, 1), skin, 0)
      self.canvas.crease(mirrored(bare, side)[12:], self.main, 0.6)
    self._collar_skin(chest, 0.24)
    self.canvas.stroke(smooth([(-0.25, 0.72), (-0.12, 0.66 + chest * 0.8), (0, 0.68 + chest),
                               (0.12, 0.66 + chest * 0.8), (0.25, 0.72)], False), self.accent,
                       0.045)
    if not boy:
      patterns.bow(self.canvas, self.accent, 0, 1.02, 0.6)

  def _front_kimono(self, shape):
    self._collar_skin(0.26, 0.16)
    for side in (1, -1):
      band = np.array([(0.12, 0.6), (0.23, 0.66), (-0.05, 1.22), (-0.13, 1.1)])
      self.canvas.fill(mirrored(band, side), palette.lighter(self.accent, 0.2), 0.9)
    top, low = self.hip_y - 0.52, self.hip_y - 0.12
    obi = blob((-0.37, top), (0, top + 0.02), (0.37, top), (0.4, low), (0, low + 0.02),
               (-0.4, low))
    shaded(self.canvas, obi, self.second)
    self.canvas.stroke([(-0.38, (top + low) / 2), (0.38, (top + low) / 2)], self.accent, 0.06)

  def draw_neckwear(self):
    """Necktie and scarf, over everything on the trunk."""
    if self.figure.necktie:
      colour = self.accent if self.garment == 'shirt' else (200, 60, 70)
      tie = np.array([(-0.045, 0.76), (0.045, 0.76), (0.09, 1.24), (0, 1.36), (-0.09, 1.24)])
      shaded(self.canvas, tie, colour, (-0.04, 0))
      self.canvas.fill(np.array([(-0.08, 0.68), (0.08, 0.68), (0.05, 0.79), (-0.05, 0.79)]), colour)
    if self.figure.scarf:
      colour = palette.mix(self.accent, (220, 70, 60), 0.45)
      shaded(self.canvas, np.array([(0.08, 0.74), (0.3, 0.74), (0.36, 1.42), (0.15, 1.45)]), colour)
      for y in (1.18, 1.3):
        self.canvas.stroke([(0.14, y), (0.34, y - 0.02)], palette.lighter(colour, 0.6), 0.045)
      roll = blob((-0.36, 0.56), (0, 0.66), (0.36, 0.56), (0.42, 0.7), (0.25, 0.86), (0, 0.9),
                  (-0.25, 0.86), (-0.42, 0.7))
      shaded(self.canvas, roll, colour, (-0.04, -0.06))
      self.canvas.crease(smooth([(-0.3, 0.72), (0, 0.8), (0.3, 0.7)], False), colour)
