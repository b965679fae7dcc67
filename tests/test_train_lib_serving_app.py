"""The addresses of a served net: what is answered, what is refused, and with which status."""

import json
import re

import pytest

from tests.served import HOST, Client, SizeView, make_app, picture
from train_lib.serving import app as serving_app

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
HTML = b'<!doctype html><script>alert(1)</script>'


def make_client(view=None, **options):
  return Client(make_app(view, **options))


@pytest.fixture
def client():
  return make_client()


def post(client, *contents, names=None, **options):
  names = names or [f'{place}.png' for place in range(len(contents))]
  return client.post('/api/predict', files=[
      ('picture', (name, content)) for name, content in zip(names, contents, strict=True)],
      **options)


def error_of(response, status):
  assert response.status_code == status, response.text
  assert response.headers['content-type'] == 'application/json'
  error = response.json()['error']
  assert error and '\n' not in error
  return error


def test_pictures_of_a_form_are_answered_in_their_order(client):
  answer = post(client, picture(6, 4), picture(3, 9), names=['a.png', 'ünd b.png'])
  assert answer.status_code == 200
  assert answer.json() == {'pictures': [{'path': 'a.png', 'size_px': [6, 4]},
                                        {'path': 'ünd b.png', 'size_px': [3, 9]}]}


@pytest.mark.parametrize('kind', ['image/jpeg', 'application/octet-stream', None])
def test_the_bytes_of_one_picture_are_taken_as_they_are(client, kind):
  answer = client.post('/api/predict', content=picture(), headers={'content-type': kind} if kind
                       else {})
  assert answer.json()['pictures'][0]['size_px'] == [6, 4]


def test_one_broken_picture_does_not_spoil_the_others(client):
  answer = post(client, picture(), b'junk', picture()).json()
  assert [sorted(row) for row in answer['pictures']] == [
      ['path', 'size_px'], ['error', 'path'], ['path', 'size_px']]


@pytest.mark.parametrize('content, reason', [
    (SVG, 'no JPEG'), (HTML, 'no JPEG'), (b'\x89PNG\r\n\x1a\n', 'broken'),
    (picture()[:40], 'broken'), (picture(2_000, 2_000), 'more than max_pixels')])
def test_what_is_no_picture_is_refused_with_a_sentence(client, content, reason):
  answer = post(client, content, names=['x.svg'])
  assert reason in error_of(answer, 422)
  assert b'<script' not in answer.content and b'onload' not in answer.content


@pytest.mark.parametrize('name, label', [
    ('../../etc/passwd', 'passwd'), ('..\\..\\boot.ini', 'boot.ini'), ('/etc/', 'picture-1'),
    ('a\x1b[31m.png', 'a[31m.png'), ('<b>.png', '<b>.png'), ('x' * 999, 'x' * 200)])
def test_names_are_labels_and_nothing_else(client, name, label):
  answer = post(client, picture(), names=[name])
  assert answer.json()['pictures'][0]['path'] == label
  assert answer.headers['x-content-type-options'] == 'nosniff'


def test_no_picture_is_told(client):
  assert 'holds no picture' in error_of(client.post('/api/predict', content=b''), 422)
  form = {'content-type': 'multipart/form-data; boundary=b'}
  assert 'no picture' in error_of(
      client.post('/api/predict', content=b'--b--\r\n', headers=form), 422)
  assert 'empty' in error_of(post(client, b''), 422)


@pytest.mark.parametrize('body', [
    b'', b'--b\r\n', b'--b\r\nContent-Disposition: form-data; name="picture"\r\n\r\nabc',
    b'no form at all', b'--c\r\n\r\n--c--'])
def test_a_broken_form_is_told(client, body):
  answer = client.post('/api/predict', content=body,
                       headers={'content-type': 'multipart/form-data; boundary=b'})
  assert 'form is broken' in error_of(answer, 400)


@pytest.mark.parametrize('boundary', ['', '; boundary=', '; boundary=' + 'b' * 5_000])
def test_a_form_without_a_boundary_that_makes_sense_is_told(client, boundary):
  answer = client.post('/api/predict', content=b'--b--',
                       headers={'content-type': f'multipart/form-data{boundary}'})
  assert 'form is broken' in error_of(answer, 400)


def test_fields_of_other_names_are_told(client):
  answer = client.post('/api/predict', files={'file': ('a.png', picture())})
  assert "not called 'picture'" in error_of(answer, 422)


@pytest.mark.parametrize('method, path, known', [
    ('POST', '/api/predict', "'least', 'most'"), ('POST', '/api/echo', 'none'),
    ('POST', '/api/double', 'none'), ('GET', '/thumbnails/1', 'none')])
def test_options_of_other_names_are_told_with_those_that_are_known(client, method, path, known):
  body = {'json': {'one': 4}} if 'double' in path else {'content': picture()}
  answer = client.request(method, f'{path}?treshold=0.5', **body)
  assert error_of(answer, 422) == (
      f"this address knows no option 'treshold'; it knows {known}")
  assert client.request(method, path, **body).status_code == 200
  long = error_of(client.request(method, f'{path}?{"x" * 999}%0a=1', **body), 422)
  assert 'x' * 40 in long and len(long) < 120
  if 'least' in known:
    assert client.request(method, f'{path}?least=1&most=2', **body).status_code == 200
    assert 'third' in error_of(client.request(method, f'{path}?least=1&third=', **body), 422)


@pytest.mark.parametrize('kind', ['application/json', 'text/html', 'text/plain'])
def test_other_kinds_of_content_are_refused(client, kind):
  answer = client.post('/api/predict', content=picture(), headers={'content-type': kind})
  assert 'multipart/form-data' in error_of(answer, 415)


def test_a_picture_is_taken_though_curl_calls_it_a_urlencoded_form(client):
  kind = {'content-type': 'application/x-www-form-urlencoded'}
  taken = client.post('/api/predict', content=picture(), headers=kind)
  assert taken.json() == client.post('/api/predict', content=picture()).json()
  assert taken.status_code == 200 and len(taken.json()['pictures']) == 1
  for body in (b'a=1&b=2', b'picture=%FF%D8%FF', SVG, HTML, b''):
    answer = client.post('/api/predict', content=body, headers=kind)
    assert 'multipart/form-data' in error_of(answer, 415)
  small = make_client(most_bytes=len(picture()) - 1)
  assert 'larger than' in error_of(
      small.post('/api/predict', content=picture(), headers=kind), 413)
  other = {**kind, 'origin': 'https://evil.example'}
  assert client.post('/api/predict', content=picture(), headers=other).status_code == 403


def test_more_pictures_than_allowed_are_refused(client):
  assert 'at most 32' in error_of(post(client, *[picture()] * 33), 413)
  assert post(client, *[picture()] * 32).status_code == 200


def test_more_bytes_than_allowed_are_refused():
  client = make_client(most_bytes=10_000)
  assert 'larger than' in error_of(post(client, bytes(10_001)), 413)
  assert 'no JPEG' in error_of(client.post('/api/predict', content=b'x' * 10_000), 422)


@pytest.mark.parametrize('host', ['evil.example', 'evil.example:8000', '127.0.0.1.evil.example',
                                  'localhost.evil.example', '', '[::1', '192.168.1.7:8000'])
def test_other_names_of_this_machine_are_refused(client, host):
  for answer in (client.get('/', headers={'host': host}), client.get('/api/model', headers={
      'host': host}), post(client, picture(), headers={'host': host})):
    assert '127.0.0.1' in error_of(answer, 403)


@pytest.mark.parametrize('host', ['localhost', 'localhost:9', '127.0.0.1', 'LOCALHOST:8000',
                                  '[::1]:8000'])
def test_loopback_names_are_answered_whatever_the_port(client, host):
  assert client.get('/health', headers={'host': host}).status_code == 200


def test_another_loopback_address_answers_under_its_own_name_too():
  client = make_client(host='127.0.0.9')
  for host, status in (('127.0.0.9:8000', 200), ('localhost', 200), ('127.0.0.8', 403)):
    assert client.get('/health', headers={'host': host}).status_code == status


def test_a_host_that_was_chosen_answers_under_every_name():
  client = make_client(host='0.0.0.0')
  answer = client.get('/api/model', headers={'host': 'gpu-box.lan:8000'})
  assert answer.status_code == 200 and answer.json()['local'] is False
  assert make_client().get('/api/model').json()['local'] is True


@pytest.mark.parametrize('headers', [
    {'origin': 'http://evil.example'}, {'origin': 'null'}, {'origin': 'http://localhost:8000'},
    {'origin': f'http://{HOST}:9000'}, {'origin': f'file://{HOST}:8000'},
    {'sec-fetch-site': 'cross-site'}, {'sec-fetch-site': 'same-site'}])
def test_pages_of_other_addresses_may_send_nothing(client, headers):
  view = SizeView()
  client = make_client(view)
  assert 'another address' in error_of(post(client, picture(), headers=headers), 403)
  assert view.asked == []


@pytest.mark.parametrize('headers', [
    {}, {'origin': f'http://{HOST}:8000', 'sec-fetch-site': 'same-origin'},
    {'origin': f'https://{HOST}:8000'}])
def test_the_own_page_and_programs_may_send(client, headers):
  assert post(client, picture(), headers=headers).status_code == 200


@pytest.mark.parametrize('path', [
    '/nothing', '/app.py', '/../app.py', '/%2e%2e/app.py', '/..%2f..%2fmain.py', '//etc/passwd',
    '/page/index.html', '/thumbnails/../../x', '/thumbnails/%2e%2e%2fa', '/thumbnails/-1',
    '/thumbnails/1.5', '/thumbnails/9', '/thumbnails/' + '9' * 40, '/thumbnails/²', '/api/'])
def test_nothing_but_the_page_is_served(client, path):
  assert error_of(client.get(path), 404)


def test_every_file_of_the_page_is_served_as_what_it_is(client):
  for path in serving_app.PAGE.iterdir():
    answer = client.get(f'/{path.name}')
    assert answer.status_code == 200 and answer.content == path.read_bytes()
    assert answer.headers['content-type'] == serving_app.KINDS[path.suffix]
  assert client.get('/').content == client.get('/index.html').content
  assert '<title>' in client.get('/api').text


def test_the_script_of_the_api_page_finds_the_address_in_its_examples(client):
  page, script = client.get('/api').text, client.get('/api.js').text
  assert '<script type="module" src="/api.js"></script>' in page
  written, = re.findall(r"WRITTEN = '(.*)'", script)
  examples = ' '.join(re.findall(r'(?s)<pre>.*?</pre>', page))
  assert examples.count('//') == examples.count(f'{written}/') == 3


@pytest.mark.parametrize('method, path', [
    ('GET', '/api/predict'), ('POST', '/'), ('POST', '/api/model'), ('DELETE', '/thumbnails/1'),
    ('PUT', '/health'), ('OPTIONS', '/api/predict'), ('TRACE', '/')])
def test_other_methods_are_told(client, method, path):
  assert 'method' in error_of(client.request(method, path), 405)


def test_every_answer_forbids_what_the_page_does_not_need(client):
  answers = [client.get('/'), client.get('/nothing'), client.get('/thumbnails/1'),
             post(client, b'junk'), client.get('/', headers={'host': 'evil.example'}),
             client.post('/api/double', json={})]
  assert [answer.status_code for answer in answers] == [200, 404, 200, 422, 403, 500]
  for answer in answers:
    policy = answer.headers['content-security-policy']
    assert "default-src 'none'" in policy and 'unsafe' not in policy
    assert answer.headers['x-content-type-options'] == 'nosniff'
    assert answer.headers['cross-origin-resource-policy'] == 'same-origin'
    assert 'access-control-allow-origin' not in answer.headers


def test_the_model_is_described_in_strict_json(client):
  told = json.loads(client.get('/api/model').text, parse_constant=pytest.fail)
  assert told == {'title': 'run', 'task': 'sizes', 'names': ['width', 'height'], 'worst': None,
                  'local': True, 'limits': {'max_upload_mb': 1.0, 'most_pictures': 32}}
  assert client.get('/health').json() == {'status': 'ok', 'waiting': 0}


def test_calls_of_a_view_take_json_and_give_pictures(client):
  assert client.post('/api/double', json={'one': 4}).json() == {'two': 8}
  answer = client.get('/thumbnails/1')
  assert answer.headers['content-type'] == 'image/png' and answer.content == picture()
  assert 'application/json' in error_of(client.post('/api/double', content=b'{}'), 415)
  headers = {'content-type': 'application/json'}
  for body in (b'', b'[1]', b'{', b'[' * 100_000, b'\xff'):
    assert 'no JSON object' in error_of(
        client.post('/api/double', content=body, headers=headers), 400)


def test_what_is_sent_comes_back_as_no_active_content(client):
  """Even a view that gave back what it was sent would give a picture."""
  answer = client.post('/api/echo', files={'picture': ('x.html', HTML)})
  assert answer.headers['content-type'] == 'image/jpeg'


def test_a_failure_here_is_told_without_what_failed():
  class Broken(SizeView):
    def answer(self, uploads, options):
      raise RuntimeError('/home/somebody/secret')

  client = make_client(Broken())
  answer = post(client, picture())
  assert 'terminal' in error_of(answer, 500) and 'secret' not in answer.text


def test_the_page_needs_nothing_from_elsewhere():
  for path in serving_app.PAGE.iterdir():
    text = path.read_text()
    others = re.findall(r'(?:https?:)?//[\w.-]+', re.sub(r'(?m)^\s*//.*|\s//\s.*', '', text))
    assert set(others) <= {'http://127.0.0.1', 'http://www.w3.org'}, path.name
    assert not re.search(r'\son\w+=|<style|javascript:|style="|<script>|innerHTML|eval\(', text)
    assert len(text.splitlines()) <= 300
