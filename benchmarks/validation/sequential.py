"""Trials that stop themselves: false verdicts over all looks, intervals where they
stopped, and what a verdict costs.

An effect lies on the bound of the ROPE, so that every verdict on it is false, whichever
it is. `verdicts` is `causalgia.Decided` for many trials at once, by sums between looks;
``tests/test_stopping.py`` holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from causalgia.numerics.moments import skewness as skewness_of
from causalgia.stopping import Decided
from causalgia.stopping._confidence_sequence import (
    least_clusters,
    sequence_critical,
    unseen_share,
)
from validation.binomial_bands import Row
from validation.checks import Check
from validation.draws import Draw, Rng, exponential, lognormal, normal

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto" / "plan_and_stop.md"
BEGIN, END = (
    "<!-- begin: written by benchmarks/validate.py -->",
    "<!-- end: written by benchmarks/validate.py -->",
)

Trials = Callable[[Rng, int], np.ndarray]
Array = np.ndarray
Limits = Callable[["Interim"], tuple[Array, Array, Array]]
MOST = 4_000
LEVEL = 0.95


def confidence_sequence(
    mean: Array,
    sd: Array,
    n: Array,
    *,
    ci_prob: float,
    min_clusters: float,
    unseen: Array,
) -> tuple[Array, Array]:
    """Return limits of means that hold at all looks from `min_clusters` on: ``mean -+
    (sd / sqrt(n) c(n) + unseen)``, with c the critical value of the package.
    """
    critical = sequence_critical(n, alpha=1 - ci_prob, min_clusters=min_clusters)
    half = sd / np.sqrt(n) * critical + unseen
    return mean - half, mean + half


@dataclass(frozen=True)
class Interim:
    """Estimates at every look: ``mean, sd, skewness, largest`` (look, trial, contrast),
    and ``n`` (look, 1, 1).
    """

    mean: Array
    sd: Array
    skewness: Array
    largest: Array
    n: Array


def interim(ice: Array, looks: Sequence[int]) -> Interim:
    """Return the estimates of the first n units of each trial at every look; ICE (unit,
    trial, contrast).
    """
    first = np.concatenate([[0], np.asarray(looks)[:-1]])
    n = np.asarray(looks).reshape(-1, 1, 1)
    shift = ice[:1]
    x = ice - shift  # a constant effect has no spread, without rounding
    m1, m2, m3 = (
        np.cumsum(np.add.reduceat(x**k, first, axis=0), axis=0) / n for k in (1, 2, 3)
    )
    variance = np.maximum(m2 - m1**2, 0.0)
    spread = np.where(variance > 0, variance, 1.0) ** 1.5
    return Interim(
        mean=shift + m1,
        sd=np.sqrt(variance * n / (n - 1)),
        skewness=np.where(variance > 0, (m3 - 3 * m1 * m2 + 2 * m1**3) / spread, 0.0),
        largest=np.maximum.accumulate(
            np.maximum.reduceat(np.abs(ice), first, axis=0), axis=0
        ),
        n=n,
    )


def by_rule(rule: Decided, *, unseen: bool = True) -> Limits:
    """Return the intervals of a rule and whether each look counts; without `unseen`,
    not widened by what backgrounds that were not drawn could add.
    """

    def limits(now: Interim) -> tuple[Array, Array, Array]:
        alpha = (1 - rule.ci_prob) / now.mean.shape[-1]
        start = rule.min_clusters
        largest = np.maximum(
            now.largest.max(axis=-1, keepdims=True), rule.largest or 0.0
        )
        more = unseen_share(now.n, alpha=alpha) * largest if unseen else 0.0
        n = np.maximum(now.n, start)  # the clock, whose first looks do not count
        lower, upper = confidence_sequence(
            now.mean,
            now.sd * np.sqrt(n / now.n),
            n,
            ci_prob=1 - alpha,
            min_clusters=start,
            unseen=more,
        )
        return (
            lower,
            upper,
            now.n >= np.ceil(least_clusters(now.skewness, min_clusters=start)),
        )

    return limits


def by_t(now: Interim) -> tuple[Array, Array, Array]:
    """Return the t intervals of one look, repeated at every look."""
    half = now.sd / np.sqrt(now.n) * stats.t.ppf(0.5 + LEVEL / 2, now.n - 1)
    return now.mean - half, now.mean + half, now.n >= 100


@dataclass(frozen=True)
class Verdicts:
    """The look at which each trial ended, whether it was decided, and the intervals
    there (trial, contrast).
    """

    look: Array
    stopped: Array
    lower: Array
    upper: Array


def verdicts(
    ice: Array, rope: tuple[float, float], limits: Limits, looks: Sequence[int]
) -> Verdicts:
    """Return where each trial stops: the first look that counts at which every contrast
    is clear of the ROPE's ends.
    """
    lower, upper, counts = limits(interim(ice, looks))
    return ended(lower, upper, counts.all(axis=-1), rope)


def ended(
    lower: Array, upper: Array, counts: Array, rope: tuple[float, float]
) -> Verdicts:
    """Return where each trial stops, from the intervals (look, trial, contrast) and
    which looks count.
    """
    low, high = rope
    clear = (lower > high) | (upper < low) | ((lower > low) & (upper < high))
    stop = counts & clear.all(axis=-1)
    stopped = stop.any(axis=0)
    look = np.where(stopped, stop.argmax(axis=0), len(stop) - 1)
    trial = np.arange(len(look))
    return Verdicts(look, stopped, lower[look, trial], upper[look, trial])


# what is counted


@dataclass(frozen=True)
class Setting:
    """Effects of the units with mean `truth`, on the upper end of the ROPE: every
    verdict on them is false.
    """

    draw: Draw
    truth: float
    rope: tuple[float, float]
    n_contrasts: int = 1


def on_the_bound(draw: Draw, sd: float, *, n_contrasts: int = 1) -> Setting:
    """Return effects of mean 0.3 sd; the ROPE is 0.3 sd to either side."""
    bound = 0.3 * sd
    return Setting(
        lambda rng, shape: draw(rng, shape) + bound, bound, (-bound, bound), n_contrasts
    )


def on_few(share: float, *, noise: float = 0.0, n_contrasts: int = 1) -> Setting:
    """Return effects of 1 on a share of the backgrounds, and hardly any on the others;
    the ROPE ends at their mean.
    """

    def draw(rng: Rng, shape: tuple[int, ...]) -> Array:
        ice = (rng.random(shape) < share).astype(float)
        return ice + noise * normal(rng, shape) if noise else ice

    return Setting(draw, share, (-share, share), n_contrasts)


def on_few_of_any_size(share: float, *, noise: float) -> Setting:
    """Return effects of exponential size on a share of the backgrounds: large ones are
    on fewer than that share.
    """

    def draw(rng: Rng, shape: tuple[int, ...]) -> Array:
        return (rng.random(shape) < share) * rng.standard_exponential(
            shape
        ) + noise * normal(rng, shape)

    return Setting(draw, share, (-share, share))


def one_of_five(share: float) -> Setting:
    """Return one effect on few backgrounds, on the bound, and four that are none."""

    def draw(rng: Rng, shape: tuple[int, ...]) -> Array:
        ice = np.zeros(shape)
        ice[..., 0] = rng.random(shape[:-1]) < share
        return ice

    return Setting(draw, share, (-share, share), 5)


def at_zero(draw: Draw) -> Setting:
    """Return effects of mean 0, of which the direction alone is asked."""
    return Setting(draw, 0.0, (0.0, 0.0))


def centered(share: float) -> Draw:
    """Return effects that are 1 on a share of the backgrounds, less their mean."""
    return lambda rng, shape: (rng.random(shape) < share) - share


def false_verdicts(setting: Setting, limits: Limits, looks: Sequence[int]) -> Trials:
    """Whether a trial stops, with a verdict that is false."""
    return lambda rng, n_trials: np.concatenate(
        [found.stopped for found in _ended(setting, limits, looks, rng, n_trials)]
    )


def covered(setting: Setting, limits: Limits, looks: Sequence[int]) -> Trials:
    """Whether the interval that a trial reports, of the look at which it ended, holds
    the effect.
    """

    def trials(rng: Rng, n_trials: int) -> Array:
        found = _ended(setting, limits, looks, rng, n_trials)
        return np.concatenate(
            [
                ((f.lower <= setting.truth) & (setting.truth <= f.upper)).all(axis=-1)
                for f in found
            ]
        )

    return trials


def units(setting: Setting, limits: Limits, looks: Sequence[int]) -> Trials:
    """How many units a trial takes."""

    def trials(rng: Rng, n_trials: int) -> Array:
        found = _ended(setting, limits, looks, rng, n_trials)
        return np.concatenate([np.asarray(looks)[f.look].astype(float) for f in found])

    return trials


def _ended(
    setting: Setting, limits: Limits, looks: Sequence[int], rng: Rng, n_trials: int
) -> list[Verdicts]:
    size = max(200 // setting.n_contrasts, 1)
    sizes = [min(size, n_trials - at) for at in range(0, n_trials, size)]
    shapes = [(MOST, n, setting.n_contrasts) for n in sizes]
    return [
        verdicts(setting.draw(rng, shape), setting.rope, limits, looks)
        for shape in shapes
    ]


def of_parents(draw: Draw, *, n_parents: int, by_unit: bool) -> Trials:
    """Units of parents in turn, the effect of mean 0, its direction asked: whether a
    trial stops, which is false.
    """
    rule = Decided(rope=0)
    looks = rule.schedule(MOST)

    def trials(rng: Rng, n_trials: int) -> Array:
        out = []
        for at in range(0, n_trials, 100):
            size = min(100, n_trials - at)
            parent = draw(rng, (n_parents, size))
            ice = parent[np.arange(MOST) % n_parents] + 0.5 * normal(rng, (MOST, size))
            if by_unit:
                out.append(
                    verdicts(ice[:, :, None], (0.0, 0.0), by_rule(rule), looks).stopped
                )
                continue
            found = [clustered_limits(ice[:n], n_parents, rule) for n in looks]
            lower, upper, counts = (np.array(part) for part in zip(*found, strict=True))
            out.append(
                ended(lower[..., None], upper[..., None], counts, (0.0, 0.0)).stopped
            )
        return np.concatenate(out)

    return trials


def clustered_limits(
    ice: Array, n_parents: int, rule: Decided
) -> tuple[Array, Array, Array]:
    """Return the rule's interval for units (unit, trial) of parents in turn, and
    whether the look counts.
    """
    n, alpha = len(ice), 1 - rule.ci_prob
    sums = np.zeros((min(n_parents, n), ice.shape[1]))
    sizes = np.zeros(len(sums))
    for first in range(0, n, n_parents):
        turn = ice[first : first + n_parents]
        sums[: len(turn)] += turn
        sizes[: len(turn)] += 1
    mean, groups = ice.mean(axis=0), len(sums)
    residuals = sums - sizes[:, None] * mean
    se = np.sqrt((residuals**2 / (1 - sizes / n)[:, None]).sum(axis=0)) / n  # CR2
    start = rule.min_clusters
    clock = max(n / min(start, n), 1.0) * start
    largest = np.maximum(np.abs(ice).max(axis=0), np.abs(sums).max(axis=0) * groups / n)
    unseen = unseen_share(groups, alpha=alpha) * largest
    lower, upper = confidence_sequence(
        mean,
        se * np.sqrt(clock),
        clock,
        ci_prob=1 - alpha,
        min_clusters=start,
        unseen=unseen,
    )
    return (
        lower,
        upper,
        groups >= np.ceil(least_clusters(skewness_of(residuals), min_clusters=start)),
    )


# the rows

RULE = Decided(rope=0, ci_prob=LEVEL)
FROM_100 = Decided(rope=0, ci_prob=LEVEL, min_clusters=100)
LOOKS, EARLY = RULE.schedule(MOST), FROM_100.schedule(MOST)
LOGNORMAL_SD = 2.1612
ON_THE_BOUND: dict[str, Setting] = {
    "normal": on_the_bound(normal, 1.0),
    "exponential": on_the_bound(exponential, 1.0),
    "lognormal": on_the_bound(lognormal, LOGNORMAL_SD),
    **{
        f"on {100 * share:g} % of backgrounds": on_few(share)
        for share in (0.005, 0.01, 0.02, 0.03, 0.1)
    },
}
METHODS: dict[str, tuple[Limits, Sequence[int]]] = {
    "95 % interval at each look": (by_t, EARLY),
    "sequence from 100 clusters": (by_rule(FROM_100, unseen=False), EARLY),
    "Decided": (by_rule(RULE), LOOKS),
}
_BELOW = "on 0.5 % of backgrounds"
_SHOWN_FAILING = (_BELOW, "on 1 % of backgrounds", "on 2 % of backgrounds")

_FALSE = (
    "Stopping once verdicts are clear: false verdicts on an effect at the bound of the "
    "ROPE, up to 4,000 units"
)
_MORE = (
    "Stopping once verdicts are clear: several effects, shared parents, directions, "
    "and the reported interval"
)
_COST = (
    "Stopping once verdicts are clear: mean number of units where the effect is truly "
    "negligible"
)


def _claim(method: str, law: str) -> str:
    if method == "Decided":
        return "reported" if law == _BELOW else "at most"
    if method == "sequence from 100 clusters":
        return "fails" if law in _SHOWN_FAILING else "reported"
    return "fails"


def name_of(law: str, method: str) -> str:
    """Return the name of the row of one law of effects and one method."""
    return f"{method}, {law}"


def _false(section: str, name: str, setting: Setting) -> Check:
    return Check(
        section,
        name,
        false_verdicts(setting, by_rule(RULE), LOOKS),
        1 - LEVEL,
        "at most",
        quick=400,
    )


NEGLIGIBLE = {
    f"ROPE {width:g} sd": Setting(normal, 0.0, (-width, width)) for width in (0.4, 0.15)
}
NEGLIGIBLE["no effect on any background"] = Setting(
    lambda _, shape: np.zeros(shape), 0.0, (-0.1, 0.1)
)

CHECKS = [
    *(
        Check(
            _FALSE, name_of(law, method), false_verdicts(setting, *how), 1 - LEVEL, _claim(method, law), quick=400
        )
        for law, setting in ON_THE_BOUND.items()
        for method, how in METHODS.items()
    ),
    *(
        _false(_FALSE, f"Decided, on {100 * share:g} % of backgrounds, others vary by 0.05", on_few(share, noise=0.05))
        for share in (0.01, 0.015, 0.02)
    ),
    Check(
        _FALSE,
        "Decided, on 1 % of backgrounds of exponential size, others vary by 0.03",
        false_verdicts(on_few_of_any_size(0.01, noise=0.03), by_rule(RULE), LOOKS),
        1 - LEVEL,
        "reported",
        quick=400,
    ),
    Check(
        _FALSE,
        "Decided(largest=4), on 1 % of backgrounds of exponential size, others vary by "
        "0.03",
        false_verdicts(on_few_of_any_size(0.01, noise=0.03), by_rule(Decided(rope=0, largest=4)), LOOKS),
        1 - LEVEL,
        "at most",
        quick=400,
    ),
    *(
        _false(_MORE, f"five effects, each {name}: any false verdict", setting)
        for name, setting in {
            "normal": on_the_bound(normal, 1.0, n_contrasts=5),
            "lognormal": on_the_bound(lognormal, LOGNORMAL_SD, n_contrasts=5),
        }.items()
    ),
    _false(_MORE, "five effects, one on 1 % of backgrounds, four zero: any false verdict", one_of_five(0.01)),
    Check(
        _MORE,
        "five effects, each lognormal: all reported intervals cover",
        covered(on_the_bound(lognormal, LOGNORMAL_SD, n_contrasts=5), by_rule(RULE), LOOKS),
        LEVEL,
        "at least",
        quick=200,
    ),
    *(
        _false(_MORE, f"directions only, {name}: false verdicts", at_zero(draw))
        for name, draw in {
            "normal": normal,
            "exponential": exponential,
            "lognormal": lognormal,
            "on 1 % of backgrounds": centered(0.01),
            "on 3 % of backgrounds": centered(0.03),
        }.items()
    ),
    *(
        Check(
            _MORE, f"400 parents in turn, {name}: false verdicts", of_parents(draw, n_parents=400, by_unit=False),
            1 - LEVEL, "at most", full=5_000, quick=200,
        )
        for name, draw in {"normal": normal, "exponential": exponential}.items()
    ),
    Check(
        _MORE, "400 parents in turn, counted by unit and not by parent: false verdicts",
        of_parents(normal, n_parents=400, by_unit=True),
        1 - LEVEL, "fails", full=5_000, quick=200,
    ),
    *(
        Check(
            _MORE, f"reported interval, {law}: coverage", covered(ON_THE_BOUND[law], by_rule(RULE), LOOKS),
            LEVEL, "at least", quick=400,
        )
        for law in ("normal", "exponential", "lognormal", "on 1 % of backgrounds", "on 3 % of backgrounds")
    ),
    *(
        Check(_COST, f"{method}, {name}: units", units(setting, *METHODS[method]), 0.0, "reported", 2_000, 100)
        for name, setting in NEGLIGIBLE.items()
        for method in METHODS
    ),
]  # fmt: skip


# the how-to


def block(figures: Mapping[str, float]) -> str:
    """Return the tables of the how-to, from the figures of this page's rows by name."""
    methods = list(METHODS)
    lines = [
        f"| effects of units | {' | '.join(map(_heading, methods))} |",
        "|---|" + "---|" * len(methods),
    ]
    for law in ON_THE_BOUND:
        cells = (
            f"{figures[name_of(law, method)]:.3f}".removeprefix("0")
            for method in methods
        )
        lines.append(f"| {law} | {' | '.join(cells)} |")
    lines += [
        "",
        f"| truly negligible | {' | '.join(map(_heading, methods))} |",
        "|---|" + "---|" * len(methods),
    ]
    for name in NEGLIGIBLE:
        cells = (
            f"{figures[f'{method}, {name}: units']:,.0f} units" for method in methods
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([BEGIN, "", *lines, "", END])


def _heading(method: str) -> str:
    return f"`{method}`" if method == "Decided" else method


def with_block(page: str, figures: Mapping[str, float]) -> str:
    """Return the how-to with its tables written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + block(figures) + after


def write_howto(rows: Sequence[Row]) -> None:
    """Write the tables of the how-to from the rows that the validation page has; not
    where some were never run.
    """
    figures = {row.name: row.value for row in rows}
    if lacking := [check.name for check in CHECKS if check.name not in figures]:
        print(
            f"{HOWTO.name} is left as it is: {len(lacking)} rows were never run, the "
            f"first '{lacking[0]}'"
        )
        return
    HOWTO.write_text(
        with_block(HOWTO.read_text(encoding="utf-8"), figures), encoding="utf-8"
    )
