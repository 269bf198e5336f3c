"""Plan of an order: controls, numbers of oligos and limits, and units that meet the
rules under every arm.

Draw j of unit u has its own random streams, keyed by (root key, j, u): redrawing one
unit changes no other, and draw 0 is the unit of `causalgia.run` with the same `rng`. A
unit is checked under *all* arms, also in a parallel trial, where it receives one of
them; checked under its own arm alone, arms would have different populations of
backgrounds. Arms that are equal for a unit are allowed in a parallel trial, where it is
ordered once: an A/A trial is valid.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_int
from causalgia.design import Design, Genomic
from causalgia.design.intervention import Layout
from causalgia.design.null_model import FromParents
from causalgia.errors import (
    CausalgiaWarning,
    DesignError,
    caller_stacklevel,
    comma_list,
    first_of,
    quoted,
)
from causalgia.mpra.libraries.constructs import Construct
from causalgia.mpra.libraries.rules import RuleChecker, first_duplicates
from causalgia.sequences.fasta import Source
from causalgia.streams import derive
from causalgia.trial.attributes import apply_arm
from causalgia.types import Ints, Mask, Tokens

# barcodes of the promoter alone per barcode of an oligo, as in the CRX library: 18 for
# 3
_PROMOTER_TIMES = 6

# A/A pairs of a library with synthesized barcodes, if the controls do not say
_USUAL_AA_PAIRS = 20


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Controls of a library: oligos that are ordered in addition to the units under
    their arms.

    Attributes
    ----------
    n_scrambles
        Negative controls: dinucleotide shuffles of the units' backgrounds.
    positives, negatives
        Your own controls, of the length of an insert: strings, names -> strings, or a
        FASTA path. They are ordered unchanged.
    n_duplicates
        A/A pairs: a random sample of the test oligos, each ordered under two more names
        (elements ``aa0.6380f7``, ...; arms ``duplicate 1`` and ``duplicate 2``) with
        other barcodes. None: 20 with synthesized barcodes (of a small design, every
        oligo), else 0.
    n_promoter_only
        Barcodes of the promoter alone. Its oligo has a filler of the length of an
        insert between the two cloning sites of the junction, so that all oligos have
        one length; the filler is cut out with the insertion of the reporter. None: six
        for each barcode of an oligo, or 0 where barcodes are random or the junction
        lacks two intended sites (`causalgia.mpra.OligoRules`, ``avoid``).

    Raises
    ------
    DesignError
        If a number is not a whole number of at least 0, or controls of your own are
        neither strings nor a path.

    Examples
    --------
    >>> Controls(n_scrambles=50, positives={"CMV": "ACGT" * 50}).n_scrambles
    50
    """

    n_scrambles: int = 100
    positives: Source = ()
    negatives: Source = ()
    n_duplicates: int | None = None
    n_promoter_only: int | None = None

    def __post_init__(self) -> None:
        for name in ("n_scrambles", "n_duplicates", "n_promoter_only"):
            if (value := getattr(self, name)) is not None or name == "n_scrambles":
                as_int(value, name, least=0, error=DesignError)
        for name in ("positives", "negatives"):
            value = getattr(self, name)
            if not isinstance(value, str | PathLike | Iterable) or isinstance(
                value, bytes
            ):
                raise DesignError(
                    f"{name}={quoted(value)} are not sequences; give strings, "
                    "names -> strings, or the path of a FASTA file; () for none"
                )


@dataclass(frozen=True)
class OrderNumbers:
    """Numbers of oligos to order, by kind.

    Attributes
    ----------
    scrambles, positives, negatives
        Number of inserts.
    pairs
        A/A pairs; 0 without synthesized barcodes.
    barcodes
        Synthesized barcodes of each insert; 0 with random barcodes.
    promoter
        Barcodes of the promoter alone.
    """

    scrambles: int
    positives: int
    negatives: int
    pairs: int
    barcodes: int
    promoter: int

    @property
    def by_arm(self) -> dict[str, int]:
        """Number of oligos in each arm that is not of the design."""
        own = {
            "scramble": self.scrambles,
            "positive": self.positives,
            "negative": self.negatives,
        }
        return own | {
            "promoter": self.promoter,
            "duplicate 1": self.pairs,
            "duplicate 2": self.pairs,
        }


_LEAST_BRIDGE = 20  # elements; twice what a comparison of two pools asks for


def check_pools(n_elements: int, pools: int, bridge: int | None) -> int:
    """Return the number of elements that every pool has.

    Raises
    ------
    DesignError
        If those are too many, or a pool has no other element.

    Examples
    --------
    >>> check_pools(60, 2, None), check_pools(1_000, 2, None), check_pools(60, 1, None)
    (20, 100, 0)
    """
    as_int(pools, "pools", error=DesignError)
    if pools == 1:
        if bridge is not None:
            raise DesignError(f"bridge={quoted(bridge)} is of several pools=")
        return 0
    usual = min(max(n_elements // 10, _LEAST_BRIDGE), n_elements // 2)
    shared = (
        usual
        if bridge is None
        else as_int(bridge, "bridge", least=0, error=DesignError)
    )
    if (left := n_elements - shared) < pools:
        raise DesignError(
            f"pools={pools}, bridge={shared}: of {n_elements:,} elements "
            f"{max(left, 0):,} are left to deal over {pools} pools"
        )
    return shared


def check_barcode_kind(of: Construct, *, synthesized: bool) -> None:
    """Raise DesignError for synthesized barcodes with a construct of random ones, or
    the reverse.

    Raises
    ------
    DesignError
        With the kind of barcodes of the construct.
    """
    if synthesized and of.barcodes == "random":
        raise DesignError(
            f"barcodes_per_oligo= with adapters={quoted(of.name)}: its "
            "barcodes are random and added by PCR; a synthesized one would be next to "
            "the insert, with no site to put the reporter between them; leave "
            "barcodes_per_oligo= out, or choose a construct of synthesized "
            "barcodes, 'melnikov'"
            if of.name
            else (
                "barcodes_per_oligo= with adapters=(left, right): the reporter "
                "is put between insert and barcode; give the letters between them, "
                "adapters=(left, junction, right) ('' where insert and barcode are "
                "transcribed together)"
            )
        )
    if not synthesized and of.barcodes == "synthesized":
        named = (
            f"adapters={quoted(of.name)}"
            if of.name
            else "adapters=(left, junction, right)"
        )
        raise DesignError(
            f"{named}: its barcodes are synthesized with the oligo; say how many of "
            "each insert, barcodes_per_oligo=10, or choose adapters=(left, "
            "right), whose barcodes are added later"
        )


def order_numbers(
    design: Design,
    controls: Controls,
    *,
    barcodes: int,
    given: tuple[int, int],
    fillable: bool,
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
        Whether the junction takes a filler, so the promoter alone can have the length
        of the pool.

    Raises
    ------
    DesignError
        If the promoter alone would be a short oligo, or A/A pairs were asked for
        without synthesized barcodes.
    """
    if controls.n_duplicates and not barcodes:
        raise DesignError(
            f"n_duplicates={controls.n_duplicates}: an oligo under two names needs "
            "synthesized barcodes to tell them apart; leave n_duplicates= out"
        )
    most = _PROMOTER_TIMES * barcodes if fillable else 0
    promoter = (
        most if controls.n_promoter_only is None else int(controls.n_promoter_only)
    )
    if promoter and not fillable:
        cure = (
            "it is ordered where the junction carries two cloning sites, between which "
            "a filler is cut out: name them, rules=cg.mpra.OligoRules(avoid={'KpnI': "
            "1, 'XbaI': 1})"
            if barcodes
            else (
                "this construct adds barcodes by PCR, so no promoter-only oligo is "
                "ordered"
            )
        )
        raise DesignError(
            f"n_promoter_only={promoter}: an oligo without insert is so short that "
            "PCR prefers it. Clone the promoter alone by itself, "
            f"controls=cg.mpra.Controls(n_promoter_only=0); {cure}"
        )
    test = design.n_units * (
        len(design.named_arms) if design.assignment == "crossover" else 1
    )
    return OrderNumbers(
        scrambles=int(controls.n_scrambles),
        positives=given[0],
        negatives=given[1],
        pairs=(
            min(_USUAL_AA_PAIRS, test)
            if controls.n_duplicates is None
            else int(controls.n_duplicates)
        )
        if barcodes
        else 0,
        barcodes=barcodes,
        promoter=promoter,
    )


def fit_insert_length(
    design: Design, of: Construct, *, oligo_length: int, barcode_length: int
) -> int:
    """Return the insert length, which the oligo leaves and every arm must keep.

    Raises
    ------
    DesignError
        If they differ; with the sum, and the arm.
    """
    left = of.insert_length(
        as_int(oligo_length, "oligo_length", error=DesignError),
        barcode_length=barcode_length,
    )
    taken = [f"{len(of.left)} left adapter", f"{len(of.right)} right adapter"]
    if barcode_length:
        taken[1:1] = [f"{len(of.junction)} junction", f"{barcode_length} barcode"]
    for arm in design.named_arms:
        length = arm.intervention.lay(Layout(design.null.length)).length
        if length != design.null.length:
            raise DesignError(
                f"arm {quoted(arm.name)} makes inserts of {length} bp from backgrounds "
                f"of {design.null.length}: oligos of one pool have one length, or PCR "
                "prefers the short ones; keep the length in the arm, as "
                "cg.Delete(...) + cg.Insert(filler, at=...) does, or use "
                "cg.Ablate or cg.Scramble"
            )
    if design.null.length != left:
        raise DesignError(
            f"oligo_length={oligo_length} leaves {left} bp for the insert "
            f"({oligo_length} - {' - '.join(taken)}), and the design's backgrounds "
            f"have {design.null.length}; use length {left}, or "
            f"oligo_length={oligo_length - left + design.null.length}"
        )
    if isinstance(design.drawn, Genomic) and design.drawn.n_draws > 1:
        raise DesignError(
            f"Genomic(n_draws={design.drawn.n_draws}): arms that draw nothing would be "
            "one oligo for all draws of a sequence; use n_draws=1"
        )
    return left


EQUAL_ARMS, REPEATED = "equal arms", "repeated insert"
_HOPELESS = 1_000  # draws without one good unit
# draws of a unit counted for an error
_LEAST_DRAWS_COUNTED = 20
_MOST_DRAWS_COUNTED = 200


@dataclass(frozen=True)
class Blocks:
    """The units of a library under every arm.

    Attributes
    ----------
    units
        Ids of the ordered units, (u,), ascending.
    draws
        Draw of each unit, (u,); 0 is that of `causalgia.run`.
    backgrounds
        Before any arm, (u, length).
    inserts
        Under each arm, (arms, u, length).
    parents
        Source of each background, (u,).
    proposed
        The first draw of every unit of the design, ordered or not, (n_units, length).
    broken
        (rule, arm) -> number of draws of any unit that broke the rule in this arm.
    n_draws
        Draws of all units.
    dropped
        Unit -> reason why it is in no arm of the library.
    dropped_arms
        Arm -> reason why the library of one given sequence lacks it.
    """

    units: Ints
    draws: Ints
    backgrounds: Tokens
    inserts: Tokens
    parents: NDArray[Any]
    proposed: Tokens
    broken: dict[tuple[str, str], int]
    n_draws: int
    dropped: dict[int, str]
    dropped_arms: dict[str, str]


def draw_units(
    design: Design, checker: RuleChecker, *, key: int, n_redraws: int, controls: Tokens
) -> Blocks:
    """Draw the units of a design until each meets the rules under every arm.

    Parameters
    ----------
    design
        A design whose arms keep the length of a background.
    checker
        Checks inserts by rule.
    key
        Root key, as of the trial.
    n_redraws
        Draws of a unit after the first, before giving up.
    controls
        Inserts (m, length) already in the library; a unit that repeats one is redrawn.

    Raises
    ------
    DesignError
        If no draw of a unit meets the rules; names the rule, the arm, and how often.

    Warns
    -----
    CausalgiaWarning
        If units with parents never meet the rules; these are dropped in every arm, and
        recorded. Of one given sequence, the arms that never do.
    """
    drawing = _Drawing(design, checker, key, controls)
    while (bad := drawing.failing_units()).size:
        # a fixed arm never changes
        again = bad[(drawing.draws[bad] < n_redraws) & ~drawing.stuck[bad]]
        if again.size == design.n_units and drawing.n_draws >= _HOPELESS:
            again = again[:0]
        drawing.give_up(np.setdiff1d(bad, again))
        drawing.draw(again, drawing.draws[again] + 1)
    blocks = drawing.blocks()
    if blocks.dropped:
        unit, why = next(iter(blocks.dropped.items()))
        text = (
            f"{len(blocks.dropped):,} of {design.n_units:,} units are in no arm of the "
            f"library: no draw of them met the rules. Unit {unit}: {why}. "
            "cg.report names the others, and the shift from the null model"
        )
        warnings.warn(CausalgiaWarning(text), stacklevel=caller_stacklevel())
    if blocks.dropped_arms:
        arm, why = next(iter(blocks.dropped_arms.items()))
        text = (
            f"the library is without {len(blocks.dropped_arms):,} of "
            f"{len(design.named_arms):,} arms, which break a rule: {quoted(arm)} has "
            f"{why}. cg.report names the others"
        )
        warnings.warn(CausalgiaWarning(text), stacklevel=caller_stacklevel())
    return blocks


class _Drawing:
    """State of the draws of all units."""

    def __init__(
        self, design: Design, checker: RuleChecker, key: int, controls: Tokens
    ) -> None:
        n, length = design.n_units, design.null.length
        self._design, self._checker, self._key, self._controls = (
            design,
            checker,
            key,
            controls,
        )
        self._fixed = isinstance(design.drawn, Genomic)
        # in a parallel trial a unit has one insert
        self._side_by_side = design.assignment == "crossover"
        self._same_always = np.array(
            [self._fixed and not arm.intervention.random for arm in design.named_arms]
        )
        self.draws, self.n_draws = np.zeros(n, np.int64), 0
        self._backgrounds = np.empty((n, length), np.uint8)
        self._parents = np.empty(n, object)
        self._inserts = np.empty((len(design.named_arms), n, length), np.uint8)
        self._in, self._breaks, self.stuck = (
            np.ones(n, bool),
            np.zeros(n, bool),
            np.zeros(n, bool),
        )
        self._counted: Counter[tuple[str, str]] = Counter()
        self._dropped: dict[int, str] = {}
        self._dropped_arms: dict[str, str] = {}
        self.draw(np.arange(n), np.zeros(n, np.int64))
        self._proposed = self._backgrounds.copy()

    def draw(self, units: Ints, draws: Ints) -> None:
        """Make draw ``draws[i]`` of unit ``units[i]``, and check it by the rules."""
        for draw in np.unique(draws).tolist():
            mine = units[draws == draw]
            tokens, parents, inserts = self._drawn(mine, draw)
            self._backgrounds[mine], self._parents[mine] = tokens, parents
            self._inserts[:, mine] = inserts
        self.draws[units], self.n_draws = draws, self.n_draws + len(units)
        broken = self._rules_broken(self._inserts[:, units])
        self._count(broken)
        self._breaks[units] = breaks_any(broken, len(units))
        self.stuck[units] |= breaks_any(
            {rule: b[self._same_always] for rule, b in broken.items()}, len(units)
        )

    def _drawn(self, units: Ints, draw: int) -> tuple[Tokens, NDArray[Any], Tokens]:
        """Return backgrounds (n, length), their parents (n,) and inserts (arms, n,
        length) of one draw.
        """
        design, ids = self._design, units.astype(np.uint64)
        key = derive(self._key, "redraw", draw) if draw else self._key
        null, again = derive(self._key, "null"), derive(key, "null")
        tokens, parents = design.drawn.redraw(
            ids, key=null, again=again, n_units=design.n_units
        )
        edited = [apply_arm(arm, tokens, ids, key) for arm in design.named_arms]
        return tokens, parents, np.stack(edited)

    def _rules_broken(self, inserts: Tokens) -> dict[str, Mask]:
        """Return the mask of inserts (arms, n, length) that break each rule, (arms,
        n).
        """
        found = self._checker.broken(inserts.reshape(-1, inserts.shape[2]))
        return {
            name: row.reshape(inserts.shape[:2])
            for name, row in zip(self._checker.names, found, strict=True)
        }

    def failing_units(self) -> Ints:
        """Return the units that break a rule or repeat an earlier insert."""
        if self._dropped_arms:  # those left meet the rules
            return np.zeros(0, np.int64)
        repeats = self._repeats()
        self._count(repeats)
        self.stuck |= (
            repeats[REPEATED][self._same_always].any(axis=0) | self._same_always.all()
        )
        return np.flatnonzero(
            (self._breaks | breaks_any(repeats, len(self._in))) & self._in
        )

    def _repeats(self) -> dict[str, Mask]:
        """Return which inserts occurred before, in either orientation: in their unit,
        or elsewhere; (arms, n_units).
        """
        arms, n, length = self._inserts.shape
        units, m = np.flatnonzero(self._in), len(self._controls)
        rows = np.concatenate(
            [
                self._controls,
                self._inserts[:, units].transpose(1, 0, 2).reshape(-1, length),
            ]
        )
        first, own = first_duplicates(rows)[m:] - m, np.arange(arms * len(units))
        found = {name: np.zeros((arms, n), bool) for name in (EQUAL_ARMS, REPEATED)}
        inside = first // arms == own // arms
        if self._side_by_side:
            found[EQUAL_ARMS][:, units] = (inside & (first < own)).reshape(-1, arms).T
        found[REPEATED][:, units] = (~inside).reshape(-1, arms).T
        return found

    def _count(self, broken: dict[str, Mask]) -> None:
        for rule, by_arm in broken.items():
            times = zip(
                self._design.arm_names, by_arm.sum(axis=1).tolist(), strict=True
            )
            self._counted.update({(rule, arm): n for arm, n in times if n})

    def give_up(self, units: Ints) -> None:
        """Drop units with parents in every arm, or of one given sequence the arms that
        break a rule; raise DesignError where all units are draws of one population.
        """
        if not units.size or self._drop_arms():
            return
        if (
            not isinstance(self._design.drawn, FromParents)
            or units.size == self._in.sum()
        ):
            raise self._never_good(int(units[0]), units.size)
        repeats = self._repeats()
        for unit in units.tolist():
            found = {
                rule: broken[:, 0]
                for rule, broken in self._rules_broken(self._inserts[:, [unit]]).items()
            }
            found |= {rule: broken[:, unit] for rule, broken in repeats.items()}
            names = np.asarray(self._design.arm_names)
            reasons = "; ".join(
                f"{rule} in arm{'s' * bool(arms.sum() > 1)} {comma_list(names[arms])}"
                for rule, arms in found.items()
                if arms.any()
            )
            self._dropped[unit] = reasons + (
                f" (the last of {self.draws[unit] + 1} draws)"
                if self.draws[unit]
                else ""
            )
        self._in[units] = False

    def _drop_arms(self) -> bool:
        """Drop the arms of a single given sequence that break a rule, if it meets the
        rules itself and an arm beside it does; return whether it is so.
        """
        if not (self._fixed and self._side_by_side and self._design.n_units == 1):
            return False
        found = {**self._rules_broken(self._inserts), **self._repeats()}
        broken = np.any([arms[:, 0] for arms in found.values()], axis=0)
        itself = (self._inserts[:, 0] == self._backgrounds[0]).all(axis=1)
        if (broken & itself).any() or (~broken).sum() < 2:
            return False
        self._dropped_arms = {
            arm: ", ".join(rule for rule, arms in found.items() if arms[i, 0])
            for i, arm in enumerate(self._design.arm_names)
            if broken[i]
        }
        return True

    def _never_good(self, unit: int, n_units: int) -> DesignError:
        """Return the error with the rules that the draws of a unit broke, in which arms
        and how often.
        """
        n = (
            1
            if self.stuck[unit]
            else int(
                np.clip(self.draws[unit] + 1, _LEAST_DRAWS_COUNTED, _MOST_DRAWS_COUNTED)
            )
        )
        inserts = np.concatenate(
            [self._drawn(np.array([unit]), draw)[2] for draw in range(n)], axis=1
        )
        broken = {**self._rules_broken(inserts), **self._repeats_of(unit, inserts)}
        counts = Counter(
            {
                (rule, i): int(times)
                for rule, b in broken.items()
                for i, times in enumerate(b.sum(axis=1))
            }
        )
        named = [
            (rule, self._design.arm_names[i], times)
            for (rule, i), times in counts.most_common(3)
            if times
        ]
        reasons = "; ".join(
            f"{rule} in arm '{arm}' in {times} of {n}" for rule, arm, times in named
        )
        anywhere = {
            rule
            for rule in broken
            if all(counts[rule, i] == n for i in range(len(self._design.arm_names)))
        }
        own = [
            arm
            for rule, arm, times in named
            if times == n and rule.startswith("site ") and rule not in anywhere
        ]
        cures = {rule.name: rule.cure for rule in self._checker.rules}
        cure = cures.get(
            named[0][0],
            "ask for fewer units, or use arms that differ in every background",
        )
        return DesignError(
            f"unit {first_of([str(unit)], 1, n=n_units)}: no background met the rules. Broken: "
            f"{reasons}{f'; arm {quoted(own[0])} carries the site itself: change the arm' if own else ''}; "
            f"{cure}"
        )

    def _repeats_of(self, unit: int, inserts: Tokens) -> dict[str, Mask]:
        """Return which draws (arms, n, length) of a unit repeat one of its arms, or
        other inserts, (arms, n).
        """
        others = np.delete(self._inserts, unit, axis=1).reshape(-1, inserts.shape[2])
        before = np.concatenate([self._controls, others])
        first = first_duplicates(
            np.concatenate([before, inserts.reshape(-1, inserts.shape[2])])
        )[len(before) :]
        repeated = {REPEATED: (first < len(before)).reshape(inserts.shape[:2])}
        if not self._side_by_side:
            return repeated
        same = [
            first_duplicates(inserts[:, draw]) < np.arange(len(inserts))
            for draw in range(inserts.shape[1])
        ]
        return {EQUAL_ARMS: np.stack(same, axis=1), **repeated}

    def blocks(self) -> Blocks:
        """Return the good units."""
        units = np.flatnonzero(self._in)
        return Blocks(
            units=units,
            draws=self.draws[units],
            backgrounds=self._backgrounds[units],
            inserts=self._inserts[:, units],
            parents=self._parents[units],
            proposed=self._proposed,
            broken=dict(self._counted),
            n_draws=self.n_draws,
            dropped=self._dropped,
            dropped_arms=self._dropped_arms,
        )


def breaks_any(broken: dict[str, Mask], n: int) -> Mask:
    """Return the mask of n units that break any rule under any arm."""
    found = np.zeros(n, bool)
    for by_arm in broken.values():
        found |= by_arm.any(axis=0)
    return found
