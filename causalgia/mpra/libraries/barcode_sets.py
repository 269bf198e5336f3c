"""Barcodes to synthesise: words that stay apart under the errors of synthesis and sequencing, and carry no signal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from causalgia.errors import LibraryError, SequenceError, quoted
from causalgia.mpra.libraries.arguments import several, shares, whole
from causalgia.mpra.libraries.sites import sites
from causalgia.sequences.alphabet import decode, encode, reverse_complement_word
from causalgia.sequences.composition import word_masks
from causalgia.sequences.levenshtein import KINDS, LONGEST, Distance, largest_distance
from causalgia.sequences.word_distance import WordRules, distant_words
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Tokens

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
    enough from all kept before. Every pair is accounted for exactly (`causalgia.sequences.levenshtein`), and the first
    n of a longer list with the same `rng` are the list of n.

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
        ``"levenshtein"``, ``"hamming"`` or ``"free"``, as `causalgia.sequences.levenshtein.edit_distance`.
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
