"""Torch trains and infers one net, as someone who knows torch would write it.

Run by benchmarks/nets_beside.py with the interpreter that has torch and timm.
"""

import os

from benchmarks.beside import worker

STEPS_AT_ONCE = {'cpu': 1, 'cuda': 10}


def prepare(spec: dict) -> tuple[dict, callable]:
  """(what it is, turn).

  Args: spec: name (at timm), batch, size_px, num_outputs, task, modes, dropout_rate,
    drop_path_rate, and options of ours: channels_last, compile, bfloat16.
  """
  import torch

  from benchmarks import torch_nets
  torch.manual_seed(0)
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  if device == 'cpu':
    torch.set_num_threads(len(os.sched_getaffinity(0)))
  else:
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision('high')
  net, origin = torch_nets.build_net(
      spec['name'], spec['num_outputs'], spec['dropout_rate'], spec['drop_path_rate'])
  layout = torch.channels_last if spec['channels_last'] else torch.contiguous_format
  net = net.to(device, memory_format=layout)
  facts = {'param_count': sum(one.numel() for one in net.parameters()), 'origin': origin,
           'version': torch.__version__, 'device': device, 'threads': torch.get_num_threads()}
  steps = make_steps(torch, net, device, layout, spec)
  for mode in spec['modes']:
    for _ in range(worker.WARM_UP_STEPS):
      steps[mode]()
  wait = torch.cuda.synchronize if device == 'cuda' else (lambda: None)

  def turn(command):
    net.train(command['mode'] == 'train')
    steps[command['mode']]()
    wait()
    times = worker.timed_steps(steps[command['mode']], wait, command['seconds'],
                               STEPS_AT_ONCE[device])
    if device == 'cuda':
      torch.cuda.empty_cache()                                # others take their turns there
    return {'seconds': times}
  return facts, turn


def make_steps(torch, net, device, layout, spec) -> dict:
  """{'train': forward, backward and AdamW on one batch, 'infer': forward}."""
  shape = (spec['batch'], 3, spec['size_px'], spec['size_px'])
  images = torch.randn(shape).to(device, memory_format=layout)
  labels, loss_of = make_task(torch, spec)
  labels = labels.to(device)
  optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, fused=True)
  run = torch.compile(net) if spec['compile'] else net

  def forward():
    with torch.autocast(device, torch.bfloat16, enabled=spec['bfloat16']):
      return run(images)

  def train():
    net.train()
    loss = loss_of(forward().float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

  def infer():
    net.eval()
    with torch.inference_mode():
      forward()

  return {'train': train, 'infer': infer}


def make_task(torch, spec) -> tuple:
  """(labels, loss of logits and labels): tags with the focal loss, or classes."""
  from benchmarks import torch_nets
  if spec['task'] == 'tagging':
    labels = (torch.rand(spec['batch'], spec['num_outputs']) < 0.3).float()
    return labels, lambda logits, tags: torch_nets.focal(logits, tags).sum(1).mean()
  labels = torch.randint(spec['num_outputs'], (spec['batch'],))
  return labels, torch.nn.functional.cross_entropy


if __name__ == '__main__':
  worker.serve(prepare)
