"""Real sequences as a null model, and words or motifs searched in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Genomic, NullModel
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.experiments.kit.settings import as_site
from causalgia.sequences import Motif
from causalgia.sequences import motif as motif_of
from causalgia.sequences.alphabet import BASES, decode, parse_word, reverse_complement
from causalgia.sequences.fasta import as_sequences
from causalgia.sequences.motif_scores import PER_BIT, cutoff, step_scores
from causalgia.types import Tokens

_BLOCK = 4_096


def as_genomic(sequences: Any, name: str) -> Genomic:
    """Return given sequences as a null model; a `Genomic` is returned unchanged, with its parents and draws.

    Examples
    --------
    >>> as_genomic({"peak": "ACGT"}, "sequences")
    Genomic(of={'peak': 'ACGT'})
    """
    if isinstance(sequences, Genomic):
        return sequences
    if isinstance(sequences, NullModel):
        raise DesignError(
            f"{name}: {sequences.describe()} are not real sequences; give these (a FASTA file, strings, tokens), or "
            "cg.Genomic(of=...)"
        )
    try:
        return Genomic(of=as_sequences(sequences))
    except SequenceError as error:
        raise DesignError(f"{name}: {error}") from error


def check_no_overlap(negatives: Genomic, positives: Genomic) -> None:
    """Check that no negative equals or contains, or lies within, one of the positives on either strand.

    Sequences are compared by their letters, not by their names.

    Examples
    --------
    >>> check_no_overlap(Genomic(of={"quiet": "AAGG", "other": "ACAC"}), Genomic(of={"peak": "CCTT"}))
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: negatives: 1 of 2 overlap the positives: the first, 'quiet', has the letters of ...
    """
    negative, positive = negatives.parents_given, positives.parents_given
    width = min(negative.length, positive.length)
    known = {one: row for row, windows in enumerate(_canonical_windows(positive.tokens, width)) for one in windows}
    shared = [
        (row, known[one])
        for row, windows in enumerate(_canonical_windows(negative.tokens, width))
        for one in windows & known.keys()
    ]
    if shared:
        (first, of), n = shared[0], len({row for row, _ in shared})
        raise DesignError(
            f"negatives: {n:,} of {len(negative):,} overlap the positives: the first, "
            f"{quoted(negative.names[first])}, has the letters of {quoted(positive.names[of])} (read on either strand);"
            " take them out of one of the two sets"
        )


def _canonical_windows(tokens: Tokens, width: int) -> Iterator[set[bytes]]:
    """Yield the set of windows of each sequence, each as the lexicographically first of its two strands."""
    last = tokens.shape[1] - width
    for plus, minus in zip(tokens, reverse_complement(tokens), strict=True):
        yield {
            min(plus[i : i + width].tobytes(), minus[last - i : last - i + width].tobytes()) for i in range(last + 1)
        }


def as_word_or_motif(value: Any, name: str) -> str | Motif:
    """Return a word or motif from a setting that is meant for motifs.

    It takes whatever `causalgia.motif` takes, and tables of a `trial.toml`. Letters A C G T (U) are a word, and so are
    other IUPAC letters unless a factor has that name. (In settings meant for words,
    `causalgia.experiments.kit.settings.as_site`, any IUPAC letters are a word.)

    Examples
    --------
    >>> as_word_or_motif("AGATAAG", "motif"), as_word_or_motif("GATA1", "motif").name
    ('AGATAAG', 'GATA1')
    """
    if isinstance(value, Mapping) or (isinstance(value, str) and value and set(value.upper()) <= {*BASES, "U"}):
        return as_site(value, name)
    try:
        found = motif_of(value)
    except SequenceError as error:
        raise SequenceError(f"{name}: {error}") from error
    is_word = isinstance(value, str) and found.identifier is None and found.source is None
    return as_site(value, name) if is_word else found


def nearest_window(tokens: Tokens, names: tuple[Any, ...], pattern: str | Motif, threshold: float) -> str:
    """Describe the window that comes nearest to being an instance.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> nearest_window(encode(["CCAGATAACC"]), ("peak",), "AGATAAG", 1e-4)
    "the nearest window, 'AGATAAC' at 2 of 'peak', reads 6 of its 7 letters"
    """
    word = isinstance(pattern, str)
    if isinstance(pattern, str):
        table = np.array([[base in bases for base in range(4)] for bases in parse_word(pattern)[1]], np.int64)
    else:
        table = step_scores(pattern)
    best = (np.iinfo(np.int64).min, 0, 0)  # score, and row and start with a minus sign: the first of equal windows wins
    for first in range(0, len(tokens), _BLOCK):
        rows = tokens[first : first + _BLOCK]
        scores = np.maximum(_window_scores(rows, table), _window_scores(rows, table[::-1, ::-1]))
        i, j = np.unravel_index(int(scores.argmax()), scores.shape)
        best = max(best, (int(scores[i, j]), -(first + int(i)), -int(j)))
    score, row, start = best[0], -best[1], -best[2]
    reads = decode(tokens[row : row + 1, start : start + len(table)])[0]
    where = f"the nearest window, {quoted(reads)} at {start} of {quoted(names[row])},"
    if word:
        return f"{where} reads {score} of its {len(table)} letters"
    needed = cutoff(pattern, threshold)  # type: ignore[arg-type]  # a motif, as checked above
    return f"{where} scores {score / PER_BIT:.2f} bits of the {needed / PER_BIT:.2f} of threshold={threshold:g}"


def _window_scores(rows: Tokens, table: NDArray[np.int64]) -> NDArray[np.int64]:
    n = rows.shape[1] - len(table) + 1
    total = np.zeros((len(rows), n), np.int64)
    for i, step in enumerate(table):
        total += step[rows[:, i : i + n]]
    return total
