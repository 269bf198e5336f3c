# Imports from the inside: variances of an average, against drawn mean squares.
"""Plans of averages: what they promise is what fits of simulated libraries reach."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import causalgia as cg
from causalgia.mpra.comparisons.prediction_powered_means import (
    SharedNoise,
    widen_standard_error,
)
from causalgia.mpra.planning.average_tests import average_half_width, average_power

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from validation.count_tables import ASSAYS, of_assay

LN2 = np.log(2.0)


def activities(n: int, effect: float, tau: float, rng) -> pd.DataFrame:
    low = rng.normal(size=n)
    high = low + effect + tau * rng.normal(size=n)
    return pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["a", "b"] * n,
            "log2": np.column_stack([low, high]).ravel(),
        }
    )


NOISE = {"sd_barcode": 0.5, "sd_replicate": 0.15}


class TestAnAverage:
    @pytest.mark.parametrize(
        ("n", "R", "common", "within", "effect"),
        [
            (8, 2, 0.0, 1.0, 2.5),
            (20, 2, 0.3, 0.5, 3.0),
            (8, 6, 0.3, 0.5, 3.0),
            (60, 4, 0.0, 0.1, 2.0),
        ],
    )
    def test_power_and_width_are_those_of_drawn_mean_squares(
        self, n, R, common, within, effect
    ):
        rng, N = np.random.default_rng(0), 100_000
        df = np.array([n - 1, (n - 1) * (R - 1), R - 1.0])
        S, left, between = (
            scale * rng.chisquare(k, N) / k
            for scale, k in zip((1.0, within, within + common), df, strict=True)
        )
        mean = rng.normal(effect, np.sqrt(1 + common), N)
        squared = S + np.maximum(between - left, 0)
        own, wide = special.stdtrit([n - 1.0, min(n, R) - 1.0], 0.975)
        limit = np.sqrt(S * own**2 + np.maximum(between * wide**2 - left * own**2, 0))
        limit = np.minimum(limit, wide * np.sqrt(squared))
        if R > 3:
            of_sum = squared**2 / (S**2 / df[0] + left**2 / df[1] + between**2 / df[2])
            of_sum = np.where(between > left, np.maximum(of_sum, min(n, R) - 1), n - 1)
            limit = special.stdtrit(of_sum, 0.975) * np.sqrt(squared)
        variances = (1.0, common, within, n, R)
        power = average_power(effect, 0.05, *variances).item()
        assert power == pytest.approx((np.abs(mean) > limit).mean(), abs=0.007)
        width = average_half_width(*variances, ci_prob=0.95).item()
        assert width == pytest.approx(limit.mean(), rel=0.02)

    @pytest.mark.simulation
    @pytest.mark.parametrize("seed", range(2))
    def test_two_replicates_reach_what_is_promised(self, seed):
        """By the true variances alone .90 was promised, where fits reach .8."""
        n, B, R, tau, effect, loops = 12, 8, 2, 0.3, 0.45, 60
        rng, hits = np.random.default_rng(seed), 0
        spread = np.exp(LN2**2 / 2)
        planned = cg.mpra.power(
            effect,
            n_backgrounds=n,
            n_barcodes=B,
            n_replicates=R,
            depth=90 * spread,
            depth_dna=60 * spread,
            noise=cg.mpra.NoiseModel(**NOISE, tau=tau),
        )["power"].item()
        for _ in range(loops):
            counts = cg.mpra.simulate(
                activities(n, effect, tau, rng),
                n_barcodes=B,
                n_replicates=R,
                p_missing=0,
                sd_depth=0,
                noise=cg.mpra.NoiseModel(**NOISE, sd_noisiness=0.0),
                rng=int(rng.integers(2**31)),
            )
            fitted = cg.mpra.fit(counts, control="a", method="two_way")
            hits += cg.mpra.average(fitted)["p"].item() < 0.05
        error = np.sqrt(planned * (1 - planned) / loops)
        assert abs(hits / loops - planned) < 0.03 + 3 * error

    def test_two_replicates_promise_less_than_the_true_variances(self):
        found = cg.mpra.power(
            0.35,
            n_backgrounds=20,
            n_barcodes=8,
            n_replicates=[2, 6],
            noise=cg.mpra.NoiseModel(**NOISE, sd_count=0.5, tau=0.3),
        )
        known = special.ndtr(0.35 / found["se"].to_numpy() - 1.96)
        lost = known - found["power"].to_numpy()
        assert lost[0] > 0.1
        assert 0 < lost[1] < 0.07

    def test_a_difference_of_mean_squares_has_r_minus_1_degrees_of_freedom(self):
        """A small part of the error is left where two are subtracted: 0.03 df."""
        noise = SharedNoise(np.array([-0.1, 0.1]), 1.02, 1.0, 7.0)
        assert widen_standard_error(0.3, 7.0, noise)[1] == 1.0


@pytest.fixture(scope="module")
def pilot_and_fit():
    counts = cg.mpra.simulate(
        activities(150, 0.3, 0.0, np.random.default_rng(3)),
        n_barcodes=8,
        n_replicates=3,
        p_missing=0.5,
        noise=cg.mpra.NoiseModel(sd_barcode=0.2, sd_replicate=0.1, sd_noisiness=0.0),
        rng=1,
    )
    pilot = cg.mpra.components(counts, control="a")
    return pilot, cg.mpra.fit(counts, control="a", method="two_way")


class TestMissingCells:
    def test_the_share_is_that_of_the_pilot(self, pilot_and_fit):
        assert pilot_and_fit[0]["missing"].item() == pytest.approx(0.5, abs=0.03)

    def test_the_error_that_is_planned_is_that_of_the_fit(self, pilot_and_fit):
        pilot, fitted = pilot_and_fit
        plan = cg.mpra.power(0.5, n_barcodes=8, n_replicates=3, pilot=pilot)
        assert plan["se"].item() == pytest.approx(float(fitted["se"].median()), rel=0.1)
        whole = cg.mpra.power(
            0.5,
            n_barcodes=8,
            n_replicates=3,
            pilot=pilot,
            noise=cg.mpra.NoiseModel(missing=0.0),
        )
        assert whole["se"] < 0.8 * plan["se"]


def holds(name: str, loops: int) -> None:
    """The power that is promised is within .03 of that which libraries with dropout,
    outliers and shared error reach.
    """
    above, _, found = of_assay(name, loops).T
    error = found.std(ddof=1) / np.sqrt(loops)
    assert abs(above.mean()) < 0.03 + 3 * error


def test_an_element_is_found_as_often_as_promised():
    holds("an element, 10 barcodes, 4 replicates", 6)


@pytest.mark.simulation
@pytest.mark.parametrize("name", ASSAYS)
def test_plans_hold_with_dropout_outliers_and_shared_error(name):
    holds(name, 20 if ASSAYS[name].backgrounds is None else 100)
