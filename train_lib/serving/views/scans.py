"""Scans restored by an autoencoder, and a way through its latent space."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np

from errors import UserError
from train_lib import build_data, build_inputs
from train_lib.scans.scan_coder import Coder
from train_lib.serving import drawn
from train_lib.serving.calls import Call, whole_number
from train_lib.serving.guard import Refused
from train_lib.serving.uploads import Upload

MOST_SLICES = 10 ** 6
MOST_DECODED = 32                 # latent vectors of a request
DIGITS = 4                        # of latent numbers
LARGEST = 1e4                     # latent number that is decoded; the prior's deviation is 1


class ScanView:
  """An autoencoder. Args: config: of the run, says how scans are read; predictor."""

  task, together, options = 'autoencoding', 1, ('slice', 'damage')

  def __init__(self, config, predictor):
    self._config, self._predictor = config, predictor
    trained, self.step = predictor.trained, predictor.trained.step
    self._coder = Coder(trained, 'rows', trained.mesh.size)
    self._opened = ('', None)     # digest, scan: of the last one, whose slices are leafed through

  def words(self) -> str:
    """'scans of 64 px through 32 numbers'."""
    return f'scans of {self._coder.side_px} px through {self._coder.latent_size} numbers'

  def about(self) -> dict:
    """'latent_size', 'side_px', and 'corrupt': the damage that the net learned to mend."""
    return {'names': (), 'latent_size': self._coder.latent_size, 'side_px': self._coder.side_px,
            'corrupt': self._config.data.corrupt}

  def answer(self, uploads: list[Upload], options: dict) -> list[dict]:
    """Of one slice of each: 'slices', how many there are; 'slice', which one, from 0; 'size_px';
    'picture' as the net sees it, 'original' before it was damaged, and 'restored', data: addresses
    of PNG files; 'mean', 'logvar' and 'kl' of every latent unit, the last in nats.

    Args: options: 'slice', a number from 0, without it the middle one; 'damage', 1: the slice is
      damaged first, as in training.
    """
    return [{'path': upload.label, **self._answer_one(upload, options)} for upload in uploads]

  def _answer_one(self, upload, options):
    try:
      scan = self._open(upload.content)
      place = whole_number(options, 'slice', scan.num_slices // 2, 0, MOST_SLICES)
      if place >= scan.num_slices:
        return {'error': f'the scan has {scan.num_slices:,} slices, counted from 0'}
      picture = scan.slice(place)
    except (ValueError, OSError, UserError) as error:     # ScanError is a ValueError
      return {'error': getattr(error, 'strerror', None) or str(error)}
    damage = whole_number(options, 'damage', 0, 0, 1)
    example = {'id': f'{place}', 'scan': picture[..., None]}
    for operation in build_data.build_pipeline(self._config, train=False, corrupt=damage == 1):
      example = operation(example)
    seen = example['image']
    mean, logvar = (values[0] for values in self._coder.encode(seen[None]))
    kl = 0.5 * (mean ** 2 + np.exp(logvar) - 1 - logvar)
    return {'slices': scan.num_slices, 'slice': place,
            'size_px': [picture.shape[1], picture.shape[0]],
            'picture': drawn.png_text(seen), 'original': drawn.png_text(example['target']),
            'restored': drawn.png_text(self._coder.decode(mean[None])[0]),
            **{name: [round(float(value), DIGITS) for value in values]
               for name, values in (('mean', mean), ('logvar', logvar), ('kl', kl))}}

  def _open(self, content):
    """The scan of a file's bytes; readers take paths, so they lie in a file while it is read."""
    digest = hashlib.sha256(content).hexdigest()
    if self._opened[0] != digest:
      with tempfile.NamedTemporaryFile(prefix='oko-', suffix='.scan') as file:
        file.write(content)
        file.flush()
        self._opened = (digest, build_inputs.open_scan(self._config, Path(file.name)))
    return self._opened[1]

  def calls(self) -> dict[str, Call]:
    """/api/decode."""
    return {'/api/decode': Call('POST', 'json', self.call_decode)}

  def call_decode(self, given: dict, options: dict) -> dict:
    """{'pictures': data: addresses of PNG files} of {'latents': [[number, ...], ...]}.

    Raises: Refused: 422, they are not as many numbers as the net has latent units, or too large.
    """
    del options
    latents, size = given.get('latents'), self._coder.latent_size
    if not isinstance(latents, list) or not 1 <= len(latents) <= MOST_DECODED or not all(
        _is_latent(latent, size) for latent in latents):
      raise Refused(422, f"'latents' has to be a list of 1 to {MOST_DECODED} lists of {size} "
                         f'numbers from -{LARGEST:g} to {LARGEST:g}')
    pictures = self._coder.decode(np.array(latents, np.float32))
    return {'pictures': [drawn.png_text(picture) for picture in pictures]}

  def warm_up(self) -> None:
    """Answers once."""
    side = self._coder.side_px
    mean, _ = self._coder.encode(np.zeros((1, side, side, 1), np.float32))
    self._coder.decode(mean)


def _is_latent(latent, size) -> bool:
  return isinstance(latent, list) and len(latent) == size and all(
      isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST
      for value in latent)
