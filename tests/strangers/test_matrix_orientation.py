"""Orientation of matrices of four rows and columns, and files of motifs that have positions as rows. A
user's report.
"""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import SequenceError
from causalgia.sequences import read_motifs

TATA = ((1, 3, 2, 14), (13, 0, 0, 7), (7, 1, 1, 11), (20, 0, 0, 0))
SPACED = "\n".join(" ".join(map(str, row)) for row in TATA)
NUMBERED = "\n".join(
    "\t".join(map(str, (i, *row))) for i, row in enumerate(TATA, start=1)
)
SHARES = "\n".join("\t".join(f"{n / 20:.4f}" for n in row) for row in TATA)
FILES = {
    "Cluster-Buster": f">box\n{SPACED}\n",
    "a comment first": f"# TATA boxes\n>box\n{SPACED}\n",
    "GimmeMotifs": f">box\n{SHARES}\n",
    "HOCOMOCO pcm": ">box\n" + SPACED.replace(" ", "\t"),
    "CIS-BP": "Pos\tA\tC\tG\tT\n"
    + "\n".join(
        f"{i}\t" + "\t".join(f"{n / 20}" for n in row) for i, row in enumerate(TATA, 1)
    ),
    "TRANSFAC": f"AC M1\nXX\nID box\nXX\nPO\tA\tC\tG\tT\n{NUMBERED}\nXX\n//\n",
    "TRANSFAC with P0 and a consensus": "ID box\nBF x\nP0      A      C      G      T\n"
    + "\n".join(f"0{i} {' '.join(map(str, row))} N" for i, row in enumerate(TATA, 1))
    + "\nXX\n//\n",
}


@pytest.mark.parametrize("form", FILES)
def test_rows_are_positions(tmp_path, form):
    path = tmp_path / "box.txt"
    path.write_text(FILES[form])
    (motif,) = read_motifs(path).values()
    assert motif.consensus == "TATA"
    assert cg.read_patterns(path)[motif.name].consensus == "TATA"


def test_rows_are_bases_where_columns_have_one_sum(tmp_path):
    # a second example: the transpose of a matrix whose columns count the same sites
    path = tmp_path / "box.jaspar"
    path.write_text(
        ">MA1 box\n" + "\n".join(" ".join(map(str, x)) for x in zip(*TATA, strict=True))
    )
    assert read_motifs(path)["box"].consensus == "TATA"


@pytest.mark.parametrize(
    "rows",
    [
        "0 20 0 0\n0 0 20 0\n0 0 0 20\n20 0 0 0\n",
        "0.1 0.7 0.1 0.1\n0.1 0.1 0.7 0.1\n0.1 0.1 0.1 0.7\n0.7 0.1 0.1 0.1\n",
    ],
)
def test_where_both_fit_the_reader_asks(tmp_path, rows):
    path = tmp_path / "box.txt"
    path.write_text(f">box\n{rows}")
    with pytest.raises(SequenceError):
        read_motifs(path)
    # the letters of the rows, or the names of the columns, say it
    path.write_text(
        ">box\n"
        + "".join(
            f"{base} [ {row} ]\n"
            for base, row in zip("ACGT", rows.splitlines(), strict=True)
        )
    )
    assert read_motifs(path)["box"].consensus
    path.write_text(
        "ID box\nPO A C G T\n"
        + "".join(f"{i} {row}\n" for i, row in enumerate(rows.splitlines(), 1))
    )
    assert read_motifs(path)["box"].consensus


COLUMNS = "\n".join(" ".join(map(str, x)) for x in zip(*TATA, strict=True)).splitlines()
LOG_ODDS = [
    [math.log((n + math.log(20) / 4) / (20 + math.log(20)) / 0.25) for n in row]
    for row in TATA
]
NAMED = {
    "columns in another order": "ID box\nPO T G C A\n"
    + "\n".join(f"{i} {t} {g} {c} {a}" for i, (a, c, g, t) in enumerate(TATA, 1))
    + "\n//\n",
    "columns without positions": "A,C,G,T\n"
    + "\n".join(",".join(map(str, row)) for row in TATA),
    "columns under a name": f">box\nA\tC\tG\tT\n{SPACED}\n",
    "rows in another order": ">box\n"
    + "\n".join(f"{base} [ {COLUMNS['ACGT'.index(base)]} ]" for base in "AGCT"),
    "UniPROBE": "box\n\n"
    + "\n".join(f"{base}:\t{row}" for base, row in zip("ACGT", COLUMNS, strict=True)),
    "UniPROBE's own head": "Protein: box\tSeed k-mer: TATA\tEnrichment Score: 0.49\n\n"
    + "\n".join(f"{base}:\t{row}" for base, row in zip("ACGT", COLUMNS, strict=True)),
    "a row above with the positions": "Base 1 2 3 4\n"
    + "\n".join(f"{base} {row}" for base, row in zip("ACGT", COLUMNS, strict=True)),
    "HOMER's head above counts": f">TATA\tbox\t6.1\n{SPACED}\n",
    "HOCOMOCO pwm": ">box\n"
    + "\n".join("\t".join(f"{x:.6f}" for x in row) for row in LOG_ODDS),
    "log-odds in bits": ">box\n"
    + "\n".join("\t".join(f"{x / math.log(2):.4f}" for x in row) for row in LOG_ODDS),
    "log-odds, rows are bases": ">box\n"
    + "\n".join(
        f"{base} [ {' '.join(f'{x:.4f}' for x in row)} ]"
        for base, row in zip("ACGT", zip(*LOG_ODDS, strict=True), strict=True)
    ),
}


@pytest.mark.parametrize("form", NAMED)
def test_bases_are_known_by_their_letters(tmp_path, form):
    path = tmp_path / "box.txt"
    path.write_text(NAMED[form])
    (motif,) = read_motifs(path).values()
    assert motif.name == "box"
    assert motif.consensus == "TATA"


def test_a_matrix_that_is_the_same_either_way_is_read(tmp_path):
    path = tmp_path / "box.txt"
    path.write_text(">box\n20 0 0 0\n0 0 20 0\n0 20 0 0\n0 0 0 20\n")
    assert read_motifs(path)["box"].consensus == "AGCT"


WITH_NUMBERS = [[4, 5, 87, 4], [90, 4, 3, 3], [2, 3, 2, 93], [95, 1, 2, 2]]


def numbered_rows(sep: str, start: int) -> str:
    return "".join(
        sep.join(map(str, (i, *row))) + "\n"
        for i, row in enumerate(WITH_NUMBERS, start)
    )


@pytest.mark.parametrize(
    "text",
    [
        "\tA\tC\tG\tT\n" + numbered_rows("\t", 0),
        ",A,C,G,T\n" + numbered_rows(",", 0),
        "idx,A,C,G,T\n" + numbered_rows(",", 1),
        '"A" "C" "G" "T"\n' + re.sub(r"(?m)^(\d)", r'"\1"', numbered_rows(" ", 1)),
        ">m\n" + numbered_rows("\t", 1),
        numbered_rows(" ", 0),
    ],
    ids=["pandas", "pandas, csv", "named", "R", "under a name", "alone"],
)
def test_numbers_of_positions_are_no_counts(tmp_path, text):
    """What `DataFrame.to_csv` of pandas and `write.table` of R write."""
    (tmp_path / "m.txt").write_text(text)
    (motif,) = cg.sequences.read_motifs(tmp_path / "m.txt").values()
    assert motif.consensus == "GATA"
    np.testing.assert_allclose(motif.probabilities, np.array(WITH_NUMBERS) / 100)


def test_five_positions_of_which_the_first_counts_up_are_read_by_base(tmp_path):
    rows = [[1, 8, 0, 0, 5], [2, 1, 0, 9, 1], [3, 1, 0, 1, 2], [4, 0, 10, 0, 2]]
    text = "\n".join(" ".join(map(str, row)) for row in rows)
    (tmp_path / "m.txt").write_text(f">m\n{text}\n")
    (motif,) = cg.sequences.read_motifs(tmp_path / "m.txt").values()
    assert motif.consensus == "TATCA"
