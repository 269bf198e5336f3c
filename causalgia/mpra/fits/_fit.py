"""Effects of arms in every element from barcode counts, by a choice of methods."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.effect_table import EffectTable
from causalgia.effects.contrast_weights import Contrasts
from causalgia.errors import (
    BarcodeNoiseWarning,
    CountsError,
    EstimateError,
    caller_stacklevel,
    quoted,
)
from causalgia.estimation import moderate_unequal
from causalgia.estimation.request import as_ci_prob
from causalgia.former_names import former_arguments
from causalgia.mpra.counts._activity import aggregate
from causalgia.mpra.counts.barcodes import (
    NOTED_SILENCE,
    group_sums,
    silence_notes,
    silent_share,
)
from causalgia.mpra.counts.counts_table import library_attrs
from causalgia.mpra.counts.cutoffs import check_cutoff
from causalgia.mpra.counts.depths import shallow_replicates
from causalgia.mpra.fits._average import replicate_shifts
from causalgia.mpra.fits._hierarchical import hierarchical
from causalgia.mpra.fits.element_effects import (
    FitRequest,
    FittedEffects,
    barcode_means,
    fit_request,
    n_barcodes,
    noise_sds,
    ratio_cells,
    two_way,
)
from causalgia.mpra.fits.negative_binomial_fit import negative_binomial
from causalgia.notes import with_notes
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.reporting import format_share
from causalgia.schema import validate
from causalgia.types import Array, Ints
from causalgia.workers import check_client

if TYPE_CHECKING:
    from distributed import Client

Method: TypeAlias = Literal["hierarchical", "two_way", "precision", "nb"]
_Method: TypeAlias = "Callable[[xr.Dataset, FitRequest, Client | None], FittedEffects]"


@former_arguments
def fit(
    counts: xr.Dataset,
    *,
    control: str | None = None,
    arm_names: Sequence[str] | None = None,
    contrasts: Contrasts | None = None,
    method: Method = "hierarchical",
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
    ``nb``           both layers, negative binomial           0.96, 0.95            0.19, 0.42
    ``precision``    replicates only: *these barcodes*        0.95, 0.72            0.20, 0.48
    ================ ======================================== ===================== ===================

    ``nb`` compares *mean* reads: its effect is log2 of the ratio of the barcodes' mean
    activities, and read noise may differ between arms. Where the activities of one
    arm's barcodes spread more than another's, this is not the difference of mean log2
    activities, and ``nb`` raises an error. The other methods compare mean log2 ratios,
    which fall where reads are few and dispersed: where the reads of one arm are several
    times as dispersed as those of the other they give false positives, and ``nb`` is
    the method to use.

    Barcodes that fall silent pull mean log ratios towards each other: of a true 2.00,
    ``two_way`` found 1.95, 1.79 and 1.63 with 5, 10 and 20 % of cells silent, and says
    so in its notes; each of the other methods found 1.99 to 2.03.

    Parameters
    ----------
    counts
        From `read_counts`, filtered or not.
    control
        The arm subtracted from each other arm.
    arm_names
        Arms to compare with it; None: all that some element has besides it.
    contrasts
        Instead of `control`: name -> arm -> weight, each summing to 0; or a text over
        the names of arms, or several in a list, as in `causalgia.contrast`:
        ``"(AB - A) - (B - none)"`` is an interaction.
    method
        See the table.
    ci_prob
        Probability of the intervals.
    client
        A Dask client (`distributed.Client`) whose workers fit blocks of elements; the
        result is the same, bit for bit on equal hardware, for any number of workers.
        None: this process. ``"nb"`` is parallel as a whole, ``"hierarchical"`` for what
        is by element, half of its time at 5 barcodes an oligo and a quarter at 50 (the
        shares of silent cells and barcodes, and the prior of the noise, are learned
        from all elements at once); the other methods are faster than the transfer and
        run in this process.

    Returns
    -------
    Dataset
        ``ace, se, df, lower, upper, p, log_p (element, contrast)`` on log2, p two-sided
        against 0; ``n_barcodes (element, arm)``, those with DNA;
        ``weight (contrast, arm)``; ``group (element)``;
        ``replicate_shift (contrast, replicate)``, the distance of a replicate's mean
        effect from the overall mean without controls, and
        ``replicate_within (contrast)``, the variance of that mean from the elements'
        own noise; and variables of the method. Attributes count what was left out:
        ``n_left_out`` elements that lack an arm, ``arms_left_out``, ``n_not_fitted``
        elements without an estimate. `report` summarizes it, `average` averages over
        backgrounds, and `causalgia.adjust`, `infer`, `decide`, `report` and
        `plot.forest` accept it, with elements as the questions of a family and
        contrasts as tasks.

    Raises
    ------
    ContrastError
        If an arm is unknown, weights do not sum to 0, each element has one arm (a
        parallel library; use `activity`), or elements differ in their arms and
        `arm_names` is not given.
    OutcomesError
        If the Dataset is not of kind ``counts``.
    CountsError
        If an element has two oligos in an arm, an oligo has no barcode with DNA, a
        library has no reads, two arms of a contrast were read in replicates that no
        oligo links, or the table keeps barcodes only where RNA was seen and so few
        reads were that effects shrink by a tenth.
    EstimateError
        If the method is unknown, there are too few barcodes or replicates to estimate
        noise, or, with ``"nb"``, the barcodes of one arm spread more than those of
        another.
    ClusterError
        If the cluster has no workers, loses them, or does not respond within the time
        limit.

    Warns
    -----
    BarcodeNoiseWarning
        For ``"precision"`` where barcodes differ; for ``"nb"`` with fewer than 20
        elements, too few to detect that barcodes of one arm spread more than those of
        another.

    References
    ----------
    Myint, Avramopoulos, Goff & Hansen (2019), doi:10.1186/s12864-019-5556-x. Smyth
    (2004), doi:10.2202/1544-6115.1027.

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
    if method not in _METHODS:
        raise EstimateError(
            f"method={quoted(method)} is not one of "
            f"{', '.join(map(quoted, get_args(Method)))}"
        )
    ci_prob = as_ci_prob(ci_prob)
    validate(counts, "counts")
    for name in ("dna_total", "rna_total"):
        total = np.atleast_1d(counts[name].to_numpy())
        if not total.all():
            which = (
                counts["replicate"].to_numpy()[int(total.argmin())]
                if counts[name].dims
                else "every replicate"
            )
            raise CountsError(
                f"{name[:3].upper()} library of replicate {which}: no read at all; "
                "leave the replicate out: counts.sel(replicate=[...])"
            )
    shallow = (
        shallow_replicates(counts, aggregate(counts)) if method in _UNWEIGHTED else []
    )
    if shallow:
        names = [one.replicate for one in shallow]
        few = np.isin(counts["replicate"].to_numpy().astype(str), names)
        counts = counts.isel(replicate=np.flatnonzero(~few))
    request = fit_request(
        counts, control=control, arm_names=arm_names, contrasts=contrasts
    )
    cut_off = check_cutoff(counts, of_logs=method == "two_way")
    if client is not None:
        check_client(client)
    fitted = _METHODS[method](counts, request, client)
    found = _fit_dataset(counts, request, fitted, method, control, ci_prob)
    shrunk = silence_notes(counts, _SHRUNK) if method == "two_way" else []
    left_out = [
        f"{one}: it is left out, because method={quoted(method)} weights replicates "
        "alike and intervals would be wider with it; 'hierarchical' and 'nb' weight "
        "reads, and keep it"
        for one in shallow
    ]
    silent = _silent_oligo_notes(counts, request)
    return with_notes(found, *left_out, *cut_off, *shrunk, *silent)


def _silent_oligo_notes(counts: xr.Dataset, request: FitRequest) -> list[str]:
    """Return a note on oligos without RNA in any barcode, where barcodes fall
    silent.
    """
    rna = counts["rna"].to_numpy().sum(axis=1)
    reads = np.bincount(
        counts["oligo_index"].to_numpy(), weights=rna, minlength=counts.sizes["oligo"]
    )
    n_silent = (reads[request.oligos] == 0).sum(axis=0).tolist()
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
    control: str | None,
    ci_prob: float,
) -> xr.Dataset:
    dims = ("element", "contrast")
    ace, se, df = (
        np.ascontiguousarray(v, dtype=np.float64)
        for v in (fitted.ace, fitted.se, fitted.df)
    )
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    columns = {
        "ace": ace,
        "se": se,
        "df": df,
        "lower": lower,
        "upper": upper,
        "p": p,
        "log_p": log_p(ace, se, df),
    }
    estimated = (
        np.ones(len(request.elements), dtype=bool)
        if fitted.estimated is None
        else fitted.estimated
    )
    oligos = request.oligos[estimated]
    n = n_barcodes(counts)[oligos]
    replicates, replicate_df = replicate_shifts(counts, request)
    return EffectTable(
        {name: (dims, column) for name, column in columns.items()}
        | {
            "n_barcodes": (("element", "arm"), n),
            "weight": (("contrast", "arm"), request.weights),
        }
        | replicates
        | dict(fitted.variables),
        coords={
            "element": request.elements[estimated],
            "contrast": list(request.contrasts),
            "arm": request.arms,
            **({"replicate": counts["replicate"].to_numpy()} if replicates else {}),
            "group": ("element", counts["group"].to_numpy()[oligos[:, 0]]),
        },
        attrs={
            **library_attrs(counts),
            "method": method,
            "scale": "log2",
            "ci_prob": ci_prob,
            "estimand": (
                "contrast of log2(RNA/DNA) between arms, in each element, over the "
                "barcodes that it might have"
            ),
            "effect_on": "measured activity",
            "null": "the barcodes that an oligo might have",
            **({} if control is None else {"control": control}),
            "n_replicates": counts.sizes["replicate"],
            **({"replicate_df": replicate_df} if replicates else {}),
            "n_left_out": request.n_left_out,
            "n_not_fitted": int((~estimated).sum()),
            "arms_left_out": ", ".join(request.arms_left_out),
            **fitted.attrs,
        },
    )


_UNWEIGHTED = ("two_way", "precision")
_SHRUNK = (
    "method='two_way' counts silent barcodes as weak ones, which shrinks effects; "
    "'hierarchical' tells them apart, and the mean reads that 'nb' compares do not "
    "shrink"
)
_SILENT_OLIGOS = (
    "count as inactive; by chance all barcodes of an oligo may be silent, and where "
    "that happens in one arm more than in another, its effect and the averages move: "
    "plan more barcodes"
)
_METHODS: dict[str, _Method] = {
    "hierarchical": hierarchical,
    "two_way": lambda counts, request, _: two_way(
        ratio_cells(counts, request), request.weights
    ),
    "precision": lambda counts, request, _: precision(counts, request),
    "nb": negative_binomial,
}


_SPAN, _ROBUST, _DELTA = 0.4, 3, 0.01
_LEAST_ELEMENTS, _NO_SPREAD = 10, 1e-12
_NEGLIGIBLE, _SURE = 0.1, 3.0


def precision(counts: xr.Dataset, request: FitRequest) -> FittedEffects:
    """Compare arms by a precision-weighted linear model of reads summed over barcodes
    (limma with weights).

    log2(RNA/DNA) of the sums, one an arm and replicate, is regressed on arms by
    generalized least squares: weights from the trend of the residual spread in DNA
    (`precision_weights`), one consensus correlation within replicates, whose arms share
    a library and an experiment, and residual variances moderated over elements. An arm
    without DNA in a replicate has no ratio there.

    Fewer than ten elements give neither trend nor consensus: a correlation estimated
    from one element and taken as known gave .08 false positives at a level of .05.
    Their replicates are fixed effects, with weights of 1, and each element has its own
    variance on ``(A - 1) (R - 1)`` degrees of freedom.

    Sums over barcodes ignore the noise between barcodes, which repeats in every
    replicate: **the effect is that of these barcodes**, and its interval covers the
    effect of the arm only where the barcodes of an arm have one activity.

    Warns
    -----
    BarcodeNoiseWarning
        If the noise between barcodes, significant at three standard errors, would add
        more than a tenth to the variance of the typical effect.

    References
    ----------
    Law, Chen, Shi & Smyth (2014), doi:10.1186/gb-2014-15-2-r29. Myint, Avramopoulos,
    Goff & Hansen (2019), doi:10.1186/s12864-019-5556-x. Smyth, Michaud & Scott (2005),
    doi:10.1093/bioinformatics/bti270.
    """
    y, log_dna = ratio_of_sums(counts, request)
    E, A, R = y.shape
    group = np.arange(E * A, dtype=np.int64)
    rows, observed = y.reshape(-1, R), log_dna.reshape(-1, R) > 0
    correlation = consensus_correlation(rows, observed, group, (E, A))
    n_whole = np.equal(observed.reshape(E, A, R).sum(axis=1), A).sum(axis=1)
    few = E < _LEAST_ELEMENTS and bool((n_whole > 0).all())
    if few:
        found = fit_paired(y, observed.reshape(E, A, R)).unmoderated(request.weights)
    else:
        weights = precision_weights(
            rows, log_dna.reshape(-1, R), observed, group, (E, A)
        )
        found = fit_blocked(rows, weights, group, (E, A), correlation).contrasts(
            request.weights
        )
    cells = ratio_cells(counts, request)
    noise, means = noise_sds(cells), barcode_means(cells)
    variance = noise.get("sd_barcode", 0.0) ** 2
    share = float(
        np.median(variance * ((1 / means.n) @ (request.weights**2).T) / found.se**2)
    )
    df = means.df.sum()
    if (
        share > _NEGLIGIBLE
        and variance > _SURE * np.sqrt(2 / df) * means.squares.sum() / df
    ):
        sd_barcode = noise["sd_barcode"]
        warnings.warn(
            "method='precision' claims these barcodes only: barcodes of one arm differ "
            f"by {sd_barcode:.2g} on log2, which would add {format_share(share)} to "
            "the variance of the typical effect; for the effect of the arm use "
            "method='hierarchical' or 'two_way'",
            BarcodeNoiseWarning,
            stacklevel=caller_stacklevel(),
        )
    attrs: dict[str, float | str] = {
        "null": "these barcodes",
        "correlation": correlation,
        "barcode_share": share,
    }
    return FittedEffects(
        found.ace, found.se, found.df, {}, attrs | dict(found.attrs) | noise
    )


def precision_weights(
    y: Array,
    log_dna: Array,
    used: NDArray[np.bool_],
    group: NDArray[np.int64],
    shape: tuple[int, int],
) -> Array:
    """Return weights of log ratios from the trend of their spread in log2 DNA.

    The square root of each element's residual standard deviation is regressed on its
    mean log2 DNA by robust local regression (lowess, span 0.4, three rounds) and read
    at the log2 DNA of each ratio, constant beyond the ends; the weight is the inverse
    of the variance there.

    Parameters
    ----------
    y, log_dna, used
        Log ratios, their log2 DNA, and the mask of those present, shape ``(B, R)``.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).

    Returns
    -------
    array
        Shape ``(B, R)``; 0 where a ratio is missing. All others are 1 without a trend:
        fewer than ten elements with a spread, most without any, or most with equal DNA.

    References
    ----------
    Law, Chen, Shi & Smyth (2014), doi:10.1186/gb-2014-15-2-r29. Cleveland (1979),
    doi:10.2307/2286407.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    model = fit_blocked(y, used.astype(np.float64), group, shape, 0.0)
    known = model.df > 0
    if known.sum() < _LEAST_ELEMENTS or np.median(model.s2[known]) < _NO_SPREAD:
        return used.astype(np.float64)
    element = pd.Series(np.broadcast_to((group // shape[1])[:, None], y.shape)[used])
    x = (
        pd.Series(log_dna[used])
        .groupby(element)
        .mean()
        .reindex(range(shape[0]), fill_value=0.0)
        .to_numpy()[known]
    )
    root = np.sqrt(np.sqrt(model.s2[known]))
    with np.errstate(invalid="ignore", divide="ignore"):
        smooth = lowess(
            root,
            x,
            frac=_SPAN,
            it=_ROBUST,
            delta=_DELTA * np.ptp(x),
            return_sorted=True,
        )
    if not np.isfinite(smooth).all():  # too many elements with equal DNA for a trend
        return used.astype(np.float64)
    trend = pd.Series(smooth[:, 1]).groupby(smooth[:, 0]).mean()
    least = 1e-3 * float(np.median(root))
    at = np.maximum(np.interp(log_dna, trend.index.to_numpy(), trend.to_numpy()), least)
    return np.where(used, at**-4, 0.0)


_TRIM, _MARGIN = 0.15, 0.01
_STEPS = 60


def consensus_correlation(
    y: Array, used: NDArray[np.bool_], group: Ints, shape: tuple[int, int]
) -> float:
    """Return the consensus over elements of the correlation within replicates.

    Each element's comes from restricted maximum likelihood of ``arm + replicate`` with
    replicates random, where the variance between replicates may be negative; the
    consensus is the tanh of the mean of their atanh, 15 % trimmed at either end. 0
    where no element is informative.

    Parameters
    ----------
    y, used
        Log ratios, shape ``(B, R)``, and the mask of those present.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).

    References
    ----------
    Smyth, Michaud & Scott (2005), doi:10.1093/bioinformatics/bti270.
    """
    n = group_sums(used, group, shape)
    squares, sizes, repeats = _independent_squares(
        np.where(used, y, 0.0), used, group, shape, n
    )
    total, blocks = n.sum(axis=(1, 2)), (n.sum(axis=1) > 0).sum(axis=1)
    able = (
        (total > shape[1] + 2)
        & (blocks > 1)
        & (blocks < total - 1)
        & (squares.sum(axis=1) > 0)
    )
    if not able.any():
        return 0.0
    least = 1 / (1 - n.sum(axis=1).max()) + _MARGIN
    found = _ml_correlations(squares[able], sizes[able], repeats[able])
    z = np.sort(np.arctanh(np.clip(found, least, 1 - _MARGIN)))
    cut = int(_TRIM * len(z))
    return float(np.tanh(z[cut : len(z) - cut].mean()))


def _independent_squares(
    y: Array, used: NDArray[np.bool_], group: Ints, shape: tuple[int, int], n: Array
) -> tuple[Array, Array, Array]:
    """Transform each element's residuals about arms into independent ones of variance
    ``error + size * between``.

    Returns
    -------
    squares, sizes, repeats
        Sum of squares, size and number of these, shape ``(E, R + 1)``; the first column
        holds all of size 0.
    """
    per_arm = n.sum(axis=2)
    mean = group_sums(y.sum(axis=1), group, shape) / np.maximum(per_arm, 1)
    left = (y - mean.reshape(-1)[group][:, None]) * used
    of_replicate = group_sums(left, group, shape).sum(axis=1)
    shared = -np.einsum("ear,eas->ers", n / np.maximum(per_arm, 1)[..., None], n)
    R = y.shape[1]
    shared[:, np.arange(R), np.arange(R)] += n.sum(axis=1)
    sizes, vectors = np.linalg.eigh(shared)
    there = sizes > 1e-8 * np.maximum(sizes[:, -1:], 1.0)
    turned = np.einsum("erj,er->ej", vectors, of_replicate) ** 2
    squares = np.where(there, turned / np.where(there, sizes, 1.0), 0.0)
    all_squares = group_sums((left**2).sum(axis=1), group, shape).sum(axis=1)
    rest = np.maximum(all_squares - squares.sum(axis=1), 0.0)
    n_rest = per_arm.sum(axis=1) - (per_arm > 0).sum(axis=1) - there.sum(axis=1)
    return (
        np.column_stack([rest, squares]),
        np.column_stack([np.zeros(len(rest)), np.where(there, sizes, 0.0)]),
        np.column_stack([n_rest, there]).astype(np.float64),
    )


def _ml_correlations(squares: Array, sizes: Array, repeats: Array) -> Array:
    """Return the maximum-likelihood correlation of each row, by a grid and golden
    sections, ``(E,)``.
    """
    total, largest = repeats.sum(axis=1), sizes.max(axis=1)
    low = np.maximum(-1 / np.maximum(largest - 1, 1e-3), -1.0)

    def deviance(place: Array) -> Array:
        """Return minus twice the log likelihood at places 0 to 1 between the bounds of
        the correlation.
        """
        rho = low + place * (1 - low)
        relative = np.maximum(1 - rho[:, None] + rho[:, None] * sizes, 1e-12)
        error = (squares / relative).sum(axis=1) / total
        return np.asarray(
            total * np.log(np.maximum(error, 1e-300))
            + (repeats * np.log(relative)).sum(axis=1)
        )

    grid = np.linspace(0.002, 0.998, 84)
    best = np.argmin([deviance(np.full(len(total), g)) for g in grid], axis=0)
    a, b = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        c, d = b - golden * (b - a), a + golden * (b - a)
        lower = deviance(c) < deviance(d)
        a, b = np.where(lower, a, c), np.where(lower, d, b)
    return np.asarray(low + (a + b) / 2 * (1 - low))


@dataclass(frozen=True)
class LinearModels:
    """Linear models of E elements under A arms.

    Attributes
    ----------
    mean
        Of each arm, shape ``(E, A)``; only contrasts are identified.
    unscaled
        Covariance of the means at unit variance, shape ``(E, A, A)``.
    s2, df
        Residual variance and its degrees of freedom, shape ``(E,)`` each.
    """

    mean: Array
    unscaled: Array
    s2: Array
    df: Array

    def contrasts(self, weights: Array) -> FittedEffects:
        """Return contrasts ``(K, A)`` of the arms, with variances moderated over
        elements (limma's eBayes).
        """
        if not self.df.any():
            raise EstimateError(
                "the linear model has no degrees of freedom left: one replicate; use "
                "more replicates"
            )
        moderated = moderate_unequal(self.s2, self.df)
        unscaled = np.einsum("ka,eab,kb->ek", weights, self.unscaled, weights)
        df = np.broadcast_to(moderated.df[:, None], unscaled.shape)
        prior = {
            "prior_df": float(moderated.prior_df),
            "prior_variance": float(moderated.prior_variance),
        }
        if np.isinf(prior["prior_df"]):
            prior["prior_df"] = float(df.max())
        return FittedEffects(
            self.mean @ weights.T,
            np.sqrt(moderated.variance[:, None] * unscaled),
            df,
            {},
            prior,
        )

    def unmoderated(self, weights: Array) -> FittedEffects:
        """Return contrasts ``(K, A)`` of the arms, each element with its own variance.

        For few elements, whose variances are too uncertain to moderate; they are
        moderated all the same where an element has no degrees of freedom or no spread.
        """
        if not self.df.any():
            raise EstimateError(
                "the linear model has no degrees of freedom left: one replicate; use "
                "more replicates"
            )
        if not (self.df.all() and self.s2.all()):
            return self.contrasts(weights)
        unscaled = np.einsum("ka,eab,kb->ek", weights, self.unscaled, weights)
        df = np.broadcast_to(self.df[:, None], unscaled.shape)
        return FittedEffects(
            self.mean @ weights.T, np.sqrt(self.s2[:, None] * unscaled), df
        )

    def any_contrast(self, weights: Array) -> tuple[Array, Array]:
        """Return F and p, shape ``(E,)`` each, of the test that all contrasts, of full
        rank, are 0.
        """
        moderated = moderate_unequal(self.s2, self.df)
        effect = self.mean @ weights.T
        covariance = np.einsum("ka,eab,lb->ekl", weights, self.unscaled, weights)
        solved = np.linalg.solve(covariance, effect[..., None])[..., 0]
        F = (effect * solved).sum(axis=1) / (len(weights) * moderated.variance)
        return F, special.fdtrc(float(len(weights)), moderated.df, F)


def fit_paired(y: Array, there: NDArray[np.bool_] | None = None) -> LinearModels:
    """Fit ``replicate + arm`` by least squares to the replicates of each element that
    have every arm.

    Parameters
    ----------
    y
        Log ratios, shape ``(E, A, R)``.
    there
        Mask of those present, shape ``(E, A, R)``; None: all. Each element has at least
        one replicate with every arm.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.
    """
    E, A, R = y.shape
    whole: NDArray[np.bool_] = (
        np.ones((E, R), bool) if there is None else np.equal(there.sum(axis=1), A)
    )
    n = whole.sum(axis=1).astype(np.float64)
    y = np.where(whole[:, None], y, 0.0)
    mean = y.sum(axis=2) / n[:, None]
    left = (
        y
        - mean[:, :, None]
        - y.mean(axis=1, keepdims=True)
        + mean.mean(axis=1)[:, None, None]
    )
    squares = (np.where(whole[:, None], left, 0.0) ** 2).sum(axis=(1, 2))
    df = (A - 1) * (n - 1)
    return LinearModels(
        mean, np.eye(A) / n[:, None, None], squares / np.maximum(df, 1.0), df
    )


def fit_blocked(
    y: Array, w: Array, group: Ints, shape: tuple[int, int], correlation: float
) -> LinearModels:
    """Fit ``arm`` by generalized least squares with one correlation within replicates.

    Ratio i of an element has variance ``sigma^2 / w_i``, and two of one replicate
    correlate by `correlation` (limma's duplicateCorrelation model). The inverse
    covariance of a block is its diagonal less a rank-one term, so sums over the block
    suffice.

    Parameters
    ----------
    y, w
        Log ratios and their precision weights, shape ``(B, R)``; weight 0 is missing.
    group
        ``element * A + arm`` of each row, shape ``(B,)``.
    shape
        (E, A).
    correlation
        Within a replicate, above ``-1 / (size of a block - 1)`` and below 1.

    References
    ----------
    Smyth, Michaud & Scott (2005), doi:10.1093/bioinformatics/bti270.
    """
    A, root = shape[1], np.sqrt(w)

    def sums(values: Array) -> Array:
        return group_sums(values, group, shape)

    size = sums((w > 0).astype(np.float64))
    take = correlation / (1 - correlation + size.sum(axis=1) * correlation)
    s = sums(root)
    normal = -np.einsum("er,ear,ebr->eab", take, s, s)
    normal[:, np.arange(A), np.arange(A)] += sums(w.sum(axis=1))
    right = sums((w * y).sum(axis=1)) - np.einsum(
        "er,ear,er->ea", take, s, sums(root * y).sum(axis=1)
    )
    inverse = np.linalg.inv(normal)
    mean = np.einsum("eab,eb->ea", inverse, right)
    left = y - mean.reshape(-1)[group][:, None]
    squares = sums((w * left**2).sum(axis=1)).sum(axis=1) - (
        take * sums(root * left).sum(axis=1) ** 2
    ).sum(axis=1)
    df = size.sum(axis=(1, 2)) - A
    s2 = np.maximum(squares, 0.0) / (1 - correlation) / np.maximum(df, 1)
    return LinearModels(mean, inverse * (1 - correlation), s2, df)


LIBRARY = 1e7


def ratio_of_sums(counts: xr.Dataset, request: FitRequest) -> tuple[Array, Array]:
    """Return log2(RNA/DNA) and log2(DNA) of the sums over barcodes, shape ``(E, A, R)``
    each.

    Every library (type, replicate) is scaled to 1e7 reads, for all arms, and 1 is
    added: the ratio is ``log2(1e7 rna / rna_total + 1) - log2(1e7 dna / dna_total +
    1)``. Empty cells add nothing.
    """
    own = request.element >= 0
    group = (request.element * len(request.arms) + request.arm)[own]
    dna, rna = (
        counts[name].to_numpy().reshape(len(own), -1)[own].astype(np.float64)
        for name in ("dna", "rna")
    )
    log_dna, log_rna = (
        np.log2(
            group_sums(reads, group, request.oligos.shape)
            * (LIBRARY / counts[total].to_numpy())
            + 1
        )
        for reads, total in ((dna, "dna_total"), (rna, "rna_total"))
    )
    return log_rna - log_dna, np.broadcast_to(log_dna, log_rna.shape)
