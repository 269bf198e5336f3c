"""One door for motifs: tfmodisco's HDF5, FiNeMo's hits, MEME and JASPAR text."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import causalgia as cg
from causalgia import store
from causalgia.errors import OutcomesError, SequenceError
from causalgia.sequences import decode, encode, one_hot, read_motifs

FLANKED = "TCGATAAGCA"


def contributions(word: str = FLANKED, start: int = 2, stop: int = 8) -> np.ndarray:
    size = np.where(
        (np.arange(len(word)) >= start) & (np.arange(len(word)) < stop), 1.0, 0.05
    )
    return np.eye(4)[encode([word])[0]] * size[:, None]


def write_pattern(
    parent: h5py.Group, name: str, word: str = FLANKED, n: int = 90, **tables: Any
) -> h5py.Group:
    """Write a pattern as tfmodisco-lite 2 does: averages of one-hot, contributions, and
    the seqlets themselves.
    """
    group = parent.create_group(name)
    group["sequence"] = tables.get(
        "sequence", np.eye(4)[encode([word])[0]] * 0.94 + 0.015
    )
    group["contrib_scores"] = tables.get("contrib_scores", contributions(word))
    group["hypothetical_contribs"] = tables.get(
        "hypothetical_contribs", contributions(word) - 0.1
    )
    seqlets = group.create_group("seqlets")
    seqlets["n_seqlets"] = np.array([n])
    for key in ("start", "end", "example_idx", "is_revcomp"):
        seqlets[key] = np.zeros(n, dtype=int)
    return group


@pytest.fixture(autouse=True)
def read_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files of this test's own in this process alone; hostile ones are read by a
    child process first.
    """
    if "foreign" not in request.node.name:
        monkeypatch.setattr(store, "_read_in_child", lambda *_, **__: None)


@pytest.fixture
def modisco(tmp_path: Path) -> Path:
    path = tmp_path / "modisco_results.h5"
    with h5py.File(path, "w") as file:
        found = file.create_group("pos_patterns")
        for i in (0, 1, 2, 10):
            write_pattern(found, f"pattern_{i}", n=100 - i)
        write_pattern(found["pattern_0"], "subpattern_0")
        write_pattern(file.create_group("neg_patterns"), "pattern_0", word="AACCGGTTAA")
    return path


def test_patterns_of_tfmodisco_are_motifs_with_their_seqlets(modisco: Path) -> None:
    found = cg.read_patterns(modisco)
    assert list(found) == [
        *(f"pos_patterns.pattern_{i}" for i in (0, 1, 2, 10)),
        "neg_patterns.pattern_0",
    ]
    gata = found["pos_patterns.pattern_0"]
    assert (gata.name, gata.consensus, gata.source) == (
        "pos_patterns.pattern_0",
        "GATAAG",
        str(modisco),
    )
    np.testing.assert_allclose(
        gata.probabilities, np.eye(4)[encode(["GATAAG"])[0]] * 0.94 + 0.015, atol=1e-12
    )
    assert (
        gata.seqlets.n,
        gata.seqlets.width,
        gata.seqlets.start,
        gata.seqlets.stop,
    ) == (100, 10, 2, 8)
    np.testing.assert_array_equal(gata.seqlets.contributions, contributions())
    np.testing.assert_array_equal(gata.seqlets.hypothetical, contributions() - 0.1)
    assert found["pos_patterns.pattern_10"].seqlets.n == 90


def test_how_much_is_trimmed(modisco: Path) -> None:
    name = "pos_patterns.pattern_0"
    assert cg.read_patterns(modisco, trim=0)[name].consensus == FLANKED
    assert cg.read_patterns(modisco, trim=0.04)[name].consensus == FLANKED
    assert cg.read_patterns(modisco, trim=1)[name].consensus == "GATAAG"
    for trim in (-0.1, 1.5, "0.3", np.nan):
        with pytest.raises(
            SequenceError, match="is not a share of the largest contribution"
        ):
            cg.read_patterns(modisco, trim=trim)  # type: ignore[arg-type]


def test_a_pattern_goes_into_a_trial_and_comes_back(modisco: Path) -> None:
    gata = cg.read_patterns(modisco)["pos_patterns.pattern_0"]
    turned = gata.reverse_complement()
    assert turned.consensus == "CTTATC"
    assert (turned.seqlets.start, turned.seqlets.stop) == (2, 8)
    np.testing.assert_array_equal(
        turned.seqlets.contributions, contributions()[::-1, ::-1]
    )
    assert turned.reverse_complement() == gata
    assert pickle.loads(pickle.dumps(gata)) == gata
    arms = {"untreated": cg.Untreated(), "GATA": cg.Embed(gata, at=20)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=50)
    assert cg.Design.from_json(design.to_json()) == design
    total = cg.FunctionPredictor(lambda x: x[:, 0].sum(1), tasks=["K562"])
    assert cg.run(design, total, rng=0).sizes["unit"] == 50


def test_text_of_motifs_comes_through_the_same_door(tmp_path: Path) -> None:
    path = tmp_path / "one.jaspar"
    path.write_text(">MA0000.1 TOY\nA [ 4 0 ]\nC [ 0 1 ]\nG [ 0 3 ]\nT [ 0 0 ]\n")
    assert cg.read_patterns(path) == read_motifs(path)
    assert cg.read_patterns(path)["TOY"].seqlets is None
    with pytest.raises(SequenceError, match="genome= goes with FiNeMo's hits"):
        cg.read_patterns(path, genome="hg.fa")


# --- files that are not as they should be


@pytest.mark.rotating(6)
def test_links_and_foreign_values_are_refused(tmp_path: Path, modisco: Path) -> None:
    for link in (
        h5py.ExternalLink(str(modisco), "/pos_patterns"),
        h5py.SoftLink("/elsewhere"),
    ):
        path = tmp_path / "linked.h5"
        with h5py.File(path, "w") as file:
            file["pos_patterns"] = link
        with pytest.raises(SequenceError, match=r"linked\.h5"):
            cg.read_patterns(path)
    path = tmp_path / "external.h5"
    (tmp_path / "values.bin").write_bytes(np.eye(4).tobytes())
    with h5py.File(path, "w") as file:
        group = write_pattern(file.create_group("pos_patterns"), "pattern_0")
        del group["sequence"]
        group.create_dataset(
            "sequence", (4, 4), "f8", external=[(str(tmp_path / "values.bin"), 0, 128)]
        )
    with pytest.raises(
        SequenceError,
        match=r"external\.h5: the values of '/pos_patterns/pattern_0/.* are in other",
    ):
        cg.read_patterns(path)


def test_damage_that_ends_a_process_is_met_by_a_child(
    tmp_path: Path, modisco: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5 spins or crashes on some damaged files, where no handler of an exception is
    asked.
    """
    asked = []

    def crashed(path: Path, size: int, kind: str) -> None:
        asked.append((path, kind))
        raise OutcomesError(
            f"{path}: damaged or no HDF5 file (reading it ended with signal 11); make "
            "it anew"
        )

    monkeypatch.setattr(store, "_read_in_child", crashed)
    with pytest.raises(
        SequenceError,
        match=r"modisco_results\.h5: damaged .* signal 11\); make it anew$",
    ):
        cg.read_patterns(modisco)
    assert asked == [(modisco, "HDF5")]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"sequence": np.ones((10, 5))},
            r"shape \(10, 5\); a pattern has 1 to 10,000 rows",
        ),
        ({"sequence": np.ones((4, 10))}, "rows of A, C, G, T"),
        ({"sequence": np.ones((9, 4))}, "tables of several lengths"),
        (
            {"sequence": np.zeros((10, 4))},
            r"position 2 of its trimmed part has base frequencies|position 0",
        ),
        (
            {"contrib_scores": np.full((10, 4), np.nan)},
            "contrib_scores has nan at position 0",
        ),
        (
            {"hypothetical_contribs": np.array([["a"] * 4] * 10, dtype="S1")},
            "rows of A, C, G, T",
        ),
    ],
)
def test_malformed_patterns(
    tmp_path: Path, tables: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        write_pattern(file.create_group("pos_patterns"), "pattern_0", **tables)
    with pytest.raises(SequenceError, match=message):
        cg.read_patterns(path)


def test_other_hdf5_files_are_named(tmp_path: Path, modisco: Path) -> None:
    for groups, message in (
        (["metacluster_idx_to_submetacluster_results"], "modisco convert"),
        (["obs", "var", "X"], "AnnData"),
        (["raw", "shap", "projected_shap"], "holds contributions"),
        (
            ["weights"],
            "no pos_patterns or neg_patterns, as tfmodisco writes them; it has "
            "['weights']",
        ),
        (["pos_patterns"], "pos_patterns hold no pattern_0"),
    ):
        path = tmp_path / "other.h5"
        with h5py.File(path, "w") as file:
            for name in groups:
                file.create_group(name)
        with pytest.raises(SequenceError) as caught:
            cg.read_patterns(path)
        assert message in str(caught.value)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(modisco.read_bytes()[:3_000])
    with pytest.raises(
        SequenceError, match=r"cut\.h5: damaged or no HDF5 file .*; make it anew"
    ):
        cg.read_patterns(cut)
    with pytest.raises(SequenceError, match="no such file"):
        cg.read_patterns(tmp_path / "none.h5")
    with pytest.raises(SequenceError, match="is not a path"):
        cg.read_patterns(7)  # type: ignore[arg-type]


# --- FiNeMo

HEADER = (
    "chr\tstart\tend\tstart_untrimmed\tend_untrimmed\tmotif_name\thit_coefficient\thit_coefficient_global\t"
    "hit_correlation\thit_importance\tstrand\tpeak_name\tpeak_id"
)


def hit(
    chromosome: str, start: int, name: str, strand: str, peak: int, width: int = 4
) -> str:
    stop = start + width
    columns = [
        chromosome,
        start,
        stop,
        start - 2,
        stop + 2,
        name,
        1.0,
        2.0,
        0.91,
        0.4,
        strand,
        f"p{peak}",
        peak,
    ]
    return "\t".join(map(str, columns))


@pytest.fixture
def finemo(tmp_path: Path) -> Path:
    """Two regions of 20 bp of a chromosome, from 10 and from 40; GATA and its reverse
    complement TATC in them.
    """
    letters = list("C" * 80)
    letters[12:16], letters[45:49], letters[50:54] = "GATA", "GATT", "TATC"
    genome = "".join(letters)
    (tmp_path / "genome.fa").write_text(f">chr1\n{genome}\n")
    sequences = one_hot(encode([genome[10:30], genome[40:60]]))
    scores = np.arange(2 * 4 * 20, dtype=np.float16).reshape(2, 4, 20)
    places = {
        "chr": np.array(["chr1", "chr1"]),
        "start": np.array([10, 40]),
        "peak_id": np.array([0, 1]),
    }
    np.savez_compressed(
        tmp_path / "regions.npz",
        sequences=sequences.astype(np.int8),
        contributions=scores,
        **places,
    )
    np.savez(
        tmp_path / "bare.npz",
        sequences=sequences.astype(np.int8),
        contributions=scores.sum(axis=1),
    )
    lines = [
        hit("chr1", 12, "GATA", "+", 0),
        hit("chr1", 45, "GATA", "+", 1),
        hit("chr1", 50, "GATA", "-", 1),
    ]
    (tmp_path / "hits.tsv").write_text("\n".join([HEADER, *lines, lines[0]]) + "\n")
    relative = [
        hit("NA", 2, "GATA", "+", 0),
        hit("NA", 5, "GATA", "+", 1),
        hit("NA", 10, "GATA", "-", 1),
    ]
    (tmp_path / "relative.tsv").write_text("\n".join([HEADER, *relative]) + "\n")
    bed = [
        f"chr1\t{s}\t{s + 4}\tGATA\t910.0\t{strand}"
        for s, strand in ((12, "+"), (45, "+"), (50, "-"))
    ]
    (tmp_path / "hits.bed").write_text("\n".join(bed) + "\n")
    return tmp_path


FINEMO = Path(__file__).parent / "reference" / "finemo"
EXPECTED = np.array([[0, 0, 3, 0], [3, 0, 0, 0], [0, 0, 0, 3], [2, 0, 0, 1]]) / 3


@pytest.mark.parametrize("table", ["hits.tsv", "hits.bed"])
def test_hits_in_a_genome(finemo: Path, table: str) -> None:
    found = cg.read_patterns(finemo / table, genome=finemo / "genome.fa")
    assert list(found) == ["GATA"]
    np.testing.assert_allclose(found["GATA"].probabilities, EXPECTED)
    assert found["GATA"].seqlets.n == 3  # the hit that two regions share counts once
    assert found["GATA"].seqlets.contributions is None


@pytest.mark.parametrize(
    ("table", "regions"), [("hits.tsv", "regions.npz"), ("relative.tsv", "bare.npz")]
)
def test_hits_in_regions(finemo: Path, table: str, regions: str) -> None:
    found = cg.read_patterns(finemo / table, regions=finemo / regions)["GATA"]
    np.testing.assert_allclose(found.probabilities, EXPECTED)
    arrays = np.load(finemo / regions)
    scores = arrays["contributions"].astype(float)
    scores = scores if scores.ndim == 3 else np.repeat(scores[:, None], 4, axis=1)
    hits = [scores[0, :, 2:6].T, scores[1, :, 5:9].T, scores[1, :, 10:14].T[::-1, ::-1]]
    bases = [np.eye(4)[encode([word])[0]] for word in ("GATA", "GATT", "GATA")]
    mean = np.mean([h * b for h, b in zip(hits, bases, strict=True)], axis=0)
    np.testing.assert_allclose(found.seqlets.contributions, mean)
    if regions == "regions.npz":
        np.testing.assert_allclose(found.seqlets.hypothetical, np.mean(hits, axis=0))
    else:
        assert found.seqlets.hypothetical is None


@pytest.mark.parametrize("name", ["start", "peak_region_start"])
def test_the_files_of_finemo_itself(tmp_path: Path, name: str) -> None:
    """Hits and regions that FiNeMo wrote (reference/finemo/make.py): windows and scores
    are those of the sites.
    """
    truth, arrays = np.load(FINEMO / "truth.npz"), dict(np.load(FINEMO / "regions.npz"))
    arrays[name] = arrays.pop("start")
    np.savez(tmp_path / "regions.npz", **arrays)
    (found,) = cg.read_patterns(
        FINEMO / "hits.tsv", regions=tmp_path / "regions.npz"
    ).values()
    windows = [
        (-1 if minus else 1, row, slice(start, start + 6))
        for row, (start, minus) in enumerate(
            zip(truth["start"], truth["minus"], strict=True)
        )
    ]
    one_hot = np.eye(4)[truth["tokens"]]
    np.testing.assert_array_equal(
        found.probabilities,
        np.mean([one_hot[r, at][::t, ::t] for t, r, at in windows], 0),
    )
    scores = np.mean(
        [truth["scores"][r, :, at].T.astype(float)[::t, ::t] for t, r, at in windows],
        axis=0,
    )
    np.testing.assert_allclose(found.seqlets.hypothetical, scores, atol=1e-12)
    np.testing.assert_array_equal(found.probabilities, np.eye(4)[encode(["GATAAG"])[0]])


def test_hits_that_cannot_be_placed(finemo: Path) -> None:
    genome, regions = finemo / "genome.fa", finemo / "regions.npz"
    (finemo / "far.tsv").write_text(f"{HEADER}\n{hit('chr1', 27, 'GATA', '+', 0)}\n")
    for table, options, message in (
        ("hits.tsv", {}, "give genome= .* or regions="),
        ("hits.tsv", {"genome": genome, "regions": regions}, "not both"),
        ("relative.tsv", {"genome": genome}, "the hit has no chromosome"),
        ("far.tsv", {"regions": regions}, "bases 17 to 21 lie outside region 0"),
        ("hits.bed", {"regions": regions}, "names no region"),
        (
            "hits.tsv",
            {"regions": finemo / "bare.npz"},
            "does not say where its regions begin",
        ),
    ):
        with pytest.raises(SequenceError, match=message):
            cg.read_patterns(finemo / table, **options)
    (finemo / "x.tsv").write_text(
        f"{HEADER}\n"
        f"{hit('chr1', 12, 'G', '+', 0)}\n"
        f"{hit('chr1', 12, 'G', '+', 0, width=5)}\n"
    )
    with pytest.raises(SequenceError, match=r"hits of 'G' are \[4, 5\] bases wide"):
        cg.read_patterns(finemo / "x.tsv", genome=genome)
    (finemo / "x.tsv").write_text(f"{HEADER}\n")
    with pytest.raises(SequenceError, match="no hits"):
        cg.read_patterns(finemo / "x.tsv", genome=genome)
    (finemo / "x.tsv").write_text(f"{HEADER}\nchr1\t12\tx\n")
    with pytest.raises(SequenceError, match="line 2: 3 columns"):
        cg.read_patterns(finemo / "x.tsv", genome=genome)
    np.savez(finemo / "other.npz", x=np.zeros(3))
    with pytest.raises(
        SequenceError, match="FiNeMo's regions are 'sequences' and 'contributions'"
    ):
        cg.read_patterns(finemo / "hits.tsv", regions=finemo / "other.npz")


def test_words_of_the_regions_are_those_of_the_hits(finemo: Path) -> None:
    assert decode(cg.read_sequences(finemo / "regions.npz").tokens)[0][2:6] == "GATA"


def test_options_and_tables_that_do_not_go_together(
    finemo: Path, modisco: Path
) -> None:
    (finemo / "m.meme").write_text(
        "MEME version 5\nMOTIF a\nletter-probability matrix: w= 1\n1 0 0 0\n"
    )
    (finemo / "named.bed").write_text(
        "chr\tstart\tend\tname\tscore\tstrand\nchr1\t12\t16\tGATA\t9\t+\n"
    )
    (finemo / "four.bed").write_text("chr1\t12\t16\tGATA\n")
    (finemo / "either.bed").write_text("chr1\t12\t16\tGATA\t9\t.\n")
    genome: dict[str, Any] = {"genome": finemo / "genome.fa"}
    for path, options, message in (
        (
            finemo / "m.meme",
            {"trim": 0.5},
            r"trim=0\.5 goes with tfmodisco's HDF5.*cg\.sequences\.Motif\(motif\.name",
        ),
        (finemo / "hits.bed", {"trim": 0.5, **genome}, "trim=0.5 goes with tfmodisco"),
        (modisco, genome, "genome= goes with FiNeMo's hits, and this is HDF5"),
        (
            finemo / "named.bed",
            genome,
            r"not one of FiNeMo's hits: .*hits\.bed has six columns and no header",
        ),
        (finemo / "four.bed", genome, r"not one of FiNeMo's hits: .*hits\.bed has six"),
        (
            finemo / "either.bed",
            genome,
            r"strand '\.'; .* no orientation without its strand",
        ),
    ):
        with pytest.raises(SequenceError, match=message):
            cg.read_patterns(path, **options)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"contributions": np.full((2, 20), "1")},
            r"contributions of <U1 and shape \(2, 20\) for 2 regions",
        ),
        ({"contributions": np.full((2, 20), np.nan)}, "they are finite numbers"),
        (
            {"peak_id": np.array(0.5)},
            r"peak_id is float64 of shape \(\); it has a whole number for each of 2",
        ),
        ({"peak_region_start": np.array([0.5, 1])}, "peak_region_start is float64"),
    ],
)
def test_regions_with_odd_columns(
    finemo: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    held = dict(np.load(finemo / "regions.npz")) | arrays
    np.savez(finemo / "odd.npz", **held)
    with pytest.raises(SequenceError, match=message):
        cg.read_patterns(finemo / "hits.tsv", regions=finemo / "odd.npz")
