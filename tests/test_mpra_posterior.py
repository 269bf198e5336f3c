"""The negative-binomial hierarchy of barcode counts: against simulated truth, in
Monte-Carlo units; at the door.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import simulated_counts
from scipy import stats

import causalgia as cg
from causalgia.analysis_values import Prior
from causalgia.errors import ConvergenceError, CountsError, InferenceError
from causalgia.mpra.fits._infer_counts import model_counts
from causalgia.mpra.fits.element_effects import fit_request
from causalgia.posterior.count_model import (
    _T_DF,
    CellCounts,
    _arm_tau,
    _starting_values,
    count_model,
)
from causalgia.posterior.posterior_tree import tree_datasets

TRUTH = {"sd_barcode": 0.6, "sd_replicate": 0.15, "p_silent": 0.02}


def counts_and_truth(
    n: int, seed: int, **settings: Any
) -> tuple[xr.Dataset, np.ndarray]:
    """n elements with effects N(0.6, 0.5^2), base activities N(0, 1)."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(0.6, 0.5, n)
    base = rng.normal(0, 1, n)
    table = pd.DataFrame(
        {
            "element": np.repeat([f"e{i:03d}" for i in range(n)], 2),
            "arm": ["control", "GATA1"] * n,
        }
    )
    table["log2"] = np.column_stack([base, base + effect]).ravel()
    plain = {
        "n_barcodes": 5,
        "n_replicates": 3,
        "sd_noisiness": 0.0,
        "p_missing": 0.05,
        **TRUTH,
    }
    return simulated_counts(table, **(plain | settings), rng=seed), effect


# what the model is given


def test_what_is_empty_is_unknown_and_unseen_rna_is_zero() -> None:
    counts, _ = counts_and_truth(3, 1, p_missing=0.3)
    asked = fit_request(counts, control="control")
    data, left_out = model_counts(counts, asked)
    known = counts["dna_observed"].to_numpy() & (counts["dna"].to_numpy() > 0)
    assert left_out == int((~known.any(axis=1)).sum())
    rows = known.any(axis=1)
    assert (data.dna_observed == counts["dna_observed"].to_numpy()[rows]).all()
    assert (data.rna_observed >= data.dna_observed).all()
    np.testing.assert_allclose(
        2.0**data.rna_size, counts["rna_total"] / counts["dna_total"].mean()
    )


def test_the_door_says_what_is_wrong() -> None:
    counts, _ = counts_and_truth(3, 1)
    with pytest.raises(InferenceError, match="finite scales"):
        cg.mpra.infer_counts(
            counts, control="control", prior=Prior(mu_sd=np.inf), rng=0
        )
    with pytest.raises(InferenceError, match="draws=0"):
        cg.mpra.infer_counts(counts, control="control", n_draws=0, rng=0)
    with pytest.raises(
        InferenceError,
        match="n_draws=100000001 is not a positive whole number of at most 100,000,000",
    ):
        cg.mpra.infer_counts(counts, control="control", n_draws=10**8 + 1, rng=0)
    with pytest.raises(ConvergenceError, match="draws=100"):
        cg.mpra.infer_counts(counts, control="control", n_draws=100, rng=0)
    one, _ = counts_and_truth(1, 1)
    with pytest.raises(CountsError, match="one element"):
        cg.mpra.infer_counts(one, control="control", rng=0)
    unread = counts.copy(deep=True)
    first = counts["oligo_index"].to_numpy() == 0
    unread["dna"] = counts["dna"].where(~xr.DataArray(first, dims="barcode"), 0)
    with pytest.raises(CountsError, match="element 'e000', arm 'control': no barcode"):
        cg.mpra.infer_counts(unread, control="control", rng=0)


def test_likelihood_is_that_of_two_negative_binomials_and_silence() -> None:
    """At the start of the chains, against scipy, cell by cell."""
    counts, _ = counts_and_truth(
        2, 2, n_barcodes=4, n_replicates=2, p_missing=0.3, p_silent=0.3
    )
    data, _ = model_counts(counts, fit_request(counts, control="control"))
    model = count_model(data, Prior(mu_sd=3, tau_scale=1), silent=True)
    inputs = list(model.value_vars)
    said = model.compile_fn(
        model.logp(vars=model.potentials, sum=False),
        inputs=inputs,
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )
    point = {k: v + 0.1 for k, v in model.initial_point().items()}
    found = said(point)
    values = {rv.name: point[model.rvs_to_values[rv].name] for rv in model.free_RVs}
    sd = {k: np.exp(values[k]) for k in values if k.startswith(("sd_", "dispersion_"))}
    p, w = 1 / (1 + np.exp(-values["p_silent"])), sd["sd_replicate"] * values["w"]
    between = (w - w.mean(axis=2, keepdims=True))[data.element, data.arm]
    base = values["base"]
    d = (
        values["d"]
        if "d" in values
        else values["mu"] + np.exp(values["tau"]) * values["z_d"]
    )
    theta = np.column_stack([base, base + d[:, 0]]) + w.mean(axis=2)
    center = values["abundance"] + theta[data.element, data.arm]
    level = (
        values["level"]
        if "level" in values
        else center + sd["sd_barcode"] * values["z_level"]
    )
    if "level" in values:
        prior = model.compile_fn(
            model.logp(vars=[model["level"]], sum=False),
            inputs=inputs,
            mode="FAST_COMPILE",
            on_unused_input="ignore",
        )
        np.testing.assert_allclose(
            prior(point)[0],
            stats.norm.logpdf(level, center, sd["sd_barcode"]),
            rtol=1e-9,
        )
    logs = {
        "dna": _nb(
            data.dna, values["abundance"][:, None] + data.dna_size, sd["dispersion_dna"]
        ),
        "rna": _nb(
            data.rna, level[:, None] + between + data.rna_size, sd["dispersion_rna"]
        ),
    }
    logs["rna"] = np.log((1 - p) * np.exp(logs["rna"]) + p * (data.rna == 0))
    expected = [
        np.where(seen, logs[k], 0.0).sum()
        for k, seen in (("dna", data.dna_observed), ("rna", data.rna_observed))
    ]
    np.testing.assert_allclose([float(x) for x in found], expected, rtol=1e-9)


def _nb(counts: np.ndarray, level: np.ndarray, dispersion: float) -> np.ndarray:
    return stats.nbinom.logpmf(
        counts, 1 / dispersion, 1 / (1 + dispersion * 2.0**level)
    )


# recovery


@pytest.mark.long
def test_posterior_of_one_plasmid_pool_with_few_reads() -> None:
    """The DNA is what one knows least. One test, for it draws for a minute and a half:
    3,000 draws do not suffice.
    """
    counts, effect = counts_and_truth(24, 5, depth_dna=8, plasmid=True)
    tree = cg.mpra.infer_counts(counts, control="control", n_draws=6_000, rng=5)
    groups = tree_datasets(tree)
    check_truth_is_covered(effect, groups["posterior"])
    check_barcodes_vary_less_than_ratios_say(counts, groups["posterior"]["sd_barcode"])
    check_two_way_fit_and_verdicts(counts, effect, groups, tree)


def check_truth_is_covered(effect: np.ndarray, posterior: xr.Dataset) -> None:
    """Each truth within 4 posterior sd; the elements' z have mean 0 and variance 1
    within 4 of their own errors.
    """
    for name, value in (
        TRUTH.items() | {"dispersion_rna": 0.1, "sd_abundance": 1.0}.items()
    ):
        assert (
            abs(posterior[name].mean().item() - value)
            < 4 * posterior[name].std().item()
        ), name
    assert (
        abs(posterior["ace"].mean().item() - effect.mean())
        < 4 * posterior["ace"].std().item()
    )
    draws = posterior["effect"].isel(contrast=0)
    z = (
        (draws.mean(("chain", "draw")) - effect) / draws.std(("chain", "draw"))
    ).to_numpy()
    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert stats.chi2.cdf((z**2).sum(), len(z)) < 1 - 1e-4
    assert stats.chi2.cdf((z**2).sum(), len(z)) > 1e-4
    inside = np.abs(stats.norm.cdf(-z) - 0.5) < 0.4
    assert stats.binom.cdf(inside.sum(), len(z), 0.8) > 1e-3


def check_barcodes_vary_less_than_ratios_say(
    counts: xr.Dataset, fitted: xr.DataArray
) -> None:
    """One pool of 8 DNA reads a barcode: dividing by them adds about 0.7 on log2 to
    each, in every replicate.
    """
    many = [
        counts_and_truth(200, seed, depth_dna=8, plasmid=True)[0] for seed in range(8)
    ]
    naive = np.array(
        [_rms(cg.mpra.components(counts, control="control")) for counts in many]
    )
    assert naive.mean() - 0.6 > 4 * naive.std(ddof=1) / np.sqrt(len(naive))
    assert abs(fitted.mean().item() - 0.6) < 4 * fitted.std().item()
    assert fitted.quantile(0.95) < naive.mean()
    assert fitted.mean() < _rms(cg.mpra.components(counts, control="control"))


def _rms(components: xr.Dataset) -> float:
    return float(components["sd_barcode"] * np.exp(components["sd_noisiness"] ** 2))


def check_two_way_fit_and_verdicts(
    counts: xr.Dataset, effect: np.ndarray, groups: dict[str, xr.Dataset], tree: Any
) -> None:
    """It agrees with the two-way fit, errs less on single elements, and `decide` takes
    it.
    """
    posterior = groups["posterior"]
    fitted = cg.mpra.fit(counts, control="control", method="two_way")
    each = posterior["effect"].isel(contrast=0).mean(("chain", "draw")).to_numpy()
    closed = fitted["ace"].to_numpy().ravel()
    assert np.corrcoef(each, closed)[0, 1] > 0.5
    # what the hierarchy is for
    assert np.mean((each - effect) ** 2) < np.mean((closed - effect) ** 2)
    assert (
        abs(posterior["ace"].mean().item() - closed.mean())
        < 4 * posterior["ace"].std().item()
    )
    assert groups["diagnostics"].attrs["divergences"] == 0
    decisions = cg.decide(tree, rope=(-0.1, 0.1))
    assert decisions["verdict"].dims == ("contrast", "task")
    above, below = (
        (sign * posterior["ace"] > 0.1).mean().item() for sign in (1.0, -1.0)
    )
    error = min(1 - max(above, below), above + below)
    assert abs(decisions["q"].item() - error) < 1e-9
    draws = (
        posterior["effect"].sel(contrast="GATA1", drop=True).rename(element="contrast")
    )
    verdicts = cg.decide({"posterior": draws.to_dataset(name="ace")}, rope=(-0.1, 0.1))
    assert verdicts.sizes["contrast"] == 24


def test_the_law_of_the_sd_of_effects_is_the_one_that_the_prior_names() -> None:
    pm = pytest.importorskip("pymc")
    laws = {
        "half_t": stats.t(_T_DF),
        "half_normal": stats.norm(),
        "half_cauchy": stats.cauchy(),
    }
    quartiles = {name: law.ppf([0.625, 0.75, 0.875]) for name, law in laws.items()} | {
        "uniform": [0.25, 0.5, 0.75]
    }
    for name, expected in quartiles.items():
        with pm.Model():
            tau = _arm_tau(Prior(tau=name, tau_scale=2.0), 20_000)
            drawn = pm.draw(tau, random_seed=0)
        np.testing.assert_allclose(
            np.quantile(drawn / 2, [0.25, 0.5, 0.75]), expected, rtol=0.06
        )


def test_chains_start_at_the_levels_of_the_counts() -> None:
    """Reads and a half over the size of the libraries with data; effects are the
    differences of mean log ratios.
    """
    rng = np.random.default_rng(0)
    dna, rna = rng.poisson(40, (12, 2)), rng.poisson(60, (12, 3))
    rna[3], rna[5, 0] = 0, 0
    seen = rng.random((12, 3)) < 0.8
    seen[3], seen[7] = True, False
    element, arm = np.repeat([0, 1, 2], 4), np.tile([0, 0, 1, 1], 3)
    dna_size, rna_size = np.array([0.3, -0.2]), np.array([0.1, 0.0, -0.4])
    data = CellCounts(
        dna, rna, np.ones_like(dna, bool), seen, dna_size, rna_size, element, arm
    )
    found = _starting_values(data)
    ratio, error = np.empty(12), np.empty((12, 2))
    for i in range(12):
        used = seen[i] & (rna[i] > 0)
        used = used if used.any() else seen[i]
        total = rna[i][used].sum() + 0.5
        exposure = (
            (2.0 ** rna_size[used]).sum() if used.any() else (2.0**rna_size).sum()
        )
        level = np.log2(total / exposure)
        own = np.log2((dna[i].sum() + 0.5) / (2.0**dna_size).sum())
        assert (found.dna[i], found.rna[i]) == pytest.approx((own, level))
        ratio[i] = level - own
        error[i] = (
            1 / (dna[i].sum() + 0.5) + 0.1 / 2,
            1 / total + 0.1 / max(used.sum(), 1),
        )
    error /= np.log(2) ** 2
    theta = np.array(
        [[ratio[(element == e) & (arm == a)].mean() for a in (0, 1)] for e in range(3)]
    )
    np.testing.assert_allclose(found.theta, theta)
    within = ((ratio - theta[element, arm]) ** 2).sum() / 6
    assert found.barcodes_differ == (
        within - error.sum(axis=1).mean() > error[:, 1].mean()
    )
    effect = theta[:, 1] - theta[:, 0]
    assert found.effects_differ == (effect.var(ddof=1) > 5 * within)
    many = [
        CellCounts(
            dna, rna * k, data.dna_observed, seen, dna_size, rna_size, element, arm
        )
        for k in (1, 100)
    ]
    assert [_starting_values(x).barcodes_differ for x in many][1]


def test_what_differs_beyond_noise_is_told_by_variances_within_and_between_groups() -> (
    None
):
    rng, seen = np.random.default_rng(1), []
    element, arm = np.repeat(np.arange(4), 6), np.tile([0, 0, 0, 1, 1, 1], 4)
    for _ in range(60):
        own, effects = (
            rng.normal(0, rng.choice([0.02, 0.5, 2]), 24),
            rng.normal(0, rng.choice([0.1, 0.5, 5]), 4),
        )
        level = own + arm * effects[element]
        dna, rna = (
            rng.poisson(80, (24, 2)),
            rng.poisson(80 * np.exp2(level)[:, None], (24, 2)) + 1,
        )
        data = CellCounts(
            dna, rna, dna > -1, rna > -1, np.zeros(2), np.zeros(2), element, arm
        )
        found, ratio = (
            _starting_values(data),
            np.log2((rna.sum(axis=1) + 0.5) / (dna.sum(axis=1) + 0.5)),
        )
        cells = ratio.reshape(4, 2, 3)
        within = cells.var(axis=-1, ddof=1).mean()
        of_rna, of_dna = (
            (1 / (x.sum(axis=1) + 0.5) + 0.05).mean() / np.log(2) ** 2
            for x in (rna, dna)
        )
        assert found.barcodes_differ == (within - of_rna - of_dna > of_rna)
        effect = cells.mean(axis=-1) @ [-1, 1]
        assert found.effects_differ == (
            effect.var(ddof=1) > 5 * within * (1 / 3 + 1 / 3)
        )
        seen.append((found.barcodes_differ, found.effects_differ))
    assert len(set(seen)) == 4
