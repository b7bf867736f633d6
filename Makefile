# `make demo` and `make test` need only Python 3.11 with venv, make and the package index: each sets itself up once.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check lint types cover docs docs-serve bench bench-detection bench-peers bench-containment train fuzz lock format clean
# mkdocs-material prints an advertisement for its successor on each build.
export NO_MKDOCS_2_WARNING := 1

demo: .venv/.demo
	$(BIN)/interlock demo $(DEMO)

test: .venv/.dev
	$(BIN)/python -m pytest

check: lint types cover docs

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: .venv/.dev
	$(BIN)/mypy

# Coverage follows pytest's workers and the programs that tests start; each writes its own data.
cover: .venv/.dev
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=90 --skip-covered --skip-empty

docs: .venv/.dev
	$(BIN)/python -m docs.generate --check
	$(BIN)/python -m mkdocs build --quiet --strict --site-dir build/site

docs-serve: .venv/.dev
	$(BIN)/python -m mkdocs serve

bench: .venv/.dev
	$(BIN)/python -m bench.gateway $(BENCH)

# With the validation sets: make bench-detection BENCH="--data FOLDER"
bench-detection: .venv/.dev
	$(BIN)/python -m bench.detection $(BENCH)

# The weights of the n-gram models, from the texts in DATA, in an environment of its own. See training/injections/README.md.
train: build/train-env/.done
	OMP_NUM_THREADS=1 build/train-env/bin/python -m training.injections.train --data "$(DATA)" --leave-one-out

# The official MCP conformance suite, directly and through interlock; needs npm, and fetches Node and the suite once.
conformance: .venv/.dev
	$(BIN)/python -m bench.conformance $(CONFORMANCE)

# Envoy and the LiteLLM proxy, to compare with; in an environment of their own.
bench-peers: build/peers/.done

# A scripted, hijacked agent behind interlock: make bench-containment BENCH=--quick
bench-containment: .venv/.dev build/containment-env/.done
	$(BIN)/python -m bench.containment $(BENCH)

# Coverage-guided, in an environment of its own (Linux): make fuzz FUZZ=300 TARGETS="openai-chat-stream http-client"
FUZZ ?= 60
fuzz: build/fuzz-env/.done
	build/fuzz-env/bin/python -m tests.fuzz --seconds $(FUZZ) $(TARGETS)

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m docs.generate

lock: .venv/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" requirements/lock.sh

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

.venv/bin/python:
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"interlock needs Python 3.11 or later; this is {v[0]}.{v[1]}. Set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

build/peers/.done: bench/peers.txt
	$(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip --disable-pip-version-check --quiet install -r bench/peers.txt
	@touch $@

build/train-env/.done: requirements/train.txt pyproject.toml
	$(PYTHON) -m venv build/train-env
	build/train-env/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/train.txt
	build/train-env/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@

build/containment-env/.done: bench/containment/harness/requirements.txt
	$(PYTHON) -m venv build/containment-env
	build/containment-env/bin/python -m pip --disable-pip-version-check --quiet install -r bench/containment/harness/requirements.txt
	@touch $@

build/fuzz-env/.done: requirements/fuzz.txt pyproject.toml
	$(PYTHON) -m venv build/fuzz-env
	build/fuzz-env/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/fuzz.txt
	build/fuzz-env/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@

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
