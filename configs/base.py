"""Every key of a config, with its default; a page under `configs/` overrides a few of them.

A section for each reader: `data`, `net`, `loss`, `optimizer`, `train` and `eval` decide what is
learned; `predict` belongs to that job; `runtime` holds what may differ between two starts of one
run, because nothing in it can change a result. Tuples, never lists; '' or 0 is off or "find out".

This file is longer than any other so that every key stands in one place, beside its meaning.
"""

from ml_collections import ConfigDict

from errors import UserError


def get_config(arg: str = '') -> ConfigDict:
  """Returns the defaults. Args: arg: must be empty; this page has no presets."""
  check_preset('base', arg, ('',))
  config = ConfigDict()
  config.seed = 0
  config.job = 'train'            # what main.py does with the page unless --job says otherwise
  config.task = 'tagging'         # train_lib.tasks.TASKS: tagging, classification, pose,
                                  # autoencoding
  config.small_page = ''          # what to run instead where there is no accelerator
  config.checkpoint = 'latest'    # of a trained run: latest or best (by the validation split)
  config.data = data_section()
  config.net = net_section()
  config.loss = loss_section()
  config.pose = pose_section()
  config.autoencoder = autoencoder_section()
  config.optimizer = optimizer_section()
  config.train = train_section()
  config.eval = eval_section()
  config.predict = predict_section()
  config.crop = crop_section()
  config.synthesize = synthesize_section()
  config.cluster = cluster_section()
  config.neighbours = neighbours_section()
  config.serve = serve_section()
  config.export = export_section()
  config.audit = audit_section()
  config.study = study_section()
  config.benchmark = benchmark_section()
  config.runtime = runtime_section()
  return config


def data_section() -> ConfigDict:
  """The keys that the sources, the operations and the loader read."""
  return ConfigDict(dict(
      source='toon',              # data.SOURCES
      dir='',                     # prepared datasets; '': ~/.cache/oko/data, of tfds its own
      path='',                    # folder, board, coco, scans: a person's own pictures
      annotations=(),             # coco: names of files of train; train, test; or train, valid,
                                  # test; (): the usual ones
      table='',                   # folder: CSV or JSON Lines of path and tags; '': find out
      tfds_name='',               # tfds: 'food101', 'my_data/my_config:1.0.0'
      tfds_image='image',         # tfds: the feature that holds the picture ...
      tfds_label='label',         # ... and the one that holds its class, or its tags
      num_train=25_000,           # toon, phantom: drawn pictures
      num_valid=2_500,
      num_test=2_500,
      dropped_share=0.2,          # toon: mean share of true tags left out
      flipped_share=0.0,          # toon: share of all yes and no of the tags, or of the labels,
                                  # that are turned round
      data_seed=0,                # toon, phantom
      labels='tags',              # toon, phantom: tags; or one class a picture: of toon identity,
                                  # garment; of phantom finding
      valid_frac=0.1,             # folder, tfds and scans without such a split, board
      test_frac=0.1,
      oversample=0.0,             # classes: 0: off; to 1: every class as often as the largest
      implications='listed',      # implied tags as listed; added; or ignored, below a listed one
      board=board_section(),
      persons=person_section(),
      scans=scan_section(),
      image_size_px=256,          # side of the square that the net sees; of poses the height
      drawn_size_px=0,            # toon, phantom: side of what is drawn; 0: image_size_px
      max_pixels=50_000_000,      # larger pictures are refused from their header
      pad='square',               # square (white) or squish
      pixels='net',               # mean and deviation taken off pixels: net (its own, or net.mean)
                                  # or train (measured on the training split)
      augment=('mirror', 'rotation', 'scale', 'translation', 'cutout', 'colour'),
                                  # of data.operations.AUGMENTATIONS
      rotation_deg=10.0,
      scale_frac=0.1,
      translate_frac=0.05,
      cutout_frac=0.25,
      colour_frac=0.2,
      crop_least_frac=0.35,       # crop: least share of the picture's area that is kept
      crop_aspect=1.333,          # ... and how far its sides may differ
      randaugment_count=2,        # operations of RandAugment one after another
      randaugment_magnitude=9.0,  # 0 to 10
      corrupt=(),                 # scans, one after another: of blur, gaussian, rician, keep, lines
      keep_frac=0.4,              # keep: of the pixels, that are not lost ...
      keep_most_frac=0.0,         # ... or, in training, a share between both; 0: keep_frac
      noise_deviation=0.1,        # gaussian, rician: of pixels in 0 to 1
      blur_px=1.5,                # blur: deviation of the Gaussian
      missing_lines_frac=0.3,     # lines: of the rows, that are lost
  ))


def board_section() -> ConfigDict:
  """How a board's archive is read: which pictures, which tags. Files are relative to data.path."""
  return ConfigDict(dict(
      metadata='',                # file or folder; '': find out
      format='auto',              # data.board.FORMATS
      ratings='auto',             # what 's' stands for: safe or sensitive; auto: by the format
      num_pictures=0,             # a sample of so many; 0: all
      min_general_tags=0,         # pictures with fewer are left out
      split='content',            # or id: by the number of the post
      tag_list='',                # CSV of name, category: just these tags, in this order
      tag_categories='',          # CSV of name, category, for formats that do not tell them
      aliases='',                 # CSV of antecedent_name, consequent_name
      implications='',            # the same
      blacklist='',               # text, a tag a line
      most=ConfigDict(dict(       # tags of a category, by falling count; 0: all, negative: none
          rating=0, general=0, character=0, copyright=0, artist=-1, meta=-1)),
      least=ConfigDict(dict(      # training pictures that a tag must have
          general=1, character=1, copyright=1, artist=1, meta=1)),
      bad_limit_frac=0.05,        # of records that are broken or lack their picture
  ))


def person_section() -> ConfigDict:
  """Persons in pictures: rows of their own where task is pose, else what is cut out."""
  return ConfigDict(dict(
      boxes='',                   # pose: a detector's result file for the test split, in COCO's
                                  # form; '': the boxes of the annotations
      least_box_score=0.0,        # of a detection that is used
      widen=1.25,                 # pose: a crop over the box that it is made of
      whole_frac=0.0,             # pose: share of training crops of a picture's largest person that
                                  # show the whole picture, for pictures without boxes
      cut='none',                 # other tasks: what of a picture is used: none (all of it), truth
                                  # (the first figure's box), pose (what a net finds)
      cut_by='',                  # pose: the folder of its run
  ))


def scan_section() -> ConfigDict:
  """How a folder of scans is read: DICOM, NIfTI, PNG and TIFF files."""
  return ConfigDict(dict(
      window='auto',              # values shown from black to white: auto (the file's own window,
                                  # else 0.5 to 99.5 percent of its values), full (all of them), or
                                  # 'centre,width' such as '40,400'
      axis=2,                     # NIfTI: slices follow each other to 0 right, 1 the front, 2 above
      least_filled=0.05,          # share of pixels above the background in a slice that is used
      most_slices=0,              # of a volume or series, evenly; 0: all
      valid_groups=(),            # patients, volumes or folders of this split; (): cut by
      test_groups=(),             # valid_frac and test_frac
  ))


def pose_section() -> ConfigDict:
  """How joints become heatmaps, and heatmaps joints."""
  return ConfigDict(dict(
      sigma=2.0,                  # of a joint's bump, in heatmap pixels
      rounded=True,               # its centre is a heatmap pixel, as published; False: the joint
      flip_test=True,             # the mean of a crop's heatmaps and of its mirror's
      refine='quarter',           # where in a heatmap pixel a joint is: none, quarter, dark
  ))


def autoencoder_section() -> ConfigDict:
  """What an autoencoder makes smaller: weight * sum of the loss over pixels + beta * KL."""
  return ConfigDict(dict(
      channels=3,                 # of the output: 1, or 3 that all have the grey scan as target
      reconstruction_weight=1.0,  # of the loss, summed over pixels and channels; with squared_error
                                  # 1 / (2 deviation^2) of a pixel
      beta=1.0,                   # weight of the KL divergence ...
      warmup_frac=0.2,            # ... which rises from 0 in this share of the steps
      free_bits=0.0,              # nats of each latent unit that cost nothing
  ))


def synthesize_section() -> ConfigDict:
  """Which scans an autoencoder draws, and who says how good they are."""
  return ConfigDict(dict(
      kind='prior',               # train_lib.scans.latent_draws.KINDS: prior, fitted (to the
                                  # training scans), around (each of --input), between (one
                                  # and the next)
      count=64,                   # scans; of around for each scan of --input
      steps=8,                    # between: scans on the way from one to the next
      deviation=1.0,              # of what is drawn, a factor: below 1 is nearer to the middle
      seed=0,
      judge='',                   # folder of a run whose features are compared; '': the
                                  # autoencoder's own encoder; none: quality is not measured
      batch_size=32,
  ))


def cluster_section() -> ConfigDict:
  """Which features of which pictures are grouped, how, and what is left for a person."""
  return ConfigDict(dict(
      splits=('train', 'valid', 'test'),  # of the data; of a folder given with --input all
      taps=('features',),         # of the net, side by side, each averaged over the picture
      stored_as='float32',        # features on disk: float32 or float16
      components=128,             # principal components that are kept; 0: all features, centred
      whiten=False,               # every component as large as the others
      method='kmeans',            # kmeans, spherical, and for small sets agglomerative, hdbscan
      k=0,                        # clusters; 0: chosen among k_tried
      k_tried=(),                 # numbers; (): a ladder up to k_most
      k_most=0,                   # 0: 50, or a fifth of the pictures where these are few
      choose_by='silhouette',     # silhouette, elbow, stability
      restarts=4,                 # of which the best is taken
      stream_rows=0,              # rows of a mini-batch, where not all fit; 0: find out
      least_pictures=10,          # hdbscan: of a cluster
      sample=5_000,               # pictures that silhouettes are measured on
      resamples=5,                # parts of the pictures, grouped anew, whose stability is measured
      batch_size=32,              # pictures that go through the net at once
      gallery=True,
      gallery_most=10_000,        # pictures in it
      folders=False,              # a folder of links for every cluster
      labelled_frac=1.0,          # share of a named cluster that is labelled, the most typical ones
  ))


def net_section() -> ConfigDict:
  """Which net, what it computes in, and the weights that it starts from."""
  return ConfigDict(dict(
      name='se_resnet_tagger',    # a variant of nets.NETS
      dropout_rate=-1.0,          # before the head; negative: the net's own
      mean=(),                    # of the pixels, in 0..255, that are subtracted; (): the net's own
      std=(),                     # ... that are divided by
      dtype='auto',               # computes in: auto (bfloat16 on TPU and GPU), float32, bfloat16
      drop_path_rate=-1.0,        # of the last residual branch; negative: the net's own
      activation='',              # relu, leaky_relu, sigmoid, tanh; '': the net's own
      batch_norm_momentum=-1.0,   # share of the old statistics kept in a step; negative: its own
      batch_norm_sync=True,       # statistics of the global batch; False: of each device
      remat=(),                   # stages computed again in the backward pass: ('stage1', 'stage2')
      init_from='',               # weights to start from: a run's folder, .safetensors in timm's
                                  # names, .h5 or .npz in Keras', hf-hub:timm/NAME
      init_head='auto',           # its head: auto (by name, where it fits), keep (must fit), fresh
      init_partial=False,         # may it lack parts of the net?
      init_checkpoint='latest',   # of a run: latest or best
  ))


def loss_section() -> ConfigDict:
  """What a training step makes smaller."""
  return ConfigDict(dict(
      name='focal',               # losses.LOSSES; a task takes some of them
      over_tags='sum',            # an example's loss: sum or mean over its tags
      focal_alpha=-1.0,           # weight of positives, 0..1; negative: off
      focal_gamma=2.0,            # 0: plain cross-entropy
      gamma_positive=0.0,         # asymmetric loss
      gamma_negative=4.0,
      clip=0.05,
      label_smoothing=0.0,        # classes: share of the target that all classes get
      hinge_margin=1.0,           # multi-class hinge
      auxiliary_weight=0.4,       # of a net's auxiliary head, where it has one
      tag_weight_power=0.0,       # a tag, or class, weighs (1 / its share of pictures) ** power; 0:
                                  # all alike
      negative_smoothing=0.0,     # target of a tag that is not listed
      missing='absent',           # a tag not listed but found above missing_threshold counts as ...
      missing_threshold=0.6,      # ... absent, ignored or present
  ))


def train_section() -> ConfigDict:
  """How long and how a run trains."""
  return ConfigDict(dict(
      batch_size=128,             # of one optimizer step, over all devices
      num_epochs=40.0,
      num_steps=0,                # 0: from num_epochs
      accumulate_steps=1,         # parts of a batch computed one after another
      shrink=1,                   # pictures are this many times smaller ...
      shrink_frac=0.0,            # ... in the first part of the run, a share of its steps
      mixup_alpha=0.0,            # pictures, and what is true of them, are blended by shares of
                                  # Beta(alpha, alpha); 0: off
      cutmix_alpha=0.0,           # a box of one picture is put into another, its area by the same;
                                  # with mixup, each batch draws one of the two
      ema_decay=0.0,              # average of the weights, used for evaluation; 0: off
      freeze=(),                  # patterns of parameters that never learn: ('*', '!head')
      freeze_first=(),            # patterns of those that do not in the first part of the run ...
      freeze_first_frac=0.0,      # ... a share of its steps
      cache_features=False,       # where the head alone learns at first or for good: the rest is
                                  # computed once for each picture, without augmentation
      parallel='jit',             # jit (sharded arrays) or pmap
      on_divergence='abort',      # a step with loss, gradient or update not finite: ends the run;
                                  # skip: is left out; rollback: so too, going back to a checkpoint
                                  # first; this and the next may change between starts of a run
      divergence_limit=10,        # of steps that are left out; one more ends the run
  ))


def optimizer_section() -> ConfigDict:
  """What `train_lib.optimizers` reads."""
  return ConfigDict(dict(
      name='adamw',               # train_lib.optimizers.OPTIMIZERS
      learning_rate=1e-3,         # the peak
      schedule='cosine',          # constant, linear, cosine, step, one_cycle
      warmup_frac=0.05,           # of all steps; of one_cycle the share of its rise
      step_at=(0.5, 0.75),        # step: shares of the run after its warm-up, where it falls ...
      step_factor=0.1,            # ... to this share of itself
      weight_decay=0.0,           # decoupled, inside lamb's direction, or else as l2: see docs
      l2=0.0,                     # penalties added to the loss: l2 / 2 sum w^2 ...
      l1=0.0,                     # ... and l1 sum |w|; both: elastic net
      decayed=(),                 # patterns of what these three act on; (): kernels
      momentum=0.9,
      beta1=0.9,
      beta2=-1.0,                 # negative: 0.999, and 0.99 in lion
      decay=0.9,                  # of RMSprop's average of squares
      epsilon=1e-8,
      clip_norm=0.0,              # global norm of the gradient; 0: off
      sam_rho=0.0,                # radius of SAM around any of these; 0: off
      sam_rho_min=-1.0,           # GSAM: radius at a learning rate of 0; negative: as sam_rho
      gsam_alpha=0.0,             # GSAM: share of the gradient across SAM's that is taken off
      lr_factors=(),              # (pattern of parameters, factor), ...; the last that fits counts
  ))


def eval_section() -> ConfigDict:
  """When the validation split is looked at, and what else the final table holds."""
  return ConfigDict(dict(
      batch_size=128,
      every_steps=0,              # 0: about ten times in a run
      baselines=True,             # the final table's other rows
  ))


def predict_section() -> ConfigDict:
  """What --job=predict says of pictures, and what it writes for other programs."""
  return ConfigDict(dict(
      batch_size=0,               # pictures that go through the net at once; 0: found out
      threshold=-1.0,             # of tags; negative: the one tuned on the validation split ...
      category_thresholds=(),     # ... and of some categories: (('character', 0.75), ...)
      captions='',                # text files for other programs: kohya, hydrus; '': none
      caption_place='output',     # output: a folder of their own; beside: beside the pictures
      caption_spaces=True,        # kohya: long_hair as 'long hair'; emoticons stay
      caption_first=(),           # kohya: tags before all others, predicted or not
      caption_without=(),         # tags that are never written
      boxes='',                   # poses: where the people are, a file of COCO results; '': one
                                  # person is looked for in each picture
  ))


def crop_section() -> ConfigDict:
  """What --job=crop cuts out around a person."""
  return ConfigDict(dict(
      margin_frac=0.15,           # around the confident joints: a share of their longer side
      least_score=0.3,            # of a joint that is confident
      least_joints=3,             # with fewer the whole picture stays
  ))


def neighbours_section() -> ConfigDict:
  """What --job=neighbours calls alike."""
  return ConfigDict(dict(
      count=10,                   # most alike pictures of each
      copies='features',          # who finds near-copies: hash, features or both
      least_similarity=0.95,      # cosine of the features of near-copies; about 0.9 if whitened
      unique=False,               # a folder of links to all pictures but copies
  ))


def serve_section() -> ConfigDict:
  """Where --job=serve listens, and how much it takes at once."""
  return ConfigDict(dict(
      host='127.0.0.1',           # this machine alone; '0.0.0.0': every machine that reaches it
      port=8000,                  # 0: any that is free
      max_upload_mb=32,           # of one request
      most_pictures=32,           # of one request
      open_browser=False,
  ))


def export_section() -> ConfigDict:
  """What an export says of itself."""
  return ConfigDict(dict(
      license='',                 # SPDX name, for the model card; '': not told, which it says
      as_general=(),              # of copyright, artist, meta: what tagger programs see as general
  ))


def audit_section() -> ConfigDict:
  """How --job=audit finds labels that look wrong."""
  return ConfigDict(dict(
      folds=0,                    # 0: held-out pictures by the trained net; else nets to train
      most=1_000,                 # rows of audit.csv, the most suspicious
  ))


def study_section() -> ConfigDict:
  """What --job=study trains and compares."""
  return ConfigDict(dict(
      rows=(),                    # (name, ('section.key', value), ...), the first is the reference
      num_seeds=3,
      # a tuned study, where there are rate_factors; else each row is one run, as its page has it
      rate_factors=(),            # of a row's learning rate: (1/9, 1/3, 1.0, 3.0, 9.0)
      most_grown=0,               # rates by which a row's grid may grow where its edge is best
      axes=(),                    # ('section.key', (value, ...)), ...: every row with each of them
      metric='',                  # of the validation split, that decides; '': the task's own
      target=0.0,                 # its value that is timed; 0: the best row's mean less 10 %
      evaluations=10,             # of the validation split in a run, about
      sharpness_steps=0,          # of Lanczos, for the Hessian's largest eigenvalue; 0: off
      together='auto',            # how replicas train: vmap, map, one, or auto, the faster here
      functions=(),               # of train_lib.studies.test_functions.FUNCTIONS
  ))


def benchmark_section() -> ConfigDict:
  """What --job=benchmark measures: every net with every dtype, batch size and number of devices."""
  return ConfigDict(dict(
      nets=(),                    # variants of nets.NETS; (): net.name
      batch_sizes=(),             # pictures over all devices, 0: found out; (): train.batch_size
      dtypes=(),                  # as net.dtype; (): that one
      devices=(),                 # the first so many of them; (): all
      image_size_px=0,            # 0: data.image_size_px; of `nets` what each was made for
      parts=('train', 'infer', 'latency', 'input', 'loop', 'conv'),
      seconds=3.0,                # that each figure is measured, at least ...
      least_steps=10,             # ... and steps, unless these take ten times as long
      plots=True,
  ))


def runtime_section() -> ConfigDict:
  """What may change between two starts of one run."""
  return ConfigDict(dict(
      workers=2,                  # loader threads, or processes; 0: none
      worker_processes=False,
      loader_deadline_sec=300.0,
      prefetch_batches=1,         # put on the devices ahead of their step; 0: none
      stuck_sec=1800.0,           # without progress, not counting compilation, after which a run is
                                  # ended with code 70 and says where it hung; 0: never
      log_every_steps=20,
      checkpoint_every_steps=0,   # 0: as often as evaluation
      accept_changed_data=False,  # goes on though pictures were added, removed or edited
      keep_last=2,
      keep_every_steps=0,         # these are never deleted; 0: none
      on_failed_save='fail',      # fail or continue
      tensorboard=True,
      wandb='',                   # project of Weights & Biases that metrics go to; '': none
      profile_steps=0,            # of training that are traced for TensorBoard and XProf; 0: none
      dry_run=False,              # shapes, memory and expected duration; nothing is trained or kept
      cache_dir='',               # of compiled programs; '': the user's cache folder, 'off': none
      features_dir='',            # of cached features; '': the user's cache folder
  ))


def check_preset(page: str, arg: str, choices: tuple[str, ...]) -> None:
  """Raises UserError when `arg` is no preset of the page."""
  if arg not in choices:
    named = ', '.join(f':{choice}' for choice in choices if choice)
    if not named:
      raise UserError(f"configs/{page}.py has no presets; leave ':{arg}' out")
    raise UserError(f"configs/{page}.py has no preset ':{arg}'; its presets are {named}")


def use_smallest(config) -> None:
  """What pages share whose `:smoke` does everything once, in eight steps, and learns nothing."""
  config.data.num_train = 64
  config.data.num_valid = 32
  config.data.num_test = 32
  config.train.batch_size = 16
  config.train.num_epochs = 2.0
  config.eval.batch_size = 32
  config.eval.every_steps = 8
  config.runtime.log_every_steps = 8
