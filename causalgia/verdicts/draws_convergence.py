"""Convergence of draws that did not come from `causalgia.infer`: divergences and the split R-hat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy import special

from causalgia.errors import ConvergenceError
from causalgia.types import Array

MAX_RHAT = 1.01
_BY_CHANCE = 1e-4
_ROUNDING = 1e-12
_CURE = (
    "sample longer, or parametrise it anew; to decide on them as they are, set converged = 'no' in the attrs of the "
    "group posterior: decisions then carry the caution"
)


def check_draws_converged(groups: Mapping[str, xr.Dataset], draws: xr.DataArray) -> None:
    """Raise for draws with divergent transitions or chains that disagree, unless their attrs state convergence.

    Draws from `causalgia.infer` have the attrs ``engine`` or ``converged`` and were checked there. Chains disagree
    where the split R-hat is above 1.01 and above what independent draws give by chance (an F test at 1e-4, over all
    effects); a single chain cannot disagree.

    Parameters
    ----------
    groups
        Of the posterior, by name.
    draws
        ``ace (chain, draw, contrast, task)``, finite.

    Raises
    ------
    ConvergenceError
        Naming the effects, worst first.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), doi:10.1214/20-BA1221: the limit.

    Examples
    --------
    >>> ace = np.random.default_rng(0).normal(size=(4, 500, 1, 1)) + np.arange(4).reshape(4, 1, 1, 1)
    >>> ace = xr.DataArray(ace, dims=("chain", "draw", "contrast", "task"))
    >>> check_draws_converged({"posterior": xr.Dataset({"ace": ace})}, ace)
    Traceback (most recent call last):
    ...
    causalgia.errors.ConvergenceError: the draws have not converged: R-hat of contrast 0, task 0 is ...
    """
    attrs = groups["posterior"].attrs
    if "converged" in attrs or "engine" in attrs:
        return
    _check_divergences(groups)
    _check_chains_agree(draws)


def _check_divergences(groups: Mapping[str, xr.Dataset]) -> None:
    sampling = groups.get("sample_stats", xr.Dataset())
    divergent = int(np.asarray(sampling["diverging"]).sum()) if "diverging" in sampling else 0
    if divergent:
        plural = "s" if divergent > 1 else ""
        raise ConvergenceError(f"the draws have not converged: {divergent:,} divergent transition{plural}; {_CURE}")


def _check_chains_agree(draws: xr.DataArray) -> None:
    chains, n, *shape = draws.shape
    if chains < 2 or n < 4:
        return
    rhat = split_rhat(draws.to_numpy().reshape(chains, n, -1))
    bad = np.flatnonzero(rhat > max(MAX_RHAT, _rhat_by_chance(2 * chains, n // 2, len(rhat))))
    if len(bad):
        worst = bad[np.argsort(-rhat[bad], kind="stable")][:3]
        shown = "; ".join(f"R-hat of {_effect_label(draws, shape, i)} is {rhat[i]:.3g}" for i in worst)
        more = f"; and {len(bad) - len(worst):,} more" if len(bad) > len(worst) else ""
        raise ConvergenceError(f"the draws have not converged: {shown}{more} (above {MAX_RHAT}); {_CURE}")


def split_rhat(draws: Array) -> Array:
    """Return the split R-hat of each effect: 1 where halves of chains agree.

    ``R^2 = 1 - 1/n + var(means of the halves) / mean(variances in the halves)``. An effect that is constant over
    all draws has 1, one that is constant within halves only has infinity.

    Parameters
    ----------
    draws
        Of K effects, shape ``(chains, draws, K)``; an odd last draw is left out. A half has n draws.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 11.4, doi:10.1201/b16018.

    Examples
    --------
    >>> same = np.random.default_rng(1).normal(size=(2, 400))
    >>> split_rhat(np.stack([same, same + [[0.0], [1.0]], 0 * same], axis=2)).round(2)
    array([1.  , 1.17, 1.  ])
    """
    n = draws.shape[1] // 2
    halves = [half for chain in draws for half in (chain[:n], chain[n : 2 * n])]
    between = np.var([half.mean(axis=0) for half in halves], axis=0, ddof=1)
    within = np.mean([half.var(axis=0, ddof=1) for half in halves], axis=0)
    size = np.abs(draws).max(axis=(0, 1))
    moves, apart = within > (_ROUNDING * size) ** 2, between > (_ROUNDING * size) ** 2
    return np.where(moves, np.sqrt(1 - 1 / n + between / np.where(moves, within, 1.0)), np.where(apart, np.inf, 1.0))


def _rhat_by_chance(m: int, n: int, effects: int) -> float:
    """Return the R-hat that the worst effect has by chance, for independent draws in m halves of n."""
    f = float(special.fdtri(m - 1, m * (n - 1), 1 - _BY_CHANCE / effects))
    return float(np.sqrt(1 + (f - 1) / n))


def _effect_label(draws: xr.DataArray, shape: list[int], i: int) -> str:
    at = np.unravel_index(i, shape)
    labels = (draws[d].to_numpy()[j] if d in draws.coords else j for d, j in zip(("contrast", "task"), at, strict=True))
    return ", ".join(f"{d} {label!s}" for d, label in zip(("contrast", "task"), labels, strict=True))
