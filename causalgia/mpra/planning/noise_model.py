"""What is said of the noise of the next library, by hand or by a pilot, as layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError, quoted
from causalgia.mpra.planning.layers import Layers, Values, counting_variance, silent_variance

_OF_PILOT = ("sd_barcode", "sd_replicate", "sd_noisiness")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the caller said of the noise; None where the pilot, or the default, speaks."""

    sd_barcode: float | None = None
    sd_replicate: float | None = None
    sd_count: float | None = None
    disp_rna: float = 0.1
    disp_dna: float = 0.03
    sd_reads: float = 1.0
    p_silent: float = 0.0
    tau: float | None = None
    sd_common: float | None = None
    sd_noisiness: float | None = None
    plasmid: bool | None = None
    weights: tuple[float, ...] = (-1.0, 1.0)


def require_pilot(pilot: Any) -> None:
    """Refuse what holds no variance components.

    Examples
    --------
    >>> require_pilot(xr.Dataset())
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: pilot: no variance components; give cg.mpra.components(counts, control=...)
    """
    if not isinstance(pilot, xr.Dataset) or "plasmid" not in pilot.attrs or not set(_OF_PILOT) <= set(pilot.variables):
        raise EstimateError("pilot: no variance components; give cg.mpra.components(counts, control=...)")


def require_spread(tau: Any, pilot: xr.Dataset | None) -> None:
    """Refuse an average over backgrounds whose effects nobody said how they spread; 0 would promise too much.

    Examples
    --------
    >>> require_spread(0.5, None)
    """
    if tau is None and pilot is None:
        raise EstimateError(
            "tau= is not given: the sd of the effect between backgrounds, which most of an average's error is made "
            "of; take it from a pilot (cg.mpra.components) or a virtual trial, or give it (0 if all are alike)"
        )


def read_layers(
    said: Said, pilot: xr.Dataset | None, depth: xr.DataArray | None, depth_dna: xr.DataArray | None
) -> Layers:
    """Return the layers of noise at a depth.

    Raises
    ------
    EstimateError
        If neither the caller nor a pilot says how barcodes and replicates vary, or what counting adds.
    """
    _check(said)
    if pilot is not None:
        require_pilot(pilot)
    plasmid = bool(pilot.attrs["plasmid"]) if said.plasmid is None and pilot is not None else bool(said.plasmid)
    found: dict[str, float] = {name: _known(name, getattr(said, name), pilot) for name in _OF_PILOT}
    rna, dna = _counting(said, pilot, depth, depth if depth_dna is None else depth_dna)
    tau, common = (_further(name, getattr(said, name), pilot) for name in ("tau", "sd_common"))
    return Layers(
        barcode=found["sd_barcode"] ** 2,
        replicate=found["sd_replicate"] ** 2,
        rna=rna,
        dna=dna,
        tau2=tau**2,
        common=common**2,
        noisiness=found["sd_noisiness"] ** 2,
        plasmid=plasmid,
        weights=float(np.square(said.weights).sum()),
    )


def _check(said: Said) -> None:
    for name, value in vars(said).items():
        if name in ("weights", "plasmid") or value is None:
            continue
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= float(value) < np.inf:
            raise EstimateError(f"{name}={quoted(value)} is not a number of at least 0")
    if said.p_silent >= 1:
        raise EstimateError(f"p_silent={quoted(said.p_silent)} is a probability below 1")
    if said.plasmid is not None and not isinstance(said.plasmid, bool | np.bool_):
        raise EstimateError(
            f"plasmid={quoted(said.plasmid)}: True where one DNA library serves all replicates, else False"
        )
    weights = np.asarray(said.weights)
    if weights.dtype.kind not in "iuf" or weights.ndim != 1:
        raise EstimateError(
            f"weights={quoted(said.weights)}: give numbers that sum to 0; (-1, 1) is a difference of two arms"
        )
    if len(said.weights) < 2 or not np.isclose(sum(said.weights), 0) or not any(said.weights):
        raise EstimateError(f"weights={quoted(said.weights)} do not sum to 0; (-1, 1) is a difference of two arms")


def _known(name: str, value: float | None, pilot: xr.Dataset | None) -> float:
    if value is not None:
        return float(value)
    if pilot is not None:
        return float(pilot[name])
    if name == "sd_noisiness":
        return 0.0
    raise EstimateError(
        f"{name}= is not given: the sd of log2 activity between {name.removeprefix('sd_')}s; take it from a pilot, "
        "pilot=cg.mpra.components(counts, control=...), or give it (sd_barcode 0.3 to 1.0, sd_replicate about 0.15)"
    )


def _further(name: str, value: float | None, pilot: xr.Dataset | None) -> Values:
    if value is not None:
        return float(value)
    return 0.0 if pilot is None else pilot[name]


def _counting(said: Said, pilot: xr.Dataset | None, depth: Any, depth_dna: Any) -> tuple[Values, Values]:
    """Return the variances that counting RNA and DNA add to one barcode in one replicate."""
    if said.sd_count is not None:
        if depth is not None:
            raise EstimateError("sd_count= says what counting adds, and depth= says it again; give one of them")
        return float(said.sd_count) ** 2, 0.0
    if pilot is not None:
        rna, dna = float(pilot["sd_rna"]) ** 2, float(pilot["sd_dna"]) ** 2
        if depth is None:
            return rna, dna
        more_rna = float(pilot["bought_rna"]) * (float(pilot["reads_rna"]) / depth - 1)
        more_dna = float(pilot["bought_dna"]) * (float(pilot["reads_dna"]) / depth_dna - 1)
        return rna + more_rna, dna + more_dna
    if depth is None:
        raise EstimateError("what does counting add? give depth= (mean reads of a barcode in a library), or sd_count=")
    counted = counting_variance(depth, said.disp_rna, said.sd_reads)
    silent = silent_variance(depth, said.p_silent, said.sd_reads) if said.p_silent else 0.0
    return counted + silent, counting_variance(depth_dna, said.disp_dna, said.sd_reads)
