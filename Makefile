# Everything runs in .venv, which is made on first use and remade when the project's requirements change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help ablation test test-all lint benchmark clean

help:  ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

ablation: $(READY)  ## set up, then run the ablation grid (ARGS="--scale .1" and the like)
	$(BIN)/python experiments/ablation_grid.py $(ARGS)

lint: $(READY)  ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## set up, lint, and run the fast tests
	$(BIN)/pytest

test-all: lint  ## the slow tests as well
	$(BIN)/pytest -m ""

benchmark: $(READY)  ## measure, each ratio within one run
	set -e; for file in $$(grep -l __main__ benchmarks/*.py); do echo "== $$file"; $(BIN)/python $$file; done

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
