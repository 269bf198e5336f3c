"""Effects of conditions (cells, treatments, genotypes) on activity, paired by barcode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, listed
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.mpra.counts._activity import truncation_of
from causalgia.mpra.counts.barcodes import cell_ratios, oligo_means, silence_notes
from causalgia.mpra.counts.counts_table import CONTROLS, library_attrs, of_batches
from causalgia.mpra.fits._average import shared_shifts
from causalgia.mpra.fits._fit import with_reads
from causalgia.mpra.fits.element_effects import (
    FitRequest,
    Layer,
    LibraryLayers,
    RatioCells,
    barcode_layer,
    barcode_means,
    combine_layers,
    fit_request,
    library_layers,
    means_of,
    residual_layer,
)
from causalgia.mpra.fits.fit_summaries import effects_dataset, with_summary
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import validate
from causalgia.types import Array, Ints, Mask

_PAIRED = 0.5
_MEDIAN_VARIANCE = np.pi / 2


@usual_errors
def conditions(
    counts: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    control: str,
    arm_control: str | None = None,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    r"""Compare conditions: how much activity, or the effect of an arm, differs between
    each condition and `control`.

    With `arm_control` the estimand is arm by condition, ``(arm - arm_control in the
    condition) - (arm - arm_control in control)``, in each element. Without, it is the
    log2 ratio of an oligo's activity in the condition to that in `control`, *relative
    to the median oligo*: how the condition moves the whole library cannot be
    distinguished from how deep the two libraries are.

    Where the same barcodes were measured in both conditions, the effect is the mean
    over barcodes of the differences of their log2(RNA/DNA), and what a barcode adds to
    both cancels; else the conditions have barcodes of their own. Of one sum an oligo the
    effect is that of these barcodes, if they are the same in each condition. Log ratios
    of few reads shrink effects; ``median_reads`` tells how many there are. The variance
    is that
    of `fit` with ``method="two_way"``, ``V_barcode + sum of (V_replicate - V_residual)
    over both conditions``, each component moderated over elements.

    Parameters
    ----------
    counts
        Of kind ``counts``, with a coordinate ``condition (replicate)``; or a mapping of
        conditions to counts, in which a barcode of one oligo with one name is one.
    control
        The condition with which each other is compared.
    arm_control
        The arm with which each other arm is compared in each condition; None: each
        oligo is compared with itself.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        As from `fit`: ``ace, se, df, lower, upper, p, log_p (element, contrast)``, nan
        where an element lacks barcodes. Without `arm_control` the contrasts are the
        conditions, and an element with several arms is an element for each (``"u1,
        mut"``); else ``"mut in rest"``, ``"mut in stim"`` and ``"mut: stim - rest"``.
        ``attrs["paired"]`` says whether barcodes were paired; ``median_reads
        (condition)`` are the RNA reads of the median cell, and ``library_shift
        (contrast)``, without `arm_control`, is how far the median oligo moved.

    Raises
    ------
    DataError
        If there is no such condition or only one, one has a single replicate, or an
        oligo is of another element or arm in another condition.
    EstimateError
        If nothing was measured in both conditions.

    References
    ----------
    Cameron, Gelbach & Miller (2011), doi:10.1198/jbes.2010.07136. Smyth (2004),
    doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> from causalgia.mpra import simulate
    >>> table = pd.DataFrame({"element": [f"e{i}" for i in range(40)], "arm": "tile"})
    >>> up = 1.0 * (table.index < 4)
    >>> both = {
    ...     "rest": simulate(table.assign(log2=0.0), n_barcodes=20, rng=1),
    ...     "stim": simulate(table.assign(log2=up), n_barcodes=20, rng=2),
    ... }
    >>> found = conditions(both, control="rest")
    >>> found["ace"].sel(contrast="stim").values[:4].round(1), found.attrs["paired"]
    (array([1.2, 0.9, 1. , 1.1]), 'no')
    """
    ci_prob = as_ci_prob(ci_prob)
    joined = joined_conditions(counts)
    of = joined["condition"].to_numpy().astype(str)
    names = list(dict.fromkeys(of.tolist()))
    others = [name for name in names if name != control]
    if control not in names or not others:
        raise DataError(
            f"control={quoted(control)} is to be one of two or more conditions: "
            f"{listed(names)}",
            argument="control",
        )
    parts = {name: _of_condition(joined, of == name, name) for name in names}
    kept = np.concatenate([one["replicate"].to_numpy() for one in parts.values()])
    joined = joined.isel(
        replicate=np.flatnonzero(np.isin(joined["replicate"].to_numpy(), kept))
    )
    request = (
        _each_oligo(joined)
        if arm_control is None
        else fit_request(joined, control=arm_control)
    )
    found = [_difference(joined, request, control, name) for name in others]
    if arm_control is not None:
        found = [*(_in_condition(joined, request, name) for name in names), *found]
    return _as_fit(joined, request, found, control, ci_prob)


@dataclass(frozen=True)
class _Compared:
    """Effects of E elements in K contrasts, in one condition or between two.

    Attributes
    ----------
    of
        Weight of each condition.
    ace, se, df, measured
        Shape ``(E, K)``.
    paired
        Whether barcodes were paired.
    moved
        How far the median oligo moved; 0 where arms are compared.
    shift, within, df_within
        What replicates share (`shared_shifts`): ``(K, R)``, nan for replicates of other
        conditions, and ``(K,)`` each.
    """

    of: dict[str, float]
    ace: Array
    se: Array
    df: Array
    measured: Mask
    paired: bool
    moved: float
    shift: Array
    within: Array
    df_within: Array


def joined_conditions(counts: xr.Dataset | Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Return counts of several conditions, with the coordinate ``condition
    (replicate)``.

    Raises
    ------
    DataError
        If it is not of kind ``counts``, names no conditions, or an oligo has two
        elements, arms or groups.
    """
    if not isinstance(counts, Mapping) or isinstance(counts, xr.Dataset):
        validate(counts, "counts")
        if "condition" not in counts.coords:
            raise DataError("the counts have no coordinate 'condition' on replicate")
        return of_batches(counts)
    counts = {name: of_batches(validate(one, "counts")) for name, one in counts.items()}
    columns = ("oligo", "element", "arm", "group")
    oligos = pd.concat(
        [
            pd.DataFrame({x: one[x].to_numpy() for x in columns})
            for one in counts.values()
        ]
    ).drop_duplicates(ignore_index=True)
    if (twice := oligos["oligo"].duplicated()).any():
        name = oligos["oligo"][twice].iloc[0]
        raise DataError(
            f"oligo {quoted(name)} is of one element, arm and group in a condition, and "
            "of another in the next"
        )
    rows = [
        pd.MultiIndex.from_arrays(
            [
                one["barcode"].to_numpy().astype(str),
                one["oligo"].to_numpy().astype(str)[one["oligo_index"].to_numpy()],
            ]
        )
        for one in counts.values()
    ]
    every = pd.Index(np.concatenate([x.to_numpy() for x in rows])).unique()
    barcode, oligo = (np.array(x, dtype=str) for x in zip(*every, strict=True))
    again = pd.Series(barcode).duplicated(keep=False).to_numpy()
    barcode = np.where(again, np.char.add(np.char.add(barcode, " "), oligo), barcode)
    of_rows = ("dna", "rna", "dna_observed", "rna_observed")
    data: dict[str, list[Array]] = {x: [] for x in (*of_rows, *_TOTALS)}
    for own, one in zip(rows, counts.values(), strict=True):
        R, at = one.sizes["replicate"], every.get_indexer(own.to_flat_index())
        for x in of_rows:
            values = one[x].to_numpy().reshape(len(own), -1)
            wide = np.zeros((len(every), R), dtype=values.dtype)
            wide[at] = values
            data[x].append(wide)
        for x in _TOTALS:
            data[x].append(np.broadcast_to(one[x].to_numpy(), R))
    joined = xr.Dataset(
        {x: (("barcode", "replicate"), np.hstack(data[x])) for x in of_rows}
        | {x: (("replicate",), np.concatenate(data[x])) for x in _TOTALS}
        | {
            "oligo_index": (
                "barcode",
                pd.Index(oligos["oligo"]).get_indexer(oligo).astype(np.int64),
            )
        },
        coords={
            "barcode": barcode,
            "replicate": [
                f"{name} {r}"
                for name, one in counts.items()
                for r in one["replicate"].values
            ],
            "condition": (
                "replicate",
                np.repeat(
                    np.array([str(name) for name in counts]),
                    [one.sizes["replicate"] for one in counts.values()],
                ),
            ),
            "oligo": oligos["oligo"].to_numpy().astype(str),
            **{x: ("oligo", oligos[x].to_numpy().astype(str)) for x in columns[1:]},
        },
        attrs=library_attrs(next(iter(counts.values()))),
    )
    return as_result(joined, "counts")


_TOTALS = ("dna_total", "rna_total")


def _of_condition(joined: xr.Dataset, of: Mask, name: str) -> xr.Dataset:
    """Return the counts of a condition without replicates of few reads."""
    part, few = with_reads(
        joined.isel(replicate=np.flatnonzero(of)).drop_vars("condition"), weighted=False
    )
    if (n := part.sizes["replicate"]) < 2:
        rest = f"; {', '.join(few)} without reads" if few else ""
        raise DataError(
            f"condition {quoted(name)}: {n} replicate{rest}; a comparison of conditions "
            "takes two of each"
        )
    return part


def _each_oligo(joined: xr.Dataset) -> FitRequest:
    """Return the request of each oligo's activity."""
    of, n = joined["oligo_index"].to_numpy(), joined.sizes["oligo"]
    element, arm = (joined[x].to_numpy().astype(str) for x in ("element", "arm"))
    if len(set(element.tolist())) < n:
        element = np.char.add(np.char.add(element, ", "), arm)
    return FitRequest(
        element,
        np.array(["activity"]),
        ("activity",),
        np.ones((1, 1)),
        np.arange(n)[:, None],
        of,
        np.zeros(len(of), dtype=np.int64),
    )


def _difference(
    joined: xr.Dataset, request: FitRequest, control: str, name: str
) -> _Compared:
    ratio, used = cell_ratios(joined)
    W, (E, A) = request.weights, request.oligos.shape
    group = request.element * A + request.arm
    columns = [joined["condition"].to_numpy() == x for x in (control, name)]
    rows = [(request.element >= 0) & used[:, x].any(axis=1) for x in columns]
    both = rows[0] & rows[1]
    paired = bool(both.sum() >= _PAIRED * min(x.sum() for x in rows))
    rows = [both, both] if paired else rows
    sides = [
        RatioCells(ratio[b][:, r], used[b][:, r], group[b], (E, A))
        for b, r in zip(rows, columns, strict=True)
    ]
    of_sides = [x.ratio.sum(axis=1) / x.used.sum(axis=1) for x in sides]
    means = (
        [means_of(of_sides[1] - of_sides[0], sides[1])]
        if paired
        else [means_of(y, x) for y, x in zip(of_sides, sides, strict=True)]
    )
    lacking = sum(((x.n == 0) @ (W != 0).T).astype(np.int64) for x in means)
    measured = np.asarray(lacking == 0)
    if not measured.any():
        raise EstimateError(
            f"nothing has barcodes with DNA in {quoted(control)} and {quoted(name)}"
        )
    of_barcodes = [x for x in means if x.df.any()]
    variance, df, *_ = combine_layers(
        [barcode_layer(x, W) for x in of_barcodes],
        [library_layers(x, W) if A > 1 else _level_layers(x) for x in sides],
    )
    ace = (means[-1].mean - (0.0 if paired else means[0].mean)) @ W.T
    groups = joined["group"].to_numpy().astype(str)[request.first_oligos]
    test, moved = ~np.isin(groups, CONTROLS), 0.0
    if A == 1:
        asked = measured[:, 0] & (test if (test & measured[:, 0]).any() else True)
        moved = float(np.median(ace[asked]))
        ace = ace - moved
        spread = (1.4826 * np.median(np.abs(ace[asked]))) ** 2
        variance = variance + _MEDIAN_VARIANCE * spread / asked.sum()
    shift, within, df_within = _shared(sides, columns, W, test)
    return _Compared(
        {control: -1.0, name: 1.0},
        ace,
        np.sqrt(variance),
        df,
        measured,
        paired,
        moved,
        shift,
        within,
        df_within,
    )


def _in_condition(joined: xr.Dataset, request: FitRequest, name: str) -> _Compared:
    """Return the effects of arms in one condition."""
    ratio, used = cell_ratios(joined)
    own = joined["condition"].to_numpy() == name
    rows = (request.element >= 0) & used[:, own].any(axis=1)
    group = request.element * request.oligos.shape[1] + request.arm
    cells = RatioCells(
        ratio[rows][:, own], used[rows][:, own], group[rows], request.oligos.shape
    )
    W, means = request.weights, barcode_means(cells)
    variance, df, *_ = combine_layers(
        [barcode_layer(means, W)] if means.df.any() else [], [library_layers(cells, W)]
    )
    lacking = (cells.sums(cells.used).sum(axis=2) == 0) @ (W != 0).T
    test = ~np.isin(joined["group"].to_numpy()[request.first_oligos], CONTROLS)
    return _Compared(
        {name: 1.0},
        means.mean @ W.T,
        np.sqrt(variance),
        df,
        lacking == 0,
        False,
        0.0,
        *_shared([cells], [own], W, test),
    )


def _level_layers(cells: RatioCells) -> LibraryLayers:
    """Return the noise of the libraries of a condition in the activity of each oligo,
    what all oligos of a replicate share removed.
    """
    E, R = cells.shape[0], cells.used.shape[1]
    level = oligo_means(cells.ratio, cells.used, cells.group, E)
    whole: Mask = level.n.min(axis=1) > 0
    apart = level.activity - level.activity.mean(axis=1, keepdims=True)
    apart = (
        (apart - apart[whole].mean(axis=0)) * whole[:, None] if whole.any() else apart
    )
    n = max(int(whole.sum()), 2)
    one = np.ones((1, 1))
    replicate = Layer(
        (apart**2).sum(axis=1) / (R - 1) * n / (n - 1),
        np.where(whole, R - 1.0, 0.0),
        np.full((E, 1), 1 / R),
    )
    return LibraryLayers(replicate, residual_layer(cells, one), np.ones((E, 1)))


def _shared(
    sides: Sequence[RatioCells], columns: Sequence[Mask], W: Array, test: Mask
) -> tuple[Array, Array, Array]:
    """Return what the replicates of two conditions share, as `shared_shifts` of one: the
    squares of the shifts over R (R - 1) are the variance of the difference of means.
    """
    R, K = len(columns[0]), len(W)
    shift, n = np.full((K, R), np.nan), sum(int(x.sum()) for x in columns)
    within, weighed = np.zeros(K), np.zeros(K)
    for cells, own in zip(sides, columns, strict=True):
        used, k = cells.sums(cells.used), int(own.sum())
        mean = cells.sums(cells.ratio) / np.maximum(used, 1)
        mean[used == 0] = np.nan
        found, noise, df = shared_shifts(mean[test], W)
        shift[:, own] = found * np.sqrt(n * (n - 1) / (k * (k - 1)))
        within, weighed = within + noise, weighed + noise**2 / df
    df = np.where(weighed > 0, within**2 / np.where(weighed > 0, weighed, 1.0), 1.0)
    return shift, within, df


def _as_fit(
    joined: xr.Dataset,
    request: FitRequest,
    found: Sequence[_Compared],
    control: str,
    ci_prob: float,
) -> xr.Dataset:
    """Return the Dataset of the comparisons, as `fit` returns it."""
    names = list(dict.fromkeys(joined["condition"].to_numpy().astype(str).tolist()))
    of_arms = len(request.arms) > 1
    cells = [f"{arm} in {x}" if of_arms else x for x in names for arm in request.arms]
    labels = [
        _label(arm if of_arms else "", list(one.of))
        for one in found
        for arm in request.contrasts
    ]
    weight = [
        np.concatenate([one.of.get(name, 0.0) * row for name in names])
        for one in found
        for row in request.weights
    ]
    ace, se, df, measured = (
        np.concatenate([getattr(one, x) for one in found], axis=1)
        for x in ("ace", "se", "df", "measured")
    )
    known = measured.any(axis=1)
    paired = {one.paired for one in found if len(one.of) > 1}
    n_barcodes = _n_barcodes(joined, request, names)
    sums = int(n_barcodes.max()) == 1
    table = effects_dataset(
        joined,
        (ace[known], se[known], df[known]),
        measured[known],
        ci_prob,
        variables={
            "n_barcodes": (("element", "arm"), n_barcodes[known]),
            "weight": (("contrast", "arm"), np.stack(weight)),
            "median_reads": ("condition", _median_reads(joined, names)),
            "replicate_shift": (
                ("contrast", "replicate"),
                np.concatenate([one.shift for one in found]),
            ),
            "replicate_within": ("contrast", np.concatenate([x.within for x in found])),
            "replicate_df": ("contrast", np.concatenate([x.df_within for x in found])),
        },
        coords={
            "element": request.elements[known],
            "contrast": labels,
            "arm": cells,
            "replicate": joined["replicate"].to_numpy(),
            "condition": names,
        },
        group=joined["group"].to_numpy()[request.first_oligos][known].astype(str),
        attrs={
            **attributes(
                method="two_way",
                moderated_rows=int(known.sum()),
                estimand=(
                    "arm by condition: difference between conditions of the difference "
                    "of log2(RNA/DNA) between arms"
                    if of_arms
                    else "difference of log2(RNA/DNA) between conditions, relative to "
                    "the median oligo"
                ),
                null="these barcodes"
                if sums
                else "the barcodes that an oligo might have",
                paired="by barcode" if True in paired else "no",
                n_left_out=int((~known).sum()),
                arms_left_out=", ".join(request.arms_left_out),
            ),
            **({} if of_arms else attributes(control=control)),
            **truncation_of(joined),
        },
    )
    if not of_arms:
        table["library_shift"] = ("contrast", np.array([one.moved for one in found]))
    notes = silence_notes(joined, "log ratios of silent barcodes shrink effects")
    return with_notes(with_summary(table), *notes)


def _label(arm: str, conditions: list[str]) -> str:
    """Return the name of a contrast: "mut in rest", "mut: stim - rest", "stim"."""
    *control, condition = conditions
    if not arm:
        return condition
    return f"{arm}: {condition} - {control[0]}" if control else f"{arm} in {condition}"


def _median_reads(joined: xr.Dataset, names: Sequence[str]) -> Array:
    """Return the RNA reads of the median cell of each condition."""
    _, used = cell_ratios(joined)
    rna, of = joined["rna"].to_numpy(), joined["condition"].to_numpy().astype(str)
    return np.array([np.median(rna[:, of == x][used[:, of == x]]) for x in names])


def _n_barcodes(joined: xr.Dataset, request: FitRequest, names: Sequence[str]) -> Ints:
    """Return the barcodes with DNA in each condition, of each arm, (E, C A)."""
    _, used = cell_ratios(joined)
    E, A = request.oligos.shape
    group = request.element * A + request.arm
    of = joined["condition"].to_numpy()
    found = [
        np.bincount(
            group[(request.element >= 0) & used[:, of == name].any(axis=1)],
            minlength=E * A,
        )
        for name in names
    ]
    return np.concatenate([x.reshape(E, A) for x in found], axis=1)
