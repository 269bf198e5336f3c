"""Errors about a list of variants: the list is edited, or left-out lines accounted for,
as the message says, and the effects are those of the right list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_cli import call

GENOME = "".join(np.random.default_rng(0).choice(list("ACGT"), 1500))
PAIR = dict(zip("ACGT", "TGCA", strict=True))
Row = tuple[str, int, str, str, str]
RIGHT: list[Row] = [
    ("chr1", p + 1, f"v{p}", GENOME[p], "ACGT"["CATG".index(GENOME[p])])
    for p in range(200, 1300, 90)
]
NET = """
def load():
    return lambda x: x[:, 1:3].sum(1) @ (1 + 0.01 * __import__("numpy").arange(100))
"""


def swapped(rows: list[Row]) -> list[Row]:
    return [(c, p, name, alt, ref) for c, p, name, ref, alt in rows]


def complemented(rows: list[Row]) -> list[Row]:
    return [(c, p, name, PAIR[ref], PAIR[alt]) for c, p, name, ref, alt in rows]


def renamed(rows: list[Row], chromosome: str) -> list[Row]:
    return [(chromosome, *row[1:]) for row in rows]


EDGE: Row = ("chr1", 5, "edge", GENOME[4], PAIR[GENOME[4]])
STAR: Row = ("chr1", 150, "star", GENOME[149], "*")
WRONG: Row = ("chr1", 150, "wrong", PAIR[GENOME[149]], GENOME[149])

CASES: dict[str, tuple[list[Row], str, Callable[..., tuple[list[Row], list[str]]]]] = {
    # the list, what the message says, and the list and the options that follow from it
    "REF and ALT swapped": (
        swapped(RIGHT),
        r"REF and ALT swapped: .*; (exchange the two columns)",
        lambda rows, _: (swapped(rows), []),
    ),
    "the other strand": (
        complemented(RIGHT),
        r"on the other strand: .*; (complement both alleles)",
        lambda rows, _: (complemented(rows), []),
    ),
    "a chromosome without chr": (
        renamed(RIGHT, "1"),
        r"did you mean '(chr1)'\? Rename",
        lambda rows, name: (renamed(rows, name), []),
    ),
    "one reference allele of another genome": (
        [*RIGHT, WRONG],
        r"\? (--skip-mismatches) leaves them out$",
        lambda rows, option: (rows, [option]),
    ),
    "a window that leaves the chromosome": (
        [EDGE, *RIGHT],
        r"leave such lines out by (--skip edge)$",
        lambda rows, option: (rows, option.split()),
    ),
    "a window that leaves it, dropped": (
        [EDGE, *RIGHT],
        r"variant '(\w+)': window .* leaves the chromosome, .*; drop it",
        lambda rows, name: ([row for row in rows if row[2] != name], []),
    ),
    "a symbolic allele": (
        [STAR, *RIGHT],
        r"leave such lines out by (--skip symbolic)$",
        lambda rows, option: (rows, option.split()),
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    (folder / "genome.fa").write_text(f">chr1\n{GENOME}\n")
    (folder / "my_net.py").write_text(NET)
    (folder / "net.toml").write_text(
        'predictor = {factory = "my_net.py:load", tasks = ["a"]}\n'
    )
    write(folder / "calls.vcf", RIGHT)
    call(*command(folder, "calls.vcf"), "--out", folder / "right")
    return folder


def write(path: Path, rows: list[Row]) -> None:
    lines = [
        f"{c}\t{p}\t{name}\t{ref}\t{alt}\t.\t.\t." for c, p, name, ref, alt in rows
    ]
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    path.write_text("\n".join([head, *lines]) + "\n")


def command(folder: Path, calls: str) -> list[object]:
    return [
        *("variants", folder / calls, "--genome", folder / "genome.fa"),
        *("--predictor", folder / "net.toml", "--length", 100, "--null", "none"),
    ]


def effects(folder: Path) -> pd.Series:
    found = pd.read_csv(folder / "variants.tsv", sep="\t", comment="#")
    return found.set_index("variant")["effect"].sort_index()


@pytest.mark.rotating
@pytest.mark.parametrize("case", CASES)
def test_a_list_of_variants_is_cured_as_the_message_says(
    case, place, tmp_path, monkeypatch
):
    rows, cure, follow = CASES[case]
    write(place / "broken.vcf", rows)
    text = call(*command(place, "broken.vcf"), "--out", tmp_path / "x", code=2).stderr
    found = re.search(cure, text.rstrip("\n"))
    assert found, text
    rows, options = follow(rows, *found.groups())
    write(place / "cured.vcf", rows)
    call(*command(place, "cured.vcf"), *options, "--out", tmp_path / "out")
    got, right = effects(tmp_path / "out"), effects(place / "right")
    pd.testing.assert_series_equal(got, right)
    assert right.abs().min() > 0.1
