"""Schema of all Datasets: their variables, dims, types and meanings.

The same rows validate a Dataset (`validate`), annotate its variables (`annotate`) and
generate the reference page. The schema is the only interface between trials, which
write `outcomes`, and inference, which reads them.
"""

from __future__ import annotations

from itertools import pairwise
from numbers import Number
from typing import get_args

import numpy as np
import xarray as xr

from causalgia.attributes import About, has
from causalgia.checks import nearest
from causalgia.errors import DataError, quoted, type_in_words
from causalgia.numerics.row_blocks import first_where, is_finite
from causalgia.variables import RESERVED, SCHEMA, Kind, Variable

__all__ = [
    "SCHEMA",
    "Kind",
    "Variable",
    "annotate",
    "check_no_positions",
    "keeps_effects",
    "validate",
]


_REQUIRED_DIMS: dict[Kind, tuple[str, ...]] = {
    "sequences": ("unit", "position"),
    "outcomes": ("unit", "task"),
    "effects": ("unit", "contrast", "task"),
    "moments": ("contrast", "task"),
    "estimates": ("contrast", "task"),
    "decisions": ("contrast", "task"),
    "tipping": ("shift", "side", "contrast", "task"),
    "moderation": ("contrast", "task"),
    "library": ("row",),
    "counts": ("barcode", "replicate", "oligo"),
    "attributions": ("unit", "position", "task"),
    "sites": ("site", "task"),
    "proposals": ("pattern", "motif_position", "base", "unit", "task"),
    "filters": ("channel", "motif_position", "base"),
    "matches": ("motif", "target"),
    "attention": ("unit", "query", "key"),
    "refutations": ("check",),
}


def validate(
    dataset: xr.Dataset, kind: Kind, *, positions: bool = False, gaps: bool = False
) -> xr.Dataset:
    """Check a Dataset against the schema and return it; effects as
    `causalgia.effect_table.EffectTable`.

    Lazy variables (dask) are read once, a few blocks at a time. Estimates and decisions
    of one contrast or task, selected or squeezed, have that dim again.

    Parameters
    ----------
    dataset
        The Dataset to check.
    kind
        What it holds.
    positions
        Whether outcomes, effects, moments and estimates may have a dim ``position``
        before ``task``, as those of a predictor with a `causalgia.Track` have.
    gaps
        Whether outcomes and effects may lack cells of units by arms, as those of
        `causalgia.from_frame` may.

    Returns
    -------
    Dataset
        The same Dataset; effects, moments, estimates and decisions as
        `causalgia.effect_table.EffectTable`.

    Raises
    ------
    DataError
        If the kind is unknown, it is not a Dataset, a variable or dim is absent or of
        another shape or dtype than in the schema, names in a coordinate repeat, or a
        value is not finite. The message names the variable.

    Examples
    --------
    >>> import xarray as xr
    >>> validate(xr.Dataset(), "outcomes")
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: outcomes: no dim 'unit'
    """
    check_dataset(dataset, kind)
    if kind in _OF_POSITIONS and not positions:
        check_no_positions(dataset, kind)
    if kind in ("estimates", "decisions"):
        dataset = with_selected_dims(dataset, kind)
    gaps = _gaps_allowed(dataset, kind, gaps)
    if kind in ("outcomes", "effects"):
        _check_own_names(dataset, kind)
    for dim in _REQUIRED_DIMS[kind]:
        if dim not in dataset.dims:
            raise DataError(f"{kind}: no dim {quoted(dim)}")
    for name in (
        "unit",
        "arm",
        "contrast",
        "task",
        "model",
        "barcode",
        "oligo",
        "replicate",
        "check",
    ):
        _validate_names(dataset, name, kind)
    if kind == "counts":
        _validate_counts(dataset)
    if kind == "outcomes" and "outcome" not in dataset:
        raise DataError("outcomes: no variable 'outcome'")
    if kind == "effects" and not (
        "ice" in dataset or gaps or {"outcome", "assigned"} <= set(dataset.variables)
    ):
        raise DataError(
            "effects: neither 'ice' (crossover) nor 'outcome' and 'assigned' (parallel)"
        )
    variables = dataset.variables
    for row in SCHEMA:
        if kind not in row.datasets:
            continue
        if row.name in variables:
            _validate_variable(dataset, row, kind, gaps=gaps)
        elif row.required:
            raise DataError(f"{kind}: no variable {quoted(row.name)} ({row.meaning})")
    if kind not in {"effects", "moments", "estimates", "decisions"}:
        return dataset
    from causalgia.effect_table import as_effect_table

    return as_effect_table(dataset)


OF_MAPS = "these are maps of cg.attribute, and a position of a map has no estimate"


def with_selected_dims(dataset: xr.Dataset, kind: Kind) -> xr.Dataset:
    """Return a Dataset with the dims that a selection of one contrast, task or unit
    dropped: ``decisions.sel(task="K562")``, ``decisions.squeeze()``.

    Parameters
    ----------
    dataset
        Outcomes, effects, moments, estimates or decisions.
    kind
        Which of these.

    Examples
    --------
    >>> import xarray as xr
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "task"), [[1.0, 2.0]])},
    ...     {"unit": [0], "task": ["K562", "HepG2"]},
    ... )
    >>> one = outcomes.sel(task="K562")
    >>> dict(with_selected_dims(one, "outcomes")["outcome"].sizes)
    {'unit': 1, 'task': 1}
    """
    dropped = [
        dim
        for dim in (*_REQUIRED_DIMS[kind], "arm")
        if dim not in dataset.dims and dim in dataset.coords and not dataset[dim].ndim
    ]
    if not dropped:
        return dataset
    known: dict[str, tuple[tuple[str, ...], ...]] = {}
    decided = {"estimates", "decisions"}
    same: set[str] = decided if kind in decided else {kind}
    for row in SCHEMA:
        if same & {*row.datasets}:
            known[row.name] = known.get(row.name, ()) + row.dims
    made = {}
    for name, variable in dataset.variables.items():
        # of others a scalar, such as a number of copies, is the contrast's
        other = ("contrast",) if "contrast" in dropped else ()
        valid = known.get(str(name), (() if variable.dims else other,))
        dims = (
            (name,)
            if name in dropped
            else variable.dims
            if variable.dims in valid
            else next(
                (
                    of
                    for of in valid
                    if {*of} - {*dropped} == {*variable.dims} - {*dropped}
                ),
                variable.dims,
            )
        )
        sizes = {str(dim): dataset.sizes.get(dim, 1) for dim in dims}
        made[name] = variable.set_dims(sizes)  # type: ignore[no-untyped-call]
    coords = {name: made.pop(name) for name in dataset.coords}
    return xr.Dataset(made, coords, dataset.attrs)


def check_no_average_map(estimates: object, call: str) -> None:
    """Raise DataError for the average of maps at the positions of a motif, where
    rows would get probabilities.
    """
    attrs = getattr(estimates, "attrs", {})
    if has(attrs).map_method and "motif_position" in getattr(estimates, "coords", {}):
        raise DataError(
            f"{call}: these are averages of maps, and a position of a motif has an "
            "interval and no probability"
        )


def check_no_positions(dataset: xr.Dataset, kind: str) -> None:
    """Raise DataError for curves, with a dim position, where one number for each
    task is needed.

    Examples
    --------
    >>> import xarray as xr
    >>> check_no_positions(xr.Dataset({"ace": ("position", [1.0])}), "estimates")
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: estimates: they have a dim 'position', and one number for each task is needed ...
    """
    if {"score", "observed"} <= {*dataset.variables}:
        raise DataError(f"{kind}: {OF_MAPS}")
    if "position" in dataset.dims:
        raise DataError(
            f"{kind}: they have a dim 'position', and one number for each task is "
            "needed here"
        )


def _gaps_allowed(dataset: xr.Dataset, kind: Kind, gaps: bool) -> bool:
    """Return whether a Dataset has gaps; raise DataError where every unit is needed
    under every arm.
    """
    if kind not in ("outcomes", "effects"):
        return False
    from causalgia.effect_table import gaps_in_words, has_gaps

    if not has_gaps(dataset):
        return False
    if not gaps:
        raise DataError(
            f"{kind}: {gaps_in_words(dataset)}, and here every cell is needed"
        )
    return True


def check_dataset(dataset: object, kind: Kind) -> None:
    """Raise DataError if a kind is unknown, or a value is not an xarray Dataset."""
    if kind not in get_args(Kind):
        kinds = list(get_args(Kind))
        raise DataError(
            f"kind={quoted(kind)} is not one of {', '.join(kinds)}{nearest(str(kind), kinds)}"
        )
    if not isinstance(dataset, xr.Dataset):
        raise DataError(f"{kind}: not an xarray Dataset but {type_in_words(dataset)}")


def keeps_effects(dataset: object) -> bool:
    """Return whether a Dataset contains effects or their moments, with or without
    outcomes.

    Examples
    --------
    >>> import xarray as xr
    >>> keeps_effects(xr.Dataset({"ice_mean": (("contrast", "task"), [[1.0]])}))
    True
    """
    return isinstance(dataset, xr.Dataset) and (
        "ice" in dataset.data_vars or "ice_mean" in dataset.data_vars
    )


_HIERARCHICAL = (
    "shrunken",
    "shrunken_lower",
    "shrunken_upper",
    "lfsr",
    "lfsr_alone",
)
"""Columns of decisions that are NaN for rows that are not shrunken."""


def _with_allowed_gaps(dataset: xr.Dataset, name: str, *, gaps: bool) -> xr.DataArray:
    """Return a variable with 0 in the place of what need not be a number: infinite
    limits that are marked in ``unbounded``, hierarchical sizes of rows that are not
    shrunken, rows without a verdict to undo, cells of a table with gaps, and effects
    that were not measured.
    """
    from causalgia.effect_table import is_folded

    array, ends = dataset[name], {"lower": -np.inf, "upper": np.inf}
    if name in _HIERARCHICAL and "shrunken" in dataset:
        array = array.where(dataset["shrunken"].notnull(), 0.0)
    elif name in ("reversal", "first_outcome") or (gaps and name == "outcome"):
        array = array.fillna(0.0)
    elif name in ("outcome", "ice") and "assigned" not in dataset:
        # bases of a track that an arm lacks
        if "position" in array.dims or is_folded(dataset):
            array = array.fillna(0.0)
    elif name in ("rope_lower", "rope_upper"):  # of a region of one side
        array = array.where(~np.isinf(array), 0.0)
    elif (
        name in ends
        and "unbounded" in dataset
        and dataset["unbounded"].dims == array.dims
    ):
        marked = dataset["unbounded"].astype(bool) & (array == ends[name])
        array = array.where(~marked, 0.0)
    if "measured" in dataset and set(dataset["measured"].dims) <= set(array.dims):
        known = array.where(dataset["measured"].astype(bool), 0.0)
        array = known.transpose(*array.dims)
    return array


_OF_POSITIONS = ("outcomes", "effects", "moments", "estimates", "decisions")


def _check_own_names(dataset: xr.Dataset, kind: Kind) -> None:
    """Raise DataError for a coordinate whose name the schema has for something on other
    dims.
    """
    for name, coordinate in dataset.coords.items():
        if name not in RESERVED or (dims := coordinate.dims) == (name,):
            continue
        known = [of for row in SCHEMA if row.name == name for of in row.dims]
        if name == "assigned" and "arm" in dataset.get("outcome", coordinate).dims:
            known = []  # every unit has every arm
        # a selection keeps what was on the dims that it took
        selected = [of for of in known if not {*of} & {*dataset.dims}]
        if tuple(dim for dim in dims if dim != "position") not in known and (
            dims or (known and not selected)
        ):
            raise DataError(
                f"{kind}: a coordinate {quoted(str(name))}, and a Dataset "
                "of outcomes means something else by that name; rename it"
            )


def _validate_variable(
    dataset: xr.Dataset, row: Variable, kind: Kind, *, gaps: bool
) -> None:
    array = dataset.variables[row.name]
    dims = tuple(map(str, array.dims))
    if kind in _OF_POSITIONS and ("position", "task") in pairwise(dims):
        dims = tuple(dim for dim in dims if dim != "position")
    if dims not in row.dims:
        wrong = f"{array.dims}, not {' or '.join(map(str, row.dims))}"
        raise DataError(f"{kind}: {quoted(row.name)} has dims {wrong}")
    if row.dtype != "*" and array.dtype.kind not in {"U": "UOT", "i": "iu"}.get(
        row.dtype, row.dtype
    ):
        dtypes = f"{array.dtype}, not kind {quoted(row.dtype)}"
        raise DataError(f"{kind}: {quoted(row.name)} has dtype {dtypes}")
    if kind in ("library", "counts") and row.dtype == "U" and array.dtype.kind == "O":
        odd = next(
            (
                i
                for i, value in enumerate(array.to_numpy().flat)
                if not isinstance(value, str)
            ),
            None,
        )
        if odd is not None:
            value = array.to_numpy().flat[odd]
            raise DataError(
                f"{kind}: {quoted(row.name)} of {dims[0]} {odd} is {value}, and not "
                "text"
            )
    if row.dtype != "f" or is_finite(array.data):
        return
    numbers = _with_allowed_gaps(dataset, row.name, gaps=gaps)
    if not is_finite(numbers.data):
        value, where = first_where(numbers.data, lambda block: ~np.isfinite(block))
        labels = ", ".join(
            f"{dim} {numbers[dim].to_numpy()[i]!s}"
            if dim in numbers.coords
            else f"{dim} {i}"
            for dim, i in zip(numbers.dims, where, strict=True)
        )
        raise DataError(f"{kind}: {quoted(row.name)} has {value} at {labels}")


def _validate_counts(counts: xr.Dataset) -> None:
    """Raise DataError for reads below 0, or barcodes of absent oligos, as after
    selecting oligos alone.
    """
    for name in ("dna", "rna", "dna_total", "rna_total"):
        if (
            name in counts
            and counts[name].dtype.kind == "i"
            and (counts[name].to_numpy() < 0).any()
        ):
            raise DataError(
                f"counts: {quoted(name)} has {counts[name].to_numpy().min()}, and "
                "reads are counted from 0"
            )
    place = counts["oligo_index"].to_numpy() if "oligo_index" in counts else np.zeros(0)
    if place.size and not 0 <= place.min() <= place.max() < counts.sizes["oligo"]:
        raise DataError(
            "counts: 'oligo_index' has "
            f"{place.max() if place.min() >= 0 else place.min()}, and there are "
            f"{counts.sizes['oligo']:,} oligos"
        )


def _validate_names(dataset: xr.Dataset, name: str, kind: Kind) -> None:
    if dataset.sizes.get(name) == 0 and name in (
        "arm",
        "contrast",
        "task",
        "model",
        "barcode",
        "oligo",
        "replicate",
    ):
        raise DataError(
            f"{kind}: no {name} at all; the selection before left none: select at "
            "least one"
        )
    if name not in dataset.coords or dataset.variables[name].dims != (name,):
        return
    values = dataset.variables[name].to_numpy()
    import pandas as pd

    absent = pd.isna(values) if values.dtype.kind in "fO" else np.zeros(0, dtype=bool)
    if absent.any():
        raise DataError(
            f"{kind}: {name} {int(absent.argmax())} has no name, but "
            f"{values[absent][0]}"
        )
    if values.dtype.kind == "O":
        odd = next(
            (
                i
                for i, value in enumerate(values)
                if not isinstance(value, str | bytes | Number)
            ),
            None,
        )
        if odd is not None:
            raise DataError(
                f"{kind}: {name} {odd} is {quoted(values[odd])}, and names are text or "
                "numbers"
            )
    if values.dtype.kind in "iu" and (values[1:] > values[:-1]).all():
        return
    if values.dtype.kind in "iuU" and dataset.variables[name].to_index().is_unique:
        return
    labels, counts = np.unique(
        values.astype(str) if values.dtype == object else values, return_counts=True
    )
    if (counts > 1).any():
        raise DataError(
            f"{kind}: {name} {labels[counts > 1][0]} appears {counts.max()} times"
        )


def annotate(dataset: xr.Dataset) -> xr.Dataset:
    """Return the Dataset with ``attrs['meaning']`` for each variable of the schema.

    Examples
    --------
    >>> dataset = xr.Dataset({"se": (("contrast", "task"), [[0.1]])})
    >>> annotate(dataset)["se"].attrs["meaning"]
    "standard error of the ACE for attrs['target']"
    """
    variables = dataset.variables
    for row in SCHEMA:
        if row.name not in variables:
            continue
        variable = variables[row.name]
        dims = tuple(map(str, variable.dims))
        if (
            dims in row.dims
            or tuple(dim for dim in dims if dim != "position") in row.dims
        ):
            variable.attrs.setdefault(About.meaning.name, row.meaning)
    return dataset
