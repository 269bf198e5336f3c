# Imports from the inside: oracles of profiles, whose curves are known.
"""Change of the shape of a profile, and oracles whose profiles are known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.spatial.distance import jensenshannon

import causalgia as cg
from causalgia.errors import (
    PredictorError,
)
from causalgia.estimation import shape_change
from causalgia.sequences.alphabet import reverse_complement
from causalgia.zoo.oracles import Imprint, ProfileOracle

RNG = np.random.default_rng(0)
WORDS = {"footprint": "AGATAAG", "promoter": "TATAAA"}


def oracle(name: str) -> ProfileOracle:
    return getattr(cg.zoo, name)()


def design(
    name: str, n: int = 60, null: cg.design.NullModel | None = None
) -> cg.Design:
    arms = {
        "control": cg.Placebo(WORDS[name], at=90),
        "site": cg.Embed(WORDS[name], at=90),
        "two": cg.Embed(WORDS[name], at=90) + cg.Embed(WORDS[name], at=110),
    }
    return cg.Design(
        null=null or cg.Uniform(length=200), arms=arms, n_units=n, contrasts="control"
    )


@pytest.mark.simulation
@pytest.mark.parametrize("name", WORDS)
def test_true_curves_are_what_many_units_show(name):
    made = oracle(name)
    profile = cg.Profile(of=["A" * 200, "C" * 200, "G" * 200, "T" * 200, "A" * 200])
    for null in (cg.Uniform(length=200), profile):
        truth = made.true_curve(design(name, null=null))
        moments = cg.run(design(name, 4_000, null=null), made, rng=0, keep="moments")
        away = np.abs(moments["ice_mean"] - truth) / (
            moments["ice_sd"] / np.sqrt(4_000)
        ).where(moments["ice_sd"] > 0)
        seen = moments["ice_leverage"] < 0.02
        assert float(away.where(seen).max()) < 5
        assert float(np.abs(truth).max()) > 3
    with pytest.raises(PredictorError):
        made.true_curve(
            design(name, null=cg.DinucleotideShuffle(of=["ACGT" * 50, "AACCGGTT" * 25]))
        )


def test_expectations_are_enumerated():
    made = ProfileOracle(
        Imprint("a", "GA", heights=(-1.0, 2.0), start=-1, flank_gain=0.3, flank=2),
        Imprint("b", "NC", heights=(1.0,), flank_gain=-0.2, flank=-3),
        baseline=3.0,
    )
    tokens = np.stack(
        np.meshgrid(*[np.arange(4, dtype=np.uint8)] * 6, indexing="ij"), -1
    ).reshape(-1, 6)
    p = np.array([0.1, 0.2, 0.3, 0.4])
    weight = p[tokens].prod(axis=1)
    exact = (made.predict(tokens) * weight[:, None, None]).sum(axis=0)
    np.testing.assert_allclose(
        made.expected(np.tile(p, (1, 6, 1)))[0], exact, rtol=1e-12
    )


def test_a_promoter_is_the_same_on_the_other_strand():
    made = oracle("promoter")
    rows = cg.run(design("promoter", 1), made, rng=0)
    assert rows["task"].values.tolist() == ["plus", "minus"]
    tokens = np.random.default_rng(0).integers(0, 4, (50, 200), dtype=np.uint8)
    tokens[:, 80:86] = [3, 0, 3, 0, 0, 0]
    one, other = made.predict(tokens), made.predict(reverse_complement(tokens))
    np.testing.assert_allclose(other[:, ::-1, ::-1], one, rtol=1e-12)
    assert one[:, 80 + 30, 0].min() >= 19


def positive_outcomes(n: int = 30, models: int = 0) -> xr.Dataset:
    shape = (n, 3, 8, 2, *([models] if models else []))
    dims = ("unit", "arm", "position", "task", *(["model"] if models else []))
    coords = {"arm": ["0", "A", "B"], "position": np.arange(8) - 4, "task": ["x", "y"]}
    return xr.Dataset({"outcome": (dims, RNG.gamma(2.0, size=shape))}, coords=coords)


def by_hand(y: np.ndarray, arm: int, divergence: str) -> np.ndarray:
    """Divergence of mean profiles (units, arms, positions) for one task."""
    p, q = (y[:, a].mean(axis=0) / y[:, a].mean(axis=0).sum() for a in (arm, 0))
    return (
        np.abs(p - q).sum() / 2
        if divergence == "total_variation"
        else jensenshannon(p, q, base=2) ** 2
    )


@pytest.mark.parametrize("divergence", ["total_variation", "jensen_shannon"])
@pytest.mark.parametrize("clustered", [False, True])
def test_estimates_are_the_jackknife_by_hand(divergence, clustered):
    outcomes = positive_outcomes()
    cluster = np.repeat(np.arange(10), 3) if clustered else np.arange(30)
    outcomes = outcomes.assign_coords(parent=("unit", cluster))
    found = shape_change(outcomes, control="0", divergence=divergence, between=(-3, 3))
    y = outcomes["outcome"].to_numpy()[:, :, 1:7]
    n = cluster.max() + 1
    for k, arm in enumerate((1, 2)):
        for task in (0, 1):
            whole = by_hand(y[..., task], arm, divergence)
            out = np.array(
                [by_hand(y[cluster != g][..., task], arm, divergence) for g in range(n)]
            )
            assert found["ace"][k, task] == pytest.approx(
                n * whole - (n - 1) * out.mean(), rel=1e-9
            )
            se = np.sqrt((n - 1) / n * ((out - out.mean()) ** 2).sum())
            assert found["se"][k, task] == pytest.approx(se, rel=1e-9)
    assert found.attrs["cluster"] == ("parent" if clustered else "unit")


def test_a_change_of_the_total_is_no_change_of_shape():
    outcomes = positive_outcomes()
    outcomes["outcome"][:, 1] = 3 * outcomes["outcome"][:, 0]
    for divergence in ("total_variation", "jensen_shannon"):
        found = shape_change(outcomes, control="0", divergence=divergence)
        assert np.abs(found["ace"].sel(contrast="A")).max() < 1e-12
        assert (np.abs(found["ace"].sel(contrast="B")) > 1e-9).all()


def test_models_of_an_ensemble_keep_their_dim():
    found = shape_change(positive_outcomes(models=3), control="0")
    assert found["ace"].dims == ("contrast", "task", "model")


def test_placebo_words_are_the_null_of_a_divergence():
    made = oracle("footprint")
    arms = {"control": cg.Untreated(), "site": cg.Embed("AGATAAG", at=90)}
    arms |= cg.placebos("AGATAAG", at=90, n_placebos=40, rng=0)
    trial = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=100)
    found = shape_change(cg.run(trial, made, rng=0), control="control")
    ranked = cg.multiplicity.placebo_rank(found)
    assert int(found["is_placebo"].sum()) == 40
    assert float(
        ranked["p_placebo_above"].sel(contrast="site").item()
    ) == pytest.approx(1 / 41)
    assert "p" not in found


N_TRIALS = 200


@pytest.fixture(scope="module")
def footprints():
    """Outcomes of trials on 80 units each, run as one: their units are independent."""
    return cg.run(
        design("footprint", 80 * N_TRIALS), oracle("footprint"), rng=0, progress=False
    )


@pytest.mark.simulation
@pytest.mark.parametrize("divergence", ["total_variation", "jensen_shannon"])
def test_intervals_of_the_footprint_cover(footprints, divergence):
    means = oracle("footprint").true_mean(design("footprint", 80)).to_numpy()[..., 0]
    p, q = (means[a] / means[a].sum() for a in (1, 0))
    truth = (
        np.abs(p - q).sum() / 2
        if divergence == "total_variation"
        else jensenshannon(p, q, base=2) ** 2
    )
    hits = 0
    for i in range(N_TRIALS):
        trial = footprints.isel(unit=slice(80 * i, 80 * (i + 1)))
        found = shape_change(trial, control="control", divergence=divergence).isel(
            contrast=0
        )
        hits += bool(found["lower"].item() <= truth <= found["upper"].item())
    low, high = stats.binom.ppf([5e-4, 1 - 5e-4], N_TRIALS, 0.95) / N_TRIALS
    assert low <= hits / N_TRIALS <= high, hits / N_TRIALS


def test_a_distance_has_no_law_of_effects():
    arms = {"u": cg.Untreated(), "p": cg.Embed("AGATAAG", at=96)} | cg.placebos(
        "AGATAAG", at=96, n_placebos=20, rng=1
    )
    trial = cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=30, contrasts="u")
    found = cg.estimation.shape_change(
        cg.run(trial, cg.zoo.footprint(), rng=1), control="u"
    )
    with pytest.raises(cg.errors.EstimateError):
        cg.infer(found, rng=0)
    ranked = cg.multiplicity.placebo_rank(found)
    assert ranked["p_placebo_above"].sel(contrast="p").item() == pytest.approx(1 / 21)
    with pytest.raises(cg.errors.DataError):
        cg.estimation.shape_change(
            cg.run(trial, cg.zoo.footprint(), rng=1, keep="moments"), control="u"
        )


def test_a_position_without_counts_is_part_of_a_shape():
    outcomes = positive_outcomes()
    empty = outcomes.where(outcomes["position"] != 2, 0.0)
    found = shape_change(empty, control="0")
    rest = shape_change(
        outcomes.isel(position=outcomes["position"].to_numpy() != 2), control="0"
    )
    np.testing.assert_allclose(found["ace"], rest["ace"])


@pytest.mark.parametrize("divergence", ["total_variation", "jensen_shannon"])
@pytest.mark.parametrize("at_once", [1, 100, 150, 2**23])
def test_limits_are_those_of_student_t_however_many_clusters_are_held_at_once(
    monkeypatch, divergence, at_once
):
    monkeypatch.setattr("causalgia.estimation._shape_change._NUMBERS_AT_ONCE", at_once)
    outcomes = positive_outcomes()
    # far from the shapes of the others: limits lie inside
    outcomes["outcome"][:, 1] *= np.arange(1.0, 9)[:, None] ** 2
    cluster = np.random.default_rng(1).permutation(
        np.repeat(np.arange(8), [1, 2, 3, 4, 5, 5, 4, 6])
    )
    outcomes = outcomes.assign_coords(parent=("unit", cluster))
    found = shape_change(outcomes, control="A", divergence=divergence, ci_prob=0.9)
    assert found["contrast"].values.tolist() == ["0", "B"]
    y = outcomes["outcome"].to_numpy()[:, [1, 0, 2]]
    for k, task in np.ndindex(2, 2):
        whole = by_hand(y[..., task], k + 1, divergence)
        out = np.array(
            [by_hand(y[cluster != g][..., task], k + 1, divergence) for g in range(8)]
        )
        ace, half = (
            8 * whole - 7 * out.mean(),
            stats.t.ppf(0.95, 7) * 7 * stats.sem(out),
        )
        limits = [found[name][k, task].item() for name in ("ace", "lower", "upper")]
        np.testing.assert_allclose(limits, [ace, ace - half, ace + half], rtol=1e-9)
    for name, value in {"df": 7, "n_units": 30, "n_clusters": 8}.items():
        assert (found[name] == value).all()


def test_five_units_and_two_positions_are_enough():
    assert np.isfinite(
        shape_change(positive_outcomes(5), control="0", between=(0, 2))["se"]
    ).all()


def test_limits_do_not_leave_0_and_1():
    outcomes = positive_outcomes(6)
    outcomes["outcome"][:, 0, :4], outcomes["outcome"][:, 1, 4:] = 0.0, 0.0
    outcomes["outcome"][:, 0, 3] = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 3.0])[:, None]
    outcomes["outcome"][:, 2] = outcomes["outcome"][:, 0]
    outcomes["outcome"][0, 2] *= 1.5
    found = shape_change(outcomes, control="0", ci_prob=0.999)
    reach = stats.t.ppf(0.9995, 5) * found["se"]
    assert (found["ace"] + reach).sel(contrast="A").min() > 1
    assert (found["ace"] - reach).sel(contrast="B").max() < 0
    assert (found["upper"].sel(contrast="A") == 1).all()
    assert (found["lower"].sel(contrast="B") == 0).all()
