# Imports from the inside: the rule of verdicts on arrays, proved against brute force.
"""The one rule of verdicts: intervals and p-values that agree, q within a kind, rare
effects, rows that answer alike.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import optimize, stats

import causalgia as cg
from causalgia.errors import DegenerateWarning
from causalgia.estimation.effect_intervals import (
    Pairs,
    effect_limits,
    missed_share_of,
    one_sided_p,
    two_sided_p,
)
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.numerics.moments import transformed, untransformed
from causalgia.verdicts.verdict_rule import (
    Rows,
    reversal_size,
    rule,
    with_largest,
    with_rare,
)

DIMS = ("contrast", "task")


def table(**columns) -> xr.Dataset:
    """Return estimates of K contrasts in one task from columns of numbers."""
    return xr.Dataset(
        {name: (DIMS, np.atleast_1d(x)[:, None]) for name, x in columns.items()}
    )


def drawn(rng, k, n, skew):
    """Return estimates of n exponential or normal units, of K contrasts."""
    x = rng.exponential(size=(n, k)) - 1 if skew else rng.normal(size=(n, k))
    x = x + rng.choice([0.0, 0.2, 0.4, 1.0], k)
    ice = xr.Dataset({"ice": (("unit", *DIMS), x[:, :, None])})
    return cg.estimate(ice)


def outcomes_of(y, *, unit=None):
    """Return outcomes of a control and one or more arms, from an array (unit, arm)."""
    n, a = y.shape
    arms = ["c", *(f"a{k:02d}" for k in range(a - 1))]
    frame = pd.DataFrame(
        {"u": np.repeat(np.arange(n), a), "arm": np.tile(arms, n), "y": y.ravel()}
    )
    return cg.from_frame(frame, outcome="y", arm="arm", unit="u", scale="log2")


@pytest.mark.parametrize("a", [-2.0, -0.4, 0.0, 0.1, 0.9])
def test_halls_transformation_is_monotone_and_inverted(a):
    t = np.linspace(-40, 40, 4001)
    g = transformed(t, a)
    assert (np.diff(g) >= -1e-12).all()
    assert np.allclose(untransformed(g, a), t, atol=1e-9) or abs(a) > 0.75
    near = np.abs(t) <= 4
    cubic = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    assert np.allclose(g[near], cubic[near], atol=1e-12)
    assert np.allclose(np.diff(g[t > 4.1]), np.diff(t[t > 4.1]))


def test_an_interval_lies_where_its_p_values_say():
    """40,000 data sets, normal and skewed, in regions about them: no mismatch."""
    rng, wrong = np.random.default_rng(0), 0
    for seed in range(20):
        found = drawn(rng, 2_000, int(rng.integers(5, 60)), seed % 2)
        low, high = -0.3, 0.3
        tests = one_sided_p(found, low, high)
        lower, upper = effect_limits(found, 0.95)
        beyond = (lower > high) | (upper < low)
        inside = (lower >= low) & (upper <= high)
        wrong += int((beyond != (2 * tests.beyond <= 0.05)).sum())
        wrong += int((inside != (2 * tests.inside <= 0.05)).sum())
    assert wrong == 0


def test_the_interval_is_the_union_of_both_and_p_the_larger():
    found = drawn(np.random.default_rng(1), 50, 40, skew=True)
    ace, se, df = (found[name].values for name in ("ace", "se", "df"))
    a = found["skewness"].values / np.sqrt(40)
    q = stats.t.ppf(0.975, df)
    by_t = ace - q * se, ace + q * se
    by_hall = ace - untransformed(q, a) * se, ace - untransformed(-q, a) * se
    assert np.allclose(found["lower"], np.minimum(by_t[0], by_hall[0]), atol=1e-12)
    assert np.allclose(found["upper"], np.maximum(by_t[1], by_hall[1]), atol=1e-12)
    t = ace / se
    p_t = 2 * np.minimum(stats.t.sf(t, df), stats.t.cdf(t, df))
    tails = np.maximum(stats.t.sf(t, df), stats.t.sf(transformed(t, a), df))
    other = np.maximum(stats.t.cdf(t, df), stats.t.cdf(transformed(t, a), df))
    assert np.allclose(found["p"], np.minimum(2 * np.minimum(tails, other), 1))
    assert (found["p"].values >= p_t - 1e-12).all()


def brute_score_z(up, down, n, d):
    """Return Tango's z by maximizing the trinomial likelihood at a difference d."""

    def loglik(q):
        p = q + d
        rest = 1 - p - q
        parts = [(up, p), (down, q), (n - up - down, rest)]
        return -sum(k * np.log(max(x, 1e-300)) for k, x in parts if k)

    low, high = max(0.0, -d), (1 - d) / 2
    q = optimize.minimize_scalar(
        loglik, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    ).x
    return (up - down - n * d) / np.sqrt(n * (2 * q + d * (1 - d)))


@pytest.mark.parametrize(
    ("up", "down", "n"), [(3, 0, 100), (12, 5, 40), (1, 9, 30), (7, 7, 25)]
)
def test_tangos_score_test_is_that_of_the_constrained_likelihood(up, down, n):
    found = table(ace=(up - down) / n, n_up=up, n_down=down, n_units=n)
    pairs = Pairs.of(found)
    for d in (-0.3, -0.05, 0.04, 0.2):
        own = pairs.one_sided_p(d, -1 if d > 0 else 1).item()
        z = brute_score_z(up, down, n, d)
        exact = stats.binomtest(up, up + down).pvalue
        assert own == pytest.approx(
            stats.norm.cdf(z) if d > 0 else stats.norm.sf(z), abs=1e-5
        ) or (own <= exact)


def test_the_limits_of_pairs_invert_their_test():
    rng = np.random.default_rng(3)
    n = rng.integers(10, 200, 300)
    up = rng.binomial(n, 0.2)
    down = rng.binomial(n - up, 0.1)
    pairs = Pairs.of(table(ace=(up - down) / n, n_up=up, n_down=down, n_units=n))
    lower, upper = pairs.limits(0.95)
    eps = 1e-6
    assert (pairs.one_sided_p(lower - eps, 1) <= 0.025 + 1e-4).all()
    assert (pairs.one_sided_p(lower + eps, 1) >= 0.025 - 1e-4).all()
    assert (pairs.one_sided_p(upper + eps, -1) <= 0.025 + 1e-4).all()
    assert (lower <= (up - down)[:, None] / n[:, None]).all()


def test_three_of_a_hundred_decide_no_direction():
    """The exact conditional test has p = .25."""
    y = np.zeros((100, 2))
    y[:3, 1] = 1
    estimates = cg.estimate(cg.contrast(outcomes_of(y), control="c"))
    assert estimates["p"].item() == pytest.approx(0.25)
    assert estimates["lower"].item() < 0 < estimates["upper"].item()
    assert cg.decide(estimates, rope=0)["verdict"].item() == "undecided"


def test_pairs_that_all_agree_have_an_interval():
    with pytest.warns(cg.errors.DegenerateWarning):
        found = cg.estimate(cg.contrast(outcomes_of(np.zeros((24, 2))), control="c"))
    limit = stats.chi2.ppf(0.95, 1) / (24 + stats.chi2.ppf(0.95, 1))
    assert found["upper"].item() == pytest.approx(limit, abs=1e-9)
    assert found["lower"].item() == pytest.approx(-limit, abs=1e-9)
    assert found["p"].item() == 1


@pytest.mark.parametrize(("share", "n"), [(0.02, 100), (0.1, 40)])
def test_no_more_directions_of_rare_pairs_than_the_level(share, n):
    """0/1 data of both arms alike: 2 % at n = 100 made .177 false by Hall's t alone."""
    rng = np.random.default_rng(4)
    false = 0
    for _ in range(40):
        both = rng.random((50, n, 2)) < share
        up = (both[..., 1] & ~both[..., 0]).sum(1)
        down = (both[..., 0] & ~both[..., 1]).sum(1)
        found = table(ace=(up - down) / n, n_up=up, n_down=down, n_units=np.full(50, n))
        ice = both[..., 1].astype(float) - both[..., 0]
        se = ice.std(axis=1, ddof=1) / np.sqrt(n)
        found = found.assign(
            se=(DIMS, se[:, None]), df=(DIMS, np.full((50, 1), n - 1.0))
        )
        false += int((two_sided_p(found, 0.0) <= 0.05).sum())
    assert false / 2000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("n", [20, 59, 400])
def test_units_that_answer_alike_bound_what_others_could_do(n):
    """c +- s0 (L + |c|), and p (1 - d / (L + |c|))^n."""
    columns = {"ace": [2.0, 0.5], "se": [0.0, 0.3], "largest_ice": [3.0, 3.0]}
    found = table(**columns, n_units=[n, n], df=[n - 1.0, n - 1.0])
    lower, upper = effect_limits(found, 0.95)
    s0 = 1 - 0.05 ** (1 / n)
    assert (upper - lower)[0].item() == pytest.approx(2 * s0 * 5.0)
    p = 2 * one_sided_p(found, -1.0, 1.0).beyond[0].item()
    assert p == pytest.approx((1 - 1.0 / 5.0) ** n)
    assert (p <= 0.05) == (lower[0].item() > 1.0)


@pytest.mark.parametrize("noise", [1e-16, 1e-13, 1e-11])
def test_units_that_differ_by_less_than_a_billionth_of_the_answers_are_alike(noise):
    rng = np.random.default_rng(5)
    control = 1 + rng.uniform(size=50)
    arms = [
        control,
        control + noise * rng.normal(size=50),
        control + rng.normal(size=50),
    ]
    frame = pd.DataFrame(
        {
            "y": np.concatenate(arms),
            "arm": np.repeat(["control", "same", "other"], 50),
            "unit": np.tile(np.arange(50), 3),
        }
    )
    outcomes = cg.from_frame(frame, outcome="y", arm="arm", unit="unit", scale="log2")
    effects = cg.contrast(outcomes, control="control")
    with pytest.warns(DegenerateWarning):
        estimates = cg.estimate(effects)
    same = cg.decide(estimates, rope=(-0.05, 0.05)).sel(contrast="same")
    assert same["exact"].item()
    largest = abs(effects["ice"].sel(contrast="other")).max().item()
    assert same["upper"].item() == pytest.approx((1 - 0.05 ** (1 / 50)) * largest)
    assert same["verdict"].item() == "undecided"


def test_rows_that_answer_alike_without_any_size_known_have_no_verdict():
    found = table(ace=0.0, se=0.0, n_units=50, largest_ice=0.0)
    decided = cg.decide(found, rope=(-1, 1))
    assert decided["verdict"].item() == "undecided"
    assert np.isinf(decided["upper"].item())
    assert decided["p_verdict"].item() == 1


def rows_of(lower, upper, low=-1.0, high=1.0, **p):
    shape = np.shape(lower)
    full = {"p_direction": np.ones(shape), "p_negligible": np.ones(shape)} | p
    return Rows(
        np.asarray(lower, float),
        np.asarray(upper, float),
        full["p_direction"],
        full["p_negligible"],
        np.full(shape, low),
        np.full(shape, high),
        np.full(shape, True),
    )


def test_q_is_benjamini_hochberg_over_the_rows_still_open_to_the_kind():
    rng = np.random.default_rng(5)
    k = 200
    center, half = rng.normal(0, 2, k), rng.uniform(0.05, 0.8, k)
    rows = rows_of(
        center - half,
        center + half,
        p_direction=rng.random(k) ** 3,
        p_negligible=rng.random(k) ** 3,
    )
    found = rule(rows, [np.arange(k)], error="fdr", ci_prob=0.95)
    beyond, inside = rows.above | rows.below, rows.inside
    by_direction, by_negligible = np.ones(k), np.ones(k)
    by_direction[~inside] = stepwise(rows.p_direction[~inside], "bh")
    by_negligible[~beyond] = stepwise(rows.p_negligible[~beyond], "bh")
    assert np.allclose(found.q[beyond], by_direction[beyond])
    assert np.allclose(found.q[inside], by_negligible[inside])
    either = ~beyond & ~inside
    nearer = rows.p_negligible < rows.p_direction
    kinds = np.where(nearer, by_negligible, by_direction)
    assert np.allclose(found.q[either], kinds[either])
    assert (found.verdict[either] == "undecided").all()
    held = found.q <= 0.05
    assert (found.verdict[beyond & held] != "undecided").all()
    assert (found.verdict[~held] == "undecided").all()


def test_easy_negligibles_neither_buy_nor_cost_directions():
    p = np.r_[0.001, 0.02, np.ones(900)]
    center, half = np.r_[2.0, 1.5, np.zeros(900)], 0.3
    many = rows_of(
        center - half,
        center + half,
        p_direction=p,
        p_negligible=np.r_[1, 1, np.full(900, 1e-9)],
    )
    few = rows_of(center[:2] - half, center[:2] + half, p_direction=p[:2])
    both = [
        rule(x, [np.arange(len(x.lower))], error="fdr", ci_prob=0.95)
        for x in (many, few)
    ]
    assert np.allclose(both[0].q[:2], both[1].q)


def test_error_rates_are_holms_and_none():
    rows = rows_of(
        np.array([1.1, 2.0, -0.5]),
        np.array([3.0, 3.0, 0.5]),
        p_direction=np.array([0.04, 0.001, 1.0]),
        p_negligible=np.array([1.0, 1.0, 0.02]),
    )
    members = [np.arange(3)]
    each = rule(rows, members, error="each", ci_prob=0.95)
    assert each.q.tolist() == each.p_verdict.tolist() == [0.04, 0.001, 0.02]
    holm = rule(rows, members, error="fwer", ci_prob=0.95)
    both = np.r_[rows.p_direction, rows.p_negligible]
    expected = stepwise(both, "holm")
    assert np.allclose(holm.q, [expected[0], expected[1], expected[5]])
    assert holm.verdict.tolist() == ["undecided", "increases", "undecided"]


def test_ends_belong_to_the_region():
    rows = rows_of(
        np.array([1.0, -1.0]),
        np.array([2.0, 1.0]),
        p_direction=np.array([0.05, 1.0]),
        p_negligible=np.array([1.0, 0.05]),
    )
    found = rule(rows, [np.arange(2)], error="each", ci_prob=0.95)
    assert found.verdict.tolist() == ["undecided", "negligible"]


def test_rare_effects_enter_as_a_p():
    p = with_rare(np.full(3, 1e-6), np.array([0, 298, 299]), 0.01)
    assert p[0] == 1e-6
    assert p[1] > 0.05 >= p[2]
    assert with_rare(np.full(1, 0.2), np.array([10_000]), 0.01).item() == 0.2
    ask = {"rope": (-1, 1), "rare": 0.01, "shrink": None}
    for k, n in ((1, 299), (29, 634)):
        for more, verdict in ((0, "negligible"), (-1, "undecided")):
            columns = {"ace": np.zeros(k), "se": np.full(k, 0.01)}
            units = np.full(k, n + more)
            alone = np.r_[0.0, np.full(k - 1, 0.9)]  # one of them is near to 0
            columns["ace"] = alone
            columns["se"] = np.r_[0.01, np.full(k - 1, 0.06)]
            found = cg.decide(table(**columns, n_units=units), **ask)
            assert found["verdict"].values[0].item() == verdict, (k, n + more)


def test_more_units_are_as_many_as_rare_effects_need():
    """At 299 of .01 an undecided effect near to zero is negligible: 298 need one more,
    150 need 149.
    """
    for n, more in ((298, -1), (150, 149), (100, 199)):
        found = cg.decide(
            table(ace=[0.0], se=[0.01], n_units=[n]),
            rope=(-1, 1),
            rare=0.01,
            shrink=None,
        )
        assert found["verdict"].item() == "undecided"
        assert found["more_units"].item() == more, n


def test_a_stated_largest_effect_withholds_directions_that_few_units_could_undo():
    rows = rows_of(
        np.array([1.2, 3.0]), np.array([1.4, 3.2]), p_direction=np.full(2, 1e-9)
    )
    n = np.array([50, 50])
    share = (np.array([1.2, 3.0]) - 1) / (np.array([1.2, 3.0]) + 10)
    assert np.allclose(with_largest(rows, n, 10.0), (1 - share) ** n)
    mirrored = rows_of(-rows.upper, -rows.lower, p_direction=np.full(2, 1e-9))
    assert np.allclose(with_largest(mirrored, n, 10.0), (1 - share) ** n)
    assert (with_largest(rows, n, None) == 1e-9).all()
    # no units, no limit by their number
    assert (with_largest(rows, np.zeros(2, int), 10.0) == 1e-9).all()
    found = table(ace=[1.3], se=[0.05], n_units=[50], largest_ice=[4.0])
    assert cg.decide(found, rope=(-1, 1), largest=10.0)["verdict"].item() == "undecided"
    assert cg.decide(found, rope=(-1, 1))["verdict"].item() == "increases"


def test_the_reversal_size_takes_the_limit_back_to_the_end():
    limit, end, s0 = 1.05, 0.1, missed_share_of(300, 0.95)
    size = reversal_size(limit, end, s0)
    assert (1 - s0) * limit + s0 * size == pytest.approx(end)


def thirty(seed=31, n=300, k=30):
    rng = np.random.default_rng(seed)
    se = n**-0.5
    ice = 0.5 * se * rng.normal(size=(1, k)) + rng.normal(size=(n, k))
    base = rng.normal(size=(n, 1))
    return outcomes_of(np.hstack([base, base + ice])), se


@pytest.mark.simulation
def test_a_thirtieth_contrast_changes_hardly_any_verdict():
    """At most .01 of 29 verdicts, where .9 changed when a posterior took over.

    By `cg.decide` alone: that every door gives its verdicts is the next test.
    """
    changed = []
    for seed in range(8):
        outcomes, se = thirty(seed)
        estimates = cg.estimate(cg.contrast(outcomes, control="c"))
        many, few = (
            cg.decide(x, rope=(-2 * se, 2 * se))["verdict"]
            for x in (estimates, estimates.isel(contrast=slice(0, 29)))
        )
        assert many.sizes["contrast"] == few.sizes["contrast"] + 1 == 30
        changed.append((many.sel(contrast=few["contrast"]).values != few.values).mean())
    assert np.mean(changed) <= 0.01


@pytest.mark.parametrize("k", [29, 30])
def test_every_door_gives_the_same_verdicts_to_the_digit(k):
    outcomes, se = thirty(k=k)
    rope = (-se, se)
    one = cg.analyze(outcomes, cg.Analysis(control="c", rope=rope), rng=0)
    effects = cg.contrast(outcomes, control="c")
    others = [cg.decide(cg.estimate(effects), rope=rope), cg.decide(effects, rope=rope)]
    for other in others:
        for name in (
            "verdict",
            "lower",
            "upper",
            "p",
            "p_verdict",
            "q",
            "shrunken",
            "lfsr",
        ):
            assert np.array_equal(one[name].values, other[name].values), name


def test_one_probability_moves_intervals_and_error_rates():
    outcomes, _ = thirty()
    ask = cg.Analysis(control="c", rope=0, ci_prob=0.8)
    found = cg.analyze(outcomes, ask, rng=0)
    assert found.attrs["ci_prob"] == 0.8
    estimates = cg.estimate(cg.contrast(outcomes, control="c"), ci_prob=0.8)
    assert np.array_equal(found["lower"].values, estimates["lower"].values)
    decided = cg.decide(estimates, rope=0)
    assert decided.attrs["ci_prob"] == 0.8
    held = found["q"].values <= 0.2 * (1 + 1e-9)
    assert ((found["verdict"].values != "undecided") == held).all()


def test_a_family_is_the_whole_table_unless_it_is_divided():
    ace = np.array([[0.5, 3.0], [0.1, 4.0], [0.4, 3.5]])
    dims = xr.Dataset(
        {"ace": (DIMS, ace), "se": (DIMS, np.full((3, 2), 0.2))},
        coords={"contrast": ["a", "b", "c"], "task": ["K562", "HepG2"]},
    )
    dims = dims.assign_coords(motif=("contrast", ["x", "x", "y"]))
    found = {
        f: cg.decide(dims, rope=0, family=f, shrink=None)["q"].values
        for f in (None, "task", "motif")
    }
    p = cg.decide(dims, rope=0, error="each")["p"].values
    assert np.allclose(found[None], stepwise(p.ravel(), "bh").reshape(p.shape))
    for t in (0, 1):
        assert np.allclose(found["task"][:, t], stepwise(p[:, t], "bh"))
    assert np.allclose(found["motif"][:2].ravel(), stepwise(p[:2].ravel(), "bh"))


def test_a_posterior_decides_where_the_own_interval_lies_as_well():
    rng = np.random.default_rng(8)
    true = np.r_[np.zeros(40), np.full(20, 2.0)]
    estimates = cg.from_effects(true + 0.3 * rng.normal(size=60), se=0.3)
    own = cg.decide(estimates, rope=(-1, 1), error="each", shrink=None)
    by_law = cg.decide(cg.infer(estimates, rng=0), rope=(-1, 1))
    for name in ("ace", "lower", "upper"):
        assert np.array_equal(own[name].values, by_law[name].values)
    decided = by_law["verdict"].values != "undecided"
    assert (by_law["verdict"].values[decided] == own["verdict"].values[decided]).all()
    assert (by_law["q"].values[decided] <= 0.05).all()
    assert decided.sum() >= 45
    shrunken = np.abs(by_law["shrunken"] - by_law["ace"])
    assert float(shrunken.max()) > 0.05


def test_too_few_effects_show_no_law_that_could_decide():
    nine = cg.from_effects(np.arange(9.0), se=0.3)
    assert "shrunken" not in cg.decide(nine, rope=(-1, 1))
    ten = cg.decide(cg.from_effects(np.arange(10.0), se=0.3), rope=(-1, 1))
    assert np.isfinite(ten["shrunken"].values).all()


def units_of(law, rng, shape):
    """Draw individual deviations of mean 0 by their law."""
    if law == "normal":
        return rng.normal(size=shape)
    return rng.standard_t(3, shape) if law == "t3" else rng.exponential(size=shape) - 1


@pytest.mark.simulation
@pytest.mark.parametrize("law", ["normal", "t3", "exponential"])
@pytest.mark.parametrize("where", ["on the ends", "just outside", "zeros and ends"])
def test_false_verdicts_are_rare_and_true_ones_found(law, where):
    """FDR of directions and of negligibles at most .05; effects of 5 ends are found.

    Each trial is a family of 40 rows of one table.
    """
    rng, n, k, trials = np.random.default_rng(9), 100, 40, 600
    half = 3 * (np.sqrt(3) if law == "t3" else 1.0) / np.sqrt(n)
    true = np.full((trials, k), half)
    if where == "just outside":
        true *= 1.02
    if where == "zeros and ends":
        true = rng.choice([0.0, half, 5 * half], (trials, k))
    ice = units_of(law, rng, (n, trials * k)) + true.ravel()
    found = cg.estimate(
        xr.Dataset({"ice": (("unit", *DIMS), ice[:, :, None])}).assign_coords(
            trial=("contrast", np.repeat(np.arange(trials), k))
        )
    )
    decided = cg.decide(found, rope=(-half, half), family="trial", shrink=None)
    verdict = decided["verdict"].values.reshape(trials, k)
    directed = np.isin(verdict, ["increases", "decreases"])
    negligible = verdict == "negligible"
    for said, false in (
        (directed, np.abs(true) <= half * (1 + 1e-9)),
        (negligible, np.abs(true) > half),
    ):
        share = (said & false).sum(axis=1) / np.maximum(said.sum(axis=1), 1)
        assert share.mean() <= 0.05 + 3 * np.sqrt(0.05 / trials)
    large = true > 4 * half
    assert large.any() == (where == "zeros and ends")
    assert (verdict[large] != "increases").sum() <= 0.01 * large.sum()
