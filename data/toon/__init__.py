"""Toon: drawn characters with exact tags, identities, garments and COCO joints.

| file | what it holds |
|---|---|
| vocabulary.py | the 104 tags: category, share of pictures, how easily a tag is forgotten |
| characters.py | the named characters and their series |
| styles.py | the artists: line, shading, palette, proportions |
| palette.py | named colours and small colour arithmetic |
| scene.py, wardrobe.py, layout.py | a scene description from (data_seed, split, index) |
| tagging.py | the tags of a scene, and which of them are forgotten |
| canvas.py | anti-aliased shapes on a supersampled canvas |
| skeleton.py, shading.py, patterns.py | poses and joints; volume; stars, stripes and bows |
| figure.py, body.py, clothes.py, face.py, hair.py, headwear.py, props.py | a figure |
| background.py, places.py, scenery.py, mishaps.py | what is around the figures |
| effects.py | tone, blur, frame and watermark of the finished picture |
| picture.py | scene -> finished JPEG and the truth about its figures |
| builder.py, prepare.py | the TFDS dataset and its place on disk |

A published version is frozen: a change of any drawn picture is a new `VERSION` in vocabulary.py.
"""
