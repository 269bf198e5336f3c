# Imports from the inside: crossed means of arrays, whose errors are simulated.
"""Shared with one element under many arms, as in saturation mutagenesis: errors.

Source: MPRAflow's TERT example read by strangers, whose two methods differed 2.5 times.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import causalgia as cg
from causalgia.estimation.crossover import crossed_mean
from causalgia.mpra.comparisons.prediction_powered_means import (
    add_replicate_noise,
    powered_mean,
    shared_noise,
)
from causalgia.mpra.counts import counts_of


def many_arms(seed: int, n_arms: int = 60, reference: int = 600, reads: float = 20.0):
    """Return counts of null arms of 5 to 20 barcodes beside a large reference."""
    rng = np.random.default_rng(seed)
    names = ["WT"] + [f"m{i}" for i in range(n_arms)]
    each = np.append(reference, rng.integers(5, 21, n_arms))
    of = np.repeat(np.arange(n_arms + 1), each)
    log2 = rng.normal(0, 0.4, (len(of), 1)) + rng.normal(0, 0.1, (len(each), 3))[of]
    abundance = rng.gamma(2.0, 0.5, (len(of), 1)) * reads
    side = pd.DataFrame({"oligo_name": names, "element": "enh", "arm": names})
    return counts_of(
        rng.poisson(abundance * np.ones(3)),
        rng.poisson(abundance * 2**log2),
        barcodes=[f"b{i}" for i in range(len(of))],
        oligos=np.array(names)[of],
        side_table=side,
    )


@pytest.mark.simulation
@pytest.mark.parametrize("method", ["hierarchical", "two_way"])
def test_errors_of_null_arms_are_those_stated(method):
    ratios, called = [], []
    for seed in range(4):
        fitted = cg.mpra.fit(many_arms(seed, reads=6.0), control="WT", method=method)
        z = (fitted["ace"] / fitted["se"]).to_numpy().ravel()
        ratios.append(z.std())
        called.append((fitted["p"] < 0.05).mean().item())
    # the error of the reference is in each; .72 with the noise of the average arm
    assert 0.8 < np.mean(ratios) < 1.1
    assert np.mean(called) < 0.08


def test_equal_arms_keep_the_replicates_mean_square():
    truth = pd.DataFrame({"element": "enh", "arm": list("abcd"), "log2": 0.0})
    counts = cg.mpra.simulate(truth, n_barcodes=9, n_replicates=3, p_missing=0, rng=0)
    fitted = cg.mpra.fit(counts, control="a", method="two_way")
    vr = fitted["v_replicate"].to_numpy().ravel()
    np.testing.assert_allclose(vr, vr[0], rtol=1e-9)


@pytest.mark.parametrize("n_replicates", [2, 3])
def test_crossed_means_hold_their_error_where_replicates_share_noise(n_replicates):
    n, N, R = 20, 2_000, n_replicates
    rng = np.random.default_rng(R)
    y = rng.normal(0, 0.41, (n, 1, N)) + rng.normal(0, 0.25, (n, R, N))
    y += rng.normal(0, np.sqrt(R * 5 * 0.17 / n), (1, R, N))
    answer = crossed_mean(y)
    p = 2 * special.stdtr(answer.df, -np.abs(answer.ace) / answer.se)
    assert (p < 0.05).mean() < 0.05  # .107 and .068 by Satterthwaite
    assert (answer.df >= R - 1).all()
    one = y[..., 0]
    mean = powered_mean(one.mean(axis=1), one[:, 0], rng.normal(size=50), lam=0.0)
    powered = add_replicate_noise(mean, shared_noise(one))
    assert powered.se == pytest.approx(answer.se[0])
    assert powered.df == pytest.approx(answer.df[0])


def test_a_filter_leaves_out_the_arms_of_few_barcodes():
    counts = many_arms(0)
    n = np.bincount(counts["oligo_index"].to_numpy())
    kept = cg.mpra.filter(counts, min_barcodes=10)
    assert kept["arm"].values.tolist() == counts["arm"].values[n >= 10].tolist()
