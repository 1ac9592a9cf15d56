# Every command sets up what it needs in .venv on first use, and again when the pins change.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Python 3.11 is tested with PyMC 5 and ArviZ 0.23, newer ones with PyMC 6 and ArviZ 1.
MINOR := $(shell $(PYTHON) -c 'import sys; print(sys.version_info.minor)' 2>/dev/null)
CONSTRAINTS := constraints/$(if $(filter 11,$(MINOR)),python3.11,python3.13).txt
TORCH := $(shell grep -m1 '^torch==' $(CONSTRAINTS))

# What `make test` and the like need beside the runtime.
EXTRAS ?= test,lint,docs,notebook

# One pip call each, torch pinned in the same call, so that nothing is resolved twice.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) $(TORCH)
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development

# Small matrices: the tests run in two processes, each of which is faster on one thread.
WORKERS ?= 2
# Numba looks at a function's own file only to tell whether what it kept is stale, not at what the
# function calls: a folder for every state of the sources.
SOURCES := $(wildcard bayescape/kernels/*.py bayescape/targets/*.py)
FRESH := NUMBA_CACHE_DIR=$(CURDIR)/.numba/$(firstword $(shell cat $(SOURCES) | cksum))
PYTEST := $(FRESH) OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python -m pytest -n $(WORKERS)

.PHONY: demo test test-next test-slow lint types bench docs notebook picture wheel clean help

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

demo: $(RUNTIME)  ## The whole way on the bundled data: demo-report/report.html
	@$(BIN)/bayescape demo --out demo-report

test: $(DEVELOPMENT)  ## The whole test suite, without the tests marked slow
	$(PYTEST) -m "not slow" $(ARGS)

# A shim of pyenv's is on the path also where its interpreter is not chosen, and answers nothing.
NEXT ?= $(shell for python in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python3.13; do \
	"$$python" -c "" 2>/dev/null && echo "$$python" && break; done)

test-next:  ## The same on Python 3.13, with PyMC 6 and ArviZ 1, if there is that interpreter
	@if [ -n "$(NEXT)" ]; then $(MAKE) test PYTHON="$(NEXT)" VENV=.venv-next EXTRAS=test; \
	else echo "SKIPPED test-next: no Python 3.13 was found; set NEXT to one"; fi

test-slow: $(DEVELOPMENT)  ## The tests marked slow
	$(PYTEST) -m slow $(ARGS)

lint: $(DEVELOPMENT) types  ## Rules, format, stripped notebooks and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify notebooks/*.ipynb

types: $(DEVELOPMENT)  ## mypy over the package
	$(BIN)/python -m mypy

bench: $(DEVELOPMENT)  ## The benchmarks, one after another
	@set -e; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(FRESH) $(BIN)/python $$script; done

docs: $(DEVELOPMENT)  ## The site, in docs/_build/html; its examples run, warnings are errors
	$(BIN)/python -m sphinx -b html -W --keep-going -n docs docs/_build/html

notebook: $(DEVELOPMENT)  ## Execute the notebooks
	OMP_NUM_THREADS=1 MPLBACKEND=Agg $(BIN)/python tools/run_notebooks.py notebooks

picture: $(RUNTIME)  ## Draw the picture of the README again
	$(BIN)/python tools/draw_readme_picture.py docs/_static/nile.png

wheel: $(DEVELOPMENT)  ## Build the wheel and check what is in it
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(BIN)/python tools/check_wheel.py dist/*.whl

clean:  ## Remove everything that make made
	rm -rf $(VENV) .venv-next build dist demo-report docs/_build docs/generated docs/jupyter_execute
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .numba benchmarks/results

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) was not found: set PYTHON to a Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, got $$($(PYTHON) -V): set PYTHON"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# An upgrade of the runtime keeps the extras' packages, so only the stamp asked for is rebuilt.
$(RUNTIME): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Setting up $(VENV) (the first time takes a few minutes)"
	$(PIP) -e .
	@touch $@

$(DEVELOPMENT): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Setting up $(VENV) for development (the first time takes a few minutes)"
	$(PIP) -e ".[$(EXTRAS)]"
	@touch $@ $(RUNTIME)
