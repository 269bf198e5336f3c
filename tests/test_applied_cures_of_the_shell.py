"""Errors of the command line: the option, the folder or the command that each names is
taken from its text and run, and the folder then holds what was meant.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from cures import shell_refusal
from test_applied_cures_of_trial_files import TRIAL
from test_cli import call

import causalgia as cg

BENCH = TRIAL.replace("length = 60", "length = 200").replace(
    "[arms]", 'mpra = {oligo_length = 230, adapters = "lentimpra"}\n[arms]'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with trial files and their results."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "trial.toml").write_text(TRIAL)
    (folder / "bench.toml").write_text(BENCH)
    (folder / "notes.txt").write_text("mine")
    call("run", folder / "trial.toml", "--out", folder / "results")
    call("run", folder / "trial.toml", "--out", folder / "stored", "--store")
    call(
        "run",
        *(folder / "trial.toml", "--out", folder / "thin", "--store"),
        *("--keep", "effects"),
    )
    shutil.copytree(folder / "results", folder / "analyzed")
    call("analyze", folder / "analyzed")
    call("lock", folder / "trial.toml", "--out", folder / "lock.toml")
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    """A copy of it that is the working folder; no figure is drawn."""
    monkeypatch.setattr(cg.plot, "save_forest", lambda *_, **__: None)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcomes(folder: str) -> xr.Dataset:
    return cg.open(folder).outcomes


def same(folder: str, other: str = "results") -> bool:
    """Whether two folders have the same outcomes."""
    return bool(np.array_equal(outcomes(folder)["outcome"], outcomes(other)["outcome"]))


def attrs(folder: str) -> dict[str, object]:
    return cg.open(folder).decisions.attrs


Case = tuple[str, str, str, Callable[[], bool]]
CASES: dict[str, Case] = {
    # command, what the message says, the command that is then run, and what holds
    "no folder for results": (
        "run trial.toml",
        r"such as (--out results)$",
        "run trial.toml {0} --force",
        lambda: same("results", "stored"),
    ),
    "results that are there": (
        "run trial.toml --out results",
        r"or (--force) to write over it",
        "run trial.toml --out results {0}",
        lambda: same("results", "stored"),
    ),
    "a folder with the ending of a file": (
        "run trial.toml --out r.nc",
        r"call it '(\w+)'",
        "run trial.toml --out {0}",
        lambda: same("r"),
    ),
    "a folder with the ending of a page": (
        "run trial.toml --out r.html",
        r"call it '(\w+)'",
        "run trial.toml --out {0}",
        lambda: same("r"),
    ),
    "effects without a store": (
        "run trial.toml --out r --keep effects",
        r"add (--store)$",
        "run trial.toml --out r --keep effects {0}",
        lambda: "ice" in outcomes("r"),
    ),
    "same answers without a store": (
        "run trial.toml --out r --same-answers",
        r"add (--store)$",
        "run trial.toml --out r --same-answers {0}",
        lambda: same("r"),
    ),
    "a trial on disk": (
        "run trial.toml --out stored",
        r"(--store) resumes it",
        "run trial.toml --out stored {0}",
        lambda: same("stored"),
    ),
    "a results folder as a trial file": (
        "run results --out r",
        r"give the trial file in it, (\S+)$",
        "run {0} --out r",
        lambda: same("r"),
    ),
    "a trial file that is not there": (
        "run gone.toml --out r",
        r"`causalgia (init gone\.toml)` writes one",
        "{0}",
        lambda: Path("gone.toml").is_file(),
    ),
    "no trial file": (
        "run --out r",
        r"or (--protocol) with a lock",
        "run {0} lock.toml --out r",
        lambda: same("r") and "protocol" in outcomes("r").attrs,
    ),
    "an empty name": (
        "run trial.toml --out r --device ''",
        r"an empty text after '(--device)' .* or leave it out",
        "run trial.toml --out r",
        lambda: same("r"),
    ),
    "a command that is misspelled": (
        "runn trial.toml --out r",
        r"did you mean '(\w+)'",
        "{0} trial.toml --out r",
        lambda: same("r"),
    ),
    "an option that is misspelled": (
        "run trial.toml --ouut r",
        r"did you mean (--\w+)\?",
        "run trial.toml {0} r",
        lambda: same("r"),
    ),
    "an option's former or other word": (
        "run trial.toml --out r --devic cpu",
        r"did you mean (--\w+)\?",
        "run trial.toml --out r {0} cpu",
        lambda: same("r"),
    ),
    "a store beside outcomes": (
        "run trial.toml --out results --store",
        r"choose another (--out) for a trial with --store",
        "run trial.toml {0} r --store",
        lambda: same("r"),
    ),
    # ---- what is read
    "a folder that is not there": (
        "analyze r",
        r"make it with: causalgia (run trial\.toml --out r)$",
        "{0}",
        lambda: same("r"),
    ),
    "a folder without outcomes": (
        "estimate .",
        r"make it with: causalgia run (trial\.toml --out \.)",
        "run {0}",
        lambda: same("."),
    ),
    "a trial file in place of results": (
        "analyze trial.toml",
        r"such as: causalgia (run trial\.toml --out results)$",
        "{0} --force",
        lambda: same("results", "stored"),
    ),
    "a file of results": (
        "show results/outcomes.nc",
        r"give the folder that it lies in, (\w+)$",
        "show {0}",
        lambda: True,
    ),
    "a file in no folder of results": (
        "show notes.txt",
        r"give the folder of results that causalgia (run --out) made",
        "{0} r trial.toml",
        lambda: same("r"),
    ),
    "thin outcomes": (
        "reproduce thin",
        r"run it with (--keep outcomes)$",
        "run thin/trial.toml --out r {0} --store",
        lambda: same("r"),
    ),
    "a report of no folder": (
        "report gone",
        r"give one that causalgia (run), analyze or mpra wrote",
        "{0} trial.toml --out gone",
        lambda: same("gone"),
    ),
    "a page with another ending": (
        "report analyzed --html --out r.md",
        r"for a paper: (--markdown) or",
        "report analyzed {0} --out r.md",
        lambda: "AGATAAG" in Path("r.md").read_text(),
    ),
    "two reports at once": (
        "report analyzed --markdown --latex",
        r"(--markdown) and --latex are two reports",
        "report analyzed {0} --out r.md",
        lambda: Path("r.md").is_file(),
    ),
    # ---- the analysis
    "a reversed region": (
        "analyze results --rope 0.1,-0.1",
        r"the lower end first: (--rope=\S+)$",
        "analyze results {0}",
        lambda: attrs("results")["rope"] == "-0.1 to 0.1",
    ),
    "a region of one number": (
        "analyze results --rope 0.3",
        r"a region has two ends: (--rope=\S+)$",
        "analyze results {0}",
        lambda: attrs("results")["rope"] == "-0.3 to 0.3",
    ),
    "a region that is a word": (
        "analyze results --rope small",
        r"or (--rope '0\.2 sd') of the control",
        "analyze results {0}",
        lambda: "0.2 sd" in str(attrs("results")["rope"]),
    ),
    "a level in per cent": (
        "analyze results --ci-prob 90",
        r"for example --ci-prob (0\.95)$",
        "analyze results --ci-prob {0}",
        lambda: attrs("results")["ci_prob"] == 0.95,
    ),
    "an error by another name": (
        "analyze results --error bh",
        r"has another name: '(\w+)'",
        "analyze results --error {0}",
        lambda: attrs("results")["error"] == "fdr",
    ),
    "an error that few contrasts cannot have": (
        "analyze results --error posterior",
        r"use (--error fdr)$",
        "analyze results {0}",
        lambda: attrs("results")["error"] == "fdr",
    ),
    "the default family": (
        "analyze results --family all",
        r"(--family all) is the default.*leave it out",
        "analyze results",
        lambda: "family" not in attrs("results"),
    ),
    "a control that is misspelled": (
        "analyze results --control placeb",
        r"did you mean '(\w+)'\?",
        "analyze results --control {0}",
        lambda: (
            set(cg.open("results").decisions["contrast"].values)
            == {"GATA1", "untreated"}
        ),
    ),
    "a cluster that is misspelled": (
        "analyze results --cluster parents",
        r"there are unit, (parent), gc",
        "analyze results --cluster {0}",
        lambda: cg.open("results").decisions.sizes["contrast"] == 2,
    ),
    "a target that is misspelled": (
        "analyze results --target populatio",
        r"did you mean '(\w+)'\?",
        "analyze results --target {0}",
        lambda: attrs("results")["target"] == "population",
    ),
    "parents of one unit": (
        "analyze results --target parents",
        r"or use (--target population)$",
        "analyze results {0}",
        lambda: attrs("results")["target"] == "population",
    ),
    "one predictor": (
        "analyze results --target 'next predictor'",
        r"or use (--target population)$",
        "analyze results {0}",
        lambda: attrs("results")["target"] == "population",
    ),
    "a bound that was passed": (
        "analyze results --largest 0.001",
        r"or leave (--largest) out",
        "analyze results",
        lambda: "largest" not in attrs("results"),
    ),
    "all columns without a table": (
        "show analyzed --all-columns",
        r"add (--tsv)$",
        "show analyzed --all-columns {0}",
        lambda: True,
    ),
    "a check that is none": (
        "refute results --check subset",
        r"did you mean '(subset_of_units)'",
        "refute results --check {0}",
        lambda: True,
    ),
    # ---- pre-registration
    "a lock that is there": (
        "lock trial.toml --out lock.toml",
        r"(choose another name) for this one",
        "lock trial.toml --out other.toml",
        lambda: cg.Protocol.read("other.toml").locked is not None,
    ),
    "results that were not made": (
        "verify r --protocol lock.toml",
        r"make it with: causalgia (run --protocol lock\.toml --out r)$",
        "{0}",
        lambda: "protocol" in outcomes("r").attrs,
    ),
    "a seed that is too large": (
        f"analyze results --rope 0 --rng {2**257}",
        r"takes a whole number from 0 to below .*; for example (--rng 0)$",
        "analyze results --rope 0 {0}",
        lambda: True,
    ),
    "a seed with a point": (
        "analyze results --rope 0 --rng 7.0",
        r"in digits alone: (--rng 7)$",
        "analyze results --rope 0 {0}",
        lambda: cg.open("results").outcomes is not None,
    ),
    # ---- other commands
    "an experiment that is misspelled": (
        "init c.toml --experiment copis",
        r"did you mean '(\w+)'\?",
        "init c.toml --experiment {0}",
        lambda: 'kind = "copies"' in Path("c.toml").read_text(),
    ),
    "a trial file that is there": (
        "init trial.toml",
        r"or (--force) to write over it",
        "init trial.toml {0}",
        lambda: Path("trial.toml").read_text() != TRIAL,
    ),
    "a folder in place of a trial file": (
        "init results",
        r"such as (\S+)$",
        "init {0} --force",
        lambda: Path("results/trial.toml").is_file(),
    ),
    "a library in place of results": (
        "estimate LIB",
        r"predict them with: causalgia (mpra predict trial\.toml --design LIB --out"
        r" virtual)$",
        "{0}",
        lambda: outcomes("virtual").sizes["unit"] == 30,
    ),
}


@pytest.mark.rotating
@pytest.mark.parametrize("case", CASES)
def test_the_shell_is_cured_as_it_says(case, here):
    command, cure, again, holds = CASES[case]
    if case.startswith("a library"):
        shutil.copy("bench.toml", "trial.toml")
        call("mpra", "design", "trial.toml", "--out", "LIB")
    text = shell_refusal(command)
    found = re.search(cure, text)
    assert found, text
    call(*shlex.split(again.format(*found.groups())))
    assert holds()


def test_a_trial_is_given_the_bench_that_it_lacks(here):
    """Each message says what is still wrong, until the library is made."""
    table = re.search(
        r"add one: (\[mpra\]), (oligo_length = \d+), (adapters = \S+),",
        shell_refusal("mpra design trial.toml --out LIB"),
    )
    assert table
    file = Path("trial.toml")
    file.write_text(TRIAL + "\n".join(table.groups()) + "\n")
    length = re.search(
        r"or (oligo_length = \d+)( in \[mpra\])?$",
        shell_refusal("mpra design trial.toml --out LIB"),
    )
    assert length
    file.write_text(file.read_text().replace(table[2], length[1]))
    call("mpra", "design", "trial.toml", "--out", "LIB")
    inserts = cg.mpra.read_library("LIB")["insert"].values.astype(str)
    assert {len(one) for one in inserts} == {60}


@pytest.mark.rotating
def test_a_file_of_positive_controls_that_is_not_there_is_given(here):
    table = '[mpra]\noligo_length = 90\nadapters = "lentimpra"\npositives = "p.fa"\n'
    Path("trial.toml").write_text(TRIAL + table)
    text = shell_refusal("mpra design trial.toml --out LIB")
    found = re.search(
        r"(\w+) = '(p\.fa)': no such file in (.*); give a (FASTA) file$", text
    )
    assert found, text
    one = "ACGTTGCCATGA" * 5
    Path(found[3], found[2]).write_text(f">mine\n{one}\n")
    call("mpra", "design", "trial.toml", "--out", "LIB")
    assert one in cg.mpra.read_library("LIB")["insert"].values.astype(str)


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        ("demo --n-units 20.0", "--n-units 20"),
        ("demo --rng=1e1", "--rng 10"),
        ("run trial.toml --out x --workers 2.0", "--workers 2"),
        ("mpra power --effect 0.5 --barcodes 5,10.0 --replicates 3", "--barcodes 10"),
        ("mpra power --effect 0.5 --barcodes 5 --replicates 3.0", "--replicates 3"),
        ("analyze results --rng 1_0", "--rng 10"),
    ],
)
def test_a_whole_number_is_written_in_digits(command, cure):
    """7.0 was read as 7 by some versions of the parser, 1_0 by others as 10."""
    assert shell_refusal(command).endswith(f"give it in digits alone: {cure}")


def test_a_command_without_words_has_no_number_to_write():
    call("experiments")
