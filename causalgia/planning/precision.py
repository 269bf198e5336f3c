"""How many: the least integer that reaches a target, half widths, design effects, normal approximations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from causalgia.errors import EstimateError, quoted
from causalgia.planning.power_functions import t_power, t_quantile
from causalgia.types import Array

#: more than these is no answer
MOST = 1e12


def least_integer(
    reaches: Callable[[Array], npt.NDArray[np.bool_]], start: Array, *, ratio: float = 2.0, most: float | Array = MOST
) -> Array:
    """Return the least integer from `start` on that reaches a target, for many targets at once; inf where none does.

    Goes up by a ratio and bisects the last step. A target that, once reached, stays reached is found exactly; one that
    can be lost again is found where it holds over more than one step.

    Parameters
    ----------
    reaches
        Takes integers as floats, one for each target, and says which are enough.
    start
        Where to begin, one for each target.
    ratio
        Step of the search, more than 1.
    most
        Where to give up.

    Examples
    --------
    >>> least_integer(lambda n: n**2 >= np.array([50.0, 9.0]), np.array([2.0, 2.0]))
    array([8., 3.])
    """
    high, low = start.astype(np.float64), start - 1.0
    done = reaches(high)
    while (open_ := ~done & (high < most)).any():
        low = np.where(open_, high, low)
        high = np.where(open_, np.minimum(np.maximum(np.ceil(high * ratio), high + 1), most), high)
        done = done | (open_ & reaches(high))
    while (high - low > 1).any():
        middle = np.ceil((low + high) / 2)
        enough = reaches(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(done, high, np.inf)


def halfwidth_of_mean(sd: npt.ArrayLike, n: npt.ArrayLike, *, level: float = 0.95) -> Array:
    """Return the half width ``t sd / sqrt(n)`` of the interval of a mean of n, with this sd.

    Examples
    --------
    >>> halfwidth_of_mean(1.0, 20).round(6)
    np.float64(0.468014)
    """
    n = np.asarray(n, dtype=np.float64)
    return np.asarray(t_quantile(n - 1, 0.5 + level / 2) * np.asarray(sd) / np.sqrt(n))[()]


def n_for_halfwidth(sd: float, halfwidth: float, *, level: float = 0.95) -> int:
    """Return the least n whose half width, with this sd, is at most `halfwidth`.

    Examples
    --------
    >>> n_for_halfwidth(1.0, 0.25)
    64
    """
    require_positive(halfwidth, "halfwidth")
    return int(least_integer(lambda n: halfwidth_of_mean(sd, n, level=level) <= halfwidth, np.array([2.0]))[0])


def n_for_power(effect: float, sd: float, *, power: float, level: float = 0.95) -> int:
    """Return the least n at which the two-sided paired t test has this power.

    Raises
    ------
    EstimateError
        If the effect is 0: no n detects it.

    Examples
    --------
    >>> n_for_power(0.5, 1.0, power=0.8)
    34
    """
    n = least_integer(lambda n: t_power(effect, sd / np.sqrt(n), n - 1, level=level) >= power, np.array([2.0]))[0]
    if not np.isfinite(n):
        raise EstimateError(f"no number of units detects an effect of {effect:g} with power {power:g}; give another")
    return int(n)


def n_normal(effect: float, sd: float, *, power: float, level: float = 0.95) -> float:
    """Return the normal approximation ``((z_(1 - alpha/2) + z_power) sd / effect)^2`` to the n of the paired test.

    Examples
    --------
    >>> round(n_normal(0.5, 1.0, power=0.8), 4)
    31.3955
    """
    return float(((special.ndtri(0.5 + level / 2) + special.ndtri(power)) * sd / effect) ** 2)


def design_effect(mean_size: npt.ArrayLike, icc: npt.ArrayLike, *, cv: npt.ArrayLike = 0.0) -> Array:
    """Return what clusters cost: the variance of a mean over that of as many independent units.

    ``1 + ((cv^2 + 1) m - 1) icc`` for clusters of mean size m whose sizes vary by the coefficient cv.

    References
    ----------
    Eldridge, Ashby & Kerry (2006), doi:10.1093/ije/dyl129. Kish (1965), Survey Sampling, Wiley.

    Examples
    --------
    >>> design_effect(8, 0.05, cv=0.6).round(4)
    np.float64(1.494)
    """
    m, icc, cv = np.asarray(mean_size, dtype=np.float64), np.asarray(icc), np.asarray(cv)
    return np.asarray(1 + ((cv**2 + 1) * m - 1) * icc)[()]


def require_positive(value: Any, name: str) -> float:
    """Refuse what is no positive, finite number.

    Examples
    --------
    >>> require_positive(0, "halfwidth")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: halfwidth=0 is not a positive number
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 < float(value) < np.inf:
        raise EstimateError(f"{name}={quoted(value)} is not a positive number")
    return float(value)


_EXAMPLES = {"level": 0.95, "alpha": 0.05, "q": 0.05}


def require_probability(value: Any, name: str) -> float:
    """Refuse what is no probability strictly between 0 and 1.

    Examples
    --------
    >>> require_probability(95, "level")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: level=95 is not between 0 and 1; for example level=0.95
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 < float(value) < 1:
        raise EstimateError(
            f"{name}={quoted(value)} is not between 0 and 1; for example {name}={_EXAMPLES.get(name, 0.8)}"
        )
    return float(value)
