"""Barcodes to synthesise: words that stay apart under the errors of synthesis and sequencing, and carry no signal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import LibraryError, SequenceError, quoted
from causalgia.mpra.libraries.arguments import several, shares, whole
from causalgia.mpra.libraries.constructs import sites
from causalgia.mpra.libraries.oligos import Listed
from causalgia.mpra.libraries.rules import Judge
from causalgia.sequences.alphabet import as_token_array, decode, encode, reverse_complement_word
from causalgia.sequences.composition import word_masks
from causalgia.sequences.random import random_words
from causalgia.sequences.word_distance import KINDS, LONGEST, Distance, WordRules, distant_words, largest_distance
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Ints, Mask, Tokens

Words: TypeAlias = tuple[tuple[str, str], ...]
POLYA = ("AATAAA", "ATTAAA")
PRIMER_END = 8
_SEED = slice(1, 8)
_SEED_LENGTHS = range(6, 9)
_TRIES = 1 << 22


@dataclass(frozen=True, kw_only=True)
class BarcodeRules:
    """What barcodes must be, each by itself and all together; see `barcodes` for the fields.

    Raises
    ------
    LibraryError
        If a field is not what it should be, or no barcode can meet the fields together.
    """

    length: int
    min_distance: int = 3
    distance: Distance = "levenshtein"
    avoid: tuple[str, ...] = ()
    gc: tuple[float, float] = (0.35, 0.65)
    homopolymer: int = 3
    all_four_bases: bool = True
    flanks: tuple[str, str] = ("", "")
    seeds: tuple[str, ...] = ()
    primers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("length", "min_distance", "homopolymer"):
            whole(getattr(self, name), name, least=1)
        if not 4 <= self.length <= LONGEST:
            raise LibraryError(f"barcodes of length={self.length}: they have 4 to {LONGEST} letters")
        if not isinstance(self.all_four_bases, bool | np.bool_):
            raise LibraryError(f"all_four_bases={quoted(self.all_four_bases)} is neither True nor False")
        if not isinstance(self.distance, str) or self.distance not in KINDS:
            raise LibraryError(
                f"distance={quoted(self.distance)} is not a choice; use one of {', '.join(map(quoted, KINDS))}"
            )
        most = largest_distance(self.length, self.distance)
        if self.min_distance > most:
            raise LibraryError(
                f"min_distance={self.min_distance} is not between 1 and {most}, the most for {self.length} nt; make "
                "barcodes longer (length=)"
            )
        if not isinstance(self.flanks, tuple | list) or [isinstance(x, str) for x in self.flanks] != [True, True]:
            raise LibraryError(
                f"flanks={quoted(self.flanks)} is no pair; give the letters before and after each barcode"
            )
        object.__setattr__(self, "gc", shares(self.gc, "gc"))
        for name, what in (("avoid", "enzymes or letters of sites"), ("seeds", "miRNAs"), ("primers", "primers")):
            object.__setattr__(self, name, several(getattr(self, name), name, what))
        fewest, most = self.gc_counts
        if fewest > most:
            raise LibraryError(f"gc={self.gc}: no barcode of {self.length} nt has such a share; widen it")

    @property
    def gc_counts(self) -> tuple[int, int]:
        """Fewest and most G and C in a barcode."""
        low, high = self.gc
        return math.ceil(low * self.length - 1e-9), math.floor(high * self.length + 1e-9)

    @property
    def words(self) -> Words:
        """Words that must not touch a barcode on its own strand, each with what reports call it."""
        enzymes = sites(self.avoid)
        both = [(f"site {s.name}", s.word) for s in enzymes]
        # a site in a flank that the barcode's first or last letters make a methylated one, which is not cut
        both += [
            (f"site {s.name} blocked by {s.methylation}", w) for s in enzymes for w in s.blocked if len(w) > len(s.word)
        ]
        both += [("primer 3' end", _letters(primer, "primers")[-PRIMER_END:]) for primer in self.primers]
        found = [("polyA signal", word) for word in POLYA]
        found += [("miRNA seed", reverse_complement_word(_seed(seed))) for seed in self.seeds]
        found += [(name, strand) for name, word in both for strand in (word, reverse_complement_word(word))]
        return tuple(dict.fromkeys(found))

    @property
    def _word_rules(self) -> WordRules:
        left, right = (_letters(flank, "flanks") if flank else "" for flank in self.flanks)
        return WordRules(
            run=self.homopolymer,
            gc=self.gc_counts,
            all_four=self.all_four_bases,
            left=encode(left)[0] if left else np.empty(0, np.uint8),
            right=encode(right)[0] if right else np.empty(0, np.uint8),
            masks=tuple(word_masks(word) for _, word in self.words),
        )


def _letters(text: str, where: str) -> str:
    """Return A, C, G and T in capitals, or refuse."""
    try:
        return decode(encode(text))[0]
    except SequenceError as error:
        raise LibraryError(f"{where}= has {quoted(text)}: {error}") from error


def _seed(text: str) -> str:
    """Return a seed: as given if it is one, bases 2 to 8 of a whole miRNA."""
    letters = _letters(text, "seeds")
    if len(letters) in _SEED_LENGTHS:
        return letters
    if len(letters) < _SEED_LENGTHS.start:
        raise LibraryError(f"seeds= has {quoted(text)}; give a seed of 6 to 8 letters, 5' to 3', or the whole miRNA")
    return letters[_SEED]


def barcodes(
    n: int,
    *,
    length: int,
    min_distance: int = 3,
    distance: Distance = "levenshtein",
    avoid: str | Iterable[str] = (),
    gc: tuple[float, float] = (0.35, 0.65),
    homopolymer: int = 3,
    all_four_bases: bool = True,
    flanks: tuple[str, str] = ("", ""),
    seeds: str | Iterable[str] = (),
    primers: str | Iterable[str] = (),
    rng: RNG,
) -> list[str]:
    """Return barcodes to synthesise, every pair of which keeps a distance.

    All words of the length are passed in a random order, none twice, and one is kept if it keeps the rules and is far
    enough from all kept before. Every pair is accounted for exactly (`causalgia.sequences.word_distance`), and the
    first n of a longer list with the same `rng` are the list of n.

    A distance of 3 lets one error be corrected, or two be noticed. Which errors depends on the distance: Hamming knows
    substitutions alone, and deletions are the commonest error of synthesis. Levenshtein knows insertions and deletions
    too, where both ends of the barcode are seen in the read, by the letters behind it or by its length. Where a fixed
    number of letters is read and no more, an indel moves what stands behind the barcode into it or its last letter out:
    then ``"free"`` keeps the promise, a distance that is never above the FREE divergence of Hawkins et al. (the
    Sequence-Levenshtein distance of Buschmann & Bystrykh does not keep it for every pair).

    Parameters
    ----------
    n
        Barcodes wanted.
    length
        Their letters, 4 to 32.
    min_distance
        Least distance of a pair.
    distance
        ``"levenshtein"``, ``"hamming"`` or ``"free"``, as `causalgia.sequences.word_distance.edit_distance`.
    avoid
        Restriction sites, enzymes or IUPAC letters, that must not touch a barcode on either strand. Where a flank ends
        in one that the enzyme does not cut beside certain letters (XbaI reads TCTAGA, and before TC it is methylated in
        common strains of E. coli), no barcode has them there.
    gc
        Lowest and highest share of G and C.
    homopolymer
        Longest run of one base, counted into the flanks.
    all_four_bases
        Whether each base must stand in each barcode.
    flanks
        Letters that stand before and after each barcode in the oligo, so that sites across the junctions count. Where
        an insert stands there, whose letters vary, the assembled oligos are checked by `library`.
    seeds
        miRNA seeds, 6 to 8 letters 5' to 3', or whole miRNAs, whose bases 2 to 8 are taken. Barcodes carry no site that
        pairs with one; the oligo's strand is taken as the transcript's.
    primers
        Primers of the protocol: no barcode carries the last 8 letters of one on either strand.
    rng
        Seed, Generator or SeedSequence.

    Returns
    -------
    list
        n strings, in a random order. None carries a polyA signal, AATAAA or ATTAAA.

    Raises
    ------
    LibraryError
        If a rule is not what it should be, or fewer than n are found; the message says how many, and which rule
        refused how many words.

    References
    ----------
    Buschmann & Bystrykh (2013), Levenshtein error-correcting barcodes for multiplexed DNA sequencing,
    doi:10.1186/1471-2105-14-272. Hawkins et al. (2018), Indel-correcting DNA barcodes for high-throughput sequencing,
    doi:10.1073/pnas.1802640115.

    Examples
    --------
    >>> tags = barcodes(1_000, length=12, avoid=["EcoRI", "SbfI"], flanks=("TCTAGA", "AGATCG"), rng=7)
    >>> len(set(tags)), {len(tag) for tag in tags}, tags[:2] == barcodes(
    ...     2, length=12, avoid=["EcoRI", "SbfI"], flanks=("TCTAGA", "AGATCG"), rng=7
    ... )
    (1000, {12}, True)
    """
    rules = BarcodeRules(
        length=length,
        min_distance=min_distance,
        distance=distance,
        avoid=several(avoid, "avoid", "enzymes or letters of sites"),
        gc=gc,
        homopolymer=homopolymer,
        all_four_bases=all_four_bases,
        flanks=flanks,
        seeds=several(seeds, "seeds", "miRNAs or their seeds"),
        primers=several(primers, "primers", "primers"),
    )
    return decode(draw_barcodes(n, rules, rng=rng)[0])


def draw_barcodes(n: int, rules: BarcodeRules, *, rng: RNG) -> tuple[Tokens, dict[str, int]]:
    """Return barcodes as tokens, shape ``(n, length)``, and how many words each rule refused on the way.

    Raises
    ------
    LibraryError
        As `barcodes`.

    Examples
    --------
    >>> tokens, refused = draw_barcodes(3, BarcodeRules(length=10), rng=0)
    >>> tokens.shape, list(refused)
    ((3, 10), ['homopolymer', 'GC', 'four bases', 'polyA signal', 'distance'])
    """
    whole(n, "n", least=1)
    found, failed, passed = distant_words(
        n,
        rules.length,
        rules.min_distance,
        distance=rules.distance,
        rules=rules._word_rules,
        key=derive(root_key(rng), "barcodes"),
        tries=max(_TRIES, 20 * n),
    )
    refused: dict[str, int] = {}
    for name, count in zip(
        ["homopolymer", "GC", "four bases", *(x for x, _ in rules.words), "distance"], failed, strict=True
    ):
        refused[name] = refused.get(name, 0) + int(count)
    if len(found) < n:
        raise LibraryError(_too_few(n, len(found), passed, rules, refused))
    return found, refused


def _too_few(n: int, found: int, passed: int, rules: BarcodeRules, refused: dict[str, int]) -> str:
    worst = sorted(refused.items(), key=lambda item: -item[1])
    said = ", ".join(f"{name} {count:,}" for name, count in worst if count)
    every = "all" if passed == 4**rules.length else "the"
    return (
        f"{found:,} of {n:,} barcodes of {rules.length} nt at {rules.distance} distance {rules.min_distance} were "
        f"found; {every} {passed:,} words tried, refused for {said}; make barcodes longer (length={rules.length + 1}), "
        "ask for a smaller min_distance=, or relax the rule that refused most"
    )


_BASES = 3  # A, C and G: T is what is left of the length


def barcode_balance(
    barcodes: NDArray[np.integer],
    arms: NDArray[np.integer],
    blocks: NDArray[np.integer],
    *,
    repeats: int = 199,
    rng: RNG,
) -> float:
    """Return the p-value of "barcodes were dealt to arms at random within blocks", by dealing them again.

    A barcode has an effect of its own, in part by its composition. Where barcodes are dealt to arms at random within
    blocks, that effect is noise; where they are not, it is bias. The statistic is the sum over arms and over the counts
    of A, C and G of ``n_arm (mean of the arm - expected)^2 / variance``, counts taken from their block's mean. Dealing
    again gives its distribution exactly as the assignment does, so p is at most alpha with probability alpha.

    Parameters
    ----------
    barcodes
        Tokens, shape ``(n, length)``.
    arms
        Arm of each barcode's oligo as a number from 0, shape ``(n,)``.
    blocks
        Within which barcodes were dealt, shape ``(n,)``: a unit, or a set of barcodes within a unit.
    repeats
        How often barcodes are dealt again; the smallest p is ``1 / (repeats + 1)``.
    rng
        Seed, Generator or SeedSequence.

    Returns
    -------
    float
        ``(1 + #{statistic dealt again >= statistic}) / (1 + repeats)``; 1 where no block has two arms.

    Raises
    ------
    LibraryError
        If there is not one arm and one block a barcode, or `repeats` is below 1.

    References
    ----------
    Phipson & Smyth (2010), Permutation p-values should never be zero, doi:10.2202/1544-6115.1585. Lee et al. (2021),
    on the effects of tags in MPRA, Genome Research 31:1638.

    Examples
    --------
    >>> tokens = np.repeat(np.array([[0, 0, 1], [2, 2, 3]], np.uint8), 20, axis=0)
    >>> unit = np.tile(np.arange(20), 2)
    >>> barcode_balance(tokens, np.repeat([0, 1], 20), unit, rng=0)  # one arm has all that begin with A
    0.005
    """
    tokens, arm, block = as_token_array(barcodes), np.asarray(arms), np.asarray(blocks)
    if tokens.ndim != 2 or arm.shape != (len(tokens),) or block.shape != arm.shape:
        raise LibraryError(
            f"{tokens.shape} tokens, {arm.shape} arms and {block.shape} blocks: give one arm and one block a barcode"
        )
    if repeats < 1:
        raise LibraryError(f"repeats={repeats}: barcodes are dealt again at least once")
    order = np.argsort(block, kind="stable")
    _, number, size = np.unique(block[order], return_inverse=True, return_counts=True)
    counts = np.stack([(tokens[order] == base).sum(axis=1) for base in range(_BASES)], axis=1).astype(float)
    means = np.stack([np.bincount(number, column) for column in counts.T], axis=1) / size[:, None]
    return _p_value(
        counts - means[number], arm[order], number, repeats, np.random.default_rng(derive(root_key(rng), "balance"))
    )


def _p_value(
    off: NDArray[np.float64],
    arm: NDArray[np.integer],
    block: NDArray[np.integer],
    repeats: int,
    dice: np.random.Generator,
) -> float:
    """Return the p-value of arms dealt within blocks; rows stand block by block, counts less their block's mean."""
    weight = np.maximum(np.bincount(arm), 1) * np.maximum(off.var(axis=0), 1e-300)[:, None]

    def statistic(rows: NDArray[np.intp] | slice) -> float:
        sums = np.stack([np.bincount(arm, column) for column in off[rows].T])
        return float((sums**2 / weight).sum())

    seen = statistic(slice(None))
    # what is equal but for rounding counts as equal
    again = sum(statistic(np.argsort(block + dice.random(len(block)))) >= seen * (1 - 1e-9) for _ in range(repeats))
    return (1 + again) / (1 + repeats)


_AT_ONCE = 1 << 14
_SPARE_SHARE, _SPARE_LEAST = 0.05, 50


def with_spares(n: int) -> int:
    """Return how many barcodes are made for n oligos: some have to be exchanged where they meet their oligo."""
    return n + max(_SPARE_LEAST, int(_SPARE_SHARE * n))


def dealt(cells: Ints, gc: Ints, *, key: int) -> tuple[Ints, Ints]:
    """Deal a pool of barcodes to oligos.

    Barcodes have an effect of their own, in part by their composition. The pool is cut, in the order of GC content,
    into sets that go to the cells in random order, and within a cell to the oligos in random order: arms of a unit get
    barcodes that are alike, and which arm gets which is random.

    Parameters
    ----------
    cells
        Cell of each oligo, (n,): the k-th barcodes of the arms of a unit are a cell.
    gc
        Number of G and C in each barcode of the pool, (m,), m at least n.
    key
        Root key of the library.

    Returns
    -------
    mine, left
        Place in the pool of each oligo's barcode, (n,), and of the barcodes that no oligo has, (m - n,), in random
        order.
    """
    n, m = len(cells), len(gc)
    dice = random_words(derive(key, "barcodes"), np.arange(m, dtype=np.uint64), 2)
    shuffled = np.argsort(dice[:, 0], kind="stable")
    used, left = shuffled[:n], shuffled[n:]
    by_gc = used[np.argsort(gc[used], kind="stable")]
    of_cell = random_words(derive(key, "cells"), cells.astype(np.uint64), 1)[:, 0]
    mine = np.empty(n, np.int64)
    mine[np.lexsort((dice[:n, 1], cells, of_cell))] = by_gc
    return mine, left


def exchanged(
    mine: Ints, left: Ints, inserts: Tokens, row: Ints, pool: Tokens, judge: Judge
) -> tuple[Ints, Ints, dict[str, int]]:
    """Exchange the barcodes that break a rule in their oligo for ones that are left.

    Parameters
    ----------
    mine, left
        Place in the pool of each oligo's barcode, (n,), and of those that no oligo has.
    inserts
        Distinct inserts, (d, length).
    row
        Which of them each oligo carries, (n,).
    pool
        Barcodes, (m, length).
    judge
        Judges whole oligos.

    Returns
    -------
    mine, left
        As before, after the exchange.
    broken
        Rule -> barcodes that broke it where they stood.

    Raises
    ------
    LibraryError
        If there are not enough barcodes that keep the rules.
    """
    mine, used = mine.copy(), 0
    bad, counts = np.arange(len(row)), np.zeros(len(judge.rules), np.int64)
    while bad.size:
        broken = _broken(inserts, row[bad], pool, mine[bad], judge)
        counts += broken.sum(axis=1)
        bad = bad[broken.any(axis=0)]
        if used + bad.size > left.size:
            rule = judge.rules[int(counts.argmax())]
            raise LibraryError(
                f"{used + bad.size:,} of {len(row) + used:,} barcodes break a rule in their oligo, most often: "
                f"{rule.name}. {rule.cure.capitalize()}; or put other letters between insert and barcode: "
                "adapters=(left, junction, right)"
            )
        mine[bad] = left[used : used + bad.size]
        used += bad.size
    return mine, left[used:], {name: n for name, n in zip(judge.names, counts.tolist(), strict=True) if n}


def _broken(inserts: Tokens, row: Ints, pool: Tokens, mine: Ints, judge: Judge) -> Mask:
    found = np.zeros((len(judge.rules), len(row)), bool)
    for start in range(0, len(row), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        found[:, some] = judge.broken(inserts[row[some]], pool[mine[some]])
    return found


@dataclass(frozen=True)
class Tags:
    """The oligos of a library with their barcodes.

    Attributes
    ----------
    row
        Which of the listed inserts each oligo carries, (n,).
    copy
        Which barcode of its insert it is, from 0, (n,).
    barcodes
        Barcodes of these, (n, length).
    promoter
        Barcodes of the promoter alone, (p, length).
    broken
        Rule -> barcodes that broke it in their oligo, and were exchanged.
    """

    row: Ints
    copy: Ints
    barcodes: Tokens
    promoter: Tokens
    broken: dict[str, int]


def tagged(
    listed: Listed, pool: Tokens, judge: Judge, alone: Judge | None, *, per_oligo: int, promoter: int, key: int
) -> Tags:
    """Assign barcodes to the oligos of a library, and to the promoter alone.

    Parameters
    ----------
    listed
        The inserts.
    pool
        Barcodes in random order, (m, length), as many as `with_spares` says.
    judge, alone
        Judge whole oligos, and those of the promoter alone; None where none is ordered.
    per_oligo, promoter
        Barcodes of an insert, and of the promoter alone.
    key
        Root key of the library.

    Raises
    ------
    LibraryError
        If there are not enough barcodes that keep the rules in their oligos.
    """
    n = len(listed) * per_oligo
    row, copy = np.repeat(np.arange(len(listed)), per_oligo), np.tile(np.arange(per_oligo), len(listed))
    cells = listed.block[row] * per_oligo + copy
    cells = np.concatenate([cells, cells.max(initial=-1) + 1 + np.arange(promoter)])
    mine, left = dealt(cells, ((pool == 1) | (pool == 2)).sum(axis=1), key=key)
    of_oligos, left, broken = exchanged(mine[:n], left, listed.inserts, row, pool, judge)
    of_promoter, more = mine[n:], dict[str, int]()
    if alone is not None:
        none = np.empty((1, 0), np.uint8)
        of_promoter, _, more = exchanged(of_promoter, left, none, np.zeros(promoter, np.int64), pool, alone)
    counts = {rule: broken.get(rule, 0) + more.get(rule, 0) for rule in {**broken, **more}}
    return Tags(row, copy, pool[of_oligos], pool[of_promoter], counts)
