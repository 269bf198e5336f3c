# Imports from the inside: rules of an order and what sequences are made of, against plain
# searches of strings and REBASE.
"""Rules of an order: what sequences are made of against plain string searches, sites on
whole oligos, dated tables.
"""

from __future__ import annotations

import datetime
import re
from importlib.resources import files

import numpy as np
import pytest
from Bio import Restriction

from causalgia.mpra.libraries.constructs import (
    Site,
    construct,
    data_table,
    site,
    sites,
)
from causalgia.mpra.libraries.rules import (
    GCContent,
    GCWindows,
    Homopolymers,
    JunctionMotif,
    OligoRules,
    SimpleRepeats,
    SiteCount,
    broken_by,
    check_construct,
    default_flags,
    first_duplicates,
)
from causalgia.sequences import Motif, decode, encode
from causalgia.sequences.alphabet import reverse_complement, reverse_complement_iupac
from causalgia.sequences.composition import (
    gc_extremes,
    iupac_hits,
    longest_runs,
    repeat_shares,
)

TABLES = ("sites", "constructs")


def strings(seed, n, length, letters="ACGT"):
    rng = np.random.default_rng(seed)
    return ["".join(row) for row in rng.choice(list(letters), (n, length))]


def opposite(text):
    return decode(reverse_complement(encode(text)))[0]


# ---- tables


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_ship_with_the_package(name):
    assert (files("causalgia.mpra") / "data" / f"{name}.toml").is_file()


def test_every_row_says_its_source_its_date_and_whether_it_was_verified():
    rows = [
        data_table("sites"),
        *data_table("constructs").values(),
    ]
    for row in rows:
        assert isinstance(row["source"], str)
        assert row["source"]
        assert isinstance(row["verified"], bool)
        assert isinstance(row["as_of"], datetime.date)


def test_recognition_sequences_are_those_of_rebase():
    assert {
        name: getattr(Restriction, name).site for name in data_table("sites")["sites"]
    } == data_table("sites")["sites"]


def test_sites_are_found_by_name_in_any_capitals_and_by_letters():
    assert site("sbfi") == Site("SbfI", "CCTGCAGG")
    assert site("ggccnnnnnggcc") == Site("GGCCNNNNNGGCC", "GGCCNNNNNGGCC")
    assert [s.name for s in sites(("EcoRI", "ecori", "XbaI"))] == ["EcoRI", "XbaI"]
    assert sites("EcoRI") == sites(["EcoRI"])


# ---- what sequences are made of


@pytest.mark.parametrize(
    "word", ["AC", "GAATTC", "GGTCTC", "ANT", "RYN", "AAAA", "WCGW"]
)
@pytest.mark.parametrize("both", [True, False])
def test_places_of_a_word_are_those_of_a_search_of_the_text(word, both):
    texts = [*strings(1, 150, 60), *strings(2, 50, 60, "ACT")]
    admitted = {"R": "[AG]", "Y": "[CT]", "N": "[ACGT]", "W": "[AT]"}
    pattern = re.compile(
        "(?=" + "".join(admitted.get(letter, letter) for letter in word) + ")"
    )
    starts = [[m.start() for m in pattern.finditer(text)] for text in texts]
    if both and reverse_complement_iupac(word) != word:
        minus = [
            [60 - len(word) - m.start() for m in pattern.finditer(opposite(text))]
            for text in texts
        ]
        starts = [a + b for a, b in zip(starts, minus, strict=True)]
    counts, first = iupac_hits(encode(texts), word, both_strands=both)
    assert counts.tolist() == [len(x) for x in starts]
    assert first.tolist() == [min(x, default=-1) for x in starts]


def test_a_word_longer_than_the_sequences_stands_nowhere():
    assert iupac_hits(encode("ACGT"), "ACGTA")[0].tolist() == [0]


def test_runs_and_gc_windows_are_those_of_the_text():
    texts = [*strings(3, 200, 70), "A" * 70, *strings(4, 50, 70, "GC")]
    runs = [
        max(len(m.group()) for m in re.finditer(r"A+|C+|G+|T+", text)) for text in texts
    ]
    assert longest_runs(encode(texts)).tolist() == runs
    for width in (1, 20, 70, 99):
        windows = [
            [text[i : i + width] for i in range(max(71 - width, 1))] for text in texts
        ]
        shares = [
            [(part.count("G") + part.count("C")) / len(part) for part in parts]
            for parts in windows
        ]
        low, high = gc_extremes(encode(texts), width)
        np.testing.assert_allclose(low, [min(x) for x in shares], rtol=1e-12)
        np.testing.assert_allclose(high, [max(x) for x in shares], rtol=1e-12)


def repeated(text):
    """The share of bases in tandem repeats, stretch by stretch."""
    covered = np.zeros(len(text), bool)
    for period in range(1, 7):
        for start in range(len(text)):
            stop = start + period
            while stop < len(text) and text[stop] == text[stop - period]:
                stop += 1
            if stop - start >= max(3 * period, 9):
                covered[start:stop] = True
    return covered.mean()


def test_simple_repeats_are_those_of_the_definition():
    rng = np.random.default_rng(5)
    texts = []
    for text in strings(6, 300, 80, "AACG"):
        unit = "".join(rng.choice(list("ACGT"), rng.integers(1, 8)))
        at = rng.integers(60)
        texts.append((text[:at] + unit * rng.integers(1, 8) + text[at:])[:80])
    expected = [repeated(text) for text in texts]
    np.testing.assert_allclose(repeat_shares(encode(texts)), expected, rtol=1e-12)
    assert 0.2 < np.mean(np.array(expected) > 0) < 0.9


def test_random_sequences_have_few_simple_repeats():
    shares = repeat_shares(
        np.random.default_rng(0).integers(0, 4, (50_000, 200), np.uint8)
    )
    assert 0.0005 < shares.mean() < 0.005


# ---- constructs


def test_a_construct_puts_its_parts_where_it_says():
    of = construct(("AAAC", "gguacc", "TTTG"))
    inserts, tags = encode(["CCCCC", "GGGGG"]), encode(["ACG", "TCA"])
    oligos = of.assemble(inserts, tags)
    assert decode(oligos.tokens) == ["AAACCCCCCGGTACCACGTTTG", "AAACGGGGGGGTACCTCATTTG"]
    assert decode(oligos.tokens[:, oligos.insert]) == ["CCCCC", "GGGGG"]
    assert decode(oligos.tokens[:, oligos.barcode]) == ["ACG", "TCA"]
    assert oligos.boundaries == (4, 9, 15, 18)
    assert of.insert_length(22, barcode_length=3) == 5
    plain = of.assemble(inserts)
    assert decode(plain.tokens) == ["AAACCCCCCTTTG", "AAACGGGGGTTTG"]
    assert (plain.barcode, plain.boundaries, of.insert_length(13)) == (None, (4, 9), 5)


def test_constructs_of_the_table_have_the_lengths_of_their_assays():
    assert construct("lentiMPRA").insert_length(230) == 200
    assert construct("tewhey").insert_length(230) == 200
    melnikov = construct("Melnikov")
    assert melnikov.insert_length(200, barcode_length=10) == 145
    assert melnikov.intended == (("KpnI", 1), ("XbaI", 1))


# ---- rules


def test_sites_across_junctions_count():
    # left begins EcoRI, the right adapter ends it
    of = construct(("TTTGAA", "GGGG", "TTCAAA"))
    inserts = encode(["TTCACACACA", "ACACACACAC", "ACGAATTCAC"])
    rule = SiteCount(enzyme="EcoRI", letters="GAATTC")
    assert rule.broken(of.assemble(inserts)).tolist() == [True, False, True]
    tags = encode(["ACGAA", "ACGAA", "ACACA"])
    assert rule.broken(of.assemble(inserts, tags)).tolist() == [True, True, True]
    assert rule.broken(of.assemble(inserts[1:2], tags[2:])).tolist() == [False]


def test_exactly_the_intended_number_of_sites_stands_in_an_oligo():
    of = construct("melnikov")
    inserts = encode(["ACGATACGATTGCAGT", "ACGGTACCGATTGCAG", "ACGATCTAGATTGCAG"])
    oligos = of.assemble(inserts, encode(["ACGTACGCA"] * 3))
    rules = OligoRules(gc=(0, 1)).of_construct(of)
    assert [rule.name for rule in rules[:3]] == ["site KpnI", "site SfiI", "site XbaI"]
    broken = broken_by(oligos, rules)
    assert broken[:3].T.tolist() == [
        [False] * 3,
        [True, False, False],
        [False, False, True],
    ]
    assert broken[3].tolist() == [False, False, True]  # GATCTAGA
    assert not broken[4:].any()
    check_construct(of, rules, barcoded=True)


def test_an_adapter_that_carries_the_site_itself_is_named():
    of = construct(("ACGT", "ACGGAATTCTT"))
    check_construct(of, OligoRules(avoid="SbfI").of_construct(of), barcoded=False)
    junction = construct(("ACGT", "GAGACC", "ACGT"))  # BsaI on the other strand
    check_construct(
        junction, OligoRules(avoid="BsaI").of_construct(junction), barcoded=False
    )


def test_rules_look_at_the_part_that_they_name():
    of = construct(("AAA", "GGGGGGGG"))
    oligos = of.assemble(
        encode(
            [
                "AAAAAAACGTCTGACTGACT",
                "CGCGCGCGCTCGGCGGCTCG",
                "CACACACACACATGACGTTG",
                "ATGCATCGATCTAGCTAGAC",
            ]
        )
    )
    # 3 + 7 across the junction
    assert Homopolymers(longest=9).broken(oligos).tolist() == [
        True,
        False,
        False,
        False,
    ]
    # of the insert
    assert GCContent().broken(oligos).tolist() == [False, True, False, False]
    assert SimpleRepeats(share=0.25).broken(oligos).tolist() == [
        False,
        True,
        True,
        False,
    ]
    assert GCWindows(width=8, high=0.9).broken(oligos).all()  # the right adapter is one
    assert [rule.name for rule in default_flags()] == [
        "homopolymer above 6",
        "GC outside 0.3-0.7 in 50 nt",
    ]
    assert broken_by(oligos, ()).shape == (0, 4)


def test_the_shortest_homopolymer_that_can_be_asked_for_is_one_base():
    assert Homopolymers(longest=1) in OligoRules(homopolymer=1).of_construct(
        construct("lentimpra")
    )


@pytest.mark.parametrize("as_motif", [False, True])
def test_a_motif_counts_only_where_it_lies_across_a_junction(as_motif):
    word = "AGATAAG"
    pattern = Motif.from_iupac(word) if as_motif else word
    of = construct(("CCAGAT", "CC", "TCTCC"))
    inserts = encode(["AAGCCCCCCC", "CCAGATAAGC", "CCCCCCCCTA", "CCCCCCCAGA"])
    tags = encode(["CCCCC", "CCCCC", "CCCTA", "CCCCC"])
    assert JunctionMotif(motif=pattern).broken(of.assemble(inserts, tags)).tolist() == [
        True,
        False,
        False,
        False,
    ]
    assert JunctionMotif(motif="TATCT").broken(of.assemble(inserts, tags)).tolist() == [
        True,
        False,
        True,
        False,
    ]
    assert JunctionMotif(motif="TATCT").broken(of.assemble(inserts)).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_repeated_sequences_are_found_in_either_orientation():
    texts = strings(8, 300, 3)  # 64 strings, 32 or so in either orientation
    seen: dict[str, int] = {}
    expected = [
        seen.setdefault(min(text, opposite(text)), i) for i, text in enumerate(texts)
    ]
    assert first_duplicates(encode(texts)).tolist() == expected
    # their own reverse complements
    assert first_duplicates(encode(["AATT", "GCGC", "AATT"])).tolist() == [0, 1, 0]
