"""Options that make a command of any page small: a few pictures, a few steps, tiny nets.

The net is the page's own, unless it is large: then it is a tiny one that learns the same.
"""

PICTURES = ('--config.data.image_size_px=32 --config.data.num_train=64 '
            '--config.data.num_valid=32 --config.data.num_test=32')
STEPS = ('--config.train.batch_size=16 --config.train.num_steps=4 --config.eval.batch_size=32 '
         '--config.eval.every_steps=4')
OWN = f'{PICTURES} {STEPS}'
SMALL = f'{OWN} --config.net.name=se_resnet_tiny'
# of a page that nobody gave a row: its own net at its own size
PLAIN = ('--config.data.num_train=16 --config.data.num_valid=8 --config.data.num_test=8 '
         '--config.train.batch_size=4 --config.train.num_steps=2 --config.eval.batch_size=4 '
         '--config.eval.every_steps=2 --config.net.init_from= --config.data.valid_frac=0.3 '
         '--config.data.test_frac=0.3')
TUNED = f'{SMALL} --config.net.init_from=runs/simpsons-small'    # where weights are started from
OWN_PERSONS = (f'{OWN} --config.data.image_size_px=128 --config.data.drawn_size_px=128 '
               '--config.train.batch_size=8')
PERSONS = f'{OWN_PERSONS} --config.net.name=hrnet_w18_small_pose'
OWN_SCANS = f'{OWN} --config.data.image_size_px=64'
SCANS = f'{OWN_SCANS} --config.net.name=vae_conv_64'
STUDY = (f'{SMALL} --config.study.num_seeds=1 --config.study.rows="((\'one\',), '
         '(\'other\', (\'train.mixup_alpha\', 0.2)))"')
GRID = (f'{SMALL} --config.train.num_steps=2 --config.study.num_seeds=1 '
        '--config.study.rate_factors="(1.0, 3.0)" --config.study.most_grown=0 '
        '--config.study.evaluations=1 --config.study.sharpness_steps=2 '
        '--config.study.functions="(\'beale\',)"')
SPEED = (f'{SMALL} --config.train.batch_size=8 --config.benchmark.seconds=0.1 '
         '--config.benchmark.least_steps=2')
NETS = ('--config.benchmark.nets="(\'se_resnet_tiny\',)" --config.benchmark.image_size_px=32 '
        '--config.benchmark.batch_sizes="(8,)" --config.benchmark.seconds=0.1 '
        '--config.benchmark.least_steps=2 --config.data.num_train=64')
GROUPS = '--config.cluster.k=3 --config.cluster.components=8'
