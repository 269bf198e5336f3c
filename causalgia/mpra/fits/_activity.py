"""Activity of each oligo from its barcodes and replicates, and which lie above a
quantile of the negative controls.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import optimize, special
from scipy.stats import mstats

from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob
from causalgia.errors import DataError, quoted
from causalgia.mpra.counts.counts_table import (
    CONTROLS,
    check_one_condition,
    library_attrs,
    of_batches,
)
from causalgia.mpra.fits._fit import truncation_in, with_reads
from causalgia.mpra.fits._hierarchical import hierarchical
from causalgia.mpra.fits.additive_variants import carries_several
from causalgia.mpra.fits.count_responses import shallow_columns
from causalgia.mpra.fits.element_effects import activity_request, n_barcodes
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import log_p, p_and_limits, satterthwaite
from causalgia.schema import validate
from causalgia.types import Array, Client, Mask
from causalgia.workers import check_client

LEAST_NEGATIVES = 20
_NEGATIVE = "negative"


@usual_errors
def activity(
    counts: xr.Dataset,
    *,
    above: float = 0.975,
    negative: str | None = _NEGATIVE,
    ci_prob: float = 0.95,
    client: Client | None = None,
) -> xr.Dataset:
    r"""Estimate the activity of each oligo, and whether it lies above a quantile of the
    negative controls.

    The activity is the mean over barcodes and replicates of log2(RNA/DNA), each count
    relative to the total of its library. The model is that of `fit` with
    ``method="hierarchical"``: barcodes differ, a replicate shifts all barcodes of an
    oligo, silent barcodes are told from weak ones, and the sizes of the layers are
    shared by oligos. One arm an element is enough (tiling, peaks, ATAC-STARR).

    An oligo is tested, one-sided and by its own error, against the quantile Q of the
    true activities of the negative controls::

        t = (activity - Q) / sqrt(se ^ 2 + se_Q ^ 2)

    Q is the quantile of their estimates (Harrell & Davis 1982) less what their errors add
    to it, extrapolated to no error (Cook & Stefanski 1994) without a law of the controls,
    and se_Q follows from their errors. Of oligos that truly are at the .975 quantile of
    these controls, .01 to .06 have p < .05 with 100 of them, whatever their law. The
    claim is about these controls: others of their kind have another quantile, with the
    error ``threshold_sampling_se``, large where they are few or their tail is long.

    Parameters
    ----------
    counts
        From `read_counts`, filtered or not. Oligos without DNA are left out and counted.
    above
        Quantile of the negative controls, from 0.5 to below 1.
    negative
        Group of the negative controls. Without a group ``"negative"``, and with None,
        activities are compared with nothing.
    ci_prob
        Probability of the intervals.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process.

    Returns
    -------
    Dataset
        On oligo: ``activity, se, df, lower, upper`` (log2), ``n_barcodes`` with DNA, and
        with negative controls the one-sided ``p, log_p``, ``q`` (Benjamini-Hochberg over
        the oligos that are no controls, NaN for these) and ``p_rank``,
        ``(1 + #{negatives as active}) / (1 + n)``, a negative among the others. In the
        attributes Q as ``threshold``, ``threshold_se``, ``threshold_sampling_se`` (by the
        jackknife), ``n_negative``, and the number of oligos left out, ``n_unseen``.

    Raises
    ------
    DataError
        If there are fewer than 20 negative controls, or no group of that name, or the
        counts are refused as in `fit`.
    StoreError
        As `fit`.

    References
    ----------
    Harrell & Davis (1982), doi:10.1093/biomet/69.3.635. Cook & Stefanski (1994),
    doi:10.1080/01621459.1994.10476871.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> found = activity(simulated())
    >>> found["activity"].sel(oligo=["u23:control", "u23:GATA1"]).values.round(1)
    array([-0.8,  1.1])
    >>> found.attrs["n_negative"], round(found.attrs["threshold"], 2)
    (20, -0.18)
    >>> int((found["q"] <= 0.05).sum())
    11
    """
    if not 0.5 <= above < 1:
        raise DataError(f"above={quoted(above)} is a quantile, from 0.5 to below 1")
    ci_prob = as_ci_prob(ci_prob)
    check_one_condition(validate(counts, "counts"))
    counts = of_batches(counts)
    if carries_several(counts):
        raise DataError(
            "barcodes carry several variants, and each is of one oligo here"
        )
    counts, few = with_reads(counts, weighted=True)
    request = activity_request(counts)
    seen = request.first_oligos
    group = counts["group"].to_numpy()[seen]
    null = _negatives(group, negative)
    if client is not None:
        check_client(client)
    fitted = hierarchical(counts, request, client)
    truncated = truncation_in(
        counts, request, fitted, lambda other: hierarchical(other, request, client)
    )
    se, df = fitted.se[:, 0], fitted.df[:, 0]
    value = fitted.ace[:, 0] + _level(counts)
    _, lower, upper = p_and_limits(value, se, df, ci_prob)
    columns = {
        "activity": value,
        "se": se,
        "df": df,
        "lower": lower,
        "upper": upper,
        "n_barcodes": n_barcodes(counts)[seen],
    }
    compared = {}
    if null.any():
        control = null | np.isin(group, CONTROLS)
        threshold, error = control_quantile(value[null], se[null], above)
        freedom = satterthwaite(
            np.stack([se**2, np.full(len(se), error**2)]),
            np.stack([df, np.full(len(df), df[null].mean())]),
        )
        away, total = value - threshold, np.hypot(se, error)
        p = special.stdtr(freedom, -away / total)
        beyond = log_p(away, total, freedom) - np.log(2)
        q = np.full(len(p), np.nan)
        q[~control] = stepwise(p[~control], "bh")
        columns |= {
            "p": p,
            "log_p": np.where(away > 0, beyond, np.log(p)),
            "q": q,
            "p_rank": rank_p(value, null),
        }
        compared = attributes(
            above=above,
            negative=negative,
            n_negative=int(null.sum()),
            threshold=threshold,
            threshold_se=error,
            threshold_sampling_se=float(mstats.hdquantiles_sd(value[null], [above])[0]),
        )
    return xr.Dataset(
        {name: ("oligo", x) for name, x in columns.items()},
        {name: counts[name][seen] for name in ("oligo", "element", "arm", "group")},
        library_attrs(counts)
        | {key: x for key, x in counts.attrs.items() if key == "table_format"}
        | attributes(
            scale="log2(RNA/DNA)",
            ci_prob=ci_prob,
            n_replicates=counts.sizes["replicate"],
            n_unseen=counts.sizes["oligo"] - len(seen),
            replicates_left_out=", ".join(few),
            null=str(fitted.attrs["null"]),
        )
        | compared
        | truncated
        | (attributes(truncation_corrected=0) if truncated else {}),
    )


def _negatives(group: np.ndarray, negative: str | None) -> Mask:
    """Return the mask of the negative controls, of which there are none or 20 or more."""
    null: Mask = group == negative
    n = int(null.sum())
    if negative is None or (negative == _NEGATIVE and n == 0):
        return np.zeros(len(group), dtype=bool)
    if n < LEAST_NEGATIVES:
        raise DataError(
            f"negative={quoted(negative)}: {n} oligos of this group have DNA, and a "
            f"quantile needs {LEAST_NEGATIVES} or more",
            argument="negative",
        )
    return null


def _level(counts: xr.Dataset) -> float:
    """Return the log2 level that the model's activities lack, from library totals."""
    rna = counts["rna"].to_numpy()
    dna = counts["dna"].to_numpy().reshape(len(rna), -1)
    used = np.broadcast_to(
        counts["dna_observed"].to_numpy().reshape(dna.shape) & (dna > 0), rna.shape
    )
    deep = ~shallow_columns(np.where(used, rna, 0), used)
    totals = [np.log2(counts[f"{kind}_total"].to_numpy()) for kind in ("dna", "rna")]
    return float(totals[0].mean() - totals[1][deep].mean())


def control_quantile(own: Array, se: Array, above: float) -> tuple[float, float]:
    """Return a quantile of the true activities of these negative controls, and its
    standard error from theirs.

    The quantile of the estimates, by Harrell and Davis, less what their own errors add
    to it: by simulation-extrapolation, whose simulations are exact here, since
    estimates with further normal noise are a mixture of normals.

    Examples
    --------
    >>> own = 0.4 * special.ndtri((np.arange(200) + 0.5) / 200)
    >>> quantile, error = control_quantile(own, np.full(200, 0.2), 0.975)
    >>> round(quantile, 2), round(error, 2)  # the true sd is .35, the quantile .68
    (0.71, 0.07)
    """
    n = len(own)
    ends = special.betainc((n + 1) * above, (n + 1) * (1 - above), np.arange(n + 1) / n)
    weight, order = np.diff(ends), np.argsort(own)
    added = _noisier(own, se, above) - _noisier(own, np.sqrt(0.5) * se, above)
    return (
        float(weight @ own[order] - 2 * added),
        float(np.sqrt(weight**2 @ se[order] ** 2)),
    )


def _noisier(own: Array, se: Array, above: float) -> float:
    """Return the quantile of a mixture of N(own, se^2)."""
    far = 9 * float(se.max())
    return float(
        optimize.brentq(
            lambda x: float(special.ndtr((x - own) / se).mean()) - above,
            own.min() - far,
            own.max() + far,
        )
    )


def rank_p(value: Array, null: Mask) -> Array:
    """Return p by rank among the negatives; a negative is ranked among the others.

    Examples
    --------
    >>> rank_p(np.array([3.0, 1.0, 2.0]), np.array([False, True, True]))
    array([0.33333333, 1.        , 0.5       ])
    """
    n = int(null.sum())
    as_large = n - np.searchsorted(np.sort(value[null]), value, side="left")
    return np.where(null, as_large / n, (1 + as_large) / (1 + n))
