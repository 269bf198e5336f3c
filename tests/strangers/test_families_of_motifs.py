# Imports from the inside: families of strings, and sites that are rare by chance.
"""A discovery speaks of families: variants and the other strand of a motif are one
(stuart-lab/signac#1967, fmicompbio/monaLisa#8).
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from figure_checks import faults

import causalgia as cg
from causalgia._discover import Discovery, _largest
from causalgia.attribution.motif_families import (
    family_effects,
    family_leaders,
    family_logos,
    family_table,
)
from causalgia.sequences import Motif, decode, encode
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.motif_alignments import alignment
from causalgia.tell.discovery_answers import discovery_parts
from causalgia.tell.figures.motif_panels import motif_families

FORKHEADS = ["TGTTTACA", "TGTAAACA", "TTGTTTAC", "TATGTTTAC", "TGTTTGCA"]
AP1 = ["TGACTCA", "TGAGTCA", "ATGACTCAT"]


def table_of(rows):
    table = pd.DataFrame(rows, columns=["consensus", "task", "verdict", "ace"])
    for name in ("lower", "upper"):
        table[name] = table["ace"]
    table = table.assign(name="", variant_of="", q=0.01, members=1)
    table["family"] = family_leaders(table)
    return table


ROWS = [
    *((letters, "a", "increases", 3 - i / 10) for i, letters in enumerate(FORKHEADS)),
    *((letters, "a", "increases", 2 - i / 10) for i, letters in enumerate(AP1)),
    ("AGATAAG", "a", "decreases", -1.0),
    ("CACGTG", "a", "undecided", 0.5),
    ("TGAGTCA", "b", "increases", 1.0),
    ("TGACTCA", "b", "increases", 0.9),
]


SITES = pd.DataFrame(
    [
        ("s1", 2, 9, "TGACTCA", "+"),
        ("s1", 1, 10, "ATGACTCAT", "+"),  # of the same place
        ("s2", 4, 11, "TGAGTCA", "+"),
        ("s2", 0, 8, "TGTTTACA", "+"),
        ("s3", 0, 8, "TGTAAACA", "+"),
    ],
    columns=["sequence", "start", "stop", "motif", "strand"],
)
PAIRS = pd.DataFrame(
    [
        ("TGTTTACA", "TGACTCA", "a", "synergistic"),
        ("TGTTTACA", "AGATAAG", "a", "undecided"),
    ],
    columns=["first", "second", "task", "reads"],
)


def test_motifs_that_act_are_few_families():
    """A row each, whatever the number of tasks: eleven confirmed motifs are three."""
    table = table_of(ROWS)
    assert table["family"].tolist() == [
        *(["TGTTTACA"] * 5),
        *(["TGACTCA"] * 3),
        *("AGATAAG", "", "TGACTCA", "TGACTCA"),
    ]
    held = table[table["verdict"] != "undecided"]
    families = family_table(held, SITES, PAIRS, n_sequences=4)
    assert families[["motif", "task", "n_motifs"]].values.tolist() == [
        *(["TGTTTACA", "a", 5], ["TGACTCA", "a", 3], ["AGATAAG", "a", 1]),
    ]
    assert families["others"].iloc[1] == "TGAGTCA, ATGACTCAT"
    # sequences with a site of any of its motifs
    assert families["share"].tolist() == [0.5, 0.5, 0.0]
    assert families["middle"].iloc[1] == 5.5  # of 5.5, 5.5 and 7.5
    assert families["partners"].tolist() == [
        "synergistic with TGACTCA; undecided with AGATAAG",
        "synergistic with TGTTTACA",
        "undecided with TGTTTACA",
    ]
    effects = family_effects(held).set_index(["family", "task"])["consensus"]
    assert effects.to_dict() == {
        ("TGTTTACA", "a"): "TGTTTACA",
        ("TGACTCA", "a"): "TGACTCA",
        ("AGATAAG", "a"): "AGATAAG",
        ("TGACTCA", "b"): "TGAGTCA",
    }


def test_variants_that_match_one_matrix_are_one_family():
    """ATTAGTCAT and CTGACTCA differ in two letters, and both are AP-1."""
    rows = [("ATTAGTCAT", "a", "increases", 2.0), ("CTGACTCA", "a", "increases", 1.0)]
    table = table_of([*rows, ("CACGTG", "a", "increases", 0.5)])
    assert table["family"].tolist() == ["ATTAGTCAT", "CTGACTCA", "CACGTG"]
    matched = {"ATTAGTCAT": {"JDP2", "FOS"}, "CTGACTCA": {"FOS"}, "CACGTG": {"MAX"}}
    assert family_leaders(table, matched) == ["ATTAGTCAT", "ATTAGTCAT", "CACGTG"]


def test_a_logo_is_of_the_instances_of_all_motifs_each_once():
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 4, (40, 20)).astype(np.uint8)
    letters = ["TGTTTAC"] * 20 + ["GTAAACA"] * 10 + ["TGTTTGC"] * 10
    tokens[:, 6:13] = encode(letters)
    of = Sequences(tokens, tuple(f"s{k}" for k in range(40)))
    sites = pd.DataFrame(
        [(f"s{k}", 6, 13, one, "+") for k, one in enumerate(letters)]
        + [(f"s{k}", 6, 13, "TGTTTAC", "-") for k in range(20, 30)],
        columns=SITES.columns,
    )
    held = table_of(
        [
            (one, "a", "increases", 3.0 - i)
            for i, one in enumerate(["TGTTTAC", "GTAAACA", "TGTTTGC"])
        ]
    )
    logo = family_logos(held, sites, [of]).sel(family="TGTTTAC")
    assert logo["n_instances"] == 40
    core = logo["frequency"].sel(motif_position=range(7)).values
    # the reverse complements are turned: T at the first six, A in 3 of 4 at the seventh
    expected = np.eye(4)[encode(["TGTTTAC"])[0]]
    expected[5] = [0.75, 0, 0.25, 0]
    np.testing.assert_allclose(core, expected)
    # what stands beside the sites is the sequences' own
    before = tokens[:30, 5][:20].tolist() + (3 - tokens[20:30, 13]).tolist()
    before += tokens[30:, 5].tolist()
    counts = np.bincount(before, minlength=4) / 40
    np.testing.assert_allclose(logo["frequency"].sel(motif_position=-1), counts)


@pytest.mark.parametrize(
    ("motif", "start", "turned"),
    [
        ("TGACTCA", 0, False),
        ("ACTCA", 2, False),
        ("ATGACTC", -1, False),
        ("TGAGTCAG", -1, True),
    ],
)
def test_motifs_are_aligned_with_their_leader(motif, start, turned):
    found = alignment(Motif.from_iupac(motif), Motif.from_iupac("TGACTCA"))
    assert found == (start, turned)


@pytest.mark.simulation
@pytest.mark.parametrize("n_tasks", [1, 7])
def test_the_picture_of_many_families_has_room_for_its_texts(n_tasks):
    spelled = ["TGACTCA", "CACGTG", "AGATAAG", "TTTGCAT", "GGGGCGGGG", "CCGGAAGT"]
    spelled += ["GCCCGGGC", "ATTTAAAT", "CAGCTG", "TCTCTCTC", "AACCGGTT", "CGCATGCG"]
    tasks = [f"a task with a long name {k}" for k in range(n_tasks)]
    table = table_of(
        [
            (
                one,
                task,
                "increases" if k % 2 else "decreases",
                (12 - k) * (1 - 2 * (k % 2 == 0)),
            )
            for k, one in enumerate(spelled)
            for task in tasks
        ]
    )
    names = "Other C4 zinc finger-type factors (a long name, another one or a third)"
    table["name"] = names
    rows = [(f"s{k}", k, k + 7, one, "+") for k, one in enumerate(spelled[:-1])]
    sites = pd.DataFrame(rows, columns=SITES.columns)
    of = Sequences(
        np.zeros((12, 30), np.uint8), tuple(f"s{k}" for k in range(len(spelled)))
    )
    pairs = pd.DataFrame(
        [(spelled[0], one, tasks[0], "undecided") for one in spelled[1:]],
        columns=PAIRS.columns,
    )
    axes = motif_families(
        family_table(table, sites, pairs, 12),
        family_effects(table),
        sites,
        family_logos(table, sites, [of]),
        30,
    )
    assert faults(axes.get_figure(root=True)) == []
    texts = [axes.get_title(loc="left") for axes in axes.get_figure(root=True).axes]
    assert sum(bool(text) for text in texts) == 10  # and two more in words


@pytest.mark.simulation
def test_three_forkheads_of_two_strands_are_one_of_each_pair():
    """Two of them are reverse complements of each other; the network reads one strand."""
    words = {"TGTTTAC": 2.0, "GTAAACA": 1.9, "TGTTTAT": 1.8, "CACGTGA": 1.0}
    oracle = cg.zoo.Oracle(
        *(cg.zoo.MotifCount(one, size) for one, size in words.items()),
        cg.zoo.MotifCount("C", 0.01),
    )
    tokens = np.random.default_rng(2).integers(0, 4, (80, 36)).astype(np.uint8)
    tokens[:, 14:21] = encode([*words] * 20)
    found = cg.discover(
        oracle, decode(tokens), method="seqlets", n_units=60, rng=0, progress=False
    )
    confirmed = set(found.confirmed["consensus"])
    forkheads = {one for one in confirmed if one in list(words)[:3]}
    assert len(forkheads) == 3
    families = found.families.set_index("motif")
    assert set(families.loc["TGTTTAC", "others"].split(", ")) >= forkheads - {"TGTTTAC"}
    for row in found.pairs.itertuples():
        assert len({row.first, row.second} & forkheads) <= 1
    in_pairs = {*found.pairs["first"], *found.pairs["second"]}
    assert in_pairs & forkheads == {"TGTTTAC"}
    assert found.draw() is not None


def test_pairs_are_of_different_families_on_both_strands():
    largest, _ = _largest(table_of(ROWS), both_strands=True)
    assert largest == ["TGTTTACA", "TGACTCA", "AGATAAG"]


NAMES = {
    "AGATAAGG": "C4-GATA-related (GATA4, GATA2 or Gata3)",
    "ATGACTCATC": "Fos-related::Jun-related (FOSL2::JUND, FOS::JUNB or BATF::JUN)",
    "CCACCAGGGGGCGCTA": "",
}
LONG = "log2 fold change in K562 cells after six hours"


@pytest.mark.parametrize("n_networks", [1, 5])
@pytest.mark.parametrize(
    ("tasks", "beside"),
    [
        (["K562"], []),
        (["dev", "hk"], ["ACE in dev", "ACE in hk"]),
        (["dev", "hk", "both"], []),
        (["dev", LONG], []),
        (["a", "b", "c", "d"], []),
    ],
)
def test_a_family_is_one_line_of_a_terminal(tasks, beside, n_networks):
    effect = {"ace": 1.234, "lower": 1.101, "upper": 1.357, "q": 1e-7}
    more = {"verdict": "increases", "members": n_networks, "sequences": 12}
    more |= {"methods": "seqlets", "variant_of": ""}
    table = pd.DataFrame(
        {"consensus": x, "family": x, "name": name, "task": task, **effect, **more}
        for x, name in NAMES.items()
        for task in tasks
    )
    sites = pd.DataFrame(
        {"sequence": f"s{k}", "start": k, "stop": k + 8, "motif": x, "strand": "+"}
        for k in range(30)
        for x in NAMES
    )
    pairs = pd.DataFrame(columns=["first", "second", "task", "reads"])
    networks = {"model": range(n_networks)} if n_networks > 1 else {}
    decided = xr.Dataset(coords=networks, attrs={"ci_prob": 0.95})
    made = Discovery(table, pairs, sites, None, decided, 60, 60, length=249)
    lines = discovery_parts(made).text().split("\n")
    assert max(map(len, lines)) <= 100
    rows = lines[lines.index("") + 1 :][: len(NAMES) + 1]
    assert rows[0].startswith("motif  ")
    for row, word in zip(rows[1:], NAMES, strict=True):
        assert row.startswith(f"{word} ")
        assert "1.234 " in row
    for heading in beside if n_networks == 1 else []:
        assert heading in rows[0]


def test_a_long_motif_stands_where_a_few_letters_differ():
    # "in 1 % of sequences", of the 17 letters of TP53, which stood in 28 %
    from causalgia._discover import _sites

    word, other = "GACATGTCCGGGCATGT", str.maketrans("ACGT", "CATG")
    random = np.random.default_rng(4)
    rows = random.integers(0, 4, (200, 200))
    strings = ["".join("ACGT"[x] for x in row) for row in rows]
    expected = {}
    for i in range(0, 200, 4):  # up to four letters differ, on either strand
        far = random.choice(len(word), i % 5, replace=False)
        near = "".join(
            letter.translate(other) if k in far else letter
            for k, letter in enumerate(word)
        )
        if i % 8:
            near = near.translate(str.maketrans("ACGT", "TGCA"))[::-1]
        strings[i] = strings[i][:90] + near + strings[i][107:]
        expected[str(i)] = (90, "-" if i % 8 else "+")
    of = cg.sequences.middle_windows({str(i): x for i, x in enumerate(strings)}, 200)
    table = pd.DataFrame({"consensus": [word, "AGATAAG"], "verdict": "increases"})
    sites = _sites([of], table, both_strands=True)
    long = sites[sites["motif"] == word]
    found = dict(
        zip(
            long["sequence"],
            zip(long["start"], long["strand"], strict=True),
            strict=True,
        )
    )
    assert expected.items() <= found.items()
    assert len(long) - len(expected) <= 4  # by chance, of 200
    short = sites[sites["motif"] == "AGATAAG"]  # letter by letter
    for row in short.itertuples(index=False):
        there = strings[int(row.sequence)][row.start : row.stop]
        assert there == ("AGATAAG" if row.strand == "+" else "CTTATCT")


@pytest.mark.parametrize(
    ("word", "rich"),
    [
        ("GACATGTCCGGGCATGT", 0.01),
        ("GGGGCGGGGCC", 0.05),
        ("AAAAATTTTTAAAA", 0.05),
    ],
)
def test_sites_with_other_letters_are_rare_by_chance(word, rich):
    """Fewer than 1 of 100 sequences of equally likely bases have one, as the docs say;
    where a motif's own bases make up 65 %, more do.
    """
    from causalgia._discover import _sites

    random = np.random.default_rng(1)
    table = pd.DataFrame({"consensus": [word], "verdict": "increases"})
    gc = 0.65 if word.count("G") + word.count("C") > len(word) / 2 else 0.35
    for share, most in ((0.5, 0.01), (gc, rich)):
        p = [(1 - share) / 2, share / 2, share / 2, (1 - share) / 2]
        rows = random.choice(4, (4_000, 200), p=p)
        strings = {
            str(i): "".join("ACGT"[x] for x in row) for i, row in enumerate(rows)
        }
        of = cg.sequences.middle_windows(strings, 200)
        sites = _sites([of], table, both_strands=True)
        assert sites["sequence"].nunique() / 4_000 < most
