# Needs git, make and Python 3.11 or newer (with venv and pip). Every target makes .venv itself.

candidates := python3.11 python3 python3.12 python3.13 python3.14
usable = $(1) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for p in $(candidates); do $(call usable,$$p) && echo $$p && break; done)
BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo runbook gemm test prove lint types imports docs bench mutants format clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "make %-8s %s\n", $$1, $$2}'

demo: .venv/.installed ## promote a batch of examples/harbour, in a temporary copy
	$(BIN)/python examples/demo.py

runbook: .venv/.installed-test ## run every phase of a runbook over examples/quay, in a temporary copy
	$(BIN)/python examples/runbook.py

gemm: .venv/.installed-gemm ## replay a small week of examples/gemm, in a temporary copy
	$(BIN)/python examples/week.py

# Tests of one module stay together where they can, so that what they share is made once.
test: .venv/.installed-test ## the whole test-suite
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST)

prove: .venv/.installed-all ## show that every gate can fail by each of its rules
	$(BIN)/pytest --cockpit-prove

lint: .venv/.installed-lint ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-lint .venv/.installed-test ## mypy --strict
	$(BIN)/mypy

imports: .venv/.installed-lint ## the arrows between the rooms
	$(BIN)/lint-imports

docs: .venv/.installed-docs ## build the documentation; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/.installed-test .venv/.installed-bench ## the benchmarks
	$(BIN)/pytest benchmarks $(PYTEST)

mutants: .venv/.installed-test .venv/.installed-mutation ## change the rule engines, and see the tests notice
	$(BIN)/python tests/mutation/run.py $(ENGINE)

format: .venv/.installed-lint ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what the targets made
	rm -rf .venv .tox build dist site

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv and pip found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@ .venv/.installed
