"""What vendors of oligo pools make, as a dated table, and whether an order is within it."""

from __future__ import annotations

from dataclasses import dataclass

from causalgia.errors import LibraryError
from causalgia.mpra.libraries.tables import row_of, table


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor's limits as the table has them.

    Parameters
    ----------
    name, title
        Name in the table, and in words.
    longest
        Bases in an oligo; None where it is not known.
    sizes
        Pool sizes that are sold, ascending; empty where they are not known.
    larger
        Whether pools larger than the last of `sizes` are sold.
    steps
        Lengths at which the price changes.
    verified
        Whether the row was read from the vendor; else ask for a quotation.
    as_of
        Date of the row.
    """

    name: str
    title: str
    longest: int | None
    sizes: tuple[int, ...]
    larger: bool
    steps: tuple[int, ...]
    verified: bool
    as_of: str


def vendor(name: str) -> Vendor:
    """Return a vendor's row.

    Raises
    ------
    LibraryError
        If the table has none of that name.

    Examples
    --------
    >>> vendor("Twist").longest
    300
    """
    known, row = row_of(table("vendors"), name, "vendor", cure="leave vendor= out and check the limits yourself")
    return Vendor(
        name=known,
        title=row["title"],
        longest=row.get("longest"),
        sizes=tuple(row["sizes"]),
        larger=row.get("larger", not row["sizes"]),
        steps=tuple(row["steps"]),
        verified=row["verified"],
        as_of=str(row["as_of"]),
    )


def check_order(n_oligos: int, longest: int, *, of: Vendor) -> int | None:
    """Return the size of the pool to order, None where the table has no sizes or it is above the last.

    Parameters
    ----------
    n_oligos
        Sequences of the order.
    longest
        Bases of its longest oligo.
    of
        The vendor.

    Raises
    ------
    LibraryError
        If the oligos are longer or more than the vendor makes; the message says how the limit is known.

    Examples
    --------
    >>> check_order(11_000, 230, of=vendor("agilent"))
    15000
    """
    known = f"the table's limit of {of.as_of}, {'verified' if of.verified else 'not verified: ask the vendor'}"
    if of.longest is not None and longest > of.longest:
        raise LibraryError(
            f"oligos of {longest} nt are longer than {of.title} makes ({of.longest} nt; {known}); "
            "order shorter inserts or choose another vendor"
        )
    if of.sizes and n_oligos > of.sizes[-1] and not of.larger:
        raise LibraryError(
            f"{n_oligos:,} oligos are more than the largest pool of {of.title} ({of.sizes[-1]:,}; {known}); "
            "split the order or use fewer barcodes an oligo"
        )
    return next((size for size in of.sizes if size >= n_oligos), None)
