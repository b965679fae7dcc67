"""Joints as bumps on heatmaps, and heatmaps back to joints between their pixels.

Heatmap px (i, j) lies on crop px (4 i, 4 j): the convention of the published weights, which counts
both from the centre of the first pixel.
"""

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError

STRIDE_PX = 4                     # crop px from one heatmap px to the next
REACH_SIGMAS = 3                  # of a bump with a rounded centre: it is cut off there
# Where each of the 17 COCO joints goes in a mirror: left and right change places.
MIRRORED_JOINTS = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)

_LEAST_HEAT = 1e-10               # of which a logarithm is taken
_DIFFERENCE_PX = 2                # how far the differences of 'dark' look


def encode(keypoints: jax.Array, height: int, width: int, *, sigma: float = 2.0,
           rounded: bool = True) -> tuple[jax.Array, jax.Array]:
  """A bump exp(-d^2 / (2 sigma^2)) for every joint, d the distance from its centre.

  Rounded, a centre is the nearest heatmap px, so the top of its bump is 1, and the bump is cut off
  3 sigma away along each axis. Otherwise the centre is the joint itself, and nothing is cut off.

  Args:
    keypoints: [B, K, 3], x px, y px in the crop, and a visibility that is above 0 where the joint
      is labelled. Where it is not, x and y may be anything.
    height, width: of the heatmaps.
    sigma: in heatmap px.
    rounded: whether centres are heatmap px.

  Returns:
    Heatmaps float32 [B, height, width, K], and weights float32 [B, K]: 1, or 0 with an empty
    heatmap where the joint is not labelled or no px of the heatmap is within 3 sigma of its centre
    along both axes.

  Source: Xiao, Wu and Wei, Simple Baselines for Human Pose Estimation and Tracking, 2018,
  arXiv 1804.06208, and the published code; without rounding, Zhang, Zhu, Dai, Ye and Zhu,
  Distribution-Aware Coordinate Representation for Human Pose Estimation, 2020, arXiv 1910.06278.
  Differs from the first in one case: a window that ends right before the first px has weight 0.
  """
  labelled = keypoints[..., 2] > 0
  centre = jnp.where(labelled[..., None], keypoints[..., :2], 0).astype(jnp.float32) / STRIDE_PX
  if rounded:
    centre = jnp.trunc(centre + 0.5)
  reach, last = REACH_SIGMAS * sigma, jnp.array([width - 1, height - 1])
  touches = ((centre - reach <= last) & (centre + reach >= 0)).all(axis=-1)
  weights = (labelled & touches).astype(jnp.float32)

  def profile(size, centre):
    """[B, K, size]: the bump along one axis."""
    far = jnp.arange(size) - centre[..., None]
    heat = jnp.exp(-jnp.square(far) / (2 * sigma ** 2))
    return jnp.where(jnp.abs(far) <= reach, heat, 0) if rounded else heat

  across = profile(width, centre[..., 0]) * weights[..., None]
  heat = profile(height, centre[..., 1])[..., :, None] * across[..., None, :]     # [B, K, h, w]
  return heat.transpose(0, 2, 3, 1), weights


def decode(heatmaps: jax.Array, *, refine: str = 'quarter', sigma: float = 2.0) -> jax.Array:
  """The joint of every heatmap, where it is hottest.

  Args:
    heatmaps: [B, h, w, K].
    refine: where in the hottest px the joint is, of REFINEMENTS.
      none: in its centre.
      quarter: a quarter of a heatmap px from it along each axis, toward the hotter neighbour.
      dark: at the top of the Gaussian that has the slope and the bend of the blurred heatmap there.
      At the edges neither moves a joint: where its hottest px is one of the first two along any
      axis, or of the last two (of 'quarter', the last).
    sigma: of the bumps, in heatmap px; the blur of 'dark' goes with it.

  Returns:
    float32 [B, K, 3]: x px, y px in the crop, and the heat, which is the joint's score. As
    published, a joint whose heatmap is nowhere above 0 is at (0, 0).

  Raises:
    UserError: no such refinement.

  Source: quarter and none: the published code of Xiao, Wu and Wei, arXiv 1804.06208; dark: Zhang,
  Zhu, Dai, Ye and Zhu, 2020, arXiv 1910.06278, equation 9. Differs by moving a joint nowhere where
  the heatmap has no top, and by 2 heatmap px at most.
  """
  if refine not in REFINEMENTS:
    raise UserError(f"the refinement '{refine}' is unknown; choices: {', '.join(REFINEMENTS)}")
  heatmaps = heatmaps.astype(jnp.float32)
  rows, height, width, joints = heatmaps.shape
  flat = heatmaps.reshape(rows, height * width, joints)
  hottest = flat.argmax(axis=1)                                                   # [B, K]
  # a NaN is the hottest, while XLA's maximum may lose it
  score = jnp.take_along_axis(flat, hottest[:, None], axis=1)[:, 0]
  place = jnp.stack([hottest % width, hottest // width], axis=-1)                 # [B, K, 2]
  place = place + REFINEMENTS[refine](heatmaps, place, sigma)
  points = STRIDE_PX * jnp.where(score[..., None] > 0, place, 0.0)
  return jnp.concatenate([points, score[..., None]], axis=-1)


def flip_back(heatmaps: jax.Array) -> jax.Array:
  """Heatmaps [B, h, w, 17] of mirrored crops as those of the crops: left and right change places,
  of the pixels and of the joints."""
  return heatmaps[:, :, ::-1][..., np.array(MIRRORED_JOINTS)]


def average_flipped(plain: jax.Array, of_mirrored: jax.Array) -> jax.Array:
  """The mean of the heatmaps of crops and of the same crops mirrored, [B, h, w, 17] each.

  A heatmap px lies on the first of its four crop px, in the mirror on the last. So the mirrored
  ones are brought one px to the right, and their first column stays besides.

  Args: of_mirrored: as the net gives them.
  """
  back = flip_back(of_mirrored)
  return (plain + jnp.concatenate([back[:, :, :1], back[:, :, :-1]], axis=2)) / 2


def _unmoved(heatmaps, place, sigma):
  del heatmaps, sigma
  return jnp.zeros(place.shape)


def _quarter(heatmaps, place, sigma):
  """[B, K, 2]: a quarter px toward the hotter neighbour. Args: place: int [B, K, 2], x and y."""
  del sigma
  near = _patches(heatmaps, place, 1)
  slope = jnp.stack([near[..., 1, 2] - near[..., 1, 0], near[..., 2, 1] - near[..., 0, 1]], -1)
  return jnp.where(_amid(heatmaps, place, 1), 0.25 * jnp.sign(slope), 0)


def _dark(heatmaps, place, sigma):
  """[B, K, 2]: one Newton step on the logarithm of the blurred heatmap. Args: as `_quarter`.

  The blur is that of the published settings: 11 px wide for a sigma of 2, 17 for 3, and of the
  deviation that OpenCV gives a kernel of that width.
  """
  reach = max(1, round(3 * sigma - 1))
  taps = np.exp(-np.square(np.arange(-reach, reach + 1) / (0.3 * (reach - 1) + 0.8)) / 2)
  side = 2 * _DIFFERENCE_PX + 1
  blur = np.stack([np.pad(taps / taps.sum(), (row, side - 1 - row)) for row in range(side)])
  blur = jnp.asarray(blur, jnp.float32)
  near = _patches(heatmaps, place, _DIFFERENCE_PX + reach)
  near = jnp.einsum('ri,bkij,cj->bkrc', blur, near, blur, precision='highest')
  heat = jnp.log(jnp.maximum(near, _LEAST_HEAT))                                  # [B, K, 5, 5]

  def at(x, y):
    return heat[..., _DIFFERENCE_PX + y, _DIFFERENCE_PX + x]

  dx, dy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
  dxx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
  dyy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
  dxy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
  determinant = dxx * dyy - dxy ** 2
  is_top = (dxx < 0) & (determinant > 0)
  step = jnp.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)
  step = step / jnp.where(is_top, determinant, 1)[..., None]
  step = jnp.clip(step, -_DIFFERENCE_PX, _DIFFERENCE_PX)
  return jnp.where(is_top[..., None] & _amid(heatmaps, place, 2), step, 0)


REFINEMENTS = {'none': _unmoved, 'quarter': _quarter, 'dark': _dark}


def _amid(heatmaps, place, last):
  """bool [B, K, 1]: whether a px is none of the first two nor of the last ones, along both axes."""
  size = jnp.array([heatmaps.shape[2], heatmaps.shape[1]])
  return ((place > 1) & (place < size - last)).all(axis=-1, keepdims=True)


def _patches(heatmaps, place, reach):
  """[B, K, n, n] with n = 2 reach + 1: heat around a place, 0 outside the heatmap."""
  margin = (reach, reach)
  padded = jnp.pad(heatmaps, ((0, 0), margin, margin, (0, 0))).transpose(0, 3, 1, 2)

  def cut(heatmap, place):
    return jax.lax.dynamic_slice(heatmap, place[::-1], (2 * reach + 1,) * 2)

  return jax.vmap(jax.vmap(cut))(padded, place)
