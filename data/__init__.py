"""Files -> batches of numpy. This room knows nothing of JAX.

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
