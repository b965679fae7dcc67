"""Phantom: drawn CT and MRI slices of heads and chests, with tags, findings and boxes of lesions.

| file | what it holds |
|---|---|
| vocabulary.py | the tags and the findings |
| patient.py | a patient and a slice from (data_seed, split, index) |
| canvas.py | places in cm, soft shapes, and noise that is alike at any size |
| tissues.py | how bright a tissue is in T1, T2, PD and CT |
| head.py, brain.py, skull_base.py | a slice of a head |
| chest.py, mediastinum.py, bronchi.py | a slice of a chest |
| lesions.py | what is ill |
| scanner.py | window, blur, shading, noise and faults |
| picture.py | slice -> finished 16-bit PNG and what is known about it |
| builder.py, prepare.py | the TFDS dataset and its place on disk |

A published version is frozen: a change of any drawn slice is a new `VERSION` in vocabulary.py.
"""
