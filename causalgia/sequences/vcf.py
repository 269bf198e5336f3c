"""Variants of a VCF file, and windows of a genome with their reference and alternate alleles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import is_whole
from causalgia.choices import ALIGNS, Align
from causalgia.errors import SequenceError, quoted
from causalgia.inputs import parse_int
from causalgia.sequences.alphabet import BASES, encode, reverse_complement
from causalgia.sequences.genome import Genome
from causalgia.sequences.text_files import check_not_fasta, numbered_lines, read_text
from causalgia.types import Mask, Tokens

_BASES = frozenset(BASES)


@dataclass(frozen=True)
class Variant:
    """A reference allele at a position of a genome, and the alternate that replaces it.

    Parameters
    ----------
    chromosome
        Name of the chromosome, as the genome has it.
    position
        0-based start of the reference allele (a VCF counts from 1).
    reference, alternate
        Two different words of A, C, G, T, in either case; kept in upper case. Indels are written as VCF does, with a
        base that both alleles share.
    name
        Name in reports; by default ``chromosome:POS:reference>alternate`` with the VCF's POS, counted from 1.

    Raises
    ------
    SequenceError
        If the chromosome is blank, the position is negative, an allele has another letter or none, or both are equal.

    Examples
    --------
    >>> Variant("chr1", 41, "A", "g").name
    'chr1:42:A>G'
    """

    chromosome: str
    position: int
    reference: str
    alternate: str
    name: str = ""

    def __post_init__(self) -> None:
        _check_place(self.chromosome, self.position)
        for what in ("reference", "alternate"):
            letters = getattr(self, what)
            if not isinstance(letters, str) or not letters or not _BASES.issuperset(letters):
                object.__setattr__(self, what, _allele(letters, f"{self._label}: {what} allele"))
        if self.reference == self.alternate:
            msg = f"{self._label}: both alleles are {quoted(self.reference)}; a variant changes something: drop it"
            raise SequenceError(msg)
        object.__setattr__(self, "position", int(self.position))
        object.__setattr__(self, "name", self.name or self.written)

    @property
    def _label(self) -> str:
        return f"variant {quoted(self.name or f'{self.chromosome}:{self.position + 1}')}"

    @property
    def written(self) -> str:
        """``chromosome:POS:reference>alternate``, POS counted from 1 as VCF does."""
        return f"{self.chromosome}:{self.position + 1}:{self.reference}>{self.alternate}"


@dataclass(frozen=True, eq=False)
class VariantWindows:
    """Windows of one length around V variants, once with each allele.

    Parameters
    ----------
    variants
        The V variants, in the order given.
    reference, alternate
        (V, length) tokens: the genome, and the genome with the alternate allele. Aligned left, both agree up to the
        allele; after an indel the alternate is shifted, and filled from the genome (or cut) at its right end. Aligned
        right, both agree after the allele, and the left end of the alternate is filled or cut.
    start
        (V,) where the allele begins in the reference window, counted from 0.
    align
        ``"left"``, ``"right"`` or ``"read_out"``.
    minus
        (V,) which windows are of the minus strand, reverse-complemented with both their alleles; None: none.
    """

    variants: tuple[Variant, ...]
    reference: Tokens
    alternate: Tokens
    start: NDArray[np.int64]
    align: Align = "left"
    minus: Mask | None = None

    @property
    def on_minus(self) -> Mask:
        """Which windows are of the minus strand, (V,)."""
        return np.zeros(len(self), bool) if self.minus is None else self.minus

    @property
    def first(self) -> NDArray[np.int64]:
        """Position of each window in the genome, its lowest base counted from 0, (V,)."""
        after = self.reference.shape[1] - self.start - self.reference_width
        return np.array([x.position for x in self.variants]) - np.where(self.on_minus, after, self.start)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each variant."""
        return tuple(x.name for x in self.variants)

    @property
    def reference_width(self) -> NDArray[np.int64]:
        """Number of bases of each reference allele, (V,)."""
        return np.array([len(x.reference) for x in self.variants], np.int64)

    @property
    def alternate_width(self) -> NDArray[np.int64]:
        """Number of bases of each alternate allele, (V,)."""
        return np.array([len(x.alternate) for x in self.variants], np.int64)

    def __len__(self) -> int:
        return len(self.variants)


def read_vcf(path: str | PathLike[str]) -> tuple[Variant, ...]:
    r"""Read the variants of a VCF file, plain or gzip-compressed, in its order.

    A line with several alternate alleles gives a variant for each. A variant is named by its ID; one without, or whose
    ID is shared, is named ``chromosome:POS:reference>alternate``. The first five columns are read: QUAL, FILTER and
    genotypes are not looked at, so filter the file first. Columns are separated by tabs, or by blanks on lines without
    tabs; the header may be missing.

    Raises
    ------
    SequenceError
        If the file cannot be read or has no variants, a line is malformed, an allele is not a word of A, C, G, T
        (symbolic ``<DEL>``, breakends, ``*``, ``.``, N), or a variant is repeated. The message names file and line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.vcf"
    >>> _ = path.write_text("chr1\t42\trs1\tA\tG\t.\tPASS\t.\nchr1\t50\t.\tCA\tC\t.\tPASS\t.\n")
    >>> [(v.name, v.position) for v in read_vcf(path)]
    [('rs1', 41), ('chr1:50:CA>C', 49)]
    """
    text = read_text(path)
    check_not_fasta(text, path, "give the VCF file first, then the FASTA file of the genome")
    found = [
        (number, variant)
        for number, line in numbered_lines(text)
        if not line.startswith("#")
        for variant in _variants(line, f"{path}: line {number}")
    ]
    if not found:
        msg = f"{path}: no variants; a VCF line has CHROM, POS, ID, REF and ALT, separated by tabs"
        raise SequenceError(msg)
    if all(_ends_as_in_bed(variant) for _, variant in found):
        raise SequenceError(
            f"{path}: ID is the end of each variant, as in a BED file, which counts from 0; give schema='bed' "
            "(cg.sequences.read_variants)"
        )
    seen: dict[str, int] = {}
    for number, variant in found:
        if variant.written in seen:
            lines = f"lines {seen[variant.written]} and {number} give"
            msg = f"{path}: {lines} the same variant {variant.written}; drop one"
            raise SequenceError(msg)
        seen[variant.written] = number
    shared = Counter(variant.name for _, variant in found)
    return tuple(x if shared[x.name] == 1 else replace(x, name="") for _, x in found)


def variant_windows(
    variants: str | PathLike[str] | Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    length: int,
    starts: Sequence[int] | None = None,
    align: Align = "left",
    minus: Sequence[bool] | None = None,
) -> VariantWindows:
    r"""Cut a window of `length` around each variant out of a genome, with the reference and the alternate allele.

    The middle of the longer allele stands in the middle of the window: with w its width, the allele begins at
    ``length // 2 - w // 2``, so a substitution of one base stands at ``length // 2``, as in `from_bed`. The genome is
    given by the FASTA alone and must have each reference allele at the variant's position; lower case is upper case.

    Parameters
    ----------
    variants
        A VCF file, or its variants as `read_vcf` gives them: at least one, with different names.
    fasta
        The genome, plain or gzip-compressed.
    length
        Bases of each window, at least as many as the longest allele.
    starts
        Where each variant's allele begins in its window on the plus strand, counted from 0; None: in the middle, as
        said above.
    align
        Which side of an indel keeps its place, since the window has one length. ``"left"``: the bases before it; the
        right end of the alternate is filled from the genome after a deletion, and cut after an insertion. ``"right"``:
        the bases after it; the left end is filled or cut. ``"read_out"``: the bases on that side of it which has the
        middle of the window, ``length // 2``. Substitutions are the same either way.
    minus
        (V,) which windows are reverse-complemented, after the cut; left and right are those of the finished window.

    Raises
    ------
    SequenceError
        If there is no variant or two share a name, an allele is longer than the window or leaves it, `align` is
        neither side, a chromosome is unknown, a window leaves its chromosome, the genome has another reference allele,
        or a window has a letter that is no base. The message names the variant.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from causalgia.sequences import decode
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
    >>> _ = path.write_text(">chr1\nAACCGGTTACGT\n")
    >>> windows = variant_windows([Variant("chr1", 4, "G", "T"), Variant("chr1", 4, "GG", "G")], path, length=6)
    >>> decode(windows.reference), decode(windows.alternate), windows.start.tolist()
    (['ACCGGT', 'CCGGTT'], ['ACCTGT', 'CCGTTA'], [3, 2])
    """
    chosen = as_variants(read_vcf(variants) if isinstance(variants, str | PathLike) else variants)
    _check_windows_fit(chosen, length)
    if align not in ALIGNS:
        msg = (
            f"align={quoted(align)} is neither 'left' nor 'right', the side of an indel that keeps its place, nor "
            "'read_out', the side of the window's middle"
        )
        raise SequenceError(msg)
    at = (
        [length // 2 - _allele_width(x) // 2 for x in chosen]
        if starts is None
        else _as_window_starts(chosen, starts, length)
    )
    on_minus = np.zeros(len(chosen), bool) if minus is None else np.asarray(minus, bool)
    sides = [_side(x, start, length, align, other) for x, start, other in zip(chosen, at, on_minus, strict=True)]
    with Genome(fasta) as genome:
        _check_inside(genome, chosen, at, length, sides)
        stretches = [_stretch(genome, x, start, length, side) for x, start, side in zip(chosen, at, sides, strict=True)]
    before = [_bases_before(x, side) for x, side in zip(chosen, sides, strict=True)]
    check_alleles(
        chosen,
        [letters[more + start :] for letters, more, start in zip(stretches, before, at, strict=True)],
        fasta,
        before=[
            letters[max(more + start - 1, 0) : more + start]
            for letters, more, start in zip(stretches, before, at, strict=True)
        ],
    )
    for variant, letters in zip(chosen, stretches, strict=True):
        _check_letters(variant, letters, fasta)
    pairs = []
    for x, letters, more, start, side in zip(chosen, stretches, before, at, sides, strict=True):
        changed = letters[: more + start] + x.alternate + letters[more + start + len(x.reference) :]
        pairs.append((letters[more : more + length], changed[-length:] if side == "right" else changed[:length]))
    reference, alternate = (encode(list(each)) for each in zip(*pairs, strict=True))
    begins = np.array(at, np.int64)
    if not on_minus.any():
        return VariantWindows(chosen, reference, alternate, begins, align)
    for tokens in (reference, alternate):
        tokens[on_minus] = reverse_complement(tokens[on_minus])
    ends = begins + np.array([len(x.reference) for x in chosen])
    return VariantWindows(chosen, reference, alternate, np.where(on_minus, length - ends, begins), align, on_minus)


def _side(variant: Variant, start: int, length: int, align: Align, minus: bool) -> Align:
    """Return the side, left or right on the plus strand, on which bases beside the allele keep their place."""
    if align != "read_out":
        return ("right" if align == "left" else "left") if minus else align
    middle = length - 1 - length // 2 if minus else length // 2
    alleles = variant.reference, variant.alternate
    shared = next((i for i, (x, y) in enumerate(zip(*alleles, strict=False)) if x != y), min(map(len, alleles)))
    return keeping_side(start + shared, len(variant.reference) - shared, middle, minus=minus)


def keeping_side(at: int, removed: int, middle: int, *, minus: bool = False) -> Literal["left", "right"]:
    """Return the side of a change at which the bases keep their place so that the middle of the window does.

    Examples
    --------
    >>> [keeping_side(at, 2, 30) for at in (28, 29, 30, 31)]  # removed before it, around it (two), behind it
    ['right', 'left', 'left', 'left']
    """
    inside = at <= middle < at + removed
    return "left" if middle < at or (inside and not minus) else "right"


def _check_place(chromosome: str, position: int) -> None:
    if not isinstance(chromosome, str) or not chromosome.strip():
        msg = f"chromosome={quoted(chromosome)}; give its name in the genome, such as 'chr1'"
        raise SequenceError(msg)
    if (type(position) is not int and not is_whole(position)) or position < 0:
        msg = f"position={quoted(position)} on {chromosome}; give a whole number, counted from 0 (POS - 1 of a VCF)"
        raise SequenceError(msg)


def _allele(letters: str, place: str) -> str:
    allele = letters.upper() if isinstance(letters, str) else ""
    if allele and set(allele) <= _BASES:
        return allele
    symbolic = "symbolic alleles, breakends, '*' and '.' have no letters of their own"
    ambiguous = isinstance(letters, str) and letters.isalpha()
    why = "alleles are words of A, C, G, T" if ambiguous else symbolic
    msg = f"{place} is {quoted(letters)}; {why}: drop the line, or write the allele out"
    raise SequenceError(msg)


def _variants(line: str, place: str) -> Iterator[Variant]:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 5:
        msg = f"{place}: {len(columns)} columns; a VCF line has CHROM, POS, ID, REF and ALT, separated by tabs"
        raise SequenceError(msg)
    chromosome, at, identifier, reference, alternates = (x.strip() for x in columns[:5])
    position = parse_int(at, SequenceError, source=f"{place}: POS")
    if position < 1:
        msg = (
            f"{place}: POS {quoted(at)} is not a whole number of at least 1 (a VCF counts from 1); correct or "
            "drop the line"
        )
        raise SequenceError(msg)
    name = "" if identifier in (".", "") else identifier
    for alternate in alternates.split(","):
        try:
            yield Variant(chromosome, position - 1, reference, alternate, name)
        except SequenceError as error:
            msg = f"{place}: {error}"
            raise SequenceError(msg) from error


def _ends_as_in_bed(variant: Variant) -> bool:
    """Return whether the name is the end of an interval whose start was read as a position counted from 1."""
    start = variant.position + 1
    return variant.name in (str(start + 1), str(start + len(variant.reference)))


def _allele_width(variant: Variant) -> int:
    return max(len(variant.reference), len(variant.alternate))


def as_variants(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return variants as a tuple: at least one, with different names."""
    chosen = tuple(variants) if isinstance(variants, Iterable) else (variants,)
    odd = [x for x in chosen if not isinstance(x, Variant)]
    if not chosen or odd:
        msg = (
            "variants= takes a VCF file, or Variant values as read_vcf() gives them, at least one, not "
            f"{quoted(odd[0] if odd else chosen)}"
        )
        raise SequenceError(msg)
    twice = [name for name, count in Counter(x.name for x in chosen).items() if count > 1]
    if twice:
        msg = f"more than one variant is called {quoted(twice[0])}; names tell variants apart: rename or drop one"
        raise SequenceError(msg)
    return chosen


def _check_windows_fit(chosen: tuple[Variant, ...], length: int) -> None:
    if not is_whole(length) or length < 1:
        msg = f"length={quoted(length)}: windows have a whole number of bases, at least 1"
        raise SequenceError(msg)
    long = next((x for x in chosen if _allele_width(x) > length), None)
    if long is not None:
        msg = (
            f"variant {quoted(long.name)} has an allele of {_allele_width(long)} bases; give length= of at least that, "
            "or drop it"
        )
        raise SequenceError(msg)


def _as_window_starts(chosen: tuple[Variant, ...], starts: Sequence[int], length: int) -> list[int]:
    at = [int(start) for start in starts]
    if len(at) != len(chosen):
        msg = f"{len(at)} starts for {len(chosen)} variants; give each variant the start of its allele"
        raise SequenceError(msg)
    for variant, start in zip(chosen, at, strict=True):
        if not 0 <= start <= length - _allele_width(variant):
            msg = (
                f"variant {quoted(variant.name)}: an allele of {_allele_width(variant)} bases that begins at {start} "
                f"leaves its window of {length}; the last start is {length - _allele_width(variant)}"
            )
            raise SequenceError(msg)
    return at


def _bases_before(variant: Variant, align: Align) -> int:
    """Return the bases before its window that an alternate takes: after a deletion that is aligned right."""
    return max(len(variant.reference) - len(variant.alternate), 0) if align == "right" else 0


def _span(variant: Variant, at: int, length: int, align: Align) -> tuple[int, int]:
    """Return the bases of the genome for both windows: a deletion needs more at the end that is filled."""
    more = max(len(variant.reference) - len(variant.alternate), 0)
    first = variant.position - at - _bases_before(variant, align)
    return first, first + length + more


def _check_inside(
    genome: Genome, variants: Sequence[Variant], at: Sequence[int], length: int, sides: Sequence[Align]
) -> None:
    """Raise SequenceError if windows of two variants or more leave their chromosomes; one is named by `Genome`."""
    outside, lengths = [], genome.lengths
    for variant, start, side in zip(variants, at, sides, strict=True):
        first, last = _span(variant, start, length, side)
        if variant.chromosome in lengths and (first < 0 or last > lengths[variant.chromosome]):
            outside.append(variant.name)
    if len(outside) > 1:
        shown = ", ".join(map(quoted, outside[:5])) + (", ..." if len(outside) > 5 else "")
        msg = (
            f"{len(outside):,} of {len(variants):,} variants lie so near an end of their chromosome that a window of "
            f"{length:,} bases leaves it: {shown}; drop them, or give a shorter length="
        )
        raise SequenceError(msg)


def _stretch(genome: Genome, variant: Variant, at: int, length: int, align: Align) -> str:
    """Return the letters for both windows."""
    span = _span(variant, at, length, align)
    return genome.letters(variant.chromosome, *span, place=f"variant {quoted(variant.name)}").decode("latin-1").upper()


def check_alleles(
    variants: Sequence[Variant], letters: Sequence[str], fasta: str | PathLike[str], *, before: Sequence[str] = ()
) -> None:
    """Raise SequenceError for variants whose reference allele differs from the genome.

    Parameters
    ----------
    variants
        The variants.
    letters
        Of the genome, from the position of each variant on.
    fasta
        Where these are from.
    before
        The letter before each, to tell whether positions are counted from another number.
    """
    pairs = zip(variants, letters, before or [""] * len(variants), strict=True)
    wrong = [(x, found, one) for x, found, one in pairs if not found.startswith(x.reference)]
    if not wrong:
        return
    variant, found, _ = wrong[0]
    swapped = found.startswith(variant.alternate)
    found = found[: len(variant.reference)]
    right = all(after[1:].startswith(x.reference) for x, after, _ in wrong)
    left = all((one + after).startswith(x.reference) for x, after, one in wrong)
    cure = "is the FASTA another assembly than the variants are of, or are positions not counted from 0 here?"
    cure += " The FASTA has the alternate there: are the alleles swapped?" if swapped else ""
    if len(wrong) > 2 and 2 * len(wrong) > len(variants) and (right or left):
        side, (counted, taken) = ("right", (0, 1)) if right else ("left", (1, 0))
        cure = (
            f"it has all alleles one base to the {side}, so that positions seem to be counted from {counted} and were "
            f"taken as counted from {taken}; schema='bed' counts from 0, the other schemas from 1"
        )
    place = f"{variant.chromosome}:{variant.position} (counted from 0)"
    msg = (
        f"variant {quoted(variant.name)}: its reference allele at {place} is {quoted(variant.reference)}, but {fasta} "
        f"has {quoted(found)} there ({len(wrong)} of {len(variants)} variants differ): {cure}"
    )
    raise SequenceError(msg)


def _check_letters(variant: Variant, letters: str, fasta: str | PathLike[str]) -> None:
    if not _BASES.issuperset(letters):
        odd = next(i for i, letter in enumerate(letters) if letter not in _BASES)
        msg = (
            f"variant {quoted(variant.name)}: {fasta} has {quoted(letters[odd])}, no base, {odd} bases after its "
            "window's start; ask for a shorter length or drop the variant"
        )
        raise SequenceError(msg)
