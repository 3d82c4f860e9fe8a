# Everything runs in .venv, installed through constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
# pip compiles on one core; some packages hold files that no Python 3 compiles
COMPILE = -$(BIN)/python -m compileall -qq -j 0 .venv/lib

.PHONY: live demo test suite check docs notebooks lowest speed comparison package clean

live: .venv/demo  ## the arm and its network in the browser, until Ctrl-C
	$(BIN)/python -m rnn_controller live

demo: .venv/demo  ## train a reach controller for three minutes and look at it
	$(BIN)/python -m rnn_controller demo

test: .venv/dev  ## lint, types, and the whole test suite
	$(MAKE) --no-print-directory --jobs 2 check suite

suite: .venv/dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4

check: .venv/dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/docs  ## the documentation site under docs/_build/html; warnings are errors
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -j auto docs docs/_build/html
	@echo "open docs/_build/html/index.html"

notebooks: .venv/dev  ## run docs/notebooks from top to bottom (some ten minutes)
	$(BIN)/python -m pytest -m notebooks --durations=0 tests/test_notebooks.py

lowest: .venv-lowest/installed  ## whether the oldest versions that pyproject.toml allows still work
	.venv-lowest/bin/python tests/lowest.py smoke

speed: .venv/dev  ## ratios of speed within this package; benchmarks.peers has the README's
	$(BIN)/python -m benchmarks.speed

comparison: .venv/dev  ## tables and figures of all controllers, from the stored runs (some 25 minutes)
	$(BIN)/python -m benchmarks.compare
	$(BIN)/python -m benchmarks.robustness
	$(BIN)/python -m benchmarks.sizes

package: .venv/dev  ## sdist and wheel under dist/
	$(BIN)/python -m build

.venv/demo: pyproject.toml constraints.txt
	@echo 'installing into .venv: about a minute'
	$(PYTHON) -m venv .venv
	$(INSTALL) -e .
	$(COMPILE)
	touch $@

.venv/dev: pyproject.toml constraints.txt
	@echo 'installing into .venv: about a minute'
	$(PYTHON) -m venv .venv
	$(INSTALL) -e '.[dev]'
	$(COMPILE)
	touch $@ .venv/demo

.venv/docs: pyproject.toml constraints.txt
	@echo 'installing into .venv: about a minute'
	$(PYTHON) -m venv .venv
	$(INSTALL) -e '.[docs]'
	$(COMPILE)
	touch $@ .venv/demo

.venv-lowest/installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-lowest
	$(PYTHON) tests/lowest.py > .venv-lowest/requirements.txt
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check -r .venv-lowest/requirements.txt -e .
	touch $@

clean:
	rm -rf .venv .venv-lowest build docs/_build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
