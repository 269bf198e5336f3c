"""Units that satisfy the rules of an order under every arm; a unit that breaks one is redrawn under all arms.

Draw j of unit u has its own random streams, keyed by (root key, j, u): redrawing one unit changes no other, and draw 0
is the unit of `causalgia.run` with the same `rng`. A unit is checked under *all* arms, also in a parallel trial, where
it receives one of them; checked under its own arm alone, arms would have different populations of backgrounds.
Arms that are equal for a unit are allowed in a parallel trial, where it is ordered once: an A/A trial is valid.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design, Genomic
from causalgia.design.null_model import FromParents
from causalgia.errors import CausalgiaWarning, LibraryError, quoted
from causalgia.mpra.libraries.rules import RuleChecker, first_duplicates
from causalgia.streams import derive
from causalgia.trial.attributes import apply_arm
from causalgia.types import Ints, Mask, Tokens

EQUAL_ARMS, REPEATED = "equal arms", "repeated insert"
_HOPELESS = 1_000  # draws without one good unit
_FEWEST, _MOST = 20, 200  # draws of a unit counted for an error


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


def draw_units(design: Design, checker: RuleChecker, *, key: int, n_redraws: int, controls: Tokens) -> Blocks:
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
    LibraryError
        If no draw of a unit meets the rules; names the rule, the arm, and how often.

    Warns
    -----
    CausalgiaWarning
        If units with parents never meet the rules; these are dropped in every arm, and recorded.
    """
    drawing = _Drawing(design, checker, key, controls)
    while (bad := drawing.failing_units()).size:
        again = drawing.redrawable(bad, n_redraws)
        if again.size == design.n_units and drawing.n_draws >= _HOPELESS:
            again = again[:0]
        drawing.give_up(np.setdiff1d(bad, again))
        drawing.draw(again, drawing.draws[again] + 1)
    blocks = drawing.blocks()
    if blocks.dropped:
        unit, why = next(iter(blocks.dropped.items()))
        text = (
            f"{len(blocks.dropped):,} of {design.n_units:,} units are in no arm of the library: no draw of them met "
            f"the rules. Unit {unit}: {why}. cg.report names the others, and the shift from the null model"
        )
        warnings.warn(text, CausalgiaWarning, stacklevel=4)
    return blocks


class _Drawing:
    """State of the draws of all units."""

    def __init__(self, design: Design, checker: RuleChecker, key: int, controls: Tokens) -> None:
        n, length = design.n_units, design.null.length
        self._design, self._checker, self._key, self._controls = design, checker, key, controls
        self._fixed = isinstance(design.drawn, Genomic)
        self._side_by_side = design.assignment == "crossover"  # in a parallel trial a unit has one insert
        self._same_always = np.array([self._fixed and not arm.intervention.random for arm in design.named_arms])
        self.draws, self.n_draws = np.zeros(n, np.int64), 0
        self._backgrounds = np.empty((n, length), np.uint8)
        self._inserts = np.empty((len(design.named_arms), n, length), np.uint8)
        self._in, self._breaks, self._stuck = np.ones(n, bool), np.zeros(n, bool), np.zeros(n, bool)
        self._counted: Counter[tuple[str, str]] = Counter()
        self._dropped: dict[int, str] = {}
        self.draw(np.arange(n), np.zeros(n, np.int64))
        self._proposed = self._backgrounds.copy()

    def draw(self, units: Ints, draws: Ints) -> None:
        """Make draw ``draws[i]`` of unit ``units[i]``, and check it by the rules."""
        for draw in np.unique(draws).tolist():
            mine = units[draws == draw]
            self._backgrounds[mine], self._inserts[:, mine] = self._drawn(mine, draw)
        self.draws[units], self.n_draws = draws, self.n_draws + len(units)
        broken = self._rules_broken(self._inserts[:, units])
        self._count(broken)
        self._breaks[units] = breaks_any(broken, len(units))
        self._stuck[units] |= breaks_any({rule: b[self._same_always] for rule, b in broken.items()}, len(units))

    def _drawn(self, units: Ints, draw: int) -> tuple[Tokens, Tokens]:
        """Return backgrounds (n, length) and inserts (arms, n, length) of one draw."""
        design, ids = self._design, units.astype(np.uint64)
        key = derive(self._key, "redraw", draw) if draw else self._key
        null, again = derive(self._key, "null"), derive(key, "null")
        tokens = design.drawn.redraw(ids, key=null, again=again, n_units=design.n_units)
        return tokens, np.stack([apply_arm(arm, tokens, ids, key) for arm in design.named_arms])

    def _rules_broken(self, inserts: Tokens) -> dict[str, Mask]:
        """Return the mask of inserts (arms, n, length) that break each rule, (arms, n)."""
        found = self._checker.broken(inserts.reshape(-1, inserts.shape[2]))
        return {name: row.reshape(inserts.shape[:2]) for name, row in zip(self._checker.names, found, strict=True)}

    def failing_units(self) -> Ints:
        """Return the units that break a rule or repeat an earlier insert."""
        repeats = self._repeats()
        self._count(repeats)
        self._stuck |= repeats[REPEATED][self._same_always].any(axis=0) | self._same_always.all()
        return np.flatnonzero((self._breaks | breaks_any(repeats, len(self._in))) & self._in)

    def redrawable(self, units: Ints, n_redraws: int) -> Ints:
        """Return the units that a redraw may help: not those that fail in an arm that never changes."""
        return units[(self.draws[units] < n_redraws) & ~self._stuck[units]]

    def _repeats(self) -> dict[str, Mask]:
        """Return which inserts occurred before, in either orientation: in their unit, or elsewhere; (arms, n_units)."""
        arms, n, length = self._inserts.shape
        units, m = np.flatnonzero(self._in), len(self._controls)
        rows = np.concatenate([self._controls, self._inserts[:, units].transpose(1, 0, 2).reshape(-1, length)])
        first, own = first_duplicates(rows)[m:] - m, np.arange(arms * len(units))
        found = {name: np.zeros((arms, n), bool) for name in (EQUAL_ARMS, REPEATED)}
        inside = first // arms == own // arms
        if self._side_by_side:
            found[EQUAL_ARMS][:, units] = (inside & (first < own)).reshape(-1, arms).T
        found[REPEATED][:, units] = (~inside).reshape(-1, arms).T
        return found

    def _count(self, broken: dict[str, Mask]) -> None:
        for rule, by_arm in broken.items():
            times = zip(self._design.arm_names, by_arm.sum(axis=1).tolist(), strict=True)
            self._counted.update({(rule, arm): n for arm, n in times if n})

    def give_up(self, units: Ints) -> None:
        """Drop units with parents in every arm; raise LibraryError where all units are draws of one population."""
        if not units.size:
            return
        if not isinstance(self._design.drawn, FromParents) or units.size == self._in.sum():
            raise self._never_good(int(units[0]), units.size)
        repeats = self._repeats()
        for unit in units.tolist():
            self._dropped[unit] = self._reasons(unit, repeats)
        self._in[units] = False

    def _reasons(self, unit: int, repeats: dict[str, Mask]) -> str:
        """Return the rules that a unit breaks, in which arms, and its number of draws."""
        found = {rule: broken[:, 0] for rule, broken in self._rules_broken(self._inserts[:, [unit]]).items()}
        found |= {rule: broken[:, unit] for rule, broken in repeats.items()}
        names = np.asarray(self._design.arm_names)
        reasons = "; ".join(f"{rule} in arm {', '.join(names[arms])}" for rule, arms in found.items() if arms.any())
        return reasons + (f" (the last of {self.draws[unit] + 1} draws)" if self.draws[unit] else "")

    def _never_good(self, unit: int, n_units: int) -> LibraryError:
        """Return the error with the rules that the draws of a unit broke, in which arms and how often."""
        n = 1 if self._stuck[unit] else int(np.clip(self.draws[unit] + 1, _FEWEST, _MOST))
        inserts = np.concatenate([self._drawn(np.array([unit]), draw)[1] for draw in range(n)], axis=1)
        broken = {**self._rules_broken(inserts), **self._repeats_of(unit, inserts)}
        counts = Counter({(rule, i): int(times) for rule, b in broken.items() for i, times in enumerate(b.sum(axis=1))})
        named = [(rule, self._design.arm_names[i], times) for (rule, i), times in counts.most_common(3) if times]
        reasons = "; ".join(f"{rule} in arm '{arm}' in {times} of {n}" for rule, arm, times in named)
        anywhere = {rule for rule in broken if all(counts[rule, i] == n for i in range(len(self._design.arm_names)))}
        own = [arm for rule, arm, times in named if times == n and rule.startswith("site ") and rule not in anywhere]
        cures = {rule.name: rule.cure for rule in self._checker.rules}
        cure = cures.get(named[0][0], "ask for fewer units, or use arms that differ in every background")
        more = f" and {n_units - 1:,} more" if n_units > 1 else ""
        return LibraryError(
            f"unit {unit}{more}: no background met the rules. Broken: "
            f"{reasons}{f'; arm {quoted(own[0])} carries the site itself: change the arm' if own else ''}; {cure}"
        )

    def _repeats_of(self, unit: int, inserts: Tokens) -> dict[str, Mask]:
        """Return which draws (arms, n, length) of a unit repeat one of its arms, or other inserts, (arms, n)."""
        others = np.delete(self._inserts, unit, axis=1).reshape(-1, inserts.shape[2])
        before = np.concatenate([self._controls, others])
        first = first_duplicates(np.concatenate([before, inserts.reshape(-1, inserts.shape[2])]))[len(before) :]
        repeated = {REPEATED: (first < len(before)).reshape(inserts.shape[:2])}
        if not self._side_by_side:
            return repeated
        same = [first_duplicates(inserts[:, draw]) < np.arange(len(inserts)) for draw in range(inserts.shape[1])]
        return {EQUAL_ARMS: np.stack(same, axis=1), **repeated}

    def blocks(self) -> Blocks:
        """Return the good units."""
        design, units = self._design, np.flatnonzero(self._in)
        stream = derive(self._key, "null")
        return Blocks(
            units=units,
            draws=self.draws[units],
            backgrounds=self._backgrounds[units],
            inserts=self._inserts[:, units],
            parents=design.drawn.parents(units.astype(np.uint64), key=stream, n_units=design.n_units),
            proposed=self._proposed,
            broken=dict(self._counted),
            n_draws=self.n_draws,
            dropped=self._dropped,
        )


def breaks_any(broken: dict[str, Mask], n: int) -> Mask:
    """Return the mask of n units that break any rule under any arm."""
    found = np.zeros(n, bool)
    for by_arm in broken.values():
        found |= by_arm.any(axis=0)
    return found
