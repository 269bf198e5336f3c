"""Trial files of users: tables, keys and values that would ask for another trial."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from causalgia.errors import DesignError
from causalgia.trial_file import read_library_spec, read_spec
from refusal_rows import Row

FOLDER = tempfile.TemporaryDirectory(prefix="causalgia-rows-")
MINIMAL = """
n_units = 20
rng = 0
[null]
kind = "uniform"
length = 60
[predictor]
zoo = "gata1_like"
[arms.untreated]
[arms.GATA1]
embed = "AGATAAG"
at = 20
"""
EXPERIMENT = """
rng = 0
[experiment]
kind = "copies"
motif = "UGCAUG"
at = [4, 12]
[null]
kind = "uniform"
length = 41
[predictor]
zoo = "rbfox1_like"
"""
REAL = """
rng = 0
[predictor]
zoo = "additive"
[analysis]
rope = 0
[experiment]
kind = "sufficiency"
tiles = [[5, 11]]
"""
BENCH = """
name = "bench"
n_units = 40
rng = 7
null = {kind = "uniform", length = 100}
arms = {placebo = {placebo = "AGATAAG", at = 46}, GATA1 = {embed = "AGATAAG", at = 46}}
analysis = {control = "placebo"}
[mpra]
oligo_length = 130
"""


def read(text: str | bytes) -> Any:
    path = Path(tempfile.mkdtemp(dir=FOLDER.name)) / "trial.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_spec(path)


def with_line(line: str, *, after: str = "rng = 0") -> Any:
    return read(MINIMAL.replace(after, f"{after}\n{line}", 1))


def instead(old: str, new: str = "", text: str = MINIMAL) -> Any:
    assert old in text
    return read(text.replace(old, new, 1))


def library(options: str, text: str = BENCH) -> Any:
    path = Path(tempfile.mkdtemp(dir=FOLDER.name)) / "trial.toml"
    path.write_text(text + options)
    return read_library_spec(path)


def analysis(line: str, text: str = MINIMAL) -> Any:
    return read(f"{text}[analysis]\n{line}\n")


ROWS = [
    Row(
        "no file",
        lambda: read_spec(Path(FOLDER.name) / "gone.toml"),
        DesignError,
        "gone.toml",
    ),
    Row(
        "a file of Latin 1",
        lambda: read("name = 'é'".encode("latin-1")),
        DesignError,
        "trial.toml",
    ),
    Row("no TOML", lambda: instead("rng = 0", "rng = "), DesignError, "line 3"),
    Row("a key at the top", lambda: with_line("n_unit = 5"), DesignError, "n_unit"),
    Row(
        "a key of a null model",
        lambda: with_line("of = 'x.fa'", after="length = 60"),
        DesignError,
        "of",
    ),
    Row(
        "a key of an arm",
        lambda: with_line("fill = 'A'", after="at = 20"),
        DesignError,
        "fill",
    ),
    Row(
        "a key of a step",
        lambda: instead(
            'embed = "AGATAAG"\nat = 20',
            "steps = [{ embed = 'GATA', at = 1 }, { delete = [9, 12], too = 3 }]",
        ),
        DesignError,
        "too",
    ),
    Row(
        "a verb of an arm",
        lambda: instead("embed =", "embedd ="),
        DesignError,
        "embedd",
    ),
    Row(
        "an arm that is no table",
        lambda: instead("[arms.untreated]", "[arms]\nuntreated = 1"),
        DesignError,
        "untreated",
    ),
    Row(
        "a null model that is no table",
        lambda: instead('[null]\nkind = "uniform"\nlength = 60', 'null = "uniform"'),
        DesignError,
        "null",
    ),
    Row("half a unit", lambda: instead("= 20", "= 20.5"), DesignError, "n_units"),
    Row("a seed below 0", lambda: instead("rng = 0", "rng = -1"), DesignError, "rng"),
    Row(
        "a date for a name",
        lambda: with_line("name = 2026-01-01"),
        DesignError,
        "name",
    ),
    Row(
        "an assignment that is none",
        lambda: with_line("assignment = 'paralel'"),
        DesignError,
        "paralel",
    ),
    Row("a format of its own", lambda: with_line("format = 3"), DesignError, "format"),
    Row("a key given twice", lambda: with_line("rng = 1"), DesignError, "line 4"),
    Row("an empty file", lambda: read(""), DesignError, "rng"),
    Row("no rng", lambda: instead("rng = 0"), DesignError, "rng"),
    Row("no number of units", lambda: instead("n_units = 20"), DesignError, "n_units"),
    Row(
        "units as text",
        lambda: instead("n_units = 20", 'n_units = "20"'),
        DesignError,
        "n_units",
    ),
    Row(
        "a share of 1 in reserve",
        lambda: with_line("reserve = 1"),
        DesignError,
        "reserve",
    ),
    Row(
        "a reserve of no parents",
        lambda: with_line("reserve = 0.5"),
        DesignError,
        "reserve",
    ),
    Row(
        "a null model that is none",
        lambda: instead('"uniform"', '"unifrom"'),
        DesignError,
        "unifrom",
    ),
    Row(
        "a null model without its length",
        lambda: instead("length = 60"),
        DesignError,
        "length",
    ),
    Row(
        "a FASTA file that is not there",
        lambda: instead(
            'kind = "uniform"\nlength = 60', 'kind = "shuffle"\nof = "no.fa"'
        ),
        DesignError,
        "no.fa",
    ),
    Row(
        "a word for what is done with N",
        lambda: instead(
            'kind = "uniform"\nlength = 60',
            'kind = "shuffle"\nof = {file = "x.fa", ambiguous = "drawn"}',
        ),
        DesignError,
        "drawn",
    ),
    Row(
        "two predictors",
        lambda: with_line('factory = "a.py:f"', after='zoo = "gata1_like"'),
        DesignError,
        "factory",
    ),
    Row(
        "weights of a network of the zoo",
        lambda: with_line('weights = "x"', after='zoo = "gata1_like"'),
        DesignError,
        "weights",
    ),
    Row(
        "a factory that is not there",
        lambda: instead('zoo = "gata1_like"', 'factory = "nope.py:load"'),
        DesignError,
        "nope.py",
    ),
    Row(
        "a network and its weights that are a number",
        lambda: instead('zoo = "gata1_like"', 'factory = "a.py:f"\nweights = ["a", 3]'),
        DesignError,
        "weights",
    ),
    Row(
        "one network twice",
        lambda: instead(
            'zoo = "gata1_like"', 'factory = "a.py:f"\nweights = ["a", "a"]'
        ),
        DesignError,
        "weights",
    ),
    Row(
        "a device that is none",
        lambda: with_line("device = 'gpu'", after='zoo = "gata1_like"'),
        DesignError,
        "gpu",
    ),
    Row(
        "a site beyond its sequence",
        lambda: instead("at = 20", "at = 55"),
        DesignError,
        "GATA1",
    ),
    Row("a site without a place", lambda: instead("at = 20"), DesignError, "GATA1"),
    Row(
        "a motif that is not in its file",
        lambda: instead('"AGATAAG"', '{ file = "no.meme", motif = "GATA1" }'),
        DesignError,
        "no.meme",
    ),
    Row("one arm", lambda: instead("[arms.untreated]\n"), DesignError, "arms"),
    Row(
        "placebos without a number",
        lambda: read(f"{MINIMAL}[placebos]\nof = 'AGATAAG'\nat = 20\n"),
        DesignError,
        "n",
    ),
    Row(
        "placebos of one letter",
        lambda: read(f"{MINIMAL}[placebos]\nof = 'AAAA'\nat = 20\nn = 3\n"),
        DesignError,
        "placebos",
    ),
    Row(
        "a control that is no arm",
        lambda: analysis("control = 'GATA'"),
        DesignError,
        "control",
    ),
    Row(
        "an interaction of no factor",
        lambda: analysis("interaction = ['A', 'B']"),
        DesignError,
        "A",
    ),
    Row(
        "weights that sum to one half",
        lambda: read(
            f"{MINIMAL}[analysis.contrasts]\nx = {{ GATA1 = 1, untreated = -0.5 }}\n"
        ),
        DesignError,
        "x",
    ),
    Row(
        "a reversed region", lambda: analysis("rope = [0.1, -0.1]"), DesignError, "rope"
    ),
    Row("a level in percent", lambda: analysis("ci_prob = 95"), DesignError, "ci_prob"),
    Row(
        "a target that is none",
        lambda: analysis("target = 'people'"),
        DesignError,
        "target",
    ),
    Row(
        "contrasts of an arm that is none",
        lambda: with_line("contrasts = {site = {GATA = 1, untreated = -1}}"),
        DesignError,
        "GATA",
    ),
    Row(
        "an experiment that is none",
        lambda: instead('"copies"', '"copis"', EXPERIMENT),
        DesignError,
        "copis",
    ),
    Row(
        "a setting that is none",
        lambda: instead("at =", "zzz = 1\nat =", EXPERIMENT),
        DesignError,
        "zzz",
    ),
    Row(
        "a place that is no list",
        lambda: instead("[4, 12]", "4", EXPERIMENT),
        DesignError,
        "at",
    ),
    Row(
        "letters for a list of fills",
        lambda: read(
            'rng = 0\n[predictor]\nzoo = "additive"\n[experiment]\nkind = "necessity"\n'
            'sequences = ["ACGTACGTACGT"]\nmotif = "ACG"\nfills = "uniform"\n'
        ),
        DesignError,
        "fills",
    ),
    Row(
        "units in the table of an experiment",
        lambda: instead("at =", "n_units = 50\nat =", EXPERIMENT),
        DesignError,
        "n_units",
    ),
    Row(
        "sites that overlap",
        lambda: instead("[4, 12]", "[4, 6]", EXPERIMENT),
        DesignError,
    ),
    Row(
        "a site beyond the sequence of an experiment",
        lambda: instead("[4, 12]", "[4, 38]", EXPERIMENT),
        DesignError,
        "38",
    ),
    Row(
        "one unit of an experiment",
        lambda: read(f"n_units = 1\n{EXPERIMENT}"),
        DesignError,
        "n_units",
    ),
    Row(
        "parallel arms of an experiment",
        lambda: read(f"assignment = 'parallel'\n{EXPERIMENT}"),
        DesignError,
        "assignment",
    ),
    Row(
        "arms beside an experiment",
        lambda: read(f"{EXPERIMENT}[arms.untreated]\n"),
        DesignError,
        "arms",
    ),
    Row(
        "a control beside an experiment",
        lambda: analysis("control = 'untreated'", EXPERIMENT),
        DesignError,
        "control",
    ),
    Row(
        "two regions",
        lambda: read(
            EXPERIMENT.replace("at =", "rope = 0\nat =")
            + "[analysis]\nrope = [-1, 1]\n"
        ),
        DesignError,
        "rope",
    ),
    Row("no sequences", lambda: read(REAL), DesignError, "sequences"),
    Row(
        "a file of sequences that is not there",
        lambda: read(f'{REAL}sequences = "gone.fa"\n'),
        DesignError,
        "gone.fa",
    ),
    Row("a library without adapters", lambda: library(""), DesignError, "adapters"),
    Row(
        "a key of a library",
        lambda: library("oligo_lenght = 130\n"),
        DesignError,
        "oligo_lenght",
    ),
    Row(
        "a library in a trial that names no length",
        lambda: read(f"{MINIMAL}[mpra]\nadapters = 'lentimpra'\n"),
        DesignError,
        "oligo_length",
    ),
    Row(
        "positive controls that are not there",
        lambda: library('adapters = "x"\npositives = "no.fa"\n'),
        DesignError,
        "no.fa",
    ),
]
