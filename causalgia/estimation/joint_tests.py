"""Joint tests of several contrasts, exact randomization and sign-flip tests,
interactions on several scales.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, islice
from math import comb, prod
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import about, attributes, has
from causalgia.checks import as_names, why_no_numbers
from causalgia.choices import Scale
from causalgia.effects import contrast
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._estimate import covariance, estimate
from causalgia.estimation._from_effects import as_estimates
from causalgia.estimation.request import check_has_errors, contrast_labels, null_value
from causalgia.estimation.standard_errors import dependent_contrast, wald_htz
from causalgia.former_names import former_arguments
from causalgia.numerics.moments import group_sums
from causalgia.types import Array, Codes, EstimateTable, Mask


def joint_test(
    estimates: EstimateTable, contrast: Sequence[str] | None = None
) -> xr.Dataset:
    """Test that all of several average causal effects are zero, by Hotelling's
    T-squared (HTZ with clusters).

    Parameters
    ----------
    estimates
        From `estimate` or `from_effects`, or a table that `from_effects` takes.
    contrast
        Their names; None: all.

    Returns
    -------
    Dataset
        ``F, df1, df2, p (task[, model])``; with known standard errors (no ``df``) F is
        chi-squared over df1, and there is no ``df2``. Where contrasts differ in degrees
        of freedom the smallest is used.

    Raises
    ------
    EstimateError
        If a contrast is unknown, none is named, the covariance is unknown or singular
        (linearly dependent contrasts), or there are too many contrasts for the units.

    References
    ----------
    Hotelling (1931), doi:10.1214/aoms/1177732979. Tipton & Pustejovsky (2015),
    doi:10.3102/1076998615606099.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> test = joint_test(
    ...     from_effects([1.0, 0.0], covariance=[[1.0, 0.0], [0.0, 1.0]], df=9.0)
    ... )
    >>> [round(test[name].item(), 4) for name in ("F", "df1", "df2", "p")]
    [0.4444, 2, 8.0, 0.6561]
    """
    table = as_estimates(estimates)
    check_has_errors(table)
    null = null_value(table)
    if contrast is not None and len(contrast) == 0:
        raise EstimateError(
            "no contrast is named; give one or more, or leave ``contrast=`` out for all"
        )
    V = _selected_covariance(table, contrast)
    names = list(V["contrast"].to_numpy())
    at = [list(contrast_labels(table)).index(name) for name in names]
    chosen = table.isel(contrast=at)
    ace = chosen["ace"].to_numpy() - null
    flat, dims = ace.reshape(len(at), -1), chosen["ace"].dims[1:]
    matrices = V.to_numpy().reshape(len(at), len(at), -1)
    dfs = (
        chosen["df"].to_numpy().reshape(len(at), -1).min(axis=0)
        if "df" in chosen
        else None
    )
    tests = [
        _wald_test(flat[:, r], matrices[..., r], None if dfs is None else float(dfs[r]))
        for r in range(flat.shape[1])
    ]
    shape = ace.shape[1:]
    columns = {
        name: np.array([t[name] for t in tests]).reshape(shape) for name in tests[0]
    }
    coords = {
        str(name): c
        for name, c in table.coords.items()
        if c.dims and set(c.dims) <= set(dims)
    }
    out = xr.Dataset(
        {name: (dims, values) for name, values in columns.items()} | {"df1": len(at)},
        coords=coords,
    )
    return out.assign_attrs(
        dict(table.attrs)
        | attributes(hypothesis=f"{', '.join(map(str, names))} all {null:g}")
    )


def _selected_covariance(
    table: xr.Dataset, contrast: Sequence[str] | None
) -> xr.DataArray:
    """Return the covariance of the selected contrasts; standard errors without one are
    taken as independent.
    """
    if "covariance" in table or "factor" in table or not has(table).errors:
        return covariance(table, contrast)
    whole = np.einsum(
        "k...,kl->kl...", table["se"].to_numpy() ** 2, np.eye(table.sizes["contrast"])
    )
    dims = ("contrast", "contrast_", *table["se"].dims[1:])
    names = contrast_labels(table)
    full = table.assign(covariance=(dims, whole)).assign_coords(
        contrast=names, contrast_=names
    )
    return covariance(full, contrast)


def _wald_test(ace: Array, V: Array, df: float | None) -> dict[str, float]:
    if df is not None:
        test = wald_htz(ace, V, df)
        return {"F": test.F, "df2": test.df2, "p": test.p}
    q, sd = len(ace), np.sqrt(np.diag(V))
    if which := dependent_contrast(V, sd):
        raise EstimateError(
            f"the covariance of the {q} contrasts is singular; drop {which}"
        )
    chi2 = float(ace / sd @ np.linalg.solve(V / np.outer(sd, sd), ace / sd))
    return {"F": chi2 / q, "p": float(special.chdtrc(q, chi2))}


#: largest number of assignments (or flips) that are enumerated
MAX_ASSIGNMENTS = 2**22
_SLACK = 1e-9
_ASSIGNMENTS_A_BLOCK = 4_096


@dataclass(frozen=True)
class RandomizationTest:
    """Result of an exact randomization test.

    Attributes
    ----------
    observed
        The statistic.
    n_assignments
        Assignments enumerated, the observed one included.
    p
        Share with an absolute statistic at least as large; ties count. Not twice the
        smaller tail.
    p_greater, p_less
        Share with a statistic at least as large, and at most as large.
    """

    observed: float
    n_assignments: int
    p: float
    p_greater: float
    p_less: float


def randomization_test(
    y: Array,
    treated: Mask,
    block: Codes | None = None,
    *,
    statistic: Literal["difference", "welch_t"] = "difference",
) -> RandomizationTest:
    """Test that no unit of a parallel trial was affected, over all assignments with the
    same arm sizes.

    Exact under the sharp null hypothesis that each unit would have had the same outcome
    in the other arm.

    Parameters
    ----------
    y
        Outcomes, shape ``(n,)``.
    treated
        Whether each unit received the treatment, shape ``(n,)``.
    block
        Stratum within which arms were randomized, 0 to B - 1, shape ``(n,)``; the
        statistic is then the block-size-weighted difference in means.
    statistic
        ``"difference"`` in means, or ``"welch_t"`` (without blocks), which is also
        valid in large samples for unequal variances; where neither arm varies t is 0
        for equal means, else the largest float64.

    Raises
    ------
    EstimateError
        If outcomes are not finite numbers, `treated` is not true or false for each, an
        arm is empty (in some block), there are too many assignments to enumerate, or
        Welch's t is requested with blocks or with one unit in an arm.

    References
    ----------
    Fisher (1935), The Design of Experiments. Janssen (1997),
    doi:10.1016/S0167-7152(97)00043-6.

    Examples
    --------
    >>> randomization_test(
    ...     np.array([1.0, 2.0, 3.0, 9.0]), np.array([False, False, True, True])
    ... ).p
    0.3333333333333333
    """
    y = _as_values(y, "y", "outcome")
    values = np.asarray(treated)
    if values.shape != (len(y),):
        raise EstimateError(
            f"treated has shape {values.shape}, and there are {len(y)} outcomes; give "
            "one value for each"
        )
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise EstimateError(
            f"``treated={quoted(values.tolist())}`` is not True or False for each "
            f"unit; say treated=arm == {quoted('name')}"
        )
    treated = values.astype(bool)
    codes = (
        np.zeros(len(y), dtype=np.intp)
        if block is None
        else _as_codes(block, "block", len(y))
    )
    parts = [np.flatnonzero(codes == b) for b in range(int(codes.max(initial=-1)) + 1)]
    _check_randomization(treated, parts, statistic)
    about = y - np.mean(y)
    if statistic == "welch_t":
        every = (
            _welch_t(about, rows) for rows in _assignments(len(y), int(treated.sum()))
        )
        return _tail_shares(float(_welch_t(about, treated[None])[0]), every)
    pieces = [
        _block_differences(about[part], treated[part], len(part) / len(y))
        for part in parts
    ]
    sums = reduce(lambda a, b: (a[:, None] + b).ravel(), (every for _, every in pieces))
    return _tail_shares(sum(observed for observed, _ in pieces), iter([sums]))


def _block_differences(y: Array, treated: Mask, weight: float) -> tuple[float, Array]:
    """Return a block's weighted difference in means, as observed and under every
    assignment inside it.
    """
    every = np.concatenate(
        [_differences(y, rows) for rows in _assignments(len(y), int(treated.sum()))]
    )
    return weight * float(_differences(y, treated[None])[0]), weight * every


def sign_flip_test(ice: Array, cluster: Codes | None = None) -> RandomizationTest:
    """Test that ICE are symmetric about 0, by the mean ICE under all 2^G flips of whole
    clusters.

    Parameters
    ----------
    ice
        Individual causal effects of one contrast, shape ``(n,)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. Without it each unit is one.

    Raises
    ------
    EstimateError
        If effects are not finite numbers, or there are too many flips to enumerate;
        `causalgia.multiplicity.joint_methods.sign_flip_max_t` draws them.

    Examples
    --------
    >>> sign_flip_test(np.array([1.0, 2.0, 0.5])).p
    0.25
    """
    ice = _as_values(ice, "ice", "effect")
    sums = (
        ice
        if cluster is None
        else group_sums(ice, _as_codes(cluster, "cluster", len(ice)))
    )
    _check_enumerable(2 ** len(sums), "flips")
    observed = float(sums.sum() / len(ice))
    return _tail_shares(
        observed,
        (
            signs @ sums / len(ice)
            for signs in all_signs(len(sums), _ASSIGNMENTS_A_BLOCK)
        ),
    )


def all_signs(n: int, size: int) -> Iterator[Array]:
    """Yield all 2^n vectors of n signs, at most `size` of them at a time, shape
    ``(b, n)``.

    Examples
    --------
    >>> [signs.tolist() for signs in all_signs(2, 3)]
    [[[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]], [[-1.0, -1.0]]]
    """
    for start in range(0, 2**n, size):
        which = np.arange(start, min(start + size, 2**n), dtype=np.int64)[:, None]
        yield np.where((which >> np.arange(n)) & 1, -1.0, 1.0)


def _assignments(n: int, n_treated: int) -> Iterator[Mask]:
    """Yield every choice of `n_treated` among n, shape ``(b, n)``."""
    every = combinations(range(n), n_treated)
    while chosen := list(islice(every, _ASSIGNMENTS_A_BLOCK)):
        rows = np.zeros((len(chosen), n), dtype=bool)
        np.put_along_axis(rows, np.asarray(chosen, dtype=np.intp), True, axis=1)
        yield rows


def _differences(y: Array, rows: Mask) -> Array:
    n_treated = rows.sum(axis=1)
    total = rows @ y
    return np.asarray(total / n_treated - (y.sum() - total) / (len(y) - n_treated))


def _welch_t(y: Array, rows: Mask) -> Array:
    n1, n0 = rows.sum(axis=1), (~rows).sum(axis=1)
    difference = _differences(y, rows)
    variance = _arm_variances(y, rows) / n1 + _arm_variances(y, ~rows) / n0
    t = np.where(difference == 0, 0.0, np.sign(difference) * np.finfo(float).max)
    return np.asarray(
        np.divide(
            difference, np.sqrt(variance), out=t, where=variance > 1e-24 * (y**2).mean()
        )
    )


def _arm_variances(y: Array, rows: Mask) -> Array:
    n = rows.sum(axis=1)
    mean = rows @ y / n
    return np.asarray(
        (np.where(rows, y - mean[:, None], 0.0) ** 2).sum(axis=1) / (n - 1)
    )


def _tail_shares(observed: float, blocks: Iterator[Array]) -> RandomizationTest:
    slack = _SLACK * abs(observed)
    counts, n = np.zeros(3, dtype=np.int64), 0
    for block in blocks:
        n += len(block)
        counts += [
            np.count_nonzero(np.abs(block) >= abs(observed) - slack),
            np.count_nonzero(block >= observed - slack),
            np.count_nonzero(block <= observed + slack),
        ]
    return RandomizationTest(observed, n, *(counts / n).tolist())


def _check_randomization(treated: Mask, parts: list[Codes], statistic: str) -> None:
    if statistic not in ("difference", "welch_t"):
        raise EstimateError(
            f"``statistic={quoted(statistic)}`` is neither 'difference' nor 'welch_t'"
        )
    least = 1 if statistic == "difference" else 2
    if statistic == "welch_t" and len(parts) > 1:
        raise EstimateError(
            "``statistic='welch_t'`` is for trials without blocks; use "
            "``statistic='difference'``"
        )
    for b, part in enumerate(parts):
        n = int(treated[part].sum())
        if min(n, len(part) - n) < least:
            where = f"block {b} has" if len(parts) > 1 else "there are"
            raise EstimateError(
                f"{where} {n} treated and {len(part) - n} control units; {least} "
                "or more of each are needed"
            )
    _check_enumerable(
        prod(comb(len(part), int(treated[part].sum())) for part in parts), "assignments"
    )


def _as_values(values: Any, name: str, what: str) -> Array:
    """Return one finite number a unit as floats, or raise EstimateError."""
    try:
        y = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EstimateError(
            f"{name} does not hold numbers alone ({why_no_numbers(values)}); "
            f"give one {what} for each "
            "unit"
        ) from error
    if y.ndim != 1:
        raise EstimateError(
            f"{name} has shape {y.shape}; give one {what} for each unit, shape (n,)"
        )
    if not len(y) or not np.isfinite(y).all():
        raise EstimateError(
            f"the {what}s are empty or not finite; leave units without {what} out"
        )
    return y


def _as_codes(codes: Any, name: str, n: int) -> Codes:
    """Return the group of each unit, 0 to G - 1."""
    values = np.asarray(codes)
    if values.shape != (n,):
        raise EstimateError(
            f"{name} has shape {values.shape}, and there are {n} units; give one value "
            "for each"
        )
    if values.dtype.kind not in "biuf" or not np.array_equal(
        found := np.unique(values), np.arange(len(found))
    ):
        raise EstimateError(
            f"``{name}={quoted(values.tolist())}`` is not a whole number from 0 to G - "
            f"1 for each unit, no group empty; say {name}=pandas.factorize(labels)[0]"
        )
    return values.astype(np.intp)


def _check_enumerable(n: int, what: str) -> None:
    if n > MAX_ASSIGNMENTS:
        raise EstimateError(
            f"there are {n:.3g} {what}, more than the {MAX_ASSIGNMENTS:,} that are "
            "enumerated; use the t of ``cg.estimate``, or draw flips: "
            "``cg.adjust(effects, method='sign_flip', rng=)``"
        )


_INTERVAL_COLUMNS = ["ace", "se", "df", "p", "lower", "upper"]


@former_arguments
def interaction_across_scales(
    outcomes: xr.Dataset,
    *,
    interaction: Sequence[str],
    scales: Sequence[Scale] = ("identity", "log_of_means"),
    cluster: str = "auto",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Estimate one interaction on several scales, and report whether its sign is the
    same on all of them.

    Effects that are additive on one scale can interact on another. An interaction with
    the same sign on the additive and on the log scale is not an artifact of the scale;
    one without may be *removed* by a change of scale.

    Parameters
    ----------
    outcomes
        Of a crossover or a parallel trial, from `causalgia.run` or `from_frame`.
    interaction
        Names of two or more two-level factors, as in `contrast`.
    scales
        Two or more scales of `contrast`.
    cluster
        Units that vary together. ``"auto"``, ``"none"`` or a coordinate, as in
        `estimate`.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper (scale, contrast, task[, model])``, each on its
        own scale, and ``survives (contrast, task[, model])``: the intervals of all
        scales lie on the same side of no effect.

    Raises
    ------
    EstimateError
        With fewer than two scales.
    ContrastError
        If a factor is unknown, or a scale is impossible for the outcomes.

    References
    ----------
    Loftus (1978), doi:10.3758/BF03197461.

    Examples
    --------
    >>> y = np.array(
    ...     [
    ...         [1.0, 2.0, 3.0, 6.0],
    ...         [2.0, 4.1, 6.1, 12.0],
    ...         [1.5, 3.1, 4.4, 9.0],
    ...         [1.0, 1.9, 3.0, 6.1],
    ...     ]
    ... )
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), y[:, :, None])},
    ...     coords={
    ...         "arm": ["0", "A", "B", "AB"],
    ...         "a": ("arm", [0, 1, 0, 1]),
    ...         "b": ("arm", [0, 0, 1, 1]),
    ...     },
    ... )
    >>> found = interaction_across_scales(
    ...     outcomes.assign_coords(task=["K562"]), interaction=["a", "b"]
    ... ).squeeze()
    >>> found["ace"].values.round(2), bool(found["survives"])  # effects multiply
    (array([ 2.75, -0.01]), False)
    """
    if isinstance(scales, str) or len(set(scales)) < 2:
        raise EstimateError(
            f"``scales={quoted(scales)}``: give two or more different scales, such as "
            "'identity', 'log_of_means'"
        )
    interaction = as_names(interaction) or interaction
    found = [
        estimate(
            contrast(outcomes, interaction=interaction, scale=scale),
            cluster=cluster,
            ci_prob=ci_prob,
        )
        for scale in scales
    ]
    if "se" not in found[0]:
        raise EstimateError(
            "one unit gives no interval, so nothing is known of other scales; draw "
            "more units"
        )
    nulls = [about(e, 0.0).null_value for e in found]
    above = np.all(
        [(e["lower"] > null).to_numpy() for e, null in zip(found, nulls, strict=True)],
        axis=0,
    )
    below = np.all(
        [(e["upper"] < null).to_numpy() for e, null in zip(found, nulls, strict=True)],
        axis=0,
    )
    out = xr.concat(
        [e[_INTERVAL_COLUMNS].drop_attrs() for e in found], dim="scale"
    ).assign_coords(scale=list(scales))
    out["survives"] = (found[0]["ace"].dims, above | below)
    attrs = attributes(
        ci_prob=about(found[0]).ci_prob, interaction=":".join(interaction)
    )
    return out.assign_attrs(
        attrs | attributes(contrast_scales=[about(e).contrast_scale for e in found])
    )
