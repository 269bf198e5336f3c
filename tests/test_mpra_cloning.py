# Imports from the inside: overlaps of words with ambiguous letters, against a search.
"""Orders as a lab clones them: each oligo is cut where the protocol cuts it, there
alone, in plasmid from E. coli.
"""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from assay import library_of

import causalgia as cg
from causalgia.errors import DesignError
from causalgia.mpra.formats import to_csv
from causalgia.mpra.libraries.barcode_sets import barcodes as barcode_set
from causalgia.mpra.libraries.constructs import _overlaps, data_table, site

MELNIKOV = ("ACTGGCCGCTTCACTG", "GGTACCTCTAGA", "AGATCGGAAGAGCGTCG")
LETTERS = {"N": "[ACGT]", "W": "[AT]"}
METHYLATED = {"dam": "GATC", "dcm": "CCWGG"}


def reverse(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def places(word, text):
    """Return where a word starts on either strand, overlapping places too."""
    found = set()
    for strand in (word, reverse(word)):
        pattern = "".join(LETTERS.get(letter, letter) for letter in strand)
        found |= {match.start() for match in re.finditer(f"(?={pattern})", text)}
    return sorted(found)


def cut(text, word, blocked_by=None):
    """Return where an enzyme cuts a plasmid: at its sites that no methylated one
    overlaps.
    """
    methylated = [] if blocked_by is None else places(METHYLATED[blocked_by], text)
    reach = 0 if blocked_by is None else len(METHYLATED[blocked_by])
    return [
        at
        for at in places(word, text)
        if not any(at - reach < m < at + len(word) for m in methylated)
    ]


def design(length=164, n_units=40):
    arms = {
        "placebo": cg.Placebo("AGATAAG", at=50),
        "GATA1": cg.Embed("AGATAAG", at=50),
    }
    return cg.Design(null=cg.Uniform(length=length), arms=arms, n_units=n_units)


@pytest.fixture(scope="module")
def ordered():
    return cg.mpra.library(
        design(),
        oligo_length=221,
        adapters="melnikov",
        barcodes_per_oligo=8,
        barcode_rules=cg.mpra.BarcodeRules(length=12),
        rng=7,
    )


def test_every_oligo_is_cut_at_both_sites_of_the_junction_in_plasmid_from_common_strains(
    ordered,
):
    before, after = 0, 0
    for oligo, barcode, insert in zip(
        *(ordered[x].values for x in ("oligo", "barcode", "insert")), strict=True
    ):
        assert places("GGCCNNNNNGGCC", oligo) == []
        (kpn,), (xba,) = cut(oligo, "GGTACC"), cut(oligo, "TCTAGA", "dam")
        # what is left of the oligo when the reporter is put between the two cuts
        before, after = oligo[: kpn + 5], oligo[xba + 1 :]
        assert before == MELNIKOV[0] + insert + "GGTAC"
        assert after == "CTAGA" + barcode + MELNIKOV[2]
    assert sum(barcode.startswith("TC") for barcode in ordered["barcode"].values) == 0
    assert sum(barcode.startswith("T") for barcode in ordered["barcode"].values) > 100


def test_the_pool_has_one_length_with_the_promoter_alone_in_it(ordered):
    assert set(map(len, ordered["oligo"].values)) == {221}
    alone = ordered["oligo"].values[ordered["group"].values == "promoter"]
    assert len(alone) == 48
    fillers = {
        oligo[len(MELNIKOV[0]) + 6 : -(6 + 12 + len(MELNIKOV[2]))] for oligo in alone
    }
    assert len(fillers) == 1
    assert len(fillers.pop()) == 164


def test_no_two_oligos_or_barcodes_are_taken_for_each_other(ordered):
    oligos, barcodes = (
        ordered["oligo"].values.tolist(),
        ordered["barcode"].values.tolist(),
    )
    either = {min(oligo, reverse(oligo)) for oligo in oligos}
    assert len(either) == len(oligos)
    some = np.random.default_rng(0).choice(len(barcodes), 200, replace=False)
    assert (
        min(
            sum(a != b for a, b in zip(barcodes[i], barcodes[j], strict=True))
            for i, j in combinations(some, 2)
        )
        >= 3
    )


def test_no_barcode_primes_the_pcr_of_the_pool():
    library = cg.mpra.library(
        design(n_units=300),
        oligo_length=221,
        adapters="melnikov",
        barcodes_per_oligo=8,
        barcode_rules=cg.mpra.BarcodeRules(length=12),
        rng=7,
    )
    left, right = MELNIKOV[0][-8:], MELNIKOV[2][:8]
    ends = (left, reverse(left), right, reverse(right))
    assert not any(
        end in barcode for barcode in library["barcode"].values for end in ends
    )


def test_oligos_of_other_lengths_are_a_pool_of_their_own(ordered, tmp_path):
    alone = ordered["group"].values == "promoter"
    whole = ordered["oligo"].values
    emptied = np.array(
        [
            x[:22] + x[-35:] if short else x
            for x, short in zip(whole, alone, strict=True)
        ],
        object,
    )
    assert set(map(len, emptied)) == {57, 221}
    with pytest.raises(DesignError):
        cg.mpra.write_library(ordered.assign(oligo=("row", emptied)), tmp_path / "LIB")
    assert not (tmp_path / "LIB").exists()
    nearly = np.array(
        [x[1:] if short else x for x, short in zip(whole, alone, strict=True)], object
    )
    to_csv(ordered.assign(oligo=("row", nearly)), tmp_path / "order.csv")


def test_adapters_of_ones_own_with_sites_that_are_meant():
    asked = {
        "barcodes_per_oligo": 4,
        "barcode_length": 12,
        "rng": 3,
        "n_scrambles": 20,
        "n_duplicates": 5,
    }
    # XbaI | insert | KpnI SpeI | barcode
    own = ("ACTGGCCGCTTCTAGA", "GGTACCACTAGT", "AGATCGGAAGAGCGTCG")
    meant = {"XbaI": 1, "KpnI": 1, "SpeI": 1, "EcoRI": 0}
    library = library_of(design(), oligo_length=221, adapters=own, avoid=meant, **asked)
    for oligo, insert in zip(
        library["oligo"].values, library["insert"].values, strict=True
    ):
        assert [len(places(site(name).letters, oligo)) for name in meant] == [
            1,
            1,
            1,
            0,
        ]
        assert len(cut(oligo, "TCTAGA", "dam")) == 1
        assert not insert.startswith("TC")
    assert set(map(len, library["oligo"].values)) == {221}
    assert (library["group"].values == "promoter").sum() == 24


def test_enzymes_of_the_construct_are_avoided_beside_further_ones():
    library = cg.mpra.library(
        design(n_units=200),
        oligo_length=219,
        adapters="melnikov",
        rules=cg.mpra.OligoRules(avoid=["EcoRI"]),
        barcodes_per_oligo=1,
        rng=7,
    )
    for name, n in {"EcoRI": 0, "SfiI": 0, "KpnI": 1, "XbaI": 1}.items():
        assert {
            len(places(site(name).letters, oligo)) for oligo in library["oligo"].values
        } == {n}


def test_a_scramble_of_a_background_that_keeps_no_rule_is_drawn_from_another():
    dice = np.random.default_rng(0)
    sequences = {f"s{i}": "".join(dice.choice(list("ACGT"), 200)) for i in range(30)}
    # 67 % G and C: no shuffle of it is between 25 and 65 %
    rich = dice.permutation(list("GC" * 67 + "AT" * 33))
    sequences["rich"] = "".join(rich)
    arms = {
        "one": cg.Embed("ACATGTCATAACTAATATATATTTA", at=80),
        "two": cg.Embed("TGTACATAGTTATTATTTATATTTA", at=80),
    }
    genomic = cg.Design(null=cg.Genomic(of=sequences), arms=arms, n_units=31)
    library = cg.mpra.library(
        genomic,
        oligo_length=220,
        adapters=("ACGTTGCAAC", "TGCATTGCAT"),
        rng=7,
        rules=cg.mpra.OligoRules(repeats=1.0),
    )
    assert (library["arm"].values == "scramble").sum() == 100
    assert "rich" in library["parent"].values[library["group"].values == "test"]


# the rule itself


def test_words_of_a_blocked_site_hold_it_and_a_methylated_one():
    assert site("XbaI").blocked == ("GATCTAGA", "TCTAGATC")
    assert site("TCTAGA").blocked == site("XbaI").blocked
    assert site("KpnI").blocked == ()
    for name, kind in data_table("sites")["blocked"].items():
        one = site(name)
        assert one.methylation == kind
        for word in one.blocked:
            text = re.sub("N", "A", re.sub("W", "T", word))
            assert len(cut(text, one.letters, kind)) < len(places(one.letters, text))
    for name, words in {
        "ClaI": {"GATCGAT", "ATCGATC"},
        "ApaI": {"CCWGGGCCC", "CCWGGGGCCC"},
        "BclI": {"TGATCA"},
    }.items():
        assert {min(word, reverse(word)) for word in site(name).blocked} == {
            min(w, reverse(w)) for w in words
        }
    random = "".join(np.random.default_rng(1).choice(list("ACGT"), 200_000))
    for name, kind in data_table("sites")["blocked"].items():
        one = site(name)
        open_, closed = cut(random, one.letters, kind), places(one.letters, random)
        held = {
            at + re.sub("W", "[AT]", word).find(one.letters)
            for word in one.blocked
            for at in places(word, random)
        }
        assert len(closed) > len(open_)
        assert len(held) >= len(closed) - len(open_)


@pytest.mark.parametrize(
    ("enzyme", "adapters", "letters"),
    [
        ("ClaI", ("ACTGGCCGCTTATCGAT", "GGTACCACTAGT", "AGAACGGAAGAGCGTCG"), "C"),
        (
            "ApaI",
            ("ACTGGCCGCTTGGGCCC", "GGTACCACTAGT", "AGAACGGAAGAGCGTCG"),
            "C?[AT]GG",
        ),
    ],
)
def test_inserts_leave_a_site_of_the_adapter_open(enzyme, adapters, letters):
    asked = {"barcodes_per_oligo": 4, "barcode_length": 12, "rng": 3, "n_scrambles": 20}
    library = library_of(
        design(), oligo_length=222, adapters=adapters, avoid={enzyme: 1}, **asked
    )
    one = site(enzyme)
    for oligo in library["oligo"].values:
        assert len(cut(oligo, one.letters, one.methylation)) == 1
    assert not any(re.match(letters, insert) for insert in library["insert"].values)


def test_barcodes_beside_a_flank_keep_its_site_open():
    tags = barcode_set(
        2_000, length=12, avoid=["XbaI"], flanks=("TCTAGA", "AGATCG"), rng=0
    )
    assert not any(tag.startswith("TC") for tag in tags)
    assert any(
        tag.startswith("TC")
        for tag in barcode_set(200, length=12, flanks=("TCTAGA", "AGATCG"), rng=0)
    )
    ahead = barcode_set(
        2_000, length=12, avoid=["XbaI"], flanks=("ACGACA", "TCTAGACC"), rng=0
    )
    assert not any(tag.endswith("GA") for tag in ahead)


def test_overlaps_of_words_with_ambiguous_letters_are_all_found():
    word, other = "GGCCNNNNNGGCC", "CCWGG"
    found = _overlaps(word, other)
    assert {"GGCCNNNNNGGCCWGG", "CCWGGCCNNNNNGGCC", "GGCCWGGNNGGCC"} <= set(found)
    dice = np.random.default_rng(2)
    for _ in range(2_000):
        text = (
            "".join(dice.choice(list("ACGT"), 10))
            + "GGCC"
            + "".join(dice.choice(list("CGCGAT"), 5))
            + "GGCC"
        )
        text += "".join(dice.choice(list("CGAT"), 10))
        overlap = any(
            10 - len(other) < at < 10 + len(word) for at in places(other, text)
        )
        held = any(
            at <= 10 < at + len(w) and 10 in places(word, text)
            for w in found
            for at in places(w, text)
        )
        assert overlap == held or len(places(word, text)) > 1
