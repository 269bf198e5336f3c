"""Simulated barcode counts with known truth: both layers of noise, unequal depths, losses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from causalgia.errors import CountsError, quoted
from causalgia.mpra.counts.counts_table import counts_of
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, Ints

BARCODE_LENGTH = 15
MOST_LOG2 = 30


def simulate(
    activity: pd.DataFrame,
    *,
    barcodes: float | ArrayLike = 10,
    min_barcodes: int | None = None,
    replicates: int = 4,
    sd_barcode: float = 0.5,
    sd_replicate: float = 0.15,
    sd_noisiness: float = 0.4,
    sd_abundance: float = 1.0,
    depth_dna: float = 60.0,
    depth_rna: float = 90.0,
    sd_depth: float = 0.3,
    disp_dna: float = 0.03,
    disp_rna: float = 0.1,
    p_missing: float = 0.05,
    p_silent: float = 0.0,
    plasmid: bool = False,
    rng: RNG,
) -> xr.Dataset:
    """Simulate barcode counts of oligos with given log2 activities.

    For oligo o of element e, its barcode b, replicate r (logs base 2; NB has variance ``m + disp m^2``)::

        A_b      = 2 ** Normal(0, sd_abundance)        abundance of the barcode, the same in every replicate
        v_b      ~ Normal(0, sd_barcode h_e)           the barcode's own activity, the same in every replicate
        w_or     ~ Normal(0, sd_replicate h_e)         shared by the barcodes of an oligo in a replicate
        log h_e  ~ Normal(0, sd_noisiness)             natural log
        DNA_br   ~ NB(depth_dna_r A_b, disp_dna)
        RNA_br   ~ NB(depth_rna_r A_b 2 ** (activity_o + v_b + w_or), disp_rna)

    with depths ``depth 2 ** Normal(0, sd_depth)`` a library. A barcode is missing from a replicate (both cells empty)
    with probability `p_missing`, and its RNA alone is 0 with probability `p_silent`.

    Parameters
    ----------
    activity
        A row an oligo: ``element``, ``arm``, ``log2`` (its activity), and optionally ``group`` (else ``test``) and
        ``oligo_name`` (else ``element:arm``). With a column ``barcode``, as in an ordered library with synthesized
        barcodes, a row is a barcode, and oligos of one name have one activity.
    barcodes
        Barcodes an oligo, one number or one each; ignored where `activity` names them.
    min_barcodes
        None: each oligo has exactly `barcodes`; else a Poisson number of that mean, and at least this many.
    replicates
        Number of replicates.
    sd_barcode, sd_replicate, sd_abundance, sd_depth
        Standard deviations on log2.
    sd_noisiness
        Spread of the elements' noise levels, sd of the natural log; 0: all have h = 1.
    depth_dna, depth_rna
        Reads of a barcode of median abundance (and, for RNA, activity 0).
    disp_dna, disp_rna
        Dispersions of the counts; 0 is Poisson.
    p_missing, p_silent
        Probabilities for each barcode and replicate.
    plasmid
        Whether one DNA library (of the plasmid pool) serves all replicates; a missing barcode is then missing from all
        of them.
    rng
        Seed; the same seed gives the same counts.

    Returns
    -------
    Dataset
        Of kind ``counts``, with the truth beside them: ``true_activity``, ``true_noisiness`` (oligo),
        ``true_barcode_effect`` (barcode), ``true_replicate_effect`` (oligo, replicate); the settings as JSON in
        ``attrs["simulated"]``.

    Raises
    ------
    CountsError
        If `activity` lacks a column or has an oligo twice, or a setting is out of range.

    Examples
    --------
    >>> truth = pd.DataFrame({"element": ["u1", "u1"], "arm": ["scramble", "GATA1"], "log2": [0.0, 1.0]})
    >>> counts = simulate(truth, barcodes=200, sd_barcode=0.0, sd_replicate=0.0, rng=0)
    >>> sums = counts[["dna", "rna"]].sum("replicate").groupby(counts["oligo_index"]).sum()
    >>> np.log2(sums["rna"] / sums["dna"]).diff("oligo_index").values.round(1)
    array([1.])
    """
    settings = _SimulationSettings(
        replicates, sd_barcode, sd_replicate, sd_noisiness, sd_abundance, depth_dna, depth_rna, sd_depth,
        disp_dna, disp_rna, p_missing, p_silent, plasmid,
    )  # fmt: skip
    key = root_key(rng)
    side, place, letters = _side_table_and_barcodes(activity, barcodes, min_barcodes, key)
    drawn = _draw_counts(side["log2"].to_numpy(np.float64), pd.factorize(side["element"])[0], place, settings, key)
    counts = counts_of(
        drawn.dna,
        drawn.rna,
        barcodes=letters,
        oligos=side["oligo_name"].to_numpy()[place],
        arms=side,
        dna_observed=drawn.seen[:, 0] if plasmid else drawn.seen,
        rna_observed=drawn.seen,
    )
    truth = {
        "true_activity": ("oligo", side["log2"].to_numpy(np.float64)),
        "true_noisiness": ("oligo", drawn.noisiness),
        "true_barcode_effect": ("barcode", drawn.of_barcode),
        "true_replicate_effect": (("oligo", "replicate"), drawn.of_replicate),
    }
    return counts.assign(truth).assign_attrs(simulated=json.dumps(vars(settings)))


@dataclass(frozen=True)
class _SimulationSettings:
    replicates: int
    sd_barcode: float
    sd_replicate: float
    sd_noisiness: float
    sd_abundance: float
    depth_dna: float
    depth_rna: float
    sd_depth: float
    disp_dna: float
    disp_rna: float
    p_missing: float
    p_silent: float
    plasmid: bool

    def __post_init__(self) -> None:
        if not _is_whole_number(self.replicates, 1):
            raise CountsError(f"replicates={quoted(self.replicates)} is not a whole number above 0; for example 4")
        for name, value in vars(self).items():
            if name in ("replicates", "plasmid"):
                continue
            most = 1.0 if name.startswith("p_") else float(np.finfo(float).max)
            if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= most:
                raise CountsError(f"{name}={quoted(value)} is not a number from 0{' to 1' if most == 1 else ' up'}")


@dataclass(frozen=True)
class _SimulatedCounts:
    dna: Ints
    rna: Ints
    seen: NDArray[np.bool_]
    noisiness: Array
    of_barcode: Array
    of_replicate: Array


def _draw_counts(activity: Array, element: Ints, place: Ints, s: _SimulationSettings, key: int) -> _SimulatedCounts:
    """Draw the counts of barcodes at `place` on the oligos, with one random stream for each purpose."""

    def stream(purpose: str) -> np.random.Generator:
        return np.random.default_rng(derive(key, "counts", purpose))

    n, R = len(place), s.replicates
    h = np.exp(stream("noisiness").normal(0, s.sd_noisiness, int(element.max()) + 1))[element]
    of_barcode = stream("barcode").normal(0, s.sd_barcode, n) * h[place]
    of_replicate = stream("replicate").normal(0, s.sd_replicate, (len(h), R)) * h[:, None]
    abundance = np.exp2(stream("abundance").normal(0, s.sd_abundance, n))
    depths = np.exp2(stream("depth").normal(0, s.sd_depth, (2, R)))
    of_dna = depths[:1, :1] if s.plasmid else depths[:1]
    dna = _negative_binomial(stream("dna"), s.depth_dna * abundance[:, None] * of_dna, s.disp_dna)
    lifted = np.exp2(activity[place] + of_barcode)[:, None] * np.exp2(of_replicate)[place]
    rna = _negative_binomial(stream("rna"), s.depth_rna * abundance[:, None] * depths[1] * lifted, s.disp_rna)
    rna[stream("silent").random((n, R)) < s.p_silent] = 0
    seen = stream("missing").random((n, 1 if s.plasmid else R)) >= s.p_missing
    seen = np.broadcast_to(seen, (n, R))
    return _SimulatedCounts(dna[:, 0] if s.plasmid else dna, rna, seen, h, of_barcode, of_replicate)


def _negative_binomial(rng: np.random.Generator, mean: Array, dispersion: float) -> Ints:
    if dispersion > 0:
        mean = rng.standard_gamma(1 / dispersion, mean.shape) * (mean * dispersion)
    return rng.poisson(mean)


def _side_table_and_barcodes(
    activity: pd.DataFrame, barcodes: Any, least: int | None, key: int
) -> tuple[pd.DataFrame, Ints, NDArray[np.str_]]:
    """Return the side table with log2, the place of each barcode on it, and the barcodes."""
    if not isinstance(activity, pd.DataFrame) or len(activity) == 0:
        raise CountsError("activity is no table with rows; give a DataFrame, a row an oligo: element, arm and log2")
    absent = [name for name in ("element", "arm", "log2") if name not in activity.columns]
    if absent:
        raise CountsError(f"activity has no column {', '.join(map(quoted, absent))}; it needs element, arm and log2")
    table = activity.reset_index(drop=True)
    if "oligo_name" not in table.columns:
        table = table.assign(oligo_name=table["element"].astype(str) + ":" + table["arm"].astype(str))
    log2 = pd.to_numeric(table["log2"], errors="coerce").to_numpy(np.float64)
    fit_for = np.abs(log2) <= MOST_LOG2
    if not fit_for.all():
        name = table["oligo_name"][int(np.argmin(fit_for))]
        raise CountsError(f"oligo {quoted(name)}: its log2 is not a number between -{MOST_LOG2} and {MOST_LOG2}")
    table["log2"] = log2
    if "barcode" in table.columns:
        return _from_named_barcodes(table)
    twice = table["oligo_name"].duplicated()
    if twice.any():
        raise CountsError(
            f"oligo {quoted(table['oligo_name'][twice].iloc[0])} has two rows; give each a name of its own"
        )
    n = _barcode_numbers(barcodes, least, len(table), np.random.default_rng(derive(key, "counts", "n")))
    letters = _random_barcodes(int(n.sum()), np.random.default_rng(derive(key, "counts", "letters")))
    return table, np.repeat(np.arange(len(table)), n), letters


def _from_named_barcodes(table: pd.DataFrame) -> tuple[pd.DataFrame, Ints, NDArray[np.str_]]:
    place, names = pd.factorize(table["oligo_name"])
    first = table.drop_duplicates("oligo_name").reset_index(drop=True)
    other = table["log2"].to_numpy(np.float64) != first["log2"].to_numpy(np.float64)[place]
    if other.any():
        raise CountsError(
            f"oligo {quoted(names[place[int(np.argmax(other))]])} has two activities; give its rows one log2"
        )
    return first.drop(columns="barcode"), place.astype(np.int64), table["barcode"].to_numpy().astype(str)


def _barcode_numbers(barcodes: Any, least: int | None, n: int, rng: np.random.Generator) -> Ints:
    try:
        mean = np.asarray(barcodes, dtype=np.float64)
    except (TypeError, ValueError):
        mean = np.array(np.nan)
    if mean.shape not in ((), (n,)) or not np.isfinite(mean).all() or (mean < 0).any():
        raise CountsError(f"barcodes= takes one number of at least 0, or one for each of the {n} oligos")
    mean = np.broadcast_to(mean, n)
    if least is not None:
        if not _is_whole_number(least, 0):
            raise CountsError(f"min_barcodes={quoted(least)} is not a whole number of at least 0; for example 4")
        return np.maximum(int(least), rng.poisson(mean))
    if (mean != np.floor(mean)).any():
        raise CountsError("barcodes= holds fractions; with min_barcodes= it is the mean of a Poisson draw")
    return mean.astype(np.int64)


def _is_whole_number(value: Any, least: int) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return float(value).is_integer() and float(value) >= least


def _random_barcodes(n: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """Return n distinct random barcodes."""
    found = np.empty(0, dtype=np.int64)
    while len(found) < n:
        more = rng.integers(4**BARCODE_LENGTH, size=n + n // 100 + 10)
        found = np.concatenate([found, more])
        found = found[np.sort(np.unique(found, return_index=True)[1])]
    digits = (found[:n, None] >> (2 * np.arange(BARCODE_LENGTH))) & 3
    text = np.frombuffer(b"ACGT", dtype=np.uint8)[digits]
    return np.ascontiguousarray(text).view(f"S{BARCODE_LENGTH}").ravel().astype(str)
