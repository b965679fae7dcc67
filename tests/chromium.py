"""A browser without a window, driven through a pipe by its own protocol; or one page, dumped."""

import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
import time

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
PATH = next(filter(None, map(shutil.which, NAMES)), '')
FIRST_FREE = 10                   # of the numbers of files; it reads from 3 and writes to 4
FLAGS = ('--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', '--no-first-run',
         '--disable-dev-shm-usage', '--disable-background-networking')


def dump(path, *flags) -> str:
  """The document that a page has become by its scripts. Args: path: of the HTML file."""
  profile = path.with_name('browser')
  done = subprocess.run(
      [PATH, '--headless=new', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=3000',
       *flags, f'--user-data-dir={profile}', '--dump-dom', path.as_uri()],
      capture_output=True, text=True, timeout=60, check=True)
  shutil.rmtree(profile, ignore_errors=True)
  return done.stdout


class Browser:
  """One page. Args: folder: of its profile.

  Attributes:
    complaints: what the page has logged as an error, and what it threw.
  """

  def __init__(self, folder):
    (to_read, self._write), (self._read, to_write) = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, FIRST_FREE) for end in (to_read, to_write)]
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (1, 2)]
    self._process = os.posix_spawn(
        PATH, [PATH, *FLAGS, f'--user-data-dir={folder}', 'about:blank'], os.environ,
        file_actions=[*silent, *((os.POSIX_SPAWN_DUP2, end, place)
                                 for end, place in zip(ends, (3, 4), strict=True))])
    for end in (to_read, to_write, *ends):
      os.close(end)
    self._numbers, self._rest, self._session, self.complaints = itertools.count(1), b'', None, []
    target = self.call('Target.createTarget', url='about:blank')['targetId']
    self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
    for domain in ('Page', 'Runtime', 'Log', 'DOM'):
      self.call(f'{domain}.enable')

  def call(self, method, **params):
    """What a method of the protocol gives."""
    number = next(self._numbers)
    message = {'id': number, 'method': method, 'params': params}
    if self._session:
      message['sessionId'] = self._session
    os.write(self._write, json.dumps(message).encode() + b'\0')
    while True:
      message = self._next_message()
      if message.get('id') == number:
        assert 'error' not in message, message
        return message['result']
      self._note(message)

  def _next_message(self):
    while b'\0' not in self._rest:
      chunk = os.read(self._read, 2 ** 16)
      assert chunk, 'the browser has ended'
      self._rest += chunk
    message, _, self._rest = self._rest.partition(b'\0')
    return json.loads(message)

  def _note(self, message):
    params = message.get('params', {})
    if message.get('method') == 'Runtime.exceptionThrown':
      self.complaints.append(params['exceptionDetails'].get('text'))
    elif message.get('method') == 'Log.entryAdded' and params['entry']['level'] == 'error':
      self.complaints.append(params['entry']['text'])

  def ask(self, script):
    """The value of an expression in the page."""
    result = self.call('Runtime.evaluate', expression=script, returnByValue=True,
                       awaitPromise=True)
    assert 'exceptionDetails' not in result, result
    return result['result'].get('value')

  def until(self, script, seconds=20.0):
    """Waits for an expression to be true; gives its value."""
    end = time.monotonic() + seconds
    while not (value := self.ask(script)):
      assert time.monotonic() < end, f'not true in time: {script}'
      time.sleep(0.05)
    return value

  def open(self, address, width_px=1280, dark=False):
    """Goes to a page, and waits for its scripts."""
    self.call('Emulation.setDeviceMetricsOverride', width=width_px, height=900,
              deviceScaleFactor=1, mobile=width_px < 500)
    self.call('Emulation.setEmulatedMedia', features=[
        {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
    self.call('Page.navigate', url=address)
    self.until("document.readyState == 'complete'")

  def give_files(self, selector, paths):
    """As if a person had chosen them."""
    root = self.call('DOM.getDocument')['root']['nodeId']
    node = self.call('DOM.querySelector', nodeId=root, selector=selector)['nodeId']
    self.call('DOM.setFileInputFiles', nodeId=node, files=[str(path) for path in paths])

  def press(self, key):
    """A key of the keyboard."""
    codes = {'ArrowLeft': 37, 'ArrowRight': 39, 'Delete': 46, 'Tab': 9}
    for kind in ('keyDown', 'keyUp'):
      self.call('Input.dispatchKeyEvent', type=kind, key=key, code=key,
                windowsVirtualKeyCode=codes[key])

  def close(self):
    os.kill(self._process, signal.SIGTERM)
    os.waitpid(self._process, 0)
    os.close(self._write)
    os.close(self._read)
