"""What all tests share: Hypothesis profiles, the folder of real networks for tests
marked `real`, and a trial run once from the command line.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.doctest import DoctestModule
from hypothesis import HealthCheck, settings
from shared_folder import IS_NAMED, SHARED

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The gate tries the same examples each time, HYPOTHESIS_PROFILE=explore others.
# Each says so: where the variable CI is set, Hypothesis derandomizes by itself.
settings.register_profile("gate", max_examples=60, derandomize=True, **COMMON)
settings.register_profile("explore", max_examples=1_000, derandomize=False, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

# pytest's workers have it, and a command would fold its lines there
os.environ.pop("COLUMNS", None)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[
    None, list[pytest.Collector], list[pytest.Collector]
]:
    """Leave out the docstrings of tests, which have no examples."""
    return [one for one in (yield) if not isinstance(one, DoctestModule)]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of bytes by what they are and not by their content, unless that is a
    short text.

    Compressed bytes hold the second in which they were made: two processes would
    collect different tests.
    """
    if not isinstance(val, bytes) or (len(val) < 20 and val.isascii()):
        return None  # pytest's own name
    return f"{argname} of {len(val)} bytes"


_BEGAN: dict[int, dict[str, Any]] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin each test with the same draws of its file's generators, whichever tests
    this process ran before.
    """
    for held in vars(getattr(item, "module", None) or object).values():
        if isinstance(held, np.random.Generator):
            held.bit_generator.state = _BEGAN.setdefault(
                id(held), held.bit_generator.state
            )


@pytest.fixture
def every_figure_can_be_printed() -> Iterator[None]:
    """Look at every figure that the test saves, whoever drew it."""
    from figure_checks import looked_at

    with looked_at() as found:
        yield
    assert not found, "\n".join(found[:12])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with networks, sequences and counts of others. A test that asks for it
    has the mark `real`, and runs by `make test-real` alone.
    """
    assert IS_NAMED, "CAUSALGIA_SHARED names no folder: mark the test `real`"
    assert SHARED.is_dir(), f"CAUSALGIA_SHARED: no folder {SHARED}"
    return SHARED


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """The file of a small trial on a zoo predictor."""
    from test_cli import QUICK

    path = tmp_path / "trial.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture(scope="session")
def once_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that trial, run from the command line once in each process."""
    from test_cli import QUICK, call

    folder = tmp_path_factory.mktemp("run")
    (folder / "trial.toml").write_text(QUICK)
    call("run", folder / "trial.toml", "--out", folder / "results")
    return folder / "results"


@pytest.fixture
def results(trial: Path, once_run: Path, tmp_path: Path) -> Path:
    """A copy of that folder, beside the trial's file."""
    return Path(shutil.copytree(once_run, tmp_path / "results"))
