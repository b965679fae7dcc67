"""What tests/readme_commands.py does not run, with the reason and with what covers it instead.

Every sentence names a file of the checkout that does: a test, or .ci/run.
"""

ELSEWHERE = {
    'make test': 'It would run this very test; .ci/run runs it.',
    'make faults': 'It takes 25 minutes; .ci/run runs the short set.',
    'make run ACCELERATOR=cuda13':
        'It installs the JAX of a GPU; tests/test_imports.py holds the extra and the Makefile to '
        'each other.',
    'ACCELERATOR=tpu':
        'It installs the JAX of a TPU; tests/test_imports.py holds the extra and the Makefile to '
        'each other.',
    'PYTHON=python3.13':
        'It names the interpreter that `make readme` itself is started with; .ci/run has both.',
    'python -m tests.faults': 'It is what `make faults` does; .ci/run runs the short set.',
    'python -m tests.faults F1 F5': 'It takes minutes; .ci/run runs the short set.',
    '--short': 'It is an option of `make faults`; .ci/run has it.',
    'python -m tests.walk':
        'It runs the walks, by hand; tests/test_docs.py reads each of their commands.',
    'python -m tests.reference.make_nets':
        'It wants torch and timm; tests/test_nets_reference.py compares with what it stored.',
    'OKO_SHARED=FOLDER python -m pytest -s -m slow tests/test_nets_inception.py':
        "It wants ImageNet's weights and photographs in FOLDER; tests/test_nets_inception.py tests "
        'the rest of the net without them.',
    'pip install xprof': 'It is another program; tests/test_train_lib_tracing.py reads the trace.',
    'xprof --logdir=<workdir>/trace':
        'It is another program; tests/test_train_lib_tracing.py reads the trace.',
    'wandb login':
        'It wants an account; tests/test_train_lib_metrics_log.py has a stand-in for the service.',
    '--config.runtime.wandb=PROJECT':
        'It wants an account; tests/test_train_lib_metrics_log.py has a stand-in for the service.',
    'WANDB_MODE=offline':
        'It is an option of another program; tests/test_train_lib_metrics_log.py has a stand-in '
        'for it.',
    '--workdir=gs://BUCKET/runs/x':
        'It wants a bucket; tests/test_train_lib_storage_remote_run.py trains into a store in '
        'memory.',
    'gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all --command="cd oko && '
    '.venv/bin/python main.py --config=configs/tagger.py --distributed '
    '--workdir=gs://BUCKET/runs/tagger"':
        'It wants a TPU pod; tests/test_train_lib_multihost_distributed.py finds the others as JAX '
        'would there.',
    '#!/bin/bash':
        'It wants SLURM; tests/test_train_lib_multihost_distributed.py finds the others as JAX '
        'would there.',
    '--ntasks-per-node=8':
        'It is an option of SLURM; tests/test_train_lib_multihost_distributed.py finds the others '
        'as JAX would there.',
    '--distributed':
        'It wants a pod or SLURM; tests/test_train_lib_multihost_distributed.py finds the others '
        'as JAX would there.',
    **{option: 'It shares out GPUs; tests/test_train_lib_multihost_distributed.py checks the '
               'numbers.'
       for option in ('--device_ids', '--device_ids=0,1', '--device_ids=0,1,2,3,4,5,6,7')},
    'python main.py --config=configs/tagger.py:board --distributed '
    '--workdir=gs://BUCKET/runs/board --config.data.path=/data/board '
    '--config.train.batch_size=2048 --config.runtime.worker_processes '
    '--config.runtime.workers=80':
        'It wants a pod and a board; tests/test_train_lib_storage_remote_run.py and the form of '
        '`configs/tagger.py:board` do its two halves.',
    '--config.data.source=tfds --config.data.tfds_name=food101':
        'It wants a prepared dataset; tests/test_data_tfds.py reads a small one.',
    '--config.net.init_from=hf-hub:timm/efficientnet_b1.ft_in1k --config.net.init_partial':
        'It fetches from the hub; tests/test_train_lib_weights_weight_files.py has a stand-in '
        'for it.',
    '--config.net.init_from=FILE.pth':
        'It wants torch; tests/test_train_lib_weights_weight_files.py reads the message, which '
        'has the command.',
    '--config.serve.host=0.0.0.0':
        'It opens a port to the network; tests/test_train_lib_serving_guard.py asks as others '
        'would.',
    'timm.create_model(\'local-dir:FOLDER\', pretrained=True)':
        'It wants timm; tests/test_train_lib_export_model_card.py holds the folder to what timm '
        'loads.',
    'jax.export.deserialize(path.read_bytes()).call(image)':
        'It is a part of a program; tests/test_train_lib_export_stablehlo.py runs it.',
    'import pandas':
        "It wants pandas and timm's own results; tests/test_train_lib_throughput_rows.py holds "
        'the columns.',
    'python finetune/tag_images_by_wd14_tagger.py --onnx --model_dir runs/tagger-demo/export '
    '--repo_id tagger photos':
        "It is another program; tests/test_tagger_clients.py takes that program's steps.",
}
