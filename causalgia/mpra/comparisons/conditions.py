"""When predictions may sharpen a measured mean: conditions that are checked, and named when they fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import EstimateError, quoted
from causalgia.mpra.comparisons.random_draw import random_draw_test
from causalgia.types import Array, Codes, Mask

SELECTED = 1e-3


def check_training(trained: bool | None) -> str:
    """Refuse a predictor that was trained on the measured units; it cannot be seen from the numbers.

    Examples
    --------
    >>> check_training(None)
    'not stated: whether the predictor was trained on the measured units'
    """
    if trained:
        raise EstimateError(
            "condition 'predictor not trained on them': a predictor is too good on units that it was trained on, and "
            "the others are not corrected for that; measure units that it has not seen, or give the classical "
            "interval: cg.estimate"
        )
    if trained is None:
        return "not stated: whether the predictor was trained on the measured units"
    return "stated: the predictor was not trained on the measured units"


def check_population(virtual: xr.Dataset, library: xr.Dataset | None, measured: xr.Dataset) -> str:
    """Refuse a virtual trial of another null model, or under other constraints, than what was measured.

    Raises
    ------
    EstimateError
        If the fingerprints of the null models or the rules differ, or `library` is none.

    Examples
    --------
    >>> check_population(xr.Dataset(), None, xr.Dataset())
    'by name: the measured units are units of the virtual trial'
    """
    if library is not None and not isinstance(library, xr.Dataset):
        raise EstimateError(f"library={type(library).__name__}: give what was ordered, from cg.mpra.library")
    null = virtual.attrs.get("null_fingerprint")
    for name, other in (("library", library), ("measured effects", measured)):
        theirs = None if other is None else other.attrs.get("null_fingerprint")
        if null and theirs and null != theirs:
            raise EstimateError(
                f"condition 'same null model': the virtual trial drew units from {virtual.attrs.get('null', null)}, "
                f"the {name} from {None if other is None else other.attrs.get('null', theirs)}; predict units of the "
                "null model that was measured"
            )
    _refuse_other_draw(virtual, library)
    if library is None:
        return "by name: the measured units are units of the virtual trial"
    rules, theirs = virtual.attrs.get("rules"), library.attrs.get("rules")
    redrawn = float(library["share_redrawn"]) if "share_redrawn" in library else 0.0
    if rules != theirs and (rules is not None or redrawn > 0):
        raise EstimateError(
            f"condition 'same constraints': {redrawn:.1%} of the library's units were redrawn to meet its rules, and "
            "the units of the virtual trial met other rules or none; make a larger library by the same rules, predict "
            "all of it (cg.mpra.virtual_trial), and order units of it at random"
        )
    if not null or "null_fingerprint" not in library.attrs:
        silent = "virtual trial" if not null else "library"
        return f"held: one set of rules; unknown: the {silent} does not say its null model"
    return "held: one null model, one set of rules"


def _refuse_other_draw(virtual: xr.Dataset, library: xr.Dataset | None) -> None:
    """Refuse a virtual trial of a library with another seed: units of one name are other sequences there."""
    if library is None:
        return
    ours, theirs = ((side.attrs.get("library_fingerprint"), side.attrs.get("rng")) for side in (virtual, library))
    if ours[0] and theirs[0] and ours[0] != theirs[0] and ours[1] != theirs[1]:
        raise EstimateError(
            f"condition 'the same units': the virtual trial is of a library drawn with rng={ours[1]}, and what was "
            f"ordered was drawn with rng={theirs[1]}, so that units of one name are other sequences; predict the "
            "library that the ordered one is a part of: cg.mpra.virtual_trial"
        )


def check_parents(parents: NDArray[Any] | None, measured: Mask) -> str:
    """Refuse units that share a parent with measured ones: their mean moves with that of the measured ones.

    Parameters
    ----------
    parents
        Parent of each unit, shape ``(n,)``; None: unknown.
    measured
        Which units were measured, shape ``(n,)``.

    Examples
    --------
    >>> check_parents(np.array(["a", "b", "c"]), np.array([True, False, False]))
    'held: no other unit shares a parent with a measured one'
    """
    if parents is None:
        return "unknown: the virtual trial does not say the parents of its units; each counts as its own"
    shares = np.isin(parents[~measured], parents[measured])
    if shares.any():
        raise EstimateError(
            f"condition 'other parents': {int(shares.sum()):,} of {len(shares):,} units that were not measured share a "
            f"parent with measured ones (such as {quoted(parents[~measured][shares][0])}); shuffles of the measured "
            "units' own parents cover .72-.75 at .95, for they say nothing of other parents. Leave them out, and "
            "predict units of parents of their own: others = "
            "~virtual.parent.isin(virtual.parent.sel(unit=measured.unit)) | virtual.unit.isin(measured.unit); "
            "virtual.sel(unit=others)"
        )
    return "held: no other unit shares a parent with a measured one"


def check_draw(f: Array, f_rest: Array, cluster: Codes | None, cluster_rest: Codes | None, names: Sequence[str]) -> str:
    """Refuse measured units whose predictions differ from the others': they were not drawn at random.

    By the permutation test of `random_draw_test` of all contrasts together, at p below .001: a random draw is refused
    at most once in a thousand times, whatever their number, also where predictions are binary, rare or have long tails.

    Parameters
    ----------
    f, f_rest
        Predictions of measured units and of the others, shapes ``(n, contrast)`` and ``(N, contrast)``.
    cluster, cluster_rest
        As in `random_draw_test`.
    names
        Of the contrasts.

    Examples
    --------
    >>> f = np.arange(100.0)[:, None]
    >>> check_draw(f[::5], f[1::5], None, None, ["GATA1"])[:4]
    'held'
    """
    found = random_draw_test(f, f_rest, cluster=cluster, cluster_rest=cluster_rest)
    if found.p < SELECTED:
        what, a, b = "predictions", f[:, found.contrast], f_rest[:, found.contrast]
        if found.by_spread:
            median = np.median(np.concatenate([a, b]))
            what, a, b = "distances of predictions from the median", abs(a - median), abs(b - median)
        name = names[found.contrast]
        raise EstimateError(
            f"condition 'a random draw': contrast {quoted(name)}, the {what} of the measured units have the mean "
            f"{a.mean():.3g}, of the others {b.mean():.3g} (permutation p = {found.p:.1g}); units that were selected "
            "by their prediction are no random draw of the population. Measure a random draw, or predict only the "
            "population that it is one of"
        )
    return f"held: the predictions of the measured units are those of a random draw (permutation p = {found.p:.2g})"
