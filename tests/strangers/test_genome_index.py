# Imports from the inside: the genome, whose scans are counted.
"""A genome is scanned once, or not at all where a true index lies beside it. A user's report."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from causalgia.sequences import genome as genome_module
from causalgia.sequences.genome import Genome

LINES = ">chr1 first\nACGTA\nCGTTG\nCA\n>chr2\nGGGTT\nT\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    genome_module._INDEX_OF_FILE.clear()
    path = tmp_path / "g.fa"
    path.write_text(LINES)
    return path


def write_index(path: Path, text: str = LINES) -> Path:
    rows = []
    for header, body in re.findall(r">(.*)\n([^>]*)", text):
        start = text.index(header) + len(header) + 1
        rows.append((header.split()[0], len(body.replace("\n", "")), start, 5, 6))
    index = Path(f"{path}.fai")
    index.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return index


def letters(path: Path) -> tuple[bytes, bytes, dict[str, int]]:
    with Genome(path) as genome:
        return (
            genome.letters("chr1", 3, 12, place="x"),
            genome.letters("chr2", 0, 6, place="x"),
            genome.lengths,
        )


WANTED = (b"TACGTTGCA", b"GGGTTT", {"chr1": 12, "chr2": 6})


def test_a_true_index_takes_the_place_of_the_scan(place, monkeypatch):
    write_index(place)
    monkeypatch.setattr(Genome, "_scan", lambda _: pytest.fail("scanned"))
    assert letters(place) == WANTED
    assert [one.name for one in place.parent.iterdir()] != []  # and none is written
    assert {one.name for one in place.parent.iterdir()} == {"g.fa", "g.fa.fai"}


def test_a_genome_is_scanned_once_and_again_when_it_changed(place, monkeypatch):
    scans = []
    scan = Genome._scan
    monkeypatch.setattr(Genome, "_scan", lambda one: scans.append(1) or scan(one))
    assert letters(place) == letters(place) == WANTED
    assert len(scans) == 1
    place.write_text(LINES.replace("chr2", "chr9"))
    with Genome(place) as genome:
        assert list(genome.lengths) == ["chr1", "chr9"]
    assert len(scans) == 2


@pytest.mark.parametrize("flaw", ["older", "other names", "shifted", "text", "wider"])
def test_an_index_that_is_not_true_is_left_alone(place, flaw):
    index = write_index(place)
    rows = index.read_text()
    if flaw == "older":
        index.write_text(rows.replace("12\t12\t", "11\t12\t"))
        os.utime(index, ns=(1, 1))
    elif flaw == "other names":
        index.write_text(rows.replace("chr2", "chr3"))
    elif flaw == "shifted":
        index.write_text(rows.replace("\t12\t12\t", "\t12\t13\t"))
    elif flaw == "text":
        index.write_text("an index\n")
    else:
        index.write_text(rows.replace("\t5\t6", "\t6\t7"))
    assert letters(place) == WANTED
