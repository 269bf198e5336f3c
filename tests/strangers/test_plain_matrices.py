"""Motifs as tables of numbers alone: separated by commas, or written by R and pandas
(issue 44, 11: only a general message).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import SequenceError
from causalgia.sequences import read_motifs

COUNTS = np.array(
    [[1, 3, 2, 14], [13, 0, 0, 7], [7, 1, 1, 11], [20, 0, 0, 0], [1, 2, 16, 1]]
)
SHARES = COUNTS / COUNTS.sum(axis=1, keepdims=True)


def written(table: np.ndarray, separator: str) -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in table.tolist())


def as_r_writes(
    table: np.ndarray, separator: str = " ", head: str = "V", rows: object = True
) -> str:
    """Return write.table's text; write.csv's with a comma."""
    names = [f'"{head}{i + 1}"' for i in range(table.shape[1])]
    first = ['""'] * bool(separator == "," and rows)
    labels = range(1, len(table) + 1) if rows is True else rows or ()
    lines = [separator.join([*first, *names])]
    for i, row in enumerate(table.tolist()):
        name = [f'"{list(labels)[i]}"'] if rows else []
        lines.append(separator.join([*name, *map(str, row)]))
    return "\n".join(lines) + "\n"


def by_pandas(table: np.ndarray, **how: object) -> str:
    return str(pd.DataFrame(table).to_csv(None, **how))


FORMS = {
    "commas": lambda x: written(x, ","),
    "commas and blanks": lambda x: written(x, ", "),
    "semicolons": lambda x: written(x, ";"),
    "semicolons, decimal commas": lambda x: written(x, ";").replace(".", ","),
    "tabs, decimal commas": lambda x: written(x, "\t").replace(".", ","),
    "write.table": as_r_writes,
    "write.table, tabs": lambda x: as_r_writes(x, "\t"),
    "write.table, no quotes": lambda x: as_r_writes(x).replace('"', ""),
    "write.table, no row names": lambda x: as_r_writes(x, rows=False),
    "write.table of a data frame": lambda x: as_r_writes(x, head="X"),
    "write.csv": lambda x: as_r_writes(x, ","),
    "write.csv, no row names": lambda x: as_r_writes(x, ",", rows=False),
    "to_csv": by_pandas,
    "to_csv, no index": lambda x: by_pandas(x, index=False),
    "to_csv, tabs": lambda x: by_pandas(x, sep="\t"),
    "to_csv, neither": lambda x: by_pandas(x, index=False, header=False),
    "under a name": lambda x: ">box\n" + written(x, ","),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("table", [COUNTS, SHARES], ids=["counts", "shares"])
@pytest.mark.parametrize("turned", [False, True])
def test_numbers_alone_are_read_either_way(tmp_path, form, table, turned):
    path = tmp_path / "box.csv"
    path.write_text(FORMS[form](table.T if turned else table))
    (motif,) = read_motifs(path).values()
    assert motif.consensus == "TATAG"
    assert motif.name == "box"
    np.testing.assert_allclose(np.array(motif.probabilities), SHARES)
    assert cg.motif(path).consensus == "TATAG"


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"to_csv, no index"}))
def test_of_four_rows_and_columns_the_sums_tell(tmp_path, form):
    path = tmp_path / "box.csv"
    for table in (COUNTS[:4], COUNTS[:4].T):
        path.write_text(FORMS[form](table))
        assert cg.motif(path).consensus == "TATA"
    path.write_text(FORMS[form](np.roll(np.eye(4, dtype=int), 1, axis=1)))
    with pytest.raises(SequenceError):
        cg.motif(path)


def test_rows_named_by_bases_keep_their_names(tmp_path):
    path = tmp_path / "box.txt"
    order = [3, 0, 2, 1]
    path.write_text(as_r_writes(COUNTS.T[order], rows=["T", "A", "G", "C"]))
    assert cg.motif(path).consensus == "TATAG"


@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize("head", [[], ["base", "1", "2"], ["", "p1", "p2"]])
def test_rows_of_bases_between_marks_need_no_head(tmp_path, mark, head):
    path = tmp_path / "box.csv"
    rows = zip("TAGC", COUNTS.T[[3, 0, 2, 1]].tolist(), strict=True)
    lines = [head] * bool(head) + [[base, *map(str, row)] for base, row in rows]
    path.write_text("".join(mark.join(cells) + "\n" for cells in lines))
    assert cg.motif(path).consensus == "TATAG"


def test_a_first_line_that_may_be_a_head_is_asked_about(tmp_path):
    path = tmp_path / "box.csv"
    uneven = [[0, 1, 2, 3], [9, 1, 1, 1], [2, 14, 3, 1], [1, 1, 1, 30]]
    path.write_text(written(np.array([*uneven, [4, 9, 1, 1]]), ","))
    with pytest.raises(SequenceError):
        cg.motif(path)
    path.write_text("A,C,G,T\n" + path.read_text())
    assert cg.motif(path).consensus == "TACTC"
    # of four rows of three numbers it is the row of A
    path.write_text("0,1,2\n9,1,1\n2,14,3\n1,1,30\n")
    assert cg.motif(path).consensus == "CGT"


TGATAAG = np.array(
    [
        *([2, 3, 2, 93], [5, 5, 85, 5], [96, 1, 2, 1], [1, 1, 1, 97]),
        *([95, 2, 2, 1], [80, 5, 10, 5], [12, 6, 72, 10]),
    ]
)
BY_BASE = [" ".join(map(str, row)) for row in TGATAAG.T]
BY_SITE = [" ".join(f"{x / 100:.2f}" for x in row) for row in TGATAAG]
OF_TOOLS = {
    # name of the first motif, and how many there are
    "ENCODE (Kheradpour)": (
        ">GATA_known1 GATA1_jaspar\n"
        + "".join(f"{b} {row}\n" for b, row in zip("KGATAAG", BY_SITE, strict=True))
        + ">GATA_disc1 GATA1_K562\n"
        + "".join(f"{b} {row}\n" for b, row in zip("TGATAAG", BY_SITE, strict=True)),
        "GATA1_jaspar",
        2,
    ),
    "RSAT": (
        "; MET4 matrix, from Gonze et al. (2005)\n"
        + "".join(f"{b}\t|\t{x}\n" for b, x in zip("acgt", BY_BASE, strict=True))
        + "//\n; a second\n"
        + "".join(f"{b}\t|\t{x}\n" for b, x in zip("acgt", BY_BASE, strict=True))
        + "//\n",
        "box",
        2,
    ),
    "ChIPMunk": (
        "OUTC|ru.autosome.ChIPMunk\nMOTF|TGATAAG\n"
        + "".join(f"{b}|{x}\n" for b, x in zip("ACGT", BY_BASE, strict=True))
        + "THRE|5.2\nWORD|1.0|TGATAAG\n",
        "box",
        1,
    ),
    "print of R": (
        "  [,1] [,2] [,3] [,4] [,5] [,6] [,7]\n"
        + "".join(f"{b} {x}\n" for b, x in zip("ACGT", BY_BASE, strict=True)),
        "box",
        1,
    ),
    "a spreadsheet with decimal commas": (
        "\ufeffA;C;G;T\r\n"
        + "".join(f"{x}\r\n" for x in BY_SITE).replace(" ", ";").replace(".", ","),
        "box",
        1,
    ),
    "a spreadsheet with decimal commas and positions": (
        "Pos\tA\tC\tG\tT\n"
        + "".join(
            f"{i}\t{x}\n".replace(" ", "\t").replace(".", ",")
            for i, x in enumerate(BY_SITE, 1)
        ),
        "box",
        1,
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", OF_TOOLS)
def test_what_other_tools_write_is_read_under_its_own_name(tmp_path, form):
    # refused, called "DIAG|ok" or "[,2] [,3] ...", or "1 of 2 motifs has no position"
    text, name, n = OF_TOOLS[form]
    path = tmp_path / "box.txt"
    path.write_bytes(text.encode())
    found = read_motifs(path)
    assert [one.consensus for one in found.values()] == ["TGATAAG"] * n
    assert next(iter(found)) == name


def test_motifs_of_biopython_and_tensors_are_motifs():
    # "a motif cannot be made of a Motif (motif indices must be slices); give ... a Motif"
    from Bio import motifs

    made = motifs.create(["TGATAAG", "TGATAAG", "AGATAAG"])
    made.name = "GATA"
    assert (cg.motif(made).name, cg.motif(made).consensus) == ("GATA", "TGATAAG")
    assert cg.motif(made.reverse_complement()).consensus == "CTTATCA"
    null = cg.Uniform(length=60)
    screen = cg.experiments.motif_screen({"one": made, "two": "CCACACCC"}, null)
    assert {"one", "two"} <= {arm.name for arm in screen.named_arms}
    torch = pytest.importorskip("torch")
    table = torch.tensor(TGATAAG / 100, requires_grad=True)
    assert cg.motif(table).consensus == "TGATAAG"
