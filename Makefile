# make run    an environment in .venv, and the main job on drawn pictures
# make test   the fast tests;  make test-all  the slow ones too;  make lint
# make faults every fault of tests/faults done to the main command
# make walks  every command of docs/walks, in order
# make readme every command of the README and of docs, in its small form
# make tree   writes the README's list of files, from their docstrings
#
# PYTHON=python3.13       the interpreter that makes the environment
# ACCELERATOR=cuda13|tpu  the JAX build (cpu by default)
# CONFIG=configs/...      what `make run` trains
# CONSTRAINTS=/dev/null   newest versions instead of the measured set
# PYTEST=...              options of pytest: two files of tests at a time by default
# FAULTS=...              options of tests.faults, such as --short or names
# README=...              options of tests.readme_commands, such as --only=predict

PYTHON ?= python3
ACCELERATOR ?= cpu
CONFIG ?= configs/tagger.py:demo
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
PYTEST ?= -n 2 --dist loadfile
FAULTS ?=
README ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/installed-$(ACCELERATOR)
TEST_STAMP := $(VENV)/installed-$(ACCELERATOR)-test

.PHONY: run install test test-all faults walks readme tree lint clean

run: $(STAMP)
	$(BIN)/python main.py --config=$(CONFIG)

install: $(STAMP)

test: $(TEST_STAMP)
	$(BIN)/python -m pytest $(PYTEST) -m "not slow"

test-all: $(TEST_STAMP)
	$(BIN)/python -m pytest $(PYTEST)

faults: $(TEST_STAMP)
	$(BIN)/python -m tests.faults $(FAULTS)

walks: $(TEST_STAMP)
	$(BIN)/python -m tests.walk

readme: $(TEST_STAMP)
	$(BIN)/python -m tests.readme_commands $(README)

tree: $(TEST_STAMP)
	$(BIN)/python -m tests.readme.tree

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/vulture

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Oko needs Python 3.11 or newer; $(PYTHON) is older: make PYTHON=python3.13 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python setup.py constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[$(ACCELERATOR)]" -c $(CONSTRAINTS)
	@touch $@

$(TEST_STAMP): $(STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[$(ACCELERATOR),test]" -c $(CONSTRAINTS)
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
