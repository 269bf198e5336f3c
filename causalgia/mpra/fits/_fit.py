"""Effects of arms in every element from barcode counts, by a choice of methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import xarray as xr
from scipy import special
from scipy.sparse import csr_array

from causalgia.attributes import about, attributes
from causalgia.checks import as_ci_prob, is_real
from causalgia.choices import LEAST_FACTOR
from causalgia.effects.contrast_weights import Contrasts
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.mpra.counts._activity import aggregate, truncation_of
from causalgia.mpra.counts.barcodes import (
    NOTED_SILENCE,
    cell_ratios,
    group_medians,
    silence_notes,
    silent_share,
)
from causalgia.mpra.counts.counts_table import (
    check_one_condition,
    of_batches,
)
from causalgia.mpra.counts.cutoffs import cutoff, truncation_attrs, truncation_factor
from causalgia.mpra.counts.depths import shallow_replicates
from causalgia.mpra.counts.replicate_faults import find_groups
from causalgia.mpra.fits._average import replicate_shifts
from causalgia.mpra.fits._hierarchical import hierarchical
from causalgia.mpra.fits.additive_variants import additive, carries_several
from causalgia.mpra.fits.element_effects import (
    FitRequest,
    FittedEffects,
    fit_request,
    n_barcodes,
    ratio_cells,
    two_way,
)
from causalgia.mpra.fits.fit_summaries import (
    asked_elements,
    effects_dataset,
    with_summary,
)
from causalgia.mpra.fits.library_links import level_loadings, level_notes
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.schema import validate
from causalgia.types import Array, Client
from causalgia.workers import check_client

Method: TypeAlias = Literal["hierarchical", "two_way", "additive"]
_Method: TypeAlias = "Callable[[xr.Dataset, FitRequest, Client | None], FittedEffects]"


@usual_errors
def fit(
    counts: xr.Dataset,
    *,
    control: str | float | None = None,
    arm_names: str | Sequence[str] | None = None,
    contrasts: Contrasts | None = None,
    method: Method | None = None,
    sd_barcode: float | None = None,
    ci_prob: float = 0.95,
    client: Client | None = None,
) -> xr.Dataset:
    """Estimate the effects of arms on the activity of each element, from its barcode
    counts.

    The effect is a contrast of log2(RNA/DNA) between arms: each arm that shares an
    element with `control` minus `control`, or any contrasts that sum to 0. Noise has
    two layers, and a method that ignores one of them gives false positives: a barcode
    has an activity of its own, the same in every replicate, and a replicate shifts all
    barcodes of an oligo together. What each method accounts for, and its performance in
    two simulations of 10 barcodes and 4 replicates (barcodes alike; sd_barcode 0.6 with
    2 % silent cells):

    ================ ======================================== ===================== ===================
    `method`         accounts for                             95 % intervals cover  RMSE
    ================ ======================================== ===================== ===================
    ``hierarchical`` both layers, sizes shared by elements    0.95, 0.95            0.19, 0.38
    ``two_way``      both layers, closed form                 0.95, 0.96            0.19, 0.46
    ================ ======================================== ===================== ===================

    Both compare mean log2 ratios, which fall where reads are few and dispersed: where
    the reads of one arm are several times as dispersed as those of the other they give
    false positives.

    Barcodes that fall silent pull mean log ratios towards each other: of a true 2.00,
    ``two_way`` found 1.95, 1.79 and 1.63 with 5, 10 and 20 % of cells silent, and says
    so in its notes; ``hierarchical`` found 1.99 to 2.03.

    Use ``hierarchical``, or ``two_way`` where there are fewer than 20 elements and one
    arm may be noisier than the other, or the replicates of one arm vary more; each
    element then has its own variances. Of one sum an oligo, ``hierarchical`` alone has
    an answer, for these barcodes: `sd_barcode` makes it one for others.

    A table that keeps cells only where RNA was seen (zero-truncated) loses more of a
    weak arm, and effects shrink by a factor: the slope of their change where a known
    part of the reads of half of the oligos is left out, and the table truncated anew
    (`causalgia.mpra.counts.cutoffs.thinned`). From .7 on, effects and errors are
    divided by it; below, they are directions, and `causalgia.decide` takes no region.

    Where barcodes carry several variants (`read_counts` of a saturation mutagenesis),
    ``additive`` gives each variant its effect by least squares on log2(RNA/DNA) of all
    barcodes: the effects of a barcode's variants add up, without interactions. Barcodes
    are weighted by their DNA, and the variance has the layers of ``two_way``, sandwiches
    by barcode and by replicate, moderated over variants. The arms are ``reference`` and
    the variants; the reference need not have barcodes.

    Parameters
    ----------
    counts
        From `read_counts`, filtered or not.
    control
        The arm subtracted from every other arm. Without `control` and `contrasts`,
        counts that were read with their library have the contrasts of its trial.
    arm_names
        Arms to compare with it; None: all that some element has besides it.
    contrasts
        Instead of `control`: name -> arm -> weight, each summing to 0; or a text over
        the names of arms, or several in a list, as in `causalgia.contrast`:
        ``"(AB - A) - (B - none)"`` is an interaction.
    method
        See the table. None: ``additive`` where barcodes carry several variants, else
        ``hierarchical``. The others compare such barcodes as an arm ``several``.
    sd_barcode
        Of one sum an oligo: sd of log2 between barcodes of an oligo, about .5 in
        published libraries. The variance of an arm is then that of other barcodes,
        ``sd_barcode^2 / n_bc`` more, ``n_bc`` those behind the sum (which weigh alike).
    ci_prob
        Probability of the intervals.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers fit blocks of elements; the result is the same, bit for bit on equal
        hardware, for any number of workers. ``"hierarchical"`` is parallel for what is
        by element, half of its time at 5 barcodes an oligo and a quarter at 50 (the
        shares of silent cells and barcodes, and the prior of the noise, are learned
        from all elements at once); ``"two_way"`` is faster than the transfer and runs
        in this process.

    Returns
    -------
    Dataset
        ``ace, se, df, lower, upper, p, log_p (element, contrast)`` on log2, p two-sided
        against 0; nan in a contrast of which the element lacks an arm, and there is
        then ``measured (element, contrast)``; ``n_barcodes (element, arm)``, those with DNA;
        ``weight (contrast, arm)``; ``group (element)``;
        ``replicate_shift (contrast, replicate)``, the distance of a replicate's mean
        effect from the overall mean without controls, and
        ``replicate_within (contrast)``, the variance of that mean from the elements'
        own noise, on ``replicate_df (contrast)``; ``level_error (element, contrast, level)``, where arms were read in
        different replicates: loadings of the error of their levels, which is in ``se``
        and shared by elements; variables of the method; and what the report says
        (`causalgia.mpra.fits.fit_summaries.with_summary`): ``q (element, contrast)``,
        and by contrast effects up and down with ``q <= 1 - ci_prob`` and their average.
        ``attrs["truncation_factor"]`` is the factor of a zero-truncated table, and
        ``attrs["sd_z"]``, of one barcode or sum an oligo, the robust sd of ``ace / se``.
        Attributes say what was left out: ``n_left_out`` elements without both arms of a contrast, ``arms_left_out``,
        and ``replicates_left_out``, in which the median oligo has fewer than two reads
        (with ``"two_way"`` also those whose counting noise is ten times that of the
        others); of ``additive``, ``n_several`` of ``n_fitted_barcodes`` barcodes that
        carry several variants, and ``n_undetermined`` variants whose barcodes do not
        tell them from others. `report` summarizes it, `average` averages over
        backgrounds, and `causalgia.infer`, `decide`, `report` and
        `plot.forest` accept it, with elements as the questions of a family and
        contrasts as tasks.

    Raises
    ------
    EstimateError
        If an arm is unknown, weights do not sum to 0, or no element has both arms of a
        contrast.
    DataError
        If the Dataset is not of kind ``counts``.
    DataError
        If an element has two oligos in an arm, or two arms of a contrast were read in
        replicates that no oligo links.
    EstimateError
        If the method is unknown, there are too few barcodes or replicates to
        estimate noise, or `sd_barcode` is given for a table that measures it or has no
        ``n_bc``.
    StoreError
        If the cluster has no workers, loses them, or does not respond within the time
        limit.

    References
    ----------
    Myint, Avramopoulos, Goff & Hansen (2019), doi:10.1186/s12864-019-5556-x. Smyth
    (2004), doi:10.2202/1544-6115.1027. Plackett (1953), doi:10.2307/2333106.

    Examples
    --------
    >>> import pandas as pd
    >>> from causalgia.mpra import simulate
    >>> truth = pd.DataFrame(
    ...     {
    ...         "element": list("uuvv"),
    ...         "arm": ["scramble", "GATA1"] * 2,
    ...         "log2": [0, 2, 0, 0],
    ...     }
    ... )
    >>> fitted = fit(
    ...     simulate(truth, n_barcodes=30, rng=1), control="scramble", method="two_way"
    ... )
    >>> fitted["ace"].values.ravel().round(1), (fitted["p"].values.ravel() < 0.01)
    (array([1.9, 0.1]), array([ True, False]))
    """
    if method is not None and method not in get_args(Method):
        raise EstimateError(
            f"method={quoted(method)} is not one of "
            f"{', '.join(map(quoted, get_args(Method)))}"
        )
    ci_prob = as_ci_prob(ci_prob)
    validate(counts, "counts")
    check_one_condition(counts)
    counts = of_batches(counts)
    if method == "additive" and not carries_several(counts):
        raise EstimateError(
            "method='additive' takes barcodes with several variants, and the counts "
            "have none"
        )
    if method is None:
        method = "additive" if carries_several(counts) else "hierarchical"
    of_logs = method != "hierarchical"
    counts, few = with_reads(counts, weighted=not of_logs)
    asked: dict[str, Any] = {
        "control": control,
        "arm_names": arm_names,
        "contrasts": contrasts,
    }
    request = None if method == "additive" else fit_request(counts, **asked)
    if client is not None:
        check_client(client)
    silent = []
    if request is None:
        if sd_barcode is not None:
            raise EstimateError(_NO_SUMS.format(sd_barcode), argument="sd_barcode")
        found = additive(counts, **asked, ci_prob=ci_prob)
        found = found.assign_attrs(truncation_of(counts))
    else:
        run = _FIT_METHODS[method]
        fitted = run(counts, request, client)
        if sd_barcode is not None:
            fitted = _of_other_barcodes(counts, request, fitted, sd_barcode)
        truncation = truncation_in(
            counts, request, fitted, lambda x: run(x, request, client)
        )
        found = _fit_dataset(counts, request, fitted, method, ci_prob, truncation)
        silent = [*_silent_oligo_notes(counts, request), *level_notes(found)]
    shrunk = silence_notes(counts, _SHRUNK.format(method)) if of_logs else []
    names = counts["replicate"].to_numpy().astype(str).tolist()
    groups = find_groups(aggregate(counts), names)
    if groups:
        found = found.assign_attrs(replicate_groups=groups[0])
    if few:
        found = found.assign_attrs(attributes(replicates_left_out=", ".join(few)))
    one_barcode = "barcode" not in about(found, "barcode").layers
    found = with_summary(found).assign_attrs(_sd_of_z(found, one_barcode))
    if request is not None:
        found = found.assign_attrs(_excess_error(counts, found))
    return with_notes(found, *shrunk, *silent, *groups)


def _of_other_barcodes(
    counts: xr.Dataset, request: FitRequest, fitted: FittedEffects, sd: float
) -> FittedEffects:
    """Return effects of sums with the variance of other barcodes behind them."""
    null = str(fitted.attrs.get("null", ""))
    if not (is_real(sd) and sd > 0) or not null.startswith(_THESE):
        raise EstimateError(_NO_SUMS.format(quoted(sd)), argument="sd_barcode")
    if "n_bc" not in counts:
        raise EstimateError(
            f"sd_barcode={sd:g}: the counts have no n_bc, the number of barcodes behind "
            "each sum",
            argument="sd_barcode",
        )
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    barcodes = np.bincount(of, counts["n_bc"].to_numpy(), minlength=n)[request.oligos]
    each = np.where(request.oligos >= 0, sd**2 / np.maximum(barcodes, 1), 0.0)
    own = fitted.se**2
    whole = own + each @ (request.weights**2).T
    return replace(
        fitted,
        se=np.sqrt(whole),
        df=fitted.df * (whole / own) ** 2,  # Satterthwaite, of a variance that is known
        attrs={
            **fitted.attrs,
            **attributes(
                sd_barcode=float(sd),
                estimand=str(fitted.attrs["estimand"]).replace(f", of {_THESE}", ""),
                null=null.replace(_THESE, "the barcodes that an oligo might have"),
            ),
        },
    )


def _sd_of_z(found: xr.Dataset, one_barcode: bool) -> dict[str, Any]:
    """Return the robust sd of z over the effects of a table of one barcode an oligo."""
    z = (found["ace"] / found["se"]).to_numpy()[asked_elements(found)]
    z = z[np.isfinite(z)]
    if not one_barcode or len(z) < _LEAST_Z:
        return {}
    low, high = np.quantile(z, (0.25, 0.75))
    return attributes(sd_z=float(high - low) / 1.349)


def _excess_error(counts: xr.Dataset, found: xr.Dataset) -> dict[str, Any]:
    """Return by how much the median interval is wider than so many barcodes, of the
    usual spread about the median of their oligo, would give, if that is twice or more.

    A barcode that was silenced, or is of another oligo, is far off, and widens all
    intervals; the median distance hardly knows it.
    """
    ratio, used = cell_ratios(counts)
    seen, n = used.any(axis=1), counts.sizes["oligo"]
    of = counts["oligo_index"].to_numpy()[seen]
    mean = ratio[seen].sum(axis=1) / used[seen].sum(axis=1)
    size = np.bincount(of, minlength=n)[of]
    off = np.abs(mean - group_medians(mean, of, n)[of])
    # the median of an odd number is a barcode itself
    off = off[(size >= _LEAST_SPREAD) & ((size % 2 == 0) | (off > 0))]
    if not 0 < len(size) <= 2 * len(off):  # most oligos have too few to tell
        return {}
    if np.median(off) <= DIFFERENCE_ROUNDING * np.abs(mean).max():
        return {}  # barcodes are alike
    usual = (1.4826 * np.median(off)) ** 2
    B, W = found["n_barcodes"].to_numpy(), found["weight"].to_numpy()
    shared = float(about(found, 0.0).sd_replicate) ** 2 / counts.sizes["replicate"]
    each = np.where(B > 0, usual / np.maximum(B, 1) + shared, 0.0)
    half = (found["upper"] - found["lower"]).to_numpy() / 2
    known = np.isfinite(half)
    if not known.any():
        return {}
    z = special.ndtri((1 + float(about(found).ci_prob)) / 2)
    expected = z * np.sqrt(each @ csr_array(W**2).T)
    excess = float(np.median(half[known] / expected[known]))
    return attributes(excess_error=excess) if excess >= _MOST_EXCESS else {}


def truncation_in(
    counts: xr.Dataset,
    request: FitRequest,
    fitted: FittedEffects,
    fit_again: Callable[[xr.Dataset], FittedEffects],
) -> dict[str, Any]:
    """Return what a fit says of a table that keeps cells only where RNA was seen; {} of
    others.
    """
    found = cutoff(counts)
    if found is None or not found.shrinks:
        return {}

    def effects(of: FittedEffects) -> Array:
        return np.where(request.measured, of.ace, np.nan)

    factor = truncation_factor(
        counts,
        found,
        effects(fitted),
        lambda other: effects(fit_again(other)),
        lambda change: change[request.oligos] @ request.weights.T,
    )
    return truncation_attrs(found, factor, corrected=factor >= LEAST_FACTOR)


def with_reads(counts: xr.Dataset, *, weighted: bool) -> tuple[xr.Dataset, list[str]]:
    """Return the counts of the replicates with reads, and the names of the others.

    A replicate in which the median oligo has fewer than two reads (of RNA, or of DNA of
    its own) measures no level of its library. Where replicates weigh alike, one whose
    counting noise is ten times that of the others is left out, too.
    """
    sums = aggregate(counts)
    reads = np.stack(
        [sums["rna_counts"].to_numpy()]
        + [sums["dna_counts"].to_numpy()] * (counts["dna"].ndim == 2)
    )
    seen = (sums["n_bc"].to_numpy() > 0).any(axis=1)
    names = counts["replicate"].to_numpy().astype(str)
    few = np.median(reads[:, seen], axis=1).min(axis=0) < _LEAST_READS
    few &= ~few.all()  # of a table of few reads no replicate is worse
    if not weighted:
        few |= np.isin(
            names, [one.replicate for one in shallow_replicates(counts, sums)]
        )
    return counts.isel(replicate=np.flatnonzero(~few)), names[few].tolist()


def _silent_oligo_notes(counts: xr.Dataset, request: FitRequest) -> list[str]:
    """Return a note on oligos without RNA in any barcode, where barcodes fall
    silent.
    """
    rna = counts["rna"].to_numpy().sum(axis=1)
    reads = np.bincount(
        counts["oligo_index"].to_numpy(), weights=rna, minlength=counts.sizes["oligo"]
    )
    silent = (reads[request.oligos] == 0) & (request.oligos >= 0)
    n_silent = silent.sum(axis=0).tolist()
    if not any(n_silent) or silent_share(counts) < NOTED_SILENCE:
        return []
    by_arm = ", ".join(
        f"{n:,} in {arm}" for n, arm in zip(n_silent, request.arms, strict=True) if n
    )
    return [f"oligos without RNA in any barcode ({by_arm}) {_SILENT_OLIGOS}"]


def _fit_dataset(
    counts: xr.Dataset,
    request: FitRequest,
    fitted: FittedEffects,
    method: str,
    ci_prob: float,
    truncation: Mapping[str, Any],
) -> xr.Dataset:
    known = about(truncation, 0)
    scale = 1 / known.truncation_factor if known.truncation_corrected else 1.0
    measured, se = request.measured, fitted.se * scale
    loadings = level_loadings(counts, request)
    levels = {}
    if loadings is not None:
        loadings = np.where(measured[..., None], loadings * scale, np.nan)
        se = np.sqrt(se**2 + (loadings**2).sum(axis=2))
        levels = {"level_error": (("element", "contrast", "level"), loadings)}
    n = np.where(request.oligos >= 0, n_barcodes(counts)[request.oligos], 0)
    few = [one.replicate for one in shallow_replicates(counts, aggregate(counts))]
    names = counts["replicate"].to_numpy()
    deep = names[~np.isin(names.astype(str), few)]
    replicates = replicate_shifts(counts.sel(replicate=deep), request)
    of_scale = {"replicate_shift": scale, "replicate_within": scale**2}
    replicates = {
        name: (on, x * of_scale.get(name, 1.0)) for name, (on, x) in replicates.items()
    }
    return effects_dataset(
        counts,
        (fitted.ace * scale, se, fitted.df),
        measured,
        ci_prob,
        variables={
            "n_barcodes": (("element", "arm"), n),
            "weight": (("contrast", "arm"), request.weights),
            **replicates,
            **levels,
            **fitted.variables,
        },
        coords={
            "element": request.elements,
            "contrast": list(request.contrasts),
            "arm": request.arms,
            **({"replicate": deep} if replicates else {}),
        },
        group=counts["group"].to_numpy()[request.first_oligos],
        attrs={
            **attributes(
                method=method,
                moderated_rows=len(request.elements),
                estimand=(
                    "contrast of log2(RNA/DNA) between arms, in each element, over the "
                    "barcodes that it might have"
                ),
                null="the barcodes that an oligo might have",
                n_left_out=request.n_left_out,
                arms_left_out=", ".join(request.arms_left_out),
            ),
            **({} if request.control is None else attributes(control=request.control)),
            **fitted.attrs,
            **truncation,
        },
    )


_LEAST_READS = 2
_LEAST_Z = 20
_LEAST_SPREAD, _MOST_EXCESS = 5, 2.0
_THESE = "these barcodes"
_NO_SUMS = (
    "sd_barcode={}: it is a number above 0, for tables of one sum an oligo; where oligos "
    "have several barcodes it is estimated"
)
_SHRUNK = (
    "method='{}' counts silent barcodes as weak ones, which shrinks effects; "
    "'hierarchical' tells them apart"
)
_SILENT_OLIGOS = (
    "count as inactive; by chance all barcodes of an oligo may be silent, and where "
    "that happens in one arm more than in another, its effect and the averages move: "
    "plan more barcodes"
)
_FIT_METHODS: dict[str, _Method] = {
    "hierarchical": hierarchical,
    "two_way": lambda counts, request, _: two_way(
        ratio_cells(counts, request), request.weights
    ),
}
