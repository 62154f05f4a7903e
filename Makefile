# make demo   trains on the bundled sample and prints the table of scores
# make test   runs the tests; make test-slow those that take minutes; make test-scale those on Redis and Spark; make lint, make types
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-slow test-scale engines lint types sample clean

demo: $(VENV)/installed
	$(BIN)/skol-rnn demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow

test-scale: $(VENV)/installed-dev engines
	$(BIN)/python -m pytest -m 'redis or spark' tests

# Debian's packages; elsewhere install a Redis server and Java 17 or newer by hand.
engines:
	command -v redis-server >/dev/null || { apt-get update -q; apt-get install -qy redis-server; }
	command -v java >/dev/null || { apt-get update -q; apt-get install -qy default-jre-headless; }

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

sample: $(VENV)/installed
	PYTHONPATH=tools $(BIN)/python -m make_sample skol_rnn/datasets/sample

# Debian's Python comes without venv's installer; its package brings it.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); apt-get update -q; apt-get install -qy python3-venv; $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
