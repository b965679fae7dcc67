"""What bounds a row, in words."""

from train_lib.reporting import counted

STALLED = 0.05                    # of the loop's time, above which the step is not what bounds it
KEEPS_UP = 1.1                    # times what the step takes: the input pipeline keeps up
COMPUTE, SOME = 0.4, 0.2          # of the peak
DISPATCH = 0.5                    # of a step's time, that the host needs to hand it over
OWN_SHARE = 2 / 3                 # of a CPU's work, above which the pipeline alone bounds a row
UNACCOUNTED = 2.0                 # times what the pipeline makes: more than that its parts could
# Parts of the input pipeline, by their key in a row: what each is called, what makes it cheaper.
PARTS = {'read': ('reading and decoding', 'smaller files'),
         'augment': ('data.augment', 'fewer or cheaper operations of data.augment'),
         'batch': ('batch assembly', 'a smaller data.image_size_px')}


def describe(row: dict, platform: str, processors: int) -> str:
  """The sentence of a row; '' where too little was measured.

  Args: row: of the table; platform: of the devices, as JAX calls it; processors: of the host.
  """
  rate = row.get('loop_bare_samples_per_sec', row.get('train_samples_per_sec'))
  if rate is None:
    return ''
  made, stall = row.get('input_samples_per_sec'), row.get('stall_frac')
  if stall is None:
    if made is None or made >= rate:
      return _device(row, platform)
    if _shares(platform, made, rate):
      return _processors(row, made, rate, '', processors)
    return _input(row, made, rate, processors)
  if stall <= STALLED or has_no_stall(row):
    return _device(row, platform)
  lost = f'{stall:.0%} of the time'
  if _shares(platform, made, rate):
    return _processors(row, made, rate, f' and takes {lost} from', processors)
  sent = row.get('input_transfer_samples_per_sec')
  if sent is not None and sent < KEEPS_UP * rate and (made is None or sent < made):
    return (f'the transfer to the devices: it takes {sent:,.0f} pictures/s and the step could take '
            f'{rate:,.0f}; raise runtime.prefetch_batches')
  if made is not None and made < KEEPS_UP * rate:
    return _input(row, made, rate, processors)
  if made is None:
    return (f"the loop: {lost} the devices wait; with 'input' in benchmark.parts it is told "
            'whether the input pipeline is why')
  return (f'the loop: {lost} the devices wait, though the input pipeline makes {made:,.0f} '
          f'pictures/s and the step takes {rate:,.0f}; raise runtime.prefetch_batches or '
          'runtime.log_every_steps')


def has_no_stall(row: dict) -> bool:
  """Whether the loop of a row was measured faster than the bare step, which is noise."""
  return row['stall_frac'] < 0 or (
      row['loop_samples_per_sec'] > row['loop_bare_samples_per_sec'])


def _shares(platform, made, rate) -> bool:
  """Whether pipeline and step share the processors, and most of the work is not the pipeline's.

  Of 1 / made + 1 / rate, a picture's time, the pipeline's share is rate / (made + rate).
  """
  return platform == 'cpu' and (made is None or rate <= OWN_SHARE * (made + rate))


def _processors(row, made, rate, takes, processors):
  most, cheaper = _slowest(row)
  advice = f'to take less: {cheaper}'
  unaccounted = _unaccounted(row, processors)
  if unaccounted:
    most, advice = '', unaccounted
  alone = '' if made is None else f'make {made:,.0f} pictures/s and '
  return (f'the processors, which the input pipeline shares with the step{takes}{most}: alone they '
          f'{alone}train {rate:,.0f} pictures/s; {advice}')


def _input(row, made, rate, processors):
  unaccounted = _unaccounted(row, processors)
  if unaccounted:
    return (f'the input pipeline: it makes {made:,.0f} pictures/s, and the step could take '
            f'{rate:,.0f}; {unaccounted}')
  most, cheaper = _slowest(row)
  workers = row['input_workers']
  if workers < processors:
    advice = f'raise runtime.workers ({workers} now) up to {processors}, one for each processor'
  else:
    advice = (f'with {counted(processors, "processor")} more of runtime.workers ({workers} now) '
              f'are of no use; {cheaper}, or more processors, are')
  return (f'the input pipeline: it makes {made:,.0f} pictures/s{most}, and the step could take '
          f'{rate:,.0f}; {advice}')


def _unaccounted(row, processors) -> str:
  """What to say where the workers, by its parts, should make far more than the pipeline does."""
  made, rates = row.get('input_samples_per_sec'), [
      row.get(f'input_{name}_samples_per_sec') for name in PARTS]
  if not made or not all(rates):
    return ''
  workers = row['input_workers']
  busy = max(1, min(workers, processors))
  could = busy / sum(1 / rate for rate in rates)
  if could <= UNACCOUNTED * made:
    return ''
  fewer = f'fewer runtime.workers ({workers} now) or ' if workers else ''
  return (f"the pipeline's parts do not account for its speed: by them {counted(busy, 'worker')} "
          f'should make {could:,.0f} pictures/s; the rest is what the workers cost beside them, or '
          f'processors that were busy with something else; try {fewer}an idle machine')


def _slowest(row) -> tuple[str, str]:
  """(', mostly for ' the part that takes the pipeline longest, what makes it cheaper)."""
  rates = {name: row.get(f'input_{name}_samples_per_sec') for name in PARTS}
  known = {name: rate for name, rate in rates.items() if rate}
  if not known:
    return '', f"{PARTS['read'][1]} or {PARTS['augment'][1]}"
  name, cheaper = PARTS[min(known, key=known.get)]
  return f', mostly for {name}', cheaper


def _device(row, platform):
  frac, dispatch = row.get('train_peak_frac'), row.get('train_dispatch_ms')
  if platform != 'cpu' and dispatch and dispatch > DISPATCH * row['train_step_time']:
    return (f'dispatch: the host needs {dispatch:.2f} ms to hand over a step that takes '
            f'{row["train_step_time"]:.2f} ms; raise train.batch_size')
  if frac is None:
    return 'the step itself; how much of the peak it reaches is not known'
  measured = 'measured' if row.get('peak_source', '').startswith('measured') else 'published'
  of = f"{frac:.0%} of the devices' {measured} peak of {row['peak_tflops']:,.3g} TFLOP/s"
  if frac >= COMPUTE:
    return f'compute: {of}'
  if frac >= SOME:
    return f'compute and memory bandwidth: {of}'
  return f'memory bandwidth or small operations: {of}; a larger batch may help'
