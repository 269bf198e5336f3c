"""Shared with one element under many arms, as in saturation mutagenesis: errors and words.

Source: MPRAflow's TERT example read by strangers, whose two methods differed 2.5 times.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import causalgia as cg
from causalgia.errors import CountsError
from causalgia.estimation import crossed_mean
from causalgia.mpra.comparisons.prediction_powered_means import (
    add_replicate_noise,
    powered_mean,
    shared_noise,
)
from causalgia.mpra.counts import counts_of
from causalgia.mpra.counts._quality import counts_in_words


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


@pytest.mark.rotating
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


def test_the_barcodes_of_many_arms_are_one_median():
    quality = cg.mpra.quality(many_arms(0))
    assert " to " not in str(cg.report(quality)).split("(median)")[0]
    n = np.median(quality["n_barcodes"])
    assert f"{n:g} barcodes an oligo (median)" in counts_in_words(quality)


def test_a_filter_that_leaves_no_arm_names_those_that_it_would():
    counts = many_arms(0)
    n = np.bincount(counts["oligo_index"].to_numpy())
    with pytest.raises(CountsError) as error:
        cg.mpra.filter(counts, min_barcodes=10)
    text = str(error.value)
    assert f"give min_barcodes={n.min()} or fewer" in text
    assert f"the {(n >= 10).sum()} of 61 arms that have 10: arm_names=['WT', " in text
    cg.mpra.filter(counts, min_barcodes=int(n.min()))  # the cure, applied
    names = counts["arm"].to_numpy()[n >= 10].tolist()
    cg.mpra.filter(counts, min_barcodes=10, arm_names=names)


def two_arms(seed: int, n: int, n_barcodes: int):
    truth = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["ref", "alt"] * n,
            "log2": np.random.default_rng(0).normal(0, 1, 2 * n),
        }
    )
    return cg.mpra.simulate(truth, n_barcodes=n_barcodes, n_replicates=3, rng=seed)


def test_sums_are_not_described_as_barcodes():
    counts = two_arms(0, 20, 1)
    text = str(cg.report(cg.mpra.quality(counts), arms=True, notes=True))
    assert "robust sd" not in text
    assert "ratios of barcodes" not in text
    assert "those of barcodes" not in text
    assert "one barcode (or sum) each" in text
    several = str(cg.report(cg.mpra.quality(two_arms(0, 20, 4)), arms=True, notes=True))
    assert "robust sd off the others of their oligo" in several
    assert "in those of barcodes" in several


def test_agreement_is_said_against_what_noise_allows():
    quality = cg.mpra.quality(two_arms(0, 20, 6))
    assert "3 replicates agree (" in counts_in_words(quality)
    low = quality.copy(deep=True)
    low["correlation_activity"][:] = 0.28
    for ceiling, words, allowed in (
        (0.9, "agree weakly", "about 0.90"),
        (0.3, "agree as far as counting", "about 0.30"),
        # estimated from few reads, the ceiling can lie below what was seen
        (0.01, "agree as far as counting", "no more"),
    ):
        low["correlation_ceiling"][:] = ceiling
        text = counts_in_words(low)
        assert words in text
        assert f"0.28 or more, where counting noise allows {allowed}" in text
        assert f"counting noise allows {allowed}" in " ".join(
            str(cg.report(low)).split()
        )


def test_the_notes_of_two_measured_sides_name_neither_a_virtual_nor_an_expected_one():
    sides = [
        cg.mpra.fit(two_arms(seed, 40, 8), control="ref", method="two_way")
        for seed in (1, 2)
    ]
    sides[1]["ace"][3] += 4
    found = cg.mpra.concordance(sides[0], sides[1].isel(element=slice(0, 35)))
    text = str(cg.report(found, notes=True, arms=True, sentences=True))
    for word in ("irtual", "expected", "hit", "redicted"):
        assert word not in text
    assert "5 only in the first" in text
    assert "in the second, " in text
