"""Errors of the parts of an oligo: what each message says is given, and the library is
made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cures import Cases, cured, number_in, refusal

import causalgia as cg
from causalgia.mpra.libraries.barcode_sets import barcodes

case = Cases()
mpra = cg.mpra

DESIGN = cg.Design(
    null=cg.Uniform(length=60),
    arms={"untreated": cg.Untreated(), "word": cg.Embed("AGATAAG", at=20)},
    n_units=2,
)
GIVEN: dict[str, Any] = {
    "design": DESIGN,
    "oligo_length": 80,
    "adapters": ("ACTGGCCGCT", "CCTGCAGGTC"),
    "controls": mpra.Controls(n_scrambles=2),
    "rng": 0,
}


@case
def adapters_with_letters_that_are_no_bases() -> Any:
    """A record was told to be dropped, or its N to be drawn in a file."""
    for letters in ("ACTGGCCGCX", "ACTGGCCGCN"):
        text = refusal(mpra.library, **GIVEN | {"adapters": (letters, "CCTGCAGGTC")})
        assert text.startswith(f"adapter '{letters}': letter '{letters[-1]}'"), text
        assert text.endswith("is not a base; write it in A, C, G and T")
    return mpra.library(**GIVEN).sizes["row"]


@case
def a_run_of_one_base_in_an_adapter() -> Any:
    """Another null model was offered, which leaves the adapter as it is."""
    given = GIVEN | {"adapters": ("ACTAAAAAAAAAAAG", "CCTGC")}
    return cured(mpra.library, given, r"such runs, (rules=.*?\)), or", cg=cg).sizes[
        "row"
    ]


@case
def barcodes_that_one_letter_more_does_not_make_enough() -> Any:
    text = refusal(barcodes, 150, length=5, rng=0)
    longer = number_in(text, r"make barcodes longer \(length=(\d+)\)")
    assert longer > 6
    return len(barcodes(150, length=longer, rng=0)) == 150


@case
def an_allele_that_is_longer_than_an_insert(tmp_path: Path) -> Any:
    """Smaller offsets were offered of an allele that fits at none."""
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 200))
    (tmp_path / "g.fa").write_text(f">chr1\n{letters}\n")
    place = {"chrom": ["chr1"], "pos": [70], "alt": [letters[69]]}
    given = {"fasta": tmp_path / "g.fa", "insert_length": 30}
    wide, narrow = (
        pd.DataFrame(place | {"ref": [letters[69:end]]}) for end in (105, 72)
    )
    text = refusal(mpra.variant_tiles, wide, **given)
    assert "beyond the insert of 30; give longer inserts, or drop" in text
    assert mpra.variant_tiles(wide, **given | {"insert_length": 40})
    text = refusal(mpra.variant_tiles, narrow, offsets=(20,), **given)
    assert "give longer inserts, smaller offsets=, or drop it" in text
    return mpra.variant_tiles(narrow, offsets=(5,), **given)


@case.each
def test_the_cure_of_an_oligo_is_applied_and_succeeds(case, tmp_path):
    assert case(tmp_path) if case.__code__.co_argcount else case()
