# Two commands set up everything: `make demo` and `make test`. Another Python: make test PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# pytest's, in each leg: one a core, or fewer where legs run beside each other
PROCESSES ?= auto
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
BARE = .venv-bare
# the examples of functions, of pages, and of the tests' own tools. They alone, or a few of them: make doctest, make doctest EXAMPLES=causalgia/plot
EXAMPLES = causalgia README.md docs tests/quick.py tests/rotation.py benchmarks/interpreted/cases.py benchmarks/interpreted/interpretation.py
DOCTEST = --doctest-modules --doctest-glob='*.md'
# tests that may differ on another Python, with PyMC 6 and ArviZ 1, or where torch is absent (as every example may): what others compute or compile for us, what is read, written, drawn, sent and printed;
# of the exact posteriors the normal one alone, against R: the others are the same kernels and arithmetic of our own
ELSEWHERE = $(patsubst %,tests/test_%.py,across_tasks analysis archive check cli cli_help cli_mpra client compiled convergence \
	design draws_on_threads effects estimate exact_normal frame given infer inputs lazy loo netcdf nuts package plot \
	plot_catalogue predict predict_factory predict_loading records reference_stats reporting run samplers shuffles spec \
	staircase store stored tables vector_math verdicts workers zoo)
LOWEST = .venv-lowest
# extras at their lower bounds; torch's is left out with what stands on it (2.4 comes with gigabytes of CUDA)
LOWEST_EXTRAS = bigwig dask jaspar modisco networks nutpie onnx tables
# pytest runs a process on each core; BLAS or numba with threads of its own in each would only wait for the others
# kernels that one numba compiled are kept apart from another's: it does not load the other's safely while both write
ONE_THREAD = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1
# where this is set, each process that a test starts compiles every module that it imports again, and so does each worker of pytest
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo quick test suite rotating doctest validate compiled compiled-bare coverage test-bare test-lowest test-wheel constraints-lowest explore fuzz mutants lint docs bench clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "causalgia needs Python 3.11 or newer; say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install --no-compile -c constraints.txt -e '.[attribution,modisco,torch]' --group dev --group docs
	@touch $@

demo: setup
	$(BIN)/causalgia demo --out demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# mypy and import-linter each keep one core busy: the tests run beside them
test: compiled demo
	$(MAKE) --jobs=2 lint suite

doctest: setup
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal $(DOCTEST) $(EXAMPLES)

# with the examples: a run of their own would start Python and load torch, PyMC and numba's kernels once more in each process
suite: setup
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal $(DOCTEST) $(EXAMPLES) tests

# All simulations, and all other tests that take a second or more: each run of `suite` has an eighteenth or a sixth of them, and
# those about what the commit changed (tests/rotation.py). Half an hour on two cores; `make validate` runs them, too.
rotating: setup
	ROTATING=all $(ONE_THREAD) $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal -m rotating

# Once in a new checkout: every file of tests compiled, the kernels that most tests meet (11 s) and memelite's (40 s), which
# pytest's processes would otherwise each compile at the same time.
KERNELS = import causalgia as cg; cg.infer(cg.from_effects([0.0] * 40, se=[1.0] * 40), rng=0); \
	cg.KletShuffle(of=['ACGTTGCAACGGTACCATGCAT' * 3] * 4, k=3).sample(4, rng=0)

compiled: $(VENV)/.compiled

$(VENV)/.compiled: $(VENV)/.installed
	$(ONE_THREAD) $(BIN)/python -c "$(KERNELS); cg.attribution.match({'AP-1': 'TGACTCA'})" & \
	$(BIN)/python -m compileall -q causalgia && $(ONE_THREAD) $(BIN)/python -m pytest --collect-only -qq >/dev/null; wait $$!
	@touch $@

compiled-bare: $(BARE)/.installed
	$(ONE_THREAD) NUMBA_CACHE_DIR=$(CURDIR)/$(BARE)/numba $(BARE)/bin/python -c "$(KERNELS)"
	$(BARE)/bin/python -m compileall -q causalgia
	$(ONE_THREAD) NUMBA_CACHE_DIR=$(CURDIR)/$(BARE)/numba $(BARE)/bin/python -m pytest --collect-only -qq -m 'not torch and not long and not once' $(ELSEWHERE)

# While one works: what changed since a commit (SINCE=main), and a few tests of every room; types are checked beside the tests,
# and what they say is shown after them.
quick: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@types=$$(mktemp); $(BIN)/mypy >"$$types" 2>&1 & typed=$$!; \
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(PROCESSES) --dist worksteal $(DOCTEST) -m 'not long and not rotating' $$($(BIN)/python tests/quick.py $(SINCE)); \
	tested=$$?; wait $$typed; typed=$$?; cat "$$types"; rm "$$types"; exit $$((tested + typed))

# All tests, and which lines they reach; nothing hangs on the figure.
coverage: setup
	ROTATING=all $(ONE_THREAD) $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal --cov --cov-report=term $(DOCTEST) tests $(EXAMPLES)

# The inference side (and what else needs no network) where torch was never installed, on another Python: not all of it again.
test-bare: $(BARE)/.installed
	$(BARE)/bin/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is not None and "torch is installed here")'
	$(ONE_THREAD) NUMBA_CACHE_DIR=$(CURDIR)/$(BARE)/numba $(BARE)/bin/python -m pytest -n $(PROCESSES) --dist worksteal $(DOCTEST) causalgia docs
	$(ONE_THREAD) NUMBA_CACHE_DIR=$(CURDIR)/$(BARE)/numba $(BARE)/bin/python -m pytest -n $(PROCESSES) --dist worksteal -m 'not torch and not long and not once' $(ELSEWHERE)

$(BARE)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BARE)
	$(BARE)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BARE)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[jaspar]' --group dev
	@touch $@

# The oldest versions that pyproject.toml allows, on the oldest Python: what it takes to import, ask, analyze and draw.
# Old packages beside new ones deprecate each other; whether ours is deprecated, the other legs say.
test-lowest: $(LOWEST)/.installed
	$(ONE_THREAD) NUMBA_CACHE_DIR=$(CURDIR)/$(LOWEST)/numba $(LOWEST)/bin/python -m pytest -n $(PROCESSES) -W ignore::DeprecationWarning -m 'not torch and not long' \
		tests/test_package.py tests/test_staircase.py tests/test_plot.py tests/test_cli.py tests/test_archive.py \
		tests/test_networks.py tests/test_tidy_tables.py

$(LOWEST)/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints-lowest.txt -e ".[$$(echo $(LOWEST_EXTRAS) | tr ' ' ,)]" --group test
	@touch $@

# The wheel, and the sdist, each installed alone in a new environment: what they need is what they declare, and what they hold is whole.
WHEEL = .venv-wheel
test-wheel:
	rm -rf $(WHEEL) dist && $(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip build hatchling
	$(WHEEL)/bin/python -m build --no-isolation --outdir dist
	$(WHEEL)/bin/python -m pip uninstall --quiet --disable-pip-version-check --yes build hatchling
	for made in dist/*.whl dist/*.tar.gz; do \
		$(WHEEL)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt --force-reinstall --no-deps "$$made" && \
		$(WHEEL)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt "$$made" && \
		(cp tests/smoke.py $(WHEEL) && cd $(WHEEL) && $(ONE_THREAD) bin/python -I smoke.py) || exit 1; \
	done

constraints-lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade uv
	$(LOWEST)/bin/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --no-header --no-annotate \
		pyproject.toml $(addprefix --extra ,$(LOWEST_EXTRAS)) --group test --output-file constraints-lowest.txt

# Properties by examples that the gate does not try: others each time, 1,000 of each rather than 60.
explore: setup
	ROTATING=all HYPOTHESIS_PROFILE=explore $(ONE_THREAD) $(BIN)/python -m pytest -n $(PROCESSES) -m hypothesis tests

# Readers, stores and command lines against inputs that are changed at random: hours. FUZZ_EXAMPLES=1000 make fuzz
fuzz: setup
	FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),100000) ROTATING=all HYPOTHESIS_PROFILE=explore $(ONE_THREAD) $(BIN)/python -m pytest -n $(PROCESSES) -v tests/fuzz

# Small changes of the code, each of which some test has to notice: hours. MUTANTS="multiplicity/adjusted_p.py --n 40": a few.
mutants: setup
	$(BIN)/python benchmarks/mutants.py $(MUTANTS)

docs: setup
	rm -rf docs/api docs/generated docs/notebooks
	$(ONE_THREAD) $(BIN)/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html

# Every figure of the pages anew, hours on two cores: each row of docs/validation.md, and performance, scale, catalogue and
# interpretation. CHECK=1 writes nothing, and lists what differs from the kept figures. ONLY="validation scale": these pages.
# Without ONLY also `make rotating`, first: the simulations of the tests.
# The networks of simulated grammars are in no checkout: GRAMMARS=their folder.
validate: setup $(if $(ONLY),,rotating)
	$(BIN)/python benchmarks/pages.py $(if $(CHECK),--check) $(if $(ONLY),--only $(ONLY)) $(if $(GRAMMARS),--grammars $(GRAMMARS)) \
		--workers $$(nproc)

bench: setup
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) $(BARE) $(LOWEST) $(WHEEL) dist docs/_build demo
