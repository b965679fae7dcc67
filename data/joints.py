"""COCO's 17 joints of a person: their order, the limbs between them, the upper half of the body.

`MIRRORED_JOINTS`, where each goes in a mirror, stands in data/geometry.py.
"""

JOINT_NAMES = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
    'right_knee', 'left_ankle', 'right_ankle')
# Pairs of joints that a limb joins, from the feet up.
SKELETON = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (7, 9),
    (6, 8), (8, 10), (3, 5), (4, 6), (1, 3), (2, 4), (0, 1), (0, 2))
UPPER_BODY = tuple(range(11))     # head and arms
