"""This project's loader, with the pipeline of a page, for benchmarks/input_beside.py."""

from benchmarks.beside import worker

EVERY = 2**31                     # more batches than are ever asked for


def prepare(spec: dict) -> tuple[dict, callable]:
  """(what it is, turn).

  Args: spec: folder, size_px, batch, augment (of the page), workers, processes.
  """
  import cv2
  import numpy as np

  from train_lib import build_data, build_sources
  if not spec['workers']:
    cv2.setNumThreads(0)          # as in the worker threads, and as DataLoader's is given it
  config = load_page(spec)
  config.runtime.workers, config.runtime.worker_processes = spec['workers'], spec['processes']
  source = build_sources.build_source(config, 'train')
  loader = build_data.build_loader(config, source, train=True, batch_size=spec['batch'])
  batches = loader.batches(0, EVERY)
  image = next(batches)['image']
  kind = 'processes' if spec['processes'] else 'threads'
  facts = {'version': f'numpy {np.__version__}', 'form': f'{spec["workers"]} {kind}',
           'pictures': len(source), 'batch': f'{image.dtype} {list(image.shape)}',
           'operations': repr(build_data.build_pipeline(config, train=True))}
  ahead = 3 * spec['workers'] + 1

  def turn(command):
    return worker.timed_batches(batches, spec['batch'], ahead, command['seconds'])
  return facts, turn


def load_page(spec: dict):
  """configs/tagger.py on the folder, with the augmentations that are asked for."""
  from configs import tagger
  config = tagger.get_config()
  config.data.source, config.data.path = 'folder', spec['folder']
  config.data.image_size_px, config.data.augment = spec['size_px'], tuple(spec['augment'])
  return config


if __name__ == '__main__':
  worker.serve(prepare)
