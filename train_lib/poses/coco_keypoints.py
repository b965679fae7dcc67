"""How well found people agree with annotated ones, as the COCO keypoint evaluation says it.

Source: the COCO keypoint evaluation, cocodataset.org; its published program, pycocotools, gives the
same ten numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# How far from each joint people mark it, as a share of the root of the person's area.
SIGMAS = np.array([.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107,
                   .087, .087, .089, .089])
THRESHOLDS = np.linspace(0.5, 0.95, 10)      # of the similarity of what counts as found
RECALLS = np.linspace(0, 1, 101)             # at which precision is read
MOST_DETECTIONS = 20                         # of a picture; the others do not count
AREAS_PX2 = ((0, 1e10), (32 ** 2, 96 ** 2), (96 ** 2, 1e10))         # all, medium, large
FIGURES = ('ap', 'ap50', 'ap75', 'ap_medium', 'ap_large',
           'ar', 'ar50', 'ar75', 'ar_medium', 'ar_large')
LEAST_SCORE = 0.2                            # of a joint that counts in a person's score
CHUNK = 128                                  # pictures that are matched at once


class Detections(NamedTuple):
  """D people who were found.

  Attributes:
    image: int [D], number of the picture.
    keypoints: [D, 17, 3], x px, y px in the picture, score.
    score: [D], how sure it is that this is a person.
  """
  image: np.ndarray
  keypoints: np.ndarray
  score: np.ndarray


def oks(truth_keypoints: np.ndarray, truth_boxes: np.ndarray, truth_areas: np.ndarray,
        keypoints: np.ndarray) -> np.ndarray:
  """The object keypoint similarity of found people and annotated ones, 0 to 1.

  It is the mean over the labelled joints of exp(-d^2 / (2 area k^2)): d is the distance and k twice
  the joint's SIGMAS. Of a person without a labelled joint, d is how far each joint is outside her
  box, made three times as wide and high about its centre.

  Args:
    truth_keypoints: [G, 17, 3], x px, y px, visibility, above 0 where labelled.
    truth_boxes: [G, 4], x px, y px, width px, height px.
    truth_areas: [G], px^2.
    keypoints: [D, 17, 2 or more], x px, y px.

  Returns:
    float64 [D, G].
  """
  return _similarity(truth_keypoints[None], truth_boxes[None], truth_areas[None],
                     keypoints[:, None])


def oks_terms(squares: np.ndarray, areas: np.ndarray) -> np.ndarray:
  """Each joint's exp(-d^2 / (2 area k^2)), [..., 17], whose mean `oks` is.

  Args: squares: d^2 in px^2, [..., 17]; areas: of the persons, px^2, [...].
  """
  return np.exp(-squares / (2 * SIGMAS) ** 2 / (areas + np.spacing(1))[..., None] / 2)


def evaluate(people, detections: Detections) -> dict[str, float]:
  """Average precision and recall of the people found in the pictures of a split.

  In each picture the 20 best detections, best first, take the annotated person that they are most
  similar to and that nobody took before. Crowds, people without a labelled joint, and for the
  figures of a size those of another, neither have to be found nor does it count to find them; a
  detection of another size that finds nobody does not count either. Equal scores stay in the order
  of the pictures' numbers, and in a picture in that of the detections.

  Args:
    people: with fields image, keypoints, box_px, area_px2 and crowd, as `data.people.People`.
    detections: their size is the area of the box around all joints.

  Returns:
    By FIGURES: the mean over similarities of 0.5 to 0.95, at 0.5, at 0.75, and the mean for people
    of 32^2 to 96^2 px^2 and for larger ones; -1 where there is nobody to find.
  """
  ranked = _best_of_pictures(detections)
  low, high = np.array(AREAS_PX2).T[..., None]
  nobody = people.crowd | ~(people.keypoints[..., 2] > 0).any(axis=1)
  ignored = nobody | (people.area_px2 < low) | (people.area_px2 > high)           # [A, G]
  areas = joints_areas(ranked.keypoints)
  found, ignorable = _match(people, ignored, ranked)                              # [A, T, D]
  ignorable |= ~found & ((areas < low) | (areas > high))[:, None]
  order = np.argsort(-ranked.score, kind='stable')
  ap, ar = zip(*(_curves(found[size][:, order], ignorable[size][:, order],
                         int((~ignored[size]).sum())) for size in range(len(AREAS_PX2))),
               strict=True)
  values = [value for (all_sizes, medium, large) in (ap, ar) for value in (
      all_sizes.mean(), all_sizes[0], all_sizes[5], medium.mean(), large.mean())]
  return dict(zip(FIGURES, map(float, values), strict=True))


def joints_areas(keypoints: np.ndarray) -> np.ndarray:
  """[D]: the area of the box around all joints, px^2. Args: keypoints: [D, 17, 2 or more]."""
  points = np.asarray(keypoints, float)[..., :2]
  return (points.max(axis=1) - points.min(axis=1)).prod(axis=-1)


def rescore(box_scores: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
  """The score of each box times the mean score of its joints above LEAST_SCORE: float64 [D].

  Args: box_scores: [D]; keypoints: [D, 17, 3], x px, y px, score; without such a joint the result
  is 0.

  Source: Xiao, Wu and Wei, Simple Baselines for Human Pose Estimation and Tracking, 2018,
  arXiv 1804.06208, and the published code.
  """
  scores = np.asarray(keypoints, float)[..., 2]
  sure = scores > LEAST_SCORE
  return box_scores * np.where(sure, scores, 0).sum(axis=1) / np.maximum(sure.sum(axis=1), 1)


def suppress(detections: Detections, threshold: float = 0.9,
             areas: np.ndarray | None = None) -> np.ndarray:
  """Which detections stay when people who were found twice go: bool [D].

  In each picture the best stays, and all go that are more similar to it than the threshold; then
  the best of the others, and so on. Similarity is that of `oks`, over all joints and with the mean
  of both areas.

  Args:
    detections: of equal scores the first is the best.
    threshold: 0 to 1; 1 keeps all.
    areas: [D], of the people, px^2. Published figures are with the area of the crop that the net
      saw; None: of the box around the joints.

  Source: Papandreou et al., Towards Accurate Multi-person Pose Estimation in the Wild, 2017,
  arXiv 1701.01779, section 3.3; areas after the code of Xiao, Wu and Wei, arXiv 1804.06208.
  """
  points = np.asarray(detections.keypoints, float)[..., :2]
  areas = joints_areas(points) if areas is None else np.asarray(areas, float)
  order = np.lexsort((-detections.score, detections.image))
  stays = np.ones(len(order), bool)
  starts = np.flatnonzero(np.diff(detections.image[order], prepend=-1))
  for rows in np.split(order, starts[1:]):
    if len(rows) == 1:
      continue
    squares = np.square(points[rows][:, None] - points[rows]).sum(axis=-1)        # [n, n, 17]
    both = (areas[rows][:, None] + areas[rows]) / 2
    alike = oks_terms(squares, both).mean(axis=-1) > threshold
    for best in range(len(rows)):
      if stays[rows[best]]:
        stays[rows[best + 1:]] &= ~alike[best, best + 1:]
  return stays


def result_rows(detections: Detections, image_ids: Sequence) -> list[dict]:
  """The rows of COCO's result format, for a JSON file.

  Args: image_ids: number of a picture -> what it is known by.
  """
  keypoints = np.asarray(detections.keypoints, float).reshape(-1, 3 * len(SIGMAS))
  return [{'image_id': image_ids[image], 'category_id': 1, 'keypoints': joints, 'score': score}
          for image, joints, score in zip(
              np.asarray(detections.image).tolist(), keypoints.tolist(),
              np.asarray(detections.score, float).tolist(), strict=True)]


def _similarity(truth_keypoints, truth_boxes, truth_areas, keypoints):
  """`oks` of arrays whose first axes are broadcast."""
  truth, points = np.asarray(truth_keypoints, float), np.asarray(keypoints, float)[..., :2]
  boxes, labelled = np.asarray(truth_boxes, float)[..., None, :], truth[..., 2] > 0
  some = labelled.any(axis=-1, keepdims=True)
  start, size = boxes[..., :2], boxes[..., 2:]
  beyond = np.maximum(start - size - points, 0) + np.maximum(points - (start + 2 * size), 0)
  offsets = np.where(some[..., None], points - truth[..., :2], beyond)            # [..., 17, 2]
  terms = oks_terms(np.square(offsets).sum(axis=-1), np.asarray(truth_areas, float))
  counts = labelled | ~some
  return np.where(counts, terms, 0).sum(axis=-1) / counts.sum(axis=-1)


def _best_of_pictures(detections):
  """The detections that count, by pictures, the best of each first; float64."""
  image, score = np.asarray(detections.image), np.asarray(detections.score, float)
  order = np.lexsort((-score, image))
  ranks = np.arange(len(order)) - np.searchsorted(image[order], image[order])
  order = order[ranks < MOST_DETECTIONS]
  return Detections(image[order], np.asarray(detections.keypoints, float)[order], score[order])


def _match(people, ignored, ranked):
  """Who finds somebody, and whether it is somebody to ignore: bool [A, T, D] each."""
  found = np.zeros((len(AREAS_PX2), len(THRESHOLDS), len(ranked.image)), bool)
  ignorable = found.copy()
  by_picture = np.argsort(people.image, kind='stable')
  pictures = np.intersect1d(people.image, ranked.image)
  firsts, counts = {}, {}
  for name, images in (('people', people.image[by_picture]), ('detections', ranked.image)):
    firsts[name] = np.searchsorted(images, pictures)
    counts[name] = np.searchsorted(images, pictures, side='right') - firsts[name]
  alike_first = np.argsort(counts['people'], kind='stable')   # so that little of a chunk is filling
  for start in range(0, len(pictures), CHUNK):
    chosen = alike_first[start:start + CHUNK]

    def rows(name, chosen=chosen):
      """Places [P, n] of a picture's rows, and which of them are real."""
      places = np.arange(counts[name][chosen].max())
      real = places < counts[name][chosen][:, None]
      return np.where(real, firsts[name][chosen][:, None] + places, 0), real

    (figures, is_figure), (places, is_place) = rows('people'), rows('detections')
    figures = by_picture[figures]
    alike = _similarity(
        people.keypoints[figures][:, None], people.box_px[figures][:, None],
        people.area_px2[figures][:, None], ranked.keypoints[places][:, :, None])  # [P, D, G]
    alike = np.where(is_figure[:, None], alike, -1)
    taken = _take(alike, people.crowd[figures], ignored[:, figures])
    for whole, part in zip((found, ignorable), taken, strict=True):
      whole[:, :, places[is_place]] = part[:, :, is_place]
  return found, ignorable


def _take(alike, crowd, ignored):
  """The same of pictures side by side: bool [A, T, P, D] each.

  A detection prefers whom it is to find; of equally similar people it takes the last.

  Args: alike: [P, D, G], -1 where there is nobody; crowd: [P, G]; ignored: [A, P, G].
  """
  num_pictures, num_detections, num_people = alike.shape
  shape = (len(ignored), len(THRESHOLDS), num_pictures)
  found, ignorable = np.zeros((2, *shape, num_detections), bool)
  taken, ignored = np.zeros((*shape, num_people), bool), ignored[:, None]
  for rank in range(num_detections):
    free = (alike[:, rank] >= THRESHOLDS[:, None, None]) & (~taken | crowd)     # [A, T, P, G]
    wanted = free & ~ignored
    free = np.where(wanted.any(axis=-1, keepdims=True), wanted, free)
    values = np.where(free, alike[:, rank], -1)[..., ::-1]
    best = np.arange(num_people) == num_people - 1 - values.argmax(axis=-1)[..., None]
    best &= free
    taken |= best
    found[..., rank], ignorable[..., rank] = best.any(axis=-1), (best & ignored).any(axis=-1)
  return found, ignorable


def _curves(found, ignorable, num_people):
  """Average precision and recall at each threshold, [T] each.

  Args: found, ignorable: [T, D], the best detection first; num_people: who are to be found.
  """
  if not num_people:
    return np.full((2, len(found)), -1.0)
  hits, misses = ((these & ~ignorable).cumsum(axis=1) for these in (found, ~found))
  recall = hits / num_people
  precision = hits / (hits + misses + np.spacing(1))
  precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
  precision = np.pad(precision, ((0, 0), (0, 1)))             # where a recall is never reached
  ap = [curve[np.searchsorted(reached, RECALLS)].mean()
        for curve, reached in zip(precision, recall, strict=True)]
  return np.array(ap), recall[:, -1] if recall.shape[1] else np.zeros(len(recall))
