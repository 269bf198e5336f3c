"""Why the reference alleles of variants are not in a genome: the other strand, the two
alleles in each other's place, positions counted from another number, another assembly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from causalgia.choices import COMPLEMENT

_LEAST_MISMATCHES = 3
_EXPLAINED_SHARE = 0.9
_LEAST_OF_TWO_KINDS = 30
_EXPLAINED_BY_TWO = 0.98
"""Of single bases of another assembly, two in three are either by chance."""


class Alleles(Protocol):
    """A variant, of which the alleles are asked."""

    @property
    def reference(self) -> str:
        """Reference allele."""

    @property
    def alternate(self) -> str:
        """Alternate allele."""


def mismatch_in_words(wrong: Sequence[tuple[Alleles, str]], n_variants: int) -> str:
    """Return what variants whose reference allele is not in the genome have instead, and
    the cure, from the letters of the genome from the position of each on; "" if they
    have nothing in common.

    A reference allele that is the complement of the genome's is of the other strand;
    where the genome has the alternate one, the two are swapped. Most single-base changes
    tell one from the other (A>G, of which the genome has T or G).

    Examples
    --------
    >>> from causalgia.sequences import Variant
    >>> flipped = [(Variant("chr1", k, "A", "G", f"v{k}"), "T") for k in range(80)]
    >>> mismatch_in_words(flipped, 80).partition(":")[0]
    'all 80 are on the other strand'
    >>> swapped = [(Variant("chr1", k, "A", "G", f"v{k}"), "G") for k in range(80)]
    >>> mismatch_in_words(swapped, 80).partition(":")[0]
    'all 80 have REF and ALT swapped'
    """
    counts = {"strand": 0, "swap": 0, "both": 0}
    either = 0
    for variant, found in wrong:
        ref, alt = variant.reference.upper(), variant.alternate.upper()
        counts["strand"] += bool(ref) and found.startswith(_other_strand(ref))
        counts["swap"] += bool(alt) and found.startswith(alt)
        counts["both"] += bool(alt) and found.startswith(_other_strand(alt))
        either += found.startswith(_other_strand(ref)) or found.startswith(alt)
    kind = max(counts, key=lambda name: counts[name])
    n = counts[kind]
    if (
        n < _EXPLAINED_SHARE * len(wrong)
        and len(wrong) >= _LEAST_OF_TWO_KINDS
        and either >= _EXPLAINED_BY_TWO * len(wrong)
    ):
        n_swapped = counts["swap"]  # of A>T both cures are one
        return (
            f"of these {len(wrong):,}, {n_swapped:,} have REF and ALT swapped, and "
            f"{either - n_swapped:,} are on the other strand (the genome has the alternate "
            "allele, or the complement of the reference allele); exchange the two columns "
            "of the former and complement both alleles of the latter, or bcftools +fixref "
            "-- -f genome.fa -m flip-all"
        )
    if not n or n < _EXPLAINED_SHARE * len(wrong):
        return ""
    few = len(wrong) < _LEAST_MISMATCHES or list(counts.values()).count(n) > 1
    of, lines = f"all {n:,}", ""
    if n < n_variants:
        of = f"{of} of these" if n == len(wrong) else f"{n:,} of these {len(wrong):,}"
        lines = " of these lines"
    what, cure = {
        "strand": (
            "are on the other strand: the genome has the complement of each reference "
            "allele",
            f"complement both alleles{lines}, or bcftools +fixref -- -f genome.fa -m "
            "flip-all",
        ),
        "swap": (
            "have REF and ALT swapped: the genome has the alternate allele of each",
            f"exchange the two columns{lines}, or bcftools norm --check-ref s -f "
            "genome.fa",
        ),
        "both": (
            "have REF and ALT swapped, on the other strand: the genome has the "
            "complement of each alternate allele",
            f"complement both alleles{lines} and exchange them",
        ),
    }[kind]
    if few:
        return _of_few(counts, len(wrong))
    return f"{of} {what}; {cure}"


def _of_few(counts: dict[str, int], n_wrong: int) -> str:
    """Return the question for so few variants that chance explains what they have."""
    asks = {
        "strand": "its complement there: is it on the other strand?",
        "swap": "the alternate there: are the alleles swapped?",
        "both": "the complement of the alternate there: swapped, on the other strand?",
    }
    fit = [asks[kind] for kind, n in counts.items() if n >= _EXPLAINED_SHARE * n_wrong]
    return "the FASTA has " + " Or ".join(fit)


def _other_strand(allele: str) -> str:
    """Return an allele as a list written for the other strand has it at this place."""
    return allele.translate(COMPLEMENT)[::-1]
