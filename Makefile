# Two commands set up everything: `make demo` and `make test`. PYTHON=python3.12 make test picks another Python.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test setup lint docs bench clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "causalgia needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[torch]' --group dev --group docs
	touch $@

setup: $(VENV)/.installed

demo: setup
	$(BIN)/causalgia demo --out demo

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --cov --cov-report=term

docs: setup
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

bench: setup
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) docs/_build demo
