# Imports from the inside: names of motifs, without the database that they are read from.
"""Names of motifs, the same whatever others stand in the list (a biologist's day with
networks of others: AGATAAGG alone had no name, in a list of 14 it was GATA4; on a network
of CTCF, ZNF143 and SIX5, 297 of 300 motifs had none).
"""

import sys

import numpy as np
import pytest

import causalgia as cg
from causalgia.attribution import layer_responses
from causalgia.attribution.layer_responses import expected_places
from causalgia.errors import PredictorError
from causalgia.sequences import Motif, motif_names, read_motifs
from causalgia.sequences.motif_names import FactorClass, factor_class, jaspar_motifs

LIST = (
    *("GTGAGTCAGC", "GTCACGTGACC", "TGTTTAC", "CTTATCA", "CCGGAAGT", "ATTTGCAT"),
    *("TGACGTCA", "CAGGTG", "GGGCGGG", "GGGACTACAATTCCC"),
)


def test_entries_of_jaspar_have_a_class_and_a_family():
    gata, file = cg.motif("GATA1"), cg.motif("MA0035.4")
    assert factor_class(gata) == factor_class(file)
    assert factor_class(gata).tf_family == "C4-GATA-related"
    rows = gata.probabilities
    # of a file: by its accession, in the newest version where its own is unknown
    for identifier in ("MA0035.99", "MA0035", "ma0035.5"):
        of_file = Motif("x", rows, identifier=identifier)
        assert factor_class(of_file).tf_family == "C4-GATA-related"
    for identifier in (None, "GATA1_HUMAN.H11MO.0.A", "MA9999.1"):
        other = Motif("x", rows, identifier=identifier)
        assert factor_class(other) == FactorClass("", "")


ROWS = "01\t0\t1\t9\t0\n02\t8\t1\t1\t0\n03\t0\t0\t0\t9\n04\t9\t1\t0\t0\n"
EXPORT = (
    "AC X1.1\nXX\nID {}\nXX\nDE X1.1 {} ; From a file\nPO\tA\tC\tG\tT\n" + ROWS + "XX\n"
    "CC tax_group:vertebrates\n{}CC pubmed_ids:7592839\nXX\n//\n"
)


def test_a_file_has_classes_and_families_of_its_own(tmp_path):
    path = tmp_path / "own.transfac"
    dimer = "CC tf_family:PAS domains; PAS domains; Bulbs\nCC tf_class: bHLH (a); bHLH (a)\n"
    path.write_text(
        EXPORT.format("one", "one", "CC tf_family:Bulbs\nCC tf_class:Lamps\n")
        + EXPORT.replace("X1", "X2").format("two", "two", dimer)
        + EXPORT.replace("X1", "X3").format("three", "three", "")
        # in the newest JASPAR, and without a family in the file
        + EXPORT.replace("X1.1", "MA0035.4").format("four", "four", "")
    )
    found = {name: factor_class(one) for name, one in read_motifs(path).items()}
    assert found == {
        "one": FactorClass("Lamps", "Bulbs"),
        "two": FactorClass("bHLH (a)", "PAS domains::Bulbs"),
        "three": FactorClass("", ""),
        "four": FactorClass("Other C4 zinc finger-type factors", "C4-GATA-related"),
    }


def test_motifs_of_a_file_are_named_by_its_families(tmp_path):
    pytest.importorskip("memelite")
    path = tmp_path / "own.transfac"
    gata = "".join(
        f"0{k}\t" + "\t".join("97" if x == base else "1" for x in "ACGT") + "\n"
        for k, base in enumerate("AGATAAGG", 1)
    )
    family = "CC tf_family:Bulbs\nCC tf_class:Lamps\n"
    path.write_text(
        "".join(
            EXPORT.replace(ROWS, gata).replace("X1", f"X{k}").format(name, name, family)
            for k, name in enumerate(("one", "two"))
        )
    )
    found = cg.attribution.match({"x": "AGATAAGG"}, read_motifs(path)).sel(motif="x")
    assert (found["label"].item(), found["runners_up"].item()[:3]) == ("one", "two")
    assert (found["tf_class"].item(), found["tf_family"].item()) == ("Lamps", "Bulbs")


def test_expected_names_are_of_the_database():
    motifs = jaspar_motifs("vertebrates")
    keys = list(motifs)
    for name in ("CTCF", "ctcf"):
        found = [keys[k] for k in expected_places(name, motifs)]
        assert len(found) > 1  # a profile for each of its binding modes
        assert {key.split()[1] for key in found} == {"CTCF"}
    both = [keys[k] for k in expected_places(["MA0139.2", "MA0088"], motifs)]
    assert both[0] == "MA0139.2 CTCF"
    assert both[1].endswith("ZNF143")
    with pytest.raises(PredictorError):
        expected_places(["ZNF143", "CTFC"], motifs)


def fake_tomtom(queries, targets, **_):
    """p by the number of positions at which two motifs of equal width differ, on either
    strand.
    """
    p = np.array(
        [
            [10.0 ** (-6 + 3 * _differing(query, target)) for target in targets]
            for query in queries
        ]
    )
    return np.minimum(p, 0.9)[None]


def _differing(query, target):
    if query.shape != target.shape:
        return 2
    letters = query.argmax(0)
    return min(
        int((letters != one.argmax(0)).sum()) for one in (target, target[::-1, ::-1])
    )


def test_q_is_over_the_database_for_each_motif(monkeypatch):
    pytest.importorskip("memelite")
    monkeypatch.setattr("memelite.tomtom", fake_tomtom)
    monkeypatch.setattr(layer_responses, "_LEAST_TARGETS", 0)
    database = {"a": "TGACTCA", "b": "TGACTCG", "c": "CACGTG", "d": "AGATAAG"}
    alone = cg.attribution.match({"x": "TGACTCA"}, database)
    # random motifs of the query, columns in random order, have p of .9: no correction
    p = alone["match_p"].values[0]
    assert p.tolist() == [1e-6, 1e-3, 0.9, 0.9]
    # Benjamini-Hochberg over four targets: 4 p / rank
    np.testing.assert_allclose(alone["match_q"].values[0], [4e-6, 2e-3, 0.9, 0.9])
    listed = cg.attribution.match(
        {"x": "TGACTCA", "y": "CACGTG", "z": "CCCCCC", "u": "AGATAAC"}, database
    )
    for name in ("nearest_q", "nearest", "runners_up", "label"):
        assert alone[name].item() == listed[name].sel(motif="x").item()
    assert alone["label"].item() == "a"
    assert alone["runners_up"].item() == "b, c"
    assert listed["label"].values.tolist()[1:] == ["c", "", "d"]


def of_class(name: str, letters: str, tf_class: str, family: str = "") -> Motif:
    rows = Motif.from_iupac(letters).probabilities
    return Motif(name, rows, tf_class=tf_class, tf_family=family)


@pytest.mark.parametrize(
    ("expected", "family", "n_of_class", "label"),
    [
        ("b", "Jun", 0, "b"),  # of the nearest one's family, and like the word
        ("b", "CEBP", 0, "a"),  # of another family, a thousand times farther
        ("b", "Jun", 240, "a"),  # among so many of its class, by chance
        ("far", "Jun", 0, "a"),  # does not match
    ],
)
def test_an_expected_name_needs_its_q_over_its_own_class(
    monkeypatch, expected, family, n_of_class, label
):
    """p of the nearest is a thousandth of b's; .9 of the one that is far."""
    pytest.importorskip("memelite")
    monkeypatch.setattr("memelite.tomtom", fake_tomtom)
    monkeypatch.setattr(layer_responses, "_LEAST_TARGETS", 0)
    database = {f"other {k}": of_class(f"o{k}", "CCCCCCC", "ETS") for k in range(996)}
    for k in range(n_of_class):
        database[f"more {k}"] = of_class(f"m{k}", "CCCCCCC", "bZIP")
    database |= {
        "a": of_class("a", "TGACTCA", "bZIP", "Jun"),
        "b": of_class("b", "TGACTCG", "bZIP", family),
        "far": of_class("far", "GGCCTAT", "bZIP", "Jun"),
    }
    found = cg.attribution.match({"x": "TGACTCA"}, database, expected=expected)
    assert found["label"].item() == label
    assert "a" in (label, *found["runners_up"].item().split(", "))
    p = found["match_p"].sel(motif="x", target=expected).item()
    n = n_of_class + 3
    q = {"b": p * n / 2, "far": p}[expected]
    np.testing.assert_allclose(found["expected_q"].item(), q)


FORMS = {
    "a path": lambda path: path,
    "a text": str,
    "a mapping": lambda path: read_motifs(path),
    "a list": lambda path: list(read_motifs(path).values()),
    "a tuple": lambda path: tuple(read_motifs(path).values()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_list_of_motifs_takes_every_form(form, tmp_path, monkeypatch):
    pytest.importorskip("memelite")
    monkeypatch.setattr("memelite.tomtom", fake_tomtom)
    monkeypatch.setattr(layer_responses, "_LEAST_TARGETS", 0)
    path = tmp_path / "own.meme"
    path.write_text(
        "MEME version 4\n\nALPHABET= ACGT\n\n"
        + "".join(
            f"MOTIF {name}\nletter-probability matrix: alength= 4 w= {len(letters)}\n"
            + "".join(
                " ".join("1" if x == base else "0" for x in "ACGT") + "\n"
                for base in letters
            )
            for name, letters in (("ap", "TGACTCA"), ("ebox", "GTCACGTG"))
        )
    )
    given = FORMS[form](path)
    found = cg.attribution.match({"x": "TGACTCA"}, given, expected="ap")
    assert found["label"].item() == "ap"
    assert found["target"].values.tolist() == ["ap", "ebox"]
    found = cg.attribution.match(given, {"ap": "TGACTCA", "b": "AAAAAA"})
    assert found["label"].values.tolist() == ["ap", ""]
    screen = cg.experiments.motif_screen(cg.Uniform(length=200), given, n_placebos=40)
    assert {"ap +", "ap -", "ebox +"} <= set(screen.arm_names)
    pairs = cg.experiments.pairs(cg.Uniform(length=120), given, gaps=[5, 13])
    assert "interaction, ap+ then ebox+, gap 5" in pairs.named_contrasts
    assert len(cg.mpra.OligoRules(motifs=given).motifs) == 2


def test_an_e_box_is_that_of_the_factor_that_is_expected():
    """CCACGTGG kept the name of Mlxip, whose p is a two-thousandth of MYC's."""
    pytest.importorskip("memelite")
    words = {"alone": "CCACGTGG", "six": "CACGTG", "other": "CAGCTG", "AP-1": "TGACTCA"}
    found = cg.attribution.match(words, expected=["MYC"])
    alone = cg.attribution.match({"alone": "CCACGTGG"}, expected=["MYC"])
    assert found["label"].values.tolist()[:2] == ["MYC", "MYC"]
    assert alone["label"].item() == "MYC"
    assert "MYC" not in " ".join(found["label"].values[2:])
    none = cg.attribution.match({"alone": "CCACGTGG"}, expected=["GATA1"])
    assert none["label"].item() not in ("", "GATA1")


def test_a_motif_has_one_name_alone_and_in_a_list():
    pytest.importorskip("memelite")
    alone = cg.attribution.match({"x": "AGATAAGG"})
    listed = cg.attribution.match({"x": "AGATAAGG"} | {one: one for one in LIST})
    for name in ("nearest", "nearest_q", "runners_up", "label", "tf_family"):
        assert alone[name].item() == listed[name].sel(motif="x").item()
    assert alone["nearest"].item().endswith("GATA4")
    assert alone["tf_family"].item() == "C4-GATA-related"
    assert alone["label"].item() == "GATA4"
    assert alone["runners_up"].item().upper() == "GATA2, GATA3"
    expected = cg.attribution.match(
        {"ctcf": "CCACCAGGGGG", "znf": "CTACAATTCCC", "none": "ACACTGTGAC"},
        expected=["CTCF", "ZNF143"],
    )
    assert expected["label"].values.tolist()[:2] == ["CTCF", "ZNF143"]
    assert expected["label"].values[2] not in ("CTCF", "ZNF143")


def test_a_motif_has_one_name_on_both_strands():
    # TGACTCAC was called BATF3, GTGAGTCA JDP2
    pytest.importorskip("memelite")
    turn = str.maketrans("ACGT", "TGCA")
    words = ["TGACTCAC", "GGAAGT", "AGATAAGG", "TGTTTAC"]
    first = cg.attribution.match({x: x for x in words})
    other = cg.attribution.match({x: x[::-1].translate(turn) for x in words})
    for name in ("nearest", "nearest_q", "runners_up", "label", "tf_family"):
        assert (first[name] == other[name]).all()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("GATA-1", "GATA1"),
        ("hnf-4a", "HNF4A"),
        ("OCT4", "POU5F1"),
        ("c-Myc", "MYC"),
        ("p53", "TP53"),
        ("PU.1", "SPI1"),
        ("NRSF", "REST"),
        ("NF-kB", "NFKB1"),
        ("AP-1", "FOS::JUN"),
    ],
)
def test_names_of_before_gene_symbols_and_other_punctuation(given, meant):
    targets = {
        name: Motif.from_iupac("AGATAAGG")
        for name in ("GATA1", "HNF4A", "POU5F1", "HOXC4", "MYC", "TP53", "SPI1")
    } | {
        name: Motif.from_iupac("CACGTG")
        for name in ("REST", "NR2F6", "NFKB1", "FOS::JUN", "JUN")
    }
    places = expected_places(given, targets)
    assert [list(targets)[k] for k in places] == [meant]


@pytest.fixture
def no_pyjaspar(monkeypatch):
    for cached in (motif_names.core_motifs, motif_names.profiles):
        cached.cache_clear()
    monkeypatch.setitem(sys.modules, "pyjaspar", None)


@pytest.mark.parametrize(
    "call",
    [
        lambda _: cg.motif("GATA1"),
        lambda _: cg.motif("MA0035.5"),
        lambda _: cg.motif("AGATAR"),
        lambda _: cg.motif("AGATAAG", release="JASPAR2024"),
        lambda _: cg.experiments.motif_screen(cg.Uniform(length=60), "JASPAR"),
        lambda _: cg.experiments.copies(cg.Uniform(length=99), motif="GATA1"),
        lambda _: cg.attribution.match(["AGATAAG"]),
        lambda few: cg.attribution.match(["AGATAAG"], few),
    ],
)
def test_what_needs_jaspar_says_so_at_once(no_pyjaspar, call):
    with pytest.raises(cg.errors.MissingExtraError):
        call({"GATA": cg.motif("AGATAAG")})


def test_what_needs_no_jaspar_runs_without(no_pyjaspar, tmp_path):
    path = tmp_path / "m.jaspar"
    path.write_text(">M1 X\nA [ 4 0 9 ]\nC [ 0 1 0 ]\nG [ 0 3 0 ]\nT [ 5 6 1 ]\n")
    assert cg.motif("AGATAAG").consensus == "AGATAAG"
    assert cg.motif(path).name == "X"
    screen = cg.experiments.motif_screen(
        cg.Uniform(length=200), {"a": "AGATAAG", "b": path}, n_placebos=40
    )
    assert screen.arm_names[1] == "a +"
