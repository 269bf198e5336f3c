"""Oligo library of a design: units under their arms with controls and barcodes, ready to order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from causalgia.checks import as_int, as_texts
from causalgia.design import Design
from causalgia.errors import LibraryError
from causalgia.mpra.libraries.backgrounds import Blocks, draw_units
from causalgia.mpra.libraries.barcode_sets import (
    PRIMER_END,
    BarcodeRules,
    Tags,
    draw_barcodes,
    n_with_spares,
    tag_oligos,
)
from causalgia.mpra.libraries.constructs import Adapters, construct
from causalgia.mpra.libraries.dataset import DrawnLibrary, library_attributes, library_dataset
from causalgia.mpra.libraries.oligos import (
    Controls,
    InsertList,
    check_distinct_controls,
    check_own_names,
    control_oligos,
    draw_scrambles,
    pair_oligos,
    read_controls,
    sample_pairs,
    unit_oligos,
)
from causalgia.mpra.libraries.order_plan import (
    OrderNumbers,
    check_barcode_kind,
    check_order_limits,
    fit_insert_length,
    order_numbers,
)
from causalgia.mpra.libraries.rules import RuleChecker, SiteCount, check_construct, default_rules
from causalgia.sequences.alphabet import reverse_complement_word
from causalgia.sequences.fasta import Source
from causalgia.sequences.motifs import Motif
from causalgia.streams import RNG, derive, root_key

_BARCODE_LENGTH = 15


def library(
    design: Design,
    *,
    oligo_length: int,
    adapters: Adapters,
    rng: RNG,
    avoid: str | Iterable[str] | Mapping[str, int] | None = None,
    barcodes_per_oligo: int | None = None,
    replicates: int | None = None,
    budget: int | None = None,
    vendor: str | None = None,
    scrambles: int = 100,
    positives: Source = (),
    negatives: Source = (),
    duplicates: int = 20,
    promoter_only: int | None = None,
    gc: tuple[float, float] = (0.25, 0.65),
    homopolymer: int = 10,
    repeats: float = 0.25,
    motifs: str | Motif | Sequence[str | Motif] = (),
    barcode_length: int | None = None,
    min_distance: int = 3,
    seeds: str | Iterable[str] = (),
    redraws: int = 100,
) -> xr.Dataset:
    """Make the oligo library of a design.

    Each background is a block: it is ordered under every arm, in random order (crossover), or under its assigned arm
    (parallel), as in `causalgia.run` with the same `rng`. Where an oligo breaks a rule, or is in the library already in
    either orientation (in a crossover: arms that are equal for some unit), the unit is redrawn under *all* arms: arms
    keep the same backgrounds, and other units do not change. Effects are then averages over the null model *given that
    every arm can be ordered*; the library reports the distance from the null model. A unit with a parent (a shuffle of
    it, or the given sequence itself) that never meets the rules is left out of every arm, with the reason in ``why
    (dropped)``.

    Synthesized barcodes are assigned at random, blocked by unit: the k-th barcodes of its arms are a set of similar GC
    content, randomly permuted, so that effects of barcodes are noise, not bias. A barcode that makes a site or breaks
    another rule in its oligo is replaced. None contains the last 8 letters of a primer that reads the adapters.

    Parameters
    ----------
    design
        Null model, arms, number of units and assignment. Every arm must keep the length of a background.
    oligo_length
        Length of the *whole* oligo: left adapter + insert [+ junction + barcode] + right adapter.
    adapters
        A construct (``"lentimpra"``, ``"tewhey"``, ``"melnikov"``), ``(left, right)``, or, with synthesized barcodes,
        ``(left, junction, right)`` with the letters between insert and barcode.
    rng
        Seed, Generator or SeedSequence.
    avoid
        Enzymes (``"EcoRI"``) or sites, as letters, that no oligo may contain on either strand, junctions and barcodes
        included, besides those of the construct's cloning steps. A mapping gives how often adapters and junction
        contain a site on purpose: ``{"KpnI": 1, "XbaI": 1, "EcoRI": 0}``. Such a site is kept free of dam methylation,
        which blocks it in common E. coli strains.
    barcodes_per_oligo
        Synthesized barcodes of each insert. None: none (random barcodes, as in lentiMPRA).
    replicates
        Planned replicates, recorded for the report and for `causalgia.mpra.power`.
    budget
        Largest number of oligos. A larger library is refused, with what would fit; how to shrink it is your choice,
        since it changes the question.
    vendor
        ``"agilent"``, ``"twist"``, ``"idt"`` or ``"genscript"``: limits of length and pool size are checked.
    scrambles
        Negative controls: dinucleotide shuffles of the units' backgrounds.
    positives, negatives
        Your own controls, of the length of an insert: strings, names -> strings, or a FASTA path. They are ordered
        unchanged.
    duplicates
        A/A pairs: a random sample of the test oligos, each ordered under two more names (elements ``aa0``, ``aa1``,
        ...; arms ``duplicate 1`` and ``duplicate 2``) with other barcodes. None without synthesized barcodes: there
        `causalgia.mpra.split_duplicates` splits the barcodes of an oligo at random.
    promoter_only
        Barcodes of the promoter alone. Its oligo has a filler of the length of an insert between the two cloning sites
        of the junction, so that all oligos have one length; the filler is cut out with the insertion of the reporter.
        None: six times `barcodes_per_oligo`, or 0 where barcodes are random or the junction lacks two intended sites
        (`avoid`).
    gc, homopolymer, repeats
        Lowest and highest share of G and C in an insert; longest run of one base in the oligo, junctions included;
        largest share of an insert in simple repeats.
    motifs
        Words or motifs that must not arise across a junction.
    barcode_length, min_distance
        Length of the synthesized barcodes and their Levenshtein distance; length None: that of the construct, else 15.
    seeds
        miRNAs, or their seeds, that no barcode may pair with.
    redraws
        Draws of a unit or scramble after the first, before giving up.

    Returns
    -------
    Dataset
        Of kind ``library``, a row an oligo: ``unit, element, arm, group, name, oligo_name, insert, oligo`` and, where
        synthesized, ``barcode``, all ``(row)``; ``draw (row)``: 0 where the background is that of `causalgia.run`;
        ``parent, gc (row)`` of the background, and ``source_name`` of a given sequence (`Genomic`). Units are elements
        ``u0.3fa2c1``, ``u1.90bd77``, ... (or ``chr1:100-300.3fa2c1``, by the name of the sequence); after the point
        comes a fingerprint of the unit's inserts, so that units of two libraries cannot be confused in an order,
        counts, a fit or a comparison. For `causalgia.mpra.report`: ``broken (rule, judged_arm)``, the draws that
        broke a rule in an arm; ``share_redrawn``; ``gc_proposed, gc_ordered``; ``shift (k)``, the
        Jensen-Shannon divergence in bits of the k-mers of ordered backgrounds from those drawn first, and
        ``shift_by_chance (k)`` of two independent samples.

    Raises
    ------
    LibraryError
        If lengths do not add up, an adapter contains a site, no background meets the rules (with the rule, the arm and
        how often), a control breaks a rule or has a reserved name, the order exceeds `budget` or the vendor's limits,
        or an option has the wrong type.
    RandomnessError
        If `rng` is not a source of randomness.

    Warns
    -----
    CausalgiaWarning
        If units are left out.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=200),
    ...     arms={"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=96)},
    ...     n_units=50,
    ... )
    >>> ordered = cg.mpra.library(design, oligo_length=230, adapters="lentimpra", rng=7)
    >>> ordered.sizes["row"], sorted(ordered["oligo_name"].values[:2]), len(ordered["oligo"].values[1])
    (200, ['u0.488e39_GATA1', 'u0.488e39_untreated'], 230)
    """
    if not isinstance(design, Design):
        raise LibraryError(f"a library is made from a cg.Design, not from a {type(design).__name__}")
    key, of = root_key(rng), construct(adapters)
    synthesised = (
        barcodes_per_oligo is not None and as_int(barcodes_per_oligo, "barcodes_per_oligo", error=LibraryError) > 0
    )
    check_barcode_kind(of, synthesised=synthesised)
    letters = barcode_length if barcode_length is not None else of.barcode_length or _BARCODE_LENGTH
    letters = as_int(letters, "barcode_length", error=LibraryError) if synthesised else 0
    length = fit_insert_length(design, of, oligo_length=oligo_length, barcode_length=letters)
    plus, minus = (read_controls(x, w, length=length) for x, w in ((positives, "positive"), (negatives, "negative")))
    rules = default_rules(of, avoid=avoid, gc=gc, homopolymer=homopolymer, repeats=repeats, motifs=motifs)
    halves = of.between_sites([rule.word for rule in rules if isinstance(rule, SiteCount) and rule.intended])
    numbers = order_numbers(
        design,
        fillable=synthesised and halves is not None,
        barcodes_per_oligo=barcodes_per_oligo,
        scrambles=scrambles,
        duplicates=duplicates,
        promoter_only=promoter_only,
        positives=len(plus),
        negatives=len(minus),
    )
    check_own_names([*plus.names, *minus.names], design.arm_names, numbers.by_arm)
    pool_size = check_order_limits(numbers, oligo_length=int(oligo_length), vendor_name=vendor, budget=budget)
    check_construct(of, rules, barcoded=synthesised)
    checker = RuleChecker(of, rules)
    tag_rules = (
        None
        if not synthesised
        else BarcodeRules(
            length=letters,
            min_distance=min_distance,
            avoid=tuple(rule.enzyme for rule in rules if isinstance(rule, SiteCount)),
            flanks=(of.junction, of.right),
            seeds=as_texts(seeds, "seeds", "miRNAs or their seeds", error=LibraryError),
            primers=tuple(end for end in (of.left, reverse_complement_word(of.right)) if len(end) >= PRIMER_END),
        )
    )
    request = _LibraryRequest(design, checker, numbers, key, as_int(redraws, "redraws", least=0, error=LibraryError))
    blocks, listed, broken = request.draw_inserts(plus, minus)
    alone = checker.for_promoter(halves, length, key=key) if halves is not None and numbers.promoter else None
    tags = None if tag_rules is None else request.assign_barcodes(listed, tag_rules, alone)
    attrs = library_attributes(design, of, rng) | {
        "oligo_length": int(oligo_length),
        "rules": json.dumps(checker.names),
    }
    attrs |= _order_attrs(replicates=replicates, budget=budget, vendor=vendor, pool_size=pool_size)
    if synthesised:
        attrs |= {"barcodes_per_oligo": numbers.barcodes, "barcode_length": letters, "min_distance": int(min_distance)}
    promoter = None if alone is None else alone.construct
    if promoter is not None:
        attrs |= {"promoter_junction": promoter.junction}
    return library_dataset(
        DrawnLibrary(design, of, promoter, numbers, blocks, listed, tags, broken, checker.names), attrs
    )


def _order_attrs(*, replicates: int | None, **others: int | str | None) -> dict[str, Any]:
    """Return the given options of the order as attributes."""
    if replicates is not None:
        others["replicates"] = as_int(replicates, "replicates", error=LibraryError)
    return {name: value for name, value in others.items() if value is not None}


@dataclass(frozen=True)
class _LibraryRequest:
    """A library request, checked as far as possible before anything is drawn."""

    design: Design
    checker: RuleChecker
    numbers: OrderNumbers
    key: int
    redraws: int

    def draw_inserts(self, plus: Controls, minus: Controls) -> tuple[Blocks, InsertList, dict[str, int]]:
        """Return the units, all inserts in library order, and the rules that scrambles broke, with counts."""
        before = self.checker.without_barcodes() if self.numbers.barcodes else self.checker
        for controls, what in ((plus, "positive control"), (minus, "negative control")):
            before.check_given(controls.tokens, controls.names, what)
        given = np.concatenate([plus.tokens, minus.tokens])
        check_distinct_controls(given, [*plus.names, *minus.names])
        blocks = draw_units(self.design, before, key=self.key, redraws=self.redraws, controls=given)
        taken = np.concatenate([given, blocks.inserts.reshape(-1, blocks.inserts.shape[2])])
        made, broken = draw_scrambles(
            self.numbers.scrambles, blocks.backgrounds, before, key=self.key, redraws=self.redraws, taken=taken
        )
        names = tuple(f"scramble{i}" for i in range(len(made)))
        tests = unit_oligos(self.design, blocks, key=self.key)
        pairs = pair_oligos(tests, sample_pairs(self.numbers.pairs, len(tests), key=self.key))
        listed = (
            tests.and_then(control_oligos(Controls(names, made), arm="scramble", group="negative"))
            .and_then(control_oligos(minus, arm="negative", group="negative"))
            .and_then(control_oligos(plus, arm="positive", group="positive"))
            .and_then(pairs)
        )
        return blocks, listed, broken

    def assign_barcodes(self, listed: InsertList, rules: BarcodeRules, alone: RuleChecker | None) -> Tags:
        """Return the oligos with their barcodes."""
        per_oligo, promoter = self.numbers.barcodes, self.numbers.promoter
        n = n_with_spares(len(listed) * per_oligo + promoter)
        pool, _ = draw_barcodes(n, rules, rng=derive(self.key, "barcode list"))
        return tag_oligos(listed, pool, self.checker, alone, per_oligo=per_oligo, promoter=promoter, key=self.key)
