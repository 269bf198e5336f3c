# Imports from the inside: maxima of a multivariate t, against quadrature.
from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

from causalgia.effects import contrast
from causalgia.effects._from_frame import from_frame
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
)
from causalgia.estimation import estimate, from_effects
from causalgia.multiplicity import simultaneous
from causalgia.multiplicity.families import band_families
from causalgia.multiplicity.multivariate_t import (
    correlation_factor,
    equicoordinate,
    product_probability,
)

CASE = Path(__file__).parent / "reference" / "shared_control"


def effects_of(ice: np.ndarray, **coords: Any) -> xr.Dataset:
    ice = ice if ice.ndim > 2 else ice[:, :, None]
    names = {
        "contrast": [f"c{i}" for i in range(ice.shape[1])],
        "task": [f"t{i}" for i in range(ice.shape[2])],
    }
    dims = ("unit", "contrast", "task", "model")[: ice.ndim]
    return xr.Dataset({"ice": (dims, ice)}, coords=names | coords)


NULL = np.random.default_rng(0).exponential(size=(80, 6)) - 1


# ---- multivariate t


def test_one_contrast_is_its_own_t() -> None:
    assert equicoordinate(np.eye(1), 7.0) == pytest.approx(
        stats.t.ppf(0.975, 7), abs=1e-9
    )


def test_independent_and_identical_statistics() -> None:
    assert equicoordinate(np.eye(5)) == pytest.approx(
        stats.norm.ppf((1 + 0.95**0.2) / 2), abs=1e-8
    )
    assert equicoordinate(np.ones((3, 3)), 10.0) == pytest.approx(
        stats.t.ppf(0.975, 10), abs=0.02
    )


def test_many_contrasts_are_simulated() -> None:
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(40, 300)) + 0.5
    critical = equicoordinate(factor, 60.0)
    unit = factor / np.sqrt((factor**2).sum(axis=0))
    scale = np.sqrt(rng.chisquare(60, 20_000) / 60)
    maxima = np.abs(rng.normal(size=(20_000, 40)) @ unit).max(axis=1) / scale
    assert abs((maxima > critical).mean() - 0.05) < 4.5 * np.sqrt(0.05 * 0.95 / 20_000)


# ---- one control for 200 contrasts


def test_a_shared_control_is_counted_and_independence_misses() -> None:
    k, trials = 200, 40_000
    v = np.full((k, k), 0.5) + 0.5 * np.eye(k)
    rng = np.random.default_rng(1)
    largest = np.concatenate(
        [
            np.abs(
                (rng.normal(size=(4_000, 1)) + rng.normal(size=(4_000, k))) / np.sqrt(2)
            ).max(axis=1)
            for _ in range(trials // 4_000)
        ]
    )
    critical = {
        "counted": simultaneous(
            from_effects(np.zeros(k), covariance=v), method="dunnett"
        )["critical"],
        "ignored": simultaneous(from_effects(np.zeros(k), se=1.0), method="dunnett")[
            "critical"
        ],
    }
    low, high = stats.binom.ppf([5e-4, 1 - 5e-4], trials, 0.05) / trials
    error = {
        name: float((largest > c.values[0, 0]).mean()) for name, c in critical.items()
    }
    assert low <= error["counted"] <= high
    assert error["ignored"] < low


# ---- the verb


def test_the_band_is_estimates_with_wider_limits() -> None:
    effects = effects_of(NULL)
    band, plain = simultaneous(effects, rng=3), estimate(effects)
    xr.testing.assert_allclose(band[["ace", "se", "p"]], plain[["ace", "se", "p"]])
    assert (band["lower"] < plain["lower"]).all()
    np.testing.assert_allclose(
        band["upper"], band["ace"] + band["critical"] * band["se"]
    )
    assert len(np.unique(band["critical"])) == 1
    said = {
        "band": "dunnett",
        "family": f"these {effects['ice'][0].size} rows",
        "ci_prob": 0.95,
        "seed": "3",
    }
    assert said.items() <= band.attrs.items()
    assert "n_draws" not in band.attrs


def test_a_family_is_all_rows_and_a_coordinate_divides_it() -> None:
    two = np.stack([NULL, NULL**2], axis=2)
    motif = ("contrast", ["a", "a", "a", "b", "b", "c"])
    effects = effects_of(two, motif=motif)
    whole, by_task, by_motif = (
        simultaneous(effects, family=f, rng=0) for f in (None, "task", "motif")
    )
    for band, n in ((whole, 1), (by_task, 2), (by_motif, 3)):
        assert len(np.unique(band["critical"])) == n
    assert (whole["critical"] >= by_task["critical"].max()).all()
    assert (by_motif["critical"] <= whole["critical"]).all()
    one_task = simultaneous(effects_of(NULL), rng=0)
    np.testing.assert_array_equal(by_task["critical"][:, 0], one_task["critical"][:, 0])
    said = [band.attrs["family"] for band in (whole, by_task, by_motif, one_task)]
    assert said == [
        "these 12 rows",
        "the rows of each task",
        "the rows of each motif",
        "these 6 rows",
    ]


def test_placebos_and_helper_rows_are_not_of_the_family() -> None:
    """Placebos are a family, and each helper row is one by itself."""
    table = xr.Dataset(
        {"ace": (("contrast", "task"), np.zeros((5, 2)))},
        {
            "contrast": list("abcde"),
            "is_placebo": ("contrast", [False, False, False, True, True]),
            "of_question": ("contrast", [True, True, False, True, True]),
        },
    )
    sets, words = band_families(table, None)
    assert [x.tolist() for x in sets] == [[0, 1, 2, 3], [6, 7, 8, 9], [4], [5]]
    assert words == "the 4 rows of the question, each helper by itself"


def test_tasks_of_which_it_is_not_known_how_they_correlate_share_the_error() -> None:
    """Of estimates with a covariance of contrasts: each task has a band of its own, at
    1 - .05 / 2.
    """
    two = effects_of(np.stack([NULL, NULL**2], axis=2))
    found = simultaneous(estimate(two), method="dunnett")
    for task in range(2):
        alone = estimate(two.isel(task=[task]))
        expected = simultaneous(alone, method="dunnett", ci_prob=0.975)
        np.testing.assert_allclose(
            found["critical"][:, task], expected["critical"][:, 0], rtol=1e-9
        )
    of_units = simultaneous(two, method="dunnett")  # which tell it
    assert (of_units["critical"] < found["critical"].max()).all()


def test_parents_vary_together() -> None:
    rng = np.random.default_rng(5)
    parent = np.repeat(np.arange(30), 4)
    ice = rng.normal(size=(30, 5))[parent] + 0.1 * rng.normal(size=(120, 5))
    effects = effects_of(ice, parent=("unit", parent))
    clustered, naive = (
        simultaneous(effects, rng=0),
        simultaneous(effects, cluster="none", rng=0),
    )
    assert (
        (clustered["upper"] - clustered["lower"])
        > 1.7 * (naive["upper"] - naive["lower"])
    ).all()
    assert clustered.attrs["cluster"] == "parent"


def test_tables_of_anybody() -> None:
    table = pd.DataFrame(
        {"effect": [1.0, 2.0, 0.5], "se": [0.5, 0.5, 1.0]}, index=["a", "b", "c"]
    )
    band = simultaneous(table, method="dunnett")
    np.testing.assert_allclose(
        band["critical"], stats.norm.ppf((1 + 0.95 ** (1 / 3)) / 2)
    )
    few = simultaneous(table.assign(df=[4.0, 4.0, 30.0]), method="dunnett")
    np.testing.assert_allclose(
        few["critical"][:, 0], stats.t.ppf((1 + 0.95 ** (1 / 3)) / 2, [4, 4, 30])
    )
    mapped = from_effects(
        [1.0, 2.0], covariance=np.array([[1.0, 0.6], [0.6, 1.0]]), df=[5.0, 50.0]
    )
    z = equicoordinate(correlation_factor(np.array([[1.0, 0.6], [0.6, 1.0]])))
    critical = simultaneous(mapped, method="dunnett")["critical"][:, 0]
    np.testing.assert_allclose(
        critical, stats.t.ppf(stats.norm.cdf(z), [5, 50]), rtol=1e-6
    )


def test_a_parallel_trial_takes_the_multivariate_t() -> None:
    frame = pd.read_csv(CASE / "input_parallel.csv")
    effects = contrast(
        from_frame(frame, outcome="y", arm="arm", unit="unit"), control="control"
    )
    band = simultaneous(effects, method="dunnett")
    assert (band["lower"] < estimate(effects)["lower"]).all()


def test_what_does_not_vary() -> None:
    constant = np.column_stack([np.full(80, 2.0), np.zeros(80), NULL[:, 0]])
    with pytest.warns(DegenerateWarning):
        point = simultaneous(effects_of(constant))
    np.testing.assert_array_equal(point["lower"][:2, 0], [2.0, 0.0])
    with pytest.warns(DegenerateWarning):
        nothing = simultaneous(effects_of(constant[:, :2]), rng=0)
    np.testing.assert_array_equal(nothing["upper"][:, 0], [2.0, 0.0])


def test_equal_contrasts_are_one() -> None:
    same = simultaneous(
        effects_of(np.repeat(NULL[:, :1], 30, axis=1)), method="dunnett"
    )
    np.testing.assert_allclose(same["critical"], stats.t.ppf(0.975, 79), atol=0.03)


# scales on which no effect is 1


def ratios(k: int = 4, *, scale: Any = "ratio", seed: int = 3) -> xr.Dataset:
    """Ratios of two means over 60 units: k - 1 near 1, the last near 1.5; all far
    from 0.
    """
    rng = np.random.default_rng(seed)
    control = rng.gamma(9, size=(60, 1)) + 5
    treated = control * np.r_[np.ones(k - 1), 1.5] + rng.normal(size=(60, k))
    outcomes = xr.Dataset(
        {
            "outcome": (
                ("unit", "arm", "task"),
                np.hstack([control, treated])[:, :, None],
            )
        },
        coords={
            "unit": np.arange(60),
            "arm": ["0", *(f"a{i}" for i in range(k))],
            "task": ["y"],
        },
    )
    return contrast(outcomes, control="0", scale=scale)


def test_bands_of_ratios_lie_about_the_ratio_and_no_other_than_its_logarithm() -> None:
    effects = ratios(6)
    band = simultaneous(effects, rng=1)
    on_log = simultaneous(ratios(6, scale="log_of_means"), rng=1)
    for name in ("lower", "upper"):
        np.testing.assert_allclose(band[name], np.exp(on_log[name]), rtol=1e-9)
    np.testing.assert_allclose(band["critical"], on_log["critical"], rtol=1e-9)
    np.testing.assert_array_equal(band["ace"], estimate(effects)["ace"])


def test_an_open_ratio_has_an_open_band() -> None:
    rng = np.random.default_rng(4)
    y = np.stack(
        [
            rng.normal(0.3, 1, size=30),
            rng.normal(3, 1, size=30),
            rng.normal(3, 1, size=30),
        ],
        axis=1,
    )
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[:, :, None])},
        coords={"unit": np.arange(30), "arm": ["0", "a", "b"], "task": ["y"]},
    )
    effects = contrast(
        outcomes,
        contrasts={"a/0": {"a": 1, "0": -1}, "a/b": {"a": 1, "b": -1}},
        scale="ratio",
    )
    band = simultaneous(effects)
    assert band["unbounded"].values.ravel().tolist() == [True, False]
    assert band["upper"][0, 0] == np.inf
    assert 1 < band["lower"][0, 0] < estimate(effects)["lower"][0, 0]
    assert np.isfinite(band["upper"][1, 0])


@pytest.mark.parametrize("r", [0.6, -0.6])
def test_two_of_three_that_go_together_are_integrated_by_quadrature(r: float) -> None:
    """A pair and one that is independent of both: the probabilities multiply, whatever
    the sign of the pair.
    """
    correlation = np.array([[1.0, r, 0.0], [r, 1.0, 0.0], [0.0, 0.0, 1.0]])
    pair = stats.multivariate_normal(np.zeros(2), correlation[:2, :2])
    inside = float(pair.cdf([2.0, 2.0], lower_limit=[-2.0, -2.0])) * float(
        stats.chi2.cdf(4.0, 1)
    )
    found = equicoordinate(correlation_factor(correlation), ci_prob=inside)
    assert found == pytest.approx(2.0, abs=1e-7)


@pytest.mark.parametrize(
    ("df", "ci_prob"),
    [
        *((df, 0.95) for df in (0.1, 0.5, 1.0, 3.0, 40.0, 5_000.0)),
        *((df, 0.999) for df in (0.2, 1.0, 1.5, 2.0, 20.0)),
    ],
)
def test_the_common_scale_is_integrated_whatever_its_df(
    df: float, ci_prob: float
) -> None:
    """At 1.5 df the critical value of 99.9 % was a third too large, and at .1 that of
    95 % held with 41 %.
    """

    def inside(log_s: float) -> float:
        s = np.exp(log_s)
        return float(
            (2 * stats.norm.cdf(c * s) - 1) ** 2
            * np.exp(stats.chi.logpdf(s * np.sqrt(df), df) + log_s)
            * np.sqrt(df)
        )

    c = equicoordinate(np.eye(2), df, ci_prob=ci_prob)
    start, stop = np.log(stats.chi.ppf([1e-13, 1 - 1e-13], df) / np.sqrt(df))
    ends = np.linspace(start, stop, 2 + int(stop - start))
    found = sum(
        integrate.quad(inside, *pair, epsabs=1e-13)[0] for pair in pairwise(ends)
    )
    assert found == pytest.approx(ci_prob, abs=1e-8)


def test_fewer_df_are_refused_and_bonferroni_takes_them() -> None:
    table = from_effects([0.1, 0.5, 0.9], covariance=np.eye(3), df=0.05)
    with pytest.raises(EstimateError):
        simultaneous(table, method="dunnett")
    band = simultaneous(table, method="bonferroni")
    assert (band["upper"] > stats.t.ppf(0.975, 0.05)).all()


@pytest.mark.parametrize("r", [0.99, 0.999, 0.99999])
def test_two_statistics_that_are_nearly_one_are_integrated_as_well(r: float) -> None:
    """Beside an independent third: the pair by one integral of the normal density, cut
    where it bends.
    """

    def inside(c: float) -> float:
        own = np.sqrt(1 - r**2)

        def both(x: float) -> float:
            return float(
                stats.norm.pdf(x)
                * (
                    stats.norm.cdf((c - r * x) / own)
                    - stats.norm.cdf((-c - r * x) / own)
                )
            )

        ends = [-c, -c + 8 * own, c - 8 * own, c] if 8 * own < c else [-c, c]
        pair = sum(
            integrate.quad(both, low, high, epsabs=1e-12)[0]
            for low, high in pairwise(ends)
        )
        return pair * (2 * float(stats.norm.cdf(c)) - 1)

    correlation = np.array([[1.0, r, 0.0], [r, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = equicoordinate(correlation_factor(correlation))
    assert inside(found) == pytest.approx(0.95, abs=1e-5)


@pytest.mark.parametrize("loading", [0.5, 0.97, 0.99])
def test_a_statistic_that_is_nearly_the_common_one_beside_an_independent_one(
    loading: float,
) -> None:
    """Of loadings l and 0 the correlation is 0: the probability is a product."""
    found = product_probability(2.0, np.array([loading, 0.0]), np.inf)
    assert found == pytest.approx((2 * stats.norm.cdf(2.0) - 1) ** 2, rel=1e-12)


def test_estimates_of_unequal_df_meet_at_their_normal_scores() -> None:
    """Without correlation the band is Sidak's: each t quantile at one tail
    probability.
    """
    df, t = np.array([4.0, 30.0]), np.array([3.0, -1.5])
    table = from_effects(t * [0.5, 2.0], covariance=np.diag([0.25, 4.0])).assign(
        df=(("contrast", "task"), df[:, None])
    )
    tail = (1 - 0.95**0.5) / 2
    band = simultaneous(table, method="dunnett")
    np.testing.assert_allclose(
        band["critical"].values.ravel(), stats.t.isf(tail, df), rtol=1e-6
    )
    np.testing.assert_allclose(
        band["upper"].values.ravel(),
        (t + stats.t.isf(tail, df)) * [0.5, 2.0],
        rtol=1e-6,
    )
