# `make demo` and `make test` need only Python 3.11 with venv, make and the package index: each sets itself up once.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check lint types docs docs-serve bench lock format clean

demo: .venv/.demo
	$(BIN)/interlock demo $(DEMO)

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev lint types
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 0
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=90 --skip-covered --skip-empty
	$(MAKE) docs

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: .venv/.dev
	$(BIN)/mypy

docs: .venv/.dev
	$(BIN)/python -m interlock.cli docs --check
	$(BIN)/mkdocs build --quiet --strict --site-dir build/site

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" requirements/lock.sh

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

.venv/bin/python:
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"interlock needs Python 3.11 or later; this is {v[0]}.{v[1]}. Set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

# A stamp is made only when its step has wholly succeeded, so that a broken set-up is done again.
.venv/.demo: requirements/demo.txt pyproject.toml | .venv/bin/python
	@echo "setting up .venv (once)"
	$(PIP) install --require-hashes -r requirements/demo.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements/dev.txt pyproject.toml | .venv/bin/python
	@echo "setting up .venv for development (once)"
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
