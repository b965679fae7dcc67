"""A loss that is not a number."""

BAD_STEP = 22
FAULT = {'kind': 'not_a_number', 'step': BAD_STEP}


def diverged(runs, short):
  """NaN in the loss and the gradient of one step, under each policy."""
  ids = runs.ids('undisturbed')[BAD_STEP - 1]
  runs.refuse('abort', faults=[FAULT])
  assert 'diverged' in runs.said('abort').splitlines()[-1]
  assert runs.saved_steps('abort')[-1] < BAD_STEP
  policies = ('rollback',) if short else ('rollback', 'skip')  # skip compiles programs of its own
  for policy in policies:
    flag = f'--config.train.on_divergence={policy}'
    reference = runs.finish(f'{policy}-without', flag,
                            faults=[{'kind': 'no_update', 'step': BAD_STEP}])
    record = runs.finish(policy, flag, faults=[FAULT])
    assert record['state_digest'] == reference['state_digest'], f'{policy}: the state differs'
    assert record['diverged'][policy] == 1, record['diverged']
    rows = runs.rows(policy, 'diverged.jsonl')
    assert [row['step'] for row in rows] == [BAD_STEP], rows
    assert rows[0]['ids'] == ids, rows
  return (f'abort: code 2, nothing saved from step {BAD_STEP} on; {" and ".join(policies)}: '
          'bitwise the run without that update; its batch is recorded')
