"""Text files that are exported: nothing in them steers a terminal, and names come back from them."""

from __future__ import annotations

import errno
import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from test_cli import call, refused

import causalgia as cg
from causalgia.cli.mpra_commands import read_effects
from causalgia.cli.results import write_answer
from causalgia.inputs import as_cell, from_cell, to_csv

STEERING = (
    "\x1b[31m",
    "\x07",
    "\x9b2J",
    "\u202e",
    "\u2028",
    "\u2029",
    "\u0085",
    "\ufeff",
    "\U000e0001",
)


HOSTILE = "GA\u202eTA\x1b[31m\u2028\\x1b"


@given(
    st.text(
        st.characters()
        | st.sampled_from("\\xuU0157bce'\";=+-@ ＝＋－＠\t\n\x1b\u202e"),
        max_size=12,
    )
)
def test_any_text_comes_back_from_a_cell_that_prints(text):
    cell = as_cell(text)
    assert from_cell(cell) == text
    assert cell.isprintable()
    assert cell == text or not text.isprintable() or "\\" in text


@pytest.mark.parametrize("steering", STEERING)
def test_a_table_holds_nothing_that_steers_a_terminal(steering):
    name = f"GATA{steering}1"
    text = to_csv(
        pd.DataFrame(
            {f"do{steering}": [name], "ace": [1.5]},
            index=pd.Index([name], name="contrast"),
        )
    )
    assert all(line.isprintable() for line in text.split("\n"))
    assert from_cell(text.split("\n")[1].split(",")[0]) == name


def texts_in(folder):
    """Return the text of every file below a folder that is text, by path."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in (".nc", ".png"):
            data = path.read_bytes()
            found[path] = (
                gzip.decompress(data) if path.suffix == ".gz" else data
            ).decode()
    return found


def check_texts(folder):
    found = texts_in(folder)
    assert found
    for path, text in found.items():
        assert all(c.isprintable() or c in "\n\t" for c in text), path
    return {path.name for path in found}


def _bench(folder):
    """Write counts and a side table whose elements and arms have names that steer a
    terminal.
    """
    rng, arms = np.random.default_rng(0), ("none", HOSTILE)
    side = pd.DataFrame(
        [
            (f"o{i}{k}", f"e{i}{HOSTILE}", arms[k], "test")
            for i in range(12)
            for k in range(2)
        ]
    )
    side.columns = ["oligo_name", "element", "arm", "group"]
    rows = []
    for name in np.repeat(side["oligo_name"], 5):
        rna = 90 * 2.0 ** (int(name[1:-1]) / 6 * (name[-1] == "1"))
        rows.append(
            (
                "".join(rng.choice(list("ACGT"), 15)),
                name,
                *rng.poisson(90, 2),
                *rng.poisson(rna, 2),
            )
        )
    columns = [
        "barcode",
        "oligo_name",
        "dna_count_1",
        "dna_count_2",
        "rna_count_1",
        "rna_count_2",
    ]
    pd.DataFrame(rows, columns=columns).to_csv(
        folder / "counts.tsv", sep="\t", index=False
    )
    side.map(as_cell).to_csv(folder / "arms.tsv", sep="\t", index=False)
    return side


@pytest.mark.simulation
def test_every_table_of_the_bench_holds_nothing_that_steers_a_terminal(tmp_path):
    side = _bench(tmp_path)
    out = tmp_path / "measured"
    call(
        *(
            "mpra",
            "analyze",
            tmp_path / "counts.tsv",
            "--design",
            tmp_path / "arms.tsv",
        ),
        *("--control", "none", "--out", out),
    )
    effects = pd.read_csv(out / "effects.tsv", sep="\t").map(
        lambda cell: from_cell(cell) if isinstance(cell, str) else cell
    )
    effects = effects.rename(columns={"term": "element"}).assign(
        effect=np.linspace(-1, 1, 12), se=0.1
    )
    (tmp_path / "effects.csv").write_text(
        to_csv(effects[["element", "effect", "se"]], index=False)
    )
    call(
        "mpra", "compare", tmp_path / "effects.csv", out, "--out", tmp_path / "compared"
    )
    assert check_texts(out) == {
        "answer.txt",
        "effects.tsv",
        "report.html",
    }
    assert check_texts(tmp_path / "compared") == {"comparison.csv"}
    assert set(read_effects(tmp_path / "effects.csv")["element"]) == set(
        side["element"]
    )
    back = pd.read_csv(tmp_path / "compared" / "comparison.csv").map(
        lambda cell: from_cell(cell) if isinstance(cell, str) else cell
    )
    assert set(back["element"]) == set(side["element"])
    assert set(back["contrast"]) == {HOSTILE}


def test_every_file_of_a_library_holds_nothing_that_steers_a_terminal(tmp_path):
    name = r"GATA\x1b"  # a name of an arm can be printed, and looks escaped
    rng, names = (
        np.random.default_rng(0),
        [f"peak{k}{HOSTILE.split(chr(0x2028))[0]}" for k in range(6)],
    )
    fasta = "".join(
        f">{one}\n{''.join(rng.choice(list('ACGT'), 100))}\n" for one in names
    )
    (tmp_path / "peaks.fa").write_text(fasta, encoding="utf-8")
    arms = {"none": cg.Untreated(), name: cg.Embed("GATA", at=9)}
    design = cg.Design(null=cg.Genomic(of=tmp_path / "peaks.fa"), arms=arms, n_units=6)
    library = cg.mpra.library(design, oligo_length=130, adapters="lentimpra", rng=0)
    cg.mpra.write_library(library, tmp_path / "library")
    assert len(check_texts(tmp_path / "library")) > 3
    assert name in set(
        map(from_cell, pd.read_csv(tmp_path / "library" / "arms.tsv", sep="\t")["arm"])
    )


def test_findings_of_an_answer_hold_nothing_that_steers_a_terminal(tmp_path):
    bias = cg.experiments.position(
        cg.Uniform(length=41), "GCGCGC", at=[2, 34], n_units=20
    )
    weights = np.random.default_rng(0).normal(size=(4, 1_000))

    def answers(x):
        return np.exp((x * weights[:, : x.shape[2]]).sum((1, 2)) / 20)

    predictor = cg.FunctionPredictor(answers, tasks=["A"], fingerprint="v1")
    answer = bias.analyze(cg.run(bias, predictor, rng=0, progress=False), rng=0)
    table = xr.Dataset(
        {"word": ("sequence", [HOSTILE, "=1"])},
        coords={"sequence": [f"a{HOSTILE}", "b"]},
    )
    found = {"of each sequence": table}
    write_answer(replace(answer, findings=found, figure=None), tmp_path)
    assert check_texts(tmp_path) == {
        "answer.txt",
        "effects.tsv",
        "finding_of_each_sequence.csv",
    }
    back = pd.read_csv(tmp_path / "finding_of_each_sequence.csv").map(from_cell)
    assert back.to_dict("list") == {
        "sequence": [f"a{HOSTILE}", "b"],
        "word": [HOSTILE, "=1"],
    }


def _asked(verb, folder):
    trial, library = folder / "trial.toml", folder / "library"
    return {
        "run": ("run", trial),
        "run --store": ("run", trial, "--store"),
        "demo": ("demo", "--n-units", 20),
        "mpra design": ("mpra", "design", trial),
        "mpra predict": ("mpra", "predict", trial, "--design", library),
        "mpra analyze": (
            "mpra",
            "analyze",
            folder / "counts.tsv",
            "--design",
            folder / "arms.tsv",
            "--control",
            "none",
        ),
        "mpra compare": (
            "mpra",
            "compare",
            folder / "effects.tsv",
            folder / "measured.tsv",
        ),
    }[verb]


BENCH = """
n_units = 4
rng = 7
null = {kind = "uniform", length = 100}
predictor = {zoo = "gata1_like"}
arms = {placebo = {placebo = "AGATAAG", at = 30}, GATA1 = {embed = "AGATAAG", at = 30}}
analysis = {control = "placebo"}
mpra = {oligo_length = 130, adapters = "lentimpra"}
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "trial.toml").write_text(BENCH)
    call("mpra", "design", folder / "trial.toml", "--out", folder / "library")
    _bench(folder)
    rows = "".join(f"e{i}\t{i / 7}\t0.1\n" for i in range(9))
    for name in ("effects.tsv", "measured.tsv"):
        (folder / name).write_text("element\teffect\tse\n" + rows)
    return folder


UNUSABLE = (
    "/dev/null",
    "/dev/null/x",
    "file",
    "file/x",
    "/proc/x",
    "x" * 300,
    "closed",
    "closed/x",
)


VERBS = (
    "run",
    "run --store",
    "demo",
    "mpra design",
    "mpra predict",
    "mpra analyze",
    "mpra compare",
)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A working folder with what cannot be an output folder; where the system refuses
    to make things in ``closed``.
    """
    (tmp_path / "file").write_text("mine")
    (tmp_path / "closed").mkdir()
    mkdir = os.mkdir

    def closed(path, *more, **options):
        if Path(path).absolute().parent == tmp_path / "closed":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        mkdir(path, *more, **options)

    monkeypatch.setattr(os, "mkdir", closed)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_an_unusable_out_is_refused_before_anything_is_predicted_or_printed(
    inputs, places, monkeypatch, verb
):
    def predicted(*_, **__):
        raise AssertionError("something was computed first")

    monkeypatch.setattr("causalgia.trial.turns.Trial.prepare", predicted)
    monkeypatch.setattr("causalgia.zoo.Oracle.predict", predicted)
    before = sorted(path.name for path in places.rglob("*"))
    for out in UNUSABLE:
        refused(
            *_asked(verb, inputs),
            "--out",
            out,
        )
    assert sorted(path.name for path in places.rglob("*")) == before
    assert (places / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_written_into_is_refused_before_it_is_analyzed(
    inputs, places
):
    call(
        "mpra",
        "predict",
        inputs / "trial.toml",
        "--design",
        inputs / "library",
        "--out",
        places / "out",
    )
    for file in (places / "out").iterdir():
        file.replace(places / "closed" / file.name)
    refused("analyze", places / "closed")


def test_what_stands_in_the_place_of_a_file_is_refused_before_anything_is_predicted(
    inputs, places, monkeypatch
):
    def predicted(*_, **__):
        raise AssertionError("something was computed first")

    monkeypatch.setattr("causalgia.trial.turns.Trial.prepare", predicted)
    (places / "kept" / "trial.zarr").mkdir(parents=True)
    (places / "kept" / "trial.zarr" / "mine").write_text("mine")
    refused(
        "run",
        inputs / "trial.toml",
        "--out",
        "kept",
        "--store",
    )
    assert [path.name for path in (places / "kept").iterdir()] == ["trial.zarr"]
