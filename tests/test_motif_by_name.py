"""Imports profiles and step_scores from the inside: all of JASPAR, and scores by hand.

Motifs by JASPAR name, identifier, string, file and table; ladders of a motif's
strings.
"""

from __future__ import annotations

import io
import itertools
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import MissingExtraError, SequenceError
from causalgia.sequences import Motif, motif, motif_names
from causalgia.sequences.motif_names import (
    as_release,
    core_motifs,
    factor_class,
    named_motifs,
    profiles,
)
from causalgia.sequences.motif_scores import step_scores

RELEASE = "JASPAR2024"
JASPAR = (
    ">MA0001.1 ONE\n"
    "A [ 4 0 ]\n"
    "C [ 0 1 ]\n"
    "G [ 0 3 ]\n"
    "T [ 0 0 ]\n"
    ">MA0002.1 TWO\n"
    "A [ 4 ]\n"
    "C [ 0 ]\n"
    "G [ 0 ]\n"
    "T [ 0 ]\n"
)


# --- without pyjaspar -----------------------------------------------------------------


@pytest.fixture
def no_pyjaspar(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    for one in vars(motif_names).values():  # what another test has read from it
        if hasattr(one, "cache_clear"):
            one.cache_clear()


def test_a_string_of_bases_and_a_file_need_no_database(no_pyjaspar, tmp_path):
    path = tmp_path / "one.jaspar"
    path.write_text(JASPAR.split(">MA0002")[0])
    (tmp_path / "matrices").write_bytes(path.read_bytes())
    assert motif("AGATAAG").consensus == "AGATAAG"
    assert motif("ugcaug").consensus == "TGCATG"
    assert motif(str(path)).identifier == "MA0001.1"
    assert motif(str(tmp_path / "matrices")).identifier == "MA0001.1"
    assert factor_class(motif(str(path))) == ("", "")


@pytest.mark.parametrize("name", ["GATA1", "MA0035.4", "WGATAR", "SRY"])
def test_what_may_be_a_name_needs_the_database(no_pyjaspar, name):
    with pytest.raises(MissingExtraError):
        motif(name)
    with pytest.raises(MissingExtraError):
        named_motifs("JASPAR")


def test_no_core_profile_of_vertebrates_has_the_name_of_a_string_of_bases():
    names = {
        x.name.upper() for x in profiles(as_release(None)) if x.collection == "CORE"
    }
    of_vertebrates = {one.name.upper() for one in core_motifs()}
    assert {"AG", "CT"} <= names  # of plants and of insects
    assert len(of_vertebrates) > 700
    assert not [name for name in of_vertebrates if set(name) <= set("ACGTU")]


# --- JASPAR ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "taxon"), [("JASPAR2018", "insects"), ("JASPAR2014", None)]
)
def test_the_core_motifs_are_those_that_pyjaspar_reads_one_by_one(release, taxon):
    from pyjaspar import jaspardb

    database = jaspardb(release)
    with closing(database.conn):
        theirs = database.fetch_motifs(
            collection=["CORE"], tax_group=None if taxon is None else [taxon]
        )
    ours = core_motifs(taxon, release)
    assert [one.identifier for one in ours] == sorted(one.matrix_id for one in theirs)
    by_name = {one.matrix_id: one for one in theirs}
    for one in ours:
        counts = np.array([by_name[one.identifier].counts[x] for x in "ACGT"]).T
        assert one == Motif.from_counts(
            by_name[one.identifier].name,
            counts,
            identifier=one.identifier,
            source=release,
        )


@pytest.mark.parametrize(
    ("what", "identifier", "consensus"),
    [
        (
            "GATA1",
            "MA0035.5",
            "CTAATCT",
        ),  # not the plants' GATA1, which pyjaspar gives first
        ("gata1", "MA0035.5", "CTAATCT"),
        ("MA0035", "MA0035.5", "CTAATCT"),
        ("ma0035.3", "MA0035.3", "TTCTTATCTGT"),
        (
            "MA2388.1",
            "MA2388.1",
            "AGATCTGAAT",
        ),  # plants: an identifier is taken whatever its taxon
        (
            "CTCF",
            "MA0139.2",
            None,
        ),  # three profiles: the lowest accession, its newest version
        ("SRY", "MA0084.2", None),  # an IUPAC string too: the database comes first
        ("FOS::JUN", "MA0099.4", None),
    ],
)
def test_a_name_or_identifier_gives_the_stated_matrix(what, identifier, consensus):
    found = motif(what, release="JASPAR2026")
    assert (found.identifier, found.source) == (identifier, "JASPAR2026")
    assert consensus in (None, found.consensus)


def test_the_probabilities_are_the_counts_of_the_database():
    table = np.array(motif("MA0035.5", release=RELEASE).probabilities)
    assert table.shape == (7, 4)
    np.testing.assert_allclose(
        table[0], np.array([3953, 62419, 2712, 2744]) / 71828, rtol=1e-12
    )


def test_the_newest_release_is_the_default_and_others_can_be_asked_for():
    assert motif("GATA1").source >= "JASPAR2026"
    assert motif("GATA1", release="JASPAR2018").identifier == "MA0035.3"


def test_taxa():
    assert motif("GATA1", taxon="plants", release="JASPAR2026").identifier == "MA2388.1"
    assert motif("TP53", taxon=None, release=RELEASE).identifier == "MA0106.3"
    with pytest.raises(SequenceError):
        motif("GATA1", taxon=None, release="JASPAR2026")


def test_unknown_names_are_refused():
    for name in ("GATTA1", "Trl", "Oct4", "MA0035.77", "", "GATA1'; --", "é", "\0"):
        with pytest.raises(SequenceError):
            motif(name, release=RELEASE)


def test_every_vertebrate_name_is_found_and_is_a_motif():
    core = [
        x
        for x in profiles(RELEASE)
        if (x.collection, x.taxon) == ("CORE", "vertebrates")
    ]
    newest = {x.base: x for x in core}
    lowest: dict[str, str] = {}
    for base, profile in sorted(newest.items()):
        lowest.setdefault(profile.name.casefold(), base)
    assert len(lowest) > 700
    for name in sorted(lowest)[::40]:
        assert (
            motif(name, release=RELEASE).identifier == newest[lowest[name]].identifier
        )


# --- strings --------------------------------------------------------------------------


def test_other_strings_of_iupac_letters_are_words():
    for word in (
        "TATAAA",
        "UGCAUG",
        "WGATAR",
        "agataag",
        "AG",
    ):  # AG: a plants' factor, but four plain bases
        assert motif(word, release=RELEASE) == Motif.from_iupac(word)


def test_a_word_that_is_a_factor_elsewhere_is_refused():
    with pytest.raises(SequenceError):
        motif("CAD", release="JASPAR2022")
    assert motif("cad", taxon="insects", release="JASPAR2022").identifier == "MA0216.2"


# --- files ----------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.jaspar"
    path.write_text(JASPAR)
    return path


def test_a_file_of_several_motifs_needs_a_name(two):
    assert (
        motif(two, name="TWO").consensus
        == motif(str(two), name="MA0002.1").consensus
        == "A"
    )
    with pytest.raises(SequenceError):
        motif(two)
    with pytest.raises(SequenceError):
        motif(two, name="THREE")


def test_paths_by_suffix_slash_or_existence(tmp_path, two, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text(JASPAR.partition(">MA0002")[0])
    (tmp_path / "GATA1").write_text("not a motif")
    assert motif("mine").consensus == motif("./mine").consensus == "AG"
    assert motif("GATA1").name == "GATA1"  # the database comes first
    for missing in ("mnie.meme", "mnie.pcm", "folder/mine"):
        with pytest.raises(SequenceError):
            motif(missing)


# --- tables ---------------------------------------------------------------------------


def test_tables_of_counts_and_of_probabilities():
    counts = [[3, 0, 1, 0], [0, 0, 0, 8]]
    assert motif(counts).probabilities == ((0.75, 0, 0.25, 0), (0, 0, 0, 1))
    assert motif(np.array(counts) / [[4], [8]], name="mine") == Motif.from_counts(
        "mine", counts
    )
    assert motif(counts).name == "PFM AT"
    assert motif([[1, 0, 0, 0]]).consensus == "A"
    assert motif(Motif.from_iupac("A")) == Motif.from_iupac("A")


def test_labels_say_which_base_is_which():
    import pandas as pd
    import xarray as xr

    counts = np.array([[3, 0, 1, 0], [0, 0, 0, 8], [1, 2, 3, 4]])
    frame, turned = pd.DataFrame(counts, columns=list("ACGT")), list("TGCA")
    array = xr.DataArray(
        counts, dims=("position", "base"), coords={"base": list("ACGT")}
    )
    labeled = [
        frame,
        frame[turned],
        frame[turned].T,  # positions are columns
        frame.rename(columns=str.lower),
        frame.rename(columns={"T": "U"})[list("GUCA")],
        frame[turned].to_dict("list"),
        array,
        array.sel(base=turned).T,
        array.drop_vars("base"),
    ]
    assert {motif(table) for table in labeled} == {motif(counts)}
    # T in the first row
    square = pd.DataFrame(
        [[9, 0, 0, 2], [1, 0, 5, 1], [0, 7, 0, 0], [0, 0, 0, 1]], index=turned
    )
    assert motif(square).consensus == "TCGT"


def test_labels_that_do_not_say_it_are_refused():
    import pandas as pd

    counts = [[3, 0, 1, 0]] * 4
    for labels in ({}, {"columns": list("ACGN")}, {"columns": list("AACG")}):
        with pytest.raises(SequenceError):
            motif(pd.DataFrame(counts, **labels))
    with pytest.raises(SequenceError):
        motif(pd.DataFrame(counts, index=list("ACGT"), columns=list("TGCA")))


@pytest.mark.parametrize("value", ["0,7", pd.NA])
def test_the_cell_of_a_table_that_is_no_number_is_named(value):
    table = pd.DataFrame({"A": [1, 2], "C": [1, value], "G": [1, 2], "T": [1, 2]})
    for given in (table, table.astype("string")):
        with pytest.raises(SequenceError) as caught:
            motif(given)
        assert "column C, row 2" in str(caught.value)


# --- ladders --------------------------------------------------------------------------


def every_word(motif: Motif) -> dict[str, int]:
    steps = step_scores(motif)
    return {
        "".join(w): sum(steps[i]["ACGT".index(x)] for i, x in enumerate(w))
        for w in words(len(motif))
    }


def words(width: int):
    return itertools.product("ACGT", repeat=width)


@pytest.fixture(scope="module")
def gata1() -> Motif:
    return motif("GATA1", release=RELEASE)


def test_motifs_of_biopython_and_tensors_are_motifs():
    # "a motif cannot be made of a Motif (motif indices must be slices); give ... a Motif"
    from Bio import motifs

    made = motifs.create(["TGATAAG", "TGATAAG", "AGATAAG"])
    made.name = "GATA"
    assert (motif(made).name, motif(made).consensus) == ("GATA", "TGATAAG")
    assert motif(made.reverse_complement()).consensus == "CTTATCA"
    null = cg.Uniform(length=60)
    screen = cg.experiments.motif_screen(null, {"one": made, "two": "CCACACCC"})
    assert {"one +", "two -"} <= {arm.name for arm in screen.named_arms}
    torch = pytest.importorskip("torch")
    table = torch.tensor(np.eye(4)[[3, 2, 0, 3, 0]], requires_grad=True)
    assert motif(table).consensus == motif(table.T).consensus == "TGATA"


def forms_of_one_motif() -> dict[str, object]:
    from Bio import motifs

    made = motifs.create(["TGATAAG"] * 3 + ["AGATAAG"])
    rows = np.array([made.counts[base] for base in "ACGT"]).T
    frame = pd.DataFrame(rows, columns=list("ACGT"))
    return {
        **{"Biopython": made, "its counts": made.counts, "its pwm": made.pwm},
        **{"rows": rows, "columns": rows.T, "lists": (rows.T / 4).tolist()},
        **{"frame": frame, "turned": frame.T, "letters": frame.to_dict("list")},
    }


@pytest.mark.parametrize("form", forms_of_one_motif())
def test_every_door_reads_a_motif_in_every_form(form):
    from causalgia.experiments.kit.sites import as_site

    given, null = forms_of_one_motif()[form], cg.Uniform(length=60)
    is_read = motif(given, name="m")
    assert is_read.consensus == "TGATAAG"
    for door in (cg.Embed, cg.Placebo, cg.design.Insert):
        written = door(given, at=20).written.source
        assert written.probabilities == is_read.probabilities
    assert as_site(given, "motif").probabilities == is_read.probabilities
    assert len(cg.placebos(given, at=2, n_placebos=3)) == 3
    assert cg.experiments.copies(null, given, at=[5, 30]).arms
    tokens = cg.sequences.encode(["CCTGATAAGCC", "CCCTTATCACC"])
    assert cg.sequences.find_instances(tokens, given).start.tolist() == [2, 2]
    assert len(cg.mpra.OligoRules(motifs=given).motifs) == 1
    assert len(cg.mpra.OligoRules(motifs={"m": given}).motifs) == 1


def test_a_square_table_is_read_by_rows_unless_its_columns_have_one_sum():
    square = np.array([[9, 0, 1, 0], [0, 7, 0, 3], [1, 1, 8, 0], [0, 0, 2, 8]])
    assert motif(square).consensus == motif(square.T).consensus == "ACGT"
    assert motif(np.eye(4)[[2, 0, 3, 1]]).consensus == "GATC"
    lopsided = np.array([[9, 0, 1, 0], [9, 1, 0, 0], [0, 1, 9, 0], [1, 0, 0, 9]])
    assert motif(lopsided).consensus == motif(lopsided.T).consensus == "AAGT"


def test_a_table_that_pandas_reads_is_a_motif():
    # CIS-BP, and a spreadsheet with decimal commas and columns in another order
    cisbp = "Pos\tA\tC\tG\tT\n1\t.1\t.2\t.6\t.1\n2\t.7\t.1\t.1\t.1\n"
    sheet = "T;G;C;A\n0,1;0,6;0,2;0,1\n0,1;0,1;0,1;0,7\n"
    for table in (
        pd.read_csv(io.StringIO(cisbp), sep="\t", index_col=0),
        pd.read_csv(io.StringIO(sheet), sep=";", decimal=","),
    ):
        found = motif(table, name="m")
        assert found.probabilities == ((0.1, 0.2, 0.6, 0.1), (0.7, 0.1, 0.1, 0.1))
