"""Checks of the model: prior and posterior predictive, prior-data conflict, and whether
estimates are exchangeable.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import special

from causalgia.analysis_values import Prior
from causalgia.choices import LEAST_FOR_A_LAW
from causalgia.numerics.float_errors import usual_errors
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.mixture import effect_se_dependence
from causalgia.posterior.posterior_tree import Tree, as_tree, tree_datasets, tree_group
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, PosteriorGroups

_RARE = 0.01
_NODES = 400
_GAIN_OF_DEPENDENCE = 2.0  # nats from which effects grow with their standard errors
_BY_CHANCE = 0.001
_UNCERTAIN = 0.2


def prior_conflict(
    effect: Array,
    noise: Noise,
    prior: Prior,
) -> str:
    """Return a sentence on prior-data conflict: mean or spread of the effects in a tail
    below 1 %; else "".

    Given tau, the mean of K effects is normal about 0 with variance
    ``mu_sd^2 + tau^2 / K + 1' Sigma 1 / K^2``, and the sum of squares about it is
    nearly a multiple of chi-square (two moments matched); their tails are averaged over
    the prior of tau. A small spread is no conflict, since tau may be 0; nor is any mean
    under a flat prior of mu.

    Parameters
    ----------
    effect
        Estimates, shape ``(K,)``.
    noise
        Their covariance about the effects.
    prior
        In the unit of the effects.

    References
    ----------
    Box (1980), doi:10.2307/2982063. Evans & Moshonov (2006), doi:10.1214/06-BA129.

    Examples
    --------
    >>> prior_conflict(np.array([1.0, 2.0]), Noise(np.ones(2)), Prior())
    ''
    >>> prior_conflict(np.array([1e4, 1e4]), Noise(np.ones(2)), Prior())
    'the mean of the effects, 1e+04, lies where the prior gives less than 1 % (Prior(mu_sd=10): ...
    """
    n = len(effect)
    places = (np.arange(_NODES) + 0.5) / _NODES
    tau = prior.tau_scale * special.ndtri((1 + places) / 2)
    variance = tau**2
    conflicts = []
    mean, spread = float(effect.mean()), float(effect.std(ddof=1)) if n > 1 else 0.0
    if np.isfinite(prior.mu_sd):
        sd = np.sqrt(prior.mu_sd**2 + variance / n + _mean_variance(noise))
        if 2 * special.ndtr(-abs(mean) / sd).mean() < _RARE:
            conflicts.append(
                f"the mean of the effects, {mean:.3g}, lies where the prior gives less "
                f"than 1 % (Prior(mu_sd={prior.mu_sd:.3g}): mu_sd={abs(mean):.1g} or "
                "more would not)"
            )
    if n > 1 and _spread_tail(effect, noise, variance) < _RARE:
        conflicts.append(_spread_sentence(f"effects, {spread:.3g}", prior, spread))
    return "; ".join(conflicts)


def _spread_sentence(of: str, prior: Prior, cure: float) -> str:
    return (
        f"the spread of the {of}, lies where the prior gives less than 1 % "
        f"(Prior(tau_scale={prior.tau_scale:.3g}): tau_scale={cure:.1g} would not)"
    )


def _mean_variance(noise: Noise) -> float:
    n = len(noise.variances)
    if noise.whole is not None:
        return float(noise.whole.sum()) / n**2
    shared = (
        0.0
        if noise.loadings is None
        else float((noise.loadings.sum(axis=0) ** 2).sum())
    )
    return (float(noise.variances.sum()) + shared) / n**2


def _spread_tail(effect: Array, noise: Noise, variance: Array) -> float:
    """Return P(sum of squares about the mean > observed), averaged over the nodes of
    tau.
    """
    n, total = len(effect), noise.marginal
    expected = (n - 1) * variance + float(total.sum()) - n * _mean_variance(noise)
    squares = (
        n * variance**2
        + 2 * variance * total.sum()
        + (total**2).sum()
        + _off_diagonal_squares(noise)
    )
    inner = 2 * squares * (n - 1) / n
    df = 2 * expected**2 / inner
    observed = float(((effect - effect.mean()) ** 2).sum())
    return float(special.chdtrc(df, observed * df / expected).mean())


def _off_diagonal_squares(noise: Noise) -> float:
    """Return the sum of squares of the off-diagonal of Sigma."""
    if noise.whole is not None:
        return float((noise.whole**2).sum() - (np.diagonal(noise.whole) ** 2).sum())
    if noise.loadings is None:
        return 0.0
    gram = noise.loadings.T @ noise.loadings
    return float((gram**2).sum() - ((noise.loadings**2).sum(axis=1) ** 2).sum())


@usual_errors
def posterior_predictive(posterior: PosteriorGroups, *, rng: RNG) -> Tree:
    """Add replicated estimates: each draw of the effects, measured again with the
    standard errors that were used.

    Parameters
    ----------
    posterior
        From `infer`; or any tree with ``ace`` in its posterior and ``se`` in its
        constant_data.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Returns
    -------
    DataTree
        The same groups and ``posterior_predictive``:
        ``effect (chain, draw, contrast, task)``, on the contrast scale. Errors are
        drawn independently: marginal checks of one contrast each are right whatever
        Sigma.

    Raises
    ------
    EstimateError
        If the tree lacks one of the two.

    References
    ----------
    Gelman, Meng & Stern (1996),
    www3.stat.sinica.edu.tw/statistica/j6n4/j6n41/j6n41.htm.

    Examples
    --------
    >>> from causalgia.posterior import infer
    >>> import pandas as pd
    >>> posterior = infer(pd.DataFrame({"effect": [1.0, 2.0], "se": [0.5, 0.5]}), rng=0)
    >>> posterior_predictive(posterior, rng=1)["posterior_predictive"]["effect"].dims
    ('chain', 'draw', 'contrast', 'task')
    """
    ace = tree_group(posterior, "posterior", "ace")["ace"]
    se = tree_group(posterior, "constant_data", "se")["se"]
    generator = np.random.default_rng(derive(root_key(rng), "posterior predictive"))
    effect = ace + se * xr.DataArray(generator.normal(size=ace.shape), dims=ace.dims)
    replicated = effect.transpose(*ace.dims).to_dataset(name="effect")
    return as_tree(tree_datasets(posterior) | {"posterior_predictive": replicated})


def errors_grow_with_effects(effect: Array, se: Array) -> bool:
    """Return whether larger effects clearly have larger errors, which every law of
    effects assumes to be unrelated.

    Either of two criteria shows it. Mixtures of normals about the median fit better by
    2 nats (odds of 7) if effect / se is exchangeable than if effects are
    (`effect_se_dependence`). Or ``effect^2 - se^2``, whose mean under independence does
    not depend on se, rises with it (Spearman's correlation, p < .001), as where effects
    exist only at large errors. In addition it has to matter: the largest tenth of the
    effects, whose errors the law would shrink too much, have a median error above a
    fifth of the effect. Effects close to their errors cannot show it.

    Parameters
    ----------
    effect, se
        Estimates and their standard errors, shape ``(K,)``; fewer than 30 show nothing.

    References
    ----------
    Stephens (2017), section 2.3, doi:10.1093/biostatistics/kxw041.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(size=100)
    >>> errors_grow_with_effects(effect, 0.1 + 0.4 * np.abs(effect))
    True
    >>> errors_grow_with_effects(effect, np.full(100, 0.3))
    False
    """
    if len(effect) < LEAST_FOR_A_LAW or np.ptp(se) == 0:
        return False
    largest = np.argsort(-np.abs(effect))[: len(effect) // 10]
    uncertain = float(
        np.median(
            se[largest] / np.maximum(np.abs(effect[largest]), np.finfo(float).tiny)
        )
    )
    if uncertain <= _UNCERTAIN:
        return False
    # Spearman's; scipy.stats is slow to import
    r = float(np.corrcoef(_ranks(se), _ranks(effect**2 - se**2))[0, 1])
    df = len(effect) - 2
    p = float(special.stdtr(df, -r * np.sqrt(df / max(1 - r**2, 1e-300))))
    return (p < _BY_CHANCE / 2) or effect_se_dependence(
        effect - np.median(effect), se
    ).gain > _GAIN_OF_DEPENDENCE


def _ranks(x: Array) -> Array:
    """Return ranks, those of ties averaged."""
    _, at, n = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(n) - (n - 1) / 2)[at])
