"""Price lists: what a pool of oligos, a read and a replicate cost, as dated data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from causalgia.errors import EstimateError, quoted
from causalgia.inputs import parse_toml, read_text
from causalgia.types import Array

PACKAGED = "prices_2026-11.toml"


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """What a library and its reading cost.

    Attributes
    ----------
    pools
        Rows of (oligo length up to, oligos up to, price); the cheapest row, or several of one row, that hold all.
    per_million_reads, association_reads
        Price of sequencing, and reads that match one random barcode to its oligo.
    per_replicate, per_library
        Price of one more replicate, and of cloning.
    currency, date, note
        As the list says.
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
        """Return the price of so many oligos of a length.

        Raises
        ------
        EstimateError
            If no row of the list is as long.

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
        None: the list that comes with the package, dated, with its sources and what in it was not verified. Copy it
        and write your quotes in.

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
        pools = tuple((int(row["length"]), int(row["oligos"]), _price(row["price"], "pool")) for row in table["pool"])
        prices = PriceList(
            pools=pools,
            per_million_reads=_price(table["sequencing"]["per_million_reads"], "sequencing.per_million_reads"),
            association_reads=_price(table["sequencing"]["association_reads"], "sequencing.association_reads"),
            per_replicate=_price(table["replicate"]["price"], "replicate.price"),
            per_library=_price(table["library"]["price"], "library.price"),
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


def _price(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
        raise ValueError(f"{name} = {quoted(value)} is no price")
    return float(value)
