"""Curves of effects over positions: estimates, moments, and the simultaneous band."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr
from scipy import special, stats
from student import assert_holds_t, of_t

import causalgia as cg
from causalgia.effect_table import folded, unfolded
from causalgia.errors import DataError
from causalgia.multiplicity.joint_methods import critical_values

RNG = np.random.default_rng(0)


def curves(ice: np.ndarray, **coords) -> xr.Dataset:
    """Effects (unit, position) of one contrast and one task, or (unit, contrast,
    position, task).
    """
    ice = ice[:, None, :, None] if ice.ndim == 2 else ice
    names = {
        "contrast": [f"c{i}" for i in range(ice.shape[1])],
        "task": [f"t{i}" for i in range(ice.shape[3])],
    }
    where = {"unit": np.arange(len(ice)), "position": np.arange(ice.shape[2]) - 5}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "position", "task"), ice)},
        coords=where | names | coords,
    )


def smooth(n: int, rng: np.random.Generator, width: int = 40) -> np.ndarray:
    x = np.arange(width)
    kernel = np.exp(-0.5 * ((x - x[:, None]) / 4) ** 2)
    return rng.normal(size=(n, width)) @ kernel


def test_estimates_of_curves_are_those_of_each_position():
    ice = RNG.exponential(size=(50, 2, 6, 3))
    found = cg.estimate(curves(ice))
    assert found["ace"].dims == ("contrast", "position", "task")
    for p in (0, 5):
        one, here = cg.estimate(curves(ice).isel(position=p)), found.isel(position=p)
        for name in ("ace", "se", "df", "skewness", "leverage"):
            np.testing.assert_allclose(here[name], one[name], rtol=1e-12)
        # Hall's interval is beside t's where a position is selected; curves have bands
        for name, by_t in zip(("p", "lower", "upper"), of_t(one), strict=True):
            np.testing.assert_allclose(here[name], by_t, rtol=1e-9)
        assert_holds_t(one)


def test_the_factor_of_curves_gives_the_covariance_of_positions():
    ice = smooth(300, RNG)
    found = cg.estimate(curves(ice))
    factor = found["factor"].to_numpy()[:, 0, :, 0]
    np.testing.assert_allclose(
        factor.T @ factor, np.cov(ice.T) / 300, rtol=1e-9, atol=1e-12
    )


def test_contrasts_of_curves_are_those_of_each_position():
    y = RNG.normal(size=(20, 3, 4, 2, 2)) + 5
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "position", "task", "model"), y)},
        coords={
            "arm": ["0", "A", "B"],
            "position": [0, 8, 16, 24],
            "task": ["a", "b"],
            "model": ["m", "n"],
        },
    )
    for scale in ("identity", "log", "log_of_means"):
        whole = cg.contrast(outcomes, control="0", scale=scale)
        assert whole["ice"].dims == ("unit", "contrast", "position", "task", "model")
        one = cg.contrast(outcomes.isel(position=2), control="0", scale=scale)
        np.testing.assert_allclose(
            whole["ice"].isel(position=2), one["ice"], rtol=1e-12
        )
        np.testing.assert_allclose(
            whole["control_sd"].isel(position=2), one["control_sd"], rtol=1e-12
        )


def test_a_fold_is_undone():
    data = curves(RNG.normal(size=(3, 2, 4, 2))).assign_coords(
        kind=("task", ["x", "y"]), parent=("unit", [0, 0, 1])
    )
    columns = folded(data)
    assert columns["kind"].values.tolist() == ["x", "y"] * 4
    xr.testing.assert_identical(unfolded(columns, data), data)


def test_curves_without_tasks_say_how_to_have_one():
    ice = xr.Dataset(
        {"ice": (("unit", "contrast", "position"), RNG.normal(size=(5, 2, 3)))}
    )
    ice = ice.assign_coords(contrast=["a", "b"], position=range(3))
    assert cg.estimate(ice.expand_dims(task=["K562"], axis=-1))["ace"].shape == (
        2,
        3,
        1,
    )


def test_critical_values_are_those_of_independent_and_of_equal_statistics():
    many = critical_values(
        np.eye(30), np.full(30, np.inf), ci_prob=0.95, n_draws=99_999, rng=0
    )
    assert abs(many[0] - special.ndtri((1 + 0.95 ** (1 / 30)) / 2)) < 0.02
    one = critical_values(
        np.ones((7, 30)), np.full(30, 12.0), ci_prob=0.95, n_draws=99_999, rng=0
    )
    assert abs(one[0] - special.stdtrit(12, 0.975)) < 0.03
    mixed = critical_values(
        np.ones((7, 2)), np.array([12.0, 30.0]), ci_prob=0.95, n_draws=99_999, rng=0
    )
    np.testing.assert_allclose(mixed, special.stdtrit([12, 30], 0.975), atol=0.03)


def test_the_band_by_multipliers_is_that_of_the_multivariate_t():
    effects = curves(smooth(120, RNG))
    by_draws = cg.simultaneous(
        effects, over="position", method="sup_t", rng=0, n_draws=65_535
    )
    by_t = cg.simultaneous(effects, over="position", method="dunnett")
    np.testing.assert_allclose(by_draws["critical"], by_t["critical"], rtol=0.006)
    bonferroni = cg.simultaneous(effects, over="position", method="bonferroni")
    assert (bonferroni["critical"] > 1.02 * by_t["critical"]).all()


def test_a_band_holds_over_all_curves_or_over_each():
    rng = np.random.default_rng(3)
    ice = np.stack([smooth(80, rng), rng.normal(size=(80, 40))], axis=1)[..., None]
    ask = {"over": "position", "method": "sup_t", "rng": 0}
    together = cg.simultaneous(curves(ice), **ask)
    each = cg.simultaneous(curves(ice), family="contrast", **ask)
    assert each["critical"].std("position").max() < 1e-12
    assert (each["critical"][0] < each["critical"][1]).all()
    alone = cg.simultaneous(curves(ice[:, 1:]), **ask)
    assert (
        abs(float(alone["critical"][0, 0, 0]) - float(each["critical"][1, 0, 0])) < 0.05
    )
    assert together["critical"].std() < 1e-12
    assert (together["critical"] > each["critical"]).all()
    assert [x.attrs["family"] for x in (together, alone)] == [
        "all positions of these 2 rows",
        "all positions",
    ]
    named = curves(ice).assign_coords(motif=("contrast", ["x", "x"]))
    by_name = cg.simultaneous(named, family="motif", **ask)
    np.testing.assert_allclose(by_name["critical"], together["critical"])


def test_rare_effects_of_a_curve_are_bounded_by_its_own_size():
    """Of two tasks in other units, each has the band of rare effects that it has
    alone, but for the number of positions.
    """
    ice = np.zeros((80, 1, 40, 1))
    ice[:3] = 1.0
    both = np.concatenate([ice, 1_000 * ice], axis=3)
    effects = curves(both).assign_coords(task=["a", "b"])
    found = cg.simultaneous(effects, over="position", method="sup_t", rng=0)
    half = ((found["upper"] - found["lower"]) / 2).isel(contrast=0).to_numpy()
    np.testing.assert_allclose(half[:, 1], 1_000 * half[:, 0], rtol=1e-9)


def test_estimates_and_effects_have_the_same_band():
    effects = curves(smooth(200, RNG))
    band = cg.simultaneous(effects, over="position", method="sup_t", rng=3)
    again = cg.simultaneous(cg.estimate(effects), over="position", rng=3)
    assert again.attrs["band"] == "sup_t"
    for name in ("lower", "upper", "critical"):
        np.testing.assert_array_equal(band[name], again[name])


def test_clusters_are_resampled_whole():
    parent = np.repeat(np.arange(40), 5)
    ice = smooth(40, RNG)[parent] + 0.1 * RNG.normal(size=(200, 40))
    effects = curves(ice).assign_coords(parent=("unit", parent))
    band = cg.simultaneous(effects, over="position", rng=0)
    wide = (band["upper"] - band["lower"]).mean()
    unaware = cg.simultaneous(effects, over="position", rng=0, cluster="none")
    assert wide > 1.8 * (unaware["upper"] - unaware["lower"]).mean()


def test_where_few_units_differ_the_rule_of_three_bounds():
    ice = np.zeros((400, 30))
    ice[:, 10:20] = smooth(400, RNG, 10) + 2
    ice[:3, 25] = 4.0
    band = cg.simultaneous(curves(ice), over="position", rng=0).squeeze()
    half = ((band["upper"] - band["lower"]) / 2).to_numpy()
    largest = np.abs(ice).max()
    unseen = largest * -np.expm1(np.log(0.05 / 30) / 400)
    assert 0.8 * unseen < half[0] < 1.5 * unseen
    assert half[25] > half[0]
    assert (np.abs(band["ace"]) < half)[25]
    assert (band["lower"][10:20] > 0).all()
    # the curve's own positions are not widened by those that nothing reaches
    narrow = cg.simultaneous(curves(ice[:, 10:20]), over="position", rng=0)[
        "critical"
    ].max()
    wide = (
        cg.simultaneous(curves(ice), over="position", rng=0)["critical"]
        .squeeze()[10:20]
        .max()
    )
    assert wide < 1.1 * narrow


def profile_predictor() -> cg.FunctionPredictor:
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2) ** 2)

    def answer(x):
        hits = x[:, 2, :-3] * x[:, 0, 1:-2] * x[:, 3, 2:-1] * x[:, 0, 3:]
        return 1 + np.stack([np.convolve(row, kernel, "same") for row in hits])

    return cg.FunctionPredictor(
        answer, track=cg.Track(origin=20), tasks=["signal"], scale="counts"
    )


def profile_design(n: int, **options) -> cg.Design:
    arms = {"control": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    return cg.Design(
        null=cg.Uniform(length=44), arms=arms, n_units=n, contrasts="control", **options
    )


def test_moments_have_the_estimates_and_the_band_of_all_units():
    found = cg.run(profile_design(3_000), profile_predictor(), rng=0, keep="moments")
    effects = cg.run(profile_design(3_000), profile_predictor(), rng=0, keep="effects")
    assert found["ice_mean"].dims == ("contrast", "position", "task")
    assert found["ice_sum"].dims == ("cluster", "contrast", "position", "task")
    one, other = cg.estimate(found), cg.estimate(effects)
    for name in ("ace", "se", "df"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-7, atol=1e-12)
    bands = [cg.simultaneous(e, over="position", rng=0) for e in (one, other)]
    np.testing.assert_allclose(bands[0]["critical"], bands[1]["critical"], rtol=0.05)


@pytest.mark.simulation
@pytest.mark.parametrize("clustered", [False, True])
def test_bands_cover_whole_curves(clustered):
    n_trials, hits = 100, 0
    x = np.arange(60)
    peak = np.exp(-0.5 * ((x - 30) / 5) ** 2)
    rng = np.random.default_rng(5)
    for _ in range(n_trials):
        parent = np.arange(120) % 40
        size = np.exp(
            0.4 * rng.normal(size=120)
            + (0.4 * rng.normal(size=40)[parent] if clustered else 0)
        )
        ice = size[:, None] * peak + 0.5 * smooth(120, rng, 60)
        truth = np.exp(0.16 if clustered else 0.08) * peak
        effects = curves(ice).assign_coords(
            parent=("unit", parent if clustered else np.arange(120))
        )
        band = cg.simultaneous(effects, over="position", n_draws=499, rng=rng).squeeze()
        hits += bool(((band["lower"] <= truth) & (truth <= band["upper"])).all())
    low, high = stats.binom.ppf([5e-4, 1 - 5e-4], n_trials, 0.95) / n_trials
    assert low <= hits / n_trials <= high


def band_of(n: int = 60) -> xr.Dataset:
    ice = smooth(n, RNG)[:, None, :, None] * np.ones((1, 3, 1, 2))
    ice[:, 0, 10:20] += 5
    ice[:, 1, 30] -= 9
    effects = curves(ice).assign_attrs(scale="counts", control="placebo", bin=4)
    return cg.simultaneous(
        effects.assign_coords(position=np.arange(40) * 4 - 80), over="position", rng=0
    )


def test_a_figure_has_the_curve_and_its_band():
    band = band_of()
    axes = cg.plot.curve(band.sel(contrast=["c0", "c1"]), task="t0")
    np.testing.assert_array_equal(
        axes.lines[0].get_ydata(), band["ace"].sel(contrast="c0", task="t0")
    )
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), band["position"] + 1.5)
    assert len(axes.collections) == 2


def test_files_of_curves_hold_their_numbers(tmp_path, monkeypatch):
    import pyBigWig

    band = band_of()
    place = {"chromosome": "chr1", "origin": 1_000, "chrom_sizes": {"chr1": 5_000}}
    path = tmp_path / "band.bw"
    double = band.isel(position=[0, 0, 1])
    with pytest.raises(DataError):
        cg.store.write_bigwig(double, path, contrast="c0", task="t0", **place)
    cg.store.write_bigwig(
        double.drop_duplicates("position"), path, contrast="c0", task="t0", **place
    )
    turned = band.isel(position=slice(None, None, -1))
    with pytest.raises(DataError):
        cg.store.write_bigwig(turned, path, contrast="c0", task="t0", **place)
    with pytest.raises(DataError):
        cg.store.write_bigwig(
            band, tmp_path / "absent" / "band.bw", contrast="c0", task="t0", **place
        )
    file = pyBigWig.open(
        str(cg.store.write_bigwig(band, path, contrast="c0", task="t0", **place))
    )
    found = file.intervals("chr1")
    assert [start for start, _, _ in found] == (
        band["position"].to_numpy() + 1_000
    ).tolist()
    values = [value for _, _, value in found]
    np.testing.assert_allclose(
        values, band["ace"].sel(contrast="c0", task="t0"), rtol=1e-6
    )
    monkeypatch.setitem(sys.modules, "pyBigWig", None)
    with pytest.raises(cg.errors.MissingExtraError):
        cg.store.write_bigwig(band, path, contrast="c0", task="t0", **place)


def test_a_mean_curve_over_predictors_has_the_fewest_degrees_of_freedom():
    rng = np.random.default_rng(4)
    ice = 0.1 * rng.normal(size=(40, 1, 30, 1, 3))
    ice[:, :, :10] += rng.normal(size=(10, 1, 3))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "position", "task", "model"), ice)},
        coords={
            "contrast": ["a"],
            "position": np.arange(30),
            "task": ["t"],
            "model": ["m0", "m1", "m2"],
        },
    )
    estimates = cg.estimate(effects, target="population x predictors")
    # predictors agree by chance at some position
    assert estimates["df"].max() > 4 * estimates["df"].min()
    band = cg.simultaneous(estimates, over="position", rng=0)
    critical = stats.t.isf(0.025 / 30, float(estimates["df"].min()))
    np.testing.assert_allclose((band["upper"] - band["ace"]) / band["se"], critical)


def outlying(n: int = 200) -> xr.Dataset:
    """Return curves of near-normal effects, and at positions 30 to 33 one unit whose
    effect is far from the others'.
    """
    ice = (
        smooth(n, np.random.default_rng(8))[:, None, :, None] * np.ones((1, 2, 1, 1))
        + 2.0
    )
    ice[:, :, 38:] = 0.0
    ice[3, 1, 30:34] = 60.0
    return curves(ice).assign_attrs(scale="counts", control="placebo")


def test_a_band_names_positions_that_few_units_carry():
    band = cg.simultaneous(outlying(), over="position", rng=0)
    few = band["few_units"].squeeze("task").to_numpy()
    assert not few[0].any()
    assert np.flatnonzero(few[1]).tolist() == [30, 31, 32, 33]
    assert band["n_differing"].squeeze("task").to_numpy()[:, [0, 39]].tolist() == [
        [200, 0],
        [200, 0],
    ]
    # 3 / n of the largest effect of the curve; nothing where the rule of three is the
    # band
    largest = np.abs(outlying()["ice"]).max(("unit", "position")) * 3 / 200
    vary = band["unseen"].isel(position=slice(0, 38))
    xr.testing.assert_allclose(*xr.broadcast(vary, largest))
    assert (band["unseen"].isel(position=slice(38, 40)) == 0).all()
    other = cg.simultaneous(outlying(), over="position", method="bonferroni")
    xr.testing.assert_identical(other["few_units"], band["few_units"])


@pytest.mark.simulation
def test_moments_name_the_positions_that_few_units_carry():
    found = cg.run(profile_design(3_000), profile_predictor(), rng=0, keep="moments")
    effects = cg.run(profile_design(3_000), profile_predictor(), rng=0, keep="effects")
    bands = [
        cg.simultaneous(cg.estimate(e), over="position", rng=0)
        for e in (found, effects)
    ]
    assert bands[1]["few_units"].any()
    np.testing.assert_allclose(bands[0]["unseen"].max(), bands[1]["unseen"].max())
    skewed = bands[1]["few_units"] & (bands[1]["n_differing"] > 8)
    assert bands[0]["few_units"].where(skewed, True).all()


def test_means_over_predictors_have_no_rule_for_units():
    rng = np.random.default_rng(4)
    effects = xr.Dataset(
        {
            "ice": (
                ("unit", "contrast", "position", "task", "model"),
                rng.normal(size=(40, 1, 30, 1, 3)),
            )
        },
        coords={
            "contrast": ["a"],
            "position": np.arange(30),
            "task": ["t"],
            "model": ["m0", "m1", "m2"],
        },
    )
    band = cg.simultaneous(
        cg.estimate(effects, target="population x predictors"), over="position", rng=0
    )
    assert not {"few_units", "unseen", "n_differing"} & set(band)


def test_limits_by_the_rule_of_three_are_dotted_and_do_not_set_the_scale():
    effects = outlying()
    effects["ice"][:, 0, 5:35] *= 0.01
    band = cg.simultaneous(effects, over="position", rng=0)
    axes = cg.plot.curve(band.sel(contrast=["c0"]))
    dotted = [
        line
        for line in axes.lines
        if line.get_linestyle() == ":" and len(line.get_xdata())
    ]
    assert len(dotted) == 2
    still = band["upper"].sel(contrast="c0").isel(position=39).item()
    assert dotted[1].get_ydata()[-1] == still
    shown = band.sel(contrast="c0").isel(position=slice(0, 38))
    assert axes.get_ylim()[1] < 1.2 * float(shown["upper"].max())
    marked = cg.plot.curve(band.sel(contrast=["c1"]))
    (legend,) = marked.figure.legends
    assert "few units carry it" in [text.get_text() for text in legend.get_texts()]


def test_a_position_that_appears_twice_is_named(tmp_path):
    band = band_of()
    twice = np.r_[-80, band["position"].to_numpy()[:-1]]
    effects = curves(smooth(30, RNG)).assign_coords(position=twice)
    cured = effects.drop_duplicates("position")
    assert cg.simultaneous(cured, over="position", rng=0).sizes["position"] == 39


def test_a_parallel_trial_has_bonferronis_band_and_the_rule_of_three():
    """Its units have no effects, so that nothing tells how positions correlate."""
    oracle = cg.zoo.footprint("CCACTAGGTGGC")
    arms = {"untreated": cg.Untreated(), "word": cg.Embed("CCACTAGGTGGC", at=90)}
    trial = cg.Design(
        null=cg.Uniform(length=200),
        arms=arms,
        n_units=200,
        contrasts="untreated",
        assignment="parallel",
    )
    estimates = cg.estimate(cg.contrast(cg.run(trial, oracle, rng=4)))
    band = cg.simultaneous(estimates, over="position", rng=0).squeeze()
    assert band.attrs["band"] == "bonferroni"
    at = band.sel(position=-4)
    critical = stats.t.isf(0.025 / 200, float(at["df"]))
    np.testing.assert_allclose((at["upper"] - at["ace"]) / at["se"], critical)
    still = band.isel(position=int(np.flatnonzero(band["se"].to_numpy() == 0)[0]))
    share = stats.beta.isf(0.05 / 200, 1, 100)
    np.testing.assert_allclose(
        still["upper"] - still["ace"], float(estimates["largest_ice"].max()) * share
    )
    truth = oracle.true_curve(trial).squeeze()
    assert ((band["lower"] <= truth) & (truth <= band["upper"])).all()


def test_stored_curves_are_the_same(tmp_path):
    band = band_of()
    cg.store.save(band, tmp_path / "band.nc")
    xr.testing.assert_identical(band, cg.store.load(tmp_path / "band.nc", "estimates"))


@pytest.mark.real
@pytest.mark.torch
def test_a_donor_word_makes_a_donor_and_nothing_else(shared):
    """The profile of a splicing network: the word's last exon base, and no other
    position gains as much.
    """
    torch = pytest.importorskip("torch")
    import importlib.util

    folder = shared / "data/models/openspliceai_mane_80"
    spec = importlib.util.spec_from_file_location("openspliceai", folder / "arch.py")
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    made = cg.TorchPredictor(
        arch.load(folder / "member_10.safetensors"),
        heads=list(arch.CHANNELS),
        tasks=["acceptor", "donor"],
        track=cg.Track(origin=50),  # base 90 of the input: 40 are cropped
        reduce=lambda logits: torch.softmax(logits, 1),
        scale="probability",
        device="cpu",
    )
    arms = {
        "placebo": cg.Placebo("CAGGTAAGT", at=88),
        "donor": cg.Embed("CAGGTAAGT", at=88),
    }
    null = cg.Genomic(of=np.load(folder / "backgrounds.npz")["tokens"][:120])
    trial = cg.Design(null=null, arms=arms, n_units=120, contrasts="placebo")
    effects = cg.contrast(cg.run(trial, made, rng=7))
    band = cg.simultaneous(effects, over="position", rng=7).sel(
        contrast="donor", task="donor"
    )
    assert band["position"].to_numpy()[[0, -1]].tolist() == [-50, 50]
    assert band["lower"].sel(position=0) > 0.3
    assert band["upper"].where(band["position"] != 0).max() < 0.3
    assert int(np.abs(band["ace"].to_numpy()).argmax()) == 50


def test_units_are_planned_for_one_position():
    given = curves(smooth(40, RNG))
    n = cg.sample_size(given.sel(position=0), half_width=0.1)["n_units"]
    assert (
        n.item()
        == cg.sample_size(
            sd=given["ice"].sel(position=0).std(ddof=1).item(), half_width=0.1
        )["n_units"]
    )
