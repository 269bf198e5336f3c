"""Barcodes to synthesize: strings at a minimum distance that satisfy the rules, and
their assignment to oligos.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from causalgia.checks import as_int, as_texts
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.mpra.libraries.constructs import sites
from causalgia.mpra.libraries.oligos import InsertList
from causalgia.mpra.libraries.rules import OLIGOS_A_BLOCK, RuleChecker, as_share_range
from causalgia.sequences.alphabet import (
    decode,
    encode,
    reverse_complement_iupac,
)
from causalgia.sequences.composition import iupac_masks
from causalgia.sequences.random import random_words
from causalgia.sequences.string_distance import (
    KINDS,
    LONGEST,
    Distance,
    StringRules,
    distant_strings,
    largest_distance,
)
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Ints, Mask, Tokens

NamedMotifs: TypeAlias = tuple[tuple[str, str], ...]
POLYA = ("AATAAA", "ATTAAA")
PRIMER_END = 8
_MIRNA_SEED = slice(1, 8)
_SEED_LENGTHS = range(6, 9)
_TRIES = 1 << 22


@dataclass(frozen=True, kw_only=True)
class BarcodeRules:
    """Rules for a set of barcodes; see `barcodes` for the fields.

    Raises
    ------
    DesignError
        If a field is invalid, or no barcode can meet all fields.

    Examples
    --------
    >>> import causalgia as cg
    >>> rules = BarcodeRules(length=10, min_distance=4, avoid=("EcoRI",))
    >>> rules.gc_counts
    (4, 6)
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
            as_int(getattr(self, name), name, error=DesignError)
        if not 4 <= self.length <= LONGEST:
            raise DesignError(
                f"barcodes of length={self.length}: they have 4 to {LONGEST} letters"
            )
        if not isinstance(self.all_four_bases, bool | np.bool_):
            raise DesignError(
                f"all_four_bases={quoted(self.all_four_bases)} is neither True nor "
                "False"
            )
        if not isinstance(self.distance, str) or self.distance not in KINDS:
            raise DesignError(
                f"distance={quoted(self.distance)} is not a choice; use one of "
                f"{', '.join(map(quoted, KINDS))}"
            )
        most = largest_distance(self.length, self.distance)
        if self.min_distance > most:
            raise DesignError(
                f"min_distance={self.min_distance} is not between 1 and {most}, "
                f"the most for {self.length} nt; make barcodes longer (length=)"
            )
        if not isinstance(self.flanks, tuple | list) or [
            isinstance(x, str) for x in self.flanks
        ] != [True, True]:
            raise DesignError(
                f"flanks={quoted(self.flanks)} is not a pair; give the letters "
                "before and after each barcode"
            )
        object.__setattr__(self, "gc", as_share_range(self.gc, "gc"))
        for name, what in (
            ("avoid", "enzymes or letters of sites"),
            ("seeds", "miRNAs"),
            ("primers", "primers"),
        ):
            object.__setattr__(
                self,
                name,
                as_texts(getattr(self, name), name, what, error=DesignError),
            )
        fewest, most = self.gc_counts
        if fewest > most:
            raise DesignError(
                f"gc={self.gc}: no barcode of {self.length} nt has such a share; "
                "widen it"
            )

    @property
    def gc_counts(self) -> tuple[int, int]:
        """Fewest and most G and C in a barcode."""
        low, high = self.gc
        return math.ceil(low * self.length - 1e-9), math.floor(
            high * self.length + 1e-9
        )

    @property
    def motifs(self) -> NamedMotifs:
        """Strings that must not overlap a barcode on its own strand, each with its name
        in reports.
        """
        enzymes = sites(self.avoid)
        both = [(f"site {s.name}", s.letters) for s in enzymes]
        # a site in a flank that the barcode's first or last letters would make
        # methylated, and so not cut
        both += [
            (f"site {s.name} blocked by {s.methylation}", w)
            for s in enzymes
            for w in s.blocked
            if len(w) > len(s.letters)
        ]
        both += [
            ("primer 3' end", _as_bases(primer, "primers")[-PRIMER_END:])
            for primer in self.primers
        ]
        found = [("polyA signal", motif) for motif in POLYA]
        found += [
            ("miRNA seed", reverse_complement_iupac(_mirna_seed(seed)))
            for seed in self.seeds
        ]
        found += [
            (name, strand)
            for name, motif in both
            for strand in (motif, reverse_complement_iupac(motif))
        ]
        return tuple(dict.fromkeys(found))

    @property
    def _string_rules(self) -> StringRules:
        left, right = (
            _as_bases(flank, "flanks") if flank else "" for flank in self.flanks
        )
        return StringRules(
            run=self.homopolymer,
            gc=self.gc_counts,
            all_four=self.all_four_bases,
            left=encode(left)[0] if left else np.empty(0, np.uint8),
            right=encode(right)[0] if right else np.empty(0, np.uint8),
            masks=tuple(iupac_masks(motif) for _, motif in self.motifs),
        )


def _as_bases(text: str, where: str) -> str:
    """Return A, C, G and T in capitals, or raise DesignError."""
    try:
        return decode(encode(text))[0]
    except SequenceError as error:
        raise DesignError(f"{where}= has {quoted(text)}: {error}") from error


def _mirna_seed(text: str) -> str:
    """Return a seed: as given if it is one, bases 2 to 8 of a whole miRNA."""
    letters = _as_bases(text, "seeds")
    if len(letters) in _SEED_LENGTHS:
        return letters
    if len(letters) < _SEED_LENGTHS.start:
        raise DesignError(
            f"seeds= has {quoted(text)}; give a seed of 6 to 8 letters, 5' to 3', "
            "or the whole miRNA"
        )
    return letters[_MIRNA_SEED]


def barcodes(
    n_barcodes: int,
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
    """Return barcodes to synthesize, with a minimum distance between every pair.

    All strings of the length are tried in random order, each once, and kept if they
    meet the rules and are far enough from all kept before. Every pair is checked
    exactly (`causalgia.sequences.string_distance`), and the first n of a longer list
    with the same `rng` are the list of n.

    A distance of 3 corrects one error or detects two. Hamming distance covers
    substitutions only, while deletions are the commonest error of synthesis.
    Levenshtein distance covers insertions and deletions too, if both ends of the
    barcode are known in the read, by the letters after it or by its length. Where a
    fixed number of letters is read, an indel moves the next letter into the barcode or
    its last letter out: ``"free"`` covers this, a distance that is never above the FREE
    divergence of Hawkins et al. (the Sequence-Levenshtein distance of Buschmann &
    Bystrykh does not for every pair).

    Parameters
    ----------
    n_barcodes
        Number of barcodes.
    length
        Letters of a barcode, 4 to 32.
    min_distance
        Smallest distance of a pair.
    distance
        ``"levenshtein"``, ``"hamming"`` or ``"free"``, as
        `causalgia.sequences.string_distance.distant_strings`.
    avoid
        Restriction sites, enzymes or IUPAC letters, that must not overlap a barcode on
        either strand. Where a flank ends in a site that is not cut beside certain
        letters (XbaI reads TCTAGA, which before TC is methylated in common E. coli
        strains), no barcode has them there.
    gc
        Lowest and highest share of G and C.
    homopolymer
        Longest run of one base, including the flanks.
    all_four_bases
        Whether each barcode must contain every base.
    flanks
        Letters before and after each barcode in the oligo, to check sites across the
        junctions. Where an insert is adjacent, whose letters vary, `library` checks the
        assembled oligos.
    seeds
        miRNA seeds, 6 to 8 letters 5' to 3', or whole miRNAs, whose bases 2 to 8 are
        taken. No barcode contains a site that pairs with one, with the strand of the
        oligo as that of the transcript.
    primers
        Primers of the protocol: no barcode contains the last 8 letters of one on either
        strand.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Returns
    -------
    list
        The barcodes, in random order. None contains a polyA signal, AATAAA or ATTAAA.

    Raises
    ------
    DesignError
        If a rule is invalid, or fewer than n are found; the message gives the number,
        and the strings refused by each rule.

    References
    ----------
    Buschmann & Bystrykh (2013), Levenshtein error-correcting barcodes for multiplexed
    DNA sequencing, doi:10.1186/1471-2105-14-272. Hawkins et al. (2018),
    Indel-correcting DNA barcodes for high-throughput sequencing,
    doi:10.1073/pnas.1802640115.

    Examples
    --------
    >>> tags = barcodes(
    ...     1_000,
    ...     length=12,
    ...     avoid=["EcoRI", "SbfI"],
    ...     flanks=("TCTAGA", "AGATCG"),
    ...     rng=7,
    ... )
    >>> (
    ...     len(set(tags)),
    ...     {len(tag) for tag in tags},
    ...     tags[:2]
    ...     == barcodes(
    ...         2,
    ...         length=12,
    ...         avoid=["EcoRI", "SbfI"],
    ...         flanks=("TCTAGA", "AGATCG"),
    ...         rng=7,
    ...     ),
    ... )
    (1000, {12}, True)
    """
    rules = BarcodeRules(
        length=length,
        min_distance=min_distance,
        distance=distance,
        avoid=as_texts(
            avoid, "avoid", "enzymes or letters of sites", error=DesignError
        ),
        gc=gc,
        homopolymer=homopolymer,
        all_four_bases=all_four_bases,
        flanks=flanks,
        seeds=as_texts(seeds, "seeds", "miRNAs or their seeds", error=DesignError),
        primers=as_texts(primers, "primers", "primers", error=DesignError),
    )
    return decode(draw_barcodes(n_barcodes, rules, rng=rng)[0])


def draw_barcodes(
    n: int, rules: BarcodeRules, *, rng: RNG
) -> tuple[Tokens, dict[str, int]]:
    """Return barcodes as tokens, shape ``(n, length)``, and the number of strings that
    each rule refused.

    Raises
    ------
    DesignError
        As `barcodes`.

    Examples
    --------
    >>> tokens, refused = draw_barcodes(3, BarcodeRules(length=10), rng=0)
    >>> tokens.shape, list(refused)
    ((3, 10), ['homopolymer', 'GC', 'four bases', 'polyA signal', 'distance'])
    """
    as_int(n, "n_barcodes", error=DesignError)
    found, failed, passed = distant_strings(
        n,
        rules.length,
        rules.min_distance,
        distance=rules.distance,
        rules=rules._string_rules,
        key=derive(root_key(rng), "barcodes"),
        tries=max(_TRIES, 20 * n),
    )
    refused: dict[str, int] = {}
    for name, count in zip(
        ["homopolymer", "GC", "four bases", *(x for x, _ in rules.motifs), "distance"],
        failed,
        strict=True,
    ):
        refused[name] = refused.get(name, 0) + int(count)
    if len(found) < n:
        raise DesignError(_too_few_message(n, len(found), passed, rules, refused))
    return found, refused


def _too_few_message(
    n: int, found: int, passed: int, rules: BarcodeRules, refused: dict[str, int]
) -> str:
    worst = sorted(refused.items(), key=lambda item: -item[1])
    reasons = ", ".join(f"{name} {count:,}" for name, count in worst if count)
    every = "all" if passed == 4**rules.length else "the"
    # a letter more makes four times as many strings, each near to more of them
    longer, expected = rules.length, float(max(found, 1))
    while longer == rules.length or (expected < n and longer < LONGEST):
        expected *= 4 * (longer / (longer + 1)) ** (rules.min_distance - 1)
        longer += 1
    return (
        f"{found:,} of {n:,} barcodes of {rules.length} nt at {rules.distance} "
        f"distance {rules.min_distance} were found; {every} {passed:,} strings tried, "
        f"refused for {reasons}; make barcodes longer (length={longer}), "
        "ask for a smaller min_distance=, or relax the rule that refused most"
    )


_SPARE_SHARE, _SPARE_LEAST = 0.05, 50


def n_with_spares(n: int) -> int:
    """Return the number of barcodes to make for n oligos, including spares for
    replacement.
    """
    return n + max(_SPARE_LEAST, int(_SPARE_SHARE * n))


def deal_barcodes(cells: Ints, gc: Ints, *, key: int) -> tuple[Ints, Ints]:
    """Assign a pool of barcodes to oligos at random within cells of similar GC content.

    Barcodes have effects of their own, partly from their composition. The pool, sorted
    by GC content, is cut into sets that go to the cells in random order, and within a
    cell to the oligos in random order: arms of a unit get similar barcodes, in random
    order.

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
        Place in the pool of each oligo's barcode, (n,), and of the unassigned barcodes,
        (m - n,), in random order.
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


def exchange_barcodes(
    mine: Ints,
    left: Ints,
    inserts: Tokens,
    row: Ints,
    pool: Tokens,
    checker: RuleChecker,
) -> tuple[Ints, Ints, dict[str, int]]:
    """Replace the barcodes that break a rule in their oligo by unassigned ones.

    Parameters
    ----------
    mine, left
        Place in the pool of each oligo's barcode, (n,), and of the unassigned barcodes.
    inserts
        Distinct inserts, (d, length).
    row
        Insert of each oligo, (n,).
    pool
        Barcodes, (m, length).
    checker
        Checks whole oligos.

    Returns
    -------
    mine, left
        As before, after the exchange.
    broken
        Rule -> number of barcodes that broke it.

    Raises
    ------
    DesignError
        If too few barcodes keep the rules.
    """
    mine, used = mine.copy(), 0
    bad, counts = np.arange(len(row)), np.zeros(len(checker.rules), np.int64)
    while bad.size:
        broken = _broken_in_oligos(inserts, row[bad], pool, mine[bad], checker)
        counts += broken.sum(axis=1)
        bad = bad[broken.any(axis=0)]
        if used + bad.size > left.size:
            rule = checker.rules[int(counts.argmax())]
            raise DesignError(
                f"{used + bad.size:,} of {len(row) + used:,} barcodes break a rule in "
                f"their oligo, most often: {rule.name}. {rule.cure.capitalize()}; or "
                "put other letters between insert and barcode: adapters=(left, "
                "junction, right)"
            )
        mine[bad] = left[used : used + bad.size]
        used += bad.size
    return (
        mine,
        left[used:],
        {name: n for name, n in zip(checker.names, counts.tolist(), strict=True) if n},
    )


def _broken_in_oligos(
    inserts: Tokens, row: Ints, pool: Tokens, mine: Ints, checker: RuleChecker
) -> Mask:
    found = np.zeros((len(checker.rules), len(row)), bool)
    for start in range(0, len(row), OLIGOS_A_BLOCK):
        some = slice(start, start + OLIGOS_A_BLOCK)
        found[:, some] = checker.broken(inserts[row[some]], pool[mine[some]])
    return found


@dataclass(frozen=True)
class Tags:
    """The oligos of a library with their barcodes.

    Attributes
    ----------
    row
        Insert of each oligo, (n,).
    copy
        Number of the barcode within its insert, from 0, (n,).
    barcodes
        Barcodes, (n, length).
    promoter
        Barcodes of the promoter alone, (p, length).
    broken
        Rule -> number of barcodes that broke it in their oligo, and were replaced.
    """

    row: Ints
    copy: Ints
    barcodes: Tokens
    promoter: Tokens
    broken: dict[str, int]


def tag_oligos(
    listed: InsertList,
    pool: Tokens,
    checker: RuleChecker,
    alone: RuleChecker | None,
    *,
    per_oligo: int,
    promoter: int,
    key: int,
) -> Tags:
    """Assign barcodes to the oligos of a library, and to the promoter alone.

    Parameters
    ----------
    listed
        The inserts.
    pool
        Barcodes in random order, (m, length), as many as `n_with_spares`.
    checker, alone
        Check whole oligos, and those of the promoter alone; None where none is ordered.
    per_oligo, promoter
        Number of barcodes of an insert, and of the promoter alone.
    key
        Root key of the library.

    Raises
    ------
    DesignError
        If too few barcodes keep the rules in their oligos.
    """
    n = len(listed) * per_oligo
    row, copy = (
        np.repeat(np.arange(len(listed)), per_oligo),
        np.tile(np.arange(per_oligo), len(listed)),
    )
    cells = listed.block[row] * per_oligo + copy
    cells = np.concatenate([cells, cells.max(initial=-1) + 1 + np.arange(promoter)])
    mine, left = deal_barcodes(cells, ((pool == 1) | (pool == 2)).sum(axis=1), key=key)
    of_oligos, left, broken = exchange_barcodes(
        mine[:n], left, listed.inserts, row, pool, checker
    )
    of_promoter, more = mine[n:], dict[str, int]()
    if alone is not None:
        none = np.empty((1, 0), np.uint8)
        of_promoter, _, more = exchange_barcodes(
            of_promoter, left, none, np.zeros(promoter, np.int64), pool, alone
        )
    counts = {
        rule: broken.get(rule, 0) + more.get(rule, 0) for rule in {**broken, **more}
    }
    return Tags(row, copy, pool[of_oligos], pool[of_promoter], counts)
