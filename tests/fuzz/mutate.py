"""Changes to a file that keep its outer form: bytes alone, JSON, CSV, PNG, zip, gzip, DICOM.

All take and return bytes, and draw from the `random.Random` that they are given, so that a
change can be made again.
"""

import gzip
import hashlib
import io
import json
import random
import struct
import zipfile
import zlib

NUMBERS = (0, -1, 1, 2, 0.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -2**63, 2**64,
           10**30, 10**400, float('nan'), float('inf'), -float('inf'))
TEXTS = ('', ' ', '\0', '\ud800', '\x1b[2J', 'a\nb', 'a' * 300, 'a' * 5000, '../../etc/passwd',
         '/etc/passwd', '\\\\host\\x', '\u202e\u0663', 'é' * 130, '1' * 5000, '#' * 5000,
         '&#' + '1' * 5000 + ';',
         '[' * 3000, '{"a":' * 3000, '[1', '=1+1', 'nan', 'true', '1e999', '-1', '%s%n', '#a #b')
OTHERS = (None, True, False, [], {}, [[]], [None], {'': None}, [0] * 51, ['a', 1, None])
INTERESTING = (0, 1, 0x7f, 0x80, 0xff, 0x20, 0x0a, 0x22, 0x2c, 0x5b, 0x7b)
HUGE = (0, 1, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff)
MOST_BYTES = 1 << 16


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
  """One to eight changes of bytes: flips, numbers at the ends of their range, cuts, copies."""
  content = bytearray(data or b'\0')
  for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
    place, kind = rng.randrange(len(content) or 1), rng.randrange(8)
    length = rng.choice((1, 2, 4, 8, 16, 64, 500))
    if kind == 0:
      content[place:place + 1] = bytes([rng.randrange(256)])
    elif kind == 1:
      content[place:place + 1] = bytes([rng.choice(INTERESTING)])
    elif kind == 2:
      word = rng.choice(('<H', '>H', '<I', '>I', '<q'))
      number = rng.choice(HUGE) if rng.random() < 0.7 else rng.randrange(1 << 16)
      size = struct.calcsize(word)
      content[place:place + size] = (number % (1 << 8 * size)).to_bytes(
          size, 'little' if word[0] == '<' else 'big')
    elif kind == 3:
      del content[place:place + length]
    elif kind == 4:
      content[place:place] = content[rng.randrange(len(content) or 1):][:length]
    elif kind == 5:
      content[place:place] = bytes([rng.randrange(256)]) * length
    elif kind == 6 and len(content) > 1:
      del content[rng.randrange(len(content)):]
    elif content:
      content[min(place, len(content) - 1)] ^= 1 << rng.randrange(8)
  return bytes(content[:MOST_BYTES])


def _hostile(rng):
  return rng.choice(rng.choice((NUMBERS, TEXTS, OTHERS)))


def _change_node(value, rng, depth=0):
  """The same JSON value with one place of it changed."""
  inner = depth < 8 and isinstance(value, (dict, list)) and value
  if not inner or rng.random() < 0.15:
    return _hostile(rng) if rng.random() < 0.8 else [value, value]
  kind = rng.random()
  if isinstance(value, list):
    place = rng.randrange(len(value))
    if kind < 0.1:
      return value[:place] + value[place + 1:]
    if kind < 0.2:
      return value[:place] + [value[place]] * rng.choice((2, 2, 30)) + value[place:]
    return [*value[:place], _change_node(value[place], rng, depth + 1), *value[place + 1:]]
  key = rng.choice(list(value))
  if kind < 0.1:
    return {name: item for name, item in value.items() if name != key}
  if kind < 0.15:
    return {**value, rng.choice(TEXTS): value[key]}
  if kind < 0.2:
    return {**value, key: rng.choice(list(value.values()))}
  return {**value, key: _change_node(value[key], rng, depth + 1)}


def mutate_json(data: bytes, rng: random.Random) -> bytes:
  """A JSON file with a value changed, or its text nested too deep; JSON Lines: one of its lines."""
  lines = [data]
  try:
    value = json.loads(data)
  except (ValueError, RecursionError):
    lines = data.split(b'\n')
  place = rng.randrange(len(lines))
  try:
    value = json.loads(lines[place])
  except (ValueError, RecursionError):
    return mutate_bytes(data, rng)
  for _ in range(rng.choice((1, 1, 2))):
    value = _change_node(value, rng)
  text = json.dumps(value, ensure_ascii=rng.random() < 0.8)
  if rng.random() < 0.03:
    text = text.replace('""', '[' * rng.choice((600, 990, 100_000)), 1)
  lines[place] = text.encode(errors='surrogatepass')
  return b'\n'.join(lines)


def mutate_table(data: bytes, rng: random.Random) -> bytes:
  """A table with a cell changed, a line taken away or twice; of any separator."""
  lines = data.split(b'\n')
  place, kind = rng.randrange(len(lines)), rng.random()
  if kind < 0.1:
    return b'\n'.join(lines[:place] + lines[place + 1:])
  if kind < 0.2:
    return b'\n'.join(lines[:place] + [lines[place]] * rng.choice((2, 40)) + lines[place + 1:])
  separator = max((b',', b';', b'\t'), key=lines[place].count)
  cells = lines[place].split(separator)
  text = str(_hostile(rng)) if rng.random() < 0.7 else rng.choice(('"', '""', ',', '"a\nb"', '\r'))
  cells[rng.randrange(len(cells))] = text.encode(errors='surrogatepass')
  lines[place] = separator.join(cells)
  return b'\n'.join(lines)


def mutate_png(data: bytes, rng: random.Random) -> bytes:
  """A PNG with the content of a chunk changed, and its check sum right again."""
  start, chunks, place = data[:8], [], 8
  while place + 12 <= len(data):
    length = int.from_bytes(data[place:place + 4], 'big')
    chunks.append([data[place + 4:place + 8], data[place + 8:place + 8 + length]])
    place += 12 + length
  if start != b'\x89PNG\r\n\x1a\n' or not chunks:
    return mutate_bytes(data, rng)
  number, kind = rng.randrange(len(chunks)), rng.random()
  if kind < 0.1:
    chunks.insert(number, list(rng.choice(chunks)))
  elif kind < 0.15:
    del chunks[number]
  elif kind < 0.4 and chunks[number][0] == b'IDAT':
    try:
      pixels = zlib.decompressobj().decompress(chunks[number][1], 1 << 20)
    except zlib.error:
      pixels = chunks[number][1]
    chunks[number][1] = zlib.compress(mutate_bytes(pixels, rng))
  else:
    chunks[number][1] = mutate_bytes(chunks[number][1], rng)
  return start + b''.join(
      len(content).to_bytes(4, 'big') + name + content
      + zlib.crc32(name + content).to_bytes(4, 'big') for name, content in chunks)


def mutate_gzip(data: bytes, rng: random.Random) -> bytes:
  """A packed file with its content changed; one that is not packed is changed as it is."""
  if not data.startswith(b'\x1f\x8b') or rng.random() < 0.2:
    return mutate_bytes(data, rng)
  try:
    content = zlib.decompressobj(31).decompress(data, 1 << 20)
  except zlib.error:
    return mutate_bytes(data, rng)
  return gzip.compress(mutate_bytes(content, rng), 1, mtime=0)


def mutate_zip(data: bytes, rng: random.Random) -> bytes:
  """A zip file with a member's content or name changed."""
  try:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
      members = {name: archive.read(name) for name in archive.namelist()[:20]
                 if archive.getinfo(name).file_size < 1 << 20}
  except Exception:  # of a broken one, zipfile raises a dozen kinds
    return mutate_bytes(data, rng)
  if not members or rng.random() < 0.2:
    return mutate_bytes(data, rng)
  name, written = rng.choice(list(members)), io.BytesIO()
  with zipfile.ZipFile(written, 'w', rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
                       ) as archive:
    for other, content in members.items():
      changed = other == name
      if changed and rng.random() < 0.1:
        other = rng.choice(('../x.npy', '/x/y.npy', 'a/b/vars/0.npy', 'conv2d_3/kernel.npy', 'x'))
      archive.writestr(other, mutate_bytes(content, rng) if changed else content)
  return written.getvalue()


def mutate_safetensors(data: bytes, rng: random.Random) -> bytes:
  """A safetensors file with its header changed as JSON, and the header's length right again."""
  length = int.from_bytes(data[:8], 'little')
  if not 0 < length <= len(data) - 8 or rng.random() < 0.2:
    return mutate_bytes(data, rng)
  header = mutate_json(data[8:8 + length], rng)
  return len(header).to_bytes(8, 'little') + header + data[8 + length:]


def mutate_sealed(data: bytes, rng: random.Random) -> bytes:
  """A manifest with a value changed and its seal right again, which is no secret."""
  try:
    manifest = json.loads(mutate_json(data, rng))
    fields = {key: value for key, value in manifest.items() if key != 'seal'}
    text = json.dumps(fields, sort_keys=True, separators=(',', ':'))
    seal = hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
    return json.dumps({**fields, 'seal': seal}).encode()
  except (ValueError, AttributeError, TypeError, RecursionError):
    return mutate_json(data, rng)
