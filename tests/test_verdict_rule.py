# Imports from the inside: the rule of verdicts on arrays, proved against brute force.
"""The one rule of verdicts: intervals and p-values that agree, q within a kind,
outcomes of two values, small arms, rows that answer alike, effects that were missed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import sparse, stats
from statsmodels.stats.proportion import confint_proportions_2indep

import causalgia as cg
from causalgia.effects.two_values import count_two_values
from causalgia.estimation.effect_intervals import (
    effect_limits,
    missed_share_of,
    one_sided_p,
)
from causalgia.estimation.proportions import Proportions
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.numerics.moments import transformed, untransformed
from causalgia.verdicts.verdict_rule import (
    Rows,
    reversal_size,
    rule,
    with_largest,
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


def proportions_of(y, w):
    """Return the effect and its proportions, from 0/1 outcomes (n, m), NaN for none."""
    y = np.asarray(y, float)
    found = count_two_values(
        y[:, :, None], lambda: iter([y[:, :, None]]), sparse.csr_array([w])
    )
    table_of = xr.Dataset(found.columns(DIMS)).assign(
        ace=(DIMS, [[np.nanmean(y, axis=0) @ np.asarray(w)]])
    )
    return table_of["ace"].values, Proportions.of(table_of)


def test_counts_have_one_shape_whatever_the_outcomes_show_and_leave_out_long_sums():
    w = np.zeros((3, 200))
    w[0, :2], w[1, :4], w[2] = (1, -1), (1, -1, -1, 1), 1 / 200
    rng = np.random.default_rng(0)
    shapes = set()
    for two_valued in (2, 4, 200):
        y = rng.normal(size=(30, 200, 1))
        y[:, :two_valued] = rng.integers(0, 2, (30, two_valued, 1))
        found = count_two_values(y, lambda y=y: iter([y]), sparse.csr_array(w))
        shapes.add(found.counts.shape)
        assert not found.counts[2].any()
        assert found.counts[0].any()
    assert shapes == {(3, 1, 4, 4, 4)}


@pytest.mark.parametrize(
    ("a", "m", "b", "n"),
    [(1, 5, 0, 9), (0, 15, 0, 60), (8, 20, 8, 200), (40, 40, 33, 41)],
)
def test_limits_of_two_independent_arms_are_newcombes(a, m, b, n):
    y = np.full((m + n, 2), np.nan)
    y[:m, 0], y[m:, 1] = np.arange(m) < a, np.arange(n) < b
    ace, found = proportions_of(y, [1.0, -1.0])
    lower, upper = found.limits(ace, 0.95)
    expected = confint_proportions_2indep(a, m, b, n, method="newcomb")
    assert (lower.item(), upper.item()) == pytest.approx(expected, abs=1e-12)


def by_hand(y, w, z):
    """Return MOVER limits of a weighted sum of proportions, arm by arm."""
    sides = []
    for side in (-1, 1):
        m = []
        for a, weight in enumerate(w):
            have = y[np.isfinite(y[:, a]), a]
            n, p = len(have), have.mean()
            middle = (p + z**2 / 2 / n) / (1 + z**2 / n)
            half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
            to = middle + half if side * weight > 0 else middle - half
            m.append(abs(weight * (to - p)))
        total = 0.0
        for a in range(len(w)):
            for b in range(len(w)):
                r = 1.0
                if a != b:
                    both = np.isfinite(y[:, [a, b]]).all(axis=1)
                    x = y[both]
                    cells = np.array(
                        [
                            ((x[:, a] == i) & (x[:, b] == j)).sum()
                            for i in (1, 0)
                            for j in (1, 0)
                        ]
                    )
                    cells = cells + np.array([0, z**2 / 2, z**2 / 2, 0])
                    t, u, v, o = cells
                    phi = (t * o - u * v) / np.sqrt(
                        (t + u) * (v + o) * (t + v) * (u + o)
                    )
                    sizes = [np.isfinite(y[:, i]).sum() for i in (a, b)]
                    r = (
                        phi * both.sum() / np.sqrt(np.prod(sizes))
                        if both.any()
                        else 0.0
                    )
                total += np.sign(w[a] * w[b]) * r * m[a] * m[b]
        sides.append(np.nanmean(y, axis=0) @ w + side * np.sqrt(max(total, 0)))
    return tuple(sides)


@pytest.mark.parametrize(
    "w", [(1, -1), (1, -0.5, -0.5), (1, -1, -1, 1), (1, *[-0.1] * 10)]
)
@pytest.mark.parametrize("gaps", [False, True])
def test_limits_by_arm_combined_are_the_formula_and_invert_their_p(w, gaps):
    rng, w = np.random.default_rng(3), np.array(w, float)
    y = (rng.random((40, len(w))) < rng.uniform(0.02, 0.6, len(w))).astype(float)
    y[:2] = [[1.0], [0.0]]
    if gaps:
        y[rng.random(y.shape) < 0.2] = np.nan
    ace, found = proportions_of(y, w)
    z = stats.norm.ppf(0.975)
    lower, upper = found.limits(ace, 0.95)
    assert (lower.item(), upper.item()) == pytest.approx(by_hand(y, w, z), abs=1e-12)
    assert found.one_sided_p(ace, lower, 1).item() == pytest.approx(0.025, abs=1e-9)
    assert found.one_sided_p(ace, upper, -1).item() == pytest.approx(0.025, abs=1e-9)
    beyond = found.one_sided_p(ace, ace - 0.2, 1) + found.one_sided_p(
        ace, ace - 0.2, -1
    )
    assert beyond.item() == pytest.approx(1.0)


@pytest.mark.parametrize("coding", [(0, 1), (0, 100), (1, 2), (-3.0, 1e-3)])
@pytest.mark.parametrize("layout", ["crossed", "gaps", "parallel"])
def test_the_coding_of_two_values_is_irrelevant(coding, layout):
    low, high = coding
    y = np.zeros((60, 2))
    y[:7, 1] = y[3:5, 0] = 1
    if layout == "gaps":
        y[50:55, 0] = np.nan
    if layout == "parallel":
        y[:30, 0], y[30:, 1] = np.nan, np.nan
    rng = np.random.default_rng(0)

    def told(y):
        rows = pd.DataFrame(y, columns=["c", "w"]).reset_index().melt("index")
        outcomes = cg.from_frame(
            rows.dropna(), outcome="value", arm="variable", unit="index", scale="log2"
        )
        return cg.decide(cg.estimate(cg.contrast(outcomes, control="c")), rope=0)

    one, other = told(y), told(low + (high - low) * y)
    jittered = told(y + 1e-8 * rng.normal(size=y.shape))
    assert other["p"].item() == pytest.approx(one["p"].item(), rel=1e-6)
    assert jittered["p"].item() == pytest.approx(one["p"].item(), rel=1e-5)
    assert other["lower"].item() == pytest.approx(
        (high - low) * one["lower"].item(), rel=1e-6
    )


def test_three_of_a_hundred_decide_no_direction():
    y = np.zeros((100, 2))
    y[:3, 1] = 1
    estimates = cg.estimate(cg.contrast(outcomes_of(y), control="c"))
    assert estimates["p"].item() > 0.05
    assert estimates["lower"].item() < 0 < estimates["upper"].item()
    assert cg.decide(estimates, rope=0)["verdict"].item() == "undecided"


@pytest.mark.parametrize(("share", "n"), [(0.02, 100), (0.1, 40)])
def test_no_more_directions_of_rare_pairs_than_the_level(share, n):
    """0/1 data of both arms alike: 2 % at n = 100 made .177 false by Hall's t alone."""
    rng = np.random.default_rng(4)
    y = (rng.random((2, 2000, n)) < share).astype(float)
    frame = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), np.moveaxis(y, (0, 1, 2), (1, 2, 0)))},
        {
            "unit": np.arange(n),
            "arm": ["c", "w"],
            "task": [f"t{i}" for i in range(2000)],
        },
        {"scale": "log2"},
    )
    with pytest.warns(cg.errors.DegenerateWarning):
        found = cg.estimate(cg.contrast(frame, control="c"))
    assert (found["p"].values <= 0.05).mean() <= 0.05


def test_independent_arms_also_have_the_t_of_their_pooled_variance():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 3, 30), rng.normal(0.5, 0.2, 6)
    rows = pd.DataFrame(
        {"y": np.r_[a, b], "arm": ["c"] * 30 + ["w"] * 6, "unit": np.arange(36)}
    )
    outcomes = cg.from_frame(rows, outcome="y", arm="arm", unit="unit", scale="log2")
    found = cg.estimate(cg.contrast(outcomes, control="c"))
    pooled = stats.ttest_ind(b, a).confidence_interval()
    assert found["lower"].item() == pytest.approx(pooled.low)
    assert found["upper"].item() == pytest.approx(pooled.high)
    welch = stats.ttest_ind(b, a, equal_var=False)
    assert found["se"].item() == pytest.approx(
        abs(found["ace"] / welch.statistic).item()
    )
    assert found["df"].item() == pytest.approx(welch.df)
    assert found["n_smallest_arm"].item() == 6


@pytest.mark.filterwarnings("ignore:2 of 2 contrasts do not vary")
@pytest.mark.parametrize("jitter", [0, 1e-12, 1e-8, 1e-3])
def test_units_that_answer_alike_have_one_verdict_whatever_the_rounding(jitter):
    rng = np.random.default_rng(5)
    control = rng.normal(size=(60, 1))
    effect = np.array([0.0, 1.0]) + jitter * rng.normal(size=(60, 2))
    outcomes = outcomes_of(np.hstack([control, control + effect]))
    found = cg.decide(cg.estimate(cg.contrast(outcomes, control="c")), rope=(-0.2, 0.2))
    assert found["verdict"].values.ravel().tolist() == ["negligible", "increases"]
    width = (found["upper"] - found["lower"]).max().item()
    assert width <= 2 * jitter
    s0 = 1 - 0.05 ** (1 / 60)
    size = found["reversal"].values.ravel()
    assert np.abs(size) == pytest.approx([0.2 / s0, 0.8 / s0 - 1], rel=0.05)


def rows_of(lower, upper, low=-1.0, high=1.0, **p):
    shape = np.shape(lower)
    names = ("p_direction", "p_negligible", "needed_direction", "needed_negligible")
    full = {name: np.ones(shape) for name in names} | p
    for name in names[2:]:
        if name not in p:
            full[name] = full[name.replace("needed", "p")] / 2
    return Rows(
        np.asarray(lower, float),
        np.asarray(upper, float),
        *(full[name] for name in names),
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
    by_direction[~inside] = stepwise(rows.needed_direction[~inside], "bh")
    by_negligible[~beyond] = stepwise(rows.needed_negligible[~beyond], "bh")
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
        p_negligible=np.array([1.0, 1.0, 0.03]),
    )
    members = [np.arange(3)]
    each = rule(rows, members, error="each", ci_prob=0.95)
    assert each.q.tolist() == each.p_verdict.tolist() == [0.04, 0.001, 0.03]
    holm = rule(rows, members, error="fwer", ci_prob=0.95)
    both = np.r_[rows.needed_direction, rows.needed_negligible]
    expected = stepwise(both, "holm")
    assert np.allclose(holm.q, [expected[0], expected[1], expected[5]])
    assert holm.verdict.tolist() == ["undecided", "increases", "undecided"]


@pytest.mark.parametrize("error", ["fdr", "fwer", "each"])
@pytest.mark.parametrize("rope", [0, (-1, 1), (-np.inf, 1), (-0.1, np.inf)])
def test_of_one_row_the_interval_is_all(error, rope):
    for ace in np.linspace(-3, 3, 61):
        one = cg.from_effects([ace], se=[0.4], df=[12])
        found = cg.decide(one, rope=rope, error=error, shrink=None)
        low, high = (0.0, 0.0) if rope == 0 else rope
        lower, upper = found["lower"].item(), found["upper"].item()
        where = "increases" if lower > high else "decreases" if upper < low else ""
        where = where or (
            "negligible" if low <= lower and upper <= high else "undecided"
        )
        assert found["verdict"].item() == where
        by_p = found["p_verdict"].item() <= 0.05
        assert by_p == (where != "undecided")


def test_at_rope_0_q_is_rs_p_adjust():
    p = np.random.default_rng(0).beta(0.4, 2, 40)
    ace = stats.norm.isf(p / 2)
    for error, method in (("fdr", "bh"), ("fwer", "holm")):
        found = cg.decide(
            cg.from_effects(ace, se=np.ones(40)), rope=0, error=error, shrink=None
        )
        assert np.allclose(found["q"].values.ravel(), stepwise(p, method), atol=1e-12)


def test_p_of_a_direction_counts_both_ends_of_a_narrow_region():
    """Twice one side at 0, one side where the region is wide."""
    for half, factor in ((1e-9, 2.0), (5.0, 1.0)):
        rows = cg.decide(
            cg.from_effects([half + 2.5], se=[1.0]), rope=(-half, half), shrink=None
        )
        assert rows["p_verdict"].item() == pytest.approx(
            2 * stats.norm.sf(2.5), rel=1e-6
        )
        assert rows["q"].item() == pytest.approx(factor * stats.norm.sf(2.5), rel=1e-6)


def test_ends_belong_to_the_region():
    rows = rows_of(
        np.array([1.0, -1.0]),
        np.array([2.0, 1.0]),
        p_direction=np.array([0.05, 1.0]),
        p_negligible=np.array([1.0, 0.05]),
    )
    found = rule(rows, [np.arange(2)], error="each", ci_prob=0.95)
    assert found.verdict.tolist() == ["undecided", "negligible"]


def test_a_stated_largest_effect_withholds_verdicts_that_few_units_could_undo():
    limits = np.array([1.2, 3.0, -0.3]), np.array([1.4, 3.2, 0.5])
    names = ("p_direction", "p_negligible", "needed_direction", "needed_negligible")
    rows = rows_of(*limits, **{name: np.full(3, 1e-9) for name in names})
    n = np.array([50, 50, 50])
    of_direction = (limits[0][:2] - 1) / (limits[0][:2] + 10)
    inside = (1 - limits[1][2]) / (10 - limits[1][2])  # the nearer end
    found = with_largest(rows, n, 10.0)
    for name in ("p_direction", "needed_direction"):
        assert np.allclose(getattr(found, name), [*(1 - of_direction) ** 50, 1e-9])
    for name in ("p_negligible", "needed_negligible"):
        assert np.allclose(getattr(found, name), [1e-9, 1e-9, (1 - inside) ** 50])
    mirrored = rows_of(
        -rows.upper, -rows.lower, **{name: np.full(3, 1e-9) for name in names}
    )
    assert np.allclose(with_largest(mirrored, n, 10.0).p_direction, found.p_direction)
    # no units, no limit by their number
    unknown = with_largest(rows, np.zeros(3, int), 10.0)
    assert (unknown.p_direction == 1e-9).all()
    one = table(ace=[1.3], se=[0.05], n_units=[50], largest_ice=[4.0])
    one = one.assign_coords(task=["K562"])
    for largest in (10.0, {"K562": 10.0}):
        asked = cg.decide(one, rope=(-1, 1), largest=largest)
        assert asked["verdict"].item() == "undecided"
    assert cg.decide(one, rope=(-1, 1))["verdict"].item() == "increases"
    for largest in (3.0, {"K562": 3.0}, {"HepG2": 10.0}):
        with pytest.raises(cg.errors.EstimateError):
            cg.decide(one, rope=(-1, 1), largest=largest)


@pytest.mark.parametrize(
    ("lower", "upper", "end"),
    [(1.2, 1.4, 1.0), (-1.4, -1.2, -1.0), (0.1, 0.7, 1.0), (-0.7, -0.1, -1.0)],
)
def test_the_reversal_size_takes_the_limit_back_to_the_end(lower, upper, end):
    s0 = missed_share_of(300, 0.95)
    size = reversal_size(rows_of(np.array([lower]), np.array([upper])), s0).item()
    limit = lower if abs(lower - end) < abs(upper - end) else upper
    if abs(end) > abs(limit):  # of a negligible the effect comes on top
        assert limit + s0 * (size - limit) == pytest.approx(end)
    else:
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
    one = cg.analyze(outcomes, cg.Analysis(control="c", rope=rope))
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
    found = cg.analyze(outcomes, ask)
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
