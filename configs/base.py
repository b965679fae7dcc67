"""Every key of a config, with its default; a page under `configs/` overrides a few of them.

A section for each reader: `data`, `net`, `loss`, `optimizer`, `train` and `eval` decide what is
learned; `predict` belongs to that job; `runtime` holds what may differ between two starts of one
run, because nothing in it can change a result. Tuples, never lists; '' or 0 is off or "find out".
"""

from ml_collections import ConfigDict


def get_config(arg: str = '') -> ConfigDict:
  """Returns the defaults. Args: arg: must be empty; this page has no presets."""
  check_preset('base', arg, ('',))
  config = ConfigDict()
  config.seed = 0
  config.task = 'tagging'
  config.small_page = ''          # what to run instead where there is no accelerator
  config.data = data_section()
  config.net = ConfigDict(dict(
      name='se_resnet_tagger',    # a variant of nets.NETS
      dropout_rate=-1.0,          # before the head; negative: the net's own
      dtype='auto',               # computes in: auto (bfloat16 on TPU and GPU), float32, bfloat16
      batch_norm_sync=True,       # statistics of the global batch; False: of each device
  ))
  config.loss = ConfigDict(dict(
      name='focal',               # losses.LOSSES
      over_tags='sum',            # an example's loss: sum or mean over its tags
      focal_alpha=-1.0,           # weight of positives, 0..1; negative: off
      focal_gamma=2.0,            # 0: plain cross-entropy
      gamma_positive=0.0,         # asymmetric loss
      gamma_negative=4.0,
      clip=0.05,
  ))
  config.optimizer = optimizer_section()
  config.train = ConfigDict(dict(
      batch_size=128,             # of one optimizer step, over all devices
      num_epochs=40.0,
      num_steps=0,                # 0: from num_epochs
      accumulate_steps=1,         # parts of a batch computed one after another
      shrink=1,                   # pictures are this many times smaller ...
      shrink_frac=0.0,            # ... in the first part of the run, a share of its steps
      ema_decay=0.0,              # average of the weights, used for evaluation; 0: off
      parallel='jit',             # jit (sharded arrays) or pmap
  ))
  config.eval = ConfigDict(dict(
      batch_size=128,
      every_steps=0,              # 0: about ten times in a run
      baselines=True,             # the final table's other rows
  ))
  config.predict = ConfigDict(dict(
      batch_size=32,
      threshold=-1.0,             # negative: the one tuned on the validation split
      checkpoint='latest',        # latest or best (by the validation split)
  ))
  config.runtime = runtime_section()
  return config


def data_section() -> ConfigDict:
  """The keys that the sources, the operations and the loader read."""
  return ConfigDict(dict(
      source='toon',              # data.SOURCES
      dir='',                     # prepared datasets; '': ~/.cache/oko/data
      path='',                    # folder: a person's own pictures
      table='',                   # folder: CSV or JSON Lines of path and tags; '': find out
      num_train=25_000,           # toon
      num_valid=2_500,
      num_test=2_500,
      dropped_share=0.2,          # toon: mean share of true tags left out
      data_seed=0,                # toon
      valid_frac=0.1,             # folder without split folders
      test_frac=0.1,
      image_size_px=256,
      max_pixels=50_000_000,      # larger pictures are refused from their header
      pad='square',               # square (white) or squish
      augment=('mirror', 'warp', 'cutout', 'colour'),
      rotation_deg=10.0,
      scale_frac=0.1,
      translate_frac=0.05,
      cutout_frac=0.25,
      colour_frac=0.2,
  ))


def optimizer_section() -> ConfigDict:
  """What `train_lib.optimizers` reads."""
  return ConfigDict(dict(
      name='adamw',               # train_lib.optimizers.OPTIMIZERS
      learning_rate=1e-3,         # the peak
      schedule='cosine',          # constant, linear, cosine
      warmup_frac=0.05,           # of all steps
      weight_decay=0.0,           # kernels only; decoupled in adamw, else added to the gradient
      momentum=0.9,
      beta1=0.9,
      beta2=0.999,
      decay=0.9,                  # of RMSprop's average of squares
      epsilon=1e-8,
      clip_norm=0.0,              # global norm of the gradient; 0: off
  ))


def runtime_section() -> ConfigDict:
  """What may change between two starts of one run."""
  return ConfigDict(dict(
      workers=2,                  # loader threads, or processes; 0: none
      worker_processes=False,
      loader_deadline_sec=300.0,
      log_every_steps=20,
      checkpoint_every_steps=0,   # 0: as often as evaluation
      keep_last=2,
      keep_every_steps=0,         # these are never deleted; 0: none
      on_failed_save='fail',      # fail or continue
      tensorboard=True,
      cache_dir='',               # of compiled programs; '': the user's cache folder, 'off': none
  ))


def check_preset(page: str, arg: str, choices: tuple[str, ...]) -> None:
  """Raises UserError when `arg` is no preset of the page."""
  from errors import UserError
  if arg not in choices:
    named = ', '.join(f':{choice}' for choice in choices if choice) or 'none'
    raise UserError(f"configs/{page}.py has no preset ':{arg}'; its presets are {named}")
