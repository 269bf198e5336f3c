"""What the posterior of a screen needs: known standard errors, unrelated to the
effects.

A trial is one family of K effects. Degrees of freedom are those of standard errors from
a chi-squared; larger effects have larger errors where "proportional" is said.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

import causalgia as cg
from causalgia.posterior.model_checks import errors_grow_with_effects
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import each

Trials = Callable[[Rng, int], np.ndarray]
_K, _REGION, _LEVEL = 100, 1.5, 0.95


def false_negligibles(df: float) -> Trials:
    """Share of verdicts "negligible" by the posterior that are false, truths N(0, 1),
    standard errors from df.
    """

    def one(rng: Rng) -> float:
        true = rng.normal(size=_K)
        estimate = true + rng.normal(size=_K)
        se = np.ones(_K) if np.isinf(df) else np.sqrt(rng.chisquare(df, _K) / df)
        verdict = _decided(estimate, se, df, "two_scales", rng, _REGION)["verdict"]
        given = verdict == "negligible"
        return float((given & (np.abs(true) >= _REGION)).sum() / max(given.sum(), 1))

    return each(one)


def just_beyond(share: float, k: int, *, of_those_given: bool) -> Trials:
    """Share of false "negligible" where `share` of the effects are 1.003 of the ROPE of
    3 standard errors, the rest 0.

    Of all effects that are beyond it, or of those that are called negligible.
    """

    def one(rng: Rng) -> float:
        beyond = np.arange(k) < share * k
        true = np.where(beyond, 3.01 * rng.choice([-1.0, 1.0], k), 0.0)
        given = (
            _decided(true + rng.normal(size=k), 1.0, np.inf, "two_scales", rng, 3.0)[
                "verdict"
            ]
            == "negligible"
        )
        wrong = float((given & beyond).sum())
        return wrong / max(given.sum(), 1) if of_those_given else wrong / beyond.sum()

    return each(one)


def growing_errors(slope: float, k: int = _K) -> Trials:
    """Whether standard errors of .2 and `slope` of the effect, measured with 40 degrees
    of freedom, are noticed.
    """

    def one(rng: Rng) -> bool:
        true = rng.normal(size=k)
        se = 0.2 + slope * np.abs(true) if slope else np.exp(rng.normal(-0.7, 0.5, k))
        return errors_grow_with_effects(
            true + se * rng.normal(size=k), se * np.sqrt(rng.chisquare(40, k) / 40)
        )

    return each(one)


def coverage_where_errors_grow(slope: float, k: int = _K) -> Trials:
    """Share of effects inside of their shrunken interval, standard errors .2 and
    `slope` of the effect.
    """

    def one(rng: Rng) -> float:
        true = rng.normal(size=k)
        se = 0.2 + slope * np.abs(true)
        found = _decided(
            true + se * rng.normal(size=k), se, np.inf, "two_scales", rng, 0.5
        )
        lower, upper = found["shrunken_lower"], found["shrunken_upper"]
        return float(((lower <= true) & (true <= upper)).mean())

    return each(one)


def _decided(
    estimate: np.ndarray,
    se: np.ndarray | float,
    df: float,
    law: str,
    rng: Rng,
    region: float,
) -> dict[str, np.ndarray]:
    known = {} if np.isinf(df) else {"df": df}
    table = cg.from_effects(estimate, se=se, **known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        post = cg.infer(table, law=law, n_draws=2_000, rng=int(rng.integers(2**62)))
    found = cg.decide(post, rope=(-region, region), ci_prob=_LEVEL).isel(task=0)
    return {str(name): found[name].to_numpy() for name in found.data_vars}


_BEYOND = (
    "Effects just beyond a ROPE of 3 standard errors: false negligible verdicts of a "
    "posterior"
)
_KNOWN = "Standard errors that a posterior takes as known"
CHECKS = [
    *(
        Check(
            _BEYOND,
            f"K = {k}, {share:.0%} just beyond, the rest 0: as a share of {of}",
            just_beyond(share, k, of_those_given=given),
            0.05,
            # on average over the law; each of itself, as its own interval has to lie in
            "reported" if given else "at most",
            full=300,
            quick=40 if k > 30 else 60,
        )
        for k in (30, 100)
        for share in (0.5, 1.0)
        for given, of in ((False, "the effects beyond"), (True, "negligible verdicts"))
    ),
    *(
        Check(
            _KNOWN,
            f"{df:g} degrees of freedom: false share of negligible verdicts of a "
            "posterior",
            false_negligibles(df),
            0.05,
            claim,
            full=400,
            quick=20,
        )
        for df, claim in (
            (3.0, "reported"),
            (5.0, "reported"),
            (20.0, "reported"),
            (np.inf, "at most"),
        )
    ),
    *(
        Check(
            _KNOWN,
            f"standard errors of .2 plus {slope:g} times the effect's size, K = {k}: "
            "noticed",
            growing_errors(slope, k),
            promised,
            claim,
            full=2_000,
            quick=60,
        )
        for slope, k, promised, claim in (
            (0.5, 100, 0.95, "at least"),
            (0.5, 40, 0.5, "reported"),
            (1.0, 100, 0.2, "reported"),
        )
    ),
    Check(
        _KNOWN,
        "standard errors unrelated to the effects, K = 100: noticed (a false alarm)",
        growing_errors(0.0),
        0.02,
        "at most",
        full=2_000,
        quick=200,
    ),
    Check(
        _KNOWN,
        "standard errors of .2 plus 1 times the effect's size, K = 100: coverage of "
        "shrunken 95 % intervals",
        coverage_where_errors_grow(1.0),
        0.95,
        "fails",
        full=200,
        quick=40,
    ),
]
