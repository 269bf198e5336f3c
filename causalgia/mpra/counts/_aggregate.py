"""Sums over the barcodes of an oligo, and calls of oligos above the negative controls."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr

from causalgia.errors import CountsError, quoted
from causalgia.mpra.counts.log_ratios import cell_ratios, dna_observed, group_sums
from causalgia.mpra.counts.noise_layers import oligo_means
from causalgia.multiplicity.fdr import weighted_bh
from causalgia.schema import validate
from causalgia.types import Array

READS = 1e7
MAD_TO_SD = 1.4826
METHODS = ("barcodes", "sums")


def aggregate(counts: xr.Dataset) -> xr.Dataset:
    """Sum the barcodes of every oligo in every replicate.

    Abundant barcodes weigh more in a sum; ``activity(counts, method="barcodes")`` counts each once.

    Parameters
    ----------
    counts
        Of kind ``counts``.

    Returns
    -------
    Dataset
        On (oligo, replicate), with the oligos' element, arm and group: ``dna_counts, rna_counts`` (an empty cell adds
        nothing), ``n_bc`` (barcodes with DNA above 0), ``dna_normalized, rna_normalized`` (per million reads of the
        library) and ``log2_ratio = log2(1e7 rna / rna_total + 1) - log2(1e7 dna / dna_total + 1)``. One plasmid pool is
        the DNA of every replicate.

    Raises
    ------
    OutcomesError
        If the Dataset is not of kind ``counts``.

    Examples
    --------
    >>> from causalgia.mpra.counts.example_counts import two_arms
    >>> aggregate(two_arms())[["dna_counts", "n_bc"]].isel(replicate=0).to_dataframe()[["dna_counts", "n_bc"]]
             dna_counts  n_bc
    oligo
    u1_cont          30     2
    u1_gata          25     2
    """
    validate(counts, "counts")
    shape = counts["rna"].shape
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    dna, rna = (counts[name].to_numpy().reshape(len(of), -1) for name in ("dna", "rna"))
    dna, seen = (np.broadcast_to(x, shape) for x in (dna, dna_observed(counts) & (dna > 0)))
    sums = {
        name: np.rint(group_sums(x, of, (n,))).astype(np.int64)
        for name, x in {"dna_counts": dna, "rna_counts": rna, "n_bc": seen}.items()
    }
    totals = {name: counts[f"{name}_total"].to_numpy() for name in ("dna", "rna")}
    shares = {name: sums[f"{name}_counts"] / total for name, total in totals.items()}
    logs = {name: np.log2(share * READS + 1) for name, share in shares.items()}
    found = sums | {f"{name}_normalized": share * 1e6 for name, share in shares.items()}
    found["log2_ratio"] = logs["rna"] - logs["dna"]
    coords = {name: counts[name] for name in ("oligo", "replicate", "element", "arm", "group")}
    return xr.Dataset({name: (("oligo", "replicate"), x) for name, x in found.items()}, coords, dict(counts.attrs))


def oligo_activity(counts: xr.Dataset, method: str) -> tuple[Array, NDArray[np.int64]]:
    """Return log2(RNA/DNA) of every oligo in every replicate, and the barcodes behind it, both ``(n_oligos, R)``."""
    if method not in METHODS:
        raise CountsError(f"method={quoted(method)} is neither 'barcodes' (each counts once) nor 'sums'")
    if method == "sums":
        sums = aggregate(counts)
        return sums["log2_ratio"].to_numpy(), sums["n_bc"].to_numpy()
    ratios, used = cell_ratios(counts)
    means = oligo_means(ratios, used, counts["oligo_index"].to_numpy(), counts.sizes["oligo"])
    return means.activity, means.n


def check_oligos_seen(counts: xr.Dataset, n: NDArray[np.int64], oligos: NDArray[np.int64]) -> None:
    """Raise CountsError where an oligo (place) has no barcode with DNA in some replicate."""
    empty = n[oligos] == 0
    if not empty.any():
        return
    *which, r = np.argwhere(empty)[0]
    element, arm = (counts[name].to_numpy()[oligos[tuple(which)]] for name in ("element", "arm"))
    replicate = counts["replicate"].to_numpy()[r]
    raise CountsError(
        f"element {quoted(element)}, arm {quoted(arm)}: no barcode with DNA in replicate {replicate}, as in "
        f"{int(empty.any(axis=-1).sum()) - 1:,} more oligos; leave such elements out, in every arm: "
        "cg.mpra.filter(counts, min_barcodes=1)"
    )


def calls(counts: xr.Dataset, *, negative: str = "negative", method: str = "sums") -> xr.Dataset:
    """Call the oligos that are more active than the negative controls of the library.

    Activity is relative to the negatives: ``z = (activity - median) / (1.4826 MAD)`` of the negative oligos, with
    one-sided p by the normal distribution and by rank, ``(1 + #{negatives at least as active}) / (1 + n)``.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    negative
        Group of the negative controls.
    method
        ``"sums"`` over barcodes, as in `aggregate`, or ``"barcodes"``, each counting once.

    Returns
    -------
    Dataset
        On oligo: ``activity`` (mean log2(RNA/DNA) over replicates), ``z``, ``p_normal``, ``p_rank`` and ``q_normal``
        (Benjamini-Hochberg over all oligos).

    Raises
    ------
    CountsError
        If there are fewer than 3 negative oligos, they do not differ, or an oligo has no barcode with DNA in some
        replicate.

    Examples
    --------
    >>> from causalgia.mpra.counts.example_counts import simulated
    >>> found = calls(simulated())
    >>> (found["q_normal"] < 0.05).groupby("group").mean().to_series()
    group
    negative    0.0
    test        0.3
    Name: q_normal, dtype: float64
    """
    activity, n = oligo_activity(validate(counts, "counts"), method)
    check_oligos_seen(counts, n, np.arange(len(n)))
    mean = activity.mean(axis=1)
    null = mean[counts["group"].to_numpy() == negative]
    if len(null) < 3:
        groups = ", ".join(dict.fromkeys(counts["group"].to_numpy().tolist()))
        raise CountsError(
            f"{len(null)} oligos of group {quoted(negative)}, and 3 are the least; the groups are {groups}"
        )
    spread = MAD_TO_SD * float(np.median(np.abs(null - np.median(null))))
    if spread == 0:
        raise CountsError(
            f"the {len(null)} oligos of group {quoted(negative)} have one activity, so nothing measures others"
        )
    z = (mean - np.median(null)) / spread
    above = len(null) - np.searchsorted(np.sort(null), mean, side="left")
    p = ndtr(-z)
    found = {"activity": mean, "z": z, "p_normal": p, "p_rank": (1 + above) / (1 + len(null))}
    found["q_normal"] = weighted_bh(p, np.ones_like(p))
    coords = {name: counts[name] for name in ("oligo", "element", "arm", "group")}
    attrs = {"negative": negative, "n_negative": len(null), "method": method}
    return xr.Dataset({name: ("oligo", x) for name, x in found.items()}, coords, dict(counts.attrs) | attrs)
