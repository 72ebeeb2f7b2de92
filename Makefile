# make demo    sets everything up and runs the main job
# make test    sets everything up and passes the tests
# make help    lists the rest

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := $(VENV)/.peers-ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-peers fuzz lint format notebooks bench tellings certify clean

help:
	@echo "make demo        set up, then train, grade and write the report (at most three minutes)"
	@echo "make test        set up, then run the test suite with coverage"
	@echo "make test-peers  the same numbers as PyTorch (installs its CPU build; about 200 MB)"
	@echo "make fuzz        random calls of the compiled kernels in a build that checks every access"
	@echo "make lint        ruff and mypy"
	@echo "make format      ruff, writing its changes"
	@echo "make notebooks   rebuild and execute the lessons in notebooks/"
	@echo "make bench       every operation beside PyTorch and NumPy (minutes); writes benchmarks/"
	@echo "make tellings    the three tellings of every kernel against each other"
	@echo "make certify     prove that every assignment catches every known mistake"
	@echo "make clean       remove what the above built"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "setup: expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1); try make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "setup: expected Python's venv module, got none; on Debian and Ubuntu: apt-get install python3-venv"; exit 2; }

# Everything is installed once; again only when what is built or depended upon has changed.
$(READY): pyproject.toml setup.py $(wildcard minidl/tape*.p* kernels/*.pyx kernels/*.h kernels/simd/*) \
  | $(BIN)/python
	@echo "setting up in $(VENV) (a few minutes, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@$(BIN)/python -m minidl.cli doctor --brief
	@touch $@

# By its name minidl is there already, and nothing is compiled again.
$(PEERS): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'minidl[peers]'
	@touch $@

setup: $(READY)

demo: $(READY)
	@$(BIN)/minidl demo

# First the tape as its readable source, then everything with the compiled one, a file of tests at a
# time in each of two processes.
test: $(READY)
	MINIDL_TAPE=python $(BIN)/python -m pytest --quiet --cov --cov-report= tests/test_autograd.py \
	  tests/test_tensor.py tests/test_module.py tests/test_operations.py
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	  -m "not peers" --cov --cov-append --cov-report=term --cov-fail-under=90

test-peers: $(PEERS)
	$(BIN)/python -m pytest -m peers

fuzz: $(READY)
	@$(BIN)/python tests/fuzz/run.py $(if $(SEED),--seed $(SEED))

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

notebooks: $(READY)
	$(BIN)/minidl notebooks

# make bench BENCH="--quick --only conv"
bench: $(PEERS)
	$(BIN)/minidl bench $(BENCH)

tellings: $(READY)
	$(BIN)/python benchmarks/kernels.py

certify: $(READY)
	$(BIN)/minidl certify

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -f kernels/*_cython.c kernels/*.so minidl/*.so
