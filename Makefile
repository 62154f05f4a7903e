# make demo         trains on the bundled sample and writes a labelled page and a report
# make test         runs the fast tests and prints the coverage
# make test-slow    runs the tests that take minutes
# make test-scale   runs the tests on Redis and Spark, and the notebook on them
# make notebooks    runs the other notebooks
# make test-browser opens the HTML pages in Chromium
# make test-backends runs the tests of networks, training and saving on PyTorch and on JAX
# make test-oldest  runs the fast tests with the oldest supported versions
# make docs         builds the documentation into site/; warnings are errors
# make lint         checks style, format and the layers of imports; make types checks the types
# make pictures     takes the pictures of the README again, from the demo's pages
# make sample       writes the bundled sample again; make oldest writes tests/oldest.txt again
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
VENV ?= .venv
BIN = $(VENV)/bin
# What the virtual environment of the checks holds, and a file of constraints on the versions.
EXTRA ?= dev
CONSTRAINTS ?=

.PHONY: demo docs test test-slow test-scale test-browser test-oldest test-backends notebooks engines chromium lint types sample pictures oldest clean

demo: $(VENV)/installed
	$(BIN)/skol-rnn demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov=skol_rnn

# The oldest versions have no wheels for the newest Pythons.
test-oldest:
	$(MAKE) test VENV=.venv-oldest EXTRA=test CONSTRAINTS=tests/oldest.txt PYTHON=python3.11

# Networks, losses, training, resuming, saving and export. BACKENDS chooses the frameworks; TESTS and MARKS a part of the tests.
BACKENDS ?= torch jax
TESTS ?= tests/network tests/training tests/inference/test_saving.py tests/inference/test_serving.py \
  tests/persistence/test_bundle.py tests/cli/test_resume.py tests/test_model.py tests/test_token_model.py
MARKS ?= (backends or not slow) and not redis and not spark and not browser

# JAX compiles each network anew: what one test has compiled, with few optimisations, the others find.
test-backends: $(VENV)/installed-backends
	for backend in $(BACKENDS); do \
	  KERAS_BACKEND=$$backend JAX_DISABLE_MOST_OPTIMIZATIONS=1 JAX_COMPILATION_CACHE_DIR=$(abspath $(VENV))/jax \
	  JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
	  $(BIN)/python -m pytest -n 2 --dist loadfile -m '$(MARKS)' $(TESTS) || exit 1; done

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=12 -m slow

test-scale: $(VENV)/installed-dev engines
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'redis or spark' --nbmake --nbmake-timeout=300 tests notebooks

notebooks: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --nbmake --nbmake-timeout=600 --durations=0 --durations-min=1 notebooks

test-browser: $(VENV)/installed-dev chromium
	$(BIN)/python -m pytest -m browser tests

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

chromium:
	command -v chromium >/dev/null || { apt-get update -q; apt-get install -qy chromium; }

# Debian's packages; elsewhere install a Redis server and Java 17 or newer by hand. Valkey is in Debian 13 and newer: its
# tests are skipped where it is not installed.
engines:
	command -v redis-server >/dev/null || { apt-get update -q; apt-get install -qy redis-server; }
	command -v valkey-server >/dev/null || ! apt-cache show valkey-server >/dev/null 2>&1 || apt-get install -qy valkey-server
	command -v java >/dev/null || { apt-get update -q; apt-get install -qy default-jre-headless; }

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/installed-dev
	$(BIN)/mypy

sample: $(VENV)/installed
	PYTHONPATH=tools $(BIN)/python -m make_sample skol_rnn/datasets/sample

pictures: $(VENV)/installed-dev chromium
	$(BIN)/skol-rnn demo --out build/demo
	$(BIN)/python tools/pictures.py build/demo docs/images

oldest:
	$(PYTHON) tools/oldest_versions.py > tests/oldest.txt

# Debian's Python comes without venv's installer; its package brings it.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); apt-get update -q; apt-get install -qy python3-venv; $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[report]'
	touch $@

$(VENV)/installed-dev: setup.cfg pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet $(addprefix --constraint ,$(CONSTRAINTS)) --editable '.[$(EXTRA)]'
	touch $@ $(VENV)/installed

$(VENV)/installed-backends: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRA),torch,jax]'
	touch $@

clean:
	rm -rf $(VENV) .venv-oldest build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
