"""What is done with trained runs, and the measurements of benchmarks. Keys as in forms_train.py."""

from tests.readme.sizes import GROUPS, SPEED, TUNED

GROUPED = ('python main.py --config=configs/cluster.py --config.data.path=photos '
           f'--config.net.init_from=runs/simpsons-small {GROUPS} --config.cluster.folders '
           '--config.cluster.taps="(\'stage3\',)" --config.cluster.labelled_frac=0.8')
SERVED = '''
python main.py --job=serve --workdir=runs/tagger-demo --config.serve.port=$PORT & server=$!
curl --silent --show-error --fail --retry 120 --retry-delay 1 --retry-connrefused \\
  -F picture=@one.jpg -F picture=@other.png http://127.0.0.1:$PORT/api/predict
curl --silent --show-error --fail --data-binary @one.jpg http://127.0.0.1:$PORT/api/predict
sed "s/:8000/:$PORT/" snippets/import_httpx.py | python -
kill $server; wait $server || test $? -eq 143
'''
PREDICT = ('python main.py --job=predict --workdir=runs/tagger-demo --input=more_photos '
           '--config.predict.threshold=0.35 --config.predict.batch_size=4 '
           '--config.predict.category_thresholds="((\'general\', 0.35), (\'character\', 0.75))"')
FEW_TAGS = '--net=se_resnet_tiny --tags=10,20 --listed=4 --batch=4 --size_px=32 --repeats=1'
BESIDE = ('--nets=se_resnet_tagger --turns=1 --seconds=0.1 --least_steps=1 --batch=2 --size_px=32 '
          '--rival_python=$(command -v python)')
SAVES = '--page=configs/tagger.py:smoke --first=1 --steps=4 --turns=1'
INPUT = '--cases=mirror --turns=1 --seconds=0.2 --count=32 --batch=8 --size_px=32'
MEANS = ('--rows=2000 --width=16 --clusters=5 --spread=0 --repeats=1 --stream_rows=4000')
GRAPHS = ('python -m benchmarks.onnx_speed --nets=se_resnet_tiny --size_px=32 --repeats=1 '
          '--batches=1')

USE = {
    'python main.py --job=inspect --workdir=runs/tagger-demo': '',
    '--config=configs/fashion.py:folder --config.data.path=my_pictures':
        'python main.py --job=inspect --config=configs/fashion.py:folder '
        f'--config.data.path=my_pictures {TUNED} --workdir=runs/inspected',
    'python main.py --job=predict --workdir=runs/tagger-demo --input=photos': '',
    'cat photo.jpg | python main.py --job=predict --workdir=runs/tagger-demo --input=-': '',
    "find photos -name '*.jpg' | python main.py --job=predict --workdir=runs/tagger-demo "
    '--input=- > rows.jsonl': '',
    '--config.predict.captions=kohya':
        f'{PREDICT} --output=captioned --config.predict.captions=kohya',
    '--config.predict.caption_place=beside':
        f'{PREDICT} --output=beside --config.predict.captions=hydrus '
        '--config.predict.caption_place=beside',
    'from train_lib.predicting.predictor import open_predictor':
        'python - < snippets/from_train_lib_predicting_predictor_import_open_predictor.py',
    'python main.py --job=serve --workdir=runs/tagger-demo': SERVED,
    'curl -F picture=@one.jpg -F picture=@other.png http://127.0.0.1:8000/api/predict': SERVED,
    'curl --data-binary @one.jpg http://127.0.0.1:8000/api/predict': SERVED,
    'import httpx': SERVED,
    'python main.py --job=crop --workdir=runs/pose-small --input=photos --output=people': '',
    '--config.predict.boxes=boxes.json':
        'python main.py --job=predict --workdir=runs/pose-small --input=photos '
        '--config.predict.boxes=boxes.json',
    'python main.py --job=predict --workdir=runs/vae-small --input=scans': '',
    'python main.py --job=synthesize --workdir=runs/vae-small':
        '--config.synthesize.kind=prior --config.synthesize.count=8',
    'python main.py --config=configs/cluster.py --config.data.path=photos':
        GROUPED.partition('photos ')[2],
    '--config.data.source=folder':
        f'{GROUPED} --config.data.source=folder --config.data.path=my_pictures '
        '--workdir=runs/cluster-known',
    'python main.py --job=cluster --workdir=runs/simpsons-small --input=photos': GROUPS,
    'python main.py --job=evaluate --workdir=runs/tagger-demo': '',
    'python main.py --job=audit --workdir=runs/tagger-demo': '',
    'python main.py --job=export --workdir=runs/tagger-demo':
        '--config.export.license=apache-2.0 --config.export.as_general="(\'copyright\',)"',
}
DRAWN_BOARD = ('python main.py --config=configs/tagger.py:board --config.data.path=FOLDER/archive '
               '--config.net.name=se_resnet_tiny')
AFTER = {   # these go on where others have ended
    'python main.py --job=evaluate --workdir=runs/tagger-demo --config.data.data_seed=1': '',
    '--config.audit.folds=4':
        'python main.py --job=audit --workdir=runs/tagger-demo --config.audit.folds=2',
    'python main.py --job=neighbours --workdir=runs/cluster': '--config.neighbours.unique',
    '--input=photo.jpg': 'python main.py --job=neighbours --workdir=runs/cluster --input=photo.jpg',
    'from train_lib.clustering.collection import open_collection':
        'python - < snippets/from_train_lib_clustering_collection_import_open_collection.py',
    'python main.py --config=configs/simpsons.py:folder '
    '--config.data.path=runs/cluster/cluster/labelled':
        "sed -i '2s/$/blue/; 3s/$/red/' runs/cluster/cluster/names.csv; "
        f'{GROUPED} && python main.py --config=configs/simpsons.py:folder --workdir=runs/labelled '
        f'--config.data.path=runs/cluster/cluster/labelled {TUNED}',
    'python main.py --job=benchmark --workdir=runs/tagger': SPEED,
    'python -m benchmarks.tagger_programs --workdir=runs/tagger-demo': '--pictures=2 --sizes=32',
    f'{DRAWN_BOARD} --config.runtime.dry_run':  # the pictures that were drawn are empty
        "find FOLDER/archive/images -name '*.jpg' -exec cp photo.jpg {} ';' && "
        f'{DRAWN_BOARD} --config.runtime.dry_run --config.data.image_size_px=32 '
        '--config.train.batch_size=16 --config.data.board.min_general_tags=1 ' + ' '.join(
            f'--config.data.board.least.{kind}=1'
            for kind in ('general', 'character', 'copyright', 'artist', 'meta')),
    'python -m benchmarks.scale_costs --write=docs/scale.md': '',
}
BENCHMARKS = {
    'python -m benchmarks.cluster_taps --data=clothing --net=inception_v3_mixed8 '
    '--weights=inception_v3_to_mixed8.npz':
        '--net=se_resnet_tiny --weights=runs/simpsons-small --seeds=2',
    'python -m benchmarks.cluster_taps --workdir=runs/simpsons-small --without=anonymous':
        '--seeds=2',
    'python -m benchmarks.cluster_taps --workdir=runs/simpsons-small': '--seeds=2',
    'python -m benchmarks.autoencoder_step --batch=8': '--net=vae_conv_64 --batch=2 --repeats=1',
    'python benchmarks/board_index.py --folder=FOLDER --records=100000':
        '--records=300 --tags=50 --tags_each=12',
    'python benchmarks/board_index.py --folder=FOLDER':
        '--folder=board_index --records=300 --tags=50 --tags_each=5',
    'python -m benchmarks.checkpoint_cost --turns=3': SAVES,
    'python -m benchmarks.checkpoint_cost --first=1500 --steps=50 --turns=2': SAVES,
    'python benchmarks/compile_times.py': '--batch=2 se_resnet_tiny',
    'python -m benchmarks.input_beside': INPUT,
    'python -m benchmarks.input_beside --output=runs/input_beside.json': INPUT,
    'python -m benchmarks.kmeans': MEANS,
    'python -m benchmarks.kmeans --rows=50000 --width=2048 --stream_rows=0 --repeats=7':
        f'OMP_WAIT_POLICY=passive python -m benchmarks.kmeans {MEANS} --stream_rows=0',
    'python -m benchmarks.kmeans --rows=50000 --width=2048 --stream_rows=0 --repeats=5 --spread=0':
        f'{MEANS} --stream_rows=0',
    'python -m benchmarks.leave_one_out --path=scans --init_from=runs/vae-small '
    '--workdir=runs/left --steps=60': '--path=few_scans --steps=2 --most_slices=2',
    'python -m benchmarks.loss_over_tags --repeats=5': FEW_TAGS,
    'python -m benchmarks.nets_beside': BESIDE,
    'python -m benchmarks.nets_beside --rivals=torch,torch_as_it_comes --turns=4 '
    '--output=runs/nets_beside.json': BESIDE,
    'python -m benchmarks.onnx_speed': GRAPHS,
    'python -m benchmarks.replicas --repeats=25 --replicas=6':
        '--repeats=1 --replicas=2 --steps=2 --batch=8 --ways=one',
    'python -m benchmarks.results --list': '',
    'python -m benchmarks.results --folder=runs/results --write': '--only=',
    'python -m benchmarks.results --folder=runs/results --records=runs/results.json': '--only=',
    '--data clothing=PATH faces=PATH cifar10=PATH scans=PATH':
        'python -m benchmarks.results --list --data clothing=clothing faces=characters '
        'cifar10=characters scans=scans',
    'python -m benchmarks.scale_parts --output=docs/scale_parts.json':
        '--only=index --records=300 --tags=50 --listed=5',
    'python -m benchmarks.scale_costs --plan batch=8192 valid_frac=0.001': '',
    'python -m benchmarks.simple_models --workdir=runs/faces': '',
    'python -m benchmarks.simple_models --workdir=runs/cifar10': '',
    'python -m benchmarks.start_up': '--config=configs/tagger.py:smoke --turns=1',
    'python -m benchmarks.synthesis --autoencoder=runs/vae-clean --workdir=runs/synthesis '
    '--steps=250': '--steps=2 --seeds=2 --labelled=2 --around=1',
}
