# make demo: the main job on real input.  make test: the test suite.  Each makes the environment first.
PYTHON ?= python3
PIP_INSTALL = -m pip install --quiet --quiet --disable-pip-version-check
VENV = .venv
OLDEST = .venv-oldest
PEERS = .venv-peers
READY = $(VENV)/ready
OLDEST_READY = $(OLDEST)/ready
PEERS_READY = $(PEERS)/ready
DOCS_READY = $(VENV)/ready-docs
EXAMPLES_READY = $(VENV)/ready-examples
WORKERS ?= 2
PYTEST = -m pytest --quiet --numprocesses $(WORKERS)

# One thread per test process: two threads on busy cores are slower than one, several times over.
test test-oldest test-nightly coverage: export OMP_NUM_THREADS = 1

.DEFAULT_GOAL = help
.PHONY: help demo test test-oldest test-nightly coverage lint format examples bench bench-peers docs clean

help:  ## Show the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(READY)  ## Learn from the docstrings of the installed libraries: tables, a grid search, a picture
	$(VENV)/bin/python examples/plot_docstrings.py

test: $(READY)  ## Run the test suite
	$(VENV)/bin/python $(PYTEST)

test-oldest: $(OLDEST_READY)  ## Run the test suite on the oldest supported libraries
	$(OLDEST)/bin/python $(PYTEST) --override-ini cache_dir=$(OLDEST)/pytest-cache

test-nightly: $(EXAMPLES_READY)  ## Run what takes minutes, and 10,000 examples of each property
	$(VENV)/bin/python $(PYTEST) -m "nightly or hypothesis"

coverage: $(READY)  ## Say which lines no test runs
	$(VENV)/bin/python $(PYTEST) --cov

lint: $(READY)  ## Check style, format, import order, types and sizes
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m tools.house_rules

format: $(READY)  ## Repair what can be repaired by machine
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

examples: $(EXAMPLES_READY)  ## Run every example, write docs/results.md; SKFUSION_DATA names the data
	@test -d "$$SKFUSION_DATA" || { echo "Set SKFUSION_DATA to the folder of the data"; exit 1; }
	for example in examples/plot_*.py; do \
		echo "== $$example"; MPLBACKEND=agg $(VENV)/bin/python $$example || exit 1; \
	done
	$(VENV)/bin/python -m examples.results --keep outputs --write docs/results.md

ON_DATA = fusion robustness pretrained
BENCHMARKS = $(notdir $(basename $(wildcard benchmarks/[a-z]*.py)))

bench: $(READY)  ## Measure against hand-written loops; SKFUSION_DATA adds what needs the data
	for benchmark in $(if $(SKFUSION_DATA),$(BENCHMARKS),$(filter-out $(ON_DATA),$(BENCHMARKS))); do \
		echo "== $$benchmark"; $(VENV)/bin/python -m benchmarks.$$benchmark || exit 1; \
	done

bench-peers: $(READY) $(PEERS_READY)  ## Measure against Keras, which gets an environment of its own
	$(VENV)/bin/python -m benchmarks.peers.video --peer $(PEERS)/bin/python
	$(PEERS)/bin/python -m benchmarks.peers.keras_page

docs: $(DOCS_READY)  ## Build the documentation into docs/_build/html
	$(VENV)/bin/python -m sphinx --quiet --builder html docs docs/_build/html

clean:  ## Remove the environments and everything that was built
	rm -rf $(VENV) $(OLDEST) $(PEERS) build dist *.egg-info docs/_build docs/generated docs/auto_examples
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made anew where what it must hold has changed. torch goes first and alone, so that
# a build already on the machine (such as a CPU wheel) is taken before anything else asks for one.
$(READY): pyproject.toml constraints/newest.txt
	@echo "Making $(VENV) (a few minutes, once)"
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python $(PIP_INSTALL) --constraint constraints/newest.txt torch
	$(VENV)/bin/python $(PIP_INSTALL) --constraint constraints/newest.txt --editable '.[dev]'
	touch $@

$(OLDEST_READY): pyproject.toml constraints/oldest.txt
	@echo "Making $(OLDEST) (a few minutes, once)"
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python $(PIP_INSTALL) --constraint constraints/oldest.txt torch
	$(OLDEST)/bin/python $(PIP_INSTALL) --constraint constraints/oldest.txt --editable '.[test]'
	touch $@

$(PEERS_READY): constraints/peers.txt
	@echo "Making $(PEERS) (TensorFlow, a few hundred MB, once)"
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python $(PIP_INSTALL) --constraint constraints/peers.txt tensorflow-cpu
	touch $@

$(EXAMPLES_READY): $(READY)
	$(VENV)/bin/python $(PIP_INSTALL) --constraint constraints/newest.txt --editable '.[examples]'
	touch $@

$(DOCS_READY): $(READY)
	$(VENV)/bin/python $(PIP_INSTALL) --constraint constraints/newest.txt --editable '.[docs]'
	touch $@
