"""Training data: RNAcompete-like libraries of 41-nt probes, and labels with noise from
the oracle.

A library is random sequences of uneven composition at both ends, into which words
(whole, or with letters exchanged), pairs of near words and hairpins are written.
Nothing is known of the effects here: labels are asked of the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.sequences import encode
from causalgia.streams import derive
from causalgia.types import Tokens
from causalgia.zoo.oracles import oracle
from causalgia.zoo.torch_networks import LENGTH

_END = 8
"""Bases at each end whose composition varies."""


@dataclass(frozen=True)
class Library:
    """What a story's sequences are made of.

    Parameters
    ----------
    words
        What is written into them; the first is the strongest.
    chances
        Probability of each word.
    near
        Share of sequences with two copies of the first word 4 to 14 bases apart.
    hairpins
        Share of sequences with a hairpin.
    """

    words: tuple[str, ...]
    chances: tuple[float, ...]
    near: float = 0.0
    hairpins: float = 0.0

    def describe(self) -> str:
        """Return the library in words."""
        words = (
            f"0 to 3 of the words {', '.join(self.words)}, some with letters exchanged"
        )
        near = f"; in {self.near:.0%} two {self.words[0]} 4 to 14 bases apart" * (
            self.near > 0
        )
        hairpins = f"; in {self.hairpins:.0%} a hairpin, a third of them broken" * (
            self.hairpins > 0
        )
        return (
            f"simulated {LENGTH}-nt sequences, in half the ends uneven in G and C, "
            f"with {words}{near}{hairpins}"
        )


LIBRARIES = {
    "rbfox1_like": Library(
        words=(
            "UGCAUG",
            "AGCAUG",
            "CGCAUG",
            "UGCACG",
            "AGAAUG",
            "UGUAUG",
            "UGCAUA",
            "UACAUG",
            "GCGCGC",
        ),
        chances=(0.28, 0.13, 0.13, 0.11, 0.11, 0.07, 0.07, 0.05, 0.05),
        near=0.15,
    ),
    "vts1_like": Library(
        words=("GCUGG", "CCAGC", "CUGG", "CCGG", "CAGG", "CGGG", "GCGCGC"),
        chances=(0.6, 0.15, 0.05, 0.05, 0.05, 0.05, 0.05),
        hairpins=0.6,
    ),
}


@dataclass(frozen=True)
class Labeled:
    """Sequences, what the oracle answers, and that answer with noise.

    Parameters
    ----------
    tokens
        (n, 41) uint8.
    truth
        The oracle's answers, (n,), on its scale.
    labels
        Those plus independent normal noise, (n,).
    noise_sd
        Its standard deviation.
    """

    tokens: Tokens
    truth: NDArray[np.float64]
    labels: NDArray[np.float64]
    noise_sd: float


def simulate(story: str, n: int, *, noise: float, key: int) -> Labeled:
    """Return n labeled sequences of a story; the sd of the noise is `noise` times that
    of the oracle's answers.

    Examples
    --------
    >>> data = simulate("rbfox1_like", 1_000, noise=0.5, key=7)
    >>> (
    ...     data.tokens.shape,
    ...     bool(
    ...         (
    ...             data.labels
    ...             == simulate("rbfox1_like", 1_000, noise=0.5, key=7).labels
    ...         ).all()
    ...     ),
    ... )
    ((1000, 41), True)
    """
    tokens = draw_sequences(LIBRARIES[story], n, key=derive(key, "sequences"))
    truth = oracle(story).predict(tokens)[:, 0]
    noise_sd = noise * float(truth.std())
    errors = np.random.default_rng(derive(key, "noise")).normal(scale=noise_sd, size=n)
    return Labeled(tokens, truth, truth + errors, noise_sd)


def draw_sequences(library: Library, n: int, *, key: int) -> Tokens:
    """Return n sequences of a library, (n, 41) uint8.

    A fifth has no word on purpose, the others have one to three at random places (a
    later one may overwrite).
    """
    rng = np.random.default_rng(key)
    tokens = _uneven_backgrounds(n, rng)
    copies = rng.choice([0, 1, 1, 2, 3], size=n)
    for copy in range(3):
        _write_words(tokens, np.flatnonzero(copies > copy), library, rng)
    _write_near_pairs(
        tokens, np.flatnonzero(rng.random(n) < library.near), library.words[0], rng
    )
    _write_hairpins(
        tokens, np.flatnonzero(rng.random(n) < library.hairpins), library.words[0], rng
    )
    return tokens


def _uneven_backgrounds(n: int, rng: np.random.Generator) -> Tokens:
    """Return random sequences; in half of them each end has its own share of G and C,
    uniform on 0 to 1.
    """
    gc = np.full((n, LENGTH), 0.5)
    uneven = np.flatnonzero(rng.random(n) < 0.5)
    gc[uneven, :_END] = rng.random((len(uneven), 1))
    gc[uneven, -_END:] = rng.random((len(uneven), 1))
    strong, second = rng.random((n, LENGTH)) < gc, rng.random((n, LENGTH)) < 0.5
    return np.where(strong, np.where(second, 1, 2), np.where(second, 0, 3)).astype(
        np.uint8
    )


def _write_words(
    tokens: Tokens, rows: NDArray[np.intp], library: Library, rng: np.random.Generator
) -> None:
    which = rng.choice(len(library.words), size=len(rows), p=library.chances)
    for i, word in enumerate(library.words):
        mine = rows[which == i]
        written = _mutate_letters(np.tile(encode(word)[0], (len(mine), 1)), rng)
        _overwrite(
            tokens, mine, rng.integers(LENGTH - len(word) + 1, size=len(mine)), written
        )


def _mutate_letters(words: Tokens, rng: np.random.Generator) -> Tokens:
    """Return words (n, width) of which a fifth had one letter drawn anew, and a tenth a
    second one.
    """
    for share in (0.2, 0.1):
        rows = np.flatnonzero(rng.random(len(words)) < share)
        words[rows, rng.integers(words.shape[1], size=len(rows))] = rng.integers(
            4, size=len(rows)
        )
    return words


def _write_near_pairs(
    tokens: Tokens, rows: NDArray[np.intp], word: str, rng: np.random.Generator
) -> None:
    letters = encode(word)[0]
    distance = rng.integers(4, 15, size=len(rows))
    start = rng.integers(LENGTH - len(letters) - distance + 1)
    for at in (start, start + distance):
        _overwrite(tokens, rows, at, np.tile(letters, (len(rows), 1)))


def _write_hairpins(
    tokens: Tokens, rows: NDArray[np.intp], word: str, rng: np.random.Generator
) -> None:
    """Close loops of 4 to 9 bases, most 5 to 7, by 5 to 10 pairs; most hold the word, a
    third are broken.
    """
    stem = rng.integers(5, 11, size=len(rows))
    loop = rng.choice([4, 5, 5, 6, 6, 7, 7, 7, 8, 9], size=len(rows))
    start = rng.integers(LENGTH - 2 * stem - loop + 1)
    _write_in_loops(tokens, rows, start + stem, loop, encode(word)[0], rng)
    for k in range(10):
        mine = k < stem
        left, right = (start + k)[mine], (start + 2 * stem + loop - 1 - k)[mine]
        tokens[rows[mine], right] = _paired_bases(tokens[rows[mine], left], rng)
    broken = rng.random(len(rows)) < 1 / 3
    _break_stems(tokens, rows[broken], (start + stem + loop)[broken], stem[broken], rng)


def _write_in_loops(
    tokens: Tokens,
    rows: NDArray[np.intp],
    begin: NDArray[np.int64],
    loop: NDArray[np.int64],
    letters: Tokens,
    rng: np.random.Generator,
) -> None:
    room = loop - len(letters) + 1
    mine = (room > 0) & (rng.random(len(rows)) < 0.7)
    _overwrite(
        tokens,
        rows[mine],
        begin[mine] + rng.integers(room[mine]),
        np.tile(letters, (mine.sum(), 1)),
    )


def _paired_bases(bases: Tokens, rng: np.random.Generator) -> Tokens:
    """Return what pairs with each base: its complement, and in a tenth of the cases
    where it can a wobble.
    """
    wobble = (bases >= 2) & (rng.random(len(bases)) < 0.1)
    return np.where(wobble, 5 - bases, 3 - bases).astype(np.uint8)


def _break_stems(
    tokens: Tokens,
    rows: NDArray[np.intp],
    begin: NDArray[np.int64],
    stem: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Draw one to all bases of the 3' arms anew."""
    changed = rng.random(len(rows))
    for k in range(10):
        mine = (k < stem) & (rng.random(len(rows)) < changed)
        tokens[rows[mine], (begin + k)[mine]] = rng.integers(4, size=mine.sum())


def _overwrite(
    tokens: Tokens, rows: NDArray[np.intp], start: NDArray[np.int64], written: Tokens
) -> None:
    tokens[rows[:, None], start[:, None] + np.arange(written.shape[1])] = written
