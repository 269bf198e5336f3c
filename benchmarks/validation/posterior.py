"""The hierarchical model: ranks of truths drawn from it, signs, and intervals of
selected effects from few units.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from causalgia.analysis_values import Prior
from causalgia.posterior.error_covariance import Noise, normal_scores, spiked_noise
from causalgia.posterior.mixture import mixture
from causalgia.posterior.normal import normal
from validation.checks import Check
from validation.draws import Rng
from validation.multiplicity import each

Trials = Callable[[Rng, int], np.ndarray]
PRIOR = Prior(mu_sd=1, tau_scale=1, standardized=False)
RANKED = 99
K = 8


def noise_like(rng: Rng, form: str) -> Noise:
    """Draw a known covariance of K errors, in one of the three forms."""
    variances = rng.uniform(0.2, 1.5, K) ** 2
    if form == "diagonal":
        return Noise(variances)
    loadings = rng.normal(size=(K, 2)) * 0.5
    if form == "low rank":
        return Noise(variances, loadings)
    whole = np.diag(variances) + loadings @ loadings.T
    return Noise(np.diagonal(whole).copy(), whole=whole)


def errors_of(rng: Rng, noise: Noise) -> np.ndarray:
    """Draw errors with this covariance."""
    if noise.whole is not None:
        return np.asarray(np.linalg.cholesky(noise.whole) @ rng.normal(size=K))
    own = np.sqrt(noise.variances) * rng.normal(size=K)
    return (
        own
        if noise.loadings is None
        else own + noise.loadings @ rng.normal(size=noise.loadings.shape[1])
    )


def rank_of(what: str, form: str) -> Trials:
    """Draw (mu, tau, delta) from the prior and the estimates from them: the rank of one
    of them among the draws.
    """

    def one(rng: Rng) -> int:
        mu, tau = rng.normal() * PRIOR.mu_sd, abs(rng.normal()) * PRIOR.tau_scale
        delta = mu + tau * rng.normal(size=K)
        noise = noise_like(rng, form)
        post = normal(delta + errors_of(rng, noise), noise, PRIOR)
        draws = post.draw(RANKED, rng)
        truth, drawn = {
            "mu": (mu, draws.mu),
            "tau": (tau, draws.tau),
            "effect": (delta[0], draws.ace[:, 0]),
        }[what]
        return int((drawn < truth).sum())

    return each(one)


def sparse(rng: Rng, k: int, share: float) -> np.ndarray:
    """Draw effects of which `share` are not 0."""
    return np.where(rng.random(k) < share, rng.normal(size=k), 0.0)


def lfsr_less_wrong_signs(share: float, k: int = 500) -> Trials:
    """Say how far the mean local false sign rate of an ash posterior exceeds the share
    of signs that are wrong.
    """

    def one(rng: Rng) -> float:
        truth, se = sparse(rng, k, share), rng.uniform(0.1, 0.5, k)
        post = mixture(truth + se * rng.normal(size=k), se**2)
        sure = post.lfsr < 0.05
        wrong = (truth == 0) | (np.sign(truth) != np.sign(post.mean))
        return float((post.lfsr - wrong)[sure].mean()) if sure.any() else 0.0

    return each(one)


def from_few_units(
    which: str, draw: Callable[[Rng, tuple[int, int]], np.ndarray], n: int, k: int
) -> Trials:
    """From units to 90 % intervals of the top 2 % of K effects, truths drawn from the
    prior, one control.

    `which` is how Sigma enters: the oracle's, low rank + diagonal, or the whole
    estimated covariance.
    """

    def one(rng: Rng) -> float:
        own = rng.uniform(0.5, 1, k)
        delta = 1.2 / np.sqrt(n) * rng.normal(size=k)
        ice = delta + rng.normal(size=(n, 1)) + own * draw(rng, (n, k))
        effect = ice.mean(axis=0)
        post = normal(effect, sigma(which, ice, own), Prior())
        top = np.argsort(-np.abs(effect))[: k // 50]
        return float((np.abs(post.below(delta) - 0.5) <= 0.45)[top].mean())

    return each(one)


def sigma(which: str, ice: np.ndarray, own: np.ndarray) -> Noise:
    """Return the covariance of the mean ICE as it is known, or as one of two rules has
    it from the units.
    """
    n, k = ice.shape
    if which == "oracle":
        return Noise(own**2 / n, np.full((k, 1), 1 / np.sqrt(n)))
    factor = (ice - ice.mean(axis=0)) / np.sqrt(n * (n - 1))
    se = np.sqrt((factor**2).sum(axis=0))
    score = normal_scores(ice.mean(axis=0), se, np.full(k, n - 1.0))
    if which == "low rank + diagonal":
        return spiked_noise(factor / se, n - 1, score**2)
    whole = factor.T @ factor + np.diag(1e-9 * se**2)
    return Noise(np.diagonal(whole).copy(), whole=whole)


def false_signs(n: int, *, scores: bool, k: int = 1_000) -> Trials:
    """Share of wrong signs in the largest set with a mean lfsr of 5 %, from n units;
    one effect in ten is not 0.
    """

    def one(rng: Rng) -> float:
        truth = sparse(rng, k, 0.1) / 2
        ice = truth + rng.normal(size=(n, k))
        effect, se = ice.mean(axis=0), ice.std(axis=0, ddof=1) / np.sqrt(n)
        used = normal_scores(effect, se, np.full(k, n - 1.0)) if scores else se
        post = mixture(effect, used**2)
        order = np.argsort(post.lfsr)
        chosen = order[np.cumsum(post.lfsr[order]) <= 0.05 * np.arange(1, k + 1)]
        wrong = (truth == 0) | (np.sign(truth) != np.sign(post.mean))
        return float(wrong[chosen].mean()) if chosen.size else 0.0

    return each(one)


def from_few_df(what: str, df: int, k: int = 60) -> Trials:
    """From k estimates with independent errors of `df` degrees of freedom to the share
    of 90 % intervals that contain the truth, of the posterior or of each effect's own
    t, or to the share of effects whose right sign the two see at that level.
    """

    def one(rng: Rng) -> float:
        truth, se = rng.normal(size=k), rng.uniform(0.5, 1, k)
        effect = truth + se * rng.normal(size=k)
        estimated = se * np.sqrt(rng.chisquare(df, k) / df)
        if what.startswith("own t"):
            below = special.stdtr(df, (truth - effect) / estimated)
            below_zero = special.stdtr(df, -effect / estimated)
        else:
            score = normal_scores(effect, estimated, np.full(k, float(df)))
            post = normal(effect, Noise(score**2), Prior())
            below, below_zero = post.below(truth), post.below(np.zeros(k))
        if what.endswith("sign"):
            return float(
                (np.where(truth > 0, below_zero, 1 - below_zero) < 0.05).mean()
            )
        return float((np.abs(below - 0.5) <= 0.45).mean())

    return each(one)


def standard(rng: Rng, shape: tuple[int, int]) -> np.ndarray:
    return rng.standard_normal(shape)


_SBC = "Simulation-based calibration: p-value of a test for uniform ranks"
_SIGN, _FEW = (
    "False sign rates",
    "90 % intervals of the top 2 % of 400 effects, 100 units, one control",
)
_FEW_DF = "90 % intervals of 60 effects, errors of few degrees of freedom"
_FORMS = {
    "diagonal": "independent errors",
    "low rank": "errors of low rank",
    "whole": "full error covariance",
}
_COVARIANCES = {
    "oracle": "true covariance",
    "low rank + diagonal": "low rank + diagonal",
    "whole estimated covariance": "full estimated covariance",
}
CHECKS = [
    *(
        Check(
            _SBC,
            f"normal law, {_FORMS[form]}: {what}",
            rank_of(what, form),
            0.5,
            full=500 if form == "low rank" else 4_000,
            quick=100,
            n_draws=RANKED,
        )
        for form in ("diagonal", "low rank", "whole")
        for what in ("mu", "tau", "effect")
    ),
    *(
        Check(
            _SIGN,
            f"mixture, {share:.0%} not 0: mean lfsr minus share of wrong signs",
            lfsr_less_wrong_signs(share),
            0.0,
            "at least",
            full=2_000,
            quick=100,
        )
        for share in (0.03, 0.3)
    ),
    *(
        Check(
            _SIGN,
            f"false signs in a set with mean lfsr .05, {n} units, {words}",
            false_signs(n, scores=scores),
            0.05,
            claim,
            full=2_000,
            quick=100,
        )
        for n in (20, 50)
        for words, scores, claim in (
            ("SE by the normal score of p", True, "at most"),
            ("plain SE", False, "fails"),
        )
    ),
    *(
        Check(
            _FEW,
            _COVARIANCES[which],
            from_few_units(which, standard, 100, 400),
            level,
            claim,
            full=1_000,
            quick=60,
        )
        for which, level, claim in (
            ("oracle", 0.9, "exact"),
            ("low rank + diagonal", 0.87, "at least"),
            ("whole estimated covariance", 0.9, "fails"),
        )
    ),
    *(
        Check(
            _FEW_DF,
            f"{words}, df = {df}",
            from_few_df(what, df),
            level,
            claim,
            full=2_000,
            quick=100,
        )
        for df, short in ((4, True), (9, True), (20, False))
        for what, words, level, claim in (
            (
                "posterior",
                "posterior",
                0.9 if short else 0.87,
                "fails" if short else "at least",
            ),
            ("own t", "each effect's own t", 0.9, "exact"),
            ("posterior sign", "right signs that the posterior sees", 0.0, "reported"),
            (
                "own t sign",
                "right signs that each effect's own t sees",
                0.0,
                "reported",
            ),
        )
    ),
]
