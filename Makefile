# Everything runs in .venv, which is made on first use and remade when the project's requirements change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help ablation tuned departures test test-all lint benchmark clean

help:  ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

ablation: $(READY)  ## set up, then run the ablation grid (ARGS="--scale .1" and the like)
	$(BIN)/python experiments/ablation_grid.py $(ARGS)

# MELD's CSVs to a tuned encoder, and on its features Tables 3 and 1; each step resumes. See docs/finetuning.md.
ENCODER ?= FacebookAI/roberta-large
INPUT ?= both
TUNED ?= runs/tuned
MELD_TEXT = --meld $(MELD) --emobank $(EMOBANK) --storage $(TUNED) \
	--text-encoder $(TUNED)/encoders/meld/$(INPUT)/seed-0 $(ARGS)
tuned: $(READY)  ## tune a text encoder on MELD, then Tables 3 and 1 (MELD=DIR EMOBANK=FILE)
	$(BIN)/python experiments/import_corpus.py --meld $(MELD) --output $(TUNED)/meld
	$(BIN)/python experiments/finetune_text.py --corpus $(TUNED)/meld --storage $(TUNED) --encoder $(ENCODER) \
	    --input $(INPUT) $(TUNE)
	$(BIN)/python experiments/meld_text_ablation.py $(MELD_TEXT)
	$(BIN)/python experiments/main_results.py $(MELD_TEXT)

# Released code of five systems against their papers, each system against itself; each step resumes. See docs/systems.md.
DEPARTURES ?= runs/departures
STUDIES = experiments/studies/departures
SYNTHETIC = experiments/ablation_grid.py --corpus synthetic-meld --storage $(DEPARTURES) $(ARGS)
FROZEN = experiments/meld_text_ablation.py --meld $(MELD) --emobank $(EMOBANK) --storage $(DEPARTURES) $(ARGS)
FROM_TEXT = experiments/finetune_text.py --corpus $(DEPARTURES)/meld --encoder $(ENCODER) --storage $(DEPARTURES) $(TUNE)
departures: $(READY)  ## what each departure of released code from its paper is worth (MELD=DIR EMOBANK=FILE)
	$(BIN)/python $(SYNTHETIC) --study-file $(STUDIES)/sdt.py --study sdt
	$(BIN)/python $(SYNTHETIC) --study-file $(STUDIES)/ckcl.py --study ckcl
	$(BIN)/python $(SYNTHETIC) --system MultiEMO --study multiemo
	$(BIN)/python $(FROZEN) --study-file $(STUDIES)/sdt.py --study sdt-meld
	$(BIN)/python $(FROZEN) --system MultiEMO --study multiemo-meld
	$(BIN)/python experiments/import_corpus.py --meld $(MELD) --output $(DEPARTURES)/meld
	$(BIN)/python $(FROM_TEXT) --system cled --axis warmup_by=utterances --axis cled.decoupled=fear --study cled
	$(BIN)/python $(FROM_TEXT) --system compm --axis compm.projection=false --study compm
	$(BIN)/python experiments/report.py --study sdt ckcl multiemo sdt-meld multiemo-meld cled compm \
	    --storage $(DEPARTURES)

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
