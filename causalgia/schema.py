"""Schema of all Datasets: their variables, dims, types and meanings.

The same rows validate a Dataset (`validate`), annotate its variables (`annotate`) and
generate the reference page. The schema is the only interface between trials, which
write `outcomes`, and inference, which reads them.
"""

from __future__ import annotations

from itertools import pairwise
from numbers import Number
from os import PathLike
from typing import TYPE_CHECKING, get_args

import numpy as np

from causalgia.attributes import About, has
from causalgia.checks import nearest
from causalgia.errors import OutcomesError, quoted, quoted_path, type_in_words
from causalgia.lazy_names import naming_arguments, of_module
from causalgia.numerics.row_blocks import first_where, is_finite
from causalgia.variables import SCHEMA, Kind, Variable

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "SCHEMA",
    "Kind",
    "Variable",
    "annotate",
    "check_no_positions",
    "keeps_effects",
    "validate",
]


if not TYPE_CHECKING:  # which would take any name
    __getattr__, __dir__ = of_module(__name__)


_REQUIRED_DIMS: dict[Kind, tuple[str, ...]] = {
    "sequences": ("unit", "position"),
    "outcomes": ("unit", "task"),
    "effects": ("unit", "contrast", "task"),
    "moments": ("contrast", "task"),
    "estimates": ("contrast", "task"),
    "decisions": ("contrast", "task"),
    "tipping": ("shift", "side", "contrast", "task"),
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


@naming_arguments
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
    OutcomesError
        If the kind is unknown, it is not a Dataset, a variable or dim is absent or of
        another shape or dtype than in the schema, names in a coordinate repeat, or a
        value is not finite. The message names the variable.

    Examples
    --------
    >>> import xarray as xr
    >>> validate(xr.Dataset(), "outcomes")
    Traceback (most recent call last):
    ...
    causalgia.errors.OutcomesError: outcomes: no dim 'unit'; a Dataset from cg.run or cg.from_frame has it
    """
    check_dataset(dataset, kind)
    if kind in _OF_POSITIONS and not positions:
        check_no_positions(dataset, kind)
    if kind in ("estimates", "decisions"):
        dataset = with_selected_dims(dataset, kind)
    gaps = _gaps_allowed(dataset, kind, gaps)
    for dim in _REQUIRED_DIMS[kind]:
        if dim not in dataset.dims:
            raise OutcomesError(
                f"{kind}: no dim {quoted(dim)}{_reason_and_cure(dataset, dim, kind)}"
            )
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
        raise OutcomesError(
            "outcomes: no variable "
            f"'outcome'{_reason_and_cure(dataset, 'outcome', kind)}"
        )
    if kind == "effects" and not (
        "ice" in dataset or gaps or {"outcome", "assigned"} <= set(dataset.variables)
    ):
        raise OutcomesError(
            "effects: neither 'ice' (crossover) nor 'outcome' and 'assigned' "
            "(parallel); use ``cg.contrast``"
        )
    for row in SCHEMA:
        if kind not in row.datasets:
            continue
        if row.name in dataset.variables:
            array = _with_finite_limits(dataset, row.name)
            array = array.fillna(0.0) if gaps and row.name == "outcome" else array
            _validate_variable(array, row, kind)
        elif row.required:
            raise OutcomesError(
                f"{kind}: no variable {quoted(row.name)} "
                f"({row.meaning}){_reason_and_cure(dataset, row.name, kind)}"
            )
    if kind not in {"effects", "moments", "estimates", "decisions"}:
        return dataset
    from causalgia.effect_table import as_effect_table

    return as_effect_table(dataset)


OF_MAPS = (
    "these are maps of ``cg.attribute``, and a position of a map has no estimate; "
    "average them over the instances of a motif, ``cg.attribution.average(maps, "
    "'TGCATG')``, or test the motifs that they suggest: ``cg.propose(maps, "
    "predictor=..., rng=0)`` and ``cg.experiments.proposals``"
)


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
    import xarray as xr

    return xr.Dataset(made, coords, dataset.attrs)


def check_no_average_map(estimates: object, call: str) -> None:
    """Raise OutcomesError for the average of maps at the positions of a motif, where
    rows would get probabilities.
    """
    attrs = getattr(estimates, "attrs", {})
    if has(attrs).map_method and "motif_position" in getattr(estimates, "coords", {}):
        raise OutcomesError(
            f"{call}: these are averages of maps, and a position of a motif has an "
            "interval and no probability (docs/decisions/0022): read lower and upper, "
            "``cg.simultaneous(average, method='dunnett')`` for all positions "
            "together, or test the letters of a motif by a trial, "
            "``cg.experiments.motif_mutagenesis(null, motif=...)``"
        )


@naming_arguments
def check_no_positions(dataset: xr.Dataset, kind: str) -> None:
    """Raise OutcomesError for curves, with a dim position, where one number for each
    task is needed.

    Examples
    --------
    >>> import xarray as xr
    >>> check_no_positions(xr.Dataset({"ace": ("position", [1.0])}), "estimates")
    Traceback (most recent call last):
    ...
    causalgia.errors.OutcomesError: estimates: they have a dim 'position', and one number for each task is needed ...
    """
    if {"score", "observed"} <= {*dataset.variables}:
        raise OutcomesError(f"{kind}: {OF_MAPS}")
    if "position" in dataset.dims:
        raise OutcomesError(
            f"{kind}: they have a dim 'position', and one number for each task is "
            "needed here; read windows of the track out, ``cg.TorchPredictor(..., "
            "track=, reduce=[cg.Window('TSS', -50, 50)])``, or take one position, "
            ".isel(position=...). Curves have ``cg.contrast``, ``cg.estimate``, "
            "``cg.simultaneous(over='position')`` and ``cg.report``"
        )


def _gaps_allowed(dataset: xr.Dataset, kind: Kind, gaps: bool) -> bool:
    """Return whether a Dataset has gaps; raise OutcomesError where every unit is needed
    under every arm.
    """
    if kind not in ("outcomes", "effects"):
        return False
    from causalgia.effect_table import gaps_in_words, has_gaps

    if not has_gaps(dataset):
        return False
    if not gaps:
        takes = "``cg.estimate`` takes these effects, and what follows it its estimates"
        takes = (
            takes
            if kind == "effects"
            else "``cg.contrast`` and ``cg.analyze`` take this table as it is"
        )
        raise OutcomesError(
            f"{kind}: {gaps_in_words(dataset)}, so that some units have no individual "
            f"effects, and here those of every unit are needed; {takes}, or use the "
            "units with every arm: outcomes.dropna('unit')"
        )
    return True


def _reason_and_cure(dataset: xr.Dataset, lacking: str, kind: Kind) -> str:
    """Return why a Dataset lacks a dim or variable, and what to do: it is of another
    kind, or one name was selected.
    """
    if lacking in dataset.coords and not dataset[lacking].dims:
        return (
            ", because one was selected; a list keeps it: "
            f".sel({lacking}=[{quoted(dataset[lacking].item())}])"
        )
    contrasted = {"ice", "ice_mean"} & {*dataset.variables} or (
        "outcome" in dataset and "contrast" in dataset.dims
    )
    if kind in ("effects", "outcomes") and "ace" in dataset:
        return (
            "; these are estimates already: give them to ``cg.adjust``, ``cg.infer`` "
            "or ``cg.decide``"
        )
    if kind == "outcomes" and contrasted:
        return (
            "; these are effects already: give them to ``cg.estimate``. Other "
            "contrasts of arms or tasks need the outcomes: run the trial without "
            "``keep=``, or with an analysis that asks for them"
        )
    if kind == "effects" and "outcome" in dataset and not contrasted:
        return (
            "; these are outcomes: contrast them first, effects = "
            "``cg.contrast(outcomes, control=...)``"
        )
    if kind == "estimates" and (contrasted or "outcome" in dataset):
        kinds, given = (
            ("effects", "effects")
            if contrasted
            else ("outcomes", "cg.contrast(outcomes, control=...)")
        )
        return (
            f"; these are {kinds}: estimate first, estimates = ``cg.estimate({given})``"
        )
    return f"; a Dataset from {_MAKERS[kind]} has it"


def check_dataset(dataset: object, kind: Kind) -> None:
    """Raise OutcomesError if a kind is unknown, or a value is not an xarray Dataset."""
    import xarray as xr

    if kind not in get_args(Kind):
        kinds = list(get_args(Kind))
        near = (
            nearest(str(kind), kinds) or f"; use one of {', '.join(map(quoted, kinds))}"
        )
        raise OutcomesError(f"``kind={quoted(kind)}`` is not a kind of Dataset{near}")
    if not isinstance(dataset, xr.Dataset):
        raise OutcomesError(
            f"{kind}: not an xarray Dataset but {type_in_words(dataset)}; "
            f"{_cure_of_other(dataset, kind)}"
        )


def _cure_of_other(given: object, kind: Kind) -> str:
    """Return how a Dataset is made of what was given in its place: a path, a table."""
    if isinstance(given, str | PathLike):
        return (
            f"read it: causalgia.store.load({quoted_path(given)}, {quoted(kind)}), or "
            "``cg.open`` for a trial on disk"
        )
    if hasattr(given, "columns") and kind in _OF_TABLES:
        return f"make one of a table with {_OF_TABLES[kind]}"
    return f"take one from {_MAKERS[kind]}"


_MAKERS: dict[Kind, str] = {
    "sequences": "null.sample",
    "outcomes": "``cg.run`` or ``cg.from_frame``",
    "effects": "``cg.contrast``",
    "moments": '``cg.run(..., keep="moments")``',
    "estimates": "``cg.estimate`` or ``cg.from_effects``",
    "decisions": "``cg.decide``",
    "tipping": "``cg.tipping_point``",
    "library": "``cg.mpra.library``",
    "counts": "``cg.mpra.read_counts``",
    "attributions": "``cg.attribute``",
    "sites": "``cg.attribution.against_trial``",
    "proposals": "``cg.propose``",
    "filters": "``cg.attribution.filters``",
    "matches": "``cg.attribution.match``",
    "attention": "``cg.attribution.attention``",
    "refutations": "``cg.refute``",
}


_OF_TABLES: dict[Kind, str] = {
    "outcomes": "``cg.from_frame``",
    "effects": "``cg.from_frame``, and contrast that with ``cg.contrast``",
    "estimates": "``cg.from_effects``, if it has effects with standard errors",
}


@naming_arguments
def keeps_effects(dataset: object) -> bool:
    """Return whether a Dataset contains effects or their moments, with or without
    outcomes.

    Examples
    --------
    >>> import xarray as xr
    >>> keeps_effects(xr.Dataset({"ice_mean": (("contrast", "task"), [[1.0]])}))
    True
    """
    import xarray as xr

    return isinstance(dataset, xr.Dataset) and (
        "ice" in dataset or "ice_mean" in dataset
    )


_HIERARCHICAL = (
    "shrunken",
    "shrunken_lower",
    "shrunken_upper",
    "lfsr",
    "lfsr_alone",
    "p_zero",
)
"""Columns of decisions that are NaN for rows that are not shrunken."""


def _with_finite_limits(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable, with 0 for infinite limits that are marked in ``unbounded``,
    and for hierarchical sizes of rows that are not shrunken.
    """
    side = name.removesuffix("_tost")
    if name in _HIERARCHICAL and "shrunken" in dataset:
        return dataset[name].where(dataset["shrunken"].notnull(), 0.0)
    array, end = dataset[name], {"lower": -np.inf, "upper": np.inf}.get(side)
    if (
        end is None
        or "unbounded" not in dataset
        or dataset["unbounded"].dims != array.dims
    ):
        return array
    return array.where(~(dataset["unbounded"].astype(bool) & (array == end)), 0.0)


_OF_POSITIONS = ("outcomes", "effects", "moments", "estimates", "decisions")


def _validate_variable(array: xr.DataArray, row: Variable, kind: Kind) -> None:
    dims = tuple(map(str, array.dims))
    if kind in _OF_POSITIONS and ("position", "task") in pairwise(dims):
        dims = tuple(dim for dim in dims if dim != "position")
    if dims not in row.dims:
        wrong = f"{array.dims}, not {' or '.join(map(str, row.dims))}"
        turned = any(sorted(dims) == sorted(map(str, legal)) for legal in row.dims)
        own = (
            "if it is your own, give it another name: "
            f".rename({row.name}={quoted(f'my_{row.name}')})"
        )
        selected = next(
            (
                dim
                for legal in row.dims
                for dim in legal
                if dim not in dims
                and dim in array.coords
                and not array.coords[dim].ndim
            ),
            None,
        )
        cure = "transpose or rename them" if turned or row.required else own
        if selected is not None:
            name = quoted(array.coords[selected].item())
            cure = f"one {selected} was selected; a list keeps it: .sel({selected}=[{name}])"
        raise OutcomesError(f"{kind}: {quoted(row.name)} has dims {wrong}; {cure}")
    if row.dtype != "*" and array.dtype.kind not in {"U": "UOT", "i": "iu"}.get(
        row.dtype, row.dtype
    ):
        dtypes = f"{array.dtype}, not kind {quoted(row.dtype)}"
        own = f", or, if it is your own, .rename({row.name}={quoted(f'my_{row.name}')})"
        raise OutcomesError(
            f"{kind}: {quoted(row.name)} has dtype {dtypes}; cast it first"
            f"{'' if row.required else own}"
        )
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
            raise OutcomesError(
                f"{kind}: {quoted(row.name)} of {dims[0]} {odd} is {value!s}, and not "
                "text; fill it in, or leave the row out"
            )
    if row.dtype == "f" and not is_finite(array.data):
        value, where = first_where(array.data, lambda block: ~np.isfinite(block))
        labels = ", ".join(
            f"{dim} {array[dim].to_numpy()[i]!s}"
            if dim in array.coords
            else f"{dim} {i}"
            for dim, i in zip(array.dims, where, strict=True)
        )
        raise OutcomesError(
            f"{kind}: {quoted(row.name)} has {value!s} at {labels}; repair it where it "
            "arose"
        )


def _validate_counts(counts: xr.Dataset) -> None:
    """Raise OutcomesError for reads below 0, or barcodes of absent oligos, as after
    selecting oligos alone.
    """
    for name in ("dna", "rna", "dna_total", "rna_total"):
        if (
            name in counts
            and counts[name].dtype.kind == "i"
            and (counts[name].to_numpy() < 0).any()
        ):
            raise OutcomesError(
                f"``counts``: {quoted(name)} has {counts[name].to_numpy().min()}, and "
                "reads are counted from 0; give the counts as they were read"
            )
    place = counts["oligo_index"].to_numpy() if "oligo_index" in counts else np.zeros(0)
    if place.size and not 0 <= place.min() <= place.max() < counts.sizes["oligo"]:
        raise OutcomesError(
            "``counts``: 'oligo_index' has "
            f"{place.max() if place.min() >= 0 else place.min()}, and there are "
            f"{counts.sizes['oligo']:,} oligos; select them with their barcodes: "
            "``cg.mpra.filter``, or ``arm_names=``"
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
        raise OutcomesError(
            f"{kind}: no {name} at all; the selection before left none: select at "
            "least one"
        )
    if name not in dataset.coords or dataset.variables[name].dims != (name,):
        return
    values = dataset.variables[name].to_numpy()
    import pandas as pd

    absent = pd.isna(values) if values.dtype.kind in "fO" else np.zeros(0, dtype=bool)
    if absent.any():
        raise OutcomesError(
            f"{kind}: {name} {int(absent.argmax())} has no name, but "
            f"{values[absent][0]!s}; give it one"
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
            raise OutcomesError(
                f"{kind}: {name} {odd} is {quoted(values[odd])}, and names are text or "
                "numbers; rename it"
            )
    if values.dtype.kind in "iu" and (values[1:] > values[:-1]).all():
        return
    if (
        values.dtype.kind in "iuU"
        and name in dataset.indexes
        and dataset.indexes[name].is_unique
    ):
        return
    labels, counts = np.unique(
        values.astype(str) if values.dtype == object else values, return_counts=True
    )
    if (counts > 1).any():
        raise OutcomesError(
            f"{kind}: {name} {labels[counts > 1][0]!s} appears {counts.max()} times; "
            f"make the names of {quoted(name)} unique"
        )


@naming_arguments
def annotate(dataset: xr.Dataset) -> xr.Dataset:
    """Return the Dataset with ``attrs['meaning']`` for each variable of the schema."""
    for row in SCHEMA:
        if row.name not in dataset.variables:
            continue
        variable = dataset.variables[row.name]
        dims = tuple(map(str, variable.dims))
        if (
            dims in row.dims
            or tuple(dim for dim in dims if dim != "position") in row.dims
        ):
            variable.attrs.setdefault(About.meaning.name, row.meaning)
    return dataset
