"""COCO's 17 joints of a person: their order, and the upper half of the body.

`MIRRORED_JOINTS`, where each goes in a mirror, stands in data/geometry.py.
"""

JOINT_NAMES = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
    'right_knee', 'left_ankle', 'right_ankle')
UPPER_BODY = tuple(range(11))     # head and arms
