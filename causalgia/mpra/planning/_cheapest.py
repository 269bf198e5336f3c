"""Cheapest MPRA library that reaches a target, and the best split of a budget or a
number of oligos.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.attributes import attributes
from causalgia.checks import as_int, as_number, as_positive, as_probability, is_real
from causalgia.errors import EstimateError, quoted, type_in_words
from causalgia.inputs import parse_toml, read_text
from causalgia.mpra.counts._noise_model import NoiseModel, as_noise
from causalgia.mpra.planning._components import (
    Layers,
    check_pilot,
    layers_at_depth,
)
from causalgia.mpra.planning._power import (
    Grid,
    PlannedContrast,
    StandardError,
    as_contrast,
    as_grid,
    average_power,
    design_error,
    interval_half_width,
    recovered_barcodes,
)
from causalgia.mpra.planning.plan_answers import noise_in_words
from causalgia.planning.power_functions import MOST, least_integer
from causalgia.types import Array

_LEAST_BACKGROUNDS = 2.0
_PLANS_A_BLOCK = 100


@dataclass(frozen=True, kw_only=True)
class PlannedLibrary:
    """Constants of a planned library, the same for every split that `cheapest`
    considers.

    Attributes
    ----------
    oligo_length
        Length of the whole oligo, nt; its price depends on it.
    n_controls
        Constructs besides the arms: scrambles, positives.
    n_elements
        Number of elements whose own effects are wanted; None: the average over
        backgrounds, whose number is found.
    prices
        A price list in TOML; None: the packaged one, whose synthesis prices are
        placeholders and which gives its date and sources. Copy it and enter your
        quotes.

    Raises
    ------
    EstimateError
        If a number is not whole, the price list lacks an entry, or a price is not a
        number of at least 0.

    Examples
    --------
    >>> PlannedLibrary(n_controls=150).oligo_length
    200
    """

    oligo_length: int = 200
    n_controls: int = 0
    n_elements: int | None = None
    prices: str | PathLike[str] | PriceList | None = None

    def __post_init__(self) -> None:
        as_int(self.oligo_length, "oligo_length", error=EstimateError)
        as_int(self.n_controls, "n_controls", least=0, error=EstimateError)
        if self.n_elements is not None:
            as_int(self.n_elements, "n_elements", error=EstimateError)
        if isinstance(self.prices, str | PathLike):
            object.__setattr__(self, "prices", read_prices(self.prices))
        elif not isinstance(self.prices, PriceList | None):
            raise EstimateError(
                f"``prices={quoted(self.prices)}`` is not the path of a price list; "
                f"give one: {_COPY_PRICES}"
            )

    @property
    def price_list(self) -> PriceList:
        """The prices that were read, by default those of the packaged list."""
        return self.prices if isinstance(self.prices, PriceList) else read_prices()


@dataclass(frozen=True, eq=False, kw_only=True)
class CandidateSplits:
    """Candidate splits along one dim (barcodes, replicates, depth), with their costs
    and errors.
    """

    barcodes: Array
    replicates: Array
    depth: Array
    inverse: xr.DataArray
    complete: xr.DataArray
    layers: Layers
    library: PlannedLibrary
    prices: PriceList
    contrast: PlannedContrast
    random: bool
    recovery: float
    target: dict[str, float]
    error_known: bool = False
    """Whether tests and intervals use the true error, and not one that is estimated."""

    def constructs(self, n: Array) -> Array:
        """Return the number of inserts for n backgrounds: each under every arm, and the
        controls.
        """
        return n * len(self.contrast.weights) + self.library.n_controls

    def oligos(self, n: Array) -> Array:
        """Return the number of oligos for n backgrounds."""
        return self.constructs(n) * (1.0 if self.random else self.barcodes)

    def reads(self, n: Array) -> Array:
        """Return the reads of all RNA and DNA libraries, and those that associate
        random barcodes.
        """
        known = self.constructs(n) * self.barcodes * self.recovery
        libraries = self.replicates + (1 if self.layers.plasmid else self.replicates)
        return known * (
            self.depth * libraries
            + (self.prices.association_reads if self.random else 0.0)
        )

    def price(self, n: Array) -> Array:
        """Return the price of a library of n backgrounds."""
        p = self.prices
        fixed = p.per_library + self.replicates * p.per_replicate
        return (
            fixed
            + p.of_pool(self.oligos(n), self.library.oligo_length)
            + self.reads(n) / 1e6 * p.per_million_reads
        )

    def half_width(self, n: Array) -> Array:
        """Return half widths for the effect in each element, or for the mean over n
        backgrounds.
        """
        return np.broadcast_to(
            interval_half_width(self._error(n), self.contrast.ci_prob).to_numpy(),
            n.shape,
        )

    def power(self, n: Array) -> Array:
        """Return the power of the test of each element, or of the mean over n
        backgrounds.
        """
        effect, error = xr.DataArray(self.target["true_effect"]), self._error(n)
        return np.broadcast_to(
            average_power(effect, error, self.contrast.level(effect, error)).to_numpy(),
            n.shape,
        )

    def _error(self, n: Array) -> StandardError:
        R, at = (xr.DataArray(x, dims="split") for x in (self.replicates, n))
        error = design_error(
            self.layers,
            self.inverse,
            R,
            None if self.library.n_elements is not None else at * self.complete,
        )
        return error.known() if self.error_known else error

    def backgrounds_needed(self) -> Array:
        """Return the backgrounds of each split: fewest that reach the target, or most
        within the limits; else inf.
        """
        start = np.full(len(self.barcodes), _LEAST_BACKGROUNDS)
        if self.library.n_elements is not None:
            n = np.full(len(start), float(self.library.n_elements))
            return np.where(self._reaches_target(n) & self._within_limits(n), n, np.inf)
        if "half_width" in self.target or "true_effect" in self.target:
            n = self._fewest_of_cheap_splits(start)
            n_or_least = np.where(np.isfinite(n), n, _LEAST_BACKGROUNDS)
            return np.where(self._within_limits(n_or_least), n, np.inf)
        most = least_integer(lambda at: ~self._within_limits(at), start, most=MOST) - 1
        return np.where((most >= _LEAST_BACKGROUNDS) & self._enough(most), most, np.inf)

    def _fewest_of_cheap_splits(self, start: Array) -> Array:
        """Return the fewest backgrounds that reach the target, inf in splits that are
        beyond a limit, or dearer than another one, for certain.

        With its error known a split needs fewer backgrounds than with one that the fit
        estimates, so that their price is the least it can have; splits are solved in
        the order of that price, until it exceeds the price of one that was solved, and
        no split is tried with more backgrounds than that price and the limits allow.
        """
        known = replace(self, error_known=True)
        low = least_integer(known._reaches_target, start)
        at_least = np.minimum(low, MOST)
        may_be = np.isfinite(low) & self._within_limits(at_least)
        least = np.where(may_be, self.price(at_least), np.inf)
        n, best = np.full(len(start), np.inf), np.inf
        order = np.argsort(least, kind="stable")
        for first in range(0, len(order), _PLANS_A_BLOCK):
            some = order[first : first + _PLANS_A_BLOCK]
            some = some[np.isfinite(least[some]) & (least[some] <= best)]
            if not len(some):
                break
            part = self._of(some)
            most = part._most_within(best, np.minimum(low[some], MOST))
            can = part._reaches_target(most)  # else fewer do not, either
            if not can.any():
                continue
            some, most = some[can], most[can]
            part, fewest = self._of(some), np.minimum(low[some], MOST)
            n[some] = least_integer(part._reaches_target, fewest, most=most)
            best = min(best, float(part.price(n[some]).min()))
        return n

    def _most_within(self, price: float, fewest: Array) -> Array:
        """Return the most backgrounds of each split within the limits that cost no more
        than a price, and no fewer than `fewest`.
        """
        too_many = least_integer(
            lambda n: (self.price(n) > price) | ~self._within_limits(n), fewest
        )
        return np.clip(too_many - 1, fewest, MOST)

    def _of(self, places: NDArray[np.int64]) -> CandidateSplits:
        """Return some of the splits."""
        layers: dict[str, Any] = {
            name: value.isel(split=places)
            for name, value in vars(self.layers).items()
            if isinstance(value, xr.DataArray) and "split" in value.dims
        }
        return replace(
            self,
            barcodes=self.barcodes[places],
            replicates=self.replicates[places],
            depth=self.depth[places],
            inverse=self.inverse.isel(split=places),
            complete=self.complete.isel(split=places),
            layers=replace(self.layers, **layers),
        )

    def _reaches_target(self, n: Array) -> Any:
        if "half_width" in self.target:
            return self._enough(n) & (self.half_width(n) <= self.target["half_width"])
        if "true_effect" in self.target:
            return self._enough(n) & (self.power(n) >= self.target["assurance"])
        return self._enough(n)

    def _enough(self, n: Array) -> Any:
        """Return whether two backgrounds keep every arm, as an average needs."""
        return n * self.complete.to_numpy() >= (
            0 if self.library.n_elements is not None else _LEAST_BACKGROUNDS
        )

    def _within_limits(self, n: Array) -> Any:
        return (self.price(n) <= self.target.get("budget", np.inf)) & (
            self.oligos(n) <= self.target.get("max_oligos", np.inf)
        )

    def best(self) -> xr.Dataset:
        """Return the cheapest split that reaches the target, or the one with the
        narrowest interval.
        """
        n, p = self.backgrounds_needed(), self.prices
        can = np.isfinite(n)
        if not can.any():
            limits = [
                f"``{name}=``"
                for name in ("budget", "max_oligos")
                if name in self.target
            ]
            cure = f"raise {' or '.join(limits)}, " if limits else ""
            raise EstimateError(
                f"no split reaches the target: {cure}ask for less, or allow more: "
                "``n_barcodes=``, ``n_replicates=`` or ``depth=``"
            )
        n = np.where(can, n, _LEAST_BACKGROUNDS)
        wide, price = self.half_width(n), self.price(n)
        keys = (
            (wide, price)
            if "half_width" in self.target or "true_effect" in self.target
            else (price, wide)
        )
        i = int(np.lexsort((*keys, ~can))[0])
        found = {
            "n_backgrounds" if self.library.n_elements is None else "n_elements": int(
                n[i]
            ),
            "n_barcodes": int(self.barcodes[i]),
            "n_replicates": int(self.replicates[i]),
            "depth": float(self.depth[i]),
            "n_oligos": int(self.oligos(n)[i]),
            "lost": float(1 - self.complete[i]),
            "n_reads": round(float(self.reads(n)[i])),
            "price": float(price[i]),
            "half_width": float(wide[i]),
        }
        if "true_effect" in self.target:
            found["power"] = float(self.power(n)[i])
        attrs = attributes(
            currency=p.currency,
            prices=p.date,
            note=p.note,
            ci_prob=self.contrast.ci_prob,
        )
        return xr.Dataset(found, attrs=attrs)


def cheapest(
    *,
    half_width: float | None = None,
    true_effect: float | None = None,
    assurance: float = 0.8,
    budget: float | None = None,
    max_oligos: int | None = None,
    library: PlannedLibrary | None = None,
    n_barcodes: Grid = range(3, 101),
    n_replicates: Grid = range(2, 7),
    depth: Grid = (10, 20, 50, 100, 200),
    contrast: PlannedContrast | None = None,
    noise: NoiseModel | None = None,
    pilot: xr.Dataset | None = None,
) -> xr.Dataset:
    """Find the best split of a library between backgrounds, barcodes, replicates and
    depth.

    With a target, ``half_width=`` or ``true_effect=`` (detected with probability
    `assurance`), return the cheapest library that reaches it. Without one, return the
    narrowest interval within ``budget=`` or ``max_oligos=`` (or both). All numbers of
    barcodes and replicates, and all depths given, are tried; the number of backgrounds
    is solved for exactly. The estimand is the average effect over backgrounds, as in
    `power`; for a library of ``n_elements`` it is the effect in each of that many
    elements.

    Parameters
    ----------
    half_width
        Half width wanted, on log2.
    true_effect, assurance
        Instead: an effect that the test must detect, and the power.
    budget, max_oligos
        Largest price of the library, and largest number of oligos.
    library
        Length of the oligos, number of controls, elements of interest and prices; None:
        the defaults of `PlannedLibrary`.
    n_barcodes, n_replicates, depth
        Barcodes of an oligo, replicates (two or more), and mean reads of a barcode in a
        library: the numbers to try. By variance alone one barcode for each of many
        backgrounds is best, but a lone barcode shows neither its noise nor that it is
        an outlier.
    contrast
        As in `power`.
    noise, pilot
        As in `power`; a pilot of one contrast. Where barcodes are random
        (``barcode_dispersion`` of the noise), more of them need no more oligos, but
        more reads, also to associate them with oligos.

    Returns
    -------
    Dataset
        Without dims: ``n_backgrounds`` (or ``n_elements``), ``n_barcodes, n_replicates,
        depth, n_oligos, n_reads, price, half_width``, ``lost`` (share of backgrounds
        expected to lose an arm), and ``power`` where an effect is given. attrs:
        currency, date and note of the price list; ``goal``, ``limit`` and ``assumed``
        noise in words; ``edge``, the settings at the largest value that was tried.

    Raises
    ------
    EstimateError
        If neither a target nor a limit is given, no split reaches the target within the
        limits, or prices or noise are unknown.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., Wiley, chapter 10.

    Examples
    --------
    >>> noise = NoiseModel(sd_barcode=0.5, sd_replicate=0.15, tau=0.5)
    >>> split = cheapest(half_width=0.1, noise=noise)
    >>> split["n_backgrounds"].item() > 100, split["n_barcodes"].item() < 10
    (True, True)
    >>> best = cheapest(max_oligos=2_000, noise=noise)
    >>> best["n_oligos"].item() <= 2_000 and best["n_backgrounds"].item() > 10 * best[
    ...     "n_barcodes"
    ... ].item()
    True
    """
    contrast, noise = as_contrast(contrast), as_noise(noise, with_pilot=True)
    library = PlannedLibrary() if library is None else library
    if not isinstance(library, PlannedLibrary):
        raise EstimateError(
            f"``library=`` is {type_in_words(library)}; give "
            "``cg.mpra.PlannedLibrary(n_controls=...)``"
        )
    target = _as_target(half_width, true_effect, assurance, budget, max_oligos)
    B, R, depths = (
        np.atleast_1d(as_grid(name, value, least).to_numpy())
        for name, value, least in (
            ("n_barcodes", n_barcodes, 0),
            ("n_replicates", n_replicates, 2),
            ("depth", depth, 0),
        )
    )
    if (np.round(B) != B).any():
        raise EstimateError(
            f"``n_barcodes={quoted(n_barcodes)}``: give whole numbers of at least 1"
        )
    B, R, depths = (axis.ravel() for axis in np.meshgrid(B, R, depths, indexing="ij"))
    reads = xr.DataArray(depths, dims="split")
    layers = layers_at_depth(
        noise,
        _pilot_of_one_contrast(pilot),
        contrast.weights,
        reads,
        reads,
        average=library.n_elements is None,
    )
    planned, place = np.unique(B, return_inverse=True)
    inverse, lost = (
        x[place] for x in recovered_barcodes(xr.DataArray(planned, dims="split"), noise)
    )
    splits = CandidateSplits(
        barcodes=B,
        replicates=R,
        depth=depths,
        inverse=inverse,
        complete=(1 - lost) ** float(contrast.n_compared),
        layers=layers,
        library=library,
        prices=library.price_list,
        contrast=contrast,
        random=noise.barcode_dispersion is not None,
        recovery=noise.recovery,
        target=target,
    )
    best = splits.best()
    tried = {"n_barcodes": splits.barcodes, "n_replicates": splits.replicates}
    tried |= {"depth": depths}
    edge = [
        name
        for name, values in tried.items()
        if values.min() < values.max() == best[name].item()
    ]
    words = {
        "half_width": "a half width of {:g}",
        "true_effect": f"a power of {assurance:g} at a log2 effect of {{:g}}",
        "max_oligos": "at most {:,g} oligos",
        "budget": f"at most {{:,g}} {splits.prices.currency}",
    }
    wanted = {
        name: words[name].format(x) for name, x in target.items() if name in words
    }
    return best.assign_attrs(
        goal=wanted.get("half_width", wanted.get("true_effect", "")),
        limit=" and ".join(wanted[x] for x in ("max_oligos", "budget") if x in wanted),
        edge=" ".join(edge),
        assumed=noise_in_words(noise, pilot, average=library.n_elements is None),
    )


def _as_target(
    half_width: Any, true_effect: Any, assurance: float, budget: Any, max_oligos: Any
) -> dict[str, float]:
    if half_width is not None and true_effect is not None:
        raise EstimateError(
            "give ``half_width=`` (an interval) or ``true_effect=`` (a test), and not "
            "both"
        )
    if is_real(true_effect):
        true_effect = abs(true_effect)
    options = {
        "half_width": half_width,
        "true_effect": true_effect,
        "budget": budget,
        "max_oligos": max_oligos,
    }
    found = {
        k: as_positive(v, k, error=EstimateError)
        for k, v in options.items()
        if v is not None
    }
    if not found:
        raise EstimateError(
            "give a goal (``half_width=`` or ``true_effect=``) or a limit (``budget=`` "
            "or ``max_oligos=``)"
        )
    return found | (
        {"assurance": as_probability(assurance, "assurance", example=0.8)}
        if true_effect is not None
        else {}
    )


def _pilot_of_one_contrast(pilot: xr.Dataset | None) -> xr.Dataset | None:
    if pilot is None:
        return None
    check_pilot(pilot)
    if "contrast" not in pilot.dims:
        return pilot
    if pilot.sizes["contrast"] > 1:
        names = [str(name) for name in pilot["contrast"].to_numpy()]
        raise EstimateError(
            f"the pilot has several contrasts ({', '.join(names)}); give the "
            f"components of one, ``arm_names={[names[0]]}``"
        )
    return pilot.isel(contrast=0)


PACKAGED = "prices_2026-11.toml"
_COPY_PRICES = (
    f"copy the packaged one ({files('causalgia.mpra').joinpath('data', PACKAGED)}) and "
    "edit it"
)


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """Prices of a library and of sequencing it.

    Attributes
    ----------
    pools
        Rows of (longest oligo, largest number of oligos, price); the cheapest row, or
        several copies of one row, that hold all oligos.
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
        rows = [
            (size, price) for longest, size, price in self.pools if longest >= length
        ]
        if not rows:
            longest = max(row[0] for row in self.pools)
            raise EstimateError(
                f"no pool of the price list holds oligos of {length} nt; its longest "
                f"are {longest}"
            )
        return np.asarray(
            np.min([np.ceil(oligos / size) * price for size, price in rows], axis=0)
        )


def read_prices(path: str | PathLike[str] | None = None) -> PriceList:
    """Read a price list in TOML: ``[[pool]]`` rows, ``[sequencing]``, ``[replicate]``,
    ``[library]``.

    Parameters
    ----------
    path
        None: the packaged list, which gives its date and sources and what was not
        verified. Copy it and enter your quotes.

    Raises
    ------
    EstimateError
        If the file lacks an entry, or a price is not a number of at least 0.

    Examples
    --------
    >>> read_prices().currency
    'USD'
    """
    source = (
        files("causalgia.mpra").joinpath("data", PACKAGED)
        if path is None
        else Path(path)
    )
    text = (
        source.read_text(encoding="utf-8")
        if path is None
        else read_text(path, EstimateError)
    )
    table = parse_toml(text, EstimateError, source=f"price list {source}")
    try:
        pools = tuple(
            (
                int(row["length"]),
                int(row["oligos"]),
                as_number(row["price"], "pool.price", least=0),
            )
            for row in table["pool"]
        )
        entries = (
            "sequencing.per_million_reads",
            "sequencing.association_reads",
            "replicate.price",
            "library.price",
        )
        million, association, replicate, cloning = (
            as_number(table[section][key], f"{section}.{key}", least=0)
            for section, key in (entry.split(".") for entry in entries)
        )
        prices = PriceList(
            pools=pools,
            per_million_reads=million,
            association_reads=association,
            per_replicate=replicate,
            per_library=cloning,
            currency=str(table["currency"]),
            date=str(table["date"]),
            note=str(table.get("note", "")),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        wrong = (
            f"it has no {quoted(error.args[0])}"
            if isinstance(error, KeyError)
            else str(error)
        )
        raise EstimateError(f"price list {source}: {wrong}; {_COPY_PRICES}") from error
    if not pools or min(size for _, size, _ in pools) < 1:
        raise EstimateError(
            f"price list {source}: it needs [[pool]] rows that hold one oligo or more"
        )
    return prices
