"""What a command loads: the modules that it needs. Which modules, never how long, which
benchmarks/startup.py says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_NUMERICS = {
    "numpy",
    "xarray",
    "pandas",
    "scipy",
    "numba",
    "torch",
    "matplotlib",
    "dask",
    "rich",
    "statsmodels",
}
_CODE = """
import json, sys
sys.argv = ["causalgia", *json.loads(sys.argv[1])]
from causalgia.cli import main
try:
    main()
finally:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""


def loaded_by(folder, *words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, json.dumps(words)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the first trial of a new user, run and analyzed."""
    folder = tmp_path_factory.mktemp("startup")
    loaded_by(folder, "init")
    loaded_by(folder, "run", "trial.toml", "--out", "results")
    text = (folder / "trial.toml").read_text()
    for old, new in {
        'kind = "uniform"': 'kind = "dinucleotide_shuffle"\nof = "peaks.fa"',
        "length = 200": "",
    }.items():
        text = text.replace(old, new, 1)
    (folder / "shuffled.toml").write_text(text)
    (folder / "peaks.fa").write_text(
        "".join(f">{i}\n{'ACGTTGCAAC' * 20}\n" for i in range(20))
    )
    return folder


@pytest.fixture(scope="module")
def analyzed(folder, tmp_path_factory):
    there = tmp_path_factory.mktemp("analyzed")
    shutil.copytree(folder / "results", there / "results")
    loaded_by(there, "analyze", "results")
    return there


@pytest.mark.parametrize("words", [["mpra", "--help"], ["--version"]])
def test_help_loads_no_numerics(words, tmp_path):
    assert not _NUMERICS & loaded_by(tmp_path, *words)


def test_show_reads_and_prints_and_loads_nothing_that_computes(folder):
    loaded = loaded_by(folder, "show", "results")
    assert "xarray" in loaded
    assert (
        not {
            "numba",
            "matplotlib",
            "torch",
            "statsmodels",
            "scipy.stats",
            "scipy.optimize",
            "zarr",
        }
        & loaded
    )
    rooms = (
        "engine",
        "design",
        "experiments",
        "posterior",
        "predict",
        "trial",
        "zoo",
        "spec",
        "plot",
        "staircase",
    )
    assert not {f"causalgia.{room}" for room in rooms} & loaded


@pytest.mark.simulation
def test_show_of_an_analyzed_trial_loads_nothing_that_computes_either(analyzed):
    loaded = loaded_by(analyzed, "show", "results")
    assert (
        not {
            "numba",
            "matplotlib",
            "torch",
            "statsmodels",
            "scipy.stats",
            "scipy.optimize",
        }
        & loaded
    )
    assert (
        not {
            f"causalgia.{room}"
            for room in ("posterior", "experiments", "staircase", "multiplicity.bands")
        }
        & loaded
    )


def test_analyze_of_a_first_trial_loads_no_statistics_package_and_no_predictor(folder):
    loaded = loaded_by(folder, "analyze", "results")
    packages = {
        "statsmodels",
        "scipy.stats",
        "scipy.optimize",
        "numba",
        "torch",
        "zarr",
    }
    assert not packages & loaded
    assert (
        not {
            "causalgia.zoo",
            "causalgia.predict._load_predictor",
            "causalgia.trial.distributed_turns",
            "causalgia.workers.jobs",
            "causalgia.posterior.family_posterior",
        }
        & loaded
    )


@pytest.mark.simulation
@pytest.mark.parametrize("trial", ["trial.toml", "shuffled.toml"])
def test_a_run_loads_no_statistics_package_no_figures_and_compiles_nothing(
    folder, trial
):
    loaded = loaded_by(folder, "run", trial, "--out", f"again-{Path(trial).stem}")
    assert (
        not {
            "statsmodels",
            "scipy.stats",
            "torch",
            "matplotlib",
            "zarr",
            "pymc",
            "arviz",
        }
        & loaded
    )
    assert (
        not {
            "numba",
            "llvmlite",
            "causalgia._run.running_moments",
            "causalgia.estimation._estimate",
        }
        & loaded
    )


def test_a_module_of_kernels_loads_no_numba():
    code = (
        "import sys, causalgia.sequences.dinucleotide_shuffle, "
        "causalgia.posterior.two_scales\n"
        "import causalgia.multiplicity.maxima\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
