"""Pictures that nobody has labelled, in groups: a folder, a net, weights.

    python main.py --config=configs/cluster.py --config.data.path=photos
    python main.py --job=cluster --workdir=runs/simpsons-small --input=photos

Features of Inception v3 with ImageNet's weights, averaged over the picture; 128 principal
components of length 1; k-means with the number of clusters that has the largest silhouette. The
weights are fetched from the Hugging Face hub; `configs/fashion.py` says what to do where there is
none, for instance
`--config.net.name=inception_v3_mixed8 --config.net.init_from=inception_v3_to_mixed8.npz`.
`--config.net.init_from=runs/simpsons-small` takes net and size of pictures from a run.

What is left in runs/cluster/cluster: `gallery.html`, to be looked at; `clusters.csv`; `names.csv`,
whose column `name` is filled in by hand, or in the gallery. The same command again then writes
`labelled/`, a dataset:

    python main.py --config=configs/simpsons.py:folder
      --config.data.path=runs/cluster/cluster/labelled

Pictures whose classes are known (class folders, a table) show how good the clusters are:
`--config.data.source=folder`; drawn ones: `--config.data.source=toon`. Then

    python main.py --job=neighbours --workdir=runs/cluster                      near-copies, and
    python main.py --job=neighbours --workdir=runs/cluster --input=photo.jpg    what looks alike
"""

from configs import base


def get_config(arg: str = ''):
  """The page. Args: arg: must be empty; this page has no presets."""
  base.check_preset('cluster', arg, ('',))
  config = base.get_config()
  config.job = 'cluster'
  config.task = 'classification'
  config.data.source = 'pictures'
  config.data.labels = 'identity'
  config.data.image_size_px = 299
  config.net.name = 'inception_v3'
  config.net.init_from = 'hf-hub:timm/inception_v3.tf_in1k'
  return config
