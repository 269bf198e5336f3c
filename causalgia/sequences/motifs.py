"""Motifs: position probability matrices as frozen values, made from counts, log-odds
or strings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalgia.checks import check_text_or_none, converts_to_float, why_no_numbers
from causalgia.choices import BASES
from causalgia.errors import SequenceError, quoted
from causalgia.sequences.alphabet import parse_iupac
from causalgia.types import Tokens

Row: TypeAlias = tuple[float, float, float, float]

UNIFORM: Row = (0.25, 0.25, 0.25, 0.25)
NARROWEST_MOTIF = 4
"""Positions of the narrowest motif that is learned from maps or from a layer."""
_SUM_ROUNDING = 1e-12  # a row that sums to 1 within it is left as it is
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Seqlets:
    """The seqlets of a motif: strings of a sequence to which a network's prediction was
    attributed.

    Attributes
    ----------
    n
        Their number.
    width
        Their positions w, of which the motif has those from `start` to `stop`, the last
        one excluded.
    start, stop
        The part that is the motif.
    contributions
        Mean contribution of the base that is there, (w, 4) in the order A, C, G, T: the
        contribution weight matrix. None if the file has none.
    hypothetical
        Mean contribution that each base would have, (w, 4), or None.
    """

    n: int
    width: int
    start: int
    stop: int
    contributions: NDArray[np.float64] | None = None
    hypothetical: NDArray[np.float64] | None = None

    def reverse_complement(self) -> Seqlets:
        """Return the seqlets as the opposite strand shows them."""
        flipped, could_be = (
            None if x is None else x[::-1, ::-1]
            for x in (self.contributions, self.hypothetical)
        )
        return Seqlets(
            self.n,
            self.width,
            self.width - self.stop,
            self.width - self.start,
            flipped,
            could_be,
        )


@dataclass(frozen=True)
class Motif:
    """A motif: at each of w positions, independently, the probabilities of A, C, G and
    T.

    Rows must sum to 1 within 0.001 (published matrices are rounded) and are divided by
    their sum; rows within 1e-12 of 1 are kept as they are. Motifs are compared by name,
    identifier and probabilities alone.

    Parameters
    ----------
    name
        What reports call it.
    probabilities
        w rows of four probabilities, in the order A, C, G, T.
    identifier
        Its accession in a database.
    source
        The path that was read, as it was given, or the release of the database.
    seqlets
        The seqlets that it was made of, if `causalgia.read_patterns` read it from a
        file that has them.
    tf_class, tf_family
        Class and family of the factor's DNA-binding domain, if its file has them;
        those of a dimer are joined by ``"::"``.

    Raises
    ------
    SequenceError
        If there is no printable name or no row, or a row is not four finite
        probabilities that sum to 1.

    Examples
    --------
    >>> motif = Motif("toy", ((0.1, 0.1, 0.7, 0.1), (1.0, 0.0, 0.0, 0.0)))
    >>> motif.consensus, len(motif), motif.reverse_complement().consensus
    ('GA', 2, 'TC')
    """

    name: str
    probabilities: tuple[Row, ...]
    identifier: str | None = None
    source: str | None = field(default=None, compare=False)
    seqlets: Seqlets | None = field(default=None, compare=False, repr=False)
    tf_class: str = field(default="", compare=False, repr=False)
    tf_family: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        if (
            not isinstance(self.name, str)
            or not self.name.strip()
            or not self.name.isprintable()
        ):
            msg = (
                "a motif's name is a string that is not blank and has only printable "
                f"characters, not {quoted(self.name)}"
            )
            raise SequenceError(msg)
        for what in ("identifier", "source", "tf_class", "tf_family"):
            check_text_or_none(getattr(self, what), what, error=SequenceError)
        if self.seqlets is not None and not isinstance(self.seqlets, Seqlets):
            raise SequenceError(
                f"seqlets={quoted(self.seqlets)} are not the seqlets of a motif; leave "
                "them out, or take them from cg.read_patterns",
                argument="seqlets",
            )
        rows = as_motif_table(
            self.probabilities, f"motif {quoted(self.name)}: probabilities"
        )
        cleaned = tuple(
            as_probabilities(row, f"motif {quoted(self.name)}: position {i}")
            for i, row in enumerate(rows.tolist())
        )
        object.__setattr__(self, "probabilities", cleaned)

    @classmethod
    def from_counts(
        cls,
        name: str,
        counts: ArrayLike,
        *,
        pseudocount: float = 0.0,
        identifier: str | None = None,
        source: str | None = None,
    ) -> Motif:
        """Estimate a motif from counts, w rows of A, C, G, T:
        ``(count + pseudocount) / total`` at each position.

        Raises
        ------
        SequenceError
            If a count or the pseudocount is negative or not finite, or a position has
            none at all.

        Examples
        --------
        >>> Motif.from_counts("toy", [[3, 0, 1, 0]], pseudocount=1).probabilities
        ((0.5, 0.125, 0.25, 0.125),)
        """
        _check_pseudocount(pseudocount)
        table = as_motif_table(counts, f"motif {quoted(name)}: counts")
        totals = table.sum(axis=1, keepdims=True) + 4 * pseudocount
        usable = np.isfinite(totals[:, 0]) & (table.min(1) >= 0) & (totals[:, 0] > 0)
        if not usable.all():
            at = int(np.argmin(usable))
            values = " ".join(f"{x:g}" for x in table[at])
            raise SequenceError(
                f"motif {quoted(name)}: counts are finite and not negative, and each "
                f"position has some, but position {at} has {values}",
            )
        return cls(name, ((table + pseudocount) / totals).tolist(), identifier, source)

    @classmethod
    def from_pwm(
        cls,
        name: str,
        log_odds: ArrayLike,
        *,
        background: Row = UNIFORM,
        base: float = 2.0,
    ) -> Motif:
        """Recover a motif from log-odds, w rows of A, C, G, T:
        ``background * base ** log_odds``.

        The inverse of `log_odds`; rows must sum to 1 within 0.001, which shows that
        `background` and `base` are those that the log-odds were made with. A log-odds
        of -inf is probability 0.

        Raises
        ------
        SequenceError
            If the background is not a distribution, or the rows that result are none.

        Examples
        --------
        >>> Motif.from_pwm("toy", [[1, 1, -float("inf"), -float("inf")]]).probabilities
        ((0.5, 0.5, 0.0, 0.0),)
        """
        if not (math.isfinite(base) and base > 1):
            msg = (
                f"motif {quoted(name)}: base={quoted(base)}; log-odds have a base "
                "above 1, such as 2 (bits) or math.e (nats)"
            )
            raise SequenceError(msg)
        scores = as_motif_table(log_odds, f"motif {quoted(name)}: log-odds")
        prior = _background(background)
        rows = prior * np.exp(scores * math.log(base))
        if not _sum_to_one(rows).all():
            at = int(np.argmin(_sum_to_one(rows)))
            msg = (
                f"motif {quoted(name)}: the log-odds of position {at} make "
                f"probabilities that sum to {rows[at].sum():.3g}, not 1; "
                f"{_log_odds_cure(scores, prior)}"
            )
            raise SequenceError(msg)
        return cls(name, rows.tolist())

    @classmethod
    def from_iupac(cls, text: str) -> Motif:
        """Return the motif of a string: each IUPAC letter is uniform over the bases
        that it admits.

        Raises
        ------
        SequenceError
            If the string is empty or has a letter outside the IUPAC code.

        Examples
        --------
        >>> Motif.from_iupac("AR").probabilities
        ((1.0, 0.0, 0.0, 0.0), (0.5, 0.0, 0.5, 0.0))
        """
        letters, admitted = parse_iupac(text)
        rows = tuple(
            tuple((token in tokens) / len(tokens) for token in range(4))
            for tokens in admitted
        )
        return cls(letters, rows)  # type: ignore[arg-type]  # four entries, which mypy cannot count

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Motif:
        """Return the motif that `to_dict` wrote.

        Raises
        ------
        SequenceError
            If a key is missing or unknown.
        """
        known = {"name", "probabilities", "identifier"}
        if not {"name", "probabilities"} <= set(table) <= known:
            msg = (
                "a motif's table has the keys name, probabilities and perhaps "
                f"identifier, not {quoted(sorted(table))}"
            )
            raise SequenceError(msg)
        return cls(table["name"], table["probabilities"], table.get("identifier"))

    def to_dict(self) -> dict[str, Any]:
        """Return the value (without its source) as strings and lists that JSON and TOML
        can hold.
        """
        given = {} if self.identifier is None else {"identifier": self.identifier}
        return {
            "name": self.name,
            **given,
            "probabilities": [list(row) for row in self.probabilities],
        }

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def consensus(self) -> str:
        """The most probable base at each position; among equals the first of A, C, G,
        T.
        """
        return "".join(BASES[k] for k in np.argmax(self.probabilities, axis=1))

    @property
    def information(self) -> NDArray[np.float64]:
        """Bits at each position, (w,): ``2 + sum_b p_b log2 p_b``, from 0 (uniform) to
        2 (one base).
        """
        table = np.array(self.probabilities)
        logs = np.log2(table, where=table > 0, out=np.zeros_like(table))
        bits: NDArray[np.float64] = 2 + (table * logs).sum(axis=1)
        return bits

    def reverse_complement(self) -> Motif:
        """Return the motif as the opposite strand shows it, under the same name."""
        rows = tuple((t, g, c, a) for a, c, g, t in reversed(self.probabilities))
        seqlets = None if self.seqlets is None else self.seqlets.reverse_complement()
        return Motif(self.name, rows, self.identifier, self.source, seqlets)

    def log_odds(
        self, background: Row = UNIFORM, *, pseudocount: float = 0.0
    ) -> NDArray[np.float64]:
        """Return ``log2(p_b / background_b)`` in bits, (w, 4) in the order A, C, G, T:
        the position weight matrix.

        With a pseudocount s, p_b is first replaced by
        ``(p_b + s * background_b) / (1 + s)``, so that no base is impossible.

        Raises
        ------
        SequenceError
            If the background is not a positive distribution, or a probability of 0 has
            no logarithm.

        Examples
        --------
        >>> Motif("toy", ((0.5, 0.25, 0.125, 0.125),)).log_odds()
        array([[ 1.,  0., -1., -1.]])
        """
        prior = _background(background)
        _check_pseudocount(pseudocount)
        smoothed = (np.array(self.probabilities) + pseudocount * prior) / (
            1 + pseudocount
        )
        if smoothed.min() <= 0:
            at = int(np.argwhere(smoothed <= 0)[0, 0])
            msg = (
                f"motif {quoted(self.name)}: a base has probability 0 at position "
                f"{at}; give pseudocount=, such as 0.01"
            )
            raise SequenceError(msg)
        scores: NDArray[np.float64] = np.log2(smoothed / prior)
        return scores

    def instances(self, random: NDArray[np.uint64]) -> Tokens:
        """Turn random sequences, (n, w) uint64, into n instances of the motif, (n, w)
        tokens, by the inverse of the cdf.

        The caller owns the stream: 53 bits of each string decide one base, so a
        probability is met within 2**-52, and a base of probability 0 is never drawn.

        Raises
        ------
        SequenceError
            If the strings are not (n, w) uint64.

        Examples
        --------
        >>> strings = np.array([[0, 2**63], [2**63, 2**64 - 1]], dtype=np.uint64)
        >>> Motif.from_iupac("RN").instances(strings)
        array([[0, 2],
               [2, 3]], dtype=uint8)
        """
        random = np.asarray(random)
        if (
            random.dtype != np.uint64
            or random.ndim != 2
            or random.shape[1] != len(self)
        ):
            msg = (
                f"motif {quoted(self.name)} takes strings of shape (n, {len(self)}) "
                f"uint64, not {random.shape} {random.dtype}"
            )
            raise SequenceError(msg)
        uniforms = (random >> np.uint64(11)) * 2.0**-53
        # the cdf after A, C and G, (w, 3), exactly 1 where no later base has any
        # probability
        table = np.array(self.probabilities)
        steps = np.cumsum(table, axis=1)[:, :3]
        later = np.cumsum(table[:, ::-1], axis=1)[:, 2::-1]
        steps = np.where(later == 0, 1.0, steps)
        tokens: Tokens = sum(  # type: ignore[assignment]
            (uniforms >= steps[:, i]).astype(np.uint8) for i in range(3)
        )
        return tokens


def as_motif_table(
    rows: Any, place: str, *, by_sums: bool = False
) -> NDArray[np.float64]:
    """Return the w rows of A, C, G, T of a table: an array, lists, a tensor, a DataFrame
    or DataArray, or a mapping letter -> numbers.

    A table with labels is read by them. Of an array the axis of four is that of bases;
    where both are four, the rows are positions; `by_sums`, unless it is the columns
    that have one sum and not the rows.
    """
    if isinstance(rows, str):
        raise SequenceError(
            f"{place} are a string; from_iupac({quoted(rows)}) makes a motif of it"
        )
    if hasattr(rows, "detach"):  # a tensor of torch
        rows = rows.detach().cpu()
    try:
        numbers = np.asarray(
            list(rows.values()) if isinstance(rows, Mapping) else rows, np.float64
        )
    except (TypeError, ValueError, OverflowError) as error:
        msg = (
            f"{place} are not a table of numbers "
            f"({_odd_cell(rows) or why_no_numbers(rows)}); give "
            "one row of A, C, G, T for each position, such as ((0.1, 0.1, 0.7, 0.1), "
            "(1, 0, 0, 0))"
        )
        raise SequenceError(msg) from error
    labels = _table_labels(rows)
    table = (
        _as_rows(numbers, by_sums)
        if labels == (None, None)
        else _by_labels(numbers, *labels, place)
    )
    if table.ndim == 2 and table.shape[1] == 4 and len(table):
        return table
    raise SequenceError(
        f"{place} of shape {table.shape}; a motif has four numbers, of A, C, G and T, "
        "for each of its positions"
    )


def _as_rows(numbers: NDArray[np.float64], by_sums: bool) -> NDArray[np.float64]:
    """Return a table without labels with its positions as rows."""
    if numbers.ndim != 2 or len(numbers) != 4:
        return numbers
    turned = numbers.shape[1] != 4 or (
        by_sums and _is_even(numbers.sum(axis=0)) and not _is_even(numbers.sum(axis=1))
    )
    return numbers.T if turned else numbers


def _is_even(sums: NDArray[np.float64]) -> bool:
    return bool(np.ptp(sums) <= 1e-6 * sums.max())


def _odd_cell(table: Any) -> str:
    """Return which cell of a DataFrame is no number; empty for what is no DataFrame."""
    columns = getattr(table, "columns", ())
    cells = np.asarray(table, dtype=object).T if len(columns) else ()
    return next(
        (
            f"column {name}, row {i}: {quoted(value)} is not a number"
            for name, column in zip(columns, cells, strict=True)
            for i, value in enumerate(column, 1)
            if not converts_to_float(value)
        ),
        "",
    )


def _table_labels(table: Any) -> tuple[list[Any] | None, list[Any] | None]:
    """Return the row and column labels of a mapping, DataFrame or DataArray; None for
    an axis without labels.
    """
    if isinstance(table, Mapping):
        return list(table), None
    if hasattr(table, "columns"):
        return list(table.index) if hasattr(table, "index") else None, list(
            table.columns
        )
    if not hasattr(table, "indexes") or len(table.dims) != 2:
        return None, None
    rows, columns = (
        list(table.indexes[dim]) if dim in table.indexes else None for dim in table.dims
    )
    return rows, columns


def _by_labels(
    numbers: NDArray[np.float64],
    rows: list[Any] | None,
    columns: list[Any] | None,
    place: str,
) -> NDArray[np.float64]:
    """Return w rows of A, C, G, T of a labeled table."""
    down, across = _order_of_bases(rows), _order_of_bases(columns)
    if (down is None) == (across is None):
        which = (
            "neither its rows nor its columns"
            if down is None
            else "both its rows and its columns"
        )
        shown = f"rows {_few(rows)}, columns {_few(columns)}"
        msg = (
            f"{place}: a motif's table with labels has A, C, G, T (U) on one axis; of "
            f"this one {which} are: {shown}"
        )
        raise SequenceError(msg)
    return numbers[:, across] if across is not None else numbers[down].T


def _order_of_bases(labels: list[Any] | None) -> list[int] | None:
    """Return the positions of A, C, G and T among labels that are exactly these; else
    None.
    """
    spelled = [str(label).upper().replace("U", "T") for label in labels or ()]
    return (
        [spelled.index(base) for base in BASES]
        if sorted(spelled) == sorted(BASES)
        else None
    )


def _few(labels: list[Any] | None) -> str:
    return (
        "without labels"
        if labels is None
        else ", ".join(map(str, labels[:5])) + ", ..." * (len(labels) > 5)
    )


def as_probabilities(
    row: Sequence[float],
    place: str,
    *,
    within: float = _SUM_TOLERANCE,
) -> Row:
    """Return four probabilities that sum to 1; `place` begins the error's message."""
    total = math.fsum(row) if all(map(math.isfinite, row)) else math.nan
    if len(row) != 4 or min(row) < 0 or not abs(total - 1) <= within + 1e-9:
        shown = " ".join(f"{x:g}" for x in row)
        raise SequenceError(
            f"{place}: {shown} are not four probabilities that sum to 1 (within "
            f"{within})",
        )
    a, c, g, t = row if abs(total - 1) <= _SUM_ROUNDING else [x / total for x in row]
    return a, c, g, t


def _check_pseudocount(pseudocount: float) -> None:
    if not (math.isfinite(pseudocount) and pseudocount >= 0):
        msg = (
            f"pseudocount={quoted(pseudocount)}; give a finite number that is not "
            "negative"
        )
        raise SequenceError(msg)


def _sum_to_one(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which rows sum to 1."""
    return np.asarray(np.abs(rows.sum(axis=1) - 1) <= _SUM_TOLERANCE + 1e-9)


def _log_odds_cure(scores: NDArray[np.float64], prior: NDArray[np.float64]) -> str:
    """Say how a table is read that is not of log-odds to the base that was given."""
    if np.isnan(scores).any():
        return "correct the matrix"
    for base, value in (("2", 2.0), ("math.e", math.e), ("10", 10.0)):
        if _sum_to_one(prior * value**scores).all():
            return f"give base={base}"
    if scores.min() >= 0:
        return "Motif() takes probabilities, from_counts() counts"
    return "give the base= and the background= that they were made with"


def _background(background: Sequence[float]) -> NDArray[np.float64]:
    row = np.array(
        as_probabilities(
            [float(x) for x in background],
            "background",
        )
    )
    if row.min() <= 0:
        msg = (
            f"background {quoted(tuple(background))} gives a base probability 0; "
            "log-odds need all four positive"
        )
        raise SequenceError(msg)
    return row
