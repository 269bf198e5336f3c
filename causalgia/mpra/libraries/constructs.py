"""Constructs: adapters, junctions and restriction sites around an insert, and
assembled oligos.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_int, as_texts, similar_names
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.sequences.alphabet import IUPAC, encode, parse_iupac
from causalgia.sequences.composition import iupac_hits
from causalgia.types import Tokens


@dataclass(frozen=True, eq=False)
class Oligos:
    """Assembled oligos, with the columns of their parts.

    Parameters
    ----------
    tokens
        Whole oligos, shape ``(n, length)``, 0, 1, 2, 3 = A, C, G, T.
    insert
        Columns of the insert.
    barcode
        Columns of the synthesized barcode; None without one.
    """

    tokens: Tokens
    insert: slice
    barcode: slice | None = None

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Columns within the oligo where a variable part begins or has just ended."""
        ends = [self.insert.start, self.insert.stop]
        ends += [] if self.barcode is None else [self.barcode.start, self.barcode.stop]
        return tuple(sorted({end for end in ends if 0 < end < self.tokens.shape[1]}))


@dataclass(frozen=True, kw_only=True)
class Construct:
    """The constant parts of an oligo, 5' to 3': left + insert [+ junction + barcode] +
    right.

    Parameters
    ----------
    left, right
        Adapters.
    junction
        Letters between insert and synthesized barcode; used only with a barcode.
    name
        Name in the table; empty for custom adapters.
    avoid
        Enzymes of the cloning steps, whose sites must not arise.
    intended
        Enzymes whose site the constant parts contain on purpose, and how often.
    barcodes
        ``"synthesized"`` in the oligo, after the junction, or ``"random"``: added
        later, by PCR.
    barcode_length
        Barcode length of the assay; None if not specified.
    note
        Remarks, and what was not verified.
    """

    left: str
    right: str
    junction: str = ""
    name: str = ""
    avoid: tuple[str, ...] = ()
    intended: tuple[tuple[str, int], ...] = ()
    barcodes: str = "random"
    barcode_length: int | None = None
    note: str = ""

    @property
    def parts(self) -> dict[str, str]:
        """The constant parts that are not empty, by their names in messages."""
        named = {
            "left adapter": self.left,
            "junction": self.junction,
            "right adapter": self.right,
        }
        return {part: letters for part, letters in named.items() if letters}

    @property
    def usual_barcode_length(self) -> int:
        """Barcode length of the assay, 15 if it has none of its own."""
        return self.barcode_length or 15

    def insert_length(self, oligo_length: int, *, barcode_length: int = 0) -> int:
        """Return the bases left for the insert in an oligo, with or without a barcode.

        Raises
        ------
        DesignError
            If no base is left.
        """
        around = (
            len(self.left)
            + len(self.right)
            + (len(self.junction) + barcode_length if barcode_length else 0)
        )
        if around >= oligo_length:
            what = "adapters, junction and barcode" if barcode_length else "adapters"
            raise DesignError(
                f"oligo_length={oligo_length} leaves no insert: the {what} take "
                f"{around} bases; order longer oligos"
            )
        return oligo_length - around

    def assemble(
        self, inserts: NDArray[np.integer], barcodes: NDArray[np.integer] | None = None
    ) -> Oligos:
        """Assemble whole oligos.

        Parameters
        ----------
        inserts
            Tokens, shape ``(n, insert_length)``.
        barcodes
            Tokens, shape ``(n, barcode_length)``; None: no barcode and no junction.

        Returns
        -------
        Oligos
            Whole oligos, shape ``(n, length)``, with the columns of their parts.

        Examples
        --------
        >>> construct(("AA", "TT")).assemble(encode(["CG", "GC"])).tokens
        array([[0, 0, 1, 2, 3, 3],
               [0, 0, 2, 1, 3, 3]], dtype=uint8)
        """
        begin = len(self.left)
        insert = slice(begin, begin + inserts.shape[1])
        if barcodes is None:
            return Oligos(
                self._joined(inserts, [self.left, inserts, self.right]), insert
            )
        first = insert.stop + len(self.junction)
        tokens = self._joined(
            inserts, [self.left, inserts, self.junction, barcodes, self.right]
        )
        return Oligos(tokens, insert, slice(first, first + barcodes.shape[1]))

    def between_sites(self, sites: Iterable[str]) -> tuple[str, str] | None:
        """Return the junction before and after the place between its first and last
        cloning site; None without two.

        What stands there is cut out when promoter and reporter are inserted between
        insert and barcode.

        Parameters
        ----------
        sites
            IUPAC letters of the sites that the constant parts contain on purpose.

        Examples
        --------
        >>> construct("melnikov").between_sites(["GGTACC", "TCTAGA"])
        ('GGTACC', 'TCTAGA')
        """
        if not self.junction:
            return None
        letters = encode(self.junction)
        found = [
            (start, start + len(recognized))
            for recognized in sites
            for start in range(len(self.junction) - len(recognized) + 1)
            if iupac_hits(letters[:, start : start + len(recognized)], recognized)[0][0]
        ]
        first, last = (
            min((stop for _, stop in found), default=0),
            max((start for start, _ in found), default=-1),
        )
        return (self.junction[:first], self.junction[first:]) if first <= last else None

    @staticmethod
    def _joined(
        inserts: NDArray[np.integer], pieces: list[str | NDArray[np.integer]]
    ) -> Tokens:
        """Return constant letters and variable tokens side by side."""
        columns = [encode(x) if isinstance(x, str) else x for x in pieces if len(x)]
        widths = np.cumsum([0, *(x.shape[1] for x in columns)])
        tokens = np.empty((len(inserts), int(widths[-1])), np.uint8)
        for start, stop, piece in zip(widths[:-1], widths[1:], columns, strict=True):
            tokens[:, start:stop] = piece
        return tokens


Adapters: TypeAlias = str | tuple[str, str] | tuple[str, str, str] | Construct


def construct(adapters: Adapters) -> Construct:
    """Return a construct by name, or from custom adapters.

    Parameters
    ----------
    adapters
        A name of the table, for example ``"lentimpra"``; ``(left, right)`` for oligos
        without a barcode; or ``(left, junction, right)`` for oligos with a synthesized
        barcode between junction and right adapter.

    Raises
    ------
    DesignError
        If the name or its adapters are unknown, or letters are not bases.

    Examples
    --------
    >>> construct("lentimpra").left, construct(("acg", "ttt")).left
    ('AGGACCGGATCAACT', 'ACG')
    """
    if isinstance(adapters, Construct):
        return adapters
    if isinstance(adapters, str):
        known, row = find_row(
            data_table("constructs"),
            adapters,
            "construct",
            cure="give (left, right) as letters",
        )
        if "left" not in row:
            raise DesignError(
                f"the adapters of {row['title']} are not in the table ({row['note']}); "
                "give them as letters"
            )
        return Construct(
            name=known,
            left=row["left"],
            junction=row.get("junction", ""),
            right=row["right"],
            avoid=tuple(row["avoid"]),
            intended=tuple(row.get("intended", {}).items()),
            barcodes=row["barcodes"],
            barcode_length=row["barcode_length"],
            note=row["note"]
            + ("" if row["verified"] else f" (not verified, {row['as_of']})"),
        )
    parts = list(adapters) if isinstance(adapters, tuple | list) else []
    if len(parts) not in (2, 3) or not all(isinstance(part, str) for part in parts):
        raise DesignError(
            f"adapters={quoted(adapters)}: give the name of a construct, (left, "
            "right) or (left, junction, right) as letters"
        )
    left, *junction, right = map(_as_adapter, parts)
    barcodes = "synthesized" if junction else "random"
    return Construct(
        left=left, junction="".join(junction), right=right, barcodes=barcodes
    )


def _as_adapter(letters: str) -> str:
    if not letters:
        return ""
    try:
        encode(letters)
    except SequenceError as error:
        raise DesignError(f"adapter {quoted(letters)}: {error}") from error
    return letters.upper().replace("U", "T")


@dataclass(frozen=True)
class Site:
    """A restriction site: the name of its enzyme (or its letters), and its letters 5'
    to 3' (IUPAC).
    """

    name: str
    letters: str

    @property
    def methylation(self) -> str:
        """The methylation that blocks the enzyme where it overlaps the site, ``"dam"``
        or ``"dcm"``; else empty.

        Examples
        --------
        >>> [site(enzyme).methylation for enzyme in ("XbaI", "ApaI", "KpnI")]
        ['dam', 'dcm', '']
        """
        rows = data_table("sites")
        return next(
            (
                str(kind)
                for name, kind in rows["blocked"].items()
                if rows["sites"][name] == self.letters
            ),
            "",
        )

    @property
    def blocked(self) -> tuple[str, ...]:
        """The site with an overlapping methylation site: strings that contain the site
        and are not cut.

        Examples
        --------
        >>> site("XbaI").blocked
        ('GATCTAGA', 'TCTAGATC')
        """
        return (
            _overlaps(
                self.letters, data_table("sites")["methylation"][self.methylation]
            )
            if self.methylation
            else ()
        )


def _overlaps(recognized: str, other: str) -> tuple[str, ...]:
    """Return every string in which two IUPAC strings overlap."""
    letters = {bases: letter for letter, bases in IUPAC.items() if letter != "U"}
    found = []
    for shift in range(1 - len(other), len(recognized)):
        places = range(min(shift, 0), max(len(recognized), shift + len(other)))
        both = [
            "".join(
                b
                for b in "ACGT"
                if b in _bases_at(recognized, i) and b in _bases_at(other, i - shift)
            )
            for i in places
        ]
        if all(both):
            found.append("".join(letters[bases] for bases in both))
    return tuple(found)


def _bases_at(recognized: str, place: int) -> str:
    return IUPAC[recognized[place]] if 0 <= place < len(recognized) else IUPAC["N"]


def site(name_or_letters: str) -> Site:
    """Return a restriction site by the name of its enzyme, in any case, or by its IUPAC
    letters.

    Raises
    ------
    DesignError
        If it is neither; the message names the nearest enzyme.

    Examples
    --------
    >>> site("ecori"), site("GGTCTC").name
    (Site(name='EcoRI', letters='GAATTC'), 'GGTCTC')
    """
    if not isinstance(name_or_letters, str) or not name_or_letters:
        raise DesignError(
            f"avoid= has {quoted(name_or_letters)}; a site is an enzyme such as "
            "'EcoRI' or letters such as 'GAATTC'"
        )
    if all(letter.upper() in IUPAC for letter in name_or_letters):
        return Site(name_or_letters.upper(), parse_iupac(name_or_letters)[0])
    name, recognized = find_row(
        data_table("sites")["sites"],
        name_or_letters,
        "restriction enzyme",
        cure="give its letters, for example 'GAATTC'",
    )
    return Site(name, recognized)


def sites(avoid: str | Iterable[str]) -> tuple[Site, ...]:
    """Return the sites of names or letters, without repeats.

    Raises
    ------
    DesignError
        If one is neither a known enzyme nor IUPAC letters.

    Examples
    --------
    >>> [s.name for s in sites(["EcoRI", "SbfI", "EcoRI"])]
    ['EcoRI', 'SbfI']
    """
    return tuple(
        dict.fromkeys(
            map(
                site,
                as_texts(
                    avoid, "avoid", "enzymes or letters of sites", error=DesignError
                ),
            )
        )
    )


def intended_sites(avoid: str | Iterable[str] | Mapping[str, int]) -> dict[Site, int]:
    """Return the intended number of each site in an oligo: 0 unless a mapping gives it.

    Raises
    ------
    DesignError
        If a site is unknown, or a number is not a whole number of at least 0.

    Examples
    --------
    >>> {s.name: n for s, n in intended_sites({"KpnI": 1, "EcoRI": 0}).items()}
    {'KpnI': 1, 'EcoRI': 0}
    """
    meant = avoid if isinstance(avoid, Mapping) else {}
    names = as_texts(avoid, "avoid", "enzymes or letters of sites", error=DesignError)
    return {
        site(name): as_int(
            meant.get(name, 0), f"avoid[{quoted(name)}]", least=0, error=DesignError
        )
        for name in names
    }


@cache
def data_table(name: str) -> dict[str, Any]:
    """Return a table of `causalgia/mpra/data` by name, as ``sites``."""
    return tomllib.loads(
        (files("causalgia.mpra") / "data" / f"{name}.toml").read_text("utf-8")
    )


def find_row(
    rows: dict[str, Any], name: str, what: str, *, cure: str
) -> tuple[str, Any]:
    """Return the name as written in the table, for any case, and its row.

    Raises
    ------
    DesignError
        If there is none; the message gives the nearest name and the cure.
    """
    if not isinstance(name, str):
        raise DesignError(
            f"{quoted(name)} is no {what}; give the name of one ({', '.join(rows)}), "
            f"or {cure}"
        )
    as_written = {known.lower(): known for known in rows}
    found = as_written.get(name.lower())
    if found is None:
        # ClaI and XbaI have half of their letters in common
        near = similar_names(name.lower(), as_written, cutoff=0.6)
        known = (
            f"did you mean {quoted(as_written[near[0]])}? If not,"
            if near
            else f"known are {', '.join(rows)}; or"
        )
        raise DesignError(
            f"there is no {what} {quoted(name)} in the table; {known} {cure}"
        )
    return found, rows[found]
