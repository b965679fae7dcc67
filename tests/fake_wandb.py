"""A module in place of wandb that notes what it is asked for, and keeps runs as the server does."""

import types


class FakeRun:
  """One start of a run; `store` is what the server has of it."""

  disabled, offline, dir, url = False, False, '/tmp/files', 'https://wandb.invalid/run'

  def __init__(self, store):
    self._store, self.summary, self.finished = store, store.setdefault('summary', {}), False

  @property
  def step(self):
    return self._store.get('step', 0)

  def log(self, values, step=None):
    if step is None:
      step = self.step + 1
    assert step >= self.step, f'wandb drops step {step} after {self.step}'
    self._store['step'] = step
    self._store.setdefault('rows', []).append((step, values))

  def finish(self):
    self.finished = True


class FakeWandb(types.ModuleType):
  """Put it into sys.modules as 'wandb'.

  Attributes: stores: {id: what the server has of a run}; starts: the arguments of `init`, and runs
  that it gave; logged_in, broken: what `login` and `init` do.
  """

  Error = type('Error', (Exception,), {})
  Settings = dict
  mode = 'online'

  def __init__(self):
    super().__init__('wandb')
    self.stores, self.starts, self.runs = {}, [], []
    self.logged_in, self.broken = True, False

  def setup(self):
    return types.SimpleNamespace(settings=types.SimpleNamespace(mode=self.mode))

  def login(self, *, prompt, verify):
    assert not prompt and not verify
    return self.logged_in

  def init(self, **options):
    if self.broken:
      raise self.Error('no network')
    self.starts.append(options)
    self.runs.append(FakeRun(self.stores.setdefault(options['id'], {})))
    return self.runs[-1]

  def Image(self, picture):                                   # noqa: N802
    return ('picture', picture.size)
