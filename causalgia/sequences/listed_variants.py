"""Variants of a list as a genome has them: left-normalized, each haplotype once, and
those that cannot be used left out with their reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import Protocol

from causalgia.choices import BASES
from causalgia.errors import NAMES_SHOWN, SequenceError, quoted
from causalgia.inputs import cut_middle
from causalgia.sequences.genome import Genome
from causalgia.sequences.skipped_inputs import Skipped, check_any_left
from causalgia.sequences.variant_files import (
    Variant,
    VariantList,
    as_variants,
    skipped_variant,
)

_BASES_BEFORE = 64


class Span(Protocol):
    """The stretch of the genome that a variant needs."""

    def __call__(self, variant: Variant, i: int) -> tuple[int, int] | None:
        """Return ``[start, stop)`` for the i-th variant, None without a place."""


@dataclass(frozen=True)
class ListedVariants:
    """The variants of a list, and the different haplotypes among them.

    Attributes
    ----------
    listed
        The V variants that can be used, as they were written.
    haplotypes
        The H different variants among them, left-normalized, each under the name of the
        first that was listed.
    of
        (V,) index of each variant's haplotype.
    skipped
        The others, with their reasons.
    lines
        (V,) line of each in its file, 0 where it is unknown.
    """

    listed: tuple[Variant, ...]
    haplotypes: tuple[Variant, ...]
    of: tuple[int, ...]
    skipped: tuple[Skipped, ...] = ()
    lines: tuple[int, ...] = ()

    @property
    def first_listed(self) -> tuple[Variant, ...]:
        """The first listed variant of each haplotype, as it was written."""
        first = {h: i for i, h in reversed(list(enumerate(self.of)))}
        return tuple(self.listed[first[h]] for h in range(len(self.haplotypes)))

    def changed(self, windows: Mapping[int, str]) -> ListedVariants:
        """Return the list without the haplotypes of which both alleles give one window,
        index -> that window in words; they are ``"unchanged"``.

        Raises
        ------
        SequenceError
            If nothing is left.
        """
        if not windows:
            return self
        left = [h for h in range(len(self.haplotypes)) if h not in windows]
        place = {h: i for i, h in enumerate(left)}
        lines = self.lines or (0,) * len(self.listed)
        rows = [i for i, h in enumerate(self.of) if h in place]
        skipped = [
            *self.skipped,
            *(
                skipped_variant(x, "unchanged", windows[h], line=line)
                for x, h, line in zip(self.listed, self.of, lines, strict=True)
                if h in windows
            ),
        ]
        check_any_left(len(rows), skipped, "variants")
        return ListedVariants(
            tuple(self.listed[i] for i in rows),
            tuple(self.haplotypes[h] for h in left),
            tuple(place[self.of[i]] for i in rows),
            tuple(sorted(skipped, key=lambda x: x.line)),
            tuple(lines[i] for i in rows),
        )

    @property
    def same_sentence(self) -> str:
        """How many listed variants are one variant under two writings; empty if
        none.
        """
        names = [x.name for x in self.haplotypes]
        same = [
            f"{cut_middle(x.name)} is {cut_middle(names[h])}"
            for x, h in zip(self.listed, self.of, strict=True)
            if x.name != names[h]
        ]
        if not same:
            return ""
        shown = ", ".join(same[:NAMES_SHOWN]) + (
            ", ..." if len(same) > NAMES_SHOWN else ""
        )
        return (
            f"{len(same):,} of {len(self.listed):,} listed variants repeat another "
            f"one under another name or in another notation ({shown}); each is tested once"
        )


def left_normalized(variant: Variant, genome: Genome) -> Variant:
    r"""Return a variant as its shortest alleles at the leftmost place (Tan, Abecasis &
    Kang 2015).

    Bases that both alleles end with are dropped, and an empty allele is extended by the
    base of the genome before it, until the last bases differ; then bases that both begin
    with are dropped, all but one. Two variants that make the same sequence of the genome
    are equal then. The reference allele must be in the genome.

    References
    ----------
    Tan, Abecasis & Kang (2015), doi:10.1093/bioinformatics/btv112.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
    >>> _ = path.write_text(">chr1\nGGGCACACACAGGG\n")
    >>> with Genome(path) as genome:
    ...     found = [
    ...         left_normalized(Variant("chr1", at, "A", "ACA"), genome)
    ...         for at in (4, 10)
    ...     ]
    >>> [(x.position, x.reference, x.alternate) for x in found]
    [(2, 'G', 'GCA'), (2, 'G', 'GCA')]
    """
    reference, alternate, start = (
        variant.reference,
        variant.alternate,
        variant.position,
    )
    before = ""
    while reference[-1] == alternate[-1]:
        reference, alternate = reference[:-1], alternate[:-1]
        if not reference or not alternate:
            if not start:
                break
            if not before:
                first = max(start - _BASES_BEFORE, 0)
                before = _letters(genome, variant, first, start)
            base, before = before[-1], before[:-1]
            if base not in BASES:
                return variant
            reference, alternate, start = base + reference, base + alternate, start - 1
    if not reference or not alternate:  # at the first base of the chromosome
        width = len(reference)
        base = _letters(genome, variant, start + width, start + width + 1)
        reference, alternate = reference + base, alternate + base
    shared = 0
    most = min(len(reference), len(alternate)) - 1
    while shared < most and reference[shared] == alternate[shared]:
        shared += 1
    reference, alternate = reference[shared:], alternate[shared:]
    if (reference, alternate) == (variant.reference, variant.alternate):
        return variant
    return replace(
        variant, position=start + shared, reference=reference, alternate=alternate
    )


def _letters(genome: Genome, variant: Variant, start: int, stop: int) -> str:
    place = f"variant {quoted(variant.name)}"
    found = genome.letters(variant.chromosome, start, stop, place=place)
    return found.decode("latin-1").upper()


def listed_variants(
    variants: Sequence[Variant],
    fasta: str | PathLike[str],
    *,
    skip: frozenset[str] = frozenset(),
    span: Span,
    widest: int,
) -> ListedVariants:
    """Return the variants of a list that a genome has, each haplotype once.

    Parameters
    ----------
    variants
        The variants.
    fasta
        The genome.
    skip
        Reasons for which variants are left out: ``"chromosome"``, ``"mismatch"``,
        ``"long"``, ``"edge"``, ``"N"``, ``"read_out"``. Variants with another flaw stay,
        and are refused where windows are cut.
    span
        The stretch of the genome that a variant needs, ``[start, stop)``, of the
        left-normalized variant and its index in the list; None: it has no read-out in
        its window.
    widest
        Most bases of an allele.

    Raises
    ------
    SequenceError
        If more than half of the reference alleles are not in the genome although
        mismatches are left out, or nothing is left.
    """
    chosen = as_variants(variants)
    lines = variants.lines if isinstance(variants, VariantList) else ()
    at = lines or (0,) * len(chosen)
    skipped = list(variants.skipped if isinstance(variants, VariantList) else ())
    usable, n_wrong = list[tuple[Variant, Variant]](), 0
    places_in_file = list[int]()
    once = len({x.written for x in chosen}) == len(chosen)
    if not skip and once and all(_is_single(x) for x in chosen):
        return ListedVariants(
            chosen, chosen, tuple(range(len(chosen))), tuple(skipped), at
        )
    with Genome(fasta) as genome:
        lengths = genome.lengths
        for i, (variant, line) in enumerate(zip(chosen, at, strict=True)):
            flaw, detail, normal = _flaw(
                variant, genome, lengths, skip, span=partial(span, i=i), widest=widest
            )
            n_wrong += flaw == "mismatch"
            if flaw in skip:
                skipped.append(skipped_variant(variant, flaw, detail, line=line))
            else:
                usable.append((variant, normal))
                places_in_file.append(line)
    if "mismatch" in skip and 2 * n_wrong > len(chosen):
        first = next(x for x in skipped if x.reason == "mismatch")
        raise SequenceError(
            f"{n_wrong:,} of {len(chosen):,} variants have another reference allele than "
            f"{fasta} ({quoted(first.name)}: {first.detail}), too many to leave out: is "
            "it another assembly than the variants are of, or are positions counted "
            "from another base (BED from 0, VCF from 1)?"
        )
    check_any_left(len(usable), skipped, str(fasta))
    haplotypes, of = dict[tuple[str, int, str, str], Variant](), list[int]()
    places = dict[tuple[str, int, str, str], int]()
    for variant, normal in usable:
        key = (
            normal.chromosome,
            normal.position,
            normal.reference,
            normal.alternate,
        )
        haplotypes.setdefault(key, replace(normal, name=variant.name))
        of.append(places.setdefault(key, len(places)))
    return ListedVariants(
        tuple(x for x, _ in usable),
        tuple(haplotypes.values()),
        tuple(of),
        tuple(sorted(skipped, key=lambda x: x.line)),
        tuple(places_in_file),
    )


def _is_single(variant: Variant) -> bool:
    """Say whether one base is replaced by another: such a variant has one writing."""
    return len(variant.reference) == len(variant.alternate) == 1


def _flaw(
    variant: Variant,
    genome: Genome,
    lengths: dict[str, int],
    skip: frozenset[str],
    *,
    span: Callable[[Variant], tuple[int, int] | None],
    widest: int,
) -> tuple[str, str, Variant]:
    """Return the first flaw of a variant, what was met, and the variant normalized.

    What costs a look at the genome is looked at only where it may be left out.
    """
    stop = variant.position + len(variant.reference)
    if variant.chromosome not in lengths:
        return "chromosome", f"no chromosome {quoted(variant.chromosome)}", variant
    size = lengths[variant.chromosome]
    if stop > size:
        return "edge", f"ends at {stop:,}, the chromosome at {size:,}", variant
    single = _is_single(variant)
    if not single or "mismatch" in skip:
        letters = _letters(genome, variant, variant.position, stop)
        if letters != variant.reference:
            return "mismatch", f"the genome has {quoted(letters)}", variant
    normal = variant if single else left_normalized(variant, genome)
    width = max(len(normal.reference), len(normal.alternate))
    if width > widest:
        return "long", f"an allele of {width:,} bases", normal
    if not skip & {"edge", "N", "read_out"}:
        return "", "", normal
    needed = span(normal)
    if needed is None:
        return "read_out", "no read-out in its window", normal
    first, last = needed
    if first < 0 or last > size:
        return "edge", f"window {first:,}-{last:,} of {size:,} bases", normal
    if "N" in skip:
        window = _letters(genome, variant, first, last)
        odd = next((x for x in window if x not in BASES), "")
        if odd:
            where = first + window.index(odd) + 1
            return "N", f"the genome has {quoted(odd)} at {where:,}", normal
    return "", "", normal
