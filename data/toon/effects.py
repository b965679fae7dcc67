"""What happens to a picture after it is drawn: tone, paper, blur, frame, watermark."""

import cv2
import numpy as np


def finish(image, dice, scene):
  """The finished RGB picture, uint8 [H, W, 3]."""
  side = image.shape[0]
  if scene.medium == 'monochrome':
    image = _one_tone(image, dice)
  if 'watermark' in scene.effects:
    image = _watermark(image, dice)
  if 'border' in scene.effects:
    width = max(2, int(side * dice.between(0.025, 0.05)))
    tone = 250 if dice.chance(0.6) else 16
    image[:width], image[-width:], image[:, :width], image[:, -width:] = tone, tone, tone, tone
  if 'lowres' in scene.effects:
    small = max(12, int(side / dice.between(2.4, 3.6)))
    image = cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA),
                       (side, side), interpolation=cv2.INTER_CUBIC)
  if 'jpeg_artifacts' in scene.effects:
    quality = dice.count(7, 15)
    _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
  return image


def _one_tone(image, dice):
  grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
  if dice.chance(0.6):
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
  dark, light = np.array([64, 40, 30]), np.array([255, 246, 226])
  if dice.chance(0.4):
    dark, light = np.array([24, 32, 70]), np.array([240, 248, 255])
  ramp = dark + (light - dark) * np.arange(256)[:, None] / 255
  return ramp.astype(np.uint8)[grey]


def _watermark(image, dice):
  side = image.shape[0]
  layer = image.copy()
  text = dice.one_of(('TOON STUDIO', 'sample', 'oko.toon', 'PREVIEW', 'do not copy'))
  scale = side / 256 * dice.between(0.5, 0.9)
  origin = int(side * dice.between(0.02, 0.35)), int(side * dice.between(0.3, 0.95))
  tone = (255, 255, 255) if dice.chance(0.6) else (20, 20, 20)
  cv2.putText(layer, text, origin, cv2.FONT_HERSHEY_DUPLEX, scale, tone,
              max(1, round(scale * 2)), cv2.LINE_AA)
  return cv2.addWeighted(layer, 0.6, image, 0.4, 0)
