# Everything a newcomer types. `make` alone prints this list; each target sets up what it needs by itself.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
JAEGER := .jaeger/jaeger

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench coverage jaeger test-jaeger clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## See an outage of the first model, and what failover makes of it (about half a minute)
	@$(BIN)/failover demo

test: $(READY) ## Run the tests (about ten minutes)
	@$(BIN)/python -m pytest

lint: $(READY) ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY) ## Measure what the middleware costs
	@$(BIN)/python -m benchmarks.overhead

coverage: $(READY) ## Run the tests and show which lines they did not reach
	@$(BIN)/coverage run -m pytest -q
	@$(BIN)/coverage report

jaeger: $(JAEGER) ## Start a Jaeger that keeps traces until Ctrl-C (built once, some minutes; needs Go)
	@$(BIN)/python tests/jaeger/jaeger_server.py $(JAEGER)

test-jaeger: $(JAEGER) ## Run the tests that ask a real Jaeger (the same; none of them is in `make test`)
	@FAILOVER_JAEGER=$(JAEGER) $(BIN)/python -m pytest -m jaeger tests/jaeger

clean: ## Remove the virtual environment, Jaeger, and all caches
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf $(VENV) .jaeger .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

$(JAEGER): tests/jaeger/jaeger_build.py | $(READY)
	@$(BIN)/python $< $@

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
