"""Checks of a library request before anything is drawn: lengths, numbers of oligos, limits."""

from __future__ import annotations

from dataclasses import dataclass

from causalgia.checks import as_int
from causalgia.design import Design, Genomic
from causalgia.design.intervention import Layout
from causalgia.errors import LibraryError, quoted
from causalgia.mpra.libraries.constructs import Construct, pool_size_for, vendor
from causalgia.mpra.libraries.oligos import Controls

_PROMOTER_TIMES = 6  # barcodes of the promoter alone per barcode of an oligo, as in the CRX library: 18 for 3

_PAIRS = 20  # A/A pairs of a library with synthesized barcodes, if the controls do not say


@dataclass(frozen=True)
class OrderNumbers:
    """Numbers of oligos to order, by kind.

    Attributes
    ----------
    test, scrambles, positives, negatives
        Number of inserts.
    pairs
        A/A pairs; 0 without synthesized barcodes.
    barcodes
        Synthesized barcodes of each insert; 0 with random barcodes.
    promoter
        Barcodes of the promoter alone.
    """

    test: int
    scrambles: int
    positives: int
    negatives: int
    pairs: int
    barcodes: int
    promoter: int

    @property
    def oligos(self) -> int:
        """Total number of oligos."""
        inserts = self.test + self.scrambles + self.positives + self.negatives + 2 * self.pairs
        return inserts * max(self.barcodes, 1) + self.promoter

    @property
    def by_arm(self) -> dict[str, int]:
        """Number of oligos in each arm that is not of the design."""
        own = {"scramble": self.scrambles, "positive": self.positives, "negative": self.negatives}
        return own | {"promoter": self.promoter, "duplicate 1": self.pairs, "duplicate 2": self.pairs}

    @property
    def words(self) -> str:
        """The sum in words, for messages."""
        kinds = {"test": self.test, "scrambles": self.scrambles, "positives": self.positives}
        kinds |= {"negatives": self.negatives, "in A/A pairs": 2 * self.pairs}
        inserts = " + ".join(f"{n:,} {kind}" for kind, n in kinds.items() if n)
        times = f"({inserts}) x {self.barcodes} barcodes" if self.barcodes else inserts
        return times + (f" + {self.promoter:,} promoter" if self.promoter else "")


def check_barcode_kind(of: Construct, *, synthesized: bool) -> None:
    """Raise LibraryError for synthesized barcodes with a construct of random ones, or the reverse.

    Raises
    ------
    LibraryError
        With the kind of barcodes of the construct.
    """
    if synthesized and of.barcodes == "random":
        raise LibraryError(
            f"barcodes_per_oligo= with adapters={quoted(of.name)}: its barcodes are random and added by PCR; a "
            "synthesized one would be next to the insert, with no site to put the reporter between them; leave "
            "barcodes_per_oligo= out, or choose a construct of synthesized barcodes, 'melnikov'"
            if of.name
            else "barcodes_per_oligo= with adapters=(left, right): the reporter is put between insert and barcode; "
            "give the letters between them, adapters=(left, junction, right) ('' where insert and barcode are "
            "transcribed together)"
        )
    if not synthesized and of.barcodes == "synthesized":
        named = f"adapters={quoted(of.name)}" if of.name else "adapters=(left, junction, right)"
        raise LibraryError(
            f"{named}: its barcodes are synthesized with the oligo; say how many of each insert, "
            "barcodes_per_oligo=10, or choose adapters=(left, right), whose barcodes are added later"
        )


def order_numbers(
    design: Design, controls: Controls, *, barcodes: int, given: tuple[int, int], fillable: bool
) -> OrderNumbers:
    """Return the numbers of oligos of a library, before any unit is dropped.

    Parameters
    ----------
    design, controls
        The units under their arms, and the controls.
    barcodes
        Synthesized barcodes of each insert; 0 with random ones.
    given
        Numbers of positive and of negative controls.
    fillable
        Whether the junction takes a filler, so the promoter alone can have the length of the pool.

    Raises
    ------
    LibraryError
        If the promoter alone would be a short oligo, or A/A pairs were asked for without synthesized barcodes.
    """
    if controls.n_duplicates and not barcodes:
        raise LibraryError(
            f"n_duplicates={controls.n_duplicates}: an oligo under two names needs synthesized barcodes to tell them "
            "apart; leave n_duplicates= out, and split the barcodes of the counts at random (cg.mpra.split_duplicates)"
        )
    most = _PROMOTER_TIMES * barcodes if fillable else 0
    promoter = most if controls.n_promoter_only is None else int(controls.n_promoter_only)
    if promoter and not fillable:
        cure = (
            "it is ordered where the junction carries two cloning sites, between which a filler is cut out: name them, "
            "rules=cg.mpra.OligoRules(avoid={'KpnI': 1, 'XbaI': 1})"
            if barcodes
            else "this construct adds barcodes by PCR, so no promoter-only oligo is ordered"
        )
        raise LibraryError(
            f"n_promoter_only={promoter}: an oligo without insert is so short that PCR prefers it. Clone the promoter "
            f"alone by itself, controls=cg.mpra.Controls(n_promoter_only=0); {cure}"
        )
    arms = len(design.named_arms) if design.assignment == "crossover" else 1
    return OrderNumbers(
        test=design.n_units * arms,
        scrambles=int(controls.n_scrambles),
        positives=given[0],
        negatives=given[1],
        pairs=(_PAIRS if controls.n_duplicates is None else int(controls.n_duplicates)) if barcodes else 0,
        barcodes=barcodes,
        promoter=promoter,
    )


def fit_insert_length(design: Design, of: Construct, *, oligo_length: int, barcode_length: int) -> int:
    """Return the insert length, which the oligo leaves and every arm must keep.

    Raises
    ------
    LibraryError
        If they differ; with the sum, and the arm.
    """
    left = of.insert_length(as_int(oligo_length, "oligo_length", error=LibraryError), barcode_length=barcode_length)
    taken = [f"{len(of.left)} left adapter", f"{len(of.right)} right adapter"]
    if barcode_length:
        taken[1:1] = [f"{len(of.junction)} junction", f"{barcode_length} barcode"]
    for arm in design.named_arms:
        length = arm.intervention.lay(Layout(design.null.length)).length
        if length != design.null.length:
            raise LibraryError(
                f"arm {quoted(arm.name)} makes inserts of {length} bp from backgrounds of {design.null.length}: oligos "
                "of one pool have one length, or PCR prefers the short ones; keep the length in the arm, as "
                "cg.Delete(...) + cg.Insert(filler, at=...) does, or use cg.Ablate or cg.Scramble"
            )
    if design.null.length != left:
        raise LibraryError(
            f"oligo_length={oligo_length} leaves {left} bp for the insert ({oligo_length} - {' - '.join(taken)}), and "
            f"the design's backgrounds have {design.null.length}; use length {left}, or "
            f"oligo_length={oligo_length - left + design.null.length}"
        )
    if isinstance(design.drawn, Genomic) and design.drawn.n_draws > 1:
        raise LibraryError(
            f"Genomic(n_draws={design.drawn.n_draws}): arms that draw nothing would be one oligo for all draws of a "
            "sequence; use n_draws=1"
        )
    return left


def check_order_limits(
    numbers: OrderNumbers, *, oligo_length: int, vendor_name: str | None, max_oligos: int | None
) -> int | None:
    """Check the limits of the order and of the vendor; return the pool size of the vendor, if known.

    Raises
    ------
    LibraryError
        If the oligos are too long or too many for the vendor, or more than `max_oligos`; with what would fit.
    """
    most = None if max_oligos is None else as_int(max_oligos, "max_oligos", error=LibraryError)
    if most is not None and numbers.oligos > most:
        raise LibraryError(
            f"{numbers.oligos:,} oligos ({numbers.words}) are more than max_oligos={most:,}: "
            f"{_what_fits(numbers, most)}"
        )
    return None if vendor_name is None else pool_size_for(numbers.oligos, oligo_length, of=vendor(vendor_name))


def _what_fits(numbers: OrderNumbers, most: int) -> str:
    rest = numbers.oligos - numbers.test * max(numbers.barcodes, 1)
    tests = (most - rest) // max(numbers.barcodes, 1)
    if tests < 1:
        return f"the controls alone are {rest:,}; order fewer of them, or fewer barcodes for each"
    return f"{tests:,} test oligos fit instead of {numbers.test:,} (smaller n_units), or fewer barcodes or controls"
