"""Barcode counts simulated with the noise of a reporter assay."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from causalgia.checks import as_int, as_number, is_text, is_whole
from causalgia.errors import DataError, quoted
from causalgia.mpra.counts.counts_table import counts_of
from causalgia.mpra.counts.noise import NoiseModel, as_noise
from causalgia.numerics.float_errors import usual_errors
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, Ints

BARCODE_LENGTH = 15
MOST_LOG2 = 30


@usual_errors
def simulate(
    activity: pd.DataFrame,
    *,
    n_barcodes: float | ArrayLike = 10,
    min_barcodes: int | None = None,
    n_replicates: int = 4,
    depth_dna: float = 60.0,
    depth_rna: float = 90.0,
    sd_depth: float = 0.3,
    p_missing: float = 0.05,
    noise: NoiseModel | None = None,
    rng: RNG,
) -> xr.Dataset:
    """Simulate barcode counts of oligos with given log2 activities.

    Use it to try an analysis on counts whose truth is known.

    For oligo o of element e, its barcode b, replicate r (logs base 2; NB has variance
    ``m + disp m^2``)::

        A_b      = 2 ** Normal(0, sd_abundance)        abundance of the barcode, the same in every replicate
        v_b      ~ Normal(0, sd_barcode h_e)           the barcode's own activity, the same in every replicate
                   + Normal(0, sd_outlier)             with probability outliers
        w_or     ~ Normal(0, sd_replicate h_e)         shared by the barcodes of an oligo in a replicate
                   + Normal(0, sd_shared)              shared by the oligos of an arm in a replicate
        log h_e  ~ Normal(0, sd_noisiness)             natural log
        DNA_br   ~ NB(depth_dna_r A_b, disp_dna)
        RNA_br   ~ NB(depth_rna_r A_b 2 ** (activity_o + v_b + w_or), disp_rna)

    with depths ``depth 2 ** Normal(0, sd_depth)`` a library. A barcode is missing from
    a replicate (both cells empty) with probability `p_missing`, and its RNA alone is 0
    with probability ``p_silent``.

    Parameters
    ----------
    activity
        A row an oligo: ``element``, ``arm``, ``log2`` (its activity), and optionally
        ``group`` (else ``test``) and ``oligo_name`` (else ``element:arm``). With a
        column ``barcode``, as in an ordered library with synthesized barcodes, a row is
        a barcode, and oligos of one name have one activity.
    n_barcodes
        Barcodes an oligo, one number or one each; ignored where `activity` names them.
    min_barcodes
        None: each oligo has exactly `n_barcodes`; else a Poisson number of that mean,
        and at least this many.
    n_replicates
        Number of replicates.
    depth_dna, depth_rna
        Reads of a barcode of median abundance (and, for RNA, activity 0).
    sd_depth
        Standard deviation of the depth of libraries, on log2.
    p_missing
        Probability that a barcode is missing from a replicate; where one DNA library
        serves all replicates (``plasmid`` of the noise), from all of them.
    noise
        Noise of the assay. None, or None in a field: sd_barcode 0.5, sd_replicate 0.15,
        sd_noisiness 0.4, sd_shared 0. Fields that are for planning alone (sd_count, tau,
        recovery, missing, barcode_dispersion) are refused; the spread between
        backgrounds is that of `activity`.
    rng
        Seed (0 is a seed), Generator or SeedSequence. The same seed gives the same
        counts.

    Returns
    -------
    Dataset
        Of kind ``counts``, with the truth beside them: ``true_activity``,
        ``true_noisiness`` (oligo), ``true_barcode_effect`` (barcode),
        ``true_replicate_effect`` (oligo, replicate); the settings as JSON in
        ``attrs["simulated"]``.

    Raises
    ------
    DataError
        If `activity` lacks a column or has an oligo twice, a setting is out of range,
        or the noise has a field that is for planning.

    Examples
    --------
    >>> truth = pd.DataFrame(
    ...     {"element": ["u1", "u1"], "arm": ["scramble", "GATA1"], "log2": [0.0, 1.0]}
    ... )
    >>> counts = simulate(
    ...     truth,
    ...     n_barcodes=200,
    ...     noise=NoiseModel(sd_barcode=0.0, sd_replicate=0.0),
    ...     rng=0,
    ... )
    >>> sums = (
    ...     counts[["dna", "rna"]].sum("replicate").groupby(counts["oligo_index"]).sum()
    ... )
    >>> np.log2(sums["rna"] / sums["dna"]).diff("oligo_index").values.round(1)
    array([1.])
    """
    settings = _SimulationSettings(
        n_replicates=as_int(n_replicates, "n_replicates", error=DataError),
        depth_dna=as_number(depth_dna, "depth_dna", least=0, error=DataError),
        depth_rna=as_number(depth_rna, "depth_rna", least=0, error=DataError),
        sd_depth=as_number(sd_depth, "sd_depth", least=0, error=DataError),
        p_missing=as_number(p_missing, "p_missing", least=0, most=1, error=DataError),
        noise=_as_simulated_noise(as_noise(noise)),
    )
    key = root_key(rng)
    side, place, letters = _side_table_and_barcodes(
        activity, n_barcodes, min_barcodes, key
    )
    drawn = _draw_counts(
        side["log2"].to_numpy(np.float64),
        pd.factorize(side["element"])[0],
        pd.factorize(side["arm"])[0],
        place,
        settings,
        key,
    )
    counts = counts_of(
        drawn.dna,
        drawn.rna,
        barcodes=letters,
        oligos=side["oligo_name"].to_numpy()[place],
        side_table=side,
        dna_observed=drawn.observed[:, 0] if settings.noise.plasmid else drawn.observed,
        rna_observed=drawn.observed,
    )
    truth = {
        "true_activity": ("oligo", side["log2"].to_numpy(np.float64)),
        "true_noisiness": ("oligo", drawn.noisiness),
        "true_barcode_effect": ("barcode", drawn.of_barcode),
        "true_replicate_effect": (("oligo", "replicate"), drawn.of_replicate),
    }
    return counts.assign(truth).assign_attrs(simulated=json.dumps(asdict(settings)))


_TYPICAL: dict[str, Any] = {
    "sd_barcode": 0.5,
    "sd_replicate": 0.15,
    "sd_noisiness": 0.4,
    "sd_shared": 0.0,
    "plasmid": False,
}


@dataclass(frozen=True, kw_only=True)
class _SimulationSettings:
    n_replicates: int
    depth_dna: float
    depth_rna: float
    sd_depth: float
    p_missing: float
    noise: NoiseModel


def _as_simulated_noise(noise: NoiseModel) -> NoiseModel:
    """Return the noise with typical values where it has none, or raise DataError for
    fields of planning.
    """
    for name in ("sd_count", "tau", "recovery", "missing", "barcode_dispersion"):
        if getattr(noise, name) != NoiseModel.__dataclass_fields__[name].default:
            raise DataError(
                f"{name}={quoted(getattr(noise, name))} of the noise is for planning"
            )
    return replace(
        noise,
        **{
            name: value
            for name, value in _TYPICAL.items()
            if getattr(noise, name) is None
        },
    )


@dataclass(frozen=True)
class _SimulatedCounts:
    dna: Ints
    rna: Ints
    observed: NDArray[np.bool_]
    noisiness: Array
    of_barcode: Array
    of_replicate: Array


def _draw_counts(
    activity: Array,
    element: Ints,
    arm: Ints,
    place: Ints,
    settings: _SimulationSettings,
    key: int,
) -> _SimulatedCounts:
    """Draw the counts of barcodes at `place` on the oligos, with one random stream for
    each purpose.
    """

    def stream(purpose: str) -> np.random.Generator:
        return np.random.default_rng(derive(key, "counts", purpose))

    s, n, R = settings.noise, len(place), settings.n_replicates
    sd_barcode, sd_replicate, sd_noisiness, sd_shared = (
        float(getattr(s, name)) for name in list(_TYPICAL)[:4]
    )
    h = np.exp(stream("noisiness").normal(0, sd_noisiness, int(element.max()) + 1))[
        element
    ]
    of_barcode = stream("barcode").normal(0, sd_barcode, n) * h[place]
    far = stream("outlier").random(n) < s.outliers
    of_barcode += far * stream("far").normal(0, s.sd_outlier, n)
    of_replicate = stream("replicate").normal(0, sd_replicate, (len(h), R)) * h[:, None]
    of_arm = stream("arm").normal(0, sd_shared, (int(arm.max()) + 1, R))
    of_replicate += of_arm[arm]
    abundance = np.exp2(stream("abundance").normal(0, s.sd_abundance, n))
    depths = np.exp2(stream("depth").normal(0, settings.sd_depth, (2, R)))
    of_dna = depths[:1, :1] if s.plasmid else depths[:1]
    dna = _negative_binomial(
        stream("dna"), settings.depth_dna * abundance[:, None] * of_dna, s.disp_dna
    )
    lifted = (
        np.exp2(activity[place] + of_barcode)[:, None] * np.exp2(of_replicate)[place]
    )
    rna = _negative_binomial(
        stream("rna"),
        settings.depth_rna * abundance[:, None] * depths[1] * lifted,
        s.disp_rna,
    )
    rna[stream("silent").random((n, R)) < s.p_silent] = 0
    observed = (
        stream("missing").random((n, 1 if s.plasmid else R)) >= settings.p_missing
    )
    observed = np.broadcast_to(observed, (n, R))
    return _SimulatedCounts(
        dna[:, 0] if s.plasmid else dna, rna, observed, h, of_barcode, of_replicate
    )


def _negative_binomial(
    rng: np.random.Generator, mean: Array, dispersion: float
) -> Ints:
    if dispersion > 0:
        mean = rng.standard_gamma(1 / dispersion, mean.shape) * (mean * dispersion)
    return rng.poisson(mean)


def _side_table_and_barcodes(
    activity: pd.DataFrame, n_barcodes: Any, least: int | None, key: int
) -> tuple[pd.DataFrame, Ints, NDArray[np.str_]]:
    """Return the side table with log2, the place of each barcode on it, and the
    barcodes.
    """
    if not isinstance(activity, pd.DataFrame) or len(activity) == 0:
        raise DataError(
            "activity is not a table with rows; give a DataFrame, a row an oligo: "
            "element, arm and log2"
        )
    absent = [
        name for name in ("element", "arm", "log2") if name not in activity.columns
    ]
    if absent:
        raise DataError(
            f"activity has no column {', '.join(map(quoted, absent))}; it needs "
            "element, arm and log2"
        )
    table = activity.reset_index(drop=True)
    for name in ("element", "arm"):
        for one in table[name]:
            if not is_text(one) and not is_whole(one):
                raise DataError(
                    f"activity: {name} {quoted(one)} is not text; name each {name}"
                )
    if "oligo_name" not in table.columns:
        table = table.assign(
            oligo_name=table["element"].astype(str) + ":" + table["arm"].astype(str)
        )
    log2 = pd.to_numeric(table["log2"], errors="coerce").to_numpy(np.float64)
    fit_for = np.abs(log2) <= MOST_LOG2
    if not fit_for.all():
        name = table["oligo_name"][int(np.argmin(fit_for))]
        raise DataError(
            f"oligo {quoted(name)}: its log2 is not a number between -{MOST_LOG2} and "
            f"{MOST_LOG2}"
        )
    table["log2"] = log2
    if "barcode" in table.columns:
        place, names = pd.factorize(table["oligo_name"])
        first = table.drop_duplicates("oligo_name").reset_index(drop=True)
        other = (
            table["log2"].to_numpy(np.float64)
            != first["log2"].to_numpy(np.float64)[place]
        )
        if other.any():
            raise DataError(
                f"oligo {quoted(names[place[int(np.argmax(other))]])} has two "
                "activities; give its rows one log2"
            )
        return (
            first.drop(columns="barcode"),
            place.astype(np.int64),
            table["barcode"].to_numpy().astype(str),
        )
    twice = table["oligo_name"].duplicated()
    if twice.any():
        raise DataError(
            f"oligo {quoted(table['oligo_name'][twice].iloc[0])} has two rows; give "
            "each a name of its own in a column oligo_name"
        )
    n = _barcode_numbers(
        n_barcodes, least, len(table), np.random.default_rng(derive(key, "counts", "n"))
    )
    if not n.any():
        raise DataError(
            f"n_barcodes={quoted(n_barcodes)} leaves no oligo a barcode; give 1 or "
            "more to some oligo"
        )
    letters = _random_barcodes(
        int(n.sum()), np.random.default_rng(derive(key, "counts", "letters"))
    )
    return table, np.repeat(np.arange(len(table)), n), letters


def _barcode_numbers(
    n_barcodes: Any, least: int | None, n: int, rng: np.random.Generator
) -> Ints:
    try:
        mean = np.asarray(n_barcodes, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        mean = np.array(np.nan)
    if mean.shape not in ((), (n,)) or not np.isfinite(mean).all() or (mean < 0).any():
        raise DataError(
            "n_barcodes= takes one number above 0, for example n_barcodes=10, "
            f"or one for each of the {n} oligos, 0 or more"
        )
    mean = np.broadcast_to(mean, n)
    if least is not None:
        return np.maximum(
            as_int(least, "min_barcodes", least=0, error=DataError), rng.poisson(mean)
        )
    if (mean != np.floor(mean)).any():
        raise DataError(
            "n_barcodes= holds fractions; with min_barcodes= it is the mean of "
            "a Poisson draw"
        )
    return mean.astype(np.int64)


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


def two_arms() -> xr.Dataset:
    """Return four barcodes of one element in two arms and two replicates; one cell is
    empty.
    """
    side = pd.DataFrame(
        {
            "oligo_name": ["u1_cont", "u1_gata"],
            "element": ["u1", "u1"],
            "arm": ["control", "GATA1"],
            "group": "test",
        }
    )
    dna: list[list[float]] = [[10, 12], [20, 16], [15, np.nan], [10, 11]]
    rna: list[list[float]] = [[9, 14], [25, 16], [31, np.nan], [18, 25]]
    names = ["u1_cont", "u1_cont", "u1_gata", "u1_gata"]
    return counts_of(
        dna, rna, barcodes=["AAA", "CCC", "GGG", "TTT"], oligos=names, side_table=side
    )


def simulated() -> xr.Dataset:
    """Return counts of 30 elements, 10 of them negative controls, in two arms; the
    effect is about 1.
    """
    rng = np.random.default_rng(1)
    effect = np.where(np.arange(30) < 10, 0.0, rng.normal(1, 0.3, 30))
    activity = pd.DataFrame(
        {
            "element": np.repeat([f"u{i:02d}" for i in range(30)], 2),
            "arm": ["control", "GATA1"] * 30,
            "group": np.repeat(["negative"] * 10 + ["test"] * 20, 2),
            "log2": np.column_stack([np.zeros(30), effect]).ravel()
            + np.repeat(rng.normal(0, 0.3, 30), 2),
        }
    )
    return simulate(activity, n_barcodes=8, n_replicates=3, rng=1)
