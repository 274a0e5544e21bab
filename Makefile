# The project's commands. `make help` lists them.

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
# Named in the same command as the package, so that pip settles torch first and picks a CPU build where it is offered one.
TORCH := torch==2.13.0
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH)

# One thread a process: the tests run in $(WORKERS) processes, and small tensors gain nothing from more.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo notebooks site install lint test test-all bench outputs clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed-base ## Compare the methods on two problems, with pictures in demo/
	$(BIN)/ppl-control compare hiking frozen_lake --pictures demo

notebooks: $(VENV)/.installed-notebooks ## Open the notebooks in JupyterLab
	$(BIN)/jupyter-lab notebooks/01_the_model_and_the_posterior.ipynb

site: $(VENV)/.installed-site ## Build the site in site/: course, gallery, theory, reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --config-file .site/mkdocs.yml --site-dir $(CURDIR)/site

install: $(VENV)/.installed-test ## Install the package, editable, with what the tests need

lint: $(VENV)/.installed-test ## Style, format, layers and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

test: lint ## Lint, then all but the slow tests
	$(PYTEST) -n $(WORKERS) -m 'not slow'

test-all: lint ## Lint, then every test
	$(PYTEST) -n $(WORKERS)

bench: $(VENV)/.installed-test ## Time the methods
	$(PYTEST) tests/benchmarks --benchmark-only --benchmark-columns=median,iqr,rounds -s

outputs: $(VENV)/.installed-notebooks ## Run the notebooks in full, save their outputs, draw the README's pictures
	$(BIN)/jupyter-nbconvert --to notebook --execute --inplace \
	    --ExecutePreprocessor.record_timing=False notebooks/*.ipynb
	$(BIN)/python notebooks/pictures/draw.py

clean: ## Remove what the commands made, except the environment
	rm -rf build demo dist site *.egg-info .benchmarks .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find ppl_control models notebooks tests \
	    \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The environment is made once; the package is installed anew when its requirements change.
$(BIN)/python:
	@command -v $(PYTHON) > /dev/null \
	    || { echo "error: $(PYTHON) was not found; name another with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	    || { echo "error: ppl_control needs Python 3.10 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null \
	    || { echo "error: $(PYTHON) cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# What is there: the package alone (base), or with one of its extras.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing into $(VENV), a minute or two the first time …'
	$(INSTALL) -e '.$(patsubst %,[%],$(filter-out base,$*))'
	@touch $@
