# The project's commands. Each needs Python 3.11 or newer and nothing else; what they install goes into .venv.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2
OUT    ?= runs/quickstart

# Two processes share the machine's cores with their threads; more threads than cores make every test slower.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.DEFAULT_GOAL := help
.PHONY: help install run test check bench format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/.installed ## Install w2sg only; it is then .venv/bin/w2sg

run: $(VENV)/.installed ## Install w2sg and run the quickstart experiment (OUT=runs/quickstart)
	$(BIN)/w2sg run experiments/quickstart.yaml --out $(OUT)

test: check ## Install what the tests need, then lint, check types and run every test
	$(BIN)/python -m pytest -n $(JOBS)

check: $(VENV)/.installed-dev ## Lint, formatting and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev ## Run the speed benchmarks and print their ratios
	$(BIN)/python -m benchmarks

format: $(VENV)/.installed-dev ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the installation and the tools' caches; runs/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

# A marker is written last, so a broken installation is done again. Sources are installed as a link (-e): only a
# change of the dependencies installs anew.
$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing w2sg into $(VENV) (some minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the tests' tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "make: there is no '$(PYTHON)'. Install Python 3.11 or newer (Debian: apt install python3 python3-venv), or name yours: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $$($(PYTHON) --version) is too old; w2sg needs Python 3.11 or newer. Name another: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: this Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv, then run make again." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@
