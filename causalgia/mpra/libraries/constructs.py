"""What stands around an insert: adapters, the junction to a synthesised barcode, and the oligo put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import LibraryError, SequenceError, quoted
from causalgia.mpra.libraries.tables import row_of, table
from causalgia.sequences.alphabet import encode
from causalgia.sequences.composition import word_hits
from causalgia.types import Tokens

Adapters: TypeAlias = "str | tuple[str, str] | tuple[str, str, str] | Construct"


@dataclass(frozen=True, eq=False)
class Oligos:
    """Oligos put together, and where their parts stand.

    Parameters
    ----------
    tokens
        Whole oligos, shape ``(n, length)``, 0, 1, 2, 3 = A, C, G, T.
    insert
        Columns of the insert.
    barcode
        Columns of the synthesised barcode; None where oligos carry none.
    """

    tokens: Tokens
    insert: slice
    barcode: slice | None = None

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Columns where a part that varies begins or has just ended, within the oligo."""
        ends = [self.insert.start, self.insert.stop]
        ends += [] if self.barcode is None else [self.barcode.start, self.barcode.stop]
        return tuple(sorted({end for end in ends if 0 < end < self.tokens.shape[1]}))


@dataclass(frozen=True, kw_only=True)
class Construct:
    """The constant parts of an oligo, 5' to 3': left + insert [+ junction + barcode] + right.

    Parameters
    ----------
    left, right
        Adapters.
    junction
        Letters between insert and synthesised barcode; used where there is a barcode.
    name
        The construct's name in the table; empty for adapters of one's own.
    avoid
        Enzymes that cut in the cloning steps: the sites that must not arise.
    intended
        Enzymes whose site stands in the constant parts on purpose, and how often.
    barcodes
        ``"synthesised"`` in the oligo, behind the junction, or ``"random"``: added later, by PCR.
    barcode_length
        Of the assay's barcodes; None where it says nothing.
    note
        What else to know, and what is not verified.
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
        """The constant parts that have letters, by what messages call them."""
        named = {"left adapter": self.left, "junction": self.junction, "right adapter": self.right}
        return {part: letters for part, letters in named.items() if letters}

    def insert_length(self, oligo_length: int, *, barcode_length: int = 0) -> int:
        """Return the bases that are left for the insert in an oligo, with or without a barcode.

        Raises
        ------
        LibraryError
            If there is none.
        """
        around = len(self.left) + len(self.right) + (len(self.junction) + barcode_length if barcode_length else 0)
        if around >= oligo_length:
            what = "adapters, junction and barcode" if barcode_length else "adapters"
            raise LibraryError(
                f"oligo_length={oligo_length} leaves no insert: the {what} take {around} bases; order longer oligos"
            )
        return oligo_length - around

    def assemble(self, inserts: NDArray[np.integer], barcodes: NDArray[np.integer] | None = None) -> Oligos:
        """Put whole oligos together.

        Parameters
        ----------
        inserts
            Tokens, shape ``(n, insert_length)``.
        barcodes
            Tokens, shape ``(n, barcode_length)``; None: oligos carry none, and no junction.

        Returns
        -------
        Oligos
            Whole oligos, shape ``(n, length)``, and where the parts stand.

        Examples
        --------
        >>> construct(("AA", "TT")).assemble(encode(["CG", "GC"])).tokens
        array([[0, 0, 1, 2, 3, 3],
               [0, 0, 2, 1, 3, 3]], dtype=uint8)
        """
        begin = len(self.left)
        insert = slice(begin, begin + inserts.shape[1])
        if barcodes is None:
            return Oligos(self._joined(inserts, [self.left, inserts, self.right]), insert)
        first = insert.stop + len(self.junction)
        tokens = self._joined(inserts, [self.left, inserts, self.junction, barcodes, self.right])
        return Oligos(tokens, insert, slice(first, first + barcodes.shape[1]))

    def between_sites(self, words: Iterable[str]) -> tuple[str, str] | None:
        """Return the junction before and after the place between its first and its last cloning site; None: not two.

        What stands there is cut out when the promoter and the reporter are put between insert and barcode.

        Parameters
        ----------
        words
            IUPAC letters of the sites that the constant parts carry on purpose.

        Examples
        --------
        >>> construct("melnikov").between_sites(["GGTACC", "TCTAGA"])
        ('GGTACC', 'TCTAGA')
        """
        if not self.junction:
            return None
        letters = encode(self.junction)
        found = [
            (start, start + len(word))
            for word in words
            for start in range(len(self.junction) - len(word) + 1)
            if word_hits(letters[:, start : start + len(word)], word)[0][0]
        ]
        first, last = min((stop for _, stop in found), default=0), max((start for start, _ in found), default=-1)
        return (self.junction[:first], self.junction[first:]) if first <= last else None

    @staticmethod
    def _joined(inserts: NDArray[np.integer], pieces: list[str | NDArray[np.integer]]) -> Tokens:
        """Return letters, the same in every row, and tokens side by side."""
        columns = [encode(x) if isinstance(x, str) else x for x in pieces if len(x)]
        widths = np.cumsum([0, *(x.shape[1] for x in columns)])
        tokens = np.empty((len(inserts), int(widths[-1])), np.uint8)
        for start, stop, piece in zip(widths[:-1], widths[1:], columns, strict=True):
            tokens[:, start:stop] = piece
        return tokens


def construct(adapters: Adapters) -> Construct:
    """Return a construct by name, or from adapters of one's own.

    Parameters
    ----------
    adapters
        A name of the table, for example ``"lentimpra"``; ``(left, right)`` for oligos without a barcode; or ``(left,
        junction, right)`` for oligos with a synthesised barcode between junction and right adapter.

    Raises
    ------
    LibraryError
        If the name is not known, its adapters are not, or letters are not bases.

    Examples
    --------
    >>> construct("lentimpra").left, construct(("acg", "ttt")).left
    ('AGGACCGGATCAACT', 'ACG')
    """
    if isinstance(adapters, Construct):
        return adapters
    if isinstance(adapters, str):
        return _of_table(adapters)
    parts = list(adapters) if isinstance(adapters, tuple | list) else []
    if len(parts) not in (2, 3) or not all(isinstance(part, str) for part in parts):
        raise LibraryError(
            f"adapters={quoted(adapters)}: give the name of a construct, (left, right) or (left, junction, right) "
            "as letters"
        )
    left, *junction, right = map(_bases, parts)
    barcodes = "synthesised" if junction else "random"
    return Construct(left=left, junction="".join(junction), right=right, barcodes=barcodes)


def _bases(letters: str) -> str:
    if not letters:
        return ""
    try:
        encode(letters)
    except SequenceError as error:
        raise LibraryError(f"adapter {quoted(letters)}: {error}") from error
    return letters.upper().replace("U", "T")


def _of_table(name: str) -> Construct:
    known, row = row_of(table("constructs"), name, "construct", cure="give (left, right) as letters")
    if "left" not in row:
        raise LibraryError(f"the adapters of {row['title']} are not in the table ({row['note']}); give them as letters")
    return Construct(
        name=known,
        left=row["left"],
        junction=row.get("junction", ""),
        right=row["right"],
        avoid=tuple(row["avoid"]),
        intended=tuple(row.get("intended", {}).items()),
        barcodes=row["barcodes"],
        barcode_length=row["barcode_length"],
        note=row["note"] + ("" if row["verified"] else f" (not verified, {row['as_of']})"),
    )
