"""Rare effects, on few backgrounds: the share that could have been missed, and its
possible effect on an average.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.checks import is_real
from causalgia.choices import TARGET_MEANINGS
from causalgia.errors import DecisionError, quoted
from causalgia.numerics.moments import ENOUGH
from causalgia.types import Array

RARE = 0.01
"""Default share of backgrounds on which an effect must not be missed."""


def as_rare(rare: Any, estimates: xr.Dataset) -> float | None:
    """Return the share of backgrounds on which an effect must not be missed, None where
    no such effects are assumed.

    ``"auto"`` is 1 % for predictions over a population of backgrounds, of which a few
    may have large effects. It is None for exactly these units, for an average over
    fewer than 300 real sequences, for tables of effects and for measured activities;
    the report then says that no rare, large effects are assumed.

    Raises
    ------
    DecisionError
        If it is neither ``"auto"``, ``"none"`` (or None) nor a number between 0 and 1.

    Examples
    --------
    >>> asked_of_a_network = xr.Dataset(attrs={"predictor_fingerprint": "0123"})
    >>> (
    ...     as_rare("auto", asked_of_a_network),
    ...     as_rare("auto", xr.Dataset()),
    ...     as_rare(0.02, xr.Dataset()),
    ... )
    (0.01, None, 0.02)
    """
    if rare is None or rare == "none":
        return None
    if isinstance(rare, str) and rare == "auto":
        attrs = estimates.attrs
        predicted = "predictor_fingerprint" in attrs and not attrs.get("effect_on")
        target = TARGET_MEANINGS.get(str(attrs.get("target", "population")))
        of_backgrounds = predicted and target is not None and target.of_backgrounds
        return RARE if of_backgrounds and not few_real_sequences(estimates) else None
    number = is_real(rare)
    if not number or not 0 < float(rare) < 1:
        raise DecisionError(
            f"rare={quoted(rare)} is neither 'auto', 'none' nor a share of the "
            "backgrounds between 0 and 1; for example rare=0.01"
        )
    return float(rare)


def few_real_sequences(estimates: xr.Dataset) -> int:
    """Return the number of real sequences used as backgrounds where they are too few
    for `RARE`, else 0.

    Unlike backgrounds from a null model, more of them cannot be drawn.

    Examples
    --------
    >>> found = xr.Dataset(
    ...     {"ace": ("contrast", [1.0]), "n_units": ("contrast", [24])},
    ...     attrs={"null_kind": "genomic"},
    ... )
    >>> few_real_sequences(found)
    24
    """
    if estimates.attrs.get("null_kind") != "genomic" or "ace" not in estimates:
        return 0
    n = int(independent_draws(estimates).max(initial=0.0))
    return n if n < 3 / RARE else 0


def independent_draws(estimates: xr.Dataset) -> Array:
    """Return the number of independent backgrounds under each treatment, of the shape
    of ``ace``; 0 where unknown.

    Units of one parent are one draw; in a parallel trial half of the units have the
    treatment.

    Examples
    --------
    >>> one = {
    ...     "ace": ("contrast", [1.0]),
    ...     "n_units": ("contrast", [600]),
    ...     "n_clusters": ("contrast", [60]),
    ... }
    >>> independent_draws(xr.Dataset(one))
    array([60.])
    """
    ace = estimates["ace"]
    counts = [name for name in ("n_clusters", "n_units") if name in estimates]
    if not counts:
        return np.zeros(ace.shape)
    n = (
        estimates[counts[0]]
        .broadcast_like(ace)
        .transpose(*ace.dims)
        .to_numpy()
        .astype(np.float64)
    )
    return (
        n / 2
        if str(estimates.attrs.get("assignment", "")).startswith("parallel")
        else n
    )


def missed_share(estimates: xr.Dataset) -> Array:
    """Return 3/n: effects on fewer backgrounds than this share could be missed by n
    draws (95 %); 0 where n is unknown.

    References
    ----------
    Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031: the rule of
    three.

    Examples
    --------
    >>> missed_share(
    ...     xr.Dataset({"ace": ("contrast", [1.0]), "n_units": ("contrast", [300])})
    ... )
    array([0.01])
    """
    n = independent_draws(estimates)
    return np.where(n > 0, np.minimum(3 / np.maximum(n, 1), 1.0), 0.0)


def too_few_backgrounds(
    estimates: xr.Dataset, rare: float | None, level: float
) -> npt.NDArray[np.bool_]:
    """Return where an effect on a share `rare` of backgrounds could have been missed;
    of the shape of ``ace``.

    n draws miss it with probability ``(1 - rare)^n``, which is above ``1 - level``
    below ``-log(1 - level) / rare`` draws: 300 for 1 % at .95. False where the number
    of draws is not known.

    Examples
    --------
    >>> found = xr.Dataset(
    ...     {"ace": ("contrast", [1.0, 1.0]), "n_units": ("contrast", [299, 300])}
    ... )
    >>> too_few_backgrounds(found, 0.01, 0.95), too_few_backgrounds(found, 0.01, 0.99)
    (array([ True, False]), array([ True,  True]))
    """
    n = independent_draws(estimates)
    needed = 0.0 if rare is None else np.floor(-np.log1p(-level) / rare)
    return (n > 0) & (n <= needed)


def unseen(estimates: xr.Dataset, hall: Array) -> Array:
    """Return what backgrounds that were not drawn could add to a skewed effect:
    ``(3/n) max |ICE|``, else 0.

    The t interval of a mean undercovers on the side on which nothing large was drawn.
    Where ``n < 25 skewness^2`` a share 3/n of backgrounds may still have effects as
    large as the largest observed in any arm of the task.

    Parameters
    ----------
    estimates
        With ``largest_ice``; 0 where it is not known.
    hall
        Their `causalgia.effect_table.hall_coefficient`.

    Examples
    --------
    >>> columns = {"ace": 0.0, "largest_ice": 2.0, "n_units": 100}
    >>> unseen(
    ...     xr.Dataset(
    ...         {name: (("contrast", "task"), [[x]]) for name, x in columns.items()}
    ...     ),
    ...     np.array([[0.4]]),
    ... )
    array([[0.06]])
    """
    ace = estimates["ace"]
    if "largest_ice" not in estimates or not hall.any():
        return np.zeros(ace.shape)
    largest = estimates["largest_ice"]
    largest = largest.max("contrast") if "contrast" in largest.dims else largest
    reach = largest.broadcast_like(ace).transpose(*ace.dims).to_numpy()
    return np.where(ENOUGH * hall**2 > 1, missed_share(estimates) * reach, 0.0)
