"""The pages: what trains, what studies and what measures, each preset at least once.

A key is a command of the README or of docs, or a page with a preset that its own text tells. Its
form is what makes it small, behind the command, or else (not beginning with '--') another command
that keeps all its flags. A page that trains needs no row: `forms.plain_forms` makes one.
"""

from tests.readme.sizes import (
  GRID,
  NETS,
  OWN,
  OWN_PERSONS,
  OWN_SCANS,
  PERSONS,
  SCANS,
  SMALL,
  SPEED,
  STUDY,
  TUNED,
)

FIRST = {   # whose folders the others start from
    'python main.py --config=configs/pose.py:small': OWN_PERSONS,
    'python main.py --config=configs/simpsons.py:small': OWN,
    'python main.py --config=configs/vae.py:small': OWN_SCANS,
    'python main.py --config=configs/vae.py:small --config.data.corrupt="()" '
    '--config.train.num_epochs=10.0 --workdir=runs/vae-clean': SCANS,
    'python main.py --config=configs/tagger.py:demo': SMALL,
    **{'python main.py --config=configs/simpsons.py:small --config.data.source=folder '
       f'--config.data.image_size_px=32 --config.data.path={folder} --workdir=runs/{folder}':
           f'--config.data.path=characters {SMALL}' for folder in ('faces', 'cifar10')},
    'python main.py --config=configs/tagger.py:smoke': '',
    'python main.py --job=inspect --config=configs/tagger.py:folder --config.data.path=my_pictures':
        SMALL,
}
PAGES = {
    'make run': 'make run CONFIG=configs/vae.py:smoke VENV=$VENV',
    'python main.py --config=configs/tagger.py':
        f'{SMALL} --config.optimizer.learning_rate=3e-4 --config.runtime.profile_steps=2 '
        '--config.train.on_divergence=rollback --config.runtime.on_failed_save=continue '
        '--config.runtime.accept_changed_data --config.data.implications=added '
        '--config.loss.missing=present --config.data.pixels=train',
    'python main.py --config=configs/tagger.py:smoke --processes=2 --devices_per_process=2':
        f'--workdir=runs/two-processes {SMALL} --config.data.implications=ignored '
        '--config.loss.missing=ignored --config.loss.negative_smoothing=0.05',
    'python main.py --config=configs/tagger.py --workdir=/shared/runs/tagger '
    '--coordinator=10.0.0.1:8476 --num_processes=4 --process_id=0':
        'join() { python main.py --config=configs/tagger.py --workdir=runs/by-name '
        f'--coordinator=127.0.0.1:$PORT --num_processes=2 --process_id=$1 --heartbeat_sec=60 '
        f'--connect_sec=300 {SMALL}; }}; join 0 & first=$!; join 1; wait $first',
    'python main.py --config=configs/tagger.py:folder --config.data.path=my_pictures': OWN,
    'python main.py --config=configs/tagger.py:folder --config.data.path=clothing':
        f'--workdir=runs/clothing {SMALL} --config.train.parallel=pmap '
        '--noconfig.net.batch_norm_sync',
    'python main.py --config=configs/tagger.py:danbooru --config.data.path=archive':
        f'{SMALL} --config.data.board.min_general_tags=3 --config.data.board.most.rating=-1 '
        '--config.data.board.format=posts',
    'configs/tagger.py:board':
        f'--config.data.path=archive {SMALL} --config.data.board.min_general_tags=3 '
        '--config.data.valid_frac=0.2 --config.data.test_frac=0.2 ' + ' '.join(
            f'--config.data.board.least.{kind}=1'
            for kind in ('general', 'character', 'copyright', 'artist', 'meta')),
    'python main.py --config=configs/simpsons.py':
        f'{TUNED} --config.net.init_checkpoint=best --config.net.init_partial '
        '--config.train.freeze="(\'*\', \'!head\')" --config.train.freeze_first="()" '
        '--config.train.freeze_first_frac=0',
    'python main.py --config=configs/simpsons.py:folder --config.data.path=my_characters': TUNED,
    'python main.py --config=configs/simpsons.py:folder --config.data.path=characters':
        f'--workdir=runs/characters {TUNED}',
    'configs/fashion.py':
        f'{TUNED} --config.optimizer.lr_factors="((\'stage[12]*\', 0.1),)" '
        '--config.net.remat="(\'stage1\', \'stage2\')" '
        '--config.optimizer.decayed="(\'*\', \'!*/bias\')"',
    'python main.py --config=configs/fashion.py:small --config.data.flipped_share=0.05':
        f'{SMALL} && python main.py --job=audit --workdir=runs/fashion-small '
        '--notune',
    'configs/fashion.py:smoke':
        '--config.data.persons.cut=pose --config.data.persons.cut_by=runs/pose-small '
        f'{SMALL} --config.data.drawn_size_px=128',
    'python main.py --config=configs/fashion.py:folder --config.data.path=my_pictures': TUNED,
    'configs/fashion.py:features': f'--config.data.path=my_pictures {TUNED}',
    'configs/findings.py': f'{SMALL} --config.optimizer.name=lion',
    'python main.py --config=configs/pose.py':
        f'{PERSONS} --config.pose.refine=dark --noconfig.pose.rounded',
    'python main.py --config=configs/pose.py:coco --config.data.path=coco':
        f'{PERSONS} --config.data.persons.boxes=detections.json --config.data.valid_frac=0.3',
    **{f'configs/pose.py:{preset}':
           f'--config.data.path=coco {PERSONS} --config.data.valid_frac=0.3'
       for preset in ('coco_384', 'coco_w48', 'coco_w48_384')},
    'python main.py --config=configs/vae.py': SCANS,
    'python main.py --config=configs/vae.py:scans --config.data.path=scans':
        f'{SCANS} --config.data.scans.window=20000,40000 --config.data.keep_most_frac=1.0',
    'configs/vae.py:small_scans': f'--config.data.path=scans {OWN_SCANS}',
    'python main.py --job=study --config=configs/tagger_ladder.py:small': STUDY,
    'configs/tagger_ladder.py': f'--job=study {STUDY}',
    'configs/tagger_ladder.py:folder': f'--job=study --config.data.path=clothing {STUDY}',
    'python main.py --job=study --config=configs/tagger_ladder.py:pad --config.data.path=clothing':
        f'{SMALL} --config.study.num_seeds=1',
    'configs/tagger_ladder.py:smoke': f'--job=study {SMALL} --config.study.num_seeds=1',
    'python main.py --job=study --config=configs/fashion_ladder.py:small': STUDY,
    'configs/fashion_ladder.py':
        f'--job=study {STUDY} --config.net.init_from=runs/simpsons-small',
    'configs/fashion_ladder.py:smoke': f'--job=study {SMALL} --config.study.num_seeds=1',
    'python main.py --job=study --config=configs/fashion_ladder.py:crop '
    '--config.data.persons.cut_by=runs/pose-small':
        f'{SMALL} --config.study.num_seeds=1 --config.data.drawn_size_px=128',
    'python main.py --job=study --config=configs/fashion_ladder.py:crop_folder '
    '--config.data.path=clothing --config.net.name=inception_v3_mixed8 '
    '--config.net.init_from=inception_v3_to_mixed8.npz '
    '--config.data.persons.cut_by=runs/pose-small': f'{TUNED} --config.study.num_seeds=1',
    'python main.py --job=study --config=configs/fashion_ladder.py:crop_folder '
    '--config.data.path=my_pictures --config.data.persons.cut_by=runs/pose-small':
        f'{TUNED} --workdir=runs/crop-mine --config.study.num_seeds=1',
    'configs/fashion_ladder.py:folder':
        f'--job=study --config.data.path=clothing {STUDY} '
        '--config.net.init_from=runs/simpsons-small',
    'python main.py --job=study --config=configs/fashion_ladder.py:transfer '
    '--config.data.path=clothing --config.net.init_from=inception_v3_to_mixed8.npz':
        f'{STUDY} --config.net.init_from=runs/simpsons-small',
    'python main.py --config=configs/optimizers.py': GRID,
    'configs/optimizers.py:smoke': GRID,
    'configs/optimizers.py:all': GRID,
    'configs/optimizers.py:accelerator': GRID,
    'python main.py --config=configs/optimizers.py --workdir=runs/batches '
    '--config.study.axes="((\'train.batch_size\', (16, 64)),)"':
        f'{GRID} --config.study.rows="((\'Adam\', (\'optimizer.name\', \'adam\')),)"',
    'python main.py --job=benchmark --config=configs/tagger.py':
        f'{SPEED} --workdir=runs/speed-tagger',
    'python main.py --job=benchmark --config=configs/tagger.py '
    '--config.benchmark.batch_sizes="(16, 64, 0)" --config.benchmark.devices="(1, 2, 4)" '
    '--config.benchmark.dtypes="(\'float32\', \'bfloat16\')" --output=speed':
        'JAX_NUM_CPU_DEVICES=2 python main.py --job=benchmark --config=configs/tagger.py '
        f'{SPEED} --config.benchmark.batch_sizes="(8, 0)" --config.benchmark.devices="(1, 2)" '
        '--config.benchmark.dtypes="(\'float32\', \'bfloat16\')" --output=speed '
        '--config.benchmark.parts="(\'train\',)"',
    'python main.py --job=benchmark --config=configs/tagger.py:demo '
    '--config.benchmark.batch_sizes="(8, 32)" --output=runs/speed':
        f'{SPEED} --config.benchmark.batch_sizes="(4, 8)" '
        '--config.benchmark.parts="(\'infer\', \'input\')"',
    '--config.net.name=convnext_tiny':
        'python main.py --job=benchmark --config=configs/fashion.py --workdir=runs/speed-convnext '
        f'{SPEED} --config.net.name=convnext_tiny --config.benchmark.parts="(\'infer\',)"',
    'python main.py --config=configs/throughput.py': NETS,
    'python main.py --config=configs/throughput.py:cpu': NETS,
    'configs/throughput.py:smoke': NETS,
}
