"""Writes optimizers_in_torch.json: what torch.optim does with a small regression, in float64.

Run where torch is installed (the project itself does not need it), from the root of the checkout:

    python tests/reference/optimizers_in_torch.py

The problem is the mean squared error of x W + b against y; ten steps from one start. Each row names
our optimizer and its config keys; 'rates' are the learning rates of the ten steps, and 'path' the
parameters W (row by row) and b before the first and after every step.

Where the definitions differ, in torch as of the version in the file:

  nesterov   torch and Optax keep the point where the gradient is taken, w + mu v of the textbook
  momentum   torch and Optax multiply by the learning rate last, so that a change of it takes effect
             at once; the textbook's velocity remembers the old one. Equal while it is constant.
  adagrad    torch's default epsilon is 1e-10; Optax's own function puts it inside the root
  rmsprop    torch's default decay is 0.99; Optax's own default puts epsilon inside the root. Both
             start at zero without correcting for it, as here
  nadam      torch warms the momentum up by Dozat's schedule, 0.96^(t/250); Optax and we do not
"""

import json
import pathlib

import numpy as np
import torch

STEPS = 10
ROWS = [  # our name, our keys, torch's class, its options
  ('sgd', {}, torch.optim.SGD, dict(lr=0.3)),
  ('sgd', dict(l2=0.2, decayed=('*',)), torch.optim.SGD, dict(lr=0.3, weight_decay=0.2)),
  ('momentum', dict(momentum=0.8), torch.optim.SGD, dict(lr=0.1, momentum=0.8)),
  ('nesterov', dict(momentum=0.8), torch.optim.SGD, dict(lr=0.1, momentum=0.8, nesterov=True)),
  ('adagrad', dict(epsilon=0.1), torch.optim.Adagrad, dict(lr=0.4, eps=0.1)),
  ('rmsprop', dict(decay=0.9, epsilon=0.1), torch.optim.RMSprop, dict(lr=0.05, alpha=0.9, eps=0.1)),
  ('adam', {}, torch.optim.Adam, dict(lr=0.01)),
  ('adam', dict(beta1=0.8, beta2=0.95, epsilon=0.1, l2=0.2, decayed=('*',)), torch.optim.Adam,
   dict(lr=0.1, betas=(0.8, 0.95), eps=0.1, weight_decay=0.2)),
  ('adamw', dict(weight_decay=0.3, decayed=('*',)), torch.optim.AdamW,
   dict(lr=0.01, weight_decay=0.3)),
  ('nadam', {}, torch.optim.NAdam, dict(lr=0.1)),
]


def run(kind, options, factors, problem):
  """Returns the parameters before the first and after every step."""
  x, y, kernel, bias = (torch.tensor(part, dtype=torch.float64) for part in problem)
  parameters = [kernel.requires_grad_(), bias.requires_grad_()]
  optimizer = kind(parameters, **options)
  path = [torch.cat([part.detach().flatten() for part in parameters]).tolist()]
  for factor in factors:
    optimizer.param_groups[0]['lr'] = options['lr'] * factor
    optimizer.zero_grad()
    (x @ kernel + bias - y).square().mean().backward()
    optimizer.step()
    path.append(torch.cat([part.detach().flatten() for part in parameters]).tolist())
  return path


def main():
  rng = np.random.default_rng(0)
  problem = [rng.normal(size=shape).round(3).tolist() for shape in ((6, 3), (6, 2), (3, 2), (2,))]
  constant, falling = [1.0] * STEPS, [1.0] * 5 + [0.1] * 5
  rows = [dict(name=name, keys=keys, rates=[options['lr'] * factor for factor in factors],
               path=run(kind, options, factors, problem))
          for name, keys, kind, options in ROWS for factors in (constant, falling)]
  path = pathlib.Path(__file__).with_suffix('.json')
  path.write_text(json.dumps(
    {'torch': torch.__version__, 'problem': problem, 'rows': rows}) + '\n')


if __name__ == '__main__':
  main()
