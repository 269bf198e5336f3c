# Imports from the inside: waves over distances, whose p is at most uniform.
"""Motif pairs (B1, B2, B3): recovery on oracles, every scale, direction, the helix, the
gain of pairing, many pairs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from catalogue_truth import assert_estimates, assert_recovers
from scipy import stats

import causalgia as cg
from causalgia.effects._contrast import cell_interactions
from causalgia.errors import EstimateError
from causalgia.estimation._helical_phase import (
    mean_curve_wave,
    permuted_wave,
    trend_basis,
    unitwise_wave,
)
from causalgia.experiments import motif_pair, motif_pairs, pairing_gain
from causalgia.experiments.kit.pair_interactions import (
    ORDERS,
    _period_sentences,
)

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


HELIX = {
    "null": NULL,
    "distances": range(11, 53),
    "orientations": ["++"],
    "orders": ["downstream"],
}


@pytest.mark.simulation
def test_the_period_of_the_helix_where_units_differ():
    experiment = motif_pair(**HELIX, n_units=300)
    answer = experiment.analyze(cg.run(experiment, BUSY, rng=0, progress=False), rng=0)
    phase, period = (
        answer.findings[name].isel(curve=0) for name in ("phase", "period")
    )
    assert (phase["fit"].item(), phase["df2"].item()) == ("unitwise", 298)
    assert phase["p"].item() < 1e-6
    assert period["period_lower"].item() <= 10.5 <= period["period_upper"].item()
    # the motifs that pair start 4 after and 1 before the motifs
    assert abs(phase["phase_bp"].item() - 5) < 1
    assert (
        period["phase_lower"].item()
        < period["phase_median"].item()
        < period["phase_upper"].item()
    )
    assert period["phase_upper"].item() - period["phase_lower"].item() < 3
    of_moments = experiment.analyze(
        cg.run(experiment, BUSY, rng=0, progress=False, keep="moments"), rng=0
    )
    np.testing.assert_allclose(
        of_moments.findings["period"]["period_probability"],
        answer.findings["period"]["period_probability"],
        atol=1e-6,
    )
    assert set(of_moments.findings) == {"period"}


def test_the_helix_where_every_unit_says_the_same():
    experiment = motif_pair(**HELIX, other=NANOG, n_units=5, rope=(-0.1, 0.1))
    answer = experiment.analyze(
        cg.run(experiment, cg.zoo.oracle("pairs_like"), rng=0, progress=False), rng=0
    )
    phase = answer.findings["phase"].sel(curve="++ downstream, Nanog")
    assert phase["fit"].item() == "mean_curve"
    assert phase["p"].item() < 1e-6
    assert abs(phase["best_period"].item() - 10.5) <= 0.1
    # the other tasks' curves are flat
    assert answer.findings["period"]["task"].values.tolist() == ["Nanog"]


@pytest.mark.simulation
def test_no_helix_where_there_is_none():
    straight = cg.zoo.Oracle(
        cg.zoo.MotifCount("S", 0.1),
        cg.zoo.Pair("ATCAS", "SGAAC", bonus=0.8, decay=40.0, min_distance=5),
        scale="activity",
    )
    experiment = motif_pair(**HELIX, n_units=200)
    answer = experiment.analyze(
        cg.run(experiment, straight, rng=0, progress=False), rng=0
    )
    assert answer.findings["phase"]["p"].item() > 1e-3


AWAY = np.arange(11.0, 161.0)


def waves_of(ice, x, trend="decay"):
    """p between units (None where they differ in size alone) and of the mean curve."""
    base = trend_basis(x, trend)
    try:
        between = unitwise_wave(x, ice, base, 10.5).p
    except EstimateError:
        between = None
    return between, mean_curve_wave(x, ice.mean(axis=0), base, 10.5).p


@pytest.mark.parametrize("x", [AWAY, AWAY[:42], AWAY[::5]])
@pytest.mark.parametrize("length", [12.0, 25.0, 50.0, 120.0])
def test_a_decay_is_no_wave_and_a_wave_that_decays_is_one(x, length):
    """Units differ in how large an interaction is and in how far it reaches, and in
    nothing else.
    """
    rng = np.random.default_rng(int(length))
    reach, size = (
        rng.normal(length, length / 20, (128, 1)),
        rng.normal(1.0, 0.2, (128, 1)),
    )
    smooth = size * np.exp(-x / reach)
    assert max(p for p in waves_of(smooth, x) if p is not None) > 0.05
    if length == 50:
        # a cubic's misfit is sure between units, and is no wave
        assert waves_of(smooth, x, "cubic")[0] < 1e-6
    wavy = smooth * (1 + 0.3 * np.cos(2 * np.pi * (x - 3) / 10.5))
    assert all(p is None or p < 1e-2 for p in waves_of(wavy, x))


@pytest.mark.simulation
def test_p_of_the_helix_is_at_most_uniform_beside_a_decay():
    rng, n = np.random.default_rng(0), 400
    x = AWAY[:60]
    ice = (
        np.exp(-x / 50)
        + rng.normal(0.0, 0.2, (n, 30, len(x)))
        + rng.normal(0.0, 0.2, (n, 30, 1))
    )
    p = np.array([max(waves_of(one, x)) for one in ice])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).sum() <= stats.binom.ppf(1 - 1e-4, n, level)
    by_permutation = [
        permuted_wave(x, one.mean(axis=0), trend_basis(x, "decay"), 10.5, rng=rng, n=99)
        for one in ice[:200]
    ]
    for level in (0.05, 0.2, 0.5):
        low, high = stats.binom.ppf([1e-4, 1 - 1e-4], 200, level)
        assert low <= np.sum(np.array(by_permutation) <= level) <= high


def test_a_decay_is_said_to_have_no_phase_and_no_units_to_judge_it_by():
    experiment = motif_pair(**HELIX, n_units=40, rope=(-0.1, 0.1))
    fading = cg.zoo.Oracle(
        cg.zoo.MotifCount("S", 0.1),
        cg.zoo.Pair(NANOG, SOX2, bonus=1.0, decay=50.0),
        scale="activity",
    )
    answer = experiment.analyze(
        cg.run(experiment, fading, rng=0, progress=False), rng=0
    )
    phase = answer.findings["phase"].isel(curve=0)
    assert phase["fit"].item() == "mean_curve"
    assert phase["p"].item() == phase["p_curve"].item() > 0.05
    assert phase["p_permutation"].item() > 0.05


@pytest.mark.simulation
def test_distances_at_which_some_period_is_no_wave():
    experiment = motif_pair(
        **HELIX | {"null": cg.Uniform(length=300), "distances": range(18, 135, 9)},
        n_units=40,
    )
    answer = experiment.analyze(cg.run(experiment, BUSY, rng=0, progress=False), rng=0)
    assert answer.findings["phase"]["best_period"].item() != 9.0


def test_what_pairing_is_worth():
    experiment = small(distances=[20], orders=["downstream"], orientations=["++"])
    outcomes = cg.run(experiment, BUSY, rng=0, progress=False)
    gain = pairing_gain(outcomes, experiment).sel(contrast="++ downstream 20")
    by_arm = outcomes["outcome"].isel(task=0).to_numpy()
    unpaired = np.sqrt((by_arm.var(axis=0, ddof=1) / 200).sum())
    ice = by_arm[:, 3] - by_arm[:, 1] - by_arm[:, 2] + by_arm[:, 0]
    assert gain["unpaired_se"].item() == pytest.approx(unpaired, rel=1e-12)
    assert gain["gain"].item() == pytest.approx(
        unpaired / (ice.std(ddof=1) / np.sqrt(200)), rel=1e-12
    )
    assert gain["gain"].item() > 3
    assert gain["distance"].item() == 20


def test_pairing_says_what_fresh_backgrounds_would_give():
    """The unpaired error against the spread of trials whose arms have backgrounds of
    their own.
    """
    experiment = small(
        distances=[20], orders=["downstream"], orientations=["++"], n_units=40
    )
    whole = cg.run(
        replace(experiment, n_units=4 * 40 * 60), BUSY, rng=0, progress=False
    )
    gain = pairing_gain(whole, experiment).sel(contrast="++ downstream 20")
    said = float(gain["unpaired_se"].item()) * np.sqrt(4 * 60)
    y = whole["outcome"].isel(task=0).to_numpy().reshape(60, 4, 40, -1)
    fresh = (y[:, 0, :, 3] - y[:, 1, :, 1] - y[:, 2, :, 2] + y[:, 3, :, 0]).mean(axis=1)
    assert abs(np.log(fresh.std(ddof=1) / said)) < 4 / np.sqrt(2 * 59)


def test_exact_contrasts_have_no_gain_and_parents_share_errors():
    experiment = motif_pair(NULL, distances=[20], orientations=["++"], n_units=30)
    flat = pairing_gain(
        cg.run(experiment, cg.zoo.oracle("pairs_like"), rng=0, progress=False),
        experiment,
    )
    assert "++ downstream 20" in flat.attrs["exact"]


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


@pytest.mark.parametrize(
    ("evidence", "clear"), [(0.9, False), (1.1, True), (1.9, True)]
)
def test_a_phase_is_clear_from_a_bayes_factor_of_ten(evidence, clear):
    period = xr.Dataset(
        {
            "log_bayes_factor": ("curve", np.log(10) * np.array([evidence, 0.2])),
            **{
                f"{name}_{part}": ("curve", [10.5, 10.5])
                for name in ("period", "amplitude")
                for part in PARTS
            },
        },
        coords={
            "curve": ["close", "far"],
            "task": ("curve", ["K562", "K562"]),
            "orientation": ("curve", ["++", "+-"]),
            "order": ("curve", ["upstream", "upstream"]),
        },
    )
    ((is_clear, _),) = _period_sentences(period, None)
    assert is_clear == clear


PARTS = ("median", "lower", "upper")


@pytest.mark.parametrize("trend", ["linear", "cubic", "natural_spline_4", "decay"])
def test_a_trend_spans_the_same_curves_wherever_distances_begin(trend):
    near, far = (trend_basis(AWAY[:60] + start, trend) for start in (0.0, 20_000.0))
    np.testing.assert_allclose(near @ near.T, far @ far.T, atol=1e-8)


@pytest.mark.parametrize("sign", [1, -1])
def test_waves_that_are_alike_in_every_unit_judge_no_mean(sign):
    curve = sign * (5 + np.sin(2 * np.pi * AWAY / 10.5))
    # units differ in their level alone
    ice = curve + np.random.default_rng(0).normal(size=(40, 1))
    with pytest.raises(EstimateError):
        unitwise_wave(AWAY, ice, trend_basis(AWAY, "linear"), 10.5)
