"""What a barcode table is like before it is analysed: barcodes, replicates, DNA, dropouts, outliers."""

from __future__ import annotations

import json
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import CountsError, quoted
from causalgia.mpra.counts._aggregate import aggregate
from causalgia.mpra.counts._filter import barcode_z, barcodes_seen
from causalgia.mpra.counts.findings import as_records, findings
from causalgia.mpra.counts.floors import dna_floors
from causalgia.mpra.counts.log_ratios import cell_ratios, dna_observed
from causalgia.mpra.counts.noise_layers import oligo_means
from causalgia.schema import validate
from causalgia.types import Array, Ints, Mask

OUTLIER = 5.0


def quality(counts: xr.Dataset, *, min_dna: float = 10.0, outlier: float = OUTLIER) -> xr.Dataset:
    """Look at barcode counts: how many barcodes, how well replicates agree, how much DNA, what is missing or odd.

    Replicates share barcodes, so their agreement says nothing of how barcodes of an oligo differ: `robust_z`,
    `effective_barcodes` and `loo_range` do.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    min_dna
        The DNA floor of `filter` that ``below_floor`` counts.
    outlier
        The robust z beyond which a barcode is counted in ``outliers``.

    Returns
    -------
    Dataset
        By oligo: ``n_barcodes`` (with DNA above 0 in some replicate), ``effective_barcodes``, the
        ``(sum w)^2 / sum w^2`` of their DNA, 0 where there are none; ``activity (oligo, replicate)``, log2(RNA/DNA) of
        the sums; ``loo_range``, how far that (over all replicates) moves between the barcodes that may be left out, 0
        below two barcodes. By barcode: ``robust_z`` within the oligo (median and MAD of barcode means). By replicate:
        ``dna_total, rna_total``; ``empty``, the share of its DNA cells that are empty; ``below_floor``, that of those
        observed that are under `min_dna`; ``dropouts``, the share of all oligos without a barcode in it. By pair of
        replicates: correlation over oligos of ``activity``, of ``dna`` and of ``rna`` (log2 of sums per million, plus
        1), and over barcodes of the log ratio (``correlation_barcode``); 0 where it is not defined. By arm:
        ``oligos``, ``never_seen``, ``barcodes`` (the median an oligo) and ``outliers``. By ``floor`` of DNA, what
        `filter` would do with it as ``min_dna``: ``floor_left_out``, the share of barcodes with DNA that it leaves
        out, ``floor_oligos``, that of oligos which lose all, and ``floor_error``, the squared error of an oligo's mean
        over the least there is; ``attrs["advised_floor"]`` is the lowest floor within 2 % of that. And
        ``attrs["verdicts"]``, a JSON list of what is wrong with replicates: ``verdict`` (``outlier``, ``copied``,
        ``transformed``, ``disagree``, ``swapped``), ``replicates``, ``says``.

    Raises
    ------
    OutcomesError
        If these are no counts.
    CountsError
        If a number is not one of at least 0.

    Examples
    --------
    >>> from causalgia.mpra.counts.example_counts import simulated
    >>> found = quality(simulated())
    >>> found["barcodes"].to_series().to_dict(), found["never_seen"].values
    ({'control': 8.0, 'GATA1': 8.0}, array([0, 0]))
    >>> found["correlation_activity"].sel(replicate="1", replicate_="2").round(2).item()
    0.83
    """
    validate(counts, "counts")
    given: dict[str, Any] = {"min_dna": min_dna, "outlier": outlier}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not float(value) >= 0:
            raise CountsError(f"{name}={quoted(value)} is not a number of at least 0")
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    sums, z = aggregate(counts), barcode_z(counts)
    ratios, used = cell_ratios(counts)
    seen = oligo_means(ratios, used, of, n).seen
    of_oligo = _by_oligo(counts, seen)
    of_replicate = ("replicate",) if counts["dna"].ndim == 2 else ()
    found: dict[str, Any] = {name: ("oligo", x) for name, x in of_oligo.items()}
    found |= {"activity": (("oligo", "replicate"), sums["log2_ratio"].to_numpy()), "robust_z": ("barcode", z)}
    found |= {name: (of_replicate, x) for name, x in _of_dna(counts, min_dna).items()}
    found |= {name: (("replicate", "replicate_"), x) for name, x in _agreement(sums, ratios, used).items()}
    found |= {name: ("arm_", x) for name, x in _by_arm(counts, of_oligo["n_barcodes"], np.abs(z) > outlier).items()}
    names = list(dict.fromkeys(counts["arm"].to_numpy().tolist()))
    coords: dict[str, Any] = {
        name: counts[name] for name in ("oligo", "replicate", "barcode", "element", "arm", "group")
    }
    coords |= {"arm_": names, "replicate_": counts["replicate"].to_numpy()}
    found |= {name: counts[name] for name in ("dna_total", "rna_total")}
    floors = dna_floors(counts, float(min_dna))
    found |= {f"floor_{name}": ("floor", getattr(floors, name)) for name in ("left_out", "oligos", "error")}
    coords["floor"] = floors.floor
    told: dict[str, Any] = {"min_dna": min_dna, "outlier": outlier, "advised_floor": floors.advised}
    told["verdicts"] = json.dumps(as_records(findings(counts, sums)))
    return xr.Dataset(found, coords, dict(counts.attrs) | told)


def _by_oligo(counts: xr.Dataset, seen: Mask) -> dict[str, Any]:
    of, n = counts["oligo_index"].to_numpy(), counts.sizes["oligo"]
    dna, rna = (counts[k].to_numpy().reshape(len(of), -1).sum(axis=1).astype(np.float64) for k in ("dna", "rna"))
    total, squares = (np.bincount(of, weights=w, minlength=n) for w in (dna, dna**2))
    count = np.bincount(of, weights=seen, minlength=n).astype(np.int64)
    effective = np.divide(total**2, squares, out=np.zeros(n), where=squares > 0)
    without = np.log2(np.bincount(of, weights=rna, minlength=n)[of] - rna + 1) - np.log2(total[of] - dna + 1)
    high, low = np.full(n, -np.inf), np.full(n, np.inf)
    np.maximum.at(high, of[seen], without[seen])
    np.minimum.at(low, of[seen], without[seen])
    moved = np.zeros(n)
    moved[count > 1] = high[count > 1] - low[count > 1]
    return {"n_barcodes": count, "effective_barcodes": effective, "loo_range": moved}


def _of_dna(counts: xr.Dataset, floor: float) -> dict[str, Array]:
    """Return shares by replicate, or single numbers of one plasmid pool."""
    observed = dna_observed(counts)
    dna = counts["dna"].to_numpy().reshape(observed.shape)
    n = observed.sum(axis=0)
    found = {
        "empty": 1 - n / len(observed),
        "below_floor": (observed & (dna < floor)).sum(axis=0) / np.maximum(n, 1),
        "dropouts": (barcodes_seen(counts) == 0).mean(axis=0),
    }
    return found if counts["dna"].ndim == 2 else {name: x[0] for name, x in found.items()}


def _agreement(sums: xr.Dataset, ratios: Array, used: Mask) -> dict[str, Array]:
    both = (sums["n_bc"].to_numpy() > 0).all(axis=1)
    logs = {name: np.log2(sums[f"{name}_normalized"].to_numpy() + 1)[both] for name in ("dna", "rna")}
    over = {"activity": sums["log2_ratio"].to_numpy()[both], **logs}
    found = {f"correlation_{name}": _correlations(x, np.ones_like(x, dtype=bool)) for name, x in over.items()}
    return found | {"correlation_barcode": _correlations(ratios, used)}


def _correlations(x: Array, used: Mask) -> Array:
    """Return the correlation of each pair of columns over the rows that both have; 0 where it is not defined."""
    R = x.shape[1]
    found = np.eye(R)
    for r in range(R):
        for s in range(r):
            a, b = x[used[:, r] & used[:, s]][:, [r, s]].T
            a, b = a - a.mean() if len(a) else a, b - b.mean() if len(b) else b
            size = np.sqrt((a @ a) * (b @ b))
            found[r, s] = found[s, r] = a @ b / size if size > 0 else 0.0
    return found


def _by_arm(counts: xr.Dataset, n: Ints, odd: Mask) -> dict[str, Any]:
    arm = counts["arm"].to_numpy()
    names = list(dict.fromkeys(arm.tolist()))
    of = arm[counts["oligo_index"].to_numpy()[odd]]
    return {
        "oligos": np.array([(arm == name).sum() for name in names]),
        "never_seen": np.array([(n[arm == name] == 0).sum() for name in names]),
        "barcodes": np.array([np.median(n[arm == name]) for name in names]),
        "outliers": np.array([(of == name).sum() for name in names]),
    }
