"""Imports sd_of and share_of from the inside: proofs of the kernels alone.

For whom an effect is large: against arithmetic, other libraries and simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

import causalgia as cg
from causalgia import moderation
from causalgia.errors import EstimateError
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.moderation import sd_of, share_of


def effects_of(ice: np.ndarray, **on_unit: Any) -> xr.Dataset:
    ice = ice.reshape(len(ice), -1)
    coords = {"contrast": [f"c{k}" for k in range(ice.shape[1])], "task": ["K562"]}
    coords |= {name: ("unit", values) for name, values in on_unit.items()}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])}, coords=coords
    )


def inside(hits: np.ndarray, level: float, trials: int, chance: float = 1e-4) -> None:
    low, high = stats.binom.ppf([chance / 2, 1 - chance / 2], trials, level) / trials
    assert low <= np.mean(hits) <= high, (np.mean(hits), low, high)


def test_point_estimates_are_the_plain_ones() -> None:
    ice = np.random.default_rng(0).gamma(2, size=(200, 3))
    found = moderation(effects_of(ice), (), rope=(0.5, 3)).isel(task=0)
    np.testing.assert_allclose(found["sd"], ice.std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(
        found["quantiles"],
        np.quantile(ice, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0),
        rtol=1e-12,
    )
    np.testing.assert_allclose(found["above"], (ice > 3).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found["below"], (ice < 0.5).mean(axis=0), rtol=1e-12)
    assert (found["rope_lower"] == 0.5).all()
    either = share_of((ice > 3) | (ice < 0.5), None, 0.95)
    for name, part in zip(
        ("beyond", "beyond_se", "beyond_lower", "beyond_upper"), either, strict=True
    ):
        np.testing.assert_array_equal(found[name], part)
    np.testing.assert_allclose(
        found["beyond"], found["above"] + found["below"], rtol=1e-12
    )


def test_shares_without_clusters_are_clopper_pearson() -> None:
    event = np.arange(40) < 7
    share, se, lower, upper = share_of(event, None, 0.95)
    np.testing.assert_allclose(
        [lower, upper], proportion_confint(7, 40, method="beta"), rtol=1e-9
    )
    np.testing.assert_allclose(se, np.sqrt(share * (1 - share) / 39), rtol=1e-12)


@pytest.mark.parametrize("hits", [0, 40])
def test_a_share_of_none_or_all_has_an_interval(hits: int) -> None:
    share, se, lower, upper = share_of(np.arange(40) < hits, None, 0.95)
    assert (share, se) == (hits / 40, 0)
    np.testing.assert_allclose(
        [lower, upper], proportion_confint(hits, 40, method="beta"), atol=1e-12
    )
    _, _, lower, upper = share_of(np.arange(40) < hits, np.arange(40) // 4, 0.95)
    np.testing.assert_allclose(
        [lower, upper], proportion_confint(hits // 4, 10, method="beta"), atol=1e-12
    )


def test_units_that_repeat_their_parent_count_once() -> None:
    """40 parents with 5 equal units each know what 40 units know."""
    rng = np.random.default_rng(1)
    once, cluster = rng.normal(size=40), np.repeat(np.arange(40), 5)
    often = np.repeat(once, 5)
    for function in (
        lambda x, c: sd_of(x, c, 0.95),
        lambda x, c: share_of(x > 0.3, c, 0.95),
    ):
        few, many = function(once, None), function(often, cluster)
        np.testing.assert_allclose(many[1], few[1], rtol=0.03)
        np.testing.assert_allclose(many[2:], few[2:], rtol=0.08)


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover_what_they_say(clustered: bool) -> None:
    """800 trials of 200 units (40 parents of 5, ICC .5): two-sided near 95 %,
    conservative for shares.
    """
    rng, trials, n = np.random.default_rng(2), 800, 200
    cluster = np.repeat(np.arange(40), 5) if clustered else None
    shared = rng.normal(size=(40, trials)).repeat(5, axis=0) if clustered else 0.0
    own = rng.normal(size=(n, trials))
    ice = np.sqrt(0.5) * (shared + own) if clustered else own
    _, _, lower, upper = sd_of(ice, cluster, 0.95)
    assert (
        np.mean((lower <= 1) & (upper >= 1))
        >= stats.binom.ppf(1e-4, trials, 0.925 if clustered else 0.945) / trials
    )
    _, _, lower, upper = share_of(ice > 1.0, cluster, 0.95)
    truth = stats.norm.sf(1.0)
    assert (
        np.mean((lower <= truth) & (upper >= truth))
        >= stats.binom.ppf(1e-4, trials, 0.95) / trials
    )


def test_a_spread_that_rests_on_one_unit_is_hardly_known() -> None:
    ice = np.zeros(30)
    ice[3] = 1.0
    sd, se, lower, upper = sd_of(ice, None, 0.95)
    np.testing.assert_allclose(sd, ice.std(ddof=1))
    assert lower < 1e-6 * sd
    assert 1e6 * sd < upper < np.inf
    assert se > sd


def test_effects_that_do_not_vary_are_points() -> None:
    found = moderation(effects_of(np.full(30, 2.0)), (), rope=(-1, 1)).squeeze()
    assert [float(found[name]) for name in ("sd", "sd_se", "sd_lower", "sd_upper")] == [
        0,
        0,
        0,
        0,
    ]
    assert found["above"] == 1
    assert 0.85 < found["above_lower"] < 0.95


def test_predictors_keep_their_dim() -> None:
    ice = np.random.default_rng(4).normal(size=(50, 2, 1, 3))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        coords={"model": list("abc")},
    )
    found = moderation(effects, ())
    assert found["sd"].dims == ("contrast", "task", "model")
    np.testing.assert_allclose(found["sd"], ice.std(axis=0, ddof=1))


def test_slopes_are_least_squares_with_hc2() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(60, 2)) * [1.0, 30.0] + [5.0, 100.0]
    ice = x @ [0.5, 0.01] + rng.normal(size=60) * x[:, 0]
    found = moderation(
        effects_of(ice, gc=x[:, 0], activity=x[:, 1]), by=["gc", "activity"]
    ).squeeze()
    fit = sm.OLS(ice, sm.add_constant(x)).fit(cov_type="HC2")
    np.testing.assert_allclose(found["slope"], fit.params[1:], rtol=1e-9)
    np.testing.assert_allclose(found["se"], fit.bse[1:], rtol=1e-9)
    np.testing.assert_allclose(found["mean"], x.mean(axis=0))
    assert (found["df"] < 57).all()


def test_slopes_by_cluster_cover() -> None:
    """600 trials, 30 parents of 4 with shared GC and shared noise: 95 % intervals of a
    slope of 0.
    """
    rng, trials = np.random.default_rng(7), 600
    parent = np.repeat(np.arange(30), 4)
    gc = rng.normal(size=30)[parent]
    ice = rng.normal(size=(30, trials))[parent] + rng.normal(size=(120, trials))
    found = moderation(effects_of(ice, gc=gc, parent=parent), "gc").squeeze()
    inside(((found["lower"] <= 0) & (found["upper"] >= 0)).to_numpy(), 0.95, trials)
    naive = moderation(
        effects_of(ice, gc=gc, parent=parent), "gc", cluster="none"
    ).squeeze()
    assert ((naive["lower"] <= 0) & (naive["upper"] >= 0)).mean() < 0.9


def test_a_mean_ice_is_the_slope_on_nothing() -> None:
    """Centring: the effect at the mean covariate is the mean ICE, whatever the
    slope.
    """
    rng = np.random.default_rng(8)
    x, ice = rng.normal(10, 1, size=40), rng.normal(size=40)
    found = moderation(effects_of(ice, gc=x), "gc").squeeze()
    at_mean = ice - found["slope"].item() * (x - found["mean"].item())
    np.testing.assert_allclose(at_mean.mean(), mean_ice(ice).ace, rtol=1e-12)


def test_units_exactly_at_an_end_of_the_region_are_inside() -> None:
    found = moderation(
        effects_of(np.repeat([-2.0, -1.0, 0.0, 1.0, 3.0], [2, 4, 8, 5, 1])),
        (),
        rope=(-1, 1),
    ).squeeze()
    assert found["above"].item() == pytest.approx(1 / 20)
    assert found["below"].item() == pytest.approx(2 / 20)
    assert found["beyond"].item() == pytest.approx(3 / 20)


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("size", [1.0, 1e-150])
def test_the_error_of_the_sd_is_the_jackknife_by_deletion(
    clustered: bool, size: float
) -> None:
    rng = np.random.default_rng(0)
    ice = rng.exponential(size=30) * size
    cluster = np.sort(rng.integers(0, 9, 30)) if clustered else None
    codes = np.unique(cluster, return_inverse=True)[1] if clustered else np.arange(30)
    sd, se, lower, upper = sd_of(ice, codes if clustered else None, 0.9)
    logs = np.array([np.log(ice[codes != g].std()) for g in range(codes.max() + 1)])
    n = len(logs)
    relative = np.sqrt((n - 1) / n * ((logs - logs.mean()) ** 2).sum())
    if not clustered:
        assert sd == pytest.approx(ice.std(ddof=1), rel=1e-12)
    assert se == pytest.approx(sd * relative, rel=1e-9)
    half = np.exp(stats.t.ppf(0.95, n - 1) * relative)
    assert (lower, upper) == pytest.approx((sd / half, sd * half), rel=1e-9)


def test_shares_of_clusters_are_clopper_pearson_at_their_effective_number() -> None:
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(12), 5)
    event = (
        rng.random((60, 3))
        < np.array([0.1, 0.5, 0.9])[None] * rng.choice([0.3, 1.0], 12)[cluster][:, None]
    )
    event = np.column_stack([event, np.zeros(60, bool), np.ones(60, bool)])
    share, se, lower, upper = share_of(event, cluster, 0.9)
    answer = mean_ice(event.astype(float), cluster)
    for j in range(5):
        p = event[:, j].mean()
        size = 12.0
        if 0 < p < 1:
            shrink = stats.t.ppf(0.95, 59) / stats.t.ppf(
                0.95, np.broadcast_to(answer.df, 5)[j]
            )
            size = min(p * (1 - p) / answer.se[j] ** 2, 60) * shrink**2
        hits = p * size
        low = stats.beta.ppf(0.05, hits, size - hits + 1) if p > 0 else 0.0
        high = stats.beta.ppf(0.95, hits + 1, size - hits) if p < 1 else 1.0
        assert (share[j], se[j], lower[j], upper[j]) == pytest.approx(
            (p, answer.se[j], low, high), rel=1e-9
        )


def test_labels_of_contrasts_and_tasks_are_kept_and_those_of_units_are_not() -> None:
    effects = effects_of(
        np.random.default_rng(0).normal(size=(60, 3)),
        parent=np.repeat(np.arange(20), 3),
    )
    effects = effects.assign_coords(
        site=("contrast", [3, 1, 2]), note=(("contrast", "task"), [["a"], ["b"], ["c"]])
    )
    found = moderation(effects, ())
    assert set(found.coords) == {"contrast", "task", "prob", "site", "note"}
    assert found["site"].values.tolist() == [3, 1, 2]
    assert found["note"].values.tolist() == [["a"], ["b"], ["c"]]
    assert set(found.sizes) == {"contrast", "task", "prob"}


def test_factors_may_have_the_names_of_its_columns() -> None:
    effects = effects_of(np.random.default_rng(0).normal(size=(60, 2)))
    effects = effects.assign_coords(
        strand=("contrast", ["+", "-"]), place=("contrast", [3, 1])
    )
    found = moderation(effects, ())
    assert found["place"].values.tolist() == [3, 1]
    assert "strand" not in found


def test_a_region_of_0_alone_counts_effects_on_either_side() -> None:
    found = moderation(
        effects_of(np.repeat([-1.0, 0.0, 2.0], [3, 5, 12])), (), rope=0
    ).squeeze()
    assert (found["below"].item(), found["above"].item()) == pytest.approx(
        (3 / 20, 12 / 20)
    )


def test_covariates_are_kept_with_their_mean_and_sd() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(3, 5, (9, 2))
    found = moderation(
        effects_of(rng.normal(size=(9, 1)), gc=x[:, 0], cpg=x[:, 1]), by=["gc", "cpg"]
    )
    np.testing.assert_allclose(found["mean"].squeeze(), x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        found["sd_of"].squeeze(),
        np.sqrt(((x - x.mean(axis=0)) ** 2).sum(axis=0) / 8),
        rtol=1e-12,
    )


def test_a_category_is_the_difference_of_its_means_by_welch() -> None:
    rng = np.random.default_rng(0)
    tissue = np.repeat(["liver", "skin"], [30, 50])
    ice = rng.normal(size=80) * np.where(tissue == "skin", 2.0, 1.0)
    found = moderation(effects_of(ice, tissue=tissue), "tissue").squeeze()
    of = {name: ice[tissue == name] for name in ("liver", "skin")}
    means = {name: x.mean() for name, x in of.items()}
    assert found["level"].item() == "skin"
    assert found["inside"].item() == pytest.approx(means["skin"], rel=1e-9)
    assert found["outside"].item() == pytest.approx(means["liver"], rel=1e-9)
    welch = np.sqrt(sum(x.var(ddof=1) / len(x) for x in of.values()))
    assert found["se"].item() == pytest.approx(welch, rel=1e-9)
    assert (found["n_inside"].item(), found["n_outside"].item()) == (50, 30)


def test_a_formula_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(1)
    gc, tissue = rng.normal(0.5, 0.1, 90), rng.choice(["a", "b", "c"], 90)
    ice = rng.normal(size=90) + 3 * gc * (tissue == "b")
    found = moderation(effects_of(ice, gc=gc, tissue=tissue), "gc * tissue").squeeze()
    names = ["gc", "tissue[b]", "tissue[c]", "gc:tissue[b]", "gc:tissue[c]"]
    assert found["moderator"].values.tolist() == names
    b, c = tissue == "b", tissue == "c"
    x = np.column_stack([gc, b, c, gc * b, gc * c]).astype(float)
    fit = sm.OLS(ice, sm.add_constant(x)).fit()
    robust = fit.get_robustcov_results("HC2")
    np.testing.assert_allclose(found["slope"], fit.params[1:], rtol=1e-8)
    np.testing.assert_allclose(found["se"], robust.bse[1:], rtol=1e-8)
    shares = [
        (sm.OLS(ice, sm.add_constant(np.delete(x, j, 1))).fit().ssr - fit.ssr)
        / fit.centered_tss
        for j in range(5)
    ]
    np.testing.assert_allclose(found["share"], shares, rtol=1e-8)


SITE, PARTNER, AT = "ACGAGGA", "GATTACA", 50
WORDS = [PARTNER, "TGAGTCA", "AGATAAG", "CACGTG", "GGGCGG"]


def tokens_of(word: str) -> np.ndarray:
    return np.array(["ACGT".index(base) for base in word], np.uint8)


def reverse_complement(word: str) -> str:
    return word.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def heterodimer(
    seed: int, *, rule: bool, strand: str = "+", n: int = 800
) -> xr.Dataset:
    """Return the effects of embedding the site: ten times as large where its partner
    follows on the same strand at gaps of 2 to 5 bp, as 1 in 5 of the sequences have it;
    the partner lies elsewhere too. Bases before the site change every effect a little.
    """
    rng = np.random.default_rng(seed)
    sequences = rng.integers(0, 4, (n, 120)).astype(np.uint8)
    forward, opposite = tokens_of(PARTNER), tokens_of(reverse_complement(PARTNER))
    for row, gap, kind in zip(
        sequences, rng.integers(0, 10, n), rng.random(n), strict=True
    ):
        if kind < 0.5:
            row[AT + 7 + gap : AT + 14 + gap] = forward
        elif kind < 0.65:
            row[AT - 7 - gap : AT - gap] = forward
        elif kind < 0.8:
            row[AT + 7 + gap : AT + 14 + gap] = opposite
    # neither GC nor any base is better than its complement over all places
    weights = rng.normal(size=(30, 2))[:, [0, 1, 1, 0]] * [0.2, 0.2, -0.2, -0.2]
    if strand == "-":
        sequences = 3 - sequences[:, ::-1]

    def answer(x: np.ndarray) -> np.ndarray:
        tokens = x.argmax(1)
        tokens = tokens if strand == "+" else 3 - tokens[:, ::-1]
        there = (tokens[:, AT : AT + 7] == tokens_of(SITE)).all(1)
        near = np.any(
            [
                (tokens[:, AT + 7 + gap : AT + 14 + gap] == forward).all(1)
                for gap in range(2, 6)
            ],
            axis=0,
        )
        own = np.take_along_axis(weights[None], tokens[:, :30, None], 2).sum((1, 2))
        return there * (1 + 9 * (near if rule else 0) + own)

    at = AT if strand == "+" else 120 - AT - 7
    arms = {
        "site": cg.Embed(SITE, at=at, strand=strand),  # type: ignore[arg-type]
        "none": cg.Untreated(),
    }
    texts = ["".join("ACGT"[base] for base in row) for row in sequences]
    design = cg.Design(null=cg.Genomic(of=texts), arms=arms, n_units=n)
    predictor = cg.FunctionPredictor(answer, tasks=["K562"])
    outcomes = cg.run(design, predictor, rng=seed, progress=False)
    return cg.contrast(outcomes, control="none")


@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_rule_of_a_heterodimer_is_named_exactly(strand: str) -> None:
    for seed in range(6):
        effects = heterodimer(seed, rule=True, strand=strand)
        found = moderation(effects, motifs=WORDS).squeeze()
        assert found["named"]
        texts = ("kind", "name", "strand", "side")
        assert [found[x].item() for x in texts] == [
            "motif",
            PARTNER,
            "same",
            "downstream",
        ]
        assert (found["gap_from"].item(), found["gap_to"].item()) == (2, 5)
        assert found["inside"].item() == pytest.approx(10, abs=0.7)
        assert found["outside"].item() == pytest.approx(1, abs=0.3)
        assert found["share"].item() > 0.75
        assert found["n_inside"].item() + found["n_outside"].item() == 400


def test_nothing_is_named_without_a_rule() -> None:
    for seed in range(4):
        found = moderation(heterodimer(seed, rule=False), motifs=WORDS).squeeze()
        assert not found["named"]
        assert found["share"].item() <= 0.02
        assert found["n_candidates"].item() > 1_000


def test_backgrounds_drawn_again_are_those_given() -> None:
    effects = heterodimer(0, rule=True)
    design = cg.design.Design.from_json(cg.notes.unpack_text(effects, "design"))
    given = design.null.sample(800, rng=0)["sequence"].to_numpy()
    again = moderation(effects, motifs=WORDS)
    xr.testing.assert_identical(
        moderation(effects, motifs=WORDS, sequences=given), again
    )
    assert "sequence" not in effects
    shuffled = np.random.default_rng(0).permutation(800)
    xr.testing.assert_allclose(
        moderation(effects.isel(unit=shuffled), motifs=WORDS), again
    )
    with pytest.raises(EstimateError):
        moderation(effects.assign_attrs(rng="Generator"), motifs=WORDS)


def test_a_number_is_chosen_among_coordinates() -> None:
    rng = np.random.default_rng(0)
    coords = {name: rng.normal(size=300) for name in ("gc", "cpg", "activity")}
    effects = effects_of(rng.normal(size=300) + 2 * coords["activity"], **coords)
    found = moderation(effects).squeeze()
    assert (found["kind"].item(), found["name"].item()) == ("number", "activity")
    assert found["n_candidates"].item() == 3
    assert found["inside"].item() - found["outside"].item() == pytest.approx(4, abs=0.5)
    text = str(cg.report(moderation(effects)))
    assert "activity is one sd above" in text


@pytest.mark.parametrize("parents", [False, True])
def test_a_choice_on_one_half_leaves_the_test_on_the_other_its_level(
    parents: bool,
) -> None:
    """200 trials of 200 units, or 100 parents of two, ten moderators that do nothing;
    in 30 further ones the last does.
    """
    rng = np.random.default_rng(3)
    parent = np.arange(200) // (2 if parents else 1)
    p, right = [], []
    for trial in range(230):
        effect = rng.normal(size=200) + parents * rng.normal(size=200)[parent]
        x = {f"x{i}": rng.normal(size=200)[parent] for i in range(10)}
        if trial >= 200:
            effect = effect + x["x9"]
        found = moderation(effects_of(effect, parent=parent, **x), rng=trial).squeeze()
        if trial < 200:
            p.append(found["p"].item())
        else:
            right.append(bool(found["named"]) and found["name"].item() == "x9")
    inside(np.array(p) <= 0.05, 0.05, 200)
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("clustered", [False, True])
def test_a_category_that_one_unit_has_says_nothing_of_its_spread(
    clustered: bool,
) -> None:
    """As of an arm of one unit: the interval is open, where it is alone and only
    there.
    """
    rng, n, of_one = np.random.default_rng(2), 160, 4 if clustered else 1
    coords = {"gc": ("unit", rng.normal(size=n))}
    coords |= {"parent": ("unit", np.arange(n) // 4)} if clustered else {}
    for some in (1, 2):
        rare = np.arange(n) >= n - some * of_one
        effects = xr.Dataset(
            {"ice": (("unit", "contrast", "task"), rng.normal(size=(n, 1, 1)) + 9)},
            coords | {"level": ("unit", np.where(rare, "rare", "most"))},
        )
        found = cg.moderation(effects, by="level + gc").squeeze()
        for one in (found, cg.decide(found, rope=0)):
            open_ended = np.isinf(one["upper"].values.ravel())
            assert open_ended.tolist() == [some == 1, False]
            assert (one["p"].values.ravel()[0] == 1) == (some == 1)


def test_levels_of_a_category_are_beside_the_one_they_are_compared_with() -> None:
    """A is 0, B 1 and C 2, whatever comes first; beside a number at its mean."""
    rng, n = np.random.default_rng(3), 300
    level = rng.choice(["A", "B", "C"], n)
    gc = rng.normal(size=n)
    value = {"A": 0.0, "B": 1.0, "C": 2.0}
    ice = np.array([value[x] for x in level]) + gc - gc.mean()
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, None, None])},
        {"level": ("unit", level), "gc": ("unit", gc)},
    )
    for name, last in (("A", "A"), ("Z", "B")):
        named = effects.assign_coords(
            level=("unit", np.where(level == "A", name, level))
        )
        found = cg.moderation(named, by="level + gc")
        of_levels = [x for x in found["moderator"].values if "[" in x]
        rows = found.squeeze().sel(moderator=of_levels)
        assert rows["reference"].values.tolist() == [last, last]
        for row in (rows.isel(moderator=k) for k in range(2)):
            own = value[row["level"].item().replace("Z", "A")]
            assert row["inside"].item() == pytest.approx(own, abs=1e-9)
            assert row["outside"].item() == pytest.approx(value[last], abs=1e-9)
        assert f"compared with, {last}" in cg.report(found).replace("\n", " ")


def test_a_motif_that_few_sequences_have_near_the_site_is_said() -> None:
    rng = np.random.default_rng(3)
    rows = ["".join(rng.choice(list("ACGT"), 120)) for _ in range(120)]
    rows[::2] = [row[:90] + "TGACTCA" + row[97:] for row in rows[::2]]
    network = cg.FunctionPredictor(lambda x: x[:, 0, :40].sum(axis=1), tasks=["a"])
    arms = {"p": cg.Placebo("AGATAAG", at=20), "w": cg.Embed("AAAAAAA", at=20)}
    design = cg.Design(null=cg.Genomic(of=rows), arms=arms, n_units=120)
    effects = cg.contrast(cg.run(design, network, rng=0, progress=False), control="p")
    told = cg.report(cg.moderation(effects, motifs=["TGACTCA"]))
    assert "TGACTCA" in told
    near = cg.moderation(effects, motifs=["TGACTCA"], max_gap=90)
    assert "not_tried" not in near.attrs


def test_a_level_beside_another_has_one_p_whichever_is_the_reference():
    """Units of a third level have no part in the difference of two, but for rounding."""
    from causalgia.estimation.moderation import moderated

    rng = np.random.default_rng(5)
    level, parent = rng.integers(0, 3, 120), np.arange(120) // 4
    ice = rng.normal(size=(120, 6)) + rng.normal(size=(30, 6))[parent]
    first = np.column_stack([level == 1, level == 2]) * 1.0
    second = np.column_stack([level == 0, level == 2]) * 1.0
    a, b = (moderated(x, ice, parent, 0.95) for x in (first, second))
    np.testing.assert_allclose(a["slope"][0], -b["slope"][0], rtol=1e-9)
    for name in ("p", "se_pooled", "df_pooled"):
        np.testing.assert_allclose(a[name][0], b[name][0], rtol=1e-9)
    np.testing.assert_allclose(a["lower"][0], -b["upper"][0], rtol=1e-9)
