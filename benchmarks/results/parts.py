"""The table of parts: which commands, what they need, and what becomes of what they leave.

In a command {runs} is the folder of the runs, {clothing}, {faces}, {cifar10} and {scans} are
folders of --data, {weights} is the file of --weights, {rivals} the interpreter of --rival_python,
and `python` this one. The page tells it as a person types it: `told`.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

from benchmarks.results import reading, summary, tables
from benchmarks.results.commands import TUNED
from train_lib import launch

DATA = {'clothing': 'photographs of clothes, train/CLASS and validation/CLASS',
        'faces': 'faces of 28x28, train/CLASS and test/CLASS',
        'cifar10': 'JPEGs of CIFAR-10, train/CLASS', 'scans': 'DICOM and NIfTI files'}
WEIGHTS = 'inception_v3_to_mixed8.npz'
TAPS = 'python -m benchmarks.cluster_taps'
STUDY = 'python main.py --job=study --config=configs'
ON_CLOTHES = '--config.data.path={clothing}'
SMALL = ('python main.py --config=configs/simpsons.py:small --config.data.source=folder '
         '--config.data.image_size_px=32')


@dataclasses.dataclass(frozen=True)
class Part:
  """A row of PARTS.

  Attributes:
    commands: one after another.
    read: (folder of the runs, what each command printed) -> figures, as plain JSON.
    tables: figures -> {name of a place in docs/results.md: Markdown}.
    needs: names of DATA, 'weights', or other parts whose runs are used.
    packages: that must be there besides those of the program.
    summary: figures -> what stands in a row of the README, as `summary.py` has it; the row's time
      and command are those of the first of `commands`.
    settings: of the environment of the commands.
  """
  commands: Sequence[str]
  read: Callable[[pathlib.Path, Sequence[str]], dict]
  tables: Callable[[dict], dict[str, str]]
  needs: Sequence[str] = ()
  packages: Sequence[str] = ()
  summary: Callable[[dict], tuple] | None = None
  settings: dict = dataclasses.field(default_factory=dict)


def told(command: str) -> str:
  """A command as the page tells it: the workdir that a config has by itself is left out."""
  words = command.format(runs='runs', weights=WEIGHTS, rivals='python',
                         **{name: name for name in DATA}).split(' ')
  config = next((word for word in words if word.startswith('--config=')), '--config=')
  own = launch.default_workdir(config.removeprefix('--config='))
  itself = (f'--workdir={own}', '--rival_python=python')
  return ' '.join(word for word in words if word not in itself)


def _study(name):
  return lambda runs, logs: reading.study(runs / name)


def _small_pictures(runs, logs):
  return {name: {**reading.simple_models(log), 'seconds': reading.run(runs / name)['seconds']}
          for name, log in (('faces', logs[1]), ('cifar10', logs[3]))}


PARTS = {
    'tagger': Part(
        ('python main.py --config=configs/tagger.py:demo --workdir={runs}/tagger-demo',
         'python main.py --job=evaluate --workdir={runs}/tagger-demo --config.data.data_seed=1'),
        lambda runs, logs: {
            'demo': reading.run(runs / 'tagger-demo'),
            'again': reading.evaluation(runs / 'tagger-demo')},
        lambda found: {'tagger': tables.of_rows(found['demo'], tables.TAGS),
                       'tagger_again': tables.of_rows(found['again'], tables.TAGS)},
        summary=summary.tagger),
    'clothes_tags': Part(
        (f'python main.py --config=configs/tagger.py:folder {ON_CLOTHES} '
         '--workdir={runs}/tagger-folder',),
        lambda runs, logs: reading.run(runs / 'tagger-folder'),
        lambda found: {'clothes_tags': tables.of_rows(found, tables.TAGS)}, ('clothing',)),
    'ladder': Part(
        (f'{STUDY}/tagger_ladder.py:small --workdir={{runs}}/tagger_ladder-small',),
        _study('tagger_ladder-small'), lambda found: {'ladder': tables.of_study(
            found, 'tagging', tables.TAGS_OF_STUDY, threshold=True)}),
    'pad': Part(
        (f'{STUDY}/tagger_ladder.py:pad {ON_CLOTHES} --workdir={{runs}}/tagger_ladder-pad',),
        _study('tagger_ladder-pad'), lambda found: {'pad': tables.of_study(
            found, 'tagging', tables.TAGS_OF_STUDY, threshold=True)}, ('clothing',)),
    'transfer': Part(
        (f'{STUDY}/fashion_ladder.py:transfer {ON_CLOTHES} --config.net.init_from={{weights}} '
         '--workdir={runs}/fashion_ladder-transfer',),
        _study('fashion_ladder-transfer'), lambda found: {'transfer': tables.of_study(
            found, 'classification', tables.but(tables.CLASSES_OF_STUDY, 'nll'), seconds=True)},
        ('clothing', 'weights'), summary=summary.transfer),
    'small_pictures': Part(
        (f'{SMALL} --config.data.path={{faces}} --workdir={{runs}}/faces',
         'python -m benchmarks.simple_models --workdir={runs}/faces',
         f'{SMALL} --config.data.path={{cifar10}} --workdir={{runs}}/cifar10',
         'python -m benchmarks.simple_models --workdir={runs}/cifar10'),
        _small_pictures, lambda found: {'small_pictures': tables.of_small_pictures(found)},
        ('faces', 'cifar10'), summary=summary.faces),
    'fashion': Part(
        (f'{STUDY}/fashion_ladder.py:small --workdir={{runs}}/fashion_ladder-small',),
        _study('fashion_ladder-small'), lambda found: {'fashion': tables.of_study(
            found, 'classification', tables.but(tables.CLASSES_OF_STUDY, 'calibration_error'))}),
    'pose': Part(
        ('python main.py --config=configs/pose.py:small --workdir={runs}/pose-small',),
        lambda runs, logs: reading.run(runs / 'pose-small'),
        lambda found: {'pose': tables.of_rows(found, tables.POSE)}, summary=summary.pose),
    'crop': Part(
        (f'{STUDY}/fashion_ladder.py:crop --config.data.persons.cut_by={{runs}}/pose-small '
         '--workdir={runs}/fashion_ladder-crop',),
        _study('fashion_ladder-crop'), lambda found: {'crop': tables.of_study(
            found, 'classification', tables.CLASSES_IN_SHORT)},
        ('pose',), summary=summary.crop),
    'crop_folder': Part(
        (f'{STUDY}/fashion_ladder.py:crop_folder {ON_CLOTHES} '
         '--config.net.name=inception_v3_mixed8 --config.net.init_from={weights} '
         '--config.data.persons.cut_by={runs}/pose-small '
         '--workdir={runs}/fashion_ladder-crop_folder',),
        _study('fashion_ladder-crop_folder'), lambda found: {'crop_folder': tables.of_study(
            found, 'classification', tables.CLASSES_IN_SHORT)},
        ('clothing', 'weights', 'pose')),
    'vae': Part(
        ('python main.py --config=configs/vae.py:small --workdir={runs}/vae-small',),
        lambda runs, logs: reading.run(runs / 'vae-small'),
        lambda found: {'vae': tables.of_rows(found, tables.SCANS)}, summary=summary.scans),
    'leave_one_out': Part(
        ('python -m benchmarks.leave_one_out --path={scans} --init_from={runs}/vae-small '
         '--workdir={runs}/left --steps=60',),
        lambda runs, logs: reading.left_out(runs / 'left'),
        lambda found: {'leave_one_out': tables.of_left_out(found)}, ('scans', 'vae'),
        ('pydicom', 'nibabel')),
    'synthesis': Part(
        ('python main.py --config=configs/vae.py:small --config.data.corrupt="()" '
         '--config.train.num_epochs=10.0 --workdir={runs}/vae-clean',
         'python -m benchmarks.synthesis --autoencoder={runs}/vae-clean '
         '--workdir={runs}/synthesis --steps=250'),
        _study('synthesis/study'), lambda found: {'synthesis': tables.of_study(
            found, 'classification', tables.CLASSES_IN_SHORT)}),
    'clusters': Part(
        (f'{TAPS} --data={{clothing}} --net=inception_v3_mixed8 --weights={{weights}}',),
        lambda runs, logs: reading.taps(logs[0]),
        lambda found: {'clusters': tables.of_taps(found)}, ('clothing', 'weights'),
        summary=summary.clusters),
    'clusters_drawn': Part(
        ('python main.py --config=configs/simpsons.py:small --workdir={runs}/simpsons-small',
         f'{TAPS} --workdir={{runs}}/simpsons-small --without=anonymous',
         f'{TAPS} --workdir={{runs}}/simpsons-small'),
        lambda runs, logs: {
            'run': reading.run(runs / 'simpsons-small'),
            'some': reading.taps(logs[1]), 'all': reading.taps(logs[2])},
        lambda found: {'clusters_drawn': tables.of_taps(found['some']),
                       'clusters_anonymous': tables.of_taps(found['all'])}),
    'optimizers': Part(
        ('python main.py --config=configs/optimizers.py --workdir={runs}/optimizers',),
        lambda runs, logs: reading.tuned_study(runs / 'optimizers'),
        lambda found: {'optimizers': tables.of_optimizers(found)}, summary=summary.optimizers),
    'replicas': Part(
        ('python -m benchmarks.replicas --repeats=25 --replicas=6',),
        lambda runs, logs: reading.printed_table(logs[0], 'way'),
        lambda found: {'replicas': tables.of_printed(found, {
            'way': '', 'compile s': 'compilation, s', 'steps/s': 'steps/s', 'best': 'best turn',
            'ratio': 'to the first'})}, settings=TUNED),
    'tags_cost': Part(
        ('python -m benchmarks.loss_over_tags --repeats=5',),
        lambda runs, logs: reading.printed_table(logs[0], 'tags'),
        lambda found: {'tags_cost': tables.of_printed(found, {
            'tags': 'tags', 'body M': 'parameters of the body, M', 'head M': 'of the head, M',
            'step ms': 'step, ms', 'loss ms': 'loss alone, ms', 'arguments MiB': 'arguments, MiB',
            'temp MiB': 'buffers, MiB', 'of the loss': 'of the loss'})}, settings=TUNED),
    'autoencoder_step': Part(
        ('python -m benchmarks.autoencoder_step --batch=8',),
        lambda runs, logs: reading.lines(
            logs[0], r'(vae_|parameters|compilation|training step|restoring|memory|peak).*'),
        lambda found: {'autoencoder_step': tables.of_lines(found)}),
    'faults': Part(
        ('python -m tests.faults',), lambda runs, logs: reading.faults(logs[0]),
        lambda found: {'faults': tables.of_faults(found)}, packages=('pytest', 'hypothesis'),
        summary=summary.faults),
    'checkpoint_cost': Part(
        ('python -m benchmarks.checkpoint_cost --turns=3',
         'python -m benchmarks.checkpoint_cost --first=1500 --steps=50 --turns=2'),
        lambda runs, logs: {'lines': [line for log in logs for line in reading.lines(
            log, r'configs/.*|time +alone.*|of processors.*|training stood.*')['lines']]},
        lambda found: {'checkpoint_cost': tables.of_lines(found)}),
    'start_up': Part(
        ('python -m benchmarks.start_up',),
        lambda runs, logs: reading.lines(logs[0], r'\w+ start of .*'),
        lambda found: {'start_up': tables.of_lines(found)}),
    'kmeans': Part(
        ('python -m benchmarks.kmeans --rows=50000 --width=2048 --stream_rows=0 --repeats=7',
         'python -m benchmarks.kmeans --rows=50000 --width=2048 --stream_rows=0 --repeats=5 '
         '--spread=0', 'python -m benchmarks.kmeans'),
        lambda runs, logs: dict(zip(
            ('overlapping blobs, 50,000 x 2,048', 'noise without groups, 50,000 x 2,048',
             'blobs, 100,000 x 256'), map(reading.kmeans, logs), strict=True)),
        lambda found: {'kmeans': tables.of_kmeans(found)},
        settings={'OMP_WAIT_POLICY': 'passive'}),
    'nets_beside': Part(
        ('python -m benchmarks.nets_beside --rivals=torch,torch_as_it_comes --turns=4 '
         '--rival_python={rivals} --output={runs}/nets_beside.json',),
        lambda runs, logs: reading.beside_nets(runs / 'nets_beside.json'),
        lambda found: {'nets_beside': tables.of_nets(found)}, ('torch',)),
    'input_beside': Part(
        ('python -m benchmarks.input_beside --rival_python={rivals} '
         '--output={runs}/input_beside.json',),
        lambda runs, logs: reading.beside_input(runs / 'input_beside.json'),
        lambda found: {'input_beside': tables.of_input(found)}, ('torch',)),
    'onnx_speed': Part(
        ('python -m benchmarks.onnx_speed',),
        lambda runs, logs: reading.printed_table(logs[0], 'net'),
        lambda found: {'onnx_speed': tables.of_printed(found, {
            name: name for name in found['columns']})}, packages=('onnx', 'onnxruntime')),
}
