"""Shows that timm loads what we write: our variables -> .safetensors -> timm -> the same logits.

    python -m tests.reference.round_trip write FOLDER [NAME ...]    where JAX is
    python -m tests.reference.round_trip check FOLDER               where torch and timm are

from the root of the checkout. `write` fills nets with random numbers, those named or all that
rows.py has of timm, and stores their weights and their logits for two pictures of the row's size;
`check` has timm load them with strict=True, compares, and writes the outcome to round_trip.json
beside this file, which a test reads.
"""

import json
import pathlib
import sys

import numpy as np

from tests.reference.rows import REFERENCES

OUTCOME = pathlib.Path(__file__).parent / 'round_trip.json'
CASES = tuple(name for name, row in REFERENCES.items() if row.source == 'timm')
OUTPUTS = 10


def write(folder, name):
  """Stores <name>.safetensors, and the picture and its logits in <name>.npz."""
  import functools

  import flax.traverse_util
  import jax

  import nets
  from nets.weight_names import get_weight_names
  from train_lib.weights.weights import save_weights
  row, rng = REFERENCES[name], np.random.default_rng(len(name))
  net = nets.build_net(row.variant, OUTPUTS)
  image = rng.normal(size=(2, row.size_px, row.size_px, 3)).astype(np.float32)
  shapes = jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0), image)

  def draw(path, leaf):
    noise = rng.normal(size=leaf.shape)
    if leaf.ndim > 1:
      return np.float32(noise * (row.gain / np.prod(leaf.shape[:-1])) ** 0.5)
    return np.float32(0.1 * noise + (path[-1] in ('scale', 'var', 'gamma')))

  variables = flax.traverse_util.unflatten_dict(
    {path: draw(path, leaf) for path, leaf in flax.traverse_util.flatten_dict(shapes).items()})
  logits, _ = jax.jit(functools.partial(net.apply, train=False))(variables, image)
  save_weights(folder / f'{name}.safetensors', variables, get_weight_names(row.variant)['timm'])
  np.savez(folder / f'{name}.npz', image=image, logits=logits)


def check(folder, name):
  """Returns what timm makes of the two files."""
  import timm
  import torch
  from safetensors.torch import load_file
  row, stored = REFERENCES[name], np.load(folder / f'{name}.npz')
  model = timm.create_model(row.model, pretrained=False, num_classes=OUTPUTS, **row.options)
  model.load_state_dict(load_file(folder / f'{name}.safetensors'), strict=True)
  with torch.no_grad():
    logits = model.eval()(torch.from_numpy(stored['image'].transpose(0, 3, 1, 2).copy()))
  logits = (logits[0] if isinstance(logits, tuple) else logits).numpy()  # not the auxiliary ones
  difference = np.abs(logits - stored['logits']).max() / logits.std()
  return dict(model=row.model, timm=timm.__version__, loaded='strict',
              difference=float(f'{difference:.2g}'), spread=float(f'{logits.std():.2g}'))


def main(verb, folder, *names):
  folder = pathlib.Path(folder)
  if verb == 'write':
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or CASES:
      write(folder, name)
      print(name, flush=True)
    return
  outcome = json.loads(OUTCOME.read_text()) if OUTCOME.exists() else {}
  for path in sorted(folder.glob('*.safetensors')):
    outcome[path.stem] = check(folder, path.stem)
    print(path.stem, outcome[path.stem], flush=True)
  OUTCOME.write_text(json.dumps(dict(sorted(outcome.items())), indent=1) + '\n')


if __name__ == '__main__':
  main(*sys.argv[1:])
