"""What composition does to a network, and what words of the bench do that no genome put
there: adapters, restriction sites of cloning, runs of one base.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from causalgia.choices import DIRECTIONS
from causalgia.design import (
    Arm,
    Design,
    DinucleotideShuffle,
    Embed,
    Scramble,
    Untreated,
)
from causalgia.design.null_model import gc_content
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.sequences import Motif, find_instances
from causalgia.types import Array, Tokens

GC, DINUCLEOTIDES = "GC 30 to 70 %", "dinucleotides"
TECHNICAL = {
    "poly-A, 10 bp": "A" * 10,
    "poly-A, 15 bp": "A" * 15,
    "poly-G, 10 bp": "G" * 10,
    "Illumina TruSeq adapter": "AGATCGGAAGAGC",
    "Nextera adapter": "CTGTCTCTTATACACATCT",
    "lentiMPRA, left adapter": "AGGACCGGATCAACT",
    "lentiMPRA, right adapter": "CATTGCGTGAACCGA",
    "MPRA, left adapter": "ACTGGCCGCTTGACG",
    "MPRA, right adapter": "CACTGCGGCTCCTGC",
    "KpnI and XbaI sites": "GGTACCTCTAGA",
}
"""Words of the bench. Adapters: Illumina, document 1000000002694; lentiMPRA, Gordon et
al. (2020), doi:10.1038/s41596-020-0333-5; MPRA, Tewhey et al. (2016),
doi:10.1016/j.cell.2016.04.027. Restriction sites between element and barcode: Melnikov et
al. (2012), doi:10.1038/nbt.2137.
"""
COLUMNS = ("feature", "task", "effect", "lower", "upper", "verdict", "q", "acts")


def technical_words(length: int) -> dict[str, str]:
    """Return the words of the bench that fit sequences of a length twice."""
    return {name: word for name, word in TECHNICAL.items() if 2 * len(word) <= length}


def features_in(
    null: DinucleotideShuffle, words: Mapping[str, str], *, n_units: int
) -> Design:
    """Return the trial of words in the middle of shuffles, and of dinucleotides, which a
    shuffle of single bases loses.
    """
    length = null.length
    arms = [
        Arm("untreated", Untreated()),
        Arm("single bases", Scramble((0, length), k=1)),
        *(
            Arm(name, Embed(word, at=(length - len(word)) // 2))
            for name, word in words.items()
        ),
    ]
    return Design(null=null, arms=arms, n_units=n_units, contrasts="untreated")


def contrasts_of(words: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return the contrasts of `features_in`."""
    return {DINUCLEOTIDES: {"untreated": 1.0, "single bases": -1.0}} | {
        name: {name: 1.0, "untreated": -1.0} for name in words
    }


def composition_table(rows: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of features and tasks, with q over all of them, and whether each
    acts: has a verdict of a direction at a false discovery rate of .05.
    """
    table = pd.concat(rows, ignore_index=True)
    q = stepwise(table.pop("p").to_numpy(float), "bh")
    acts = table["verdict"].isin(DIRECTIONS).to_numpy() & (q <= 0.05)
    return table.assign(q=q, acts=acts)[list(COLUMNS)]


def composition_features(tokens: Tokens, table: pd.DataFrame) -> Array:
    """Return GC, its square, CpG, and how often each sequence has each word of the bench
    that acts, on each strand, (n, p).
    """
    n = len(tokens)
    gc = gc_content(tokens)
    cpg = ((tokens[:, :-1] == 1) & (tokens[:, 1:] == 2)).mean(axis=1)
    columns = [gc, gc**2, cpg]
    acts = set(table.loc[table["acts"].astype(bool), "feature"])
    for name, word in technical_words(tokens.shape[1]).items():
        if name not in acts:
            continue
        found = find_instances(tokens, Motif.from_iupac(word), overlapping=True)
        columns += [
            np.bincount(found.row[found.strand == strand], minlength=n).astype(float)
            for strand in "+-"
        ]
    return np.column_stack(columns)
