"""Long sequences: context, necessity, sufficiency, placement, copies, interactions and
searches, against truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from catalogue_truth import assert_estimates, assert_verdicts
from scipy import stats

import causalgia as cg
from causalgia.experiments import (
    necessity,
    sufficiency,
    tile_search,
    tiles,
)
from causalgia.multiplicity.adjusted_p import hierarchical_p
from causalgia.sequences import decode
from causalgia.zoo import MotifCount, Oracle, Pair, Saturating
from causalgia.zoo.terms import Gate, Hill

LENGTH, FIRST, SECOND = 240, "GATAAGCA", "TATAAACG"


NOISE = [MotifCount("CAC", 0.1), MotifCount("TTG", -0.1)]


TILES = [(30, 60), (120, 150), (180, 210)]


def sequences(n: int = 22, seed: int = 0, length: int = LENGTH) -> dict[str, str]:
    """Random sequences with the first motif in the tile 30-60 and the second in
    120-150, where in it differs.
    """
    made = {}
    for i, s in enumerate(
        decode(cg.Uniform(length=length).sample(n, rng=seed)["sequence"].values)
    ):
        a, b = 32 + i % 18, 122 + i % 18
        made[f"s{i}"] = s[:a] + FIRST + s[a + 8 : b] + SECOND + s[b + 8 :]
    return made


def gate(logic: Any, *noise: Any) -> Oracle:
    return Oracle(
        Gate((FIRST, SECOND), bonus=4.0, logic=logic),
        *(noise or NOISE),
        scale="activity",
        intercepts=[3.0],
    )


def answer_of(experiment: Any, oracle: Oracle, *, n: int = 8_000, rng: int = 0) -> Any:
    """Run, analyze and hold every contrast against the truth; the answer."""
    answer = experiment.analyze(
        cg.run(experiment, oracle, rng=rng, progress=False), rng=rng
    )
    truth = oracle.true_ace(experiment, n_units=n)
    assert_estimates(answer.estimates, truth)
    assert_verdicts(answer, truth)
    return answer


def verdicts(answer: Any) -> dict[str, str]:
    table = answer.decisions["verdict"].isel(task=0)
    return dict(
        zip(table["contrast"].values.tolist(), table.values.tolist(), strict=True)
    )


def by_definition(p: np.ndarray, parents: list[int], sizes: list[float]) -> list[float]:
    whole = sum(size for size, parent in zip(sizes, parents, strict=True) if parent < 0)

    def of(node: int) -> float:
        own = min(1.0, p[node] * whole / sizes[node])
        return own if parents[node] < 0 else max(own, of(parents[node]))

    return [of(node) for node in range(len(p))]


def test_hierarchical_p_is_its_definition_on_unequal_trees_and_forests() -> None:
    parents, sizes = (
        [-1, -1, 0, 0, 1, 2, 2, 4],
        [7.0, 5.0, 3.0, 4.0, 4.0, 1.0, 2.0, 3.5],
    )
    p = np.random.default_rng(0).uniform(size=(8, 3)) ** 4
    found = hierarchical_p(p, np.array(parents), sizes)
    for column in range(3):
        assert found[:, column] == pytest.approx(
            by_definition(p[:, column], parents, sizes)
        )
    p[2, 0] = np.nan
    assert np.isnan(hierarchical_p(p, np.array(parents), sizes)[:, 0]).tolist() == [
        i in (2, 5, 6) for i in range(8)
    ]


def heap(leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """Parents and sizes of a full binary tree, the root first."""
    nodes = np.arange(2 * leaves - 1)
    return np.where(nodes > 0, (nodes - 1) // 2, -1), leaves / 2.0 ** np.floor(
        np.log2(nodes + 1)
    )


@pytest.mark.parametrize("shared", [0.0, 0.9])
@pytest.mark.parametrize("effects", [(), (3,), (3, 4, 21), tuple(range(0, 32, 2))])
def test_family_wise_error_of_a_search_over_a_tree(
    effects: tuple[int, ...], shared: float
) -> None:
    """Also where whole and parts disagree: effects that cancel, and parts without
    effect in a whole with one.
    """
    n_trials, leaves, level = 10_000, 32, 0.05
    parents, sizes = heap(leaves)
    rng = np.random.default_rng([len(effects), int(10 * shared)])
    means = np.zeros(leaves)
    means[list(effects)] = np.where(np.arange(len(effects)) % 2 == 0, 4.0, -4.0)
    z = np.sqrt(1 - shared) * rng.normal(size=(leaves, n_trials)) + np.sqrt(
        shared
    ) * rng.normal(size=n_trials)
    values, truth = [z + means[:, None]], [means]
    while len(values[0]) > 1:
        values.insert(0, values[0][::2] + values[0][1::2])
        truth.insert(0, truth[0][::2] + truth[0][1::2])
    sd = np.sqrt(sizes * (1 - shared) + shared * sizes**2)[:, None]
    p = 2 * stats.norm.sf(abs(np.concatenate(values)) / sd)
    wrong = (
        (
            (hierarchical_p(p, parents, sizes) <= level)
            & (np.concatenate(truth) == 0)[:, None]
        )
        .any(axis=0)
        .sum()
    )
    assert wrong <= stats.binom.ppf(1 - 1e-4, n_trials, level)
    if not effects:
        assert wrong >= stats.binom.ppf(1e-4, n_trials, level)  # the root alone: exact


@pytest.mark.parametrize("logic", ["and", "or"])
def test_and_makes_tiles_necessary_or_makes_them_sufficient(logic: str) -> None:
    oracle = gate(logic)
    needed = answer_of(
        necessity(sequences(66), tile_width=30, n_draws=3, rope=(-1.0, 1.0)), oracle
    )
    enough = answer_of(
        sufficiency(sequences(66), tile_width=30, n_draws=3, rope=(-1.0, 1.0)), oracle
    )
    # one trial, two questions
    np.testing.assert_allclose(needed.estimates["ace"], enough.estimates["ace"])
    for answer, first in ((needed, "lost"), (enough, "alone")):
        asked = answer.decisions.isel(contrast=answer.decisions["of_question"].values)
        assert set(asked["asks"].values) == {first}
        shapes = answer.findings["shapes"]
        acting = shapes.isel(shape=abs(shapes["sign"].values) == 1)
        assert set(acting["group"].values) == {"lost" if logic == "and" else "alone"}
        assert (acting["sign"] == (-1 if logic == "and" else 1)).all()
        spans = set(zip(acting["start"].values, acting["stop"].values, strict=True))
        assert spans == {(30, 60), (120, 150)}
        assert not np.isnan(shapes["sign"]).any()


@pytest.mark.simulation
def test_a_protected_promoter_is_never_shuffled_and_makes_a_tile_sufficient() -> None:
    oracle, given = gate("and"), sequences()
    experiment = sufficiency(
        given, tile_width=30, tss=TILES[1], n_draws=3, rope=(-1.0, 1.0)
    )
    assert "120-150 alone" not in experiment.arm_names
    assert verdicts(answer_of(experiment, oracle))["30-60 alone"] == "increases"
    tokens = experiment.null.sample(experiment.n_units, rng=0)["sequence"].values
    units = np.arange(experiment.n_units, dtype=np.uint64)
    edited = {
        arm.name: arm.intervention.apply(tokens, units=units, key=5)
        for arm in experiment.named_arms
        if arm.name.startswith("all") or arm.name.endswith("alone")
    }
    for name, sequence in edited.items():
        assert (sequence[:, 120:150] == tokens[:, 120:150]).all()
        outside = np.ones(LENGTH, bool)
        if name != "all shuffled":
            start, stop = map(int, name.removesuffix(" alone").split("-"))
            assert (sequence[:, start:stop] == tokens[:, start:stop]).all()
            outside[start:stop] = False
        # arms share every other base
        assert (sequence[:, outside] == edited["all shuffled"][:, outside]).all()


def test_answers_draw_along_the_sequence() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    experiment = necessity(sequences(), tile_width=60, n_draws=2, rope=(-1.0, 1.0))
    answer = experiment.analyze(cg.run(experiment, gate("and"), rng=0), rng=0)
    axes = answer.draw()
    (legend,) = axes.figure.legends
    drawn = {text.get_text() for text in legend.get_texts()}
    assert drawn == {"lost", "alone", "ROPE"}


def test_a_last_tile_is_shorter_where_the_width_does_not_divide() -> None:
    given = sequences(3)
    for experiment in (necessity, sufficiency):
        made = experiment(given, tile_width=100, tss=(120, 150), rope=(-1, 1))
        assert tiles_of(made) == [(0, 100), (100, 120), (150, 240)]
        odd = experiment(given, tile_width=70, rope=(-1, 1))
        assert tiles_of(odd) == [(0, 70), (70, 140), (140, 210), (210, 240)]
    default = necessity(given, rope=(-1, 1))
    assert tiles_of(default) == [(at, at + 30) for at in range(0, 240, 30)]  # an eighth


def tiles_of(experiment: cg.experiments.Experiment) -> list[tuple[int, int]]:
    start, stop = (experiment.labels[end] for end in ("tile", "stop"))
    return sorted({(start[name], stop[name]) for name in start})


@pytest.mark.filterwarnings("ignore:.*do(es)? not vary at all")
def test_distance_and_orientation_of_a_tile() -> None:
    one_way = Oracle(Pair(FIRST, SECOND, bonus=4.0, decay=60.0, reach=300), *NOISE)
    experiment = tiles(
        sequences(22, length=420),
        tiles=[TILES[0]],
        at=[30, 180, 260, 340],
        tss=TILES[1],
        n_draws=3,
        rope=(-0.2, 0.2),
    )
    answer = answer_of(experiment, one_way)
    found = verdicts(answer)
    assert found["orientation"] == "increases"
    assert "at 30, reversed" not in found
    assert answer.decisions.sel(contrast="at 180")["distance"].item() == 60.0
    shapes = answer.findings["shapes"].to_dataframe()
    near = shapes[(shapes["axis"] == "distance") & (shapes["group"] == "+")]
    assert near["start"].iloc[0] == 60.0
    assert near["sign"].iloc[0] == 1
    assert near["first"].iloc[0] > near["last"].iloc[0]  # it decays
    back = shapes[(shapes["axis"] == "distance") & (shapes["group"] == "-")]
    assert (back["sign"] == 0).all()
    assert "raises the outcome at 60 to" in answer.sentences[0]


def test_the_reversed_tile_is_its_own_bases_turned() -> None:
    given = sequences(3)
    experiment = tiles(
        given, tiles=[(30, 60)], at=[60, 200], tss=(120, 150), rope=(-1, 1)
    )
    tokens = experiment.null.sample(experiment.n_units, rng=0)["sequence"].values
    units = np.arange(experiment.n_units, dtype=np.uint64)
    edited = {
        arm.name: arm.intervention.apply(tokens, units=units, key=5)
        for arm in experiment.named_arms
    }
    assert (edited["at 200"][:, 200:230] == tokens[:, 30:60]).all()
    assert (
        edited["at 200, reversed"][:, 200:230] == 3 - tokens[:, 30:60][:, ::-1]
    ).all()
    same = np.r_[0:120, 150:200, 230:LENGTH]
    assert (edited["at 200"][:, same] == edited["context alone"][:, same]).all()
    assert (edited["at 200"][:, 30:60] != tokens[:, 30:60]).any(axis=1).all()


@pytest.mark.parametrize(
    ("half", "expected"), [(200.0, "negligible"), (2.0, "decreases")]
)
def test_copies_of_a_tile_add_up_or_saturate(half: float, expected: str) -> None:
    words = (MotifCount(FIRST, 1.0), MotifCount("CAC", 0.02))
    oracle = Oracle(Saturating(words, Hill(top=4.0 * half, half=half)))
    experiment = tiles(
        sequences(),
        tiles=[TILES[0]],
        at=[30, 160, 200],
        tss=TILES[1],
        n_draws=3,
        rope=(-0.25, 0.25),
    )
    found = verdicts(answer_of(experiment, oracle))
    assert found["excess over single sites"] == expected
    assert found["at 200"] == found["copy 3 added"] == "increases"


@pytest.mark.simulation
def test_moebius_terms_of_gates_and_sums() -> None:
    every_order = Saturating(
        (MotifCount("CAC", 1.0), MotifCount("TTG", 1.0)), Hill(top=2.0, half=5.0)
    )
    expected = {
        "and": {"30-60 x 120-150"},
        "or": {"30-60", "120-150", "30-60 x 120-150"},
    }
    for logic, clear in expected.items():
        experiment = tiles(sequences(66), tiles=TILES, n_draws=3, rope=(-1.0, 1.0))
        found = verdicts(answer_of(experiment, gate(logic, every_order)))
        assert len(experiment.named_arms) == 8
        assert {
            name for name, verdict in found.items() if verdict != "negligible"
        } == clear | {"all together"}
        assert found["30-60 x 120-150"] == (
            "increases" if logic == "and" else "decreases"
        )
    shuffled = tiles(
        sequences(), tiles=TILES, context="shuffled", n_draws=3, rope=(-1.0, 1.0)
    )
    assert (
        verdicts(answer_of(shuffled, gate("and", every_order)))["30-60 x 120-150"]
        == "increases"
    )


def test_moebius_terms_are_the_interaction_of_the_factors() -> None:
    experiment = tiles(sequences(), tiles=TILES, n_draws=2, rope=(-1.0, 1.0))
    outcomes = cg.run(experiment, gate("and"), rng=0)
    named = cg.contrast(outcomes)["ice"].sel(contrast="30-60 x 120-150 x 180-210")
    by_factors = cg.contrast(outcomes, interaction=["30-60", "120-150", "180-210"])[
        "ice"
    ].isel(contrast=0)
    np.testing.assert_allclose(named.values, by_factors.values, atol=1e-12)


def test_a_search_finds_the_words_and_nothing_else() -> None:
    oracle, given = (
        cg.zoo.oracle("long_range"),
        decode(cg.Uniform(length=1_280).sample(20, rng=3)["sequence"].values),
    )
    word, promoter = "ATGCTGAGTCAT", "GGCTATAAAAGG"
    put = [s[:333] + word + s[345:1_000] + promoter + s[1_012:] for s in given]
    found = tile_search(
        put, oracle, rng=0, tiles=[(0, 980)], n_draws=2, rope=(-0.2, 0.2)
    ).isel(task=0)
    finest = found.isel(contrast=found["finest"].values)
    assert finest.sizes["contrast"] >= 1
    assert all(
        start < 345 and stop > 333
        for start, stop in zip(
            finest["start"].values, finest["stop"].values, strict=True
        )
    )
    assert (finest["stop"] - finest["start"]).values.max() < 20
    assert (found["p_adjusted"] <= 0.05).equals(found["found"])
    assert (found["ace"].values[found["found"].values] < -0.2).all()
    inside = found.sel(contrast=found["within"].values[1:])
    assert inside["found"].all()  # only halves of what was found are asked
    assert (inside["p_adjusted"].values <= found["p_adjusted"].values[1:]).all()


def test_a_search_in_one_sequence_and_one_that_finds_nothing() -> None:
    oracle, (given, *_) = gate("and"), sequences(1).values()
    found = tile_search([given], oracle, rng=0, rope=(-1.0, 1.0), min_width=8).isel(
        task=0
    )
    finest = found.isel(contrast=found["finest"].values)
    assert {int(start) // 30 for start in finest["start"].values} <= {1, 4}
    assert finest.sizes["contrast"] >= 2
    nothing = tile_search([given], Oracle(*NOISE), rng=0, rope=(-3.0, 3.0)).isel(task=0)
    assert nothing.sizes["contrast"] == 1


def test_draws_that_agree_exactly_have_the_p_of_their_signs() -> None:
    """Of n draws that all answer 2: p against 0.5 is ``2^(1 - n)``."""
    given = "ACGT" * 10 + FIRST + "CCAG" * 13
    oracle = Oracle(MotifCount(FIRST, 2.0))
    few, more = (
        tile_search([given], oracle, rng=0, n_draws=n, rope=(-0.5, 0.5)).isel(task=0)
        for n in (5, 8)
    )
    for found, n in ((few, 5), (more, 8)):
        root = found.isel(contrast=0)
        assert root["exact"].item()
        np.testing.assert_allclose(root["p"].item(), 2.0 ** (1 - n), rtol=1e-9)
    # five draws cannot find the root, and eight find what is in its halves
    assert few.sizes["contrast"] == 1
    assert more.sizes["contrast"] == 7


def test_spans_may_be_arrays() -> None:
    given = decode(cg.Uniform(length=100).sample(20, rng=0)["sequence"].values)
    listed = tiles(given, tiles=[(0, 20)], at=[60, 80], tss=(30, 50))
    arrays = {"at": np.array([60, 80]), "tss": np.array([30, 50])}
    assert tiles(given, tiles=np.array([[0, 20]]), **arrays) == listed
    spans = np.array([[0, 20], [30, 50]])
    assert (
        necessity(given, tiles=spans).arm_names
        == necessity(given, tiles=spans.tolist()).arm_names
    )


def test_a_placement_is_drawn_strand_by_strand() -> None:
    given, oracle = sequences(20), gate("and")
    experiment = tiles(
        given,
        tiles=[TILES[0]],
        at=[30, 60, 90],
        tss=TILES[1],
        n_draws=2,
        rope=(-1.0, 1.0),
    )
    axes = experiment.analyze(
        cg.run(experiment, oracle, rng=0, progress=False), rng=0
    ).draw()
    drawn = {
        points.get_label(): len(points.get_offsets())
        for points in axes.collections[::-1]
    }
    assert (drawn["+"], drawn["-"]) == (3, 2)


def test_experiments_are_in_the_catalogue_and_are_made_from_plain_settings() -> None:

    given = decode(cg.Uniform(length=100).sample(20, rng=0)["sequence"].values)
    plain: dict[str, dict[str, Any]] = {
        "necessity": {"tile_width": 20, "tss": [40, 60]},
        "sufficiency": {"tiles": [[0, 20], [30, 50]]},
        "tiles": {"tiles": [[0, 20]], "at": [60, 80], "tss": [30, 50]},
    }
    for name, settings in plain.items():
        made = getattr(cg.experiments, name)(given, **settings, n_draws=2)
        assert cg.Design.from_toml(made.to_toml()).fingerprint == made.fingerprint


def test_a_row_without_units_of_its_own_never_appears() -> None:
    """A Genomic of several rows a parent keeps its parents: errors are between them."""
    given = list(sequences(24).values())
    null = cg.Genomic(of=given, parent=[f"gene{i // 2}" for i in range(24)])
    experiment = necessity(null, tiles=TILES, n_draws=2, rope=(-1.0, 1.0))
    with pytest.warns(cg.errors.DegenerateWarning):
        answer = experiment.analyze(cg.run(experiment, gate("and"), rng=0), rng=0)
    assert isinstance(answer.estimates, xr.Dataset)
    assert (answer.estimates["n_clusters"] == 12).all()
