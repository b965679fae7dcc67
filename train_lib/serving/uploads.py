"""Pictures out of the body of a request: a form with files, or the bytes of one picture.

Names that come with them are labels and nothing else: no file is ever opened by one.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from train_lib.predicting.pipe import STARTS
from train_lib.serving.guard import Refused

FIELD = 'picture'
RAW = ('', 'application/octet-stream', 'application/dicom')
UNNAMED = 'application/x-www-form-urlencoded'   # what curl --data-binary calls all that it sends
MOST_LETTERS = 200                # of a label
LABEL = 'picture'                 # of a picture that comes without a name


class Upload(NamedTuple):
  """A picture: what it is called, and the bytes of its file."""
  label: str
  content: bytes


def answer_each(uploads: list[Upload], predictor, describe: Callable[[dict], dict]) -> list[dict]:
  """A row for each picture: 'path', its label, and what is said of its values, or 'error'.

  Args: predictor: a `Predictor`; describe: values of it -> fields of the row.
  """
  found = predictor.values([upload.content for upload in uploads])
  return [{'path': upload.label, **(values if 'error' in values else describe(values))}
          for upload, values in zip(uploads, found, strict=True)]


async def read_uploads(request, most: int) -> list[Upload]:
  """The pictures of a request, 1 to `most`.

  Args: request: of Starlette.

  Raises:
    Refused: 400 a broken form, 413 too many, 415 another kind of content, 422 none.
  """
  from python_multipart.multipart import parse_options_header
  kind, options = parse_options_header(request.headers.get('content-type', ''))
  kind = kind.decode('latin-1').lower()
  if kind == 'multipart/form-data':
    uploads = await _read_form(request, options.get(b'boundary', b''), most)
  elif kind in RAW or kind.startswith('image/'):
    body = await request.body()
    uploads = [Upload(LABEL, body)] if body else []
  elif kind == UNNAMED and STARTS.match(body := await request.body()):
    uploads = [Upload(LABEL, body)]
  else:
    raise Refused(415, f'content of this kind is not read; send multipart/form-data with fields '
                       f"'{FIELD}' (curl -F {FIELD}=@file.jpg), or the bytes of one picture as "
                       'image/jpeg or application/octet-stream')
  if not uploads:
    raise Refused(422, f"the request holds no picture; send some as fields '{FIELD}' of a form")
  return uploads


async def read_json(request) -> dict:
  """The JSON object of a request. Raises: Refused: 400 no JSON object, 415 another kind."""
  if request.headers.get('content-type', '').partition(';')[0].strip().lower() != (
      'application/json'):
    raise Refused(415, 'the request has to be application/json')
  try:
    found = json.loads(await request.body())
  except (ValueError, RecursionError):
    found = None
  if not isinstance(found, dict):
    raise Refused(400, 'the request holds no JSON object')
  return found


async def _read_form(request, boundary: bytes, most: int) -> list[Upload]:
  from python_multipart.exceptions import FormParserError
  from python_multipart.multipart import MultipartParser
  form = _Form(most)
  try:
    parser = MultipartParser(boundary, form.callbacks())
    async for chunk in request.stream():
      parser.write(chunk)
  except FormParserError:
    raise Refused(400, 'the form is broken') from None
  if not form.ended:
    raise Refused(400, 'the form is broken: it does not come to its end')
  return form.uploads


class _Form:
  """Takes the parts of a form as the parser meets them."""

  def __init__(self, most: int):
    self._most, self.uploads, self.ended = most, [], False
    self._begin()

  def callbacks(self):
    return {'on_part_begin': self._begin, 'on_part_data': self._add, 'on_part_end': self._finish,
            'on_header_field': self._add_field, 'on_header_value': self._add_value,
            'on_header_end': self._end_header, 'on_end': self._end}

  def _begin(self):
    self._heads, self._field, self._value, self._content = {}, b'', b'', bytearray()

  def _add_field(self, data, start, end):
    self._field += data[start:end]

  def _add_value(self, data, start, end):
    self._value += data[start:end]

  def _end_header(self):
    self._heads[self._field.lower()] = self._value
    self._field, self._value = b'', b''

  def _add(self, data, start, end):
    self._content += data[start:end]

  def _finish(self):
    from python_multipart.multipart import parse_options_header
    _, options = parse_options_header(self._heads.get(b'content-disposition', b''))
    if options.get(b'name') != FIELD.encode():
      raise Refused(422, f"a field of the form is not called '{FIELD}', which is all that is read")
    if not self._content and not options.get(b'filename'):
      return                      # a form whose file was not chosen
    if len(self.uploads) == self._most:
      raise Refused(413, f'at most {self._most} pictures are taken at once (serve.most_pictures)')
    number = len(self.uploads) + 1
    self.uploads.append(Upload(_label(options.get(b'filename', b''), number), bytes(self._content)))

  def _end(self):
    self.ended = True


def _label(name: bytes, number: int) -> str:
  """The last part of a name, in letters that can be shown."""
  text = name.decode('utf-8', 'replace').replace('\\', '/').rpartition('/')[2]
  text = ''.join(letter for letter in text if letter.isprintable())[:MOST_LETTERS].strip()
  return text or f'{LABEL}-{number}'
