"""Sums over barcodes, and log2 activities as outcomes of a trial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.errors import DataError, comma_list, quoted
from causalgia.mpra.counts.barcodes import (
    OligoMeans,
    as_arms,
    cell_ratios,
    dna_observed,
    group_sums,
    n_barcodes_observed,
    oligo_means,
    oligo_variances,
    sampling_covariance,
    silence_notes,
)
from causalgia.mpra.counts.counts_table import (
    CONTROLS,
    check_one_condition,
    library_attrs,
    of_batches,
)
from causalgia.mpra.counts.cutoffs import cutoff, truncation_attrs, truncation_factor
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import validate
from causalgia.types import Array, Ints, Mask

READS = 1e7
MAD_TO_SD = 1.4826


def aggregate(counts: xr.Dataset) -> xr.Dataset:
    """Sum the barcodes of every oligo in every replicate.

    Abundant barcodes weigh more in a sum; `outcomes` counts each once.

    Parameters
    ----------
    counts
        Of kind ``counts``.

    Returns
    -------
    Dataset
        On (oligo, replicate), with the oligos' element, arm and group:
        ``dna_counts, rna_counts`` (an empty cell adds nothing), ``n_bc`` (barcodes with
        DNA above 0), ``dna_normalized, rna_normalized`` (per million reads of the
        library) and ``log2_ratio = log2(1e7 rna / rna_total + 1) - log2(1e7 dna /
        dna_total + 1)``. One plasmid pool is the DNA of every replicate.

    Raises
    ------
    DataError
        If the Dataset is not of kind ``counts``.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import two_arms
    >>> aggregate(two_arms())[["dna_counts", "n_bc"]].isel(replicate=0).to_dataframe()[
    ...     ["dna_counts", "n_bc"]
    ... ]
             dna_counts  n_bc
    oligo
    u1_cont          30     2
    u1_gata          25     2
    """
    validate(counts, "counts")
    shape = counts["rna"].shape
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    dna, rna = (counts[name].to_numpy().reshape(len(of), -1) for name in ("dna", "rna"))
    dna, observed = (
        np.broadcast_to(x, shape) for x in (dna, dna_observed(counts) & (dna > 0))
    )
    sums = {
        name: np.rint(group_sums(x, of, (n,))).astype(np.int64)
        for name, x in {"dna_counts": dna, "rna_counts": rna, "n_bc": observed}.items()
    }
    totals = {name: counts[f"{name}_total"].to_numpy() for name in ("dna", "rna")}
    shares = {name: sums[f"{name}_counts"] / total for name, total in totals.items()}
    logs = {name: np.log2(share * READS + 1) for name, share in shares.items()}
    found = sums | {f"{name}_normalized": share * 1e6 for name, share in shares.items()}
    found["log2_ratio"] = logs["rna"] - logs["dna"]
    coords = {
        name: counts[name] for name in ("oligo", "replicate", "element", "arm", "group")
    }
    return xr.Dataset(
        {name: (("oligo", "replicate"), x) for name, x in found.items()},
        coords,
        dict(counts.attrs),
    )


def means_of_oligos(counts: xr.Dataset) -> OligoMeans:
    """Return the mean log2(RNA/DNA) of every oligo in every replicate, each barcode
    counting once.
    """
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    return oligo_means(*cell_ratios(counts), of, n)


def truncation_of(counts: xr.Dataset) -> dict[str, Any]:
    """Return what activities say of a table that keeps cells only where RNA was seen;
    {} of others.
    """
    found = cutoff(counts)
    if found is None or not found.shrinks:
        return {}

    def measured(table: xr.Dataset) -> Array:
        means = means_of_oligos(table)
        return np.where(means.n > 0, means.activity, np.nan)

    values = measured(counts)
    factor = truncation_factor(
        counts,
        found,
        values,
        measured,
        lambda change: np.broadcast_to(change[:, None], values.shape),
    )
    return truncation_attrs(found, factor, corrected=False)


def check_oligos_observed(
    counts: xr.Dataset, n: NDArray[np.int64], oligos: NDArray[np.int64]
) -> None:
    """Raise DataError where an oligo (place) has no barcode with DNA in some
    replicate.
    """
    empty = n[oligos] == 0
    if not empty.any():
        return
    *which, r = np.argwhere(empty)[0]
    element, arm = (
        counts[name].to_numpy()[oligos[tuple(which)]] for name in ("element", "arm")
    )
    replicate = counts["replicate"].to_numpy()[r]
    more = int(empty.any(axis=-1).sum()) - 1
    as_in = f", as in {more:,} more oligo{'s' * (more != 1)}" if more else ""
    raise DataError(
        f"element {quoted(element)}, arm {quoted(arm)}: no barcode with DNA in "
        f"replicate {replicate}{as_in}; leave such elements out, in every arm: "
        "cg.mpra.filter(counts, min_barcodes=1)"
    )


Labels: TypeAlias = NDArray[np.str_]
_FITTED = "cg.mpra.average(cg.mpra.fit(counts, ...)) allows for silence"
_SUMMED = (
    "one sum of the barcodes of each oligo does not shrink them where arms fall silent "
    "alike"
)
_SHRUNK = (
    "mean activities count silent barcodes as weak ones, which shrinks differences; "
)
_FIXED_ATTRS = {
    "scale": "log2(RNA/DNA)",
    "effect_on": "measured activity",
    "null": "the population that the elements were drawn from",
}


@usual_errors
def outcomes(
    counts: xr.Dataset,
    *,
    arm_names: str | Sequence[str] | None = None,
    task: str = "activity",
) -> xr.Dataset:
    """Return the activity of every element under every arm, as the outcomes of a trial.

    The activity is log2(RNA/DNA), each count relative to the total of its library.
    Replicates are on the dim ``model``, because an average over elements has two
    errors: that of elements (with their barcodes), and that of replicates, which all
    elements share. `causalgia.estimate` includes both (target
    ``"population x replicates"``, the default of these outcomes):
    ``se^2 = (tau^2 + se_unit^2) / n + s2_rc / R``.

    In a parallel library (``assignment="parallel"``, one arm an element) the outcome is
    the mean over replicates of each element, with its arm. The error of
    `causalgia.estimate` then includes differences between elements and their barcodes,
    but not the effect of a replicate on all elements of an arm.

    Silent barcodes have no RNA and a very low log ratio, so mean activities and
    differences between strong and weak arms shrink with their share: a true 2.00 was
    1.96, 1.78 and 1.60 with 5, 10 and 20 % of cells silent. `fit` separates silence
    from low activity, and `average` of it was 2.02 in each: for the average effect in a
    crossover use these. In a parallel library, which `fit` does not take, counts summed
    over the barcodes of an oligo do not shrink (1.99 in each): every arm loses the same
    share of its reads.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    arm_names
        Arms to compare; None: every arm that some element has besides another one;
        where barcodes carry several variants, those that some barcode carries alone.
        Elements that lack an arm (an oligo with DNA in every replicate), and controls of
        the bench (groups negative, positive, promoter, duplicate), are left out and
        counted in ``attrs["left_out"]``. If only controls have these arms (A/A pairs),
        the outcomes are theirs.
    task
        Name of the task in the outcomes.

    Returns
    -------
    Dataset
        ``outcome (unit, arm, task, model)``: units are elements, in the order of the
        side table; ``group (unit)``; ``n_barcodes (unit, arm)``, the fewest of any
        replicate; and ``sampling_covariance (unit, arm, arm_)`` of the mean over
        replicates, from both layers of noise (barcodes of an arm, replicates shared by
        arms), absent where every oligo has one barcode. The mean over replicates is
        that of the barcodes' means. Of a zero-truncated table
        ``attrs["truncation_factor"]``, by which differences shrink.

    Raises
    ------
    DataError
        If an element has two oligos in an arm, or none has every arm, with barcodes with
        DNA in every replicate.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> made = outcomes(simulated())
    >>> made.sizes["unit"], made.attrs["left_out"]
    (20, '{"negative": 10}')
    >>> estimates = cg.estimate(cg.contrast(made, control="control"))
    >>> (
    ...     estimates.attrs["target"],
    ...     estimates["ace"].values.round(2).ravel(),
    ...     estimates["se"].values.round(2).ravel(),
    ... )
    ('population x replicates', array([1.03]), array([0.09]))
    """
    validate(counts, "counts")
    check_one_condition(counts)
    counts = of_batches(counts)
    means = means_of_oligos(counts)
    values, n = means.activity, means.n
    if arm_names is None and "variant" in counts.coords:
        alone = n_barcodes_observed(counts).min(axis=1) > 0
        arm_names = counts["arm"].to_numpy()[alone].tolist()
    if arm_names is not None:
        known = list(dict.fromkeys(counts["arm"].to_numpy().tolist()))
        arm_names = as_arms(arm_names, known)
    alone = parallel_oligos(counts, arm_names)
    if alone is not None:
        check_oligos_observed(counts, n, alone[:, None])
        return _parallel_outcomes(counts, values, alone, arm_names, task)
    names, elements, oligos, left_out = _select_oligos(
        counts, arm_names, n.min(axis=1) > 0
    )
    chosen = values[oligos]
    made = xr.Dataset(
        {"outcome": (("unit", "arm", "task", "model"), chosen[:, :, None, :])},
        coords={
            "unit": elements,
            "arm": names,
            "task": [task],
            "model": counts["replicate"].to_numpy(),
            "group": ("unit", counts["group"].to_numpy()[oligos[:, 0]]),
        },
        attrs=_activity_attrs(counts)
        | _FIXED_ATTRS
        | attributes(model_is="replicates", left_out=left_out),
    )
    made["n_barcodes"] = (("unit", "arm"), n[oligos].min(axis=-1))
    ratios, used = cell_ratios(counts)
    of = counts["oligo_index"].to_numpy()
    if (found := oligo_variances(ratios, used, of, means)) is not None:
        made["sampling_covariance"] = (
            ("unit", "arm", "arm_"),
            sampling_covariance(chosen, found.between[oligos], found.residual[oligos]),
        )
        made = made.assign_coords(arm_=names)
    return as_result(made, "outcomes", *silence_notes(counts, _SHRUNK + _FITTED))


def _parallel_outcomes(
    counts: xr.Dataset,
    values: Array,
    oligos: Ints,
    arm_names: Sequence[str] | None,
    task: str,
) -> xr.Dataset:
    """Return parallel outcomes: the mean over replicates of each element, with its
    arm.
    """
    arm, element, group = (
        counts[name].to_numpy().astype(str) for name in ("arm", "element", "group")
    )
    names = list(dict.fromkeys(arm[oligos].tolist()))
    names = names if arm_names is None else list(arm_names)
    units = element[oligos]
    groups = (
        pd.Series(group, index=element)[~np.isin(element, units)]
        .groupby(level=0, sort=False)
        .first()
    )
    left_out = json.dumps(
        {str(name): int(n) for name, n in groups.value_counts(sort=False).items()}
    )
    made = xr.Dataset(
        {
            "outcome": (("unit", "task"), values[oligos].mean(axis=1)[:, None]),
            "assigned": ("unit", arm[oligos]),
        },
        coords={
            "unit": units,
            "arm": names,
            "task": [task],
            "group": ("unit", group[oligos]),
        },
        attrs=_activity_attrs(counts)
        | _FIXED_ATTRS
        | attributes(assignment="parallel", left_out=left_out),
    )
    return as_result(made, "outcomes", *silence_notes(counts, _SHRUNK + _SUMMED))


def _activity_attrs(counts: xr.Dataset) -> dict[str, Any]:
    own = {
        name: counts.attrs[name]
        for name in ("source", "filters")
        if name in counts.attrs
    }
    return own | library_attrs(counts) | truncation_of(counts)


def _select_oligos(
    counts: xr.Dataset, arm_names: Sequence[str] | None, observed: Mask
) -> tuple[list[str], Labels, Ints, str]:
    """Return arms, elements, the oligo of each under each arm, and (as JSON) the
    left-out elements by group.
    """
    side = pd.DataFrame(
        {
            name: counts[name].to_numpy().astype(str)
            for name in ("element", "arm", "group")
        }
    )
    side["place"] = np.arange(len(side))
    names = _arms_in_several(side) if arm_names is None else list(arm_names)
    groups = side.drop_duplicates("element").set_index("element")["group"]
    side = side[side["arm"].isin(names)]
    twice = side.duplicated(["element", "arm"])
    if twice.any():
        row = side[twice].iloc[0]
        raise DataError(
            f"element {quoted(row['element'])} has two oligos in arm "
            f"{quoted(row['arm'])}; make them two elements"
        )
    wide = (
        side.pivot(index="element", columns="arm", values="place")
        .reindex(columns=names)
        .fillna(-1)
    )
    wide = wide.loc[list(dict.fromkeys(side["element"]))].astype(np.int64)
    there = (wide.to_numpy() >= 0) & observed[wide.to_numpy()]
    has = there.sum(axis=1)
    complete = has == len(names)
    control = np.isin(groups[wide.index].to_numpy(), CONTROLS)
    complete &= ~control | ~(complete & ~control).any()
    if has.max(initial=0) < 2 <= len(names):
        raise DataError(no_element_with_two(names))
    if not complete.any():
        raise DataError(
            "no element has barcodes with DNA in every replicate under every one of "
            f"{comma_list(names)}; arm_names= compares fewer"
        )
    used = wide.index[complete]
    left_out = groups.drop(used).value_counts(sort=False)
    counted = json.dumps({str(group): int(n) for group, n in left_out.items()})
    return names, used.to_numpy().astype(str), wide[complete].to_numpy(), counted


def _arms_in_several(side: pd.DataFrame) -> list[str]:
    """Return the arms of elements with two or more of them; all arms where none has."""
    several = side[side.groupby("element")["arm"].transform("nunique") > 1]
    return list(dict.fromkeys(several["arm"])) or list(dict.fromkeys(side["arm"]))


def no_element_with_two(names: Sequence[str]) -> str:
    """Return that no element has two of these arms, and what can be computed instead.

    Examples
    --------
    >>> no_element_with_two(["test", "negative"]).split(",")[0]
    'no element has oligos under two of test'
    """
    return (
        f"no element has oligos under two of {comma_list(names)}, so "
        "that none has an effect. Where arms share their backgrounds, let the side table give those one "
        "name of an element. The activity of each oligo: `mpra activity`"
    )


def parallel_oligos(
    counts: xr.Dataset, arm_names: Sequence[str] | None = None
) -> Ints | None:
    """Return the oligos (places) of a parallel library; None where an element has two
    of the arms compared.

    Without `arm_names` these are the oligos of group ``test``, else those of the arms
    without declared duplicates.

    Examples
    --------
    >>> from causalgia.mpra import simulate
    >>> arms, groups = ["control", "GATA1", "scramble"], ["test", "test", "negative"]
    >>> table = pd.DataFrame(
    ...     {"element": ["u1", "u2", "n1"], "arm": arms, "group": groups, "log2": 0.0}
    ... )
    >>> counts = simulate(table, rng=0)
    >>> parallel_oligos(counts), parallel_oligos(counts, ["control", "scramble"])
    (array([0, 1]), array([0, 2]))
    """
    arm, group = (
        counts["arm"].to_numpy().astype(str),
        counts["group"].to_numpy().astype(str),
    )
    chosen = (
        group == "test"
        if arm_names is None
        else np.isin(arm, list(arm_names)) & (group != "duplicate")
    )
    places = np.flatnonzero(chosen).astype(np.int64)
    elements = pd.Series(counts["element"].to_numpy()[places])
    if elements.duplicated().any() or len(set(arm[places].tolist())) < 2:
        return None
    return places
