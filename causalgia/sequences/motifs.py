"""Motifs: position probability matrices as frozen values, made from counts, log-odds,
strings or files.
"""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalgia.checks import check_text_or_none, in_list, why_no_numbers
from causalgia.choices import BASES
from causalgia.errors import CausalgiaWarning, SequenceError, caller_stacklevel, quoted
from causalgia.sequences.alphabet import IUPAC, parse_iupac
from causalgia.sequences.plain_matrices import with_points, without_plain_names
from causalgia.sequences.text_files import numbered_lines, read_text
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
        rows = _as_motif_table(
            self.probabilities, f"motif {quoted(self.name)}: probabilities"
        )
        cleaned = tuple(
            _as_probabilities(row, f"motif {quoted(self.name)}: position {i}")
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
        table = _as_motif_table(counts, f"motif {quoted(name)}: counts")
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
        scores = _as_motif_table(log_odds, f"motif {quoted(name)}: log-odds")
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


def _in_order(rows: Any) -> Any:
    """Return a table with named columns A, C, G and T, in any order, as one with these
    in order; a table with such row names turned; any other value as it is.
    """
    turned: Any = getattr(rows, "T", None)
    for table in (rows, turned):
        names = [str(name).upper() for name in getattr(table, "columns", ())]
        letters = [name.replace("U", "T") for name in names]
        if sorted(letters) == [*BASES]:
            return table.to_numpy()[:, [letters.index(base) for base in BASES]]
    return rows


def _as_motif_table(
    rows: ArrayLike | Iterable[Sequence[float]], place: str
) -> NDArray[np.float64]:
    if isinstance(rows, str):
        raise SequenceError(
            f"{place} are a string; from_iupac({quoted(rows)}) makes a motif of it"
        )
    try:
        table = np.array(_in_order(rows), dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        msg = (
            f"{place} are not a table of numbers ({why_no_numbers(rows)}); give "
            "one row of A, C, G, T for each position, such as ((0.1, 0.1, 0.7, 0.1), "
            "(1, 0, 0, 0))"
        )
        raise SequenceError(msg) from error
    if table.ndim == 2 and table.shape[1] == 4 and len(table):
        return table
    turned = (
        "transpose it"
        if table.ndim == 2 and table.shape[0] == 4
        else "give at least one row"
        if not len(table)
        else "give rows of four numbers"
    )
    msg = (
        f"{place} of shape {table.shape}; a motif has one row of A, C, G, T for each "
        f"position: {turned}"
    )
    raise SequenceError(msg)


def _as_probabilities(
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
        _as_probabilities(
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


def read_motifs(path: str | PathLike[str]) -> dict[str, Motif]:
    r"""Read the motifs of a MEME (version 4 or 5), JASPAR, HOMER, TRANSFAC, CIS-BP,
    HOCOMOCO (pcm, pwm), UniPROBE, GimmeMotifs or Cluster-Buster text file, or a table
    of four columns named A, C, G, T; plain or gzip-compressed. Tables of numbers alone,
    as spreadsheets, R and pandas write them (commas, semicolons, tabs or blanks; names
    that only count rows or columns), are matrices without letters.

    The format is known by its content. Keys are the motifs' names; motifs that share a
    name are keyed by their identifiers instead. Among MEME text is what MEME itself
    prints; its probabilities may be rounded: rows that sum to 1 within 0.02 are divided
    by their sum. JASPAR counts become probabilities without a pseudocount; a file that
    is one bare JASPAR matrix of four rows gives one motif named after the file. HOMER's
    motifs have probabilities by position under ``>consensus``, name and threshold,
    separated by tabs; the consensus is their identifier. TRANSFAC and CIS-BP name their
    columns (``PO A C G T``, in any order), and may have the class and family of the
    factor (``CC tf_class:...`` and ``CC tf_family:...`` in what JASPAR exports;
    ``Family``; TRANSFAC's ``HP``, superfamilies, and ``HC``, subfamilies). STAMP has
    ``DE name`` above its rows. Motifs without a position are left out with a warning
    that counts them. Of a matrix without letters its shape says what the rows are; of four
    rows of four numbers the sums do: those of positions are alike. Log-odds are read
    where they are those of probabilities against equal bases, in nats or bits, which
    then sum to 1 at each position.

    Raises
    ------
    SequenceError
        If the file cannot be read or is malformed, no motif has a position, it has other log-odds, or has a matrix of
        four rows and columns without letters whose sums are alike both ways or neither;
        the message names the file and
        the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.jaspar"
    >>> _ = path.write_text(
    ...     ">MA0000.1 TOY\nA [ 4 0 ]\nC [ 0 1 ]\nG [ 0 3 ]\nT [ 0 0 ]\n"
    ... )
    >>> read_motifs(path)["TOY"].consensus
    'AG'
    """
    motifs = [_from_matrix(matrix, str(path)) for matrix in read_matrices(path)]
    names = Counter(motif.name for motif in motifs)
    keys = [x.name if names[x.name] == 1 else str(x.identifier) for x in motifs]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        msg = (
            f"{path}: more than one motif is called {quoted(twice[0])}, by name and "
            "identifier; rename or drop one"
        )
        raise SequenceError(msg)
    return dict(zip(keys, motifs, strict=True))


def _from_matrix(matrix: Matrix, path: str) -> Motif:
    name, identifier = matrix.name, matrix.identifier
    try:
        if matrix.are_counts:
            made = Motif.from_counts(
                name, matrix.rows, identifier=identifier, source=path
            )
            return replace(made, tf_class=matrix.tf_class, tf_family=matrix.tf_family)
        # files round to as little as two digits
        exact = [
            _as_probabilities(
                row, f"motif {quoted(name)}: position {i}", within=ROUNDED
            )
            for i, row in enumerate(matrix.rows)
        ]
        return Motif(
            name,
            tuple(exact),
            identifier,
            path,
            tf_class=matrix.tf_class,
            tf_family=matrix.tf_family,
        )
    except SequenceError as error:
        raise SequenceError(f"{path}: matrix at line {matrix.line}: {error}") from error


Line: TypeAlias = tuple[int, str]
Rows: TypeAlias = tuple[tuple[float, ...], ...]

ROUNDED = 0.02
"""How far from 1 the sum of probabilities may be that a file rounds to two digits."""


@dataclass(frozen=True)
class Matrix:
    """A motif's name, identifier and rows (one for each position) as a file has them,
    and the line where they begin.
    """

    name: str
    identifier: str
    rows: Rows
    are_counts: bool
    line: int
    tf_class: str = ""
    tf_family: str = ""


def read_matrices(path: str | PathLike[str]) -> list[Matrix]:
    """Read the matrices of a MEME, JASPAR or HOMER text file; see `read_motifs`.

    Raises
    ------
    SequenceError
        If the file cannot be read, or its text is not of one of the three formats.
    """
    lines = [
        line for line in numbered_lines(read_text(path)) if not line[1].startswith("#")
    ]
    if not lines:
        msg = f"{path}: no motifs; the file is empty"
        raise SequenceError(msg)
    number, first = lines[0]
    meme = next(
        (
            i
            for i, (_, text) in enumerate(lines)
            if text.upper().startswith("MEME VERSION")
        ),
        None,
    )
    if meme is not None:  # what MEME itself prints has a title above
        return list(_read_meme(lines[meme:], str(path)))
    lines = with_points(lines)
    if first.split()[0] == "DE":  # STAMP leaves the names of the columns out
        lines = _with_columns_named(lines)
    if any(_columns_named(text) for _, text in lines):
        return list(_headed_matrices(lines, str(path)))
    lines = without_plain_names(lines, str(path))
    number, first = lines[0]
    if not first.startswith(">") and any(_LETTERED.match(text) for _, text in lines):
        lines = _without_remarks(lines, _stem(path))
        # UniPROBE and tables with a row for each base, under a name without a mark
        lines = [
            (n, text if _LETTERED.match(text) else _PROTEIN.sub(r">\1\2", text))
            for n, text in lines
        ]
        head = lines[0][1].removeprefix(">").split()
        if not _LETTERED.match(lines[0][1]) and (
            _parse_numbers(" ".join(head[1:]))
            or all(re.fullmatch(r"\[,\d+\]", word) for word in head)
        ):  # the numbers of the positions
            lines = lines[1:]
        number, first = lines[0]
    if first.startswith(">") or _parse_numbers(first) or _LETTERED.match(first):
        if not first.startswith(">"):
            lines = [
                (number, f">{_stem(path)}"),
                *lines,
            ]
        starts = [i for i, (_, text) in enumerate(lines) if text.startswith(">")]
        parts = [
            lines[start:stop]
            for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True)
        ]
        filled = [part for part in parts if not _has_no_numbers(part)]
        _account_for_empty(
            [part[0] for part in parts if _has_no_numbers(part)], len(parts), str(path)
        )
        return [
            _homer_matrix(part, str(path))
            or _matrix_of_positions(part, str(path))
            or _jaspar_matrix(part, str(path))
            for part in filled
        ]
    if other := next((x for mark, x in _OTHERS.items() if first.startswith(mark)), ""):
        raise SequenceError(f"{path}: {other}")
    msg = (
        f"{path}: line {number}: {quoted(first[:30])} begins neither MEME text ('MEME "
        "version 4'), nor JASPAR, HOMER or Cluster-Buster text ('>ID NAME'), nor "
        "TRANSFAC or CIS-BP ('PO A C G T' above the rows), nor UniPROBE ('A:' "
        "before a row); convert the file to one of "
        "them"
    )
    raise SequenceError(msg)


def _stem(path: str | PathLike[str]) -> str:
    """Return the name of a motif that has none but its file's."""
    return Path(path).name.removesuffix(".gz").split(".")[0]


_OTHERS = {
    "<?xml": "is XML, and motifs are read from text; give the text that MEME wrote beside "
    "it (meme.txt, streme.txt)",
    "{": "is JSON, and motifs are read from text; JASPAR answers ?format=meme with it",
    "---": "is YAML, and motifs are read from text; universalmotif writes MEME text by "
    "write_meme",
}
"""What other formats of motifs begin with, and their cure."""

_REMARK = re.compile(r";|[A-Z]{4}\|")
"""What RSAT writes before its comments, and ChIPMunk ("KDIC|1.2") between matrices."""


def _without_remarks(lines: list[Line], stem: str) -> list[Line]:
    """Return the lines of matrices with a row for each base without the comments of RSAT
    and ChIPMunk; a matrix behind ``//`` is called after the file, with its number.

    Examples
    --------
    >>> lines = [(1, "; MET4"), (2, "A | 9"), (3, "//"), (4, "A | 2"), (5, "//")]
    >>> _without_remarks(lines, "m")
    [(2, 'A | 9'), (3, 'm 2'), (4, 'A | 2')]
    """
    found, n = list[Line](), 1
    for number, text in lines:
        if text == "//":
            n += 1
            found.append((number, f"{stem} {n}"))
        elif not _REMARK.match(text):
            if found and found[-1][1] == f"{stem} {n}" and not _LETTERED.match(text):
                found.pop()  # the matrix has a name of its own
            found.append((number, text))
    while found and found[-1][1] == f"{stem} {n}":
        found.pop()
    return found


_LETTERED = re.compile(r"[ACGTUacgtu]\s*[:=|\[\s]\s*[-+.\d]")
"""The row of a base in JASPAR, UniPROBE and their like: "A [ 1", "A: 1", "A | 1"."""

_PROTEIN = re.compile(r"^(?:Protein:\s*(\S+).*|(.*))")
"""UniPROBE's line above a matrix, "Protein: Gata3<tab>Seed k-mer: ...", or its name."""


def _parse_numbers(line: str) -> tuple[float, ...]:
    """Return the numbers of a line, or none if it has anything else."""
    try:
        return tuple(map(float, line.split()))
    except ValueError:
        return ()


def _read_meme(lines: list[Line], path: str) -> Iterator[Matrix]:
    # refuse a version or an alphabet whose columns we would misread
    number, first = lines[0]
    if re.match(r"MEME version\s+0*[45](?!\d)", first, re.IGNORECASE) is None:
        msg = (
            f"{path}: line {number}: {quoted(first)}; versions 4 and 5 of MEME text "
            "are read (meme2meme converts)"
        )
        raise SequenceError(msg)
    for number, text in lines:
        stated = re.match(r"ALPHABET\s*=\s*(.*)", text) or re.match(
            r"ALPHABET\s+\"([^\"]*)\"", text
        )
        if stated and stated[1].strip().upper() not in ("ACGT", "ACGU", "DNA", "RNA"):
            msg = (
                f"{path}: line {number}: alphabet {quoted(stated[1])}; motifs are read "
                "over ACGT or ACGU"
            )
            raise SequenceError(msg)
    starts = [i for i, (_, text) in enumerate(lines) if re.match(r"MOTIF(\s|$)", text)]
    if not starts:
        msg = (
            f"{path}: no motifs; MEME text has a line 'MOTIF identifier name' for each"
        )
        raise SequenceError(msg)
    parts = [
        lines[start:stop]
        for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True)
    ]
    filled = [part for part in parts if not _is_empty(part)]
    _account_for_empty([part[0] for part in parts if _is_empty(part)], len(parts), path)
    for part in filled:
        yield _meme_matrix(part, path)


def _account_for_empty(empty: list[Line], of: int, path: str) -> None:
    """Warn of motifs without a position, by the lines of their names, which are left out.

    Raises
    ------
    SequenceError
        If there is no other motif.
    """
    if not empty:
        return
    number, head = empty[0]
    if len(empty) == of:
        raise SequenceError(
            f"{path}: line {number}: {quoted(head[:40])}: no motif has a position; write "
            "the file again from motifs with positions"
        )
    names = [
        quoted(re.sub(r"^(>|MOTIF\s)\s*", "", text).replace("\t", " "))
        for _, text in empty[:_EMPTY_NAMED]
    ]
    warnings.warn(
        CausalgiaWarning(
            f"{path}: line {number}: {len(empty):,} of {of:,} motifs "
            f"ha{'s' if len(empty) == 1 else 've'} no position and "
            f"{'is' if len(empty) == 1 else 'are'} left out: {in_list(names, n=len(empty))}"
        ),
        stacklevel=caller_stacklevel(),
    )


_NO_NUMBERS = re.compile(r"[ACGTUacgtu]?\s*[:=|]?\s*(\[\s*\])?")
"""The row of a base of a matrix without positions: "A [ ]", "A"."""


def _has_no_numbers(lines: list[Line]) -> bool:
    """Return whether a motif of JASPAR or HOMER has a name, and no position under it."""
    rows = [text for _, text in lines[1:]]
    return len(rows) in (0, len(BASES)) and all(map(_NO_NUMBERS.fullmatch, rows))


def _is_empty(lines: list[Line]) -> bool:
    """Return whether a motif of MEME text says that it has no position, and has none."""
    at = next(
        (
            i
            for i, (_, text) in enumerate(lines)
            if text.startswith("letter-probability matrix")
        ),
        None,
    )
    if at is None or not re.search(r"\bw\s*=\s*0+(?!\d)", lines[at][1]):
        return False
    return not any(_parse_numbers(text) for _, text in lines[at + 1 :])


def _meme_matrix(lines: list[Line], path: str) -> Matrix:
    number, head = lines[0]
    identifier, *rest = head.split()[1:] or [""]
    at = next(
        (
            i
            for i, (_, text) in enumerate(lines)
            if text.startswith("letter-probability matrix")
        ),
        None,
    )
    if at is None or not identifier:
        msg = (
            f"{path}: line {number}: {quoted(head)} lacks an identifier or a "
            "'letter-probability matrix'; complete or drop it"
        )
        raise SequenceError(msg)
    rows = _meme_rows(lines[at:], path)
    named = bool(rest) and rest[:2] != ["width", "="]
    return Matrix(
        rest[0] if named else identifier, identifier, rows, False, lines[at][0]
    )


def _meme_rows(lines: list[Line], path: str) -> Rows:
    """Return the rows under a line
    ``letter-probability matrix: alength= 4 w= 11 ...``.
    """
    (number, head), stated = (
        lines[0],
        dict(re.findall(r"(alength|w)\s*=\s*(\d+)", lines[0][1])),
    )
    rows: list[tuple[float, ...]] = []
    for line, text in lines[1:]:
        if not re.match(r"[-+.]?\d", text):
            break
        rows.append(_parse_numbers(text))
        if len(rows[-1]) != 4:
            msg = (
                f"{path}: line {line}: {quoted(text)} is not a row of four "
                "probabilities (A, C, G, T); correct it"
            )
            raise SequenceError(msg)
    if (
        not rows
        or stated.get("w", str(len(rows))).lstrip("0") != str(len(rows))
        or stated.get("alength", "4") != "4"
    ):
        msg = (
            f"{path}: line {number}: {quoted(head)} is followed by {len(rows)} rows of "
            "4 numbers; correct the matrix"
        )
        raise SequenceError(msg)
    return tuple(rows)


def _homer_matrix(lines: list[Line], path: str) -> Matrix | None:
    """Return a matrix of HOMER: consensus, name and threshold, then a row of
    probabilities for each position.
    """
    number, head = lines[0]
    cells = head[1:].split("\t")
    rows = tuple(_parse_numbers(text) for _, text in lines[1:])
    if len(cells) < 3 or len(_parse_numbers(cells[2])) != 1 or _are_letters(lines[1:]):
        return None
    if len(rows) == 4 and not all(map(_sums_to_one, rows)):
        # counts, whose orientation their sums tell
        made = _matrix_of_positions(lines, path)
        name = cells[1].strip() or cells[0]
        return None if made is None else replace(made, name=name, identifier=cells[0])
    wrong = next(
        (at for at, row in zip(lines[1:], rows, strict=True) if len(row) != 4),
        lines[0] if not rows else None,
    )
    if wrong is not None:
        raise SequenceError(
            f"{path}: line {wrong[0]}: {quoted(wrong[1])}: HOMER has four "
            "probabilities (A, C, G, T) for each position under the line of the name; "
            "correct it"
        )
    return Matrix(cells[1].strip() or cells[0], cells[0], rows, False, number)


_PAIRS_OF_BASES = 16


def _are_letters(rows: list[Line]) -> bool:
    """Return whether the lines under a name are a sequence."""
    return bool(rows) and all(set(row.upper()) <= set("ACGTUN") for _, row in rows)


def _jaspar_matrix(lines: list[Line], path: str) -> Matrix:
    (number, head), rows = lines[0], lines[1:]
    identifier, *rest = head[1:].split() or [""]
    if not identifier or len(rows) != 4:
        place = f"{path}: line {number}: {quoted(head)} "
        if _are_letters(rows):
            raise SequenceError(
                f"{place}is followed by a sequence, and motifs are read here",
            )
        if rows and all(
            len(_parse_numbers(text)) == _PAIRS_OF_BASES for _, text in rows
        ):
            raise SequenceError(
                f"{place}has {_PAIRS_OF_BASES} numbers a row, as matrices of dinucleotides "
                "have; give the mononucleotide matrix of the same motif"
            )
        raise SequenceError(
            f"{place}and {len(rows)} rows; JASPAR has '>ID NAME', then 4 rows: A, C, "
            "G, T"
        )
    labels = [text[0].upper().replace("U", "T") for _, text in rows]
    if labels != list(BASES) and sorted(labels) == list(BASES):  # in another order
        rows = [rows[labels.index(base)] for base in BASES]
    counts = [
        _jaspar_row(row, base, path) for row, base in zip(rows, BASES, strict=True)
    ]
    if len(set(map(len, counts))) != 1:
        msg = (
            f"{path}: line {number}: the rows of {quoted(head)} have "
            f"{list(map(len, counts))} counts; give them one length"
        )
        raise SequenceError(msg)
    columns = list(zip(*counts, strict=True))
    if min(map(min, columns)) < 0:
        odds = _of_log_odds(tuple(columns), f"{path}: line {number}: {quoted(head)}")
        return Matrix(" ".join(rest) or identifier, identifier, odds, False, number)
    by_row, by_column = (all(map(_sums_to_one, side)) for side in (counts, columns))
    if not rows[0][1][0].isalpha() and len(columns) == 4 and by_row and not by_column:
        msg = (
            f"{path}: line {number}: {quoted(head)}: each row sums to 1, so rows are "
            "positions, as HOMER writes them, and not A, C, G, T, as JASPAR does; "
            "transpose the matrix, or give it HOMER's head ('>GATAAG', name, 0, "
            "separated by tabs)"
        )
        raise SequenceError(msg)
    return Matrix(
        " ".join(rest) or identifier, identifier, tuple(columns), True, number
    )


_EMPTY_NAMED = 3
_NAME_FIELDS = ("NA", "ID", "AC", "MOTIF", "DE")
"""What TRANSFAC and CIS-BP call a motif's name, the best first."""
_NUMBERED = ("P", "PO", "P0", "P1", "POS", "POSITION")
"""What they write above the numbers of positions."""
_OF_DOMAIN = re.compile(
    r"(?:(?:CC\s+tf_)?(class|family)(?:\s*:|\t)|(HP|HC)\s)\s*(\S.*)", re.IGNORECASE
)
"""What JASPAR's TRANSFAC text (``CC tf_family:``), CIS-BP (``Family``) and TRANSFAC
(``HP``, superfamilies, and ``HC``, subfamilies) call the class and the family of a
factor's DNA-binding domain.
"""
_GROUP_OF_CODE = {"HP": "class", "HC": "family"}
_TRANSFAC_FACTOR = re.compile(r"[A-Z]\d{5}\b")
"""The accession that TRANSFAC writes before the name of a group of factors."""


def _words(text: str) -> list[str]:
    """Return the cells of a line, which tabs, blanks or commas separate."""
    return [word.strip("\"'") for word in re.split(r"[\s,;]+", text.strip())]


def _columns_named(text: str) -> list[int]:
    """Return the places of A, C, G and T among the cells of a line that names the columns
    of a matrix ("PO A C G T"), none of any other line.
    """
    words = [word.replace("U", "T") for word in map(str.upper, _words(text))]
    first = words[:1]
    numbered = first and (
        first[0] in _NUMBERED
        or (len(words) == len(BASES) + 1 and first[0] not in _NAME_FIELDS)
    )
    at = 1 if numbered else 0
    named = words[at : at + len(BASES)]
    if sorted(named) != list(BASES) or (at == 0 and len(words) > len(BASES)):
        return []
    return [at + named.index(base) for base in BASES]


_STAMP_ROW = re.compile(r"\d+(\s+[-+.\d]\S*){4}(\s+[A-Za-z])?")
"""A position of STAMP's text: its number, those of A, C, G, T, and a letter."""


def _with_columns_named(lines: list[Line]) -> list[Line]:
    """Return lines of STAMP's text with the names of the columns under each motif's."""
    named = list[Line]()
    for line, after in zip(lines, [*lines[1:], (0, "")], strict=True):
        named.append(line)
        if line[1].split()[0] == "DE" and _STAMP_ROW.fullmatch(after[1].strip()):
            named.append((line[0], " ".join(("PO", *BASES))))
    return named


def _headed_matrices(lines: list[Line], path: str) -> Iterator[Matrix]:
    """Yield the matrices of TRANSFAC, CIS-BP and tables: under the names of the columns a
    row for each position.
    """
    facts: dict[str, str] = {}
    domain: dict[str, str] = {}
    empty, n_filled = list[Line](), 0
    at = 0
    while at < len(lines):
        number, text = lines[at]
        at += 1
        columns = _columns_named(text)
        if not columns:
            if text.startswith(">"):
                facts = {"NA": text[1:].strip()} if text[1:].strip() else {}
                continue
            key, _, value = text.partition("\t" if "\t" in text else " ")
            if key.strip(" :").upper() in _NAME_FIELDS and value.strip():
                facts.setdefault(key.strip(" :").upper(), value.strip())
            domain = _with_domain(domain, text)
            if text == "//":
                if "AC" in facts or "ID" in facts:  # an entry without a matrix
                    empty.append(
                        (number, facts.get("NA") or next(iter(facts.values())))
                    )
                facts, domain = {}, {}
            continue
        rows = []
        if not min(columns):
            columns = _after_numbers(columns, lines[at:], path)
        while at < len(lines) and re.match(_NUMBER_BEGINS, lines[at][1]):
            cells = _words(lines[at][1])
            row = _parse_numbers(" ".join(cells[i] for i in columns if i < len(cells)))
            if len(row) != len(BASES):
                after = " after that of its position" if min(columns) else ""
                raise SequenceError(
                    f"{path}: line {lines[at][0]}: {quoted(lines[at][1][:40])} does "
                    f"not have four numbers{after}; correct it"
                )
            rows.append(row)
            at += 1
        named = [facts[key] for key in _NAME_FIELDS if key in facts]
        stem = _stem(path)
        identifier = (
            facts.get("AC")
            or facts.get("ID")
            or facts.get("MOTIF")
            or (named[0].split()[0] if named else stem)
        )
        if not rows:
            empty.append((number, named[0] if named else identifier))
            facts, domain = {}, {}
            continue
        n_filled += 1
        while at < len(lines) and not _begins_another(lines[at][1]):
            domain = _with_domain(
                domain, lines[at][1]
            )  # JASPAR has them below the matrix
            at += 1
        matrix = _of_positions(
            tuple(rows), named[0] if named else stem, identifier, path, number
        )
        of = domain.get("tf_class", ""), domain.get("tf_family", "")
        yield replace(matrix, tf_class=of[0], tf_family=of[1])
        facts, domain = {}, {}
    _account_for_empty(empty, len(empty) + n_filled, path)


_NUMBER_BEGINS = r"[\"']?[-+.]?\d"


def _after_numbers(columns: list[int], lines: list[Line], path: str) -> list[int]:
    """Return the places of A, C, G and T in rows under their names alone: one further
    where each row begins with its number, as tables of pandas and R do.

    Raises
    ------
    SequenceError
        If rows have five numbers of which the first do not count positions.
    """
    rows = [
        (number, _parse_numbers(" ".join(_words(text))))
        for number, text in takewhile(
            lambda line: re.match(_NUMBER_BEGINS, line[1]), lines
        )
    ]
    number, longer = next(
        ((n, row) for n, row in rows if len(row) > len(BASES)), (0, ())
    )
    if not longer:
        return columns
    if _are_numbered([row for _, row in rows]):
        return [i + 1 for i in columns]
    raise SequenceError(
        f"{path}: line {number}: {len(longer)} numbers under four names; name the "
        "columns as in 'PO A C G T', or leave A, C, G, T alone"
    )


def _are_numbered(rows: Sequence[Sequence[float]]) -> bool:
    """Return whether each row has a number for each base behind that of its position,
    counted from 0 or 1.
    """
    firsts = [row[0] for row in rows if len(row) == len(BASES) + 1]
    return firsts in [[*range(k, k + len(rows))] for k in (0, 1)]


def _begins_another(text: str) -> bool:
    """Return whether a line ends an entry of TRANSFAC or CIS-BP, or begins one."""
    key = text.split()[0].strip(":").upper()
    return (
        text == "//"
        or text.startswith(">")
        or bool(_columns_named(text))
        or key in ("TF", *_NAME_FIELDS)
    )


def _of_domain(text: str) -> dict[str, str]:
    """Return the class or family of a line that has one, else nothing.

    Examples
    --------
    >>> _of_domain("CC tf_family:PAS domain factors; PAS domain factors")
    {'tf_family': 'PAS domain factors'}
    """
    found = _OF_DOMAIN.fullmatch(text)
    if found is None:
        return {}
    word, code, value = found.groups()
    each = dict.fromkeys(part.strip() for part in value.split(";"))
    if code:
        each = {
            part.rstrip("."): None
            for part in each
            if not _TRANSFAC_FACTOR.fullmatch(part)
        }
    group = word.lower() if word else _GROUP_OF_CODE[code.upper()]
    return {f"tf_{group}": "::".join(part for part in each if part)}


def _with_domain(domain: Mapping[str, str], text: str) -> dict[str, str]:
    """Return the class and the family that are known, with those of a line.

    Examples
    --------
    >>> _with_domain({"tf_family": "Fos"}, "HC  T00204; Jun.")
    {'tf_family': 'Fos::Jun'}
    """
    merged = dict(domain)
    for key, value in _of_domain(text).items():
        each = [*merged.get(key, "").split("::"), *value.split("::")]
        merged[key] = "::".join(part for part in dict.fromkeys(each) if part)
    return merged


def _matrix_of_positions(lines: list[Line], path: str) -> Matrix | None:
    """Return a matrix of which rows are positions and have no letters, as those of
    HOCOMOCO, GimmeMotifs and Cluster-Buster; None where rows are A, C, G, T.

    Of four rows of four numbers those are positions whose sums are alike, since each
    position counts the same sequences.
    """
    number, head = lines[0]
    rows = tuple(_parse_numbers(text) for text in _without_consensus(lines[1:]))
    numbered = _without_numbers(rows, f"{path}: line {number}: {quoted(head)}")
    rows = numbered or rows
    if not rows or any(len(row) != len(BASES) for row in rows):
        return None
    if len(rows) == len(BASES) and not numbered:
        sides = (rows, tuple(zip(*rows, strict=True)))
        by_row, by_column = map(
            _are_log_odds if min(map(min, rows)) < 0 else _have_one_sum, sides
        )
        if by_row and by_column and rows == tuple(zip(*rows, strict=True)):
            return None  # the same either way
        if by_row == by_column:
            place = f"{path}: line {number}: {quoted(head)}"
            if not by_row and min(map(min, rows)) < 0:
                _of_log_odds(rows, place)  # says why they are none
            which = "both" if by_row else "neither"
            raise SequenceError(
                f"{place}: four rows and four columns, and the sums of {which} are "
                "alike, so that either could be positions; write the letters of the rows "
                "('A [ 1 3 2 14 ]') or the columns' names ('PO A C G T')"
            )
        if not by_row:
            return None
    identifier, *rest = head[1:].split() or [""]
    if not identifier:
        raise SequenceError(
            f"{path}: line {number}: a matrix without a name; write '>ID NAME'"
        )
    return _of_positions(rows, " ".join(rest) or identifier, identifier, path, number)


def _without_consensus(lines: list[Line]) -> list[str]:
    """Return rows without the letter of the consensus that ENCODE's motifs have before
    the four probabilities of each position; rows of the bases keep theirs.

    Examples
    --------
    >>> _without_consensus([(1, "G 0.1 0.1 0.7 0.1"), (2, "R 0.5 0.0 0.5 0.0")])
    ['0.1 0.1 0.7 0.1', '0.5 0.0 0.5 0.0']
    >>> _without_consensus([(1, "A 8 1 0 1")])
    ['A 8 1 0 1']
    """
    texts = [text for _, text in lines]
    cells = [text.split() for text in texts]
    letters = "".join(row[0].upper() for row in cells)
    of_positions = (
        len(letters) == len(cells)
        and set(letters) <= set(IUPAC)
        and sorted(letters.replace("U", "T")) != list(BASES)
        and all(
            len(row) == len(BASES) + 1
            and _sums_to_one(_parse_numbers(" ".join(row[1:])))
            for row in cells
        )
    )
    return [" ".join(row[1:]) for row in cells] if of_positions else texts


def _without_numbers(rows: Rows, place: str) -> Rows:
    """Return rows of five numbers, of which the first counts positions, without these; no
    rows where they are others, or the counts of A, C, G and T at five positions.

    Raises
    ------
    SequenceError
        If four rows may be either.
    """
    if not _are_numbered(rows):
        return ()
    rest = tuple(row[1:] for row in rows)
    if len(rows) != len(BASES):
        return rest
    fits = _are_log_odds if min(map(min, rows)) < 0 else _have_one_sum
    as_positions, as_bases = fits(rest), fits(tuple(zip(*rows, strict=True)))
    if as_positions == as_bases:
        raise SequenceError(
            f"{place}: four rows of five numbers, the first of them a count, so that "
            "rows could be positions with their numbers, or bases; write the letters of "
            "the rows ('A [ 1 3 2 14 5 ]') or the columns' names ('PO A C G T')"
        )
    return rest if as_positions else ()


def _of_positions(
    rows: Rows, name: str, identifier: str, path: str, number: int
) -> Matrix:
    if any(x < 0 for row in rows for x in row):
        rows = _of_log_odds(rows, f"{path}: line {number}: {quoted(name)}")
    are_counts = not all(map(_sums_to_one, rows))
    return Matrix(name, identifier, rows, are_counts, number)


def _of_log_odds(rows: Rows, place: str) -> Rows:
    """Return the probabilities of log-odds against equal bases, in nats (HOCOMOCO's pwm)
    or bits, whichever sum to 1 at every position.
    """
    for base in (math.e, 2.0):
        try:
            found = tuple(tuple(base**x / len(row) for x in row) for row in rows)
        except OverflowError:
            continue
        if all(map(_sums_to_one, found)):
            return found
    raise SequenceError(
        f"{place} has negative numbers, as log-odds do, but they do not give "
        "probabilities: with equal base frequencies, those of a position sum to 1 "
        "neither in nats nor in bits; give counts or probabilities (HOCOMOCO's pcm, "
        "say), or cg.sequences.Motif.from_pwm(name, rows, background=, base=)"
    )


def _are_log_odds(side: Rows) -> bool:
    """Return whether rows are log-odds of probabilities against equal bases."""
    try:
        _of_log_odds(side, "")
    except SequenceError:
        return False
    return True


def _have_one_sum(side: Rows) -> bool:
    """Return whether all sums are alike, within the rounding of a file."""
    sums = [sum(numbers) for numbers in side]
    return max(sums) - min(sums) <= max(ROUNDED, ROUNDED * max(map(abs, sums)))


def _sums_to_one(numbers: tuple[float, ...]) -> bool:
    return abs(sum(numbers) - 1) <= ROUNDED


def _jaspar_row(line: Line, base: str, path: str) -> tuple[float, ...]:
    """Return the counts of ``A [ 1 2 3 ]``, ``A: 1 2 3`` or ``1 2 3``."""
    number, text = line
    label = text[0].upper().replace("U", "T") if text[0].isalpha() else base
    numbers = _parse_numbers(text[text[0].isalpha() :].strip(" \t[]|:="))
    if not numbers and label == base:
        raise SequenceError(
            f"{path}: line {number}: {quoted(text[:40])} has something else than numbers "
            "(a point is the mark of decimals); correct it"
        )
    if label != base:
        msg = (
            f"{path}: line {number}: {quoted(text[:40])} is not the row of counts of "
            f"{base}; the rows are A, C, G, T"
        )
        raise SequenceError(msg)
    return numbers
