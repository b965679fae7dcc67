"""Files -> batches of numpy. This room knows nothing of JAX.

| file | what it holds |
|---|---|
| batch.py | the keys of a batch, its check, and what a source is |
| decode.py | the bytes of a picture -> pixels |
| operations.py | what is done to one example; a pipeline is a tuple of operations |
| augment.py, rand_augment.py | operations that make another picture of a training picture |
| scan_operations.py | the operations of scans: their size, and the damage that a net mends |
| geometry.py | how joints and boxes move with a picture |
| joints.py | COCO's 17 joints of a person |
| person_box.py, person_crop.py | a person's box, and the operation that cuts her out |
| people.py, persons.py | everybody in the pictures; a source whose rows are persons |
| detections.py | the boxes of a detector's result file |
| coco_files.py, json_files.py | COCO's file of joints, checked; JSON that people bring |
| loader.py | batch k as a pure function of (seed, k) |
| classes.py | a source whose pictures have exactly one tag, as labels |
| balance.py | oversampling of rare classes |
| content_splits.py | splits as given, and what is missing cut out by content |
| duplicates.py | exact and near duplicates among all pictures |
| subset.py, joined.py | chosen rows of a source, and its parts for folds; splits as one source |
| pool.py | threads and processes that make batches ahead |
| tag_files.py | the tags of a person's pictures: table, sidecar files or class folders |
| implications.py | which tag entails which |
| prepared.py | what is prepared once and kept on disk |
| dice.py | seeded choices |
| crew.py | the processes that draw |
| sources/ | one file per source; `SOURCES` names its build function |
| sources/pictures.py | the picture files of a folder, with no tags: what prediction reads |
| scans/ | CT and MRI slices: DICOM, NIfTI, PNG and TIFF files |
| board/ | a board's archive: its formats, its problems, its index |
| toon/ | the embedded dataset of drawn characters |
| phantom/ | the embedded dataset of drawn CT and MRI slices |

A source is one line in `SOURCES`: `build_<name>(config_data, split, poll) -> Source` with split one
of 'train', 'valid' and 'test'; poll is called often while data are prepared, and may raise to stop.
"""

from data.sources import board, coco, folder, phantom, pictures, scans, tfds, toon

SOURCES = {
    'toon': toon.build_toon,
    'folder': folder.build_folder,
    'pictures': pictures.build_pictures,
    'board': board.build_board,
    'tfds': tfds.build_tfds,
    'coco': coco.build_coco,
    'scans': scans.build_scans,
    'phantom': phantom.build_phantom,
}
