"""Schema of all Datasets: their variables, dims, types and meanings.

The same rows validate a Dataset (`validate`), annotate its variables (`annotate`) and generate the reference page. The
schema is the only interface between trials, which write `outcomes`, and inference, which reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from causalgia.checks import nearest
from causalgia.errors import OutcomesError, quoted
from causalgia.lazy_names import of_module
from causalgia.numerics.row_blocks import first_where, is_finite

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SCHEMA", "Kind", "Variable", "annotate", "keeps_effects", "validate"]

Kind = Literal["sequences", "outcomes", "effects", "moments", "estimates", "decisions", "library", "counts"]


if not TYPE_CHECKING:  # which would take any name
    __getattr__, __dir__ = of_module(__name__)


@dataclass(frozen=True)
class Variable:
    """One row of the schema: Datasets, dims, type and meaning of a variable."""

    name: str
    datasets: tuple[Kind, ...]
    dims: tuple[tuple[str, ...], ...]
    """All valid dims, in order."""
    dtype: str
    """Valid numpy kinds: 'f' float, 'i' integers, 'u' unsigned, 'b' bool, 'U' text, '*' any."""
    meaning: str
    required: bool = False


_EFFECT = (("contrast", "task"), ("contrast", "task", "model"))


def _estimate(
    name: str, meaning: str, *, dtype: str = "f", required: bool = False, decisions: bool = False
) -> Variable:
    kinds: tuple[Kind, ...] = ("estimates", "decisions") if decisions else ("estimates",)
    return Variable(name, kinds, _EFFECT, dtype, meaning, required)


def _moment(name: str, meaning: str, *, dtype: str = "f", required: bool = False) -> Variable:
    return Variable(name, ("moments",), _EFFECT, dtype, meaning, required)


def _decision(name: str, meaning: str, *, dtype: str = "f", required: bool = False) -> Variable:
    return Variable(name, ("decisions",), _EFFECT, dtype, meaning, required)


def _look(name: str, meaning: str) -> Variable:
    dims = (("look", "contrast", "task"), ("look", "contrast", "task", "model"))
    return Variable(name, ("outcomes",), dims, "f", meaning)


def _library(
    name: str, dtype: str, meaning: str, *, dims: tuple[str, ...] = ("row",), required: bool = True
) -> Variable:
    return Variable(name, ("library",), (dims,), dtype, meaning, required)


def _library_summary(name: str, dtype: str, meaning: str, dims: tuple[str, ...]) -> Variable:
    return _library(name, dtype, meaning, dims=dims, required=False)


def _count(name: str, dtype: str, meaning: str) -> Variable:
    dims = (("barcode", "replicate"), ("barcode",)) if name.startswith("dna") else (("barcode", "replicate"),)
    return Variable(name, ("counts",), dims, dtype, meaning, required=True)


def _total_reads(name: str, meaning: str) -> Variable:
    dims = (("replicate",), ()) if name.startswith("dna") else (("replicate",),)
    return Variable(name, ("counts",), dims, "i", meaning, required=True)


def _oligo(name: str, meaning: str) -> Variable:
    return Variable(name, ("counts",), (("oligo",),), "U", meaning, required=True)


SCHEMA: tuple[Variable, ...] = (
    # sequences drawn by a null model
    Variable(
        "sequence",
        ("sequences",),
        (("unit", "position"),),
        "u",
        "tokens of each background: 0 1 2 3 = A C G T",
        required=True,
    ),
    Variable(
        "parent",
        ("sequences", "outcomes", "effects"),
        (("unit",),),
        "*",
        "the source sequence a unit was made from: its FASTA name, else its index; units that share one are dependent",
    ),
    Variable("gc", ("sequences", "outcomes", "effects"), (("unit",),), "f", "share of G and C in the background"),
    # outcomes of a trial
    Variable(
        "outcome",
        ("outcomes", "effects"),
        (
            ("unit", "arm", "task"),
            ("unit", "arm", "task", "model"),
            ("unit", "task"),
            ("unit", "task", "model"),
        ),
        "f",
        "potential outcome Y(arm), on attrs['scale']; without the arm dim where each unit received one arm",
    ),
    Variable(
        "sampling_covariance",
        ("outcomes",),
        (("unit", "arm", "arm_"),),
        "f",
        "covariance of a unit's measured outcomes (mean over replicates), for new barcodes and new replicates",
    ),
    Variable("n_barcodes", ("outcomes",), (("unit", "arm"),), "i", "barcodes behind a measured outcome, at the least"),
    Variable("assigned", ("outcomes", "effects"), (("unit",),), "U", "the arm a unit received (parallel trials)"),
    Variable("block", ("outcomes", "effects"), (("unit",),), "*", "stratum inside which arms were randomized"),
    Variable(
        "do",
        ("outcomes", "effects", "moments", "estimates", "decisions"),
        (("arm",), ("contrast",)),
        "U",
        "the intervention of an arm, or of each arm of a contrast, in do-notation",
    ),
    Variable(
        "kind",
        ("outcomes", "effects", "moments", "estimates", "decisions"),
        (("arm",),),
        "U",
        "the arm's intervention in a word, such as 'placebo_word'",
    ),
    Variable(
        "random",
        ("outcomes", "effects", "moments", "estimates", "decisions"),
        (("arm",),),
        "b",
        "whether the intervention draws anything of its own",
    ),
    # interim looks of a sequential trial, and its design
    Variable("look_n_units", ("outcomes",), (("look",),), "i", "units that a look at the trial so far saw"),
    Variable("look_n_clusters", ("outcomes",), (("look",),), "i", "independent clusters among them"),
    Variable("look_counts", ("outcomes",), (("look",),), "b", "whether a look had clusters enough for a verdict"),
    _look("look_lower", "lower limit that a look saw, by the rule of attrs['until']"),
    _look("look_upper", "upper limit that a look saw, by the rule of attrs['until']"),
    Variable(
        "design",
        ("outcomes", "moments"),
        (("byte",),),
        "u",
        "the design as JSON, by zlib, where an attribute is too short",
    ),
    # contrasts
    Variable(
        "ice",
        ("effects",),
        (("unit", "contrast", "task"), ("unit", "contrast", "task", "model")),
        "f",
        "individual causal effect: the weighted sum of a unit's outcomes, on attrs['contrast_scale']",
    ),
    Variable(
        "constant",
        ("effects", "moments"),
        _EFFECT,
        "b",
        "whether the ICE of all units are one number within the rounding of each unit's own outcomes (crossover)",
    ),
    Variable("zero", ("effects", "moments"), _EFFECT, "b", "whether that one number may be 0 (crossover)"),
    Variable(
        "answer_floor",
        ("outcomes",),
        (("transform", "task"), ("transform", "task", "model")),
        "f",
        "largest error of the predictor's own arithmetic in an answer, by scale of the contrast; 0 where impossible",
    ),
    Variable(
        "floor",
        ("effects", "moments", "estimates", "decisions"),
        _EFFECT,
        "f",
        "effect that the predictor's own arithmetic can make of nothing: sum of |weights| times the error of an answer",
    ),
    Variable(
        "rounding",
        ("effects",),
        (("unit", "task"), ("unit", "task", "model")),
        "f",
        "bound on the rounding error of one outcome, from its dtype; a spread within it is none (parallel trials)",
    ),
    Variable(
        "denominator",
        ("effects",),
        (("unit", "contrast", "task"), ("unit", "contrast", "task", "model")),
        "f",
        "what the contrast divides by, relative to it: influence values of mean 1 (a ratio in a crossover)",
    ),
    Variable("ratio", ("effects",), _EFFECT, "f", "ratio of the arms' means (a ratio in a parallel trial)"),
    Variable(
        "weight",
        ("effects", "moments", "estimates", "decisions"),
        (("contrast", "arm"),),
        "f",
        "weight of each arm in the contrast; rows sum to 0",
    ),
    # moments of the ICE, where a trial stored nothing else
    _moment("ice_mean", "mean of the ICE over units", required=True),
    _moment("ice_sd", "standard deviation of the ICE over units, 0 where constant", required=True),
    _moment("ice_skewness", "skewness of the ICE over units", required=True),
    _moment("ice_leverage", "largest share of one unit in the sum of squares of ICE - mean", required=True),
    _moment("ice_least", "least ICE of any unit"),
    _moment("ice_most", "largest ICE of any unit"),
    Variable(
        "ice_quantile",
        ("moments",),
        (("quantile", "contrast", "task"), ("quantile", "contrast", "task", "model")),
        "f",
        "quantiles of the ICE over units, each known to attrs['relative_error'] of its distance from about the mean",
    ),
    Variable(
        "ice_correlation",
        ("moments",),
        (("contrast", "contrast_", "task"), ("contrast", "contrast_", "task", "model")),
        "f",
        "correlation of the ICE over units (independent units, up to 512 contrasts); 0 where one is constant",
    ),
    Variable(
        "ice_sum",
        ("moments",),
        (("cluster", "contrast", "task"), ("cluster", "contrast", "task", "model")),
        "f",
        "sum over the units of a parent (beyond 512 contrasts of independent units: of a random group) of ICE - mean",
    ),
    Variable("cluster_size", ("moments",), (("cluster",),), "i", "units of each of these clusters"),
    # estimates
    _estimate("ace", "average causal effect, on attrs['contrast_scale']", required=True, decisions=True),
    _estimate("se", "standard error of the ACE for attrs['target']", decisions=True),
    _estimate("df", "degrees of freedom of the t interval", decisions=True),
    _estimate("p", "two-sided p-value of no effect: ACE = attrs['null_value'], 1 for ratios, else 0"),
    _estimate("log_p", "natural logarithm of p, also where p is below the least float; the lowest float where exact"),
    _estimate("lower", "lower limit at attrs['ci_prob']", decisions=True),
    _estimate("upper", "upper limit at attrs['ci_prob']", decisions=True),
    _estimate("p_adjusted", "p-value adjusted within its family by attrs['adjust']"),
    _estimate(
        "skewness",
        "skewness of the independent contributions (ICE of units, sums by cluster, outcomes of both arms): that of the "
        "ACE's error times the square root of n_clusters",
        decisions=True,
    ),
    _estimate(
        "largest_ice", "bound on |ICE| over all units and contrasts of the task; in parallel the outcomes' range"
    ),
    _estimate("leverage", "largest share of one cluster in the variance of the ACE", decisions=True),
    _estimate(
        "below_floor", "zero within rounding: the effect is at most its floor, and p is 1", dtype="b", decisions=True
    ),
    _estimate("exact", "no spread among the units: the interval is a point", dtype="b", decisions=True),
    Variable("n_units", ("moments", "estimates", "decisions"), _EFFECT, "i", "units that the contrast uses"),
    _estimate("n_clusters", "independent clusters that the standard error rests on", dtype="i", decisions=True),
    Variable(
        "covariance",
        ("estimates",),
        (("contrast", "contrast_", "task"), ("contrast", "contrast_", "task", "model")),
        "f",
        "covariance of the vector of ACEs (up to 512 contrasts)",
    ),
    Variable(
        "factor",
        ("estimates",),
        (("cluster", "contrast", "task"), ("cluster", "contrast", "task", "model")),
        "f",
        "factor of that covariance, covariance = factor' factor (beyond 512 contrasts)",
    ),
    Variable(
        "control_sd",
        ("effects", "moments", "estimates", "decisions"),
        _EFFECT,
        "f",
        "sd over units of the outcome in the control arm (else the untreated one, else those subtracted), a unit",
    ),
    _estimate("critical", "equicoordinate critical value of the simultaneous band, in standard errors"),
    _estimate(
        "unbounded", "the interval of a ratio is not bounded: its denominator may be 0", dtype="b", decisions=True
    ),
    Variable(
        "placebo_word",
        ("moments", "estimates", "decisions"),
        (("contrast",),),
        "*",
        "bool: whether the contrast is one fixed placebo word, given by hand; else `weight` and `kind` tell",
    ),
    # multiplicity
    _estimate("p_step_down", "p-value adjusted step by step (attrs['adjust']), never above p_adjusted; has no band"),
    _estimate("p_placebo", "two-sided p-value by the effect's rank among the placebo words'"),
    _estimate("p_placebo_above", "p-value by that rank, small where the effect lies above the words'"),
    _estimate("p_placebo_below", "p-value by that rank, small where the effect lies below the words'"),
    _estimate("p_lower", "p-value of 'the effect is at most the lower end' of attrs['rope']"),
    _estimate("p_upper", "p-value of 'the effect is at least the upper end' of attrs['rope']"),
    _estimate("lower_tost", "lower limit at 2 attrs['ci_prob'] - 1: inside the rope where negligible"),
    _estimate("upper_tost", "upper limit at 2 attrs['ci_prob'] - 1: inside the rope where negligible"),
    _estimate("differs", "whether the interval at attrs['ci_prob'] excludes no effect", dtype="b"),
    _estimate("selected", "whether the effect was selected in this task (or model)", dtype="b"),
    Variable(
        "fcr_ci_prob",
        ("estimates",),
        (("task",), ("task", "model")),
        "f",
        "probability of each interval of a selected effect, 1 minus the false-coverage rate adjusted for selection",
    ),
    # decisions
    _decision("verdict", "increases, decreases, negligible or undecided", dtype="U", required=True),
    _decision("raw", "the effect as it was estimated, before the posterior shrank it"),
    _decision("lfsr", "local false sign rate: P(delta = 0) + min(P(delta < 0), P(delta > 0)), delta from no effect"),
    _decision("p_rope", "probability that the effect lies inside the region of practical equivalence"),
    _decision("p_above", "probability that the effect lies above the region"),
    _decision("p_below", "probability that the effect lies below the region"),
    _decision("p_zero", "probability that the effect is exactly 0, under a law with an atom there"),
    _decision("lower_slab", "lower end of the interval of the effect if it is not 0; of the same probability"),
    _decision("upper_slab", "upper end of the interval of the effect if it is not 0; of the same probability"),
    _decision("local_error", "1 minus the probability of the verdict's region (the best region, where undecided)"),
    _decision("q", "mean local error (or adjusted p, the band's too) of the set of verdicts that ends with this one"),
    _decision("interval_level", "probability of the interval lower to upper, the one that gave the verdict"),
    _decision("missed_share", "effects on fewer backgrounds than this share could be missed (3/n, 95 %)"),
    _decision("rope_lower", "lower end of the region of practical equivalence, on attrs['contrast_scale']"),
    _decision("rope_upper", "upper end of the region of practical equivalence, on attrs['contrast_scale']"),
    _decision("more_units", "about how many more units would decide in a new trial; -1 where decided", dtype="i"),
    # MPRA: library of oligos
    _library("unit", "i", "unit of the design's null model that the oligo carries; -1 for a control of no unit"),
    _library(
        "element",
        "U",
        "block that the oligo belongs to: one background under each of its arms; a unit's holds their fingerprint",
    ),
    _library("arm", "U", "arm of the design, or what kind of control"),
    _library("group", "U", "test, negative, positive, promoter or duplicate"),
    _library("name", "U", "name of the ordered oligo, unique"),
    _library("oligo_name", "U", "name of the construct; oligos that differ in their barcode alone share it"),
    _library("insert", "U", "what the design made: background with its arm applied"),
    _library("oligo", "U", "the whole oligo as it is ordered, with adapters and barcode, 5' to 3'"),
    _library("barcode", "U", "barcode that is synthesized with the oligo, if any", required=False),
    _library("draw", "i", "which draw of its unit: 0 is the one of `causalgia.run`; -1 for no unit", required=False),
    _library("parent", "U", "source sequence of the oligo's background", required=False),
    _library("source_name", "U", "name of the given sequence that the background is, if it is one", required=False),
    _library("gc", "f", "share of G and C of the background; of the insert where there is none", required=False),
    # of variant tiles, from VariantTiles.annotate; empty text and -1 for an oligo that is no allele of one
    _library("variant", "U", "name of the variant that the oligo carries an allele of", required=False),
    _library("SPDI", "U", "the variant in canonical SPDI", required=False),
    _library("allele", "U", "ref or alt", required=False),
    _library("variant_class", "U", "SNV or indel", required=False),
    _library("variant_pos", "i", "where the canonical form begins in the insert, from 0", required=False),
    _library("assembly", "U", "assembly of the genome, where it was said", required=False),
    _library("chromosome", "U", "chromosome of the insert", required=False),
    _library("start", "i", "first base of the insert on it, from 0", required=False),
    _library("end", "i", "one past the last base of the insert on it, by its own allele", required=False),
    _library_summary("broken", "i", "draws of units that broke the rule under the arm", ("rule", "judged_arm")),
    _library_summary("broken_scrambles", "i", "draws of scrambles that broke the rule", ("rule",)),
    _library_summary(
        "broken_barcodes", "i", "barcodes that broke the rule in their oligo, and were exchanged", ("rule",)
    ),
    _library_summary("why", "U", "why a unit of the design is in no arm of the library", ("dropped",)),
    _library_summary("flagged", "i", "oligos that are ordered although they are made less evenly", ("flag",)),
    _library_summary("share_redrawn", "f", "share of the units that were drawn anew", ()),
    _library_summary("n_draws", "i", "draws of units, of those that are ordered and of the others", ()),
    _library_summary("gc_proposed", "f", "share of G and C of the backgrounds as drawn first", ()),
    _library_summary("gc_ordered", "f", "share of G and C of the backgrounds as ordered", ()),
    _library_summary("shift", "f", "Jensen-Shannon divergence in bits, k-mers as drawn first and as ordered", ("k",)),
    _library_summary("shift_by_chance", "f", "what that of two independent samples of this size would be", ("k",)),
    # MPRA: barcode counts
    Variable("oligo_index", ("counts",), (("barcode",),), "i", "oligo of each barcode: place on dim oligo", True),
    _count("dna", "i", "reads of the barcode's DNA; without the replicate dim where one plasmid pool serves all"),
    _count("rna", "i", "reads of the barcode's RNA"),
    _count("dna_observed", "b", "whether the cell held a count; an empty cell is unknown, and dna is 0 there"),
    _count("rna_observed", "b", "whether the cell held a count; empty with DNA observed is no read of it"),
    _total_reads("dna_total", "all DNA reads of the library, of every barcode that was read, filtered or not"),
    _total_reads("rna_total", "all RNA reads of the library, of every barcode that was read, filtered or not"),
    _oligo("element", "block that the oligo belongs to: one background under each of its arms"),
    _oligo("arm", "arm of the oligo"),
    _oligo("group", "test, negative, positive, promoter or duplicate, or a name of the user's"),
)

#: names not allowed for factors and covariates, because the schema uses them
RESERVED = frozenset(row.name for row in SCHEMA if {*row.datasets} - {"sequences", "library", "counts"}) | {
    *("unit", "arm", "task", "model", "contrast", "contrast_", "cluster", "look", "byte", "transform"),
}

_REQUIRED_DIMS: dict[Kind, tuple[str, ...]] = {
    "sequences": ("unit", "position"),
    "outcomes": ("unit", "task"),
    "effects": ("unit", "contrast", "task"),
    "moments": ("contrast", "task"),
    "estimates": ("contrast", "task"),
    "decisions": ("contrast", "task"),
    "library": ("row",),
    "counts": ("barcode", "replicate", "oligo"),
}


def validate(dataset: xr.Dataset, kind: Kind) -> xr.Dataset:
    """Check a Dataset against the schema and return it; effects as `causalgia.effect_table.EffectTable`.

    Lazy variables (dask) are read once, a few blocks at a time.

    Parameters
    ----------
    dataset
        The Dataset to check.
    kind
        What it holds.

    Returns
    -------
    Dataset
        The same Dataset; effects, moments, estimates and decisions as `causalgia.effect_table.EffectTable`.

    Raises
    ------
    OutcomesError
        If the kind is unknown, it is not a Dataset, a variable or dim is absent or of another shape or dtype than in
        the schema, names in a coordinate repeat, or a value is not finite. The message names the variable.

    Examples
    --------
    >>> import xarray as xr
    >>> validate(xr.Dataset(), "outcomes")
    Traceback (most recent call last):
    ...
    causalgia.errors.OutcomesError: outcomes: no dim 'unit'; a Dataset from cg.run or cg.from_frame has it
    """
    check_dataset(dataset, kind)
    for dim in _REQUIRED_DIMS[kind]:
        if dim not in dataset.dims:
            raise OutcomesError(f"{kind}: no dim {quoted(dim)}{_reason_and_cure(dataset, dim, kind)}")
    for name in ("unit", "arm", "contrast", "task", "model", "barcode", "oligo", "replicate"):
        _validate_names(dataset, name, kind)
    if kind == "counts" and "oligo_index" in dataset:
        _validate_oligo_index(dataset)
    if kind == "outcomes" and "outcome" not in dataset:
        raise OutcomesError(f"outcomes: no variable 'outcome'{_reason_and_cure(dataset, 'outcome', kind)}")
    if kind == "effects" and "ice" not in dataset and not {"outcome", "assigned"} <= set(dataset.variables):
        raise OutcomesError(
            "effects: neither 'ice' (crossover) nor 'outcome' and 'assigned' (parallel); use cg.contrast"
        )
    for row in SCHEMA:
        if kind not in row.datasets:
            continue
        if row.name in dataset.variables:
            array = _with_finite_limits(dataset, row.name)
            _validate_variable(array, row, kind)
        elif row.required:
            raise OutcomesError(
                f"{kind}: no variable {quoted(row.name)} ({row.meaning}); a Dataset from {_MAKERS[kind]} has it"
            )
    if kind not in {"effects", "moments", "estimates", "decisions"}:
        return dataset
    from causalgia.effect_table import as_effect_table

    return as_effect_table(dataset)


def _reason_and_cure(dataset: xr.Dataset, lacking: str, kind: Kind) -> str:
    """Return why a Dataset lacks a dim or variable, and what to do: it is of another kind, or one name was selected."""
    if lacking in dataset.coords and not dataset[lacking].dims:
        return f", because one was selected; a list keeps it: .sel({lacking}=[{quoted(dataset[lacking].item())}])"
    contrasted = {"ice", "ice_mean"} & {*dataset.variables} or ("outcome" in dataset and "contrast" in dataset.dims)
    if kind in ("effects", "outcomes") and "ace" in dataset:
        return "; these are estimates already: give them to cg.adjust, cg.infer or cg.decide"
    if kind == "outcomes" and contrasted:
        return "; these are effects already: give them to cg.estimate"
    if kind == "effects" and "outcome" in dataset and not contrasted:
        return "; these are outcomes: contrast them first, effects = cg.contrast(outcomes, control=...)"
    return f"; a Dataset from {_MAKERS[kind]} has it"


def check_dataset(dataset: object, kind: Kind) -> None:
    """Raise OutcomesError if a kind is unknown, or a value is not an xarray Dataset."""
    import xarray as xr

    if kind not in get_args(Kind):
        kinds = list(get_args(Kind))
        near = nearest(str(kind), kinds) or f"; use one of {', '.join(map(quoted, kinds))}"
        raise OutcomesError(f"kind={quoted(kind)} is no kind of Dataset{near}")
    if not isinstance(dataset, xr.Dataset):
        raise OutcomesError(
            f"{kind}: not an xarray Dataset but {type(dataset).__name__}; take one from {_MAKERS[kind]}"
        )


_MAKERS: dict[Kind, str] = {
    "sequences": "null.sample",
    "outcomes": "cg.run or cg.from_frame",
    "effects": "cg.contrast",
    "moments": 'cg.run(..., keep="moments")',
    "estimates": "cg.estimate or cg.from_effects",
    "decisions": "cg.decide",
    "library": "cg.mpra.library",
    "counts": "cg.mpra.read_counts",
}


def keeps_effects(dataset: object) -> bool:
    """Return whether a Dataset contains effects or their moments, with or without outcomes.

    Examples
    --------
    >>> import xarray as xr
    >>> keeps_effects(xr.Dataset({"ice_mean": (("contrast", "task"), [[1.0]])}))
    True
    """
    import xarray as xr

    return isinstance(dataset, xr.Dataset) and ("ice" in dataset or "ice_mean" in dataset)


def _with_finite_limits(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable, with 0 for infinite limits that are marked in ``unbounded``."""
    side = name.removesuffix("_tost")
    array, end = dataset[name], {"lower": -np.inf, "upper": np.inf}.get(side)
    if end is None or "unbounded" not in dataset or dataset["unbounded"].dims != array.dims:
        return array
    return array.where(~(dataset["unbounded"].astype(bool) & (array == end)), 0.0)


def _validate_variable(array: xr.DataArray, row: Variable, kind: Kind) -> None:
    if tuple(map(str, array.dims)) not in row.dims:
        dims = f"{array.dims}, not {' or '.join(map(str, row.dims))}"
        raise OutcomesError(f"{kind}: {quoted(row.name)} has dims {dims}; transpose or rename them")
    if row.dtype != "*" and not _dtype_agrees(array.dtype, row.dtype):
        dtypes = f"{array.dtype}, not kind {quoted(row.dtype)}"
        raise OutcomesError(f"{kind}: {quoted(row.name)} has dtype {dtypes}; cast it first")
    if row.dtype == "f" and not is_finite(array.data):
        value, where = first_where(array.data, lambda block: ~np.isfinite(block))
        labels = ", ".join(
            f"{dim} {array[dim].to_numpy()[i]!s}" if dim in array.coords else f"{dim} {i}"
            for dim, i in zip(array.dims, where, strict=True)
        )
        raise OutcomesError(f"{kind}: {quoted(row.name)} has {value!s} at {labels}; repair it where it arose")


def _dtype_agrees(dtype: np.dtype, kind: str) -> bool:
    if kind == "U":
        return dtype.kind in "UOT"
    if kind == "i":
        return dtype.kind in "iu"
    return dtype.kind == kind


def _validate_oligo_index(counts: xr.Dataset) -> None:
    """Raise OutcomesError if barcodes refer to absent oligos, as after selecting oligos without their barcodes."""
    place = counts["oligo_index"].to_numpy()
    if place.size and not 0 <= place.min() <= place.max() < counts.sizes["oligo"]:
        raise OutcomesError(
            f"counts: 'oligo_index' has {place.max() if place.min() >= 0 else place.min()}, and there are "
            f"{counts.sizes['oligo']:,} oligos; select them with their barcodes: cg.mpra.filter, or arms= of the verb"
        )


def _validate_names(dataset: xr.Dataset, name: str, kind: Kind) -> None:
    if dataset.sizes.get(name) == 0 and name in ("arm", "contrast", "task", "model"):
        raise OutcomesError(f"{kind}: no {name} at all; the selection before left none: select at least one")
    if name not in dataset.coords or dataset[name].dims != (name,):
        return
    values = dataset[name].to_numpy()
    import pandas as pd

    absent = pd.isna(values) if values.dtype.kind in "fO" else np.zeros(0, dtype=bool)
    if absent.any():
        raise OutcomesError(
            f"{kind}: {name} {int(absent.argmax())} has no name, but {values[absent][0]!s}; give it one"
        )
    if values.dtype.kind in "iu" and (values[1:] > values[:-1]).all():
        return
    if values.dtype.kind in "iuU" and name in dataset.indexes and dataset.indexes[name].is_unique:
        return
    labels, counts = np.unique(values.astype(str) if values.dtype == object else values, return_counts=True)
    if (counts > 1).any():
        raise OutcomesError(
            f"{kind}: {name} {labels[counts > 1][0]!s} appears {counts.max()} times; make the names of "
            f"{quoted(name)} unique"
        )


def annotate(dataset: xr.Dataset) -> xr.Dataset:
    """Return the Dataset with ``attrs['meaning']`` for each variable of the schema."""
    for row in SCHEMA:
        if row.name in dataset.variables and tuple(map(str, dataset[row.name].dims)) in row.dims:
            dataset[row.name].attrs.setdefault("meaning", row.meaning)
    return dataset
