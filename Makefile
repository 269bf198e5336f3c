# `make demo` and `make test` set everything up. Another Python: make test PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = -m pip install --quiet --disable-pip-version-check
# a process on each core; BLAS or numba with threads of its own in each would only wait for the others
PROCESSES ?= auto
ONE_THREAD = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1
PYTEST = -m pytest -n $(PROCESSES) --dist worksteal
EXAMPLES = --doctest-modules --doctest-glob='*.md' causalgia README.md docs benchmarks/interpreted/cases.py benchmarks/interpreted/interpretation.py
# networks, sequences and counts of others, where CAUSALGIA_SHARED names their folder: for the pages, and for tests marked `real` alone
OF_OTHERS = $(if $(CAUSALGIA_SHARED),CAUSALGIA_SHARED=$(abspath $(CAUSALGIA_SHARED)) CAUSALGIA_NETWORKS=$(abspath $(CAUSALGIA_SHARED))/data/networks)
unexport CAUSALGIA_SHARED PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint docs validate bench clean test-golden test-real test-browser test-other test-lowest test-wheel constraints-lowest

setup: $(VENV)/.installed

demo: setup
	$(BIN)/causalgia demo --out demo

# every test but those marked real, simulation or browser, and the examples of functions and pages
test: setup
	$(ONE_THREAD) $(BIN)/python $(PYTEST) $(EXAMPLES) tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	rm -rf docs/api docs/generated docs/notebooks
	$(ONE_THREAD) $(OF_OTHERS) $(BIN)/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html

# The simulations of the tests, then every figure of the pages anew: hours. CHECK=1 writes nothing, and lists what differs from the kept
# figures. ONLY="validation scale": these pages alone. GRAMMARS=folder: the networks of simulated grammars.
validate: setup
	$(if $(ONLY),,$(ONE_THREAD) $(OF_OTHERS) $(BIN)/python $(PYTEST) -m 'simulation$(if $(CAUSALGIA_SHARED),, and not real)' tests)
	$(OF_OTHERS) $(BIN)/python benchmarks/pages.py $(if $(CHECK),--check) $(if $(ONLY),--only $(ONLY)) $(if $(GRAMMARS),--grammars $(GRAMMARS)) \
		--workers $$(nproc)

bench: setup
	$(OF_OTHERS) $(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv .venv-other .venv-lowest .venv-wheel dist docs/_build demo

# the numbers of the library are those that were recorded: tests/golden/README.md
test-golden: setup
	$(BIN)/python tests/golden/golden.py compare --across-processors

# Networks and data of others: CAUSALGIA_SHARED names their folder, or it is ../shared
test-real: CAUSALGIA_SHARED := $(or $(CAUSALGIA_SHARED),../shared)
test-real: setup
	$(ONE_THREAD) $(OF_OTHERS) $(BIN)/python $(PYTEST) -m 'real and not simulation' tests

test-browser: setup
	$(ONE_THREAD) $(BIN)/python $(PYTEST) -m browser tests

# another Python, with its PyMC and ArviZ, without torch: import, predict, infer
NO_TORCH = -m 'not (torch or real or simulation or browser)'
test-other: .venv-other/.installed
	$(ONE_THREAD) NUMBA_CACHE_DIR=$(CURDIR)/.venv-other/numba .venv-other/bin/python $(PYTEST) $(NO_TORCH) \
		$(patsubst %,tests/test_%.py,package staircase predict infer loo netcdf)

# the oldest versions that pyproject.toml allows; old packages beside new ones deprecate each other
test-lowest: .venv-lowest/.installed
	$(ONE_THREAD) NUMBA_CACHE_DIR=$(CURDIR)/.venv-lowest/numba .venv-lowest/bin/python $(PYTEST) $(NO_TORCH) -W ignore::DeprecationWarning \
		$(patsubst %,tests/test_%.py,package staircase plot cli archive networks tidy_tables)

# the wheel, installed alone: what it needs is what it declares, and what it holds is whole
test-wheel:
	rm -rf .venv-wheel dist
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	.venv-wheel/bin/python $(INSTALL) --no-compile -c constraints.txt dist/*.whl
	cp tests/smoke.py .venv-wheel && cd .venv-wheel && $(ONE_THREAD) bin/python -I smoke.py

LOWEST_EXTRAS = bigwig dask genome jaspar modisco networks nutpie onnx tables
constraints-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python $(INSTALL) --upgrade uv
	.venv-lowest/bin/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --no-header --no-annotate \
		pyproject.toml $(addprefix --extra ,$(LOWEST_EXTRAS)) --group test --output-file constraints-lowest.txt

# the environments
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "causalgia needs Python 3.11 or newer; say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) --upgrade pip
	$(BIN)/python $(INSTALL) --no-compile -c constraints.txt -e '.[attribution,modisco,torch]' --group dev --group docs
	@touch $@

.venv-other/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-other
	.venv-other/bin/python $(INSTALL) --upgrade pip
	.venv-other/bin/python $(INSTALL) --no-compile -c constraints.txt -e '.[jaspar]' --group dev
	@touch $@

.venv-lowest/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python $(INSTALL) --upgrade pip
	.venv-lowest/bin/python $(INSTALL) --no-compile -c constraints-lowest.txt -e ".[$$(echo $(LOWEST_EXTRAS) | tr ' ' ,)]" --group test
	@touch $@
