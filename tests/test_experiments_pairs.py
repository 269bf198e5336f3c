"""Motif pairs (B1, B2, B3): recovery on oracles, every scale, direction, many pairs."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from catalogue_truth import assert_estimates, assert_recovers

import causalgia as cg
from causalgia.effects._contrast import cell_interactions
from causalgia.experiments import motif_pair, motif_pairs
from causalgia.experiments.kit.pair_interactions import ORDERS

NANOG, SOX2 = "AGCCATCA", "GAACAATGG"
NULL = cg.Uniform(length=200)
#: pairs that count where the base beside each motif is C or G, so that the effects of
#: units differ
BUSY = cg.zoo.Oracle(
    cg.zoo.MotifCount("S", 0.05),
    cg.zoo.MotifCount("ATCAS", 0.3, "both"),
    cg.zoo.Pair(
        "ATCAS",
        "SGAAC",
        bonus=0.8,
        decay=40.0,
        phase=0.8,
        min_distance=5,
        strand="both",
    ),
    scale="activity",
    intercepts=[5.0],
)
CASES = {
    "null": NULL,
    "distances": [15, 26],
    "orientations": ["++", "+-"],
    "n_units": 200,
}
pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")


def small(**settings: object) -> cg.experiments.Experiment:
    return motif_pair(**(CASES | settings))  # type: ignore[arg-type]


def test_the_defaults_are_the_papers():
    experiment = motif_pair()
    assert (experiment.null.length, experiment.n_units) == (1_000, 128)
    asks = list(experiment.labels["asks"].values())
    assert asks.count("interaction") == asks.count("pair") == 150 * 4 * 2
    assert (asks.count("direction"), asks.count("orientation")) == (4, 3)
    assert len(experiment.arms) == 1 + 2 + 2 * 2 * 150 + 150 * 4 * 2
    assert {
        min(experiment.labels["distance"].values()),
        max(experiment.labels["distance"].values()),
    } == {11, 160}


@pytest.mark.simulation
def test_recovery_where_units_differ():
    answer = assert_recovers(small(), BUSY, rng=1)
    assert answer.estimates["se"].max() > 0
    row = answer.decisions.sel(contrast="++ downstream 15", task="outcome")
    assert row["verdict"].item() == "increases"


def test_sites_that_lower_the_outcome_are_above_their_sum_and_the_pair_still_lowers_it():
    """Each alone lowers the outcome; only 20 apart do they raise it. Above the sum they
    are at every distance.
    """
    lone = [cg.zoo.MotifCount(word, -2.0) for word in (NANOG, SOX2)]
    near = cg.zoo.Pair(
        NANOG,
        SOX2,
        bonus=6.0,
        clash=2.0,
        min_distance=20,
        reach=20,
        direction="forward",
    )
    apart = cg.zoo.Pair(
        NANOG, SOX2, bonus=1.0, min_distance=21, reach=60, direction="forward"
    )
    oracle = cg.zoo.Oracle(
        *lone, near, apart, cg.zoo.MotifCount("CAC", 0.2), scale="activity"
    )
    experiment = small(
        distances=[15, 20, 30],
        orders=["downstream"],
        orientations=["++"],
        rope=(-0.5, 0.5),
    )
    assert_recovers(experiment, oracle, unseen=0.02)


@pytest.mark.simulation
def test_recovery_of_direction_in_the_pluripotency_oracle():
    """Sox2 helps Nanog, on one strand, three times as much from upstream."""
    experiment = motif_pair(
        NULL,
        distances=[15, 25],
        orientations=["++", "--", "+-"],
        n_units=300,
        rope=(-0.1, 0.1),
    )
    answer = assert_recovers(
        experiment, cg.zoo.oracle("pairs_like"), rng=2, unseen=0.02
    )
    nanog = answer.decisions.sel(task="Nanog")
    assert nanog["verdict"].sel(contrast="direction ++").item() == "decreases"
    assert nanog["verdict"].sel(contrast="direction --").item() == "increases"
    assert nanog["verdict"].sel(contrast="direction +-").item() == "negligible"
    assert (
        nanog["verdict"].sel(contrast="orientation +- against ++").item() == "decreases"
    )


def test_a_cell_is_the_factorial_of_its_two_embeds():
    outcomes = cg.run(small(), BUSY, rng=3, progress=False)
    ice = cg.contrast(outcomes)["ice"].sel(contrast="+- upstream 26").to_numpy()
    first, second = cg.Embed(NANOG, at=96), cg.Embed(SOX2, at=70, strand="-")
    plain = cg.Design(
        null=NULL, arms=cg.factorial({"a": first, "b": second}), n_units=200
    )
    wanted = cg.contrast(
        cg.run(plain, BUSY, rng=3, progress=False), interaction=["a", "b"]
    )["ice"]
    np.testing.assert_allclose(
        ice, wanted.sel(contrast=wanted["contrast"][0]), atol=1e-12
    )


def test_directions_and_orientations_are_means_of_differences():
    effects = cg.contrast(cg.run(small(), BUSY, rng=3, progress=False))["ice"]

    def mean(orientation: str, order: str) -> xr.DataArray:
        return effects.sel(
            contrast=[f"{orientation} {order} {d}" for d in CASES["distances"]]
        ).mean("contrast")

    away = mean("+-", "downstream") - mean("+-", "upstream")
    np.testing.assert_allclose(effects.sel(contrast="direction +-"), away, atol=1e-12)
    turned = sum(mean("+-", o) - mean("++", o) for o in ("downstream", "upstream")) / 2
    np.testing.assert_allclose(
        effects.sel(contrast="orientation +- against ++"), turned, atol=1e-12
    )


@pytest.mark.parametrize(
    "scale",
    [
        "identity",
        "log_of_means",
        "ratio",
        lambda none, a, b, both: (both - a - b + none, a),
        lambda none, a, b, both: both - a * b / none,
    ],
)
def test_many_cells_on_a_scale_are_each_by_itself(scale):
    y = (
        np.random.default_rng(0).gamma(9.0, size=(40, 6, 2))
        + np.arange(6)[None, :, None]
    )
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y)},
        coords={
            "arm": list("0BAXYZ"),
            "task": ["K562", "HepG2"],
            "unit": range(40),
            "parent": ("unit", range(40)),
        },
    )
    cells = {"x": tuple("0BAX"), "y": tuple("0BAY"), "z": tuple("BAYZ")}
    effects = cell_interactions(outcomes, cells, scale=scale)
    assert effects["parent"].values.tolist() == list(range(40))
    found = cg.estimate(effects)
    for name, arms in cells.items():
        four = outcomes.sel(arm=list(arms)).assign_coords(
            a=("arm", [0, 0, 1, 1]), b=("arm", [0, 1, 0, 1])
        )
        one = cg.estimate(cg.contrast(four, interaction=["a", "b"], scale=scale))
        for column in ("ace", "se", "lower", "upper", "p"):
            np.testing.assert_allclose(
                found[column].sel(contrast=name),
                one[column][0],
                rtol=1e-9,
                err_msg=column,
            )


def test_all_scales_that_the_outcomes_allow():
    multiplies = cg.zoo.Oracle(
        cg.zoo.MotifCount("AGCC", 0.7),
        cg.zoo.MotifCount("GAAC", 0.4),
        scale="counts",
        link="exp",
    )
    experiment = small(orders=["downstream"], orientations=["++"])
    scales = experiment.analyze(
        cg.run(experiment, multiplies, rng=0, progress=False), rng=0
    ).findings["scales"]
    assert scales["scale"].values.tolist() == [
        "identity",
        "log_of_means",
        "excess_over_multiplicative",
        "bpnet",
    ]
    assert scales["null_value"].values.tolist() == [0, 0, 0, 1]
    near = scales.sel(contrast="++ downstream 26", task="outcome")
    # effects that multiply interact on the additive scale
    assert near["lower"].sel(scale="identity").item() > 0
    assert (
        near["lower"].sel(scale="log_of_means")
        < 0
        < near["upper"].sel(scale="log_of_means")
    )
    assert not near["survives"].item()
    assert "cooperativity" in scales.attrs["left_out"]
    logs = replace_scale(multiplies, "log2 counts")
    left = experiment.analyze(
        cg.run(experiment, logs, rng=0, progress=False), rng=0
    ).findings["scales"]
    assert left["scale"].values.tolist() == ["identity", "cooperativity"]


def replace_scale(oracle: cg.zoo.Oracle, scale: str) -> cg.zoo.Oracle:
    return cg.zoo.Oracle(*oracle.terms, scale=scale)


MOTIFS = {"Nanog": NANOG, "Sox2": SOX2, "Eco": "GAATTC"}


def test_moments_of_many_pairs_are_those_of_outcomes():
    experiment = motif_pairs(NULL, motifs=MOTIFS, distances=[12, 20], n_units=60)
    # a palindrome has one orientation
    assert len(experiment.named_contrasts) == 5 * 5 * 2 + 5 + 5 * 2
    moments = cg.run(experiment, BUSY, rng=4, progress=False, keep="moments")
    estimates = cg.estimate(moments)
    whole = cg.estimate(cg.contrast(cg.run(experiment, BUSY, rng=4, progress=False)))
    for name in ("ace", "se", "p", "skewness"):
        np.testing.assert_allclose(estimates[name], whole[name], rtol=1e-9, atol=1e-12)
    assert_estimates(estimates, BUSY.true_ace(experiment), unseen=0.1)
    answer = experiment.analyze(moments, rng=0)
    best = answer.findings["strongest"].sel(
        upstream="Nanog+", downstream="Sox2+", task="outcome"
    )
    table = answer.decisions.sel(
        contrast=[f"Nanog+ Sox2+ {d}" for d in (12, 20)], task="outcome"
    )
    assert (
        best["distance"].item()
        == [12, 20][int(np.abs(table["ace"].to_numpy()).argmax())]
    )


def test_a_pair_among_many_is_that_pair_alone():
    many = motif_pairs(NULL, motifs=MOTIFS, distances=[20], n_units=60, at=96)
    alone = small(distances=[20], n_units=60)
    ice = [
        cg.contrast(cg.run(e, BUSY, rng=5, progress=False))["ice"]
        for e in (many, alone)
    ]
    np.testing.assert_allclose(
        ice[0].sel(contrast="Nanog+ Sox2- 20"),
        ice[1].sel(contrast="+- downstream 20"),
        atol=1e-12,
    )


@pytest.mark.simulation
def test_the_figures(tmp_path):
    experiment = small(n_units=30, orientations=["+-", "++"], rope=(-0.1, 0.1))
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.oracle("pairs_like"), rng=0, progress=False), rng=0
    )
    axes = answer.draw()  # one strand of Sox2 helps Nanog, from upstream the most
    assert answer.clearest_task == "Nanog"
    drawn = {
        points.get_label(): np.asarray(points.get_offsets())
        for points in axes.collections[::-1]
    }
    table = answer.decisions.sel(task="Nanog")
    for order in ORDERS:
        wanted = table["ace"].sel(
            contrast=[f"++ {order} {d}" for d in CASES["distances"]]
        )
        np.testing.assert_allclose(
            drawn[order], np.column_stack([CASES["distances"], wanted])
        )
    assert answer.save(tmp_path / "pair.png").stat().st_size > 1_000
    many = motif_pairs(NULL, motifs=MOTIFS, distances=[12, 20], n_units=60)
    answer = many.analyze(
        cg.run(many, BUSY, rng=0, progress=False, keep="moments"), rng=0
    )
    assert answer.save(tmp_path / "pairs.png").stat().st_size > 1_000
