"""Cheapest MPRA library that reaches a target, and the best split of a budget or a number of oligos."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError, quoted
from causalgia.inputs import parse_toml, read_text
from causalgia.mpra.planning._power import as_grid, average_power, design_error, interval_half_width, recovered_barcodes
from causalgia.mpra.planning.noise_model import Layers, NoiseSettings, check_pilot, check_tau_known, layers_at_depth
from causalgia.planning.power_functions import MOST, as_positive, as_probability, least_integer
from causalgia.types import Array

_DEPTHS = (10, 20, 50, 100, 200)
_LEAST_BACKGROUNDS = 2.0


@dataclass(frozen=True, eq=False)
class CandidateSplits:
    """Candidate splits along one dim (barcodes, replicates, depth), with their costs and errors."""

    barcodes: Array
    replicates: Array
    depth: Array
    inverse: xr.DataArray
    complete: xr.DataArray
    layers: Layers
    prices: PriceList
    length: int
    arms: int
    controls: int
    random: bool
    recovery: float

    def oligos(self, n: Array) -> Array:
        """Return the number of oligos for n backgrounds."""
        return (n * self.arms + self.controls) * (1.0 if self.random else self.barcodes)

    def reads(self, n: Array) -> Array:
        """Return the reads of all RNA and DNA libraries, and those that associate random barcodes."""
        known = (n * self.arms + self.controls) * self.barcodes * self.recovery
        libraries = self.replicates + (1 if self.layers.plasmid else self.replicates)
        return known * (self.depth * libraries + (self.prices.association_reads if self.random else 0.0))

    def price(self, n: Array) -> Array:
        """Return the price of a library of n backgrounds."""
        p = self.prices
        fixed = p.per_library + self.replicates * p.per_replicate
        return fixed + p.of_pool(self.oligos(n), self.length) + self.reads(n) / 1e6 * p.per_million_reads

    def halfwidth(self, n: Array, level: float, each: bool) -> Array:
        """Return half widths for the effect in each element, or for the mean over n backgrounds."""
        return np.broadcast_to(interval_half_width(self._error(n, each), level).to_numpy(), n.shape)

    def power(self, n: Array, effect: float, alpha: float, each: bool) -> Array:
        """Return the power of the test of each element, or of the mean over n backgrounds."""
        return np.broadcast_to(average_power(xr.DataArray(effect), self._error(n, each), alpha).to_numpy(), n.shape)

    def _error(self, n: Array, each: bool) -> Any:
        R, at = (xr.DataArray(x, dims="split") for x in (self.replicates, n))
        return design_error(self.layers, self.inverse, R, None if each else at * self.complete)


def cheapest(
    *,
    halfwidth: float | None = None,
    effect: float | None = None,
    assurance: float = 0.8,
    budget: float | None = None,
    n_oligos: int | None = None,
    elements: int | None = None,
    price: str | Path | None = None,
    oligo_length: int = 200,
    arms: int = 2,
    controls: int = 0,
    min_barcodes: int = 3,
    max_barcodes: int = 100,
    max_replicates: int = 6,
    depth: Any = _DEPTHS,
    pilot: xr.Dataset | None = None,
    sd_barcode: float | None = None,
    sd_replicate: float | None = None,
    disp_rna: float = 0.1,
    disp_dna: float = 0.03,
    sd_reads: float = 1.0,
    p_silent: float = 0.0,
    tau: float | None = None,
    sd_common: float | None = None,
    sd_noisiness: float | None = None,
    plasmid: bool | None = None,
    weights: tuple[float, ...] = (-1.0, 1.0),
    recovery: float = 1.0,
    barcode_dispersion: float | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
) -> xr.Dataset:
    """Find the best split of a library between backgrounds, barcodes, replicates and depth.

    With a target, ``halfwidth=`` or ``effect=`` (detected with probability `assurance`), return the cheapest library
    that reaches it. Without one, return the narrowest interval within ``budget=`` or ``n_oligos=`` (or both). All
    numbers of barcodes and replicates up to the largest, and all depths given, are tried; the number of backgrounds is
    solved for exactly. The estimand is the average effect over backgrounds, as in `power`; with ``elements=`` it is the
    effect in each of that many elements.

    Parameters
    ----------
    halfwidth
        Half width wanted, on log2.
    effect, assurance
        Instead: an effect that the test must detect, and the power.
    budget, n_oligos
        Largest price of the library, and largest number of oligos.
    elements
        Number of elements whose own effects are wanted; None: the average over backgrounds, whose number is found.
    price
        A price list (see `read_prices`); None: the packaged one, whose synthesis prices are placeholders.
    oligo_length
        Length of the whole oligo, nt.
    arms
        Oligos for each background; at least as many as `weights` compare.
    controls
        Constructs besides the arms (scrambles, positives).
    min_barcodes, max_barcodes, max_replicates
        Ranges to try; at least two replicates. By variance alone one barcode for each of many backgrounds is best, but
        a lone barcode shows neither its noise nor that it is an outlier.
    depth
        Mean reads of a barcode in a library, the values to try.
    pilot, sd_barcode, sd_replicate, disp_rna, disp_dna, sd_reads, p_silent, tau, sd_common, sd_noisiness
        As in `power`; a pilot of one contrast.
    plasmid, weights, recovery, alpha, level
        As in `power`.
    barcode_dispersion
        As in `power`. None: each synthesized barcode is an oligo of its own. Otherwise barcodes are random: more of
        them need no more oligos, but more reads, also to associate them with oligos.

    Returns
    -------
    Dataset
        Without dims: ``backgrounds`` (or ``elements``), ``barcodes, replicates, depth, n_oligos, n_reads, price,
        halfwidth``, ``lost`` (share of backgrounds expected to lose an arm), and ``power`` where an effect is given.
        attrs: currency, date and note of the price list.

    Raises
    ------
    EstimateError
        If neither a target nor a limit is given, no split reaches the target within the limits, or prices or noise are
        unknown.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., Wiley, chapter 10.

    Examples
    --------
    >>> noise = {"sd_barcode": 0.5, "sd_replicate": 0.15, "tau": 0.5}
    >>> split = cheapest(halfwidth=0.1, **noise)
    >>> split["backgrounds"].item() > 100, split["barcodes"].item() < 10
    (True, True)
    >>> best = cheapest(n_oligos=2_000, **noise)
    >>> best["n_oligos"].item() <= 2_000 and best["backgrounds"].item() > 10 * best["barcodes"].item()
    True
    """
    level, alpha = as_probability(level, "level"), as_probability(alpha, "alpha")
    target = _targets_and_limits(halfwidth, effect, assurance, budget, n_oligos)
    tried = _candidate_grid(depth, min_barcodes, max_barcodes, max_replicates)
    settings = NoiseSettings(
        sd_barcode=sd_barcode,
        sd_replicate=sd_replicate,
        disp_rna=disp_rna,
        disp_dna=disp_dna,
        sd_reads=sd_reads,
        p_silent=p_silent,
        tau=tau,
        sd_common=sd_common,
        sd_noisiness=sd_noisiness,
        plasmid=plasmid,
        weights=weights,
    )
    if elements is None:
        check_tau_known(tau, pilot)
    layers = layers_at_depth(settings, _pilot_of_one_contrast(pilot), xr.DataArray(tried[2], dims="split"), None)
    planned, place = np.unique(tried[0], return_inverse=True)
    inverse, lost = (
        x[place] for x in recovered_barcodes(xr.DataArray(planned, dims="split"), recovery, barcode_dispersion)
    )
    splits = CandidateSplits(
        *tried,
        inverse,
        (1 - lost) ** float(np.count_nonzero(weights)),
        layers,
        read_prices(price),
        _as_whole_number(oligo_length, "oligo_length", 1),
        _as_n_arms(arms, weights),
        _as_whole_number(controls, "controls", 0),
        barcode_dispersion is not None,
        recovery,
    )
    n = _backgrounds_needed(splits, target, level, alpha, elements)
    return _best_split(splits, n, target, level, alpha, elements)


def _targets_and_limits(halfwidth: Any, effect: Any, assurance: float, budget: Any, n_oligos: Any) -> dict[str, float]:
    if halfwidth is not None and effect is not None:
        raise EstimateError("give halfwidth= (an interval) or effect= (a test), and not both")
    options = {"halfwidth": halfwidth, "effect": effect, "budget": budget, "n_oligos": n_oligos}
    if isinstance(effect, int | float) and not isinstance(effect, bool):
        options["effect"] = abs(effect)
    found = {k: as_positive(v, k) for k, v in options.items() if v is not None}
    if not found:
        raise EstimateError("say what is wanted: halfwidth= or effect=, or what there is: budget= or n_oligos=")
    return found | ({"assurance": as_probability(assurance, "assurance")} if effect is not None else {})


def _as_whole_number(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise EstimateError(f"{name}={quoted(value)}: give a whole number of at least {least}")
    return int(value)


def _as_n_arms(arms: Any, weights: tuple[float, ...]) -> int:
    compared = int(np.count_nonzero(weights))
    if _as_whole_number(arms, "arms", 2) < compared:
        raise EstimateError(f"weights={quoted(weights)} compare {compared} arms of {arms}; give arms={compared}")
    return int(arms)


def _candidate_grid(
    depth: Any, min_barcodes: int, max_barcodes: int, max_replicates: int
) -> tuple[Array, Array, Array]:
    depths = np.atleast_1d(as_grid("depth", depth, 0).to_numpy())
    least = _as_whole_number(min_barcodes, "min_barcodes", 1)
    B = np.arange(float(least), _as_whole_number(max_barcodes, "max_barcodes", least) + 1)
    R = np.arange(2.0, _as_whole_number(max_replicates, "max_replicates", 2) + 1)
    grid = np.meshgrid(B, R, depths, indexing="ij")
    return grid[0].ravel(), grid[1].ravel(), grid[2].ravel()


def _pilot_of_one_contrast(pilot: xr.Dataset | None) -> xr.Dataset | None:
    if pilot is None:
        return None
    check_pilot(pilot)
    if "contrast" not in pilot.dims:
        return pilot
    if pilot.sizes["contrast"] > 1:
        names = [str(name) for name in pilot["contrast"].to_numpy()]
        raise EstimateError(
            f"the pilot has several contrasts ({', '.join(names)}); give the components of one: arms={[names[0]]}"
        )
    return pilot.isel(contrast=0)


def _backgrounds_needed(
    splits: CandidateSplits, target: dict[str, float], level: float, alpha: float, elements: int | None
) -> Array:
    """Return the backgrounds of each split: fewest that reach the target, or most within the limits; else inf."""
    start = np.full(len(splits.barcodes), _LEAST_BACKGROUNDS)
    if elements is not None:
        n = np.full(len(start), float(_as_whole_number(elements, "elements", 1)))
        return np.where(
            _meets_target(splits, n, target, level, alpha, True) & _within_limits(splits, n, target), n, np.inf
        )
    if "halfwidth" in target or "effect" in target:
        n = least_integer(lambda at: _meets_target(splits, at, target, level, alpha, False), start)
        n_or_least = np.where(np.isfinite(n), n, _LEAST_BACKGROUNDS)
        return np.where(_within_limits(splits, n_or_least, target), n, np.inf)
    over = least_integer(lambda at: ~_within_limits(splits, at, target), start, most=MOST)
    return np.where(over > _LEAST_BACKGROUNDS, over - 1, np.inf)


def _meets_target(
    splits: CandidateSplits, n: Array, target: dict[str, float], level: float, alpha: float, each: bool
) -> Any:
    if "halfwidth" in target:
        return splits.halfwidth(n, level, each) <= target["halfwidth"]
    if "effect" in target:
        return splits.power(n, target["effect"], alpha, each) >= target["assurance"]
    return np.ones(len(n), dtype=bool)


def _within_limits(splits: CandidateSplits, n: Array, target: dict[str, float]) -> Any:
    return (splits.price(n) <= target.get("budget", np.inf)) & (splits.oligos(n) <= target.get("n_oligos", np.inf))


def _best_split(
    splits: CandidateSplits, n: Array, target: dict[str, float], level: float, alpha: float, elements: int | None
) -> xr.Dataset:
    can, each = np.isfinite(n), elements is not None
    if not can.any():
        limits = [f"{name}=" for name in ("budget", "n_oligos") if name in target]
        cure = f"raise {' or '.join(limits)}, " if limits else ""
        raise EstimateError(
            f"no split reaches the target: {cure}ask for less, or allow more: max_barcodes=, max_replicates= or depth="
        )
    n_or_least = np.where(can, n, _LEAST_BACKGROUNDS)
    wide, price = splits.halfwidth(n_or_least, level, each), splits.price(n_or_least)
    keys = (wide, price) if "halfwidth" in target or "effect" in target else (price, wide)
    i = int(np.lexsort((*keys, ~can))[0])
    found = {
        "elements" if each else "backgrounds": int(n_or_least[i]),
        "barcodes": int(splits.barcodes[i]),
        "replicates": int(splits.replicates[i]),
        "depth": float(splits.depth[i]),
        "n_oligos": int(splits.oligos(n_or_least)[i]),
        "lost": float(1 - splits.complete[i]),
        "n_reads": round(float(splits.reads(n_or_least)[i])),
        "price": float(price[i]),
        "halfwidth": float(wide[i]),
    }
    if "effect" in target:
        found["power"] = float(splits.power(n_or_least, target["effect"], alpha, each)[i])
    p = splits.prices
    return xr.Dataset(found, attrs={"currency": p.currency, "prices": p.date, "note": p.note, "level": level})


PACKAGED = "prices_2026-11.toml"


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """Prices of a library and of sequencing it.

    Attributes
    ----------
    pools
        Rows of (longest oligo, largest number of oligos, price); the cheapest row, or several copies of one row, that
        hold all oligos.
    per_million_reads, association_reads
        Price of sequencing, and reads to associate one random barcode with its oligo.
    per_replicate, per_library
        Price of one more replicate, and of cloning.
    currency, date, note
        As in the list.
    """

    pools: tuple[tuple[int, int, float], ...]
    per_million_reads: float
    association_reads: float
    per_replicate: float
    per_library: float
    currency: str
    date: str
    note: str

    def of_pool(self, oligos: Array, length: int) -> Array:
        """Return the price of oligos of one length.

        Raises
        ------
        EstimateError
            If no row of the list allows oligos of this length.

        Examples
        --------
        >>> read_prices().of_pool(np.array([100.0, 7_000.0]), 200)
        array([1500., 3900.])
        """
        rows = [(size, price) for longest, size, price in self.pools if longest >= length]
        if not rows:
            longest = max(row[0] for row in self.pools)
            raise EstimateError(f"no pool of the price list holds oligos of {length} nt; its longest are {longest}")
        return np.asarray(np.min([np.ceil(oligos / size) * price for size, price in rows], axis=0))


def read_prices(path: str | Path | None = None) -> PriceList:
    """Read a price list in TOML: ``[[pool]]`` rows, ``[sequencing]``, ``[replicate]``, ``[library]``.

    Parameters
    ----------
    path
        None: the packaged list, which gives its date and sources and what was not verified. Copy it and enter your
        quotes.

    Raises
    ------
    EstimateError
        If the file lacks an entry, or a price is no number of at least 0.

    Examples
    --------
    >>> read_prices().currency
    'USD'
    """
    source = files("causalgia.mpra").joinpath("data", PACKAGED) if path is None else Path(path)
    text = source.read_text(encoding="utf-8") if path is None else read_text(path, EstimateError)
    table = parse_toml(text, EstimateError, source=f"price list {source}")
    try:
        pools = tuple(
            (int(row["length"]), int(row["oligos"]), _as_price(row["price"], "pool")) for row in table["pool"]
        )
        prices = PriceList(
            pools=pools,
            per_million_reads=_as_price(table["sequencing"]["per_million_reads"], "sequencing.per_million_reads"),
            association_reads=_as_price(table["sequencing"]["association_reads"], "sequencing.association_reads"),
            per_replicate=_as_price(table["replicate"]["price"], "replicate.price"),
            per_library=_as_price(table["library"]["price"], "library.price"),
            currency=str(table["currency"]),
            date=str(table["date"]),
            note=str(table.get("note", "")),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        wrong = f"it has no {quoted(error.args[0])}" if isinstance(error, KeyError) else str(error)
        raise EstimateError(f"price list {source}: {wrong}; copy the packaged one ({PACKAGED}) and edit it") from error
    if not pools or min(size for _, size, _ in pools) < 1:
        raise EstimateError(f"price list {source}: it needs [[pool]] rows that hold one oligo or more")
    return prices


def _as_price(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
        raise ValueError(f"{name} = {quoted(value)} is no price")
    return float(value)
