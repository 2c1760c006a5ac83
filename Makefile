# Everything needed is set up on demand in .venv; only Python >= 3.11, make and a C compiler are assumed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SOURCE ?= auto

.PHONY: demo image test soak lint format bench screenshots clean setup

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "windtunnel needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/windtunnel demo

# What `--cluster docker` runs its nodes from; SOURCE=debian makes it without an image registry, as root.
image: $(READY)
	@$(BIN)/windtunnel image build --source $(SOURCE)

test: $(READY)
	@$(BIN)/python -m pytest -n 2 $(ARGS)

# The correct system under all faults, from as many seeds as wanted: make soak SEEDS=3000
soak: $(READY)
	@SEEDS=$(or $(SEEDS),300) $(BIN)/python -m pytest -n 2 tests/windtunnel/test_correct_system.py $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m bench

screenshots: $(READY)
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.reports.screenshots

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
