# Imports from the inside: the program, and the lock that it writes.
"""Networks that change the working folder: what the command line was given is where it
was.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from in_shell import invoke

from causalgia.errors import StoreError
from causalgia.protocol.lock_file import write_lock

_NETWORK = """
import os

TASKS = {tasks}


def load():
    os.chdir("{away}")

    def share(x):
        os.chdir("{away}")
        return x[:, 1:3].sum((1, 2)) / x.shape[2] * (1 + x[:, 0, 9])

    return share
"""
_TRIAL = """
n_units = 40
rng = 1
[null]
kind = "dinucleotide_shuffle"
of = "parents.fa"
[predictor]
factory = "network.py:load"
scale = "share"
[arms.control]
[arms.GC]
embed = "GCGC"
at = 8
[analysis]
control = "control"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a trial, and one beside it, to which its network goes."""
    (tmp_path / "home").mkdir()
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    Path("network.py").write_text(
        _NETWORK.format(away=tmp_path / "away", tasks=["share"])
    )
    Path("trial.toml").write_text(_TRIAL)
    Path("parents.fa").write_text(
        "".join(
            f">{i}\n{'ACGTTGCAAC' * 2}{'ACGT'[i % 4]}GATC{i % 2 * 'A'}\n"
            for i in (1, 3)
        )
    )
    return tmp_path / "home"


def call(home: Path, *args: str, code: int = 0) -> str:
    os.chdir(home)
    found = invoke(*args)
    assert found.exit_code == code, found.output
    assert not list((home.parent / "away").iterdir()), "written where the network went"
    return found.output


@pytest.mark.simulation
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--store",),
        ("--store", "--keep", "effects"),
        ("--store", "--keep", "moments"),
    ],
)
def test_a_run_writes_where_it_was_told_to(home, options):
    call(home, "run", "trial.toml", "--out", "results", *options)
    call(home, "analyze", "results")
    assert {"trial.toml", "estimates.nc"} <= {
        path.name for path in (home / "results").iterdir()
    }


def test_a_lock_that_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(StoreError):
        write_lock(tmp_path / "lock.toml", {"predictor": {"tasks": "\x1b"}})
    assert not (tmp_path / "lock.toml").exists()


def test_a_lock_and_its_run_are_written_where_they_were_told_to(home):
    assert "Wrote lock.toml" in call(home, "lock", "trial.toml", "--out", "lock.toml")
    call(home, "run", "--protocol", "lock.toml", "--out", "results", "--store")
    call(home, "verify", "results", "--protocol", "lock.toml")
    call(home, "reproduce", "results")


def test_checks_of_a_trial_are_written_beside_it(home):
    call(home, "run", "trial.toml", "--out", "results")
    call(
        home, "refute", "results", "--real", "parents.fa", "--check", "prediction_range"
    )
    assert (home / "results" / "refutation.nc").is_file()
