"""What a person sees while a run goes on."""

import shlex

import pytest

from train_lib.reporting import say, spelt_command


@pytest.mark.parametrize('word, spelt', [
    ('--job=study', '--job=study'),
    ("--config.study.rows=(('Adam', ('optimizer.name', 'adam')),)",
     """--config.study.rows="(('Adam', ('optimizer.name', 'adam')),)\""""),
    ('--config.benchmark.batch_sizes=(8, 32)', "--config.benchmark.batch_sizes='(8, 32)'"),
    ("it's", '"it\'s"'), ('--name=', '--name='), ('', "''"), ('main.py', 'main.py'),
    ('a b', "'a b'"), ("it's $5", shlex.quote("it's $5")), ('--a b=c', "'--a b=c'"),
    ('--path=`x`\'', "--path=" + shlex.quote("`x`'"))])
def test_a_command_is_spelt_as_a_shell_reads_it_back(word, spelt):
  assert spelt_command(['python', word]) == f'python {spelt}'
  assert shlex.split(spelt_command(['python', word])) == ['python', word]


def test_names_that_a_terminal_would_obey_or_not_know_are_escapes(capsys):
  say('a\udce9\x1b[2J.jpg, b\u00e9.jpg\nnext\tline')
  assert capsys.readouterr().out == 'a\\udce9\\x1b[2J.jpg, b\u00e9.jpg\nnext\tline\n'
