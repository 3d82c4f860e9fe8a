# Everything runs in .venv, installed through constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check speed comparison package clean

demo: .venv/demo  ## train a reach controller for three minutes and look at it
	$(BIN)/python -m rnn_controller demo

test: .venv/dev check  ## lint, types, and the whole test suite
	$(BIN)/python -m pytest -n auto --maxprocesses 4

check: .venv/dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

speed: .venv/dev  ## ratios of speed within this package; benchmarks.peers has the README's
	$(BIN)/python -m benchmarks.speed

comparison: .venv/dev  ## tables and figures of all controllers, from the stored runs (some 25 minutes)
	$(BIN)/python -m benchmarks.compare
	$(BIN)/python -m benchmarks.robustness
	$(BIN)/python -m benchmarks.sizes

package: .venv/dev  ## sdist and wheel under dist/
	$(BIN)/python -m build

.venv/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) -e .
	touch $@

.venv/dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) -e '.[dev]'
	touch $@ .venv/demo

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
