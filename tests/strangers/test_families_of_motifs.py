"""A discovery speaks of families: variants and the other strand of a motif are one
(stuart-lab/signac#1967, fmicompbio/monaLisa#8).
"""

from types import SimpleNamespace

import pandas as pd

from causalgia._discover import Discovery, _families, _largest

FORKHEADS = ["TGTTTACA", "TGTAAACA", "TTGTTTAC", "TATGTTTAC", "TGTTTGCA"]
AP1 = ["TGACTCA", "TGAGTCA", "ATGACTCAT"]


def table_of(rows):
    table = pd.DataFrame(rows, columns=["consensus", "task", "verdict", "ace"])
    for name in ("lower", "upper"):
        table[name] = table["ace"]
    table = table.assign(name="", variant_of="")
    table["family"] = _families(table)
    return table


ROWS = [
    *((letters, "a", "higher", 3 - i / 10) for i, letters in enumerate(FORKHEADS)),
    *((letters, "a", "higher", 2 - i / 10) for i, letters in enumerate(AP1)),
    ("AGATAAG", "a", "lower", -1.0),
    ("CACGTG", "a", "undecided", 0.5),
    ("TGAGTCA", "b", "higher", 1.0),
    ("TGACTCA", "b", "higher", 0.9),
]


def test_motifs_that_act_are_few_families():
    table = table_of(ROWS)
    assert table["family"].tolist() == [
        *(["TGTTTACA"] * 5),
        *(["TGACTCA"] * 3),
        *("AGATAAG", "", "TGAGTCA", "TGAGTCA"),
    ]
    found = SimpleNamespace(confirmed=table[table["verdict"] != "undecided"])
    families = Discovery.families.fget(found)
    assert families[["motif", "task", "n_motifs"]].values.tolist() == [
        *(["TGTTTACA", "a", 5], ["TGACTCA", "a", 3], ["AGATAAG", "a", 1]),
        ["TGAGTCA", "b", 2],
    ]
    assert families["others"].iloc[1] == "TGAGTCA, ATGACTCAT"


def test_pairs_are_of_different_families_on_both_strands():
    largest, left_out = _largest(table_of(ROWS), both_strands=True)
    assert largest == ["TGTTTACA", "TGACTCA", "AGATAAG"]
    assert sum(sentence.count("(") for sentence in left_out) == 6
