"""COCO's 17 joints of a person: their order, their mirror, and the upper half of the body."""

PERSON = 1                        # COCO's category_id
JOINT_NAMES = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
    'right_knee', 'left_ankle', 'right_ankle')
# Where each goes in a mirror: left and right change places.
MIRRORED_JOINTS = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
UPPER_BODY = tuple(range(11))     # head and arms
